# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch against a real Docker engine, real containers and real proxies."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from shop import BAD, IMAGE, SECRET, Shop

from ansible_collections.sluice.release.plugins.modules import docker_switch


class DockerShop(Shop):
    """An application whose release is one image."""

    module = docker_switch

    def lay(self, path: Path, version: str, changed: dict[str, Any]) -> dict[str, Any]:
        found = "" if "image" in changed else self.found(version)
        pin = {"image": f"{IMAGE}:{version}", "digest": found, "kept": f"{IMAGE}:{version}"}
        (path / "images.json").write_text(json.dumps({"shop": pin}))
        return {
            "ports": self.front.ports,
            "proxy": self.front.proxy,
            "container": {"port": 3000, **changed.pop("container", {})},
            "link": str(self.root / "current"),
        }


@contextlib.contextmanager
def opened(
    root: Path, front: Any, engine: docker.DockerClient, run_module: Callable[..., dict[str, Any]]
) -> Iterator[DockerShop]:
    shop = DockerShop(f"shop-{front.ports[0]}", root, front, run_module, engine)
    try:
        yield shop
    finally:
        shop.clear()


@pytest.fixture
def shop(
    tmp_path: Path, haproxy_front: Any, engine: docker.DockerClient, run_module: Callable[..., dict[str, Any]]
) -> Iterator[DockerShop]:
    """An application that does not run yet."""
    with opened(tmp_path, haproxy_front, engine, run_module) as it:
        yield it


@pytest.fixture(scope="module")
def standing(
    tmp_path_factory: pytest.TempPathFactory,
    open_haproxy: Callable[[], contextlib.AbstractContextManager[Any]],
    engine: docker.DockerClient,
    run_module: Callable[..., dict[str, Any]],
) -> Iterator[DockerShop]:
    """An application that one test after the other finds, and leaves, in whatever state."""
    with open_haproxy() as front, opened(tmp_path_factory.mktemp("shop"), front, engine, run_module) as it:
        yield it


@pytest.fixture
def serving(standing: DockerShop) -> DockerShop:
    """The same, and version 1.0.0 serves."""
    standing.back()
    return standing


def test_first_release_upgrade_second_run_and_rollback(shop: DockerShop) -> None:
    # The proxy starts out at the first of the two, so the first release gets the second.
    second, first = shop.front.ports
    checked = shop.switch("1.0.0", check=True)
    assert (checked["changed"], checked["current"], shop.containers()) == (True, "1.0.0-abc", {})
    made = shop.switch("1.0.0")
    assert (made["changed"], made["previous"], made["current"]) == (True, None, "1.0.0-abc")
    assert shop.running() == [f"{shop.name}-1.0.0-abc-{first}"]
    assert (shop.version(), shop.served("/config")["greeting"]) == ("1.0.0", SECRET)

    up = shop.switch("1.1.0")
    old, new = f"{shop.name}-1.0.0-abc-{first}", f"{shop.name}-1.1.0-abc-{second}"
    assert (up["changed"], up["previous"], up["current"], shop.version()) == (True, "1.0.0-abc", "1.1.0-abc", "1.1.0")
    assert shop.containers() == {old: "exited", new: "running"}
    assert [(one["id"], one["ready"], one["restarts"]) for one in up["instances"]] == [(new, True, 0)]
    assert [(one["id"], one["killed"]) for one in up["retired"]] == [(old, False)]
    assert up["image"]["id"] == shop.engine.containers.get(new).image.id
    assert up["diff"]["after"]["port"] == second
    assert os.readlink(shop.root / "current").endswith("1.1.0-abc")

    again = shop.switch("1.1.0")
    assert (again["changed"], again["previous"], again["image"]) == (False, "1.1.0-abc", up["image"])
    assert shop.switch("1.1.0", check=True)["changed"] is False

    # No image is needed for it: the kept container starts again.
    was = shop.engine.containers.get(old).id
    back = shop.switch("1.0.0")
    assert (back["previous"], back["current"], shop.version()) == ("1.1.0-abc", "1.0.0-abc", "1.0.0")
    assert shop.containers() == {old: "running", new: "exited"}
    assert shop.engine.containers.get(old).id == was

    stopped = shop.switch(state="stopped")
    assert (stopped["changed"], stopped["current"], shop.running()) == (True, None, [])
    assert shop.switch(state="absent")["changed"] is True
    assert shop.containers() == {}
    assert shop.switch(state="absent")["changed"] is False


