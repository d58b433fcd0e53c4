# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests, all of them or some parts: python3.11 tests/run [part ...].

Needs Python 3.11 and nothing else at the start; what a part needs is set up here. The last line that is printed
counts every test: `N passed, N failed, N skipped`. A step that is not pytest counts as one test.

The steps of a part run one after the other, two parts side by side: that is enough to keep two cores busy, and more
would only have the tests wait for each other. What a step says is then printed when it ends; --jobs 1 shows it as it
comes.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import needs
from running import LOGS, Runner, Step

ROOT = needs.ROOT
JUNIT = ROOT / "build" / "junit"
PLUGINS = "collections/ansible_collections/sluice/release/plugins"


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
    return [pytest("integration", "tests/integration", timeout=3600.0)]


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


def fleet() -> list[Step]:
    return [pytest("fleet", "tests/fleet", timeout=3600.0)]


def e2e() -> list[Step]:
    return [pytest("e2e", "tests/e2e", timeout=3600.0)]


def faults() -> list[Step]:
    # A short soak in every run of the tests, the same each time, so that it fails for what has changed.
    for name, value in (("SLUICE_EPISODES", "20"), ("SLUICE_SEED", "4711")):
        os.environ.setdefault(name, value)
    return [pytest("faults", "tests/faults", timeout=3600.0)]


# The longest first, so that those that run side by side end together.
PARTS: dict[str, Callable[[], list[Step]]] = {
    "molecule": molecule,
    "faults": faults,
    "integration": integration,
    "e2e": e2e,
    "fleet": fleet,
    "lint": lint,
    "sanity": sanity,
    "modes": modes,
    "unit": unit,
}


def selected(names: list[str]) -> list[list[Step]]:
    """The steps of the named parts, part by part; a name may also be that of one step, like `mypy`."""
    parts: dict[str, list[Step]] = {}
    for name in names or list(PARTS):
        if name in PARTS:
            parts.setdefault(name, []).extend(PARTS[name]())
        elif name != "venv":
            single = [(part, step) for part, steps in PARTS.items() for step in steps() if step.name == name]
            if not single:
                raise needs.SetupError(f"Cannot run {name}: there is no such part. The parts: {', '.join(PARTS)}.")
            parts.setdefault(single[0][0], []).append(single[0][1])
    return list(parts.values())


def cancel(*_: object) -> None:
    """A job that is cancelled must not leave its steps running: Runner.run ends them."""
    # A signal to the whole group comes twice; the second must not interrupt that.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("part", nargs="*", help=f"venv, {', '.join(PARTS)}, or one step of a part (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="how many parts run side by side (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        needs.make_venv()
        parts = selected(arguments.part)
    except needs.SetupError as error:
        print(error, file=sys.stderr)
        return 1
    for directory in (JUNIT, LOGS):
        directory.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, cancel)
    jobs = max(1, min(arguments.jobs, len(parts)))
    runner = Runner(live=jobs == 1)
    runner.run(parts, jobs)
    if len(runner.table) > 1:
        print("\n===== summary =====", *runner.table, sep="\n")
    if runner.table:
        print(runner.total, flush=True)
    return 1 if runner.total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
