# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch of a Compose project against a real Docker engine, with every Compose that this machine has."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import docker
import needs
import pytest
from shop import BAD, IMAGE, SECRET, Shop, until

from ansible_collections.sluice.release.plugins.modules import compose_switch

PROJECT = """
services:
  api:
    build: .
    image: {image}
    environment: {{BACKEND: api, CACHE: "${{GREETING}}"}}
    ports: ["3000:3000"]
    depends_on: {{cache: {{condition: service_healthy}}}}
    networks: [inside]
    volumes: *more
    restart: always
    deploy: {{replicas: 2}}
  web:
    image: {image}
    environment: [PORT=8080]
    depends_on: [api]
  cache:
    image: {cache}
    command: ["node", "/app/server.js"]
    environment: {{READY_AFTER: "{ready_after}"}}
    stop_grace_period: 1s
    healthcheck: {{test: [CMD, node, /app/server.js, check], interval: 1s, retries: 2}}
    networks: [inside]
    volumes: ["uploads:/uploads"]
    restart: unless-stopped
  job:
    image: {cache}
    command: ["true"]
networks: {{inside: {{}}}}
"""


@dataclass
class Project(Shop):
    """An application of several services, of which one is switched."""

    compose: list[str] = field(default_factory=list)

    module = compose_switch

    def lay(self, path: Path, version: str, changed: dict[str, Any]) -> dict[str, Any]:
        """``cache``, ``web``: their images; ``ready_after``: milliseconds of the cache; ``kept``: how images.json names
        the image; ``project``: what the project has above its services.
        """
        cache = changed.pop("cache", f"{IMAGE}:1.0.0")
        more = changed.pop("project", 'x-more: &more ["uploads:/uploads"]\nvolumes: {uploads: {}}\n')
        text = PROJECT.format(image="shop:latest", cache=cache, ready_after=changed.pop("ready_after", "0"))
        (path / "compose.yml").write_text(f"{more}{text}")
        kept = changed.pop("kept", f"{IMAGE}:{version}")
        pins = {"api": {"image": "shop:latest", "kept": kept, "digest": self.found(version)}}
        # What of the project is not switched stays the same, if a test does not ask for more.
        pins["web"] = {"image": "shop:latest", "kept": changed.pop("web", f"{IMAGE}:1.0.0")}
        (path / "images.json").write_text(json.dumps(pins))
        services = [{"name": "api", "port": 3000, "ports": self.front.ports, "proxy": self.front.proxy}]
        return {"services": services, "compose": self.compose}

    def of(self, service: str) -> Any:
        """The container of a service that is not switched."""
        labels = [f"com.docker.compose.project={self.name}", f"com.docker.compose.service={service}"]
        return self.engine.containers.list(all=True, filters={"label": labels})[0]


@contextlib.contextmanager
def opened(
    root: Path,
    front: Any,
    engine: docker.DockerClient,
    run_module: Callable[..., dict[str, Any]],
    compose: list[str] | None,
    lack: Callable[[str], NoReturn],
) -> Iterator[Project]:
    if compose is None:
        lack("no Compose of this version")
    shop = Project(f"shop-{front.ports[0]}", root, front, run_module, engine, compose)
    try:
        yield shop
    finally:
        shop.clear()


@pytest.fixture
def shop(
    tmp_path: Path,
    haproxy_front: Any,
    engine: docker.DockerClient,
    run_module: Callable[..., dict[str, Any]],
    lack: Callable[[str], NoReturn],
) -> Iterator[Project]:
    """An application that does not run yet."""
    with opened(tmp_path, haproxy_front, engine, run_module, needs.compose_plugin(), lack) as it:
        yield it