UNHEALTHY: dict[str, tuple[dict[str, Any], str]] = {
    "unhealthy": (
        {"container": {"healthcheck": {"test": ["false"], "interval": 0.3, "retries": 2}}},
        "health check of shop-",
    ),
}


@pytest.mark.parametrize("bad", [*BAD, *UNHEALTHY])
def test_a_bad_release_leaves_the_old_one_serving(serving: DockerShop, bad: str) -> None:
    changed, said = {**BAD, **UNHEALTHY}[bad]
    serving.withstand(changed, said, killed=bad == "hang")


def test_a_bad_first_release_leaves_nothing(shop: DockerShop) -> None:
    result = shop.switch("1.0.0", env={"BAD": "crash"})
    assert "nothing served before, and nothing serves now" in result["msg"]
    assert shop.containers() == {}


def test_one_that_hangs_is_killed_and_that_is_said(shop: DockerShop) -> None:
    shop.switch("1.0.0", env={"BAD": "hang"})
    with shop.visitor(shop.front.ports[1]):
        result = shop.switch("1.1.0", drain_timeout=1)
    assert [(one["killed"], one["connections"]) for one in result["retired"]] == [(True, 1)]
    assert "was killed with 1 connections" in json.dumps(result["warnings"])
    assert shop.version() == "1.1.0"


def test_the_health_check_is_not_waited_for_a_whole_interval(serving: DockerShop) -> None:
    check = {"test": ["node", "/app/server.js", "check"], "interval": 60}
    result = serving.switch("1.1.0", container={"healthcheck": check}, env={"READY_AFTER": "500"})
    assert "failed" not in result, result["msg"]
    assert result["instances"][0]["ready_seconds"] < 8


