# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container is made from, and how one is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.docker._container import (
    Place,
    Spec,
    check_command,
    creation,
    read,
)

PLACE = Place("shop", "1.0.0-abc", "mark", 1, 3002)


def make(spec: Spec) -> dict[str, Any]:
    return creation(spec, PLACE, {"TOKEN": "secret", "PORT": "9"}, 7.2)


def found(**state: Any) -> dict[str, Any]:
    """What an engine says of a container that was made here."""
    made = make(Spec("shop:1", 3000))
    return {
        "Name": f"/{PLACE.name}",
        "Image": "sha256:1",
        "RestartCount": 2,
        "Config": {**made, "StopSignal": "SIGQUIT", "Healthcheck": {"Test": ["CMD", "true"]}},
        "State": {"Status": "running", "Running": True, "Pid": 7, "FinishedAt": "2026", **state},
    }


def test_a_container_is_published_with_its_labels_and_nothing_that_was_not_asked_for() -> None:
    made = make(Spec("shop:1", 3000))
    assert made["Env"] == ["PORT=3000", "SLUICE_RELEASE=1.0.0-abc", "TOKEN=secret"]
    assert made["Labels"]["sluice.mark"] == "mark"
    assert made["StopTimeout"] == 8
    assert made["HostConfig"]["PortBindings"] == {"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3002"}]}
    assert not {"Cmd", "User", "StopSignal", "Healthcheck"} & set(made)
    assert "LogConfig" not in made["HostConfig"]


def test_on_the_network_of_the_host_it_listens_at_its_own_port() -> None:
    made = make(Spec("shop:1", 3000, networks=("host",)))
    assert "PORT=3002" in made["Env"]
    assert made["HostConfig"]["NetworkMode"] == "host"
    assert "PortBindings" not in made["HostConfig"]
    assert made["Labels"]["sluice.listen"] == "3002"


def test_a_health_check_changes_only_what_is_given() -> None:
    spec = Spec("shop:1", 3000, health=(("interval", 0.5), ("retries", 2)))
    assert make(spec)["Healthcheck"] == {"Interval": 500_000_000, "Retries": 2}
    spec = replace(spec, health=(("test", ("curl", "x")),))
    assert make(spec)["Healthcheck"] == {"Test": ["CMD", "curl", "x"]}


@pytest.mark.parametrize(
    ("release", "name"), [("1.0.0-abc", "shop-1.0.0-abc-3002"), ("1.0.0+build 7", "shop-1.0.0-build-7-3002")]
)
def test_a_name_that_every_engine_takes(release: str, name: str) -> None:
    assert replace(PLACE, release=release).name == name


@pytest.mark.parametrize(
    ("state", "alive", "status", "healthy", "checked"),
    [
        ({}, True, "running", None, False),
        ({"Health": {"Status": "starting"}}, True, "running", None, True),
        ({"Health": {"Status": "none"}}, True, "running", None, False),
        ({"Status": "exited", "Running": False, "ExitCode": 3}, False, "exited with 3", None, False),
        (
            {"Status": "restarting", "Running": True, "Restarting": True, "ExitCode": 137, "OOMKilled": True},
            True,
            "restarting with 137, out of memory",
            None,
            False,
        ),
        ({"Status": "created", "Running": False}, False, "created", None, False),
    ],
)
def test_what_an_engine_says(
    state: dict[str, Any], alive: bool, status: str, healthy: bool | None, checked: bool
) -> None:
    container = read(found(**state))
    assert container is not None
    one = container.instance(healthy, "mark")
    assert (one.id, one.number, one.port, one.release) == (PLACE.name, 1, 3002, "1.0.0-abc")
    assert (one.alive, one.status, one.checked, one.restarts, one.pid) == (alive, status, checked, 2, 7)
    assert (container.stop_signal, container.listen) == ("SIGQUIT", 3000)


@pytest.mark.parametrize("labels", [None, {}, {"sluice.application": "shop"}, {"sluice.port": "none"}])
def test_labels_of_others_are_not_ours(labels: dict[str, str] | None) -> None:
    other = found()
    other["Config"]["Labels"] = labels
    assert read(other) is None


@pytest.mark.parametrize(
    ("test", "command"),
    [
        ((), None),
        (("NONE",), None),
        (("CMD", "node", "check"), ["node", "check"]),
        (("CMD-SHELL", "curl x || exit 1"), ["/bin/sh", "-c", "curl x || exit 1"]),
    ],
)
def test_the_command_of_a_health_check(test: tuple[str, ...], command: list[str] | None) -> None:
    assert check_command(test) == command
