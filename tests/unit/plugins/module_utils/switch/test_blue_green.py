# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A blue-green switch, played against a runtime and a proxy that live in memory; the drivers' tests have real ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green import BlueGreen, Request, World, end
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green_plan import Slots
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Answer, Ready
from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import Ended, Instance

# Ports on which nothing listens.
BLUE, GREEN = 1, 11


@dataclass
class Host:
    """A host in memory: its instances, its proxy, its clock, and everything that was done, in order."""

    found: dict[str, Instance] = field(default_factory=dict)
    live_port: int | None = None
    time: float = 0.0
    done: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reports_pids: bool = False
    version: str = "2"
    status: int = 200
    after_start: Callable[[Instance], Instance] = field(default=lambda one: one)
    on_tick: Callable[[Host], None] = field(default=lambda host: None)
    refuse: str = ""
    slow_end: str = ""

    # The runtime.
    def instances(self) -> list[Instance]:
        return list(self.found.values())

    def check(self) -> None:
        if self.refuse == "check":
            raise SluiceError("use the image", "it is not there")

    def start(self, number: int, port: int | None) -> Instance:
        if self.refuse == "start":
            raise SluiceError("start it", "the engine is away")
        one = Instance(f"new-{number}", number, port, "2.0", "mark", pid=100 + number, status="running")
        self.found[one.id] = self.after_start(one)
        self.done.append(f"start {one.id} at {port}")
        return one

    def end(self, instance: Instance, *, keep: bool) -> Ended:
        self.done.append(f"{'end' if keep else 'remove'} {instance.id}")
        if keep:
            self.found[instance.id] = replace(instance, alive=False, status="exited")
        else:
            self.found.pop(instance.id, None)
        killed = self.slow_end == instance.id
        return Ended(10.0 if killed else 0.5, killed, 3 if killed else None)

    def lines(self, instance: Instance) -> list[str]:
        return ["listening", "TypeError: it is broken", "    at app.js:1"]

    def prune(self, serving: str) -> None:
        self.done.append(f"prune but {serving}")

    # The proxy.
    def live(self) -> int | None:
        return self.live_port

    def points_at(self, port: int) -> bool:
        return self.live_port == port

    def point(self, port: int) -> None:
        if self.refuse == "point":
            raise SluiceError("move the proxy", "nginx exited with 1")
        if self.refuse == "crash in the move":
            self.found["new-0"] = crash(self.found["new-0"])
            raise SluiceError("move the proxy", "its server is DOWN")
        self.done.append(f"point at {port}")
        self.live_port = port

    def snapshot(self) -> object:
        return self.live_port

    def restore(self, snapshot: object) -> None:
        assert snapshot is None or isinstance(snapshot, int)
        self.done.append(f"point back at {snapshot}")
        self.live_port = snapshot

    def settle(self, port: int) -> None:
        self.done.append(f"settle {port}")

    def weigh(self, port: int, percent: int) -> None:
        raise AssertionError("no switch weighs")

    def describe(self) -> list[dict[str, Any]]:
        return []

    # The world around them.
    def look(self, ready: Ready) -> Answer:
        port = urlsplit(ready.url).port
        one = next((one for one in self.found.values() if one.alive and one.port == port), None)
        if one is None:
            return Answer(error="connection refused")
        version = self.version if one.mark == "mark" else "1"
        return Answer(self.status, 1 if not self.reports_pids else one.pid, version)

    def sleep(self, seconds: float) -> None:
        self.time += max(seconds, 0.01)
        self.on_tick(self)

    def world(self) -> World:
        return World(
            runtime=self,
            route=self,
            look=self.look,
            now=lambda: self.time,
            sleep=self.sleep,
            warn=lambda text: self.warnings.append(str(text)),
        )


def serving() -> Host:
    """A host on which the old release serves."""
    old = Instance("old-0", 0, BLUE, "1.0", "old", pid=50, status="running")
    return Host(found={old.id: old}, live_port=BLUE)


def request(**changed: Any) -> Request:
    ready = Ready(url="http://127.0.0.1:{port}/ready", version="2", timeout=10.0, interval=0.5)
    count = changed.get("instances", 1)
    values = {"name": "app", "release": "2.0", "mark": "mark", "ready": ready, "slots": Slots((BLUE, GREEN), count)}
    return Request(**{**values, **changed})


def test_a_switch_and_a_second_that_changes_nothing() -> None:
    host = serving()
    result = BlueGreen(request(instances=2), host.world()).run()
    assert host.done == [
        f"start new-0 at {GREEN}",
        f"start new-1 at {GREEN + 1}",
        f"point at {GREEN}",
        f"settle {BLUE}",
        "end old-0",
        "prune but 2.0",
    ]
    assert (result["changed"], result["previous"], result["current"]) == (True, "1.0", "2.0")
    assert [one["ready"] for one in result["instances"]] == [True, True]
    assert result["retired"] == [
        {"id": "old-0", "pid": 50, "release": "1.0", "seconds": 0.5, "killed": False, "connections": None}
    ]
    host.done.clear()
    again = BlueGreen(request(instances=2), host.world()).run()
    assert (again["changed"], host.done) == (False, [])
    assert again["diff"]["before"] == again["diff"]["after"]


