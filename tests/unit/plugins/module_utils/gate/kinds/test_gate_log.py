# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a log check counts, shows and refuses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Measure
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._log import (
    Answer,
    Log,
    Pattern,
    conceal,
    message_of,
)

LOG: dict[str, Any] = {"type": "log", "paths": ["/var/log/app.log"], "pattern": "(?i)error", "crit": 1}
ERROR = Pattern("(?i)error")
MeasureOf = Callable[..., Measure]


@pytest.mark.parametrize(
    ("options", "gate", "looks", "values"),
    [
        ({}, {}, [(0, 0), (1, 2), (2, 0), (3, 1)], [0, 2, 2, 3]),
        ({"scale": 0.1}, {}, [(0, 0), (1, 20)], [0, 2]),
        # What was there before has no age, so it is no rate; but it counts.
        ({"since": "start"}, {}, [(0, 5), (1, 1)], [5, 6]),
        (
            {"value": "window_count", "window": 3}, {},
            [(0, 9), (1, 2), (2, 0), (3, 1), (4, 0), (5, 0)], [None, 2, 2, 3, 1, 1],
        ),
        ({"value": "rate_per_minute", "window": 10}, {}, [(0, 9), (2, 1), (10, 4), (20, 0)], [None, 30, 30, 0]),
        # The warm-up shows what it counts, and leaves it behind.
        ({}, {"grace": 2}, [(0, 0), (1, 7), (2, 1), (3, 1)], [0, 7, 0, 1]),
        ({"value": "rate_per_minute"}, {"grace": 2}, [(0, 0), (1, 7), (2, 1), (3, 1)], [None, 420, None, 60]),
    ],
)  # fmt: skip
def test_what_is_counted(
    measure: MeasureOf,
    options: dict[str, Any],
    gate: dict[str, Any],
    looks: list[tuple[float, int]],
    values: list[float | None],
) -> None:
    it = measure({**LOG, **options}, **gate)
    samples = [it.sample(t, Answer({ERROR: new})) for t, new in looks]
    assert [sample and sample.value for sample in samples] == values


def test_no_data_says_why_and_loses_nothing(measure: MeasureOf) -> None:
    it = measure(LOG)
    gone = it.sample(0, Answer({ERROR: 2}, error="there is no /var/log/app.log"))
    assert gone is not None
    assert (gone.value, gone.note) == (None, "there is no /var/log/app.log")
    late = it.sample(1, Answer({ERROR: 3}, unread=3 << 20))
    assert late is not None
    assert (late.value, late.note) == (None, "3 MB are still to be read; a longer timeout reads more at once")
    found = it.sample(2, Answer({ERROR: 1}))
    assert found is not None
    assert (found.value, found.note) == (6, "")


def test_the_first_line_is_shown_only_when_it_may_be(measure: MeasureOf) -> None:
    hidden, shown = measure(LOG), measure({**LOG, "show": True})
    for it, note in ((hidden, ""), (shown, "the first was: error 1")):
        assert it.sample(0, Answer({ERROR: 0})) is not None
        assert it.sample(1, Answer({ERROR: 1}, {ERROR: "error 1"})) is not None
        sample = it.sample(2, Answer({ERROR: 1}, {ERROR: "error 2"}))
        assert sample is not None
        assert sample.note == note


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain error", "plain error"),
        ("connect postgres://app:geheim@db/x failed", "connect postgres://app:********@db/x failed"),
        ("login password=geheim123 failed", "login password=******** failed"),
        ('{"token": "geheim123", "user": 7}', '{"token": "********", "user": 7}'),
        ("Authorization: Bearer geheim123", "Authorization: Bearer ********"),
        ("got Bearer geheim123.x", "got ********"),
        ("api_key=geheim&x=1", "api_key=********&x=1"),
        ("X-Api-Key: geheim", "X-Api-Key: ********"),
        ("jwt eyJhbGciOi.eyJzdWIi.geheim-1", "jwt ********"),
        ("set-cookie: sid=geheim; Path=/", "set-cookie: ********; Path=/"),
        ("x" * 200, "x" * 117 + "..."),
    ],
)
def test_lines_are_shown_without_their_secrets(line: str, shown: str) -> None:
    assert conceal(line) == shown


def test_what_matches(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("ok\nERROR one\nerror: ignore me\n" + "x" * 20_000 + " error too far\n")
    patterns = (ERROR, Pattern("error", "ignore"), Pattern("error"))
    answer = Log(paths=(str(path),), since="start", patterns=patterns).ask()
    assert dict(answer.counts) == {patterns[0]: 2, patterns[1]: 0, patterns[2]: 1}
    assert dict(answer.first) == {patterns[0]: "ERROR one", patterns[2]: "error: ignore me"}
    assert "ERROR one" not in repr(answer)


def test_a_position_is_kept_but_not_in_check_mode(tmp_path: Path) -> None:
    path, position = tmp_path / "app.log", tmp_path / "new" / "position.json"
    path.write_text("error\n")
    options: dict[str, Any] = {"paths": (str(path),), "position_file": str(position), "patterns": (ERROR,)}
    assert Log(**options, since="start", look_only=True).ask().counts == {ERROR: 1}
    assert not position.exists()
    assert Log(**options, since="start").ask().counts == {ERROR: 1}
    assert position.stat().st_mode & 0o777 == 0o600
    path.open("a").write("error\nerror\n")
    assert Log(**options, look_only=True).ask().counts == {ERROR: 2}
    assert Log(**options).ask().counts == {ERROR: 2}
    assert Log(**options, since="start").ask().counts == {ERROR: 0}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"position": 5}', '{"position": [{"path": "/x"}]}', "\x00"])
