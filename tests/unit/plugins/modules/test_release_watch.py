# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules release_watch and release_watch_info on a journal that release_journal wrote, at times of our choice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text
from ansible_collections.sluice.release.plugins.module_utils.journal import _store
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import Moment
from ansible_collections.sluice.release.plugins.modules import (
    release_journal,
    release_journal_info,
    release_lock,
    release_watch,
    release_watch_info,
)

# Due at 60, 120 and 180 s; then at 600 and 1200 s.
WINDOWS = [{"name": "3 min", "until": 180, "every": 60}, {"name": "20 min", "until": 1200, "every": 600}]
TARGET = {"version": "1.1.0", "artifact": {"id": "1.1.0-abc", "path": "/srv/1.1.0"}, "config": {"version": 1}}
R1 = "20260101T000000Z-1.1.0"
EPOCH = 1767225600.0


def gate(verdict: str, check: str = "errors", sustained: float = 0, **more: Any) -> dict[str, Any]:
    """The result of a health_gate with one check."""
    one = {"check": check, "verdict": verdict, "value": 7.0, "unit": "%", "threshold": 5.0, "sustained": sustained}
    one |= {"samples": 1, "series": [[0, 7.0]], "reason": f"{check} was 7 %", "direction": "above"}
    breaches = [{"check": check, "ended": None}] if verdict in ("pending", "red") else []
    return {"changed": False, "verdict": verdict, "gates": [one], "breaches": breaches, **more}


def workers(*restarts: int, status: str = "online") -> list[dict[str, Any]]:
    return [{"id": n, "pid": 100 + n, "restarts": r, "status": status} for n, r in enumerate(restarts)]


