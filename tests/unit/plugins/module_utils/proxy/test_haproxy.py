# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What HAProxy says, and what it is told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.proxy import _act, _haproxy_state
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy import Backend, HaproxyRoute
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy_state import Server

STATE = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state
3 shop 1 blue 127.0.0.1 2 0 1 1 1 15 3 3 6 0
3 shop 2 green 127.0.0.1 0 5 1 1 2 1 0 0 14 0
4 other 1 blue 127.0.0.1 2 0 1 1 1 15 3 3 6 0
"""
STAT = """# pxname,svname,qcur,qmax,scur,smax,status,weight,check_status
shop,blue,0,0,4,9,UP,1,* L7OK
shop,green,0,0,0,0,MAINT,1,
other,blue,0,0,7,9,UP,1,L7OK
"""


def test_the_answers_are_read() -> None:
    assert _haproxy_state.servers(STATE, STAT, "shop") == {
        "blue": Server("blue", "ready", True, 1, 1, 4, "UP", "L7OK", checked=True),
        "green": Server("green", "maint", False, 1, 1, 0, "MAINT", "", checked=True),
    }


@pytest.mark.parametrize("answer", ["Can't find backend.", "", "2\n# a b", "Permission denied"])
def test_an_answer_that_is_none_says_why(answer: str) -> None:
    with pytest.raises(ValueError, match=re.escape(answer.splitlines()[0]) if answer else "says nothing"):
        _haproxy_state.servers(answer, STAT, "shop")


@pytest.mark.parametrize(
    ("admin", "state"),
    [
        (0x00, "ready"),
        (0x04, "ready"),  # the configuration says disabled, and somebody has said ready since
        (0x05, "maint"),
        (0x01, "maint"),
        (0x20, "maint"),
        (0x08, "drain"),
        (0x0C, "drain"),
        (0x10, "drain"),
        (0x09, "maint"),
    ],
)
def test_what_a_server_was_told_is_in_its_bits(admin: int, state: str) -> None:
    text = STATE.replace("2 0 1 1 1 15", f"2 {admin} 1 1 1 15")
    assert _haproxy_state.servers(text, STAT, "shop")["blue"].state == state


def server(name: str, state: str = "ready", *, up: bool = True, weight: int = 1, status: str = "UP") -> Server:
    return Server(name, state, up, weight, 1, 0, status, "L7OK", checked=True)


@pytest.mark.parametrize(
    ("seen", "proven"),
    [
        (server("blue"), True),
        (server("blue", up=False, status="DOWN"), False),
        # What leaves maintenance is up before its first check.
        (server("blue", "drain", status="DRAIN 1/2"), False),
        (server("blue", "drain", status="DRAIN"), True),
        (replace(server("blue", "drain", status="DRAIN 1/2"), checked=False), True),
        (replace(server("blue"), check="INI"), False),
    ],
)
def test_only_a_check_proves_a_server(seen: Server, proven: bool) -> None:
    assert seen.proven is proven


@pytest.mark.parametrize(
    ("blue", "green", "live"),
    [
        (server("blue"), server("green", "drain"), 1),
        (server("blue", "maint"), server("green"), 2),
        # A slot whose application has died is still the one that takes the traffic.
        (server("blue", up=False), server("green", "drain"), 1),
        # As a configuration begins that disables none: the one that runs.
        (server("blue"), server("green", up=False), 1),
        (server("blue"), server("green"), None),
        (server("blue", up=False), server("green", up=False), None),
        (server("blue", "maint"), server("green", "maint"), None),
        # A canary.
        (server("blue", weight=90), server("green", weight=10), 1),
        (server("blue", weight=10), server("green", weight=90), 2),
        (server("blue", weight=0), server("green"), 2),
    ],
)
def test_the_live_slot(blue: Server, green: Server, live: int | None) -> None:
    assert _haproxy_state.live({1: [blue], 2: [green]}) == live


def test_the_state_file_keeps_the_lines_of_other_backends() -> None:
    answer = "1\n# be_id be_name srv\n3 shop 1 blue\n3 shop 2 green\n"
    assert _haproxy_state.merged("", answer, "shop") == answer
    old = "1\n# be_id be_name srv\n3 shop 1 red\n4 other 1 blue\n"
    assert _haproxy_state.merged(old, answer, "shop") == (
        "1\n# be_id be_name srv\n4 other 1 blue\n3 shop 1 blue\n3 shop 2 green\n"
    )


@dataclass
class FakeHaproxy:
    """Answers as HAProxy does, and can refuse one command."""

    servers: dict[str, Server]
    refuse: str = ""
    said: list[str] = field(default_factory=list)
    at_no_moment_none: bool = True

    def __call__(self, command: str) -> str:
        if command.startswith("show servers"):
            return "\n".join([*STATE.splitlines()[:2], *map(self._line, self.servers.values())])
        if command.startswith("show stat"):
            rows = [f"shop,{one.name},0,0,{one.sessions},0,{one.status},1,L7OK" for one in self.servers.values()]
            return "\n".join([STAT.splitlines()[0], *rows])
        self.said.append(command)
        if self.refuse and self.refuse in command:
            return "Permission denied"
        words = command.split()
        name, what, value = words[2].partition("/")[2], words[3], words[4]
        one = self.servers[name]
        weight = 1 if value == "100%" else int(value) if what == "weight" else one.weight
        self.servers[name] = replace(one, state=value if what == "state" else one.state, weight=weight)
        self.at_no_moment_none &= any(server.serves for server in self.servers.values())
        return ""

    @staticmethod
    def _line(one: Server) -> str:
        admin = {"ready": 0, "drain": 8, "maint": 1}[one.state]
        return f"3 shop 1 {one.name} 127.0.0.1 {2 if one.up else 0} {admin} {one.weight} {one.own_weight} 1 15 3 3 6 0"


def route(haproxy: FakeHaproxy) -> HaproxyRoute:
    backend = Backend("shop", haproxy, timeout=0.0, sleep=lambda _seconds: None)
    return HaproxyRoute(backend, {1: ["blue1", "blue2"], 2: ["green1", "green2"]})


def pairs() -> FakeHaproxy:
    blue = {name: server(name) for name in ("blue1", "blue2")}
    return FakeHaproxy({**blue, **{name: server(name, "maint") for name in ("green1", "green2")}})


def test_all_new_servers_are_ready_before_an_old_one_is_drained() -> None:
    haproxy = pairs()
    route(haproxy).point(2)
    order = [line.split("/")[1] for line in haproxy.said if " state " in line]
    assert order == [
        "green1 state drain",
        "green2 state drain",
        "green1 state ready",
        "green2 state ready",
        "blue1 state drain",
        "blue2 state drain",
    ]
    assert haproxy.at_no_moment_none
    assert route(haproxy).points_at(2)
    assert not route(haproxy).points_at(1)


@pytest.mark.parametrize("refuse", ["green2 state ready", "blue2 state drain", "green1 weight"])
def test_a_refusal_in_the_middle_puts_everything_back(refuse: str) -> None:
    haproxy = pairs()
    before = dict(haproxy.servers)
    with pytest.raises(SluiceError, match=r"^Cannot move backend shop: HAProxy refused .*Permission denied"):
        route(FakeHaproxy(haproxy.servers, refuse)).point(2)
    # What the refused command would have changed, the same HAProxy may refuse to put back.
    assert {name for name, one in haproxy.servers.items() if one != before[name]} <= {refuse.split(maxsplit=1)[0]}
    assert route(haproxy).live() == 1


def test_weights_are_back_when_all_is_moved() -> None:
    haproxy = pairs()
    route(haproxy).weigh(2, 10)
    assert {name: one.weight for name, one in haproxy.servers.items()} == {
        "blue1": 90,
        "blue2": 90,
        "green1": 10,
        "green2": 10,
    }
    assert route(haproxy).live() == 1
    # The new ones must not have their own weight, which may be large, for a moment.
    first_ready = haproxy.said.index("set server shop/green1 state ready")
    assert haproxy.said.index("set server shop/green1 weight 10") < first_ready
    route(haproxy).point(2)
    assert route(haproxy).points_at(2)
    assert {one.weight for one in haproxy.servers.values()} == {1}
    assert haproxy.at_no_moment_none


def test_a_snapshot_is_restored() -> None:
    haproxy = pairs()
    before = route(haproxy).snapshot()
    route(haproxy).point(2)
    route(haproxy).restore(before)
    assert haproxy.servers == before
    assert haproxy.at_no_moment_none


def test_an_empty_slot_is_taken_out_of_service_and_a_busy_one_is_not() -> None:
    haproxy = pairs()
    route(haproxy).point(2)
    haproxy.servers["blue1"] = replace(haproxy.servers["blue1"], sessions=1)
    route(haproxy).settle(1)
    assert haproxy.servers["blue1"].state == "drain"
    haproxy.servers["blue1"] = replace(haproxy.servers["blue1"], sessions=0)
    route(haproxy).settle(1)
    assert [haproxy.servers[name].state for name in ("blue1", "blue2")] == ["maint", "maint"]


@pytest.mark.parametrize(
    ("serving", "names", "cause"),
    [
        (2, ["blue1"], "blue2 would be left of the backend, and 2 must serve"),
        (1, ["blue1", "blue2"], "no other server would be left of the backend, and 1 must serve"),
        (0, ["blue1", "blue2"], ""),
        (1, ["blue1"], ""),
    ],
)
def test_a_server_is_drained_only_when_enough_others_serve(serving: int, names: list[str], cause: str) -> None:
    haproxy = pairs()
    backend = route(haproxy).backend
    if cause:
        with pytest.raises(SluiceError, match=cause):
            _act.drain(backend, names, serving, False, print)
        assert not haproxy.said
        return
    assert _act.drain(backend, names, serving, True, print)["changed"]
    assert not haproxy.said
    done = _act.drain(backend, names, serving, False, print)
    assert (done["changed"], done["previous"], done["current"]) == (True, "ready", "drain")
    assert not _act.drain(backend, names, serving, False, print)["changed"]


def test_a_server_that_does_not_serve_may_be_drained_though_it_is_the_last() -> None:
    haproxy = pairs()
    haproxy.servers = {name: replace(one, state="ready", up=False) for name, one in haproxy.servers.items()}
    assert _act.drain(route(haproxy).backend, ["blue1"], 1, False, print)["current"] == "drain"


def test_two_that_drain_the_last_ones_at_once_do_not_both_succeed() -> None:
    haproxy = pairs()

    class Race(FakeHaproxy):
        def __call__(self, command: str) -> str:
            if command == "set server shop/blue1 state drain":
                # Another run comes between the look and the act.
                self.servers["blue2"] = replace(self.servers["blue2"], state="drain")
            return super().__call__(command)

    race = Race(haproxy.servers)
    with pytest.raises(SluiceError, match="no other server would be left"):
        _act.drain(route(race).backend, ["blue1"], 1, False, print)
    assert race.servers["blue1"].state == "ready"
