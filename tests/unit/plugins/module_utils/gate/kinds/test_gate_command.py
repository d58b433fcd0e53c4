# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that end well, badly, late or never, and what their JSON says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Measure, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._command import Answer, Program

COMMAND: dict[str, Any] = {"type": "command", "argv": ["check"]}
AUDIT = {**COMMAND, "query": "metadata.vulnerabilities.critical", "crit": 1, "rc": [0, 1]}


def only(it: Measure, answer: Answer) -> Sample:
    sample = it.sample(0.0, answer)
    assert sample is not None
    return sample


@pytest.mark.parametrize(
    ("raw", "answer", "value", "good", "note"),
    [
        (COMMAND, Answer(0), 0, True, ""),
        (COMMAND, Answer(2, said="no route"), 2, False, "ended with status 2 instead of 0 and said: no route"),
        ({**COMMAND, "rc": [0, 2]}, Answer(2), 2, True, ""),
        (COMMAND, Answer(error="no such program"), -1, False, "could not be run to its end (no such program)"),
        (AUDIT, Answer(1, b'{"metadata": {"vulnerabilities": {"critical": 3}}}'), 3, None, ""),
        (AUDIT, Answer(0, b"{}"), None, None, "its output has no metadata.vulnerabilities.critical"),
        (AUDIT, Answer(0, b"npm error"), None, None, "its output is no JSON"),
        (AUDIT, Answer(7), None, None, "ended with status 7 instead of 0, 1"),
        (AUDIT, Answer(error="x"), None, None, "could not be run to its end (x)"),
        ({**COMMAND, "query": "ready", "expect": True}, Answer(0, b'{"ready": true}'), "true", True, ""),
        (
            {**COMMAND, "query": "ready", "expect": True}, Answer(0, b'{"ready": false}'), "false", False,
            "was false instead of true",
        ),
    ],
)  # fmt: skip
def test_answers(
    measure: Callable[..., Measure], raw: dict[str, Any], answer: Answer, value: Any, good: bool | None, note: str
) -> None:
    sample = only(measure(raw), answer)
    assert (sample.value, sample.good, sample.note) == (value, good, note)


def python(program: str, **options: Any) -> Answer:
    return Program((sys.executable, "-c", program), **{"timeout": 10.0, **options}).ask()


def test_a_real_program(tmp_path: Path) -> None:
    answer = python(
        "import os, sys; print(os.getcwd(), os.environ['A'], os.environ['S'])\nsys.exit('went wrong')",
        chdir=str(tmp_path),
        environment=(("A", "b"), ("S", "geheim")),
        secrets=("geheim",),
    )
    assert (answer.rc, answer.said) == (1, "went wrong")
    assert answer.output.decode().split() == [str(tmp_path), "b", "********"]


def test_programs_are_found_in_their_own_directories_first(tmp_path: Path) -> None:
    program = tmp_path / "report"
    program.write_text("#!/bin/sh\necho '{\"n\": 5}'\n")
    program.chmod(0o755)
    assert Program(("report",), path_prepend=(str(tmp_path),)).ask().output == b'{"n": 5}\n'
    assert Program(("report",)).ask().rc == 127
    assert "no such program" in Program(("/nowhere/report",)).ask().error


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    started = time.monotonic()
    answer = python(
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(60)",
        timeout=1.0,
    )
    assert time.monotonic() - started < 5
    assert "it was ended after 1" in answer.error
    for pid in pids.read_text().split():
        deadline = time.monotonic() + 5
        while os.path.exists(f"/proc/{pid}") and "Z" not in Path(f"/proc/{pid}/stat").read_text().split():
            assert time.monotonic() < deadline, f"{pid} still runs"
            time.sleep(0.02)


def test_what_writes_without_an_end_is_ended() -> None:
    started = time.monotonic()
    assert python("import sys\nwhile True: sys.stdout.write('x' * 65536)").error == "it wrote more than 8 MB"
    assert time.monotonic() - started < 8


def test_what_still_runs_ends_with_the_module(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = (
        "import threading, time, os\n"
        "from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._command import Program\n"
        f"program = Program(('/bin/sh', '-c', 'echo $$ > {pid}; sleep 60'), timeout=60.0)\n"
        "threading.Thread(target=program.ask, daemon=True).start()\n"
        f"while not os.path.exists({str(pid)!r}) or not os.path.getsize({str(pid)!r}): time.sleep(0.01)\n"
    )
    root = Path(__file__).parents[6]
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        timeout=20,
        env={**os.environ, "PYTHONPATH": str(root / "collections")},
    )
    assert not os.path.exists(f"/proc/{pid.read_text().strip()}")


def test_json_in_a_file_counts_only_when_it_is_new(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    summary.write_text('{"old": 1}')
    os.utime(summary, (1, 1))
    options: dict[str, Any] = {"chdir": str(tmp_path), "output_file": "summary.json"}
    assert python("pass", **options).error == f"it has not written {summary} anew"
    assert json.loads(python("open('summary.json', 'w').write('{\"new\": 2}')", **options).output) == {"new": 2}
    assert "cannot be read" in python("import os; os.unlink('summary.json')", **options).error


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({**COMMAND, "argv": None}, "it has no argv"),
        ({**COMMAND, "argv": [""]}, "it has no argv"),
        ({**COMMAND, "rc": []}, "rc is empty"),
        ({**COMMAND, "query": "a["}, "query is no JMESPath expression"),
        ({**COMMAND, "query": "a"}, "it has no limit"),
        ({**COMMAND, "crit": 1}, "crit cannot go with a command without a query"),
        ({**COMMAND, "output_file": "/tmp/x"}, "output_file needs a query"),
        ({**COMMAND, "secret_headers": {"a": "geheim"}}, "secret_headers does not belong to type command"),
    ],
)
def test_what_makes_no_sense_is_refused(refused: Callable[..., str], raw: dict[str, Any], problem: str) -> None:
    message = refused(raw)
    assert problem in message
    assert "geheim" not in message


def test_secrets_are_not_shown(checks: Callable[..., list[Check]]) -> None:
    (check,) = checks({**COMMAND, "environment": {"A": 1}, "secret_environment": {"TOKEN": "geheim"}})
    assert isinstance(check.target, Program)
    assert check.target.environment == (("A", "1"), ("TOKEN", "geheim"))
    assert check.target.secrets == ("geheim",)
    assert "geheim" not in repr(check)
