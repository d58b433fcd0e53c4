# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy, moved under load: no request may be lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from proxies import PATIENCE, RATE, Site, moves, serves, slots, states, until
from sluice_lab.load import Tally, load

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy_socket import asker


@pytest.mark.parametrize("haproxy", ["shop", "unchecked"], indirect=True)
def test_haproxy_moves_and_loses_nothing(haproxy: Site) -> None:
    tally = asyncio.run(moves(haproxy, 4))
    assert (tally.failed, dict(tally.errors)) == (0, {})
    assert tally.sent > RATE / 2


def reload(site: Site) -> None:
    """Let HAProxy read its configuration again, and wait until the new process answers."""
    assert site.process
    ask = asker(str(site.root / "admin.sock"))

    def pid() -> str:
        with contextlib.suppress(SluiceError):
            return next(line for line in ask("show info").splitlines() if line.startswith("Pid:"))
        return ""

    before = pid()
    site.process.send_signal(signal.SIGUSR2)
    until(lambda: pid() not in ("", before), "HAProxy is not reloaded")


def test_haproxy_remembers_the_slot_when_it_is_reloaded(haproxy: Site) -> None:
    first, second = haproxy.ports

    async def scenario() -> None:
        async with slots(haproxy, first, second):
            await asyncio.to_thread(until, lambda: serves(haproxy, first), "the first slot does not serve")
            await asyncio.to_thread(haproxy.run, to="green")
            await asyncio.to_thread(reload, haproxy)
            route = haproxy.route()
            assert await asyncio.to_thread(route.points_at, second)
            assert route.live() == second
            asked = haproxy.asked[first]
            async with load(haproxy.base_url, RATE):
                await asyncio.sleep(0.3)
            assert haproxy.asked[first] == asked

    asyncio.run(scenario())


def test_haproxy_shares_the_traffic_as_it_is_weighed(haproxy: Site) -> None:
    first, second = haproxy.ports

    async def scenario() -> None:
        async with slots(haproxy, first, second):
            await asyncio.to_thread(until, lambda: serves(haproxy, first), "the first slot does not serve")
            foreseen = await asyncio.to_thread(haproxy.run, check_mode=True, to="green", weight=10)
            assert states(foreseen) == {"blue": "ready", "green": "ready"}
            assert haproxy.route().points_at(first)
            async with load(haproxy.base_url, RATE) as tally:
                canary = await asyncio.to_thread(haproxy.run, to="green", weight=10)
                haproxy.asked.clear()
                await asyncio.to_thread(until, lambda: haproxy.asked.total() >= 150, "there is no load")
                share = haproxy.asked[second] / haproxy.asked.total()
                assert (canary["changed"], canary["current"], haproxy.route().live()) == (True, str(first), first)
                assert not (await asyncio.to_thread(haproxy.run, to="green", weight=10))["changed"]
                # Whoever goes back finds the weights of the configuration.
                await asyncio.to_thread(haproxy.run, to="green", weight=0)
            assert 0.04 < share < 0.16
            assert tally.failed == 0
            assert haproxy.route().points_at(first)

    asyncio.run(scenario())


def test_haproxy_leaves_the_old_slot_when_the_new_one_does_not_get_up(haproxy: Site) -> None:
    first, _second = haproxy.ports

    async def scenario() -> Tally:
        async with slots(haproxy, first):
            await asyncio.to_thread(until, lambda: serves(haproxy, first), "the first slot does not serve")
            before = haproxy.route().snapshot()
            async with load(haproxy.base_url, RATE) as tally:
                with pytest.raises(SluiceError, match=r"Cannot move backend shop: after 1 s its server green is DOWN"):
                    await asyncio.to_thread(haproxy.run, to="green", proxy={"timeout": 1.0})
            after = haproxy.route().snapshot()
            assert [(one.state, one.weight) for one in after.values()] == [
                (one.state, one.weight) for one in before.values()
            ]
            assert haproxy.route().live() == first
        return tally

    assert asyncio.run(scenario()).failed == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"socket": "{root}/none.sock"},
            r"HAProxy does not answer at \S+none.sock: No such file or directory\. Name a",
        ),
        ({"socket": "127.0.0.1:1"}, r"HAProxy does not answer at 127.0.0.1:1: Connection refused\."),
        (
            {"socket": "{root}/user.sock"},
            r"HAProxy refused state drain for green: Permission denied\. Its socket needs",
        ),
        ({"backend": "nope"}, r"Cannot move backend nope: Can't find backend\. Name a backend that this HAProxy has"),
        (
            {"servers": [["green"], ["blue"]]},
            r"shop: its server green leads to port \d+, and not to \d+ as the slot needs",
        ),
        ({"servers": [["blue"], ["red"]]}, r"shop: it has no server red\. Its servers are blue, green"),
    ],
)
def test_haproxy_says_what_is_wrong(haproxy: Site, changed: dict[str, Any], message: str) -> None:
    proxy = {
        key: value.format(root=haproxy.root) if isinstance(value, str) else value for key, value in changed.items()
    }
    with pytest.raises(SluiceError, match=message):
        haproxy.run(to=str(haproxy.ports[1]), proxy=proxy)
    assert states({"servers": haproxy.route().describe()}) == {"blue": "ready", "green": "maint"}