def test_how_a_container_is_made(shop: DockerShop) -> None:
    token = shop.root / "token"
    token.write_text("planted-token-1")
    token.chmod(0o600)
    os.chown(token, 65534, 65534)
    container = {
        "memory": "256M",
        "cpus": 0.5,
        "pids": 64,
        "secrets": [{"source": str(token), "target": "/run/secrets/token"}],
        "volumes": [f"{shop.root}:/data:ro"],
        "tmpfs": ["/tmp"],
        "extra_hosts": {"database": "192.0.2.7"},
        "log_options": {"max-size": "1m"},
        "log_driver": "json-file",
        "read_only": True,
        "cap_drop": ["ALL"],
        "user": "65534",
        "init": True,
    }
    result = shop.switch("1.0.0", instances=2, container=container, proxy=None, keep=0)
    assert "failed" not in result, result["msg"]
    assert [one["port"] - shop.front.ports[0] for one in result["instances"]] == [0, 1]
    made = shop.engine.containers.get(shop.running()[1])
    host = made.attrs["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (256 << 20, 500_000_000, 64)
    assert (host["RestartPolicy"]["Name"], host["LogConfig"]["Config"]) == ("unless-stopped", {"max-size": "1m"})
    assert (made.attrs["Config"]["StopTimeout"], host["ReadonlyRootfs"], host["Init"]) == (8, True, True)
    assert made.exec_run(["cat", "/run/secrets/token"]).output == b"planted-token-1"
    assert b"192.0.2.7" in made.exec_run(["cat", "/etc/hosts"]).output
    assert made.attrs["NetworkSettings"]["Ports"]["3000/tcp"][0]["HostIp"] == "127.0.0.1"

    # A new secret means new containers, though nothing else has changed.
    token.write_text("planted-token-2")
    changed = shop.switch("1.0.0", instances=2, container=container, proxy=None, keep=0)
    assert (changed["changed"], len(changed["retired"]), len(shop.running())) == (True, 2, 2)
    token.chmod(0o644)
    assert "everybody on the host can read" in shop.switch("1.0.0", container=container)["msg"]


def test_a_network_of_its_own_and_that_of_the_host(shop: DockerShop) -> None:
    network = shop.engine.networks.create(f"{shop.name}-inside")
    shop.switch("1.0.0", container={"networks": [network.name]})
    made = shop.engine.containers.get(shop.running()[0])
    assert list(made.attrs["NetworkSettings"]["Networks"]) == [network.name]
    # The application learns its port of the pair, where nothing is published.
    assert shop.switch("1.1.0", container={"networks": ["host"]})["changed"] is True
    assert shop.version() == "1.1.0"


def test_what_can_be_known_before_is_refused_before(serving: DockerShop, monkeypatch: pytest.MonkeyPatch) -> None:
    before, (_here, other) = serving.containers(), serving.slots()
    taken = f"{serving.name}-1.1.0-abc-{other}"
    with serving.foreign(taken):
        assert f"start container {taken}: a container of that name is there already" in serving.switch("1.1.0")["msg"]

    missing = serving.switch("1.1.0", image="registry.example/shop:9")
    assert "use image registry.example/shop:9: it is not on this host" in missing["msg"]
    assert "Role sluice.release.artifact brings it" in missing["msg"]
    arguments = serving.arguments("1.1.0")
    Path(arguments["path"], "images.json").write_text(
        json.dumps({"shop": {"image": f"{IMAGE}:1.1.0", "digest": "sha256:0123"}})
    )
    said = serving.run_module(docker_switch.main, **arguments)["msg"]
    assert "and the release needs sha256:0123" in said
    assert "there is no network nowhere" in serving.switch("1.1.0", container={"networks": ["nowhere"]})["msg"]
    with socket.create_server(("127.0.0.1", other)):
        busy = serving.switch("1.1.0")
        assert f"start an instance on port {other}: another process listens there" in busy["msg"]
    with serving.full_disk() as volume:
        full = serving.switch("1.1.0", container={"volumes": [f"{volume}:/etc"]})
        assert "the disk of the engine is full" in full["msg"]
        assert "1.0.0-abc goes on serving as before" in full["msg"]
    away = serving.switch("1.1.0", docker_host=f"unix://{serving.root}/docker.sock")
    assert "docker.sock: there is no such socket. Start the engine" in away["msg"]
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{other}")
    assert "nothing listens there" in serving.run_module(docker_switch.main, **arguments)["msg"]
    assert (serving.containers(), serving.version()) == (before, "1.0.0")


def test_a_killed_run_is_finished_or_undone_by_the_next(serving: DockerShop) -> None:
    first, second = serving.slots()
    # Not proven yet: it goes on with the container that is there.
    serving.start_and_kill(lambda: len(serving.running()) == 2, env={"READY_AFTER": "3000"})
    assert serving.version() == "1.0.0"
    result = serving.switch("1.1.0", env={"READY_AFTER": "3000"})
    assert (result["current"], serving.version()) == ("1.1.0-abc", "1.1.0")
    assert serving.running() == [f"{serving.name}-1.1.0-abc-{second}"]
    # The other way: the proxy has moved, the old ones have not ended, and it shall go back.
    serving.switch("1.0.0")
    serving.start_and_kill(lambda: serving.version() == "1.1.0", hold=30)
    assert len(serving.running()) == 2
    assert serving.switch("1.0.0")["current"] == "1.0.0-abc"
    assert (serving.version(), serving.running()) == ("1.0.0", [f"{serving.name}-1.0.0-abc-{first}"])


def test_a_kept_release_of_the_other_slot_is_made_from_its_image(serving: DockerShop) -> None:
    serving.switch("1.1.0")
    serving.switch("1.0.0", env={"READY_AFTER": "1"})
    assert serving.switch("1.1.0", env={"READY_AFTER": "1"}, keep=0)["changed"] is True
    # With keep 0 nothing that has ended is left, but what the serving release may need.
    assert all("1.1.0" in name for name in serving.containers())
    assert serving.version() == "1.1.0"


def test_no_request_is_lost_behind_haproxy(serving: DockerShop) -> None:
    seen = serving.there_and_back()
    assert (seen["failed"], seen["errors"]) == (0, {}), seen
    assert seen["sent"] > 150


def test_the_role(serving: DockerShop, run_switch_role: Callable[..., dict[str, Any]]) -> None:
    options = serving.arguments("1.1.0")
    result = run_switch_role(
        "docker",
        **serving.target(options),
        switch_instances=1,
        switch_ports=options["ports"],
        switch_proxy=options["proxy"],
        switch_container=options["container"],
    )
    assert (result["changed"], result["previous"], serving.version()) == (True, "1.0.0-abc", "1.1.0")


def test_behind_nginx(
    tmp_path: Path, nginx_front: Any, engine: docker.DockerClient, run_module: Callable[..., dict[str, Any]]
) -> None:
    with opened(tmp_path, nginx_front, engine, run_module) as shop:
        assert shop.switch("1.0.0")["changed"] is True
        up = shop.switch("1.1.0")
        assert (up["current"], shop.version(), shop.switch("1.1.0")["changed"]) == ("1.1.0-abc", "1.1.0", False)
