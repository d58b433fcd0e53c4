# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check of processes makes of what it sees, and what it sees of real ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils import _proc
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Measure
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._process import (
    Answer,
    Instance,
    Processes,
    Root,
    slope,
    unit_root,
)

PROCESS: dict[str, Any] = {"type": "process", "pid_file": "/run/app.pid"}
MB = 1024 * 1024
MeasureOf = Callable[..., Measure]


def process(pid: int, *, started: int = 1, cpu: float = 0.0, mb: float = 0.0, parent: int = 1) -> _proc.Process:
    return _proc.Process(pid, parent, 1, started, cpu, int(mb * MB))


def instance(
    *members: _proc.Process, key: str = "a", restarts: int | None = 0, status: str = "running", age: float = 0.0
) -> Instance:
    return Instance(key, status, restarts, members, age)


TWO = Answer(
    (
        instance(process(10, mb=100), process(11, mb=20, parent=10), key="a", restarts=3, age=50),
        instance(process(20, mb=60), key="b", restarts=1, age=9),
    )
)
DOWN = Answer((TWO.instances[0], instance(key="b", status="errored", restarts=16)))


@pytest.mark.parametrize(
    ("options", "answer", "value", "note"),
    [
        ({"value": "running"}, TWO, "running", ""),
        ({"value": "running"}, DOWN, "errored", "is errored; 1 of 2 instances run"),
        ({"value": "instances", "crit": 1}, TWO, 2, ""),
        ({"value": "instances", "crit": 1}, DOWN, 1, ""),
        ({"value": "instances", "expect": 2}, DOWN, "1", "was 1 instead of 2"),
        ({"value": "memory_mb", "crit": 1}, TWO, 180, ""),
        ({"value": "memory_mb", "crit": 1, "scale": 0.001}, TWO, 0.18, ""),
        ({"value": "memory_largest_mb", "crit": 1}, TWO, 120, ""),
        ({"value": "uptime_seconds", "crit": 1}, TWO, 9, ""),
        ({"value": "memory_mb", "crit": 1}, Answer((instance(status="stopped"),)), None, "does not run"),
        ({"value": "memory_mb", "crit": 1}, Answer(error="no pm2"), None, "is not known (no pm2)"),
    ],
)  # fmt: skip
def test_one_look(measure: MeasureOf, options: dict[str, Any], answer: Answer, value: Any, note: str) -> None:
    sample = measure({**PROCESS, **options}).sample(0, answer)
    assert sample is not None
    assert sample.value == (pytest.approx(value) if isinstance(value, float) else value)
    assert sample.note == note


def test_restarts_in_total_are_those_of_the_manager(measure: MeasureOf) -> None:
    it = measure({"type": "process", "systemd_unit": "x", "value": "restarts_total", "crit": 1})
    assert [sample and sample.value for sample in (it.sample(0, TWO), it.sample(1, DOWN))] == [4, 19]


def looked(pid: int, restarts: int | None, key: str = "a") -> Answer:
    return Answer((instance(*([process(pid, started=pid)] if pid else []), key=key, restarts=restarts),))


@pytest.mark.parametrize(
    ("grace", "looks", "values"),
    [
        # PM2 counts; that the pid changes too is the same restart.
        (0, [looked(10, 5), looked(10, 5), looked(11, 6), looked(0, 7), looked(12, 7)], [None, 0, 1, 2, 2]),
        # Two restarts between two looks.
        (0, [looked(10, 5), looked(12, 7)], [None, 2]),
        # Nobody counts, so every other process is a restart.
        (0, [looked(pid, None) for pid in (10, 10, 11, 0, 12)], [None, 0, 1, 1, 2]),
        # systemd does not count what a person restarts.
        (0, [looked(10, 2), looked(11, 0), looked(12, 1)], [None, 1, 2]),
        # A new process of PM2 begins at 0.
        (0, [looked(10, 9), looked(20, 0, "b"), looked(21, 1, "b")], [None, 0, 1]),
        # The warm-up is not judged.
        (2, [looked(10, 0), looked(11, 1), looked(12, 2), looked(13, 3)], [None, 1, 0, 1]),
    ],
)  # fmt: skip
def test_restarts_since_the_gate_began(
    measure: MeasureOf, grace: float, looks: list[Answer], values: list[float | None]
) -> None:
    it = measure({**PROCESS, "value": "restarts", "crit": 1, "grace": grace})
    samples = [it.sample(t, answer) for t, answer in enumerate(looks)]
    assert [sample and sample.value for sample in samples] == values


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(0, 1), (1, 3), (2, 5)], 2),
        ([(0, 5), (1, 5), (2, 5)], 0),
        ([(0, 0), (1, 2), (2, 1), (3, 3)], 0.8),
        ([(1, 1), (1, 2)], None),
    ],
)
def test_slope(points: list[tuple[float, float]], expected: float | None) -> None:
    assert slope(points) == (None if expected is None else pytest.approx(expected))