def test_a_position_that_cannot_be_read_is_no_data(tmp_path: Path, content: str) -> None:
    path, position = tmp_path / "app.log", tmp_path / "position.json"
    path.write_text("error\n")
    position.write_text(content)
    log = Log(paths=(str(path),), position_file=str(position), patterns=(ERROR,))
    assert "position" in log.ask().error
    unit = Log(unit="app.service", position_file=str(position), patterns=(ERROR,))
    assert "position" in unit.ask().error


def test_a_position_that_cannot_be_kept_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("error\n")
    (tmp_path / "file").write_text("")
    log = Log(paths=(str(tmp_path / "app.log"),), position_file=str(tmp_path / "file" / "x"), patterns=(ERROR,))
    assert "cannot be kept" in log.ask().error


def test_many_lines_take_little_time(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("2026-11-22T09:00:00Z GET /api/deals 200 12 ms\n" * 100_000)
    started = time.monotonic()
    answer = Log(paths=(str(path),), since="start", patterns=(ERROR,), timeout=30).ask()
    assert (answer.unread, answer.error) == (0, "")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"MESSAGE": "text"}, "text"),
        ({"MESSAGE": [101, 114, 114, 255]}, "err\ufffd"),
        ({"MESSAGE": None}, ""),
        ({}, ""),
    ],
)
def test_messages_of_the_journal(entry: dict[str, Any], message: str) -> None:
    assert message_of(entry) == message


JOURNAL = """#!/bin/sh
echo "$@" >> {asked}
case "$*" in
*--show-cursor*) printf '%s\\n' 'Nov 22 error of somebody else' '-- cursor: c0' ;;
*--after-cursor=c0*)
  printf '%s\\n' '{{"__CURSOR": "c1", "MESSAGE": "error a\\nerror b"}}' '{{"__CURSOR": "c2", "MESSAGE": "ok"}}' ;;
*--after-cursor=c2*) ;;
*) echo 'unexpected' >&2; exit 1 ;;
esac
"""


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for journalctl where no systemd runs; the scenario of role gate asks the real one."""
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(JOURNAL.format(asked=tmp_path / "asked"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program


def test_the_journal_is_read_from_where_it_ended(journalctl: Path, tmp_path: Path) -> None:
    position = tmp_path / "position.json"
    log = Log(unit="app.service", priority="err", patterns=(ERROR,), position_file=str(position))
    assert [log.ask().counts[ERROR] for _look in range(3)] == [2, 0, 0]
    assert json.loads(position.read_text()) == {"position": "c2"}
    asked = (tmp_path / "asked").read_text().splitlines()
    assert ("--unit" in asked[0], "json" in asked[0]) == (False, False)
    assert all("--unit=app.service" in line and "--priority=err" in line for line in asked[1:])
    again = Log(unit="app.service", patterns=(ERROR,), position_file=str(position))
    assert again.ask().counts[ERROR] == 0


@pytest.mark.parametrize(
    "said", ["No journal files were opened due to insufficient permissions.", "No journal files were found."]
)
def test_a_journal_that_may_not_be_read_is_not_an_empty_one(journalctl: Path, said: str) -> None:
    journalctl.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    assert Log(unit="app.service", patterns=(ERROR,)).ask().error == f"journalctl says: {said.rstrip('.')}"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"paths": []}, "it needs either paths or systemd_unit"),
        ({"systemd_unit": "app.service"}, "it needs either paths or systemd_unit"),
        ({"paths": ["app.log"]}, "its paths must be absolute"),
        ({"pattern": None}, "it has no pattern"),
        ({"pattern": "("}, "pattern is no regular expression"),
        ({"exclude": "*"}, "exclude is no regular expression"),
        ({"priority": "err"}, "priority goes with systemd_unit"),
        ({"value": "counts"}, "did you mean count?"),
        ({"crit": None}, "it has no limit"),
        ({"url": "http://h/"}, "url does not belong to type log"),
    ],
)
def test_what_makes_no_sense_is_refused(refused: Callable[..., str], options: dict[str, Any], problem: str) -> None:
    assert problem in refused({**LOG, **options})


def test_one_look_needs_something_to_compare_with(refused: Callable[..., str], checks: Callable[..., Any]) -> None:
    assert "a count since the gate began needs two looks; set duration" in refused(LOG, duration=0)
    assert "rate_per_minute needs two looks" in refused(
        {**LOG, "since": "start", "value": "rate_per_minute"}, duration=0
    )
    assert checks({**LOG, "since": "start"}, duration=0)
    assert checks({**LOG, "position_file": "/tmp/x"}, duration=0)


def test_checks_of_the_same_lines_share_a_look(checks: Callable[..., list[Check]], refused: Callable[..., str]) -> None:
    kept = {**LOG, "position_file": "/tmp/x"}
    one, two, other = checks(kept, {**kept, "pattern": "warn"}, {**LOG, "paths": ["/x"]})
    assert one.target == two.target != other.target
    assert isinstance(one.target, Log)
    assert one.target.patterns == (ERROR, Pattern("warn"))
    assert "its position_file is that of it1, which reads something else" in refused(kept, {**kept, "paths": ["/x"]})
