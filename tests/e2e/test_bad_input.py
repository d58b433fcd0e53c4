# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input ends with one clear error before anything has moved, and leaves no lock behind."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from world import Run, World

from ansible_collections.sluice.release.plugins.module_utils.journal import _lock

ERROR = re.compile(r"Cannot \S.*?: \S.*\.")
LACKING = {"NODE_ENV": "production", "PORT": "{{ sluice_port }}", "MONITORING_ENABLED": "true"}


@pytest.fixture(scope="module")
def before(world: World) -> World:
    """1.0.0 serves, and 1.1.0 is asked for."""
    world.ensure("1.0.0")
    return world


@contextmanager
def nothing_moves(world: World) -> Iterator[None]:
    """Whatever happens in the body, the application, its journal's view of it and its workers stay as they are."""
    workers, state, link = world.workers(), world.state(), (world.root / "current").readlink()
    yield
    assert world.workers() == workers
    assert (world.root / "current").readlink() == link
    after = world.state()
    assert (after["current"], after["good"], after["open"]) == (state["current"], state["good"], None)
    assert world.ask(2).troubles == ()


def refused(run: Run, *words: str) -> None:
    """The run has failed, and says why in the way in which every error is said."""
    assert run.status != 0, run.output
    assert ERROR.search(run.said), run.output
    for word in words:
        assert word in run.said, run.output
    assert "Traceback" not in run.output


# --- what is wrong before anything is asked of a host ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "variables", "words"),
    [
        (
            "lab",
            {"sluice_databse_url": "x", "gate_cheks": []},
            [
                "unknown key sluice_databse_url. Did you mean sluice_database_url?",
                "unknown key gate_cheks. Did you mean gate_checks?",
            ],
        ),
        ("lab", {"release_version": ""}, ["no version was asked for", "-e release_version="]),
        ("lab,prod", {}, ["more than one environment", "lab (lab-app)", "-l lab"]),
        ("", {}, ["more than one environment", "lab (lab-app)", "-l lab"]),
    ],
    ids=["misspelt-keys", "no-version", "two-environments", "no-limit"],
)
def test_refused_by_the_plan(before: World, limit: str, variables: dict[str, Any], words: list[str]) -> None:
    entries = len(before.entries())
    with nothing_moves(before):
        run = before.play("deploy", limit=limit, variables={"release_version": "1.1.0", **variables})
    refused(run, *words)
    assert len(before.entries()) == entries
    assert before.lock() is None


def test_refused_without_an_environment(before: World) -> None:
    inventory = before.directory / "tmp" / "bare"
    inventory.write_text("[sluice]\nbare ansible_connection=local\n")
    run = before.play("deploy", "-i", str(inventory), limit="bare", variables={"release_version": "1.1.0"})
    # Ansible's own words: the role that begins a run does not begin without what it requires.
    assert run.status != 0, run.output
    assert re.search(r"missing required arguments: .*sluice_environment", run.said), run.output


@pytest.mark.parametrize("check", [["--check"], []], ids=["preview", "rollback"])
@pytest.mark.parametrize("level", [{}, {"rollback_level": 4}], ids=["no-level", "wrong-level"])
def test_a_rollback_by_no_level_takes_the_lock_from_nobody(
    before: World, check: list[str], level: dict[str, Any]
) -> None:
    claim = _lock.Claim("20260101T000000Z-9.9.9", "somebody@another", {}, reason="a release of theirs")
    _lock.write_lock(str(before.state_dir), _lock.hold(claim, None, time.time()), new=True)
    held, entries = before.lock(), len(before.entries())
    try:
        run = before.play("rollback", *check, variables=level)
        refused(run, "Cannot roll back: rollback_level is", "Say -e rollback_level=1")
        assert (before.lock(), len(before.entries())) == (held, entries)
    finally:
        _lock.remove_lock(str(before.state_dir))


# --- what the host finds out -----------------------------------------------------------------------------------------


@contextmanager
def listener() -> Iterator[int]:
    """A port that another process than the application has taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_every_fault_that_the_preflight_finds_is_named_at_once(before: World) -> None:
    """A missing variable, a port that is taken, a wrong password, Redis down, Node.js too old: one run names all."""
    database = f"postgresql://dealradar:wr0ng-pa55word@127.0.0.1:{before.facts.postgres_port}/dealradar"
    checks = before.hostvars()["preflight_checks"]
    with listener() as taken, nothing_moves(before):
        variables: dict[str, Any] = {
            "sluice_env": LACKING,
            "sluice_port": taken,
            "sluice_database_url": database,
            "sluice_redis_url": f"redis://:{before.facts.redis_password}@127.0.0.1:{closed_port()}/0",
            "preflight_checks": [
                {**check, "min_version": "99"} if check["name"] == "node" else check for check in checks
            ],
        }
        run = before.deploy("1.1.0", **variables)
    refused(run, "CACHE_ENABLED", f"port {taken}", "password authentication failed", "redis", "99")
    assert "preflight" in str(before.report()["error"])
    (evidence,) = before.report()["preflight"]
    assert {check["name"] for check in evidence["checks"] if not check["passed"]} == {
        "rate limit", "cache", "port", "database", "redis", "node",
    }  # fmt: skip
    assert before.lock() is None
    assert before.state()["last"]["outcome"] == "failed"
    assert "wr0ng-pa55word" not in run.output
    assert before.facts.redis_password not in run.output


@pytest.mark.parametrize(
    ("version", "variables", "words"),
    [
        ("9.9.9", {}, ["9.9.9"]),
        ("1.1.0", {"backup_free_mb": 10**9}, ["Cannot back up", "MiB free", "must stay free"]),
    ],
    ids=["unknown-version", "no-space-for-the-backup"],
)
def test_refused_by_the_host(before: World, version: str, variables: dict[str, Any], words: list[str]) -> None:
    with nothing_moves(before):
        run = before.deploy(version, **variables)
    refused(run, *words)
    assert before.lock() is None
    assert before.state()["last"]["outcome"] == "failed"


def test_refused_while_another_run_holds_the_lock(before: World) -> None:
    run_of_another = {"controller": "another-machine", "host": "another", "pid": 1, "started": 1}
    claim = _lock.Claim("20260101T000000Z-9.9.9", "somebody@another", run_of_another, reason="a release of theirs")
    holder = _lock.hold(claim, None, time.time())
    _lock.write_lock(str(before.state_dir), holder, new=True)
    try:
        with nothing_moves(before):
            run = before.deploy("1.1.0")
        refused(run, "Cannot take the lock", "somebody@another holds it", "recover.yml")
        assert before.lock() == json.loads(json.dumps(holder))
    finally:
        _lock.remove_lock(str(before.state_dir))
