# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch of a cluster against a real PM2 and real Node.js applications."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

import pytest
from pm2_site import SECRET, Load, Site


def test_first_start_then_switch_then_nothing_left_to_do(site: Site) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0")

    done = site.switch(first, instances=2)
    assert not done.failed, done.values
    assert (done["changed"], done["previous"], done["current"]) == (True, None, first.name)
    assert [(w["ready"], w["restarts"], w["status"]) for w in done["instances"]] == [(True, 0, "online")] * 2
    assert {w["pid"] for w in done["instances"]} == {entry[1] for entry in site.state()}
    assert (site.root / "current").readlink() == first
    assert stat.S_IMODE(site.home.stat().st_mode) == 0o700
    assert not (site.home / "dump.pm2").exists()

    before = site.state()
    again = site.switch(first, instances=2)
    assert (again["changed"], again["previous"], site.state()) == (False, first.name, before)
    assert again["diff"]["before"] == again["diff"]["after"]

    foretold = site.switch(second, instances=2, check_mode=True)
    assert (foretold["changed"], site.state(), (site.root / "current").readlink()) == (True, before, first)

    done = site.switch(second, instances=2)
    assert not done.failed, done.values
    assert done["diff"] == foretold["diff"]
    assert (done["previous"], done["current"], site.releases()) == (first.name, second.name, ["1.1.0"])
    assert [(w["release"], w["killed"]) for w in done["retired"]] == [(first.name, False)] * 2
    assert sorted(entry["pm2_env"]["env"]["NODE_APP_INSTANCE"] for entry in site.listed()) == ["0", "1"]
    assert {Path(f"/proc/{entry['pid']}/cwd").readlink() for entry in site.listed()} == {second}


def test_workers_get_exactly_their_environment_and_no_secret_is_in_any_argument(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATORS_OWN", "not-for-the-application")
    assert not site.switch(site.release("1.0.0")).failed
    environment = site.ask("/environment")
    assert environment["JWT_SECRET"] == SECRET
    assert "OPERATORS_OWN" not in environment
    daemon = int((site.home / "pm2.pid").read_text())
    assert SECRET.encode() not in Path(f"/proc/{daemon}/environ").read_bytes()
    assert b"OPERATORS_OWN" not in Path(f"/proc/{daemon}/environ").read_bytes()
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes())
    assert any(b"God Daemon" in line for line in lines)
    assert not any(SECRET.encode() in line for line in lines)


def test_switching_back_and_forth_under_load_loses_no_request(site: Site) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0")
    assert not site.switch(first, instances=2).failed
    with Load(site.port) as load:
        for release in (second, first):
            done = site.switch(release, instances=2)
            assert not done.failed, done.values
    assert not load.failed
    assert load.sent == sum(load.answers.values()) > 100
    assert set(load.answers) == {"1.0.0", "1.1.0"}


def test_a_new_configuration_replaces_the_workers_of_the_same_release(site: Site) -> None:
    release = site.release("1.0.0")
    assert not (done := site.switch(release)).failed, done.values
    before = site.state()
    config = site.config(2, FEATURE="on")
    done = site.switch(release, config=str(config))
    assert not done.failed, done.values
    assert (done["changed"], len(done["retired"])) == (True, 1)
    assert not {entry[1] for entry in before} & {entry[1] for entry in site.state()}
    assert site.ask("/environment")["FEATURE"] == "on"
    # As with `pm2 restart --update-env`, which keeps what the new environment has not. A switch does not.
    done = site.switch(release, config=str(site.config(3, OTHER="on")))
    assert not done.failed, done.values
    environment = site.ask("/environment")
    assert ("FEATURE" in environment, environment["OTHER"]) == (False, "on")


def test_a_different_number_of_workers_changes_only_the_difference(site: Site) -> None:
    release = site.release("1.0.0")
    assert not site.switch(release, instances=1).failed
    (only,) = site.state()
    assert not site.switch(release, instances=2).failed
    assert only in site.state()
    assert len(site.state()) == 2
    done = site.switch(release, instances=1)
    assert not done.failed, done.values
    assert site.state() == [only]