def test_haproxy_drains_a_server_and_takes_it_back(haproxy: Site) -> None:
    first, second = haproxy.ports

    async def scenario() -> None:
        async with slots(haproxy, first, second):
            await asyncio.to_thread(until, lambda: serves(haproxy, first), "the first slot does not serve")
            with pytest.raises(SluiceError, match="Cannot drain blue: no other server would be left of the backend"):
                await asyncio.to_thread(haproxy.run, server=["blue"], state="drained")
            async with load(haproxy.base_url, RATE) as tally:
                back = await asyncio.to_thread(haproxy.run, server=["green"], state="undrained")
                assert (back["changed"], back["previous"], back["current"]) == (True, "maint", "ready")
                out = await asyncio.to_thread(haproxy.run, server=["blue"], state="drained")
                assert (out["changed"], out["previous"], out["current"]) == (True, "ready", "drain")
                assert [server["sessions"] for server in out["servers"] if server["name"] == "blue"] == [0]
                assert not (await asyncio.to_thread(haproxy.run, server=["blue"], state="drained"))["changed"]
                await haproxy.stop(first)
                proxy = {"timeout": 0.5}
                await asyncio.to_thread(until, lambda: not haproxy.route().backend.servers()["blue"].up, "blue is up")
                with pytest.raises(SluiceError, match=r"its server blue is DOWN \(L4CON\)"):
                    await asyncio.to_thread(haproxy.run, server=["blue"], state="undrained", proxy=proxy)
                assert states({"servers": haproxy.route().describe()})["blue"] == "drain"
                await haproxy.start(first)
                await asyncio.to_thread(haproxy.run, server=["blue"], state="undrained")
            assert tally.failed == 0

    asyncio.run(scenario())


ROOT = Path(__file__).parents[3]


def play(site: Site, *files: str) -> str:
    """Run task files of role switch for the host `blue`, which HAProxy runs in front of; return what is said."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    front = {"hosts": ["front"], "proxy": {k: v for k, v in site.proxy.items() if k != "type"}}
    roles = [{"name": "sluice.release.switch", "tasks_from": name} for name in files]
    tasks = [{"ansible.builtin.include_role": role} for role in roles]
    hosts = {"blue": {**local, "switch_front_proxy": front}, "front": local}
    (site.root / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    (site.root / "play.yml").write_text(json.dumps([{"hosts": "blue", "gather_facts": False, "tasks": tasks}]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "hosts.yml", "play.yml"],
        cwd=site.root,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_host_leaves_the_proxy_in_front_and_comes_back(haproxy: Site) -> None:
    first, second = haproxy.ports

    async def scenario() -> None:
        async with slots(haproxy, first, second):
            await asyncio.to_thread(until, lambda: serves(haproxy, first), "the first slot does not serve")
            await asyncio.to_thread(haproxy.run, server=["green"], state="undrained")
            said = await asyncio.to_thread(play, haproxy, "drain.yml", "undrain.yml")
            assert re.search(r"blue +: ok=4 +changed=2 ", said), said
            assert states({"servers": haproxy.route().describe()}) == {"blue": "ready", "green": "ready"}

    asyncio.run(scenario())


def test_haproxy_drains_no_longer_than_it_may(haproxy: Site) -> None:
    first, second = haproxy.ports

    def ask_slowly() -> bytes:
        with socket.create_connection(("127.0.0.1", haproxy.front), PATIENCE) as stream:
            stream.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return stream.recv(64)

    async def scenario() -> None:
        async with slots(haproxy, first, second):
            await asyncio.to_thread(until, lambda: serves(haproxy, first), "the first slot does not serve")
            slow = asyncio.create_task(asyncio.to_thread(ask_slowly))
            await asyncio.to_thread(until, lambda: haproxy.asked[first], "nobody was asked")
            await asyncio.to_thread(haproxy.run, to="green", proxy={"timeout": 0.3})
            # What is under way is neither cut off nor forgotten: the slot is not taken out of service yet.
            assert states({"servers": haproxy.route().describe()}) == {"blue": "drain", "green": "ready"}
            assert b" 200 " in await slow

    asyncio.run(scenario())
