# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that are no good, and options that cannot work."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pm2_site import Site


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"before": "throw new Error('no such table');"}, "crashed"),
        ({"before": "setTimeout(() => process.exit(3), 400);", "ready": "false"}, "crashed"),
        ({"ready": "false"}, "not ready, HTTP 503"),
        ({"reported": "1.0.9"}, "reports version 1.0.9 instead of 1.1.0"),
        ({"ready": "process.env.NODE_APP_INSTANCE === '0'"}, "not ready, HTTP 503"),
    ],
    ids=["crashes at start", "crashes later", "never ready", "wrong version", "ready on one worker only"],
)
def test_a_bad_release_leaves_the_old_one_untouched(
    serving: Site, bad: dict[str, str], message: str, request: pytest.FixtureRequest
) -> None:
    before = serving.state()
    release = serving.release("1.1.0", build=request.node.callspec.id.replace(" ", ""), **bad)
    done = serving.switch(release, instances=2, ready={"timeout": 2.5})
    assert done.failed
    assert done["msg"].startswith(f"Cannot switch shop to {release.name}: ")
    assert message in done["msg"]
    assert "1.0.0-0123456789ab goes on serving as before" in done["msg"]
    assert (done["changed"], done["previous"], done["current"]) == (False, "1.0.0-0123456789ab", "1.0.0-0123456789ab")
    assert serving.state() == before
    assert (serving.root / "current").readlink().name == "1.0.0-0123456789ab"
    assert serving.ask()["version"] == "1.0.0"


def test_a_new_worker_that_fails_while_the_old_ones_go_ends_the_switch(site: Site) -> None:
    flag = json.dumps(str(site.root / "draining"))
    first = site.release("1.0.0", before=f"process.on('SIGINT', () => require('fs').writeFileSync({flag}, ''));")
    second = site.release("1.1.0", before=f"setInterval(() => require('fs').existsSync({flag}) && process.exit(1), 5);")
    assert not site.switch(first, instances=2).failed
    before = site.state()
    done = site.switch(second, instances=2)
    assert done.failed
    assert "crashed" in done["msg"]
    assert "1.0.0-0123456789ab goes on serving with 1 of 2 workers" in done["msg"]
    assert (done["changed"], len(done["retired"]), site.state()) == (True, 1, before[1:])
    assert (site.root / "current").readlink() == first
    # The next run completes what is left.
    assert not site.switch(first, instances=2).failed
    assert before[1] in site.state()
    assert site.releases() == ["1.0.0"]


def test_a_failure_shows_the_log_without_secrets(site: Site) -> None:
    release = site.release("1.0.0", before="throw new Error('password ' + process.env.JWT_SECRET + ' refused');")
    done = site.switch(release)
    assert "Error: password ******** refused" in done["msg"]
    assert "nothing served before, and nothing serves now" in done["msg"]
    assert any("********" in line for log in done["logs"] for line in log["lines"])
    assert site.state() == []
    assert not (site.root / "current").is_symlink()


def test_workers_that_run_but_serve_nobody_are_replaced(site: Site) -> None:
    flag = site.root / "sick"
    release = site.release("1.0.0", ready=f"!require('fs').existsSync({json.dumps(str(flag))})")
    assert not (done := site.switch(release)).failed, done.values
    before = site.state()
    flag.touch()
    # The new ones are sick too: fails, and leaves what was there.
    done = site.switch(release, ready={"timeout": 1.5})
    assert done.failed
    assert site.state() == before


def test_a_worker_that_does_not_end_is_killed_and_that_is_said(site: Site) -> None:
    stubborn = site.release("1.0.0", before="process.on('SIGINT', () => {});")
    (stubborn / "app.js").write_text((stubborn / "app.js").read_text().replace("draining = true; net", "return; net"))
    assert not site.switch(stubborn, instances=1, drain_timeout=1, kill_timeout=1).failed
    done = site.switch(site.release("1.1.0"), instances=1)
    assert not done.failed, done.values
    assert [worker["killed"] for worker in done["retired"]] == [True]
    assert "was killed" in json.dumps(done["warnings"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "all"}, "PM2 reads that as a selection"),
        ({"pm2": "no-such-pm2"}, "Cannot find no-such-pm2"),
        ({"ready": {"version_url": "http://127.0.0.2:1/version"}}, "they lie on different servers"),
    ],
)
def test_bad_options_are_refused_before_anything_moves(site: Site, changed: dict[str, Any], message: str) -> None:
    done = site.switch(site.release("1.0.0"), **changed)
    assert done.failed
    assert message in done["msg"]
    assert site.state() == []


def test_a_variable_that_pm2_would_take_for_its_own_is_refused(site: Site) -> None:
    config = site.config(2, status="online")
    done = site.switch(site.release("1.0.0"), config=str(config))
    assert "status would change how PM2 runs the process" in done["msg"]
