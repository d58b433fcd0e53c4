# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests, all of them or some parts: python3.11 tests/run [part ...].

Needs Python 3.11 and nothing else at the start; what a part needs is set up here. The last line that is printed
counts every test: `N passed, N failed, N skipped`. A step that is not pytest counts as one test.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import needs

ROOT = needs.ROOT
JUNIT = ROOT / "build" / "junit"
PLUGINS = "collections/ansible_collections/sluice/release/plugins"


@dataclass
class Step:
    """One command, or a function that raises needs.SetupError; a pytest run says where its JUnit file lies."""

    name: str
    command: list[str] | Callable[[], None]
    timeout: float = 600.0
    """Seconds after which the step and everything that it started is killed: a test must not hang a machine."""
    junit: Path | None = None
    cwd: Path = ROOT
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


def pytest(name: str, *arguments: str, timeout: float = 900.0, part_of: str = "") -> Step:
    junit = JUNIT / f"{part_of or name}.xml"
    return Step(name, ["pytest", "-q", f"--junit-xml={junit}", "--durations=5", *arguments], timeout, junit)


def lint() -> list[Step]:
    typed = ["lab", "benchmarks", "tests/run", "tests/unit/test_repository.py"]
    return [
        Step("ruff-check", ["ruff", "check"]),
        Step("ruff-format", ["ruff", "format", "--check"]),
        # Through the farm, or the imports of the collection's own name cannot be resolved.
        Step("mypy", ["mypy", PLUGINS, *typed]),
        Step("yamllint", ["yamllint", "--strict", "."]),
        Step("ansible-lint", ["ansible-lint", "-c", ".config/ansible-lint.yml"], 1200.0),
        Step("changelog", ["antsibull-changelog", "lint"]),
    ]


def sanity() -> list[Step]:
    """Sanity tests on the installed artifact: in the checkout they would follow the links of the farm."""
    collection = needs.COLLECTIONS / "ansible_collections" / "sluice" / "release"
    command = ["ansible-test", "sanity", "--python", "3.11", "--color", "no"]
    return [
        Step("artifact", needs.install_artifact),
        Step("get-pip", needs.provide_get_pip),
        # It calls a run that found no file a success; with a path it does not.
        Step("ansible-test compile", [*command, "--test", "compile", "plugins/"], cwd=collection, after="artifact"),
        Step("ansible-test", command, 1200.0, cwd=collection, after="ansible-test compile"),
    ]


def unit() -> list[Step]:
    return [pytest("unit", "tests/unit")]


def integration() -> list[Step]:
    return [pytest("integration", "tests/integration", timeout=1800.0)]


def modes() -> list[Step]:
    """The ways in which the playbooks are used: a checkout, the installed collection, the layout of ansible-runner."""
    return [pytest("modes", "tests/modes")]


def molecule() -> list[Step]:
    scenarios = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
    base = ["molecule", "-c", ".config/molecule/config.yml"]
    create, destroy = ([*base, verb, "-s", "default", "--no-command-borders"] for verb in ("create", "destroy"))
    tested = [
        Step(
            f"molecule {name}",
            [*base, "test", "-s", name, "--destroy", "never", "--no-command-borders"],
            900.0,
            JUNIT / f"molecule_{name}.xml",
            after="molecule create",
        )
        for name in scenarios
        if name != "default"
    ]
    return [
        Step("docker", needs.start_docker),
        Step("image", ["molecule/utils/images/build"], 900.0, after="docker"),
        # Molecule remembers hosts that a run left, and would not notice that they stopped with their machine.
        Step("molecule leftovers", destroy, 300.0, after="image"),
        Step("molecule create", create, 300.0, after="molecule leftovers"),
        *tested,
        Step("molecule destroy", destroy, 300.0, after="molecule create"),
    ]


def e2e() -> list[Step]:
    # Enough kills for every run of the tests; SLUICE_KILLS=20 make e2e is the whole of it.
    os.environ.setdefault("SLUICE_KILLS", "4")
    return [pytest("e2e", "tests/e2e", timeout=3600.0)]


PARTS: dict[str, Callable[[], list[Step]]] = {
    "lint": lint,
    "sanity": sanity,
    "unit": unit,
    "integration": integration,
    "modes": modes,
    "molecule": molecule,
    "e2e": e2e,
}


def environment(step: Step) -> dict[str, str]:
    """The environment of a step: the tools of .venv first, and no ANSIBLE_* setting of whoever calls."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    env["PATH"] = f"{needs.VENV / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    env["LC_ALL"] = "C.UTF-8"
    env["VIRTUAL_ENV"] = str(needs.VENV)
    if not sys.stdout.isatty():
        env["NO_COLOR"] = "1"
    return env


def run_command(step: Step, command: list[str]) -> int:
    """Exit status of the command; at its time limit the whole process group ends, status 124."""
    process = subprocess.Popen(
        command, cwd=step.cwd, env=environment(step), stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return process.wait(step.timeout)
    except subprocess.TimeoutExpired:
        print(f"Cannot finish {step.name}: it took more than {step.timeout:.0f} s.", flush=True)
        return 124
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def junit_counts(path: Path) -> Counts:
    counts = Counts()
    for suite in ET.parse(path).getroot().iter("testsuite"):
        number = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        counts.add(Counts(number["tests"] - failed - number["skipped"], failed, number["skipped"]))
    return counts


def run_step(step: Step) -> Counts:
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
    status = run_command(step, step.command)
    counts = junit_counts(step.junit) if step.junit and step.junit.exists() else Counts()
    if status != 0 and not counts.failed:
        counts.failed += 1
    elif status == 0 and not (counts.passed or counts.skipped):
        counts.passed += 1
    return counts


def selected(names: list[str]) -> list[Step]:
    """The steps of the named parts; a name may also be that of one step, like `mypy`."""
    steps: list[Step] = []
    for name in names or list(PARTS):
        if name in PARTS:
            steps += PARTS[name]()
        elif name != "venv":
            single = [step for part in PARTS.values() for step in part() if step.name == name]
            if not single:
                raise needs.SetupError(f"Cannot run {name}: there is no such part. The parts: {', '.join(PARTS)}.")
            steps.append(single[0])
    return steps


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("part", nargs="*", help=f"venv, {', '.join(PARTS)}, or one step of a part (default: all)")
    names = parser.parse_args().part
    try:
        needs.make_venv()
        steps = selected(names)
    except needs.SetupError as error:
        print(error, file=sys.stderr)
        return 1
    JUNIT.mkdir(parents=True, exist_ok=True)
    # A job that is cancelled must not leave its step running: that leaves run_command by an exception.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    total = Counts()
    table: list[str] = []
    went_well: dict[str, bool] = {}
    for step in steps:
        if step.name in went_well:
            continue
        print(f"\n===== {step.name} =====", flush=True)
        start = time.monotonic()
        counts = run_step(step) if went_well.get(step.after, True) else Counts(skipped=1)
        went_well[step.name] = bool(counts.passed) and not counts.failed
        total.add(counts)
        verdict = "FAILED" if counts.failed else "ok"
        table.append(f"{verdict:6}  {time.monotonic() - start:6.0f} s  {step.name}: {counts}")
        print(table[-1], flush=True)
    if len(table) > 1:
        print("\n===== summary =====", *table, sep="\n")
    if table:
        print(total, flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