class Host:
    """A host with a clock that is set: seconds since its first release was switched to."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.capsys, self.seconds, self.boot = path / "state", capsys, 0.0, "one"
        # The calendar may be set back while the machine stays up; the monotonic clock may not.
        self.set_back = 0.0
        monkeypatch.setattr(_store, "now", self.now)

    def now(self) -> Moment:
        return Moment(utc_text(EPOCH + self.seconds - self.set_back), 5000 + self.seconds, self.boot)

    def call(self, module: Any, **options: Any) -> dict[str, Any]:
        options = {key: value for key, value in options.items() if value is not None}
        with patch_module_args({"path": str(self.path), **options}), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        assert not result.get("failed"), result["msg"]
        return result

    def run(self, release: str, outcome: str = "succeeded", kind: str = "deploy", target: Any = None) -> None:
        """A whole run at this moment."""
        self.call(release_journal, state="opened", release=release, data={"kind": kind, "version": "1.1.0"})
        if target is not None:
            self.call(release_journal, state="entered", release=release, stage="switch", data=target)
        self.call(release_journal, state="closed", release=release, outcome=outcome)

    def deploy(self, windows: Any = None, until: float = 20, **more: Any) -> dict[str, Any]:
        """A deploy that switches at 0 s, opens its watch, and ends at ``until``."""
        self.call(release_journal, state="opened", release=R1, data={"kind": "deploy", "version": "1.1.0"})
        self.call(release_journal, state="entered", release=R1, stage="switch", data=TARGET)
        self.call(release_journal, state="entered", release=R1, stage="verify")
        self.seconds = until / 2
        opened = self.watch("opened", release=R1, windows=windows or WINDOWS, **more)
        self.seconds = until
        self.call(release_journal, state="closed", release=R1, outcome="succeeded")
        return opened

    def watch(self, state: str, **options: Any) -> dict[str, Any]:
        return self.call(release_watch, state=state, **options)

    def tick(
        self, at: float, measured: dict[str, Any] | None = None, processes: Any = None, **more: Any
    ) -> dict[str, Any]:
        """One tick as the role does it: the last of its results."""
        self.seconds = at
        begun = self.watch("begun", **more)
        if not begun["due"]:
            return begun
        due = {one["window"]: one["slot"] for one in begun["due"]}
        result = measured or gate("green")
        return self.watch(
            "ticked",
            release=begun["release"],
            due=due,
            measured=dict.fromkeys(due, result),
            processes=processes,
            **more,
        )

    def told(self, release: str | None = None) -> dict[str, Any]:
        watch: dict[str, Any] = self.call(release_watch_info, release=release)["watch"]
        return watch

    def window(self, name: str) -> dict[str, Any]:
        return next(window for window in self.told()["windows"] if window["window"] == name)


@pytest.fixture
def host(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, capsys, monkeypatch)


def texts(result: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return [(finding["kind"], finding["verdict"], finding["trigger"]) for finding in result["findings"]]


def test_a_watch_from_its_opening_to_its_end(host: Host) -> None:
    opened = host.deploy()
    assert (opened["changed"], opened["next"]) == (True, "2026-01-01T00:01:00.000Z")
    for at, line in [
        (62, "3 min: tick 1 of 3 green; next tick at 2026-01-01 00:02:00 UTC"),
        (121, "3 min: tick 2 of 3 green; next tick at 2026-01-01 00:03:00 UTC"),
        (180, "3 min: tick 3 of 3 green, and the window is over, green; next tick at 2026-01-01 00:10:00 UTC"),
        (601, "20 min: tick 1 of 2 green; next tick at 2026-01-01 00:20:00 UTC"),
    ]:
        ticked = host.tick(at)
        assert (ticked["line"], ticked["verdict"], ticked["over"]) == (line, "green", False)
    last = host.tick(1203)
    assert last["line"] == "20 min: tick 2 of 2 green, and the window is over, green; the watch is over, passed"
    assert last["over"]
    assert [(one["release"], one["outcome"]) for one in last["watches"]] == [(R1, "passed")]
    again = host.tick(5000)
    assert (again["changed"], again["state"], again["over"]) == (False, "over", True)
    assert again["line"] == "the watch of 1.1.0 is over, passed"


def test_opening_it_twice_changes_nothing(host: Host) -> None:
    host.call(release_journal, state="opened", release=R1, data={"kind": "deploy", "version": "1.1.0"})
    same = {"release": R1, "windows": WINDOWS, "processes": workers(0, 0)}
    assert [host.watch("opened", **same)["changed"] for _time in range(2)] == [True, False]


def test_what_was_usual_before_the_release_is_given_to_the_checks(host: Host) -> None:
    host.call(release_journal, state="opened", release=R1, data={"kind": "deploy", "version": "1.1.0"})
    host.call(release_journal, state="entered", release=R1, stage="baseline")
    usual = {"verdict": "green", "gates": [{"check": "errors", "mean": 0.2}]}
    host.call(release_journal, state="entered", release=R1, stage="switch", data=TARGET, evidence=usual)
    host.watch("opened", release=R1, windows=WINDOWS)
    host.call(release_journal, state="closed", release=R1, outcome="succeeded")
    host.seconds = 60
    assert host.watch("begun")["baseline"] == usual


def test_check_mode_writes_nothing(host: Host) -> None:
    host.deploy()
    host.seconds = 60
    before = host.call(release_journal_info)["journal"]["head"]
    done = host.watch(
        "ticked", release=R1, due={"3 min": 60}, measured={"3 min": gate("red")}, _ansible_check_mode=True
    )
    assert (done["changed"], done["verdict"]) == (True, "red")
    assert host.call(release_journal_info)["journal"]["head"] == before


def test_opening_it_needs_the_lock(host: Host) -> None:
    host.call(release_lock, state="held", token="other", owner="bob@ci")  # the name of a run
    with pytest.raises(AssertionError, match="the lock was taken over by bob@ci"):
        host.watch("opened", release=R1, windows=WINDOWS, token="mine")


def test_what_is_not_due_is_not_measured(host: Host) -> None:
    host.deploy()
    host.tick(60)
    early = host.tick(90)
    assert (early["changed"], early["verdict"], early["due"]) == (False, None, [])
    assert early["line"] == "nothing is due; next tick at 2026-01-01 00:02:00 UTC"


def test_a_late_tick_is_a_finding(host: Host) -> None:
    host.deploy()
    late = host.tick(100)
    assert texts(late) == [("late", "yellow", False)]
    assert "3 min: tick 1 of 3 came 40.0 s late" in late["line"]
    assert host.window("3 min")["verdict"] == "yellow"


def test_to_measure_for_a_while_makes_no_tick_late(host: Host) -> None:
    host.deploy()
    host.seconds = 62
    begun = host.watch("begun")
    host.seconds = 102
    due = {begun["due"][0]["window"]: begun["due"][0]["slot"]}
    ticked = host.watch("ticked", release=R1, due=due, at=begun["at"], measured={"3 min": gate("green")})
    assert (ticked["verdict"], texts(ticked)) == ("green", [])
    assert host.told()["ticks"][0]["at"] == 62


def test_every_missed_tick_counts_once_and_the_window_has_not_passed(host: Host) -> None:
    host.deploy()
    first = host.tick(185)
    assert texts(first) == [("missed", "red", False)]
    assert first["findings"][0]["text"] == "3 min: 2 ticks missed (1, 2 of 3), 2 in all"
    assert (first["verdict"], first["trigger"]) == ("red", False)
    assert texts(host.tick(600)) == []
    last = host.tick(1200)
    assert last["watches"][0]["outcome"] == "failed"
    window = host.told()["windows"][0]
    assert (window["done"], window["missed"], window["of"], window["verdict"]) == (1, 2, 3, "red")


def test_some_may_be_missed(host: Host) -> None:
    host.deploy([{**WINDOWS[0], "may_miss": 1}])
    assert [texts(host.tick(at)) for at in (120, 180)] == [[("missed", "yellow", False)], []]
    assert host.told()["outcome"] == "passed"


def test_a_scheduler_that_was_away_for_good_is_a_finding_as_well(host: Host) -> None:
    host.deploy()
    late = host.tick(9000)
    assert texts(late) == [("missed", "red", False), ("missed", "red", False)]
    assert (late["over"], late["watches"][0]["outcome"]) == (True, "failed")


def test_while_a_run_is_under_way_nothing_is_measured_or_missed(host: Host) -> None:
    host.deploy()
    # The lock holds by the clock of the machine.
    host.call(release_lock, state="held", token="b", owner="alice@ci")
    host.seconds = 50
    host.call(release_journal, state="opened", release="20260101T000050Z-backup", data={"kind": "backup"})
    during = host.tick(65)
    assert (during["state"], during["changed"], during["over"]) == ("held", False, False)
    assert during["line"] == "backup 20260101T000050Z-backup is under way; nothing was measured"
    host.seconds = 130
    host.call(release_journal, state="closed", release="20260101T000050Z-backup", outcome="succeeded")
    host.call(release_lock, state="released", token="b")
    after = host.tick(140)
    # The first could not be done, the second came when it could.
    assert (after["verdict"], texts(after)) == ("green", [])
    window = host.window("3 min")
    assert (window["done"], window["held"], window["missed"], window["late"]) == (1, 1, 0, 0)
    # The ticks since lie in the record of the backup, and belong to the release all the same.
    assert [tick["at"] for tick in host.told()["ticks"]] == [140.0]
    entries = host.call(release_journal_info, release=R1)["entries"]
    assert [e["data"]["event"] for e in entries if e["event"] == "noted"] == ["opened", "tick"]
    entries = host.call(release_journal_info, release="20260101T000050Z-backup")["entries"]
    assert [entry["event"] for entry in entries] == ["opened", "closed"]


def test_a_lock_alone_is_a_run_as_well(host: Host) -> None:
    host.deploy()
    host.call(release_lock, state="held", token="c", owner="alice@ci")
    assert host.tick(60)["line"] == "a run of alice@ci is under way; nothing was measured"


def test_a_run_that_was_killed_is_said(host: Host) -> None:
    host.deploy()
    host.call(release_journal, state="opened", release="20260101T000050Z-2", data={"kind": "deploy"})
    found = host.tick(60)
    assert (found["state"], found["line"]) == (
        "interrupted",
        "deploy 20260101T000050Z-2 was interrupted; run recover.yml",
    )


def test_another_release_supersedes_it(host: Host) -> None:
    host.deploy()
    host.tick(60)
    host.run("20260101T000100Z-1.2.0", target={**TARGET, "artifact": {"id": "1.2.0-abc"}})
    ended = host.tick(120)
    assert (ended["state"], ended["over"]) == ("none", True)
    assert [(one["release"], one["outcome"]) for one in ended["watches"]] == [(R1, "superseded")]
    assert ended["line"] == "the watch of 1.1.0 is over, superseded"
    assert host.told(R1)["outcome"] == "superseded"
    assert host.tick(180)["line"] == "nothing is watched"


@pytest.mark.parametrize("outcome", ["rolled_back", "unchanged"])
def test_a_deploy_that_did_not_stay_does_not(host: Host, outcome: str) -> None:
    host.deploy()
    release = "20260101T000030Z-1.2.0"
    host.call(release_journal, state="opened", release=release, data={"kind": "deploy", "version": "1.2.0"})
    host.call(release_journal, state="entered", release=release, stage="switch", data={"artifact": {"id": "1.2.0-abc"}})
    host.watch("opened", release=release, windows=WINDOWS)
    restored = {"release": R1, **TARGET}
    host.call(release_journal, state="closed", release=release, outcome=outcome, data={"restored": restored})
    tick = host.tick(60)
    assert (tick["watches"], tick["release"]) == ([], R1)
    assert tick["line"].startswith("3 min: tick 1 of 3 green")


def test_red_is_a_reason_to_go_back(host: Host) -> None:
    host.deploy()
    red = host.tick(60, gate("red"))
    assert (red["verdict"], red["trigger"], red["spent"]) == ("red", True, None)
    (found,) = red["findings"]
    assert (found["text"], found["check"], found["policy"]) == ("3 min: errors was 7 %", "errors", None)
    host.watch("decided", release=R1, action="rollback", reason="errors was 7 %", trigger="errors", level="2")
    assert host.tick(100)["spent"] == "it was tried at 2026-01-01T00:01:00.000Z"
    host.run("20260101T000100Z-rollback", kind="rollback", target={**TARGET, "artifact": {"id": "1.0.0-abc"}})
    back = host.tick(120)
    assert back["watches"][0]["outcome"] == "rolled_back"
    assert back["spent"] == "what runs is what 20260101T000100Z-rollback has gone back to"
    assert host.told(R1)["decisions"] == [{"action": "rollback", "reason": "errors was 7 %", "command": None}]


def test_a_window_may_say_what_red_leads_to(host: Host) -> None:
    host.deploy([{**WINDOWS[0], "rollback": "ask"}])
    assert host.tick(60, gate("red"))["findings"][0]["policy"] == "ask"


def test_a_breach_is_red_once_it_has_lasted_from_tick_to_tick(host: Host) -> None:
    host.deploy([{"name": "w", "until": 600, "every": 60}])
    verdicts = [host.tick(at, gate("pending", sustained=100))["verdict"] for at in (60, 120)]
    red = host.tick(180, gate("pending", sustained=100))
    assert (verdicts, red["verdict"], red["trigger"]) == (["pending", "pending"], "red", True)
    assert red["findings"][0]["text"] == "w: errors was 7 %; it has lasted 2 min, from tick to tick"


def test_a_breach_that_was_over_begins_anew(host: Host) -> None:
    host.deploy([{"name": "w", "until": 600, "every": 60}])
    seen = [gate("pending", sustained=100), gate("green"), gate("pending", sustained=100)]
    assert [host.tick(60 * n, one)["verdict"] for n, one in enumerate(seen, 1)] == ["pending", "green", "pending"]
    # What is not known does not count either.
    assert host.tick(300, gate("pending", sustained=100))["verdict"] == "red"


def test_one_crash_is_red_and_for_a_person_and_two_are_a_reason_to_go_back(host: Host) -> None:
    host.deploy(processes=workers(3, 0))
    ticks = [host.tick(60, processes=workers(3, 0)), host.tick(120, processes=workers(3, 1))]
    ticks += [host.tick(180, processes=workers(3, 1)), host.tick(600, processes=workers(4, 1))]
    found = [texts(tick) for tick in ticks]
    assert found == [[], [("crash", "red", False)], [], [("crash", "red", True)]]
    assert ticks[1]["findings"][0]["text"] == "the application has crashed or was restarted 1 time since the switch"
    assert host.told()["crashes"] == 2


@pytest.mark.parametrize(
    ("processes", "said"),
    [
        (workers(0, 0, status="errored"), "2 of 2 processes down (id 0, 1)"),
        ([], "no process of the application is there"),
    ],
)
def test_a_process_that_is_down_is_red(host: Host, processes: Any, said: str) -> None:
    host.deploy(processes=workers(0, 0))
    found = host.tick(60, processes=processes)
    assert (texts(found), found["findings"][0]["text"]) == ([("down", "red", False)], said)


def test_a_clock_that_was_set_back_is_said_once_and_changes_nothing(host: Host) -> None:
    host.deploy()
    host.tick(60)
    host.set_back = 3600
    back = host.tick(120)
    assert texts(back) == [("clock", "yellow", False)]
    assert back["findings"][0]["text"] == "the clock has gone back by 59 min since the last tick"
    assert texts(host.tick(180)) == []
    assert host.window("3 min")["done"] == 3


def test_a_clock_that_is_behind_after_a_reboot_is_no_crash(host: Host) -> None:
    host.deploy()
    host.tick(60)
    host.tick(120)
    host.boot, host.set_back = "two", 3600
    back = host.tick(180)
    assert texts(back) == [("clock", "yellow", False)]
    assert (back["due"], back["next"]) == ([], "2026-01-01T00:03:00.000Z")
    assert host.tick(190)["changed"] is False
    assert host.tick(3600 + 180)["verdict"] == "green"


def test_the_calendar_for_whatever_starts_the_ticks(host: Host) -> None:
    assert host.call(release_watch_info) | {"invocation": 0} == {
        "changed": False,
        "watch": None,
        "calendar": [],
        "invocation": 0,
    }
    host.deploy()
    host.tick(121)
    calendar = host.call(release_watch_info)["calendar"]
    assert calendar == ["2026-01-01 00:03:00 UTC", "2026-01-01 00:10:00 UTC", "2026-01-01 00:20:00 UTC"]


def test_windows_that_overlap_are_due_together(host: Host) -> None:
    host.deploy([{"name": "a", "until": 120, "every": 60}, {"name": "b", "until": 120, "every": 120, "from": 0}])
    assert host.tick(60)["line"].startswith("a: tick 1 of 2 green; next")
    over = "and the window is over, green"
    assert host.tick(120)["line"].startswith(f"a: tick 2 of 2 green, {over}; b: tick 1 of 1 green, {over}; the watch")


def test_a_deploy_in_check_mode_on_a_host_that_never_saw_a_release(host: Host) -> None:
    opened = host.watch("opened", release=R1, windows=WINDOWS, token="mine", _ansible_check_mode=True)
    assert (opened["changed"], opened["line"]) == (False, "2 windows")
    assert not host.path.exists()