@pytest.fixture(scope="module")
def standing(
    tmp_path_factory: pytest.TempPathFactory,
    open_haproxy: Callable[[], contextlib.AbstractContextManager[Any]],
    engine: docker.DockerClient,
    run_module: Callable[..., dict[str, Any]],
    lack: Callable[[str], NoReturn],
) -> Iterator[Project]:
    """An application that one test after the other finds, and leaves, in whatever state."""
    root, compose = tmp_path_factory.mktemp("shop"), needs.compose_plugin()
    with open_haproxy() as front, opened(root, front, engine, run_module, compose, lack) as it:
        yield it


@pytest.fixture
def serving(standing: Project) -> Project:
    """The same, and version 1.0.0 serves."""
    standing.back()
    return standing


def test_first_release_upgrade_second_run_and_rollback(shop: Project) -> None:
    # The proxy starts out at the first of the two, so the first release gets the second.
    second, first = shop.front.ports
    checked = shop.switch("1.0.0", check=True)
    assert (checked["changed"], shop.containers()) == (True, {}), checked
    made = shop.switch("1.0.0")
    assert (made["changed"], made["previous"], made["current"]) == (True, None, "1.0.0-abc"), made
    assert {(one["service"], one["was"]) for one in made["rest"]} == {
        ("cache", "missing"),
        ("job", "missing"),
        # Nothing says that it can be switched.
        ("web", "missing"),
    }
    old, new = f"{shop.name}-1.0.0-abc-{first}", f"{shop.name}-1.1.0-abc-{second}"
    assert (shop.containers()[old], shop.version()) == ("running", "1.0.0")
    assert shop.served("/config")["greeting"] == SECRET
    cache = shop.of("cache").id
    # It reaches the cache by name, and the cache does not find it by one.
    looked = shop.engine.containers.get(old).exec_run(["getent", "hosts", "cache"])
    assert looked.exit_code == 0
    assert shop.of("cache").exec_run(["getent", "hosts", "api"]).exit_code != 0

    both = {"web": f"{IMAGE}:1.1.0"}
    up = shop.switch("1.1.0", **both)
    assert (up["changed"], up["previous"], up["current"], shop.version()) == (True, "1.0.0-abc", "1.1.0-abc", "1.1.0")
    assert (shop.containers()[old], shop.containers()[new]) == ("exited", "running")
    assert [(one["id"], one["killed"]) for one in up["retired"]] == [(old, False)]
    assert [one["service"] for one in up["rest"]] == ["web"]
    assert (shop.of("cache").id, shop.of("job").status) == (cache, "exited")
    assert up["images"]["api"]["id"] == shop.engine.containers.get(new).image.id
    policy = shop.engine.containers.get(new).attrs["HostConfig"]["RestartPolicy"]["Name"]
    assert policy == "unless-stopped"

    assert shop.switch("1.1.0", **both)["changed"] is False
    assert shop.switch("1.1.0", check=True, **both)["changed"] is False
    was = shop.engine.containers.get(old).id
    back = shop.switch("1.0.0")
    assert (back["current"], shop.version(), shop.engine.containers.get(old).id) == ("1.0.0-abc", "1.0.0", was)
    assert shop.of("cache").id == cache
    files = list((shop.root / "state" / "compose").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}

    stopped = shop.switch(state="stopped")
    assert (stopped["changed"], shop.running()) == (True, [])
    assert shop.switch(state="absent", check=True)["changed"] is True
    assert shop.switch(state="absent")["changed"] is True
    assert (shop.containers(), shop.engine.networks.list(names=[shop.name])) == ({}, [])
    assert shop.engine.volumes.list(filters={"name": shop.name}) != []
    assert shop.switch(state="absent")["changed"] is False


