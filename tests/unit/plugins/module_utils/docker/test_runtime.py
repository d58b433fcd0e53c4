# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of an application under an engine that lives in memory; the integration tests have a real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.docker._image import Image
from ansible_collections.sluice.release.plugins.module_utils.docker._runtime import DockerRuntime, Wanted

NAME = "shop-1.1.0-3002"


@dataclass
class Memory:
    """An engine in memory: its containers, and what was asked of it, in order."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    image: str = "sha256:new"
    refuse: str = ""
    deaf: bool = False
    deaf_until: float = 0.0
    time: float = 0.0
    checks: list[int | None] = field(default_factory=list)

    def add(self, name: str, release: str, status: str, **more: Any) -> None:
        labels = {"application": "shop", "release": release, "mark": "m", "number": "0", "port": name[-4:]}
        labels = {**labels, "listen": "3000", **more.pop("labels", {})}
        running = status == "running"
        self.found[name] = {
            "Name": f"/{name}",
            "Image": more.pop("image", self.image),
            "Config": {"Labels": {f"sluice.{key}": value for key, value in labels.items()}, **more.pop("config", {})},
            "State": {"Status": status, "Running": running, "FinishedAt": release, **more},
        }

    def containers(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        return list(self.found.values())

    def container(self, name: str) -> dict[str, Any] | None:
        return self.found.get(name)

    def has_network(self, name: str) -> bool:
        return name == "inside"

    def log(self, container: str, lines: int, *, errors: bool) -> str:
        if self.refuse == "log":
            raise SluiceError("read it", "configured logging driver does not support reading")
        return "Error: no s3cret here\n" if errors else "hello\n"

    def create(self, name: str) -> None:
        if self.refuse == "create":
            raise SluiceError("create it", "the name is taken")
        self.done.append(f"create {name}")
        self.add(name, "1.1.0", "created", image="sha256:new")

    def start(self, name: str) -> None:
        if self.refuse == "start":
            raise SluiceError("start it", "its port is in use")
        self.done.append(f"start {name}")
        self.found[name]["State"].update(Status="running", Running=True)

    def signal(self, name: str, signal: str) -> None:
        self.done.append(f"{signal} {name}")
        if not self.deaf and self.time >= self.deaf_until:
            self.found[name]["State"].update(Status="exited", Running=False)

    def kill(self, name: str) -> None:
        self.done.append(f"kill {name}")

    def remove(self, name: str) -> None:
        self.done.append(f"remove {name}")
        self.found.pop(name, None)

    def begin_check(self, container: str, command: Sequence[str]) -> str | None:
        self.done.append(f"check {' '.join(command)}")
        return "check"

    def end_of_check(self, made: str) -> int | None:
        return self.checks.pop(0)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def runtime(host: Memory, keep: int = 1, networks: tuple[str, ...] = (), image: str = "sha256:new") -> DockerRuntime:
    wanted = Wanted(
        release="1.1.0",
        mark="m",
        images=[Image("shop:1.1.0", image)],
        places=[(0, 3001), (0, 3002)],
        make=lambda place: host.create(place.name),
        networks=networks,
    )
    return DockerRuntime(host, "shop", 2.0, wanted, keep, ["s3cret"], now=lambda: host.time, sleep=host.sleep)


def test_a_new_one_is_made_and_a_kept_one_starts_again() -> None:
    host = Memory()
    assert runtime(host).start(0, 3002).id == NAME
    assert host.done == [f"create {NAME}", f"start {NAME}"]
    runtime(host).end(runtime(host).instances()[0], keep=True)
    assert runtime(host).start(0, 3002).alive
    assert host.done[2:] == [f"SIGTERM {NAME}", f"start {NAME}"]


@pytest.mark.parametrize("other", [{"labels": {"mark": "x"}}, {"image": "sha256:old"}])
def test_a_kept_one_that_is_another_makes_room(other: dict[str, Any]) -> None:
    host = Memory()
    host.add(NAME, "1.1.0", "exited", **other)
    runtime(host).start(0, 3002)
    assert host.done == [f"remove {NAME}", f"create {NAME}", f"start {NAME}"]


def test_what_cannot_start_is_not_left_lying_about_and_what_is_not_ours_is_not_touched() -> None:
    host = Memory(refuse="start")
    with pytest.raises(SluiceError, match="its port is in use"):
        runtime(host).start(0, 3002)
    assert host.done == [f"create {NAME}", f"remove {NAME}"]
    host = Memory(refuse="create")
    host.add(NAME, "1.1.0", "running", labels={"application": "another"})
    with pytest.raises(SluiceError, match="the name is taken"):
        runtime(host).start(0, 3002)
    assert (host.done, list(host.found)) == ([], [NAME])


def test_a_tag_that_was_moved_meanwhile_starts_nothing() -> None:
    host = Memory()
    with pytest.raises(SluiceError, match="is now sha256:new, and sha256:other is wanted"):
        runtime(host, image="sha256:other").start(0, 3002)
    assert host.found == {}


def test_one_that_runs_another_image_than_its_mark_says_is_not_interchangeable() -> None:
    host = Memory()
    host.add(NAME, "1.1.0", "running", image="sha256:other")
    assert runtime(host).instances()[0].mark != "m"
    assert runtime(host).images() == []


@pytest.mark.parametrize(
    ("name", "networks", "said"),
    [
        (NAME, (), "a container of that name is there already"),
        ("another", ("inside", "outside"), "there is no network outside"),
        ("another", ("inside",), None),
    ],
)
def test_what_is_refused_before(name: str, networks: tuple[str, ...], said: str | None) -> None:
    host = Memory()
    host.add(name, "1.1.0", "running", labels={"application": "another"})
    if said is None:
        runtime(host, networks=networks).check()
        return
    with pytest.raises(SluiceError, match=said):
        runtime(host, networks=networks).check()


def test_a_graceful_end_and_one_by_force() -> None:
    host = Memory()
    host.add(NAME, "1.1.0", "running", config={"StopSignal": "SIGQUIT"})
    one = runtime(host).instances()[0]
    assert runtime(host).end(one, keep=False).killed is False
    assert host.done == [f"SIGQUIT {NAME}", f"remove {NAME}"]
    host = Memory(deaf=True)
    host.add(NAME, "1.1.0", "running")
    ended = runtime(host).end(one, keep=True)
    assert (ended.killed, round(ended.seconds, 1)) == (True, 2.0)
    assert host.done == [f"SIGTERM {NAME}", f"kill {NAME}"]
    # One that has gone already, and one between two crashes, which no signal reaches.
    host = Memory()
    assert runtime(host).end(one, keep=False).killed is False
    host.add(NAME, "1.1.0", "restarting", Restarting=True)
    runtime(host).end(one, keep=True)
    assert host.done == [f"kill {NAME}"]


@pytest.mark.parametrize(("restarts", "told"), [(0, 1), (1, 2)])
def test_a_new_one_that_was_restarted_a_moment_ago_is_told_again(restarts: int, told: int) -> None:
    host = Memory(deaf_until=0.4)
    it = runtime(host)
    one = it.start(0, 3002)
    host.found[NAME]["RestartCount"] = restarts
    host.done.clear()
    ended = it.end(one, keep=False)
    assert host.done.count(f"SIGTERM {NAME}") == told
    assert ended.killed is (told == 1)
    # One that serves may have crashed last week.
    host.deaf_until = host.time + 0.4
    host.add(NAME, "1.0.0", "running")
    host.found[NAME]["RestartCount"] = restarts
    assert runtime(host).end(one, keep=True).killed is True


def test_logs_lose_their_secrets_and_need_not_be_readable() -> None:
    host = Memory()
    host.add(NAME, "1.1.0", "running")
    one = runtime(host).instances()[0]
    assert runtime(host).lines(one) == ["Error: no ******** here", "hello"]
    host.refuse = "log"
    assert runtime(host).lines(one) == []


@pytest.mark.parametrize(("keep", "left"), [(0, {"3002"}), (1, {"3002", "3003"}), (5, {"3002", "3003", "3004"})])
def test_what_is_kept(keep: int, left: set[str]) -> None:
    host = Memory()
    host.add("shop-1.1.0-3002", "1.1.0", "exited")
    host.add("shop-1.0.0-3003", "1.0.0", "exited")
    host.add("shop-0.9.0-3004", "0.9.0", "exited")
    runtime(host, keep=keep).prune("1.1.0")
    assert {name[-4:] for name in host.found} == left


def test_a_health_check_is_run_ahead_of_the_engines_own() -> None:
    host = Memory(checks=[1, None, 0])
    check = {"Healthcheck": {"Test": ["CMD", "node", "check"]}}
    host.add(NAME, "1.1.0", "running", config=check, Health={"Status": "starting"})
    it = runtime(host)
    seen = []
    for _ in range(6):
        seen.append(it.instances()[0].healthy)
        host.time += 0.6
    # Begun; failed, and a second one is due only after a second; it runs still; it has passed, for good.
    assert seen == [None, None, None, None, True, True]
    assert host.done == ["check node check"] * 2
    for status in ("healthy", "unhealthy"):
        host.found[NAME]["State"]["Health"]["Status"] = status
        assert it.instances()[0].healthy is (status == "healthy")
