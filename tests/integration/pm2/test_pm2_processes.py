# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application of several processes, as its ecosystem file says: one answers, one works on a queue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pm2_site import SECRET, Result, Site

ECOSYSTEM = """
module.exports = { apps: [
  { name: 'shop-api', script: 'app.js', instances: 2, exec_mode: 'cluster', wait_ready: true, kill_timeout: 10000,
    env: { LEVEL: 'info' }, env_production: { LEVEL: 'warn', JWT_SECRET: 'of the file' } },
  { name: 'shop-jobs', script: 'jobs.js', args: '--queue mail' },
] };
"""

JOBS = """
BEFORE
console.log(`waiting for jobs of ${process.argv.slice(2).join(' ')}`);
setInterval(() => {}, 1000);
"""


def release(site: Site, version: str, jobs: str = JOBS, before: str = "") -> Path:
    path = site.release(version)
    (path / "ecosystem.config.js").write_text(ECOSYSTEM)
    (path / "jobs.js").write_text(jobs.replace("BEFORE", before))
    return path


def switch(site: Site, path: Path, **changed: Any) -> Result:
    options: dict[str, Any] = {
        "script": None,
        "ecosystem": "ecosystem.config.js",
        "ecosystem_env": "production",
        "processes": [{"name": "shop-jobs", "up": {"seconds": 0.5, "log": "waiting for jobs"}}],
        "log_dir": str(site.root / "logs"),
        **changed,
    }
    return site.switch(path, **options)


def state(site: Site) -> list[tuple[int, int, str, str]]:
    return [*site.state("shop-api"), *site.state("shop-jobs")]


@pytest.fixture
def both(site: Site) -> Site:
    """A site where 1.0.0 serves, with two workers that answer and one that does not."""
    (site.root / "logs").mkdir()
    done = switch(site, release(site, "1.0.0"))
    assert not done.failed, done.values
    return site


def test_they_are_switched_as_one(both: Site) -> None:
    before = state(both)
    assert [(entry[2], entry[3]) for entry in before] == [("online", "1.0.0-0123456789ab")] * 3
    assert not switch(both, both.root / "releases" / "1.0.0-0123456789ab")["changed"]
    assert state(both) == before

    environment = both.ask("/environment")
    # The configuration of the host goes before the file, the file's own environment before nothing.
    assert (environment["LEVEL"], environment["JWT_SECRET"]) == ("warn", SECRET)
    assert "waiting for jobs of --queue mail" in (both.root / "logs" / "shop-jobs-out.log").read_text()

    second = release(both, "1.1.0")
    done = switch(both, second)
    assert not done.failed, done.values
    assert (done["previous"], done["current"], len(done["retired"])) == ("1.0.0-0123456789ab", second.name, 3)
    assert {entry[3] for entry in state(both)} == {second.name}
    assert [entry["ready"] for entry in done["instances"]] == [True] * 3
    assert (both.root / "current").readlink() == second


@pytest.mark.parametrize(
    ("jobs", "before", "message"),
    [
        ("setInterval(() => {}, 1000);", "", "has not written 'waiting for jobs'"),
        (JOBS, "throw new Error('no queue');", "Error: no queue"),
    ],
    ids=["does not begin", "crashes"],
)
def test_none_is_moved_when_one_is_no_good(
    both: Site, jobs: str, before: str, message: str, request: pytest.FixtureRequest
) -> None:
    was = state(both)
    done = switch(
        both, release(both, "1.1.0", jobs, before), ready={"timeout": 5 if "not begin" in request.node.name else 20}
    )
    assert done.failed
    assert done["msg"].startswith("Cannot switch shop-jobs to 1.1.0-0123456789ab: ")
    assert message in done["msg"]
    assert "1.0.0-0123456789ab goes on serving as before" in done["msg"]
    assert (done["changed"], done["retired"], len(done["instances"])) == (False, [], 3)
    assert {type(entry["id"]) for entry in done["instances"]} == {int}
    assert state(both) == was
    assert (both.root / "current").readlink().name == "1.0.0-0123456789ab"


def test_a_process_that_the_new_release_has_not_is_ended(both: Site) -> None:
    second = release(both, "1.1.0")
    file = second / "ecosystem.config.js"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if "jobs" not in line))
    foretold = switch(both, second, processes=None, check_mode=True)
    assert foretold["changed"]
    done = switch(both, second, processes=None)
    assert not done.failed, done.values
    assert (both.listed("shop-jobs"), len(both.listed("shop-api"))) == ([], 2)
    assert not switch(both, second, processes=None)["changed"]

    # Whatever the file says now, all that was started for the application goes with it.
    gone = both.run(name=both.name, state="absent", **both.place())
    assert (gone["changed"], len(gone["retired"])) == (True, 2)
    assert state(both) == []


def test_a_file_that_asks_for_what_no_switch_can_do_is_refused(site: Site) -> None:
    path = release(site, "1.0.0")
    (path / "ecosystem.config.js").write_text(ECOSYSTEM.replace("instances: 2", "watch: true"))
    done = switch(site, path)
    assert "Cannot use watch of the ecosystem file" in done["msg"]
    assert json.loads(site.command("jlist") or "[]") == []
