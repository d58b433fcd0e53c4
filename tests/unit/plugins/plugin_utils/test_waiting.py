# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.plugin_utils._waiting import (
    Glance,
    alive_command,
    gave_no_result,
    glance_command,
    read_glance,
    show,
)

RUNNING = json.dumps({"started": True, "finished": False, "ansible_job_id": "j1.2"})
DONE = json.dumps({"changed": True, "started": "a key of the module's own", "finished": False})


@pytest.mark.parametrize(
    ("progress", "job", "expected"),
    [
        (None, None, Glance(None, None)),
        (None, "", Glance(None, None)),
        (None, RUNNING, Glance(None, None)),
        ('{"line": "x"}', RUNNING, Glance({"line": "x"}, None)),
        ("{broken", RUNNING, Glance(None, None)),
        ("[1]", RUNNING, Glance(None, None)),
        ('{"line": "x"}', DONE, Glance({"line": "x"}, DONE)),
        (None, DONE, Glance(None, DONE)),
        (None, "not json", Glance(None, "not json")),
    ],
)
def test_a_look_with_a_real_shell(tmp_path: Path, progress: str | None, job: str | None, expected: Glance) -> None:
    for name, content in (("it's progress", progress), ("job", job)):
        if content is not None:
            (tmp_path / name).write_text(content)
    command = glance_command(str(tmp_path / "it's progress"), str(tmp_path / "job"))
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert read_glance(done.stdout) == expected


def test_a_look_ends_when_the_job_does(tmp_path: Path) -> None:
    job = tmp_path / "it's job"
    job.write_text(RUNNING)
    # It would take an hour.
    command = glance_command(str(tmp_path / "progress"), str(job), 0.05, 72000)
    with subprocess.Popen(["/bin/sh", "-c", command], stdout=subprocess.PIPE, text=True) as process:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            job.write_text(DONE)
            output, _nothing = process.communicate(timeout=60)
        finally:
            process.kill()
    assert read_glance(output) == Glance(None, DONE)


@pytest.mark.parametrize(
    ("job", "waits"),
    [
        (None, True),
        ("", True),
        (RUNNING, True),
        ('{"started": 1, "finished": 0, "ansible_job_id": "j1.2"}', True),
        ('{"started": true, "finished": true, "ansible_job_id": "j1.2"}', False),
        (DONE, False),
        ('{"started": "at noon", "finished": "at one"}', False),
        ("not json", False),
    ],
)
def test_a_look_waits_only_for_a_job_that_runs(tmp_path: Path, job: str | None, waits: bool) -> None:
    if job is not None:
        (tmp_path / "job").write_text(job)
    # Whatever it sleeps for is written down.
    (tmp_path / "sleep").write_text('#!/bin/sh\necho "$1" >> "$SLEPT"\n')
    (tmp_path / "sleep").chmod(0o755)
    slept = tmp_path / "slept"
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLEPT": str(slept)}
    command = glance_command(str(tmp_path / "progress"), str(tmp_path / "job"), 0.25, 3)
    subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True, env=environment)
    assert (slept.read_text().split() if slept.exists() else []) == (["0.25"] * 3 if waits else [])


def _alive(job_id: str) -> str:
    return subprocess.run(["/bin/sh", "-c", alive_command(job_id)], capture_output=True, text=True, check=True).stdout


def test_a_job_is_alive_as_long_as_one_of_its_processes() -> None:
    assert _alive("j982451653.77") == ""
    with subprocess.Popen([sys.executable, "-c", "input()", "j982451653", "86400"], stdin=subprocess.PIPE) as process:
        assert f"/proc/{process.pid}/" in _alive("j982451653.77")
        process.kill()
    assert _alive("j982451653.77") == ""


@pytest.mark.parametrize(
    ("progress", "host", "width", "expected"),
    [
        (None, None, 80, "  Gate  1:05"),
        ({"line": "score 100"}, None, 80, "  score 100  1:05"),
        ({"line": "dump", "done": 1, "total": 3}, "app1", 80, "  app1  dump  33 %  1:05"),
        ({"line": "dump", "done": 9, "total": 3}, None, 80, "  dump  100 %  1:05"),
        ({"line": "dump", "done": 1, "total": 0}, None, 80, "  dump  1:05"),
        ({"line": "dump", "done": "x", "total": 1}, None, 80, "  dump  1:05"),
        ({"line": "two\nlines"}, None, 80, "  two lines  1:05"),
        ({"line": "y" * 100}, None, 30, "  " + "y" * 27),
    ],
)
def test_what_is_shown(progress: dict[str, Any] | None, host: str | None, width: int, expected: str) -> None:
    assert show(progress, 65.4, fallback="Gate", host=host, width=width) == expected


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ({"failed": True, "cmd": "x", "data": "", "msg": "Traceback ...", "ansible_job_id": "j1.2"}, True),
        ({"failed": True, "cmd": ["pg_dump"], "msg": "Cannot dump.", "ansible_job_id": "j1.2"}, False),
        ({"changed": False, "cmd": "x", "data": "", "ansible_job_id": "j1.2"}, False),
        ({"failed": True, "msg": "Cannot wait: no."}, False),
    ],
    ids=["the wrapper's words", "a module's failure", "a result", "no job"],
)
def test_a_module_that_gave_no_result(outcome: dict[str, Any], expected: bool) -> None:
    assert gave_no_result(outcome) is expected
