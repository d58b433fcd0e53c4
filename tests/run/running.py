# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the steps of the tests, some side by side, and count what became of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import needs

LOGS = needs.ROOT / "build" / "logs"


@dataclass
class Step:
    """One command, or a function that raises needs.SetupError; a pytest run says where its JUnit file lies."""

    name: str
    command: list[str] | Callable[[], None]
    timeout: float = 600.0
    """Seconds after which the step and everything that it started is killed: a test must not hang a machine."""
    junit: Path | None = None
    cwd: Path = needs.ROOT
    after: str = ""
    """Name of a step without which this one makes no sense: it is skipped when that was skipped or failed."""


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def environment(step: Step) -> dict[str, str]:
    """The environment of a step: the tools of .venv first, and no ANSIBLE_* setting of whoever calls."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    env["PATH"] = f"{needs.VENV / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    env["LC_ALL"] = "C.UTF-8"
    env["VIRTUAL_ENV"] = str(needs.VENV)
    if not sys.stdout.isatty():
        env["NO_COLOR"] = "1"
    return env


def junit_counts(path: Path) -> Counts:
    counts = Counts()
    for suite in ET.parse(path).getroot().iter("testsuite"):
        number = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        counts.add(Counts(number["tests"] - failed - number["skipped"], failed, number["skipped"]))
    return counts


def end(process: subprocess.Popen[bytes]) -> None:
    """End a step and everything that it started."""
    # It may end by itself meanwhile.
    with contextlib.suppress(ProcessLookupError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@dataclass
class Runner:
    """Runs the parts, and keeps the count. Not ``live``: what a step says is kept until it ends."""

    live: bool
    total: Counts = field(default_factory=Counts)
    table: list[str] = field(default_factory=list)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    stopped: bool = False
    # Whoever has it may print, and may change what stands above.
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, parts: list[list[Step]], jobs: int) -> None:
        with ThreadPoolExecutor(jobs) as pool:
            try:
                done, _others = wait([pool.submit(self.run_part, part) for part in parts], None, FIRST_EXCEPTION)
                for part in done:
                    part.result()
            finally:
                # After an exception, which may be that of a signal: the threads end when their steps do.
                self.stop()

    def stop(self) -> None:
        with self.lock:
            self.stopped, left = True, list(self.running.items())
        for name, process in left:
            print(f"Stopping {name}.", flush=True)
            end(process)

    def run_part(self, steps: list[Step]) -> None:
        went_well: dict[str, bool] = {}
        for step in steps:
            if self.stopped:
                return
            if step.name in went_well:
                continue
            with self.lock:
                print(f"\n===== {step.name} =====" if self.live else f"Running {step.name} ...", flush=True)
            start = time.monotonic()
            log = None if self.live else LOGS / f"{step.name.replace(' ', '_')}.log"
            counts = self.run_step(step, log) if went_well.get(step.after, True) else Counts(skipped=1)
            went_well[step.name] = bool(counts.passed) and not counts.failed
            verdict = "FAILED" if counts.failed else "ok"
            line = f"{verdict:6}  {time.monotonic() - start:6.0f} s  {step.name}: {counts}"
            with self.lock:
                self.total.add(counts)
                self.table.append(line)
                if log and log.exists():
                    print(f"\n===== {step.name} =====\n{log.read_text(errors='replace').rstrip()}")
                print(line, flush=True)

    def run_step(self, step: Step, log: Path | None) -> Counts:
        if log:
            log.unlink(missing_ok=True)
        if callable(step.command):
            try:
                step.command()
            except needs.UnavailableError as reason:
                print(f"Skipped {step.name}: {reason}", flush=True)
                return Counts(skipped=1)
            except needs.SetupError as error:
                print(error, flush=True)
                return Counts(failed=1)
            return Counts(passed=1)
        if step.junit:
            step.junit.unlink(missing_ok=True)
        if log:
            with log.open("w") as output:
                status = self.run_command(step, step.command, output)
        else:
            status = self.run_command(step, step.command, None)
        counts = junit_counts(step.junit) if step.junit and step.junit.exists() else Counts()
        if status != 0 and not counts.failed:
            counts.failed += 1
        elif status == 0 and not (counts.passed or counts.skipped):
            counts.passed += 1
        return counts

    def run_command(self, step: Step, command: list[str], output: TextIO | None) -> int:
        """Exit status of the command; at its time limit the whole process group ends, status 124."""
        with self.lock:
            if self.stopped:
                return 143
            process = subprocess.Popen(
                command, cwd=step.cwd, env=environment(step), stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT if output else None, start_new_session=True,
            )  # fmt: skip
            self.running[step.name] = process
        try:
            return process.wait(step.timeout)
        except subprocess.TimeoutExpired:
            print(f"Cannot finish {step.name}: it took more than {step.timeout:.0f} s.", file=output, flush=True)
            return 124
        finally:
            end(process)
            with self.lock:
                del self.running[step.name]