def test_growth_of_memory(measure: MeasureOf) -> None:
    it = measure({**PROCESS, "value": "memory_growth_mb_per_h", "window": 60, "warn": 1, "grace": 20})

    def grown(t: float) -> float | None:
        # 50 MB of warm-up, then one MB a minute that goes up and down by 3 MB every ten seconds.
        mb = 100 + min(t, 20) * 2.5 + max(0, t - 20) / 60 + (3 if t % 20 else 0)
        sample = it.sample(t, Answer((instance(process(10, mb=mb)),)))
        return None if sample is None else float(sample.value or 0)

    values = {t: grown(t) for t in range(0, 301, 10)}
    assert [values[t] for t in (0, 20, 60, 70)] == [None] * 4, "a window has to be full, after the warm-up"
    assert values[80] is not None
    late = [value for t, value in values.items() if t >= 200 and value is not None]
    assert len(late) == 11
    assert sum(late) / len(late) == pytest.approx(60, abs=15)
    assert it.sample(310, Answer((instance(process(99, mb=10)),))) is None, "another process has another memory"


@pytest.mark.parametrize(
    ("options", "looks", "values"),
    [
        ({}, [[process(10, cpu=50)], [process(10, cpu=50.5)], [process(10, cpu=50.7)]], [None, 50, 35]),
        ({"window": 1}, [[process(10, cpu=5)], [process(10, cpu=6)], [process(10, cpu=6.1)]], [None, 100, 10]),
        # A new process and a child that ends.
        (
            {},
            [
                [process(10, cpu=5), process(11, cpu=9)],
                [process(10, cpu=5.2)],
                [process(10, cpu=5.2), process(12, cpu=1)],
            ],
            [None, 20, 60],
        ),
        ({"grace": 1}, [[process(10, cpu=5)], [process(10, cpu=9)], [process(10, cpu=9.1)]], [None, None, 10]),
    ],
)  # fmt: skip
def test_processor_time(
    measure: MeasureOf, options: dict[str, Any], looks: list[list[_proc.Process]], values: list[float | None]
) -> None:
    it = measure({**PROCESS, "value": "cpu_pct", "crit": 90, **options})
    for t, (members, value) in enumerate(zip(looks, values, strict=True)):
        sample = it.sample(t, Answer((instance(*members),)))
        assert (sample and sample.value) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("told", "root"),
    [
        ("LoadState=loaded\nActiveState=active\nMainPID=7\nNRestarts=2\n", Root("x", 7, 2, "running")),
        ("LoadState=loaded\nActiveState=failed\nMainPID=0\nNRestarts=5\n", Root("x", 0, 5, "failed")),
        ("LoadState=loaded\nActiveState=active\nMainPID=7\n", Root("x", 7, None, "running")),
    ],
)
def test_what_systemd_tells(told: str, root: Root) -> None:
    assert unit_root("x", told) == root


def test_a_unit_that_is_not_there() -> None:
    with pytest.raises(SluiceError, match="systemd has no unit x"):
        unit_root("x", "LoadState=not-found\nActiveState=inactive\n")


def test_a_real_process_and_its_child(tmp_path: Path, measure: MeasureOf) -> None:
    pid_file = tmp_path / "app.pid"
    answer = Processes(pid_file=str(pid_file)).ask()
    assert answer.instances[0].status == "not running, for there is no pid file"
    program = (
        "import subprocess, sys; held = bytearray(60 << 20)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print(flush=True); input(); child.communicate(b'\\n')"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        pid_file.write_text(f"{parent.pid}\n")
        answer = Processes(pid_file=str(pid_file)).ask()
        parent.communicate(b"\n", timeout=10)
    (found,) = answer.instances
    assert found.status == "running"
    assert len(found.members) == 2
    assert 60 < found.memory < 200
    assert 0 <= found.age < 60
    assert found.identity is not None
    assert found.identity[0] == parent.pid
    assert Processes(pid_file=str(pid_file)).ask().instances[0].status == "not running"
    pid_file.write_text("no pid")
    assert Processes(pid_file=str(pid_file)).ask().error == f"{pid_file} holds no pid"


def test_no_pm2_is_no_data(tmp_path: Path) -> None:
    assert Processes("shop", str(tmp_path)).ask().error == f"the PM2 daemon of {tmp_path} does not run"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"type": "process", "value": "running"}, "it needs one of process, pid_file, systemd_unit"),
        ({**PROCESS, "process": "x", "value": "running"}, "not process and pid_file"),
        ({**PROCESS, "value": None}, "it has no value"),
        ({**PROCESS, "value": "memory"}, "did you mean memory_mb?"),
        ({**PROCESS, "value": "running", "crit": 1}, "crit cannot go with value=running"),
        ({**PROCESS, "value": "running", "pm2_home": "/x"}, "pm2_home goes with process"),
        ({**PROCESS, "value": "restarts_total", "crit": 1}, "nobody counts the restarts behind a pid_file"),
        ({**PROCESS, "value": "memory_growth_mb_per_h", "crit": 1}, "growth of memory means nothing within 10 s"),
        (
            {**PROCESS, "value": "memory_growth_mb_per_h", "crit": 1, "window": 299, "grace": 10},
            "its window of 299 s is longer than the 290 s that are judged",
        ),
        ({**PROCESS, "value": "memory_mb"}, "it has no limit"),
    ],
)
def test_what_makes_no_sense_is_refused(refused: Callable[..., str], raw: dict[str, Any], problem: str) -> None:
    assert problem in refused(raw)


def test_checks_of_one_name_share_a_look(checks: Callable[..., list[Check]]) -> None:
    one, two, other = checks(
        {**PROCESS, "value": "running"}, {**PROCESS, "value": "cpu_pct", "crit": 1},
        {"type": "process", "process": "shop", "pm2_home": "/x", "value": "running"},
    )  # fmt: skip
    assert one.target == two.target != other.target
    assert (two.unit, two.limits.direction) == ("%", "above")