def test_check_mode_says_the_same_and_does_nothing() -> None:
    host = serving()
    result = BlueGreen(request(), host.world(), check_mode=True).run()
    assert host.done == []
    assert result["changed"] is True
    assert result["instances"] == [
        {
            "id": None, "pid": None, "port": GREEN, "release": "2.0", "status": "absent",
            "ready": False, "ready_seconds": None, "restarts": 0,
        }
    ]  # fmt: skip
    assert result["diff"]["after"] == {"instances": ["2.0 running"], "port": GREEN}


def test_what_is_staged_waits_beside_what_serves_until_it_is_moved_to(tmp_path: Path) -> None:
    host = serving()
    link = tmp_path / "current"
    link.symlink_to("1.0")
    wanted = request(link=str(link), path=str(tmp_path / "2.0"))
    staged = BlueGreen(replace(wanted, staged=True), host.world()).run()
    assert host.done == [f"start new-0 at {GREEN}"]
    assert (staged["changed"], staged["staged"], staged["current"]) == (True, True, "1.0")
    assert [(one["port"], one["ready"]) for one in staged["instances"]] == [(GREEN, True)]
    assert staged["diff"]["after"] == {**staged["diff"]["before"], "instances": ["1.0 running", "2.0 waits"]}
    assert os.readlink(link) == "1.0"

    # It waits still, and whoever asks again, after a kill too, is told where.
    again = BlueGreen(replace(wanted, staged=True), host.world()).run()
    assert (again["changed"], again["staged"], [one["port"] for one in again["instances"]]) == (False, True, [GREEN])

    host.done.clear()
    moved = BlueGreen(wanted, host.world()).run()
    assert host.done == [f"point at {GREEN}", f"settle {BLUE}", "end old-0", "prune but 2.0"]
    assert (moved["changed"], moved["current"]) == (True, "2.0")
    served = BlueGreen(replace(wanted, staged=True), host.world()).run()
    assert (served["changed"], served["staged"], served["current"]) == (False, False, "2.0")


def test_what_does_not_prove_itself_when_it_is_staged_is_removed() -> None:
    host = serving()
    host.status = 503
    with pytest.raises(SluiceError) as caught:
        BlueGreen(request(staged=True), host.world()).run()
    assert host.done == [f"start new-0 at {GREEN}", "remove new-0"]
    assert "1.0 goes on serving as before" in str(caught.value)


def test_check_mode_stages_nothing() -> None:
    host = serving()
    result = BlueGreen(request(staged=True), host.world(), check_mode=True).run()
    assert (host.done, result["changed"], result["staged"]) == ([], True, True)


def test_instances_that_share_an_address_cannot_wait() -> None:
    with pytest.raises(SluiceError, match=r"Cannot stage 2\.0 of app: its instances share one address"):
        BlueGreen(request(slots=None, staged=True), serving().world()).run()


def crash(one: Instance) -> Instance:
    return replace(one, alive=False, status="exited (1)")


def crash_when_live(host: Host) -> None:
    if host.live_port == GREEN:
        host.found["new-0"] = crash(host.found["new-0"])


def fall_silent_when_live(host: Host) -> None:
    if host.live_port == GREEN:
        host.status = 503


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"after_start": crash}, r"new-0 crashed \(exited \(1\)\); its log says: TypeError: it is broken"),
        ({"after_start": lambda one: replace(one, restarts=2)}, r"crashed \(running, restarted 2 times\)"),
        ({"after_start": lambda one: replace(one, healthy=False)}, "the health check of new-0 itself fails"),
        ({"after_start": lambda one: replace(one, checked=True)}, "its own health check has not passed"),
        ({"version": "1"}, "reports version 1 instead of 2"),
        ({"status": 503}, "not ready, HTTP 503"),
        ({"refuse": "check"}, "Cannot use the image: it is not there"),
        ({"refuse": "start"}, "the engine is away"),
        ({"refuse": "point"}, "nginx exited with 1"),
        ({"refuse": "crash in the move"}, r"new-0 crashed \(exited"),
        ({"on_tick": crash_when_live}, r"new-0 crashed \(exited"),
        ({"on_tick": fall_silent_when_live}, "was ready and is not any more"),
    ],
)
def test_whatever_fails_the_old_one_serves_throughout(change: dict[str, Any], message: str) -> None:
    host = replace(serving(), **change)
    with pytest.raises(SluiceError, match=message) as raised:
        BlueGreen(request(), host.world()).run()
    assert list(host.found) == ["old-0"]
    assert host.found["old-0"].alive
    assert host.live_port == BLUE
    if change != {"refuse": "check"}:
        assert "1.0 goes on serving as before" in str(raised.value)
        assert raised.value.fields["current"] == "1.0"
        assert raised.value.fields["changed"] is False