def test_version_1_will_do(
    tmp_path: Path,
    haproxy_front: Any,
    engine: docker.DockerClient,
    run_module: Callable[..., dict[str, Any]],
    lack: Callable[[str], NoReturn],
) -> None:
    command = ["docker-compose"] if shutil.which("docker-compose") else None
    with opened(tmp_path, haproxy_front, engine, run_module, command, lack) as shop:
        made = shop.switch("1.0.0")
        assert (made.get("msg"), shop.version(), shop.served("/config")["greeting"]) == (None, "1.0.0", SECRET)
        cache = shop.of("cache").id
        up = shop.switch("1.1.0")
        assert (up.get("msg"), up["previous"], shop.version()) == (None, "1.0.0-abc", "1.1.0")
        assert (shop.switch("1.1.0")["changed"], shop.of("cache").id) == (False, cache)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "image missing": ({"kept": "registry.example/shop:9"}, "it is not on this host"),
    "digest mismatch": ({"kept": f"{IMAGE}:1.0.0"}, "and the release needs sha256:"),
    "engine away": ({"docker_host": "unix:///nowhere/docker.sock"}, "there is no such socket. Start the engine"),
    "no such service": (
        {"services": [{"name": "shop", "port": 1, "ports": [1, 2]}]},
        "it has no service shop; its services are api, cache, job, web",
    ),
    "a wrong option": (
        {"services": [{"name": "api", "port": 1, "ports": [1, 2], "ready": {"uri": "x"}}]},
        "ready.uri",
    ),
    "a file that is none": ({"files": ["other.yml"]}, "read the Compose project in"),
    "a command that is none": ({"compose": ["nothing-compose"]}, "nothing-compose did not answer"),
}


def test_what_can_be_known_before_is_refused_before(serving: Project) -> None:
    before = serving.containers()
    for name, (changed, said) in REFUSED.items():
        result = serving.switch("1.1.0", **changed)
        assert result.get("failed"), name
        assert said in result["msg"], name
        assert (serving.containers(), serving.version(), "logs" in result) == (before, "1.0.0", False), name
    _here, idle = serving.slots()
    taken = f"{serving.name}-1.1.0-abc-{idle}"
    with serving.foreign(taken):
        assert f"start container {taken}: a container of that name is there already" in serving.switch("1.1.0")["msg"]
    with socket.create_server(("127.0.0.1", idle)):
        busy = serving.switch("1.1.0")
        assert f"start an instance on port {idle}: another process listens there" in busy["msg"]
    with serving.full_disk() as volume:
        full = serving.switch("1.1.0", project=FULL.format(volume=volume))
        assert "the disk of the engine is full" in full["msg"]
    for result in (busy, full):
        assert "1.0.0-abc goes on serving as before" in result["msg"]
        assert (result["changed"], result["current"]) == (False, "1.0.0-abc")
    assert (serving.containers(), serving.version()) == (before, "1.0.0")


FULL = """
x-more: &more ["uploads:/uploads", "full:/etc"]
volumes: {{uploads: {{}}, full: {{external: true, name: {volume}}}}}
"""


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_release_leaves_the_old_one_serving(serving: Project, bad: str) -> None:
    changed, said = BAD[bad]
    serving.withstand(changed, said, killed=bad == "hang")


def test_one_that_hangs_is_killed_and_that_is_said(serving: Project) -> None:
    serving.switch("1.0.0", env={"BAD": "hang"}, drain_timeout=1)
    with serving.visitor(serving.slots()[0]):
        result = serving.switch("1.1.0", drain_timeout=1)
    assert [(one["killed"], one["connections"]) for one in result["retired"]] == [(True, 1)]
    assert "was killed with 1 connections" in json.dumps(result["warnings"])
    assert ([one.status for one in serving.listed("sluice.release")].count("running"), serving.version()) == (
        1,
        "1.1.0",
    )


