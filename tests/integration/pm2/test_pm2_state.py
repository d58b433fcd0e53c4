# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a run finds: what others have left, a daemon that has gone, a list to save, other applications."""

from __future__ import annotations

import stat
from pathlib import Path

from pm2_site import Site, marks


def test_what_a_killed_run_left_is_finished(site: Site) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0")
    assert not site.switch(second, instances=2).failed
    mark = marks(site)["0"]
    assert not site.switch(first).failed
    # Killed after the first new worker: old and new side by side.
    site.start_stray(second, SLUICE_MARK=mark, NODE_APP_INSTANCE="0")
    new = [entry for entry in site.state() if entry[3] == second.name]
    done = site.switch(second, instances=2)
    assert not done.failed, done.values
    assert site.releases() == ["1.1.0"]
    assert new[0] in site.state()
    assert len(done["instances"]) == 2
    # And the other way round: the run that left it is taken back.
    site.start_stray(first, NODE_APP_INSTANCE="0")
    before = [entry for entry in site.state() if entry[3] == second.name]
    assert not site.switch(second, instances=2).failed
    assert site.state() == before


def test_dead_workers_are_cleared_away(site: Site) -> None:
    release = site.release("1.0.0")
    assert not site.switch(release, instances=2).failed
    victim = site.listed()[0]
    site.command("stop", str(victim["pm_id"]))
    other = site.state()[1]
    done = site.switch(release, instances=2)
    assert not done.failed, done.values
    assert [entry[2] for entry in site.state()] == ["online", "online"]
    assert other in site.state()


def test_after_a_dead_daemon_it_starts_anew(site: Site) -> None:
    release = site.release("1.0.0")
    assert not (done := site.switch(release)).failed, done.values
    site.end()
    foretold = site.switch(release, check_mode=True)
    assert foretold["changed"]
    assert (
        not Path(f"/proc/{(site.home / 'pm2.pid').read_text()}").exists() if (site.home / "pm2.pid").exists() else True
    )
    done = site.switch(release)
    assert not done.failed, done.values
    assert len(site.state()) == 1


def test_save_writes_the_list_only_when_asked(site: Site) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0")
    dump = site.home / "dump.pm2"
    assert not site.switch(first).failed
    assert not dump.exists()
    done = site.switch(first, save=True)
    assert (done["changed"], stat.S_IMODE(dump.stat().st_mode)) == (True, 0o600)
    assert site.switch(first, save=True)["changed"] is False
    written = dump.read_text()
    assert not site.switch(second).failed
    assert dump.read_text() == written


def test_another_application_is_never_touched(site: Site) -> None:
    stranger = site.root / "stranger.js"
    stranger.write_text("setInterval(() => {}, 1000)")
    site.command("start", str(stranger), "--name", "stranger", environment={"NODE_APP_INSTANCE": "0"})
    before = [(entry["pid"], entry["pm2_env"]["restart_time"]) for entry in site.listed("stranger")]
    assert len(before) == 1
    first = site.release("1.0.0")
    assert not site.switch(first).failed
    assert not site.switch(site.release("1.1.0")).failed
    assert site.switch(site.release("1.2.0", before="process.exit(1)")).failed
    assert not site.run(name=site.name, state="absent", **site.place()).failed
    assert [(entry["pid"], entry["pm2_env"]["restart_time"]) for entry in site.listed("stranger")] == before


def test_stopped_and_absent(site: Site) -> None:
    release = site.release("1.0.0")
    for state in ("stopped", "absent"):
        done = site.run(name=site.name, state=state, **site.place())
        assert (done["changed"], done["instances"]) == (False, [])
    assert not (site.home / "pm2.pid").exists()  # no daemon was started for it
    assert not (done := site.switch(release)).failed, done.values
    before = site.state()

    assert site.run(name=site.name, state="stopped", check_mode=True, **site.place())["changed"]
    assert site.state() == before
    done = site.run(name=site.name, state="stopped", **site.place())
    assert (done["changed"], [w["status"] for w in done["instances"]]) == (True, ["stopped"])
    assert site.run(name=site.name, state="stopped", **site.place())["changed"] is False
    assert not (done := site.switch(release)).failed, done.values
    assert site.ask()["version"] == "1.0.0"

    assert site.run(name=site.name, state="absent", **site.place())["changed"]
    assert site.listed() == []
    assert site.run(name=site.name, state="absent", **site.place())["changed"] is False