def test_a_failure_after_the_move_moves_the_proxy_back_and_waits_for_it() -> None:
    host = replace(serving(), on_tick=crash_when_live)
    with pytest.raises(SluiceError):
        BlueGreen(request(), host.world()).run()
    assert host.done[1:] == [
        f"point at {GREEN}",
        f"settle {BLUE}",
        f"point back at {BLUE}",
        f"settle {GREEN}",
        "remove new-0",
    ]


class EachOfAKind(Slots):
    """As services are that cannot stand in for each other."""

    def kind(self, port: int | None) -> str:
        return str(port)


@pytest.mark.parametrize(
    ("slots", "live", "told", "left"),
    [
        (Slots, BLUE, "1.0 goes on serving with 1 of 2 instances", {"old-0": False, "old-1": True}),
        (
            EachOfAKind,
            GREEN,
            "What served before cannot go on without old-0: go back to the last known good release",
            {"old-0": False, "old-1": True, "new-0": False, "new-1": True},
        ),
    ],
    ids=["of one kind", "each of its own"],
)
def test_one_that_fails_while_the_old_ones_go(slots: type[Slots], live: int, told: str, left: dict[str, bool]) -> None:
    class Crashing(Host):
        def end(self, instance: Instance, *, keep: bool) -> Ended:
            if instance.id == "old-0":
                self.found["new-0"] = crash(self.found["new-0"])
            return super().end(instance, keep=keep)

    old = [Instance(f"old-{number}", number, BLUE + number, "1.0", "old", status="running") for number in (0, 1)]
    host = Crashing(found={one.id: one for one in old}, live_port=BLUE)
    with pytest.raises(SluiceError, match=told) as raised:
        BlueGreen(request(instances=2, slots=slots((BLUE, GREEN), 2)), host.world()).run()
    assert (host.live_port, {one.id: one.alive for one in host.instances()}) == (live, left)
    assert raised.value.fields["changed"] is True
    assert [one["id"] for one in raised.value.fields["retired"]] == ["old-0"]


def test_a_first_release_that_fails_leaves_nothing() -> None:
    host = Host(status=500)
    with pytest.raises(SluiceError, match="nothing served before, and nothing serves now"):
        BlueGreen(request(), host.world()).run()
    assert host.found == {}


def test_what_a_killed_run_has_left_is_finished() -> None:
    host = serving()
    host.found["new-0"] = Instance("new-0", 0, GREEN, "2.0", "mark", pid=100, status="running")
    BlueGreen(request(), host.world()).run()
    assert host.done == [f"point at {GREEN}", f"settle {BLUE}", "end old-0", "prune but 2.0"]


def test_what_runs_and_does_not_answer_is_replaced() -> None:
    host = serving()
    BlueGreen(request(), host.world()).run()
    host.done.clear()
    # The one that serves answers with another version than it carries.
    host.found["new-0"] = replace(host.found["new-0"], id="stale")
    host.found["stale"] = host.found.pop("new-0")
    answers = host.look
    host_look = lambda ready: replace(answers(ready), status=500) if f":{GREEN}/" in ready.url else answers(ready)  # noqa: E731
    BlueGreen(request(), replace(host.world(), look=host_look)).run()
    assert host.done[0] == f"start new-0 at {BLUE}"
    assert any("so they are replaced" in text for text in host.warnings)


def test_a_kill_is_said() -> None:
    host = replace(serving(), slow_end="old-0")
    result = BlueGreen(request(), host.world()).run()
    assert result["retired"][0]["killed"] is True
    assert host.warnings == [
        (
            "old-0 had not ended 10 s after it was told to and was killed with 3 connections; "
            "requests that it still had were lost."
        )
    ]


def test_where_pids_are_the_hosts_another_process_on_the_port_proves_nothing() -> None:
    host = replace(serving(), reports_pids=True)
    look = lambda ready: replace(host.look(ready), pid=7)  # noqa: E731
    with pytest.raises(SluiceError, match="new-0 never answered"):
        BlueGreen(request(), replace(host.world(), look=look)).run()


def test_the_link_goes_with_the_release(tmp_path: Path) -> None:
    link = tmp_path / "current"
    link.symlink_to("/srv/old")
    BlueGreen(request(path="/srv/new", link=str(link)), serving().world()).run()
    assert str(link.readlink()) == "/srv/new"


@pytest.mark.parametrize(("absent", "verb", "left"), [(True, "remove", []), (False, "end", ["old-0"])])
def test_an_end(absent: bool, verb: str, left: list[str]) -> None:
    host = serving()
    checked = end(host.world(), absent=absent, check_mode=True)
    assert (checked["changed"], host.done) == (True, [])
    result = end(host.world(), absent=absent)
    assert host.done == [f"{verb} old-0"]
    assert [one["id"] for one in result["instances"]] == left
    assert end(host.world(), absent=absent)["changed"] is False
