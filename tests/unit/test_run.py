# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner of the tests itself: what runs side by side, what is skipped, and that nothing is left running."""

from __future__ import annotations

import time
from pathlib import Path

import needs
import pytest
import running
from running import Counts, Runner, Step

LONG = ["sleep", "60"]


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LOGS", tmp_path)


def shell(name: str, script: str, **more: object) -> Step:
    return Step(name, ["sh", "-c", script], **more)  # type: ignore[arg-type]


def refuse() -> None:
    raise needs.SetupError("Cannot find it.")


def break_down() -> None:
    raise RuntimeError("a mistake of ours")


def test_two_parts_run_side_by_side_and_what_each_says_stands_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Each waits for the other, between two lines of its own.
    script = "echo begin; touch {0}/{1}; until [ -e {0}/{2} ]; do sleep 0.02; done; echo end"
    steps = [shell(own, script.format(tmp_path, own, other), timeout=60) for own, other in (("a", "b"), ("b", "a"))]
    runner = Runner(live=False)
    runner.run([[step] for step in steps], 2)
    assert runner.total == Counts(passed=2)
    output = capsys.readouterr().out
    for name in ("a", "b"):
        assert f"===== {name} =====\nbegin\nend\nok" in output


@pytest.mark.parametrize("live", [True, False])
def test_a_step_whose_condition_failed_is_skipped(
    live: bool, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    steps = [
        Step("first", refuse),
        shell("second", f"touch {tmp_path}/ran", after="first"),
        shell("third", "echo why; exit 3"),
    ]
    runner = Runner(live=live)
    runner.run([steps], 1)
    assert runner.total == Counts(failed=2, skipped=1)
    assert not (tmp_path / "ran").exists()
    output = capfd.readouterr().out
    assert "Cannot find it." in output
    assert "why" in output
    assert [line.split()[0] for line in runner.table] == ["FAILED", "ok", "FAILED"]


def test_a_step_that_takes_too_long_is_ended_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    runner, began = Runner(live=False), time.monotonic()
    runner.run([[Step("slow", LONG, timeout=0.1)]], 1)
    assert runner.total == Counts(failed=1)
    assert time.monotonic() - began < 50
    assert "Cannot finish slow: it took more than 0 s." in capsys.readouterr().out


def test_whatever_ends_the_runner_ends_what_it_started() -> None:
    runner, began = Runner(live=False), time.monotonic()
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        runner.run([[Step("slow", LONG), Step("never", LONG)], [Step("wrong", break_down)]], 2)
    assert time.monotonic() - began < 50
    assert runner.running == {}
    (line,) = runner.table
    assert "slow: 0 passed, 1 failed" in line