def test_what_is_not_stateless_is_recreated_with_a_warning_and_put_back_after_a_failure(serving: Project) -> None:
    cache = serving.of("cache").id
    bad = serving.switch("1.1.0", cache=f"{IMAGE}:1.1.0", env={"BAD": "crash"})
    assert {"service": "cache", "was": "changed"} in bad["rest"]
    # The image may have other names as well: those by which other applications have kept it.
    assert f"{IMAGE}:1.0.0" in serving.of("cache").image.tags
    assert serving.version() == "1.0.0"
    sick = serving.switch("1.1.0", ready_after="60000", ready={"timeout": 20})
    assert "Cannot run service cache: its health check fails" in sick["msg"]
    assert serving.version() == "1.0.0"
    good = serving.switch("1.1.0", cache=f"{IMAGE}:1.1.0")
    assert "Service cache is recreated, because its definition has changed" in json.dumps(good["warnings"])
    assert f"{IMAGE}:1.1.0" in serving.of("cache").image.tags
    assert serving.version() == "1.1.0"
    assert serving.of("cache").id != cache
    serving.of("cache").stop(timeout=0)
    ended = serving.switch("1.1.0", cache=f"{IMAGE}:1.1.0")
    assert (ended["changed"], ended["rest"]) == (True, [{"service": "cache", "was": "ended"}])


def test_several_services_of_several_instances_move_together(serving: Project) -> None:
    low, high = serving.front.ports
    options: dict[str, Any] = {
        "web": f"{IMAGE}:1.1.0",
        "services": [
            {"name": "api", "port": 3000, "ports": [low, high], "proxy": serving.front.proxy},
            {
                "name": "web",
                "port": 8080,
                "ports": [low + 1, high + 1],
                "instances": 2,
                "ready": {"url": "http://127.0.0.1:{port}/health", "timeout": 12, "version": "1.1.0"},
            },
        ],
    }
    here, there = serving.slots()
    up = serving.switch("1.1.0", **options)
    assert "failed" not in up, up["msg"]
    assert [one["port"] for one in up["instances"]] == [there, there + 1, there + 2]
    api, web, other = (serving.engine.containers.get(one["id"]) for one in up["instances"])
    # Those of one release find each other by their names.
    assert api.exec_run(["getent", "hosts", "web"]).exit_code == 0
    assert web.exec_run(["getent", "hosts", "api"]).exit_code == 0
    project = "com.docker.compose.project"
    assert web.labels[project] == other.labels[project] != serving.name
    assert serving.switch("1.1.0", **options)["changed"] is False

    # A service whose old instances have all ended has nothing to go back to, though the others have.
    progress = serving.root / "progress"
    new = f"{serving.name}-1.0.0-abc-{here}"

    def crash() -> None:
        until(lambda: progress.exists() and "drain" in progress.read_text(), "no instance is drained")
        serving.engine.containers.get(new).kill()

    with serving.visitor(there), ThreadPoolExecutor(1) as pool:
        crashing = pool.submit(crash)
        bad = serving.switch("1.0.0", **options, drain_timeout=2, progress=str(progress))
        crashing.result()
    assert f"{new} crashed (exited with 137)" in bad["msg"]
    assert f"What served before cannot go on without {api.name}" in bad["msg"]
    assert bad["msg"].endswith("go back to the last known good release.")
    assert bad["retired"][0]["id"] == api.name
    back = serving.switch("1.1.0", **options)
    assert (back.get("msg"), back["current"], serving.version()) == (None, "1.1.0-abc", "1.1.0")


def test_a_killed_run_is_finished_by_the_next_and_the_role_goes_back(
    serving: Project, run_switch_role: Callable[..., dict[str, Any]]
) -> None:
    _here, idle = serving.slots()
    serving.start_and_kill(lambda: serving.version() == "1.1.0", hold=30)
    assert serving.switch("1.1.0")["current"] == "1.1.0-abc"
    assert [one.name for one in serving.listed("sluice.release") if one.status == "running"] == [
        f"{serving.name}-1.1.0-abc-{idle}"
    ]

    options = serving.arguments("1.0.0")
    result = run_switch_role(
        "compose",
        **serving.target(options),
        switch_compose_services=options["services"],
        switch_compose_command=serving.compose,
    )
    assert (result["changed"], result["previous"], serving.version()) == (True, "1.1.0-abc", "1.0.0")


def test_no_request_is_lost_behind_haproxy(serving: Project) -> None:
    seen = serving.there_and_back()
    assert (seen["failed"], seen["errors"]) == (0, {}), seen
    assert seen["sent"] > 150
