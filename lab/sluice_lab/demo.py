# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: one good release, one upgrade under load, one bad release that is taken back, and what became of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import releases, services
from .errors import LabError
from .lab import Facts, Lab
from .load import Tally, load

RATE = 50


@dataclass(frozen=True)
class Chapter:
    """One deploy of the story: to `version`, with or without load, and how it must end."""

    version: str
    title: str
    under_load: bool
    outcomes: tuple[str, ...]
    serves: str


STORY = (
    Chapter("1.0.0", "a first good release", False, ("succeeded", "unchanged"), "1.0.0"),
    Chapter("1.1.0", "an upgrade with a migration, under load", True, ("succeeded",), "1.1.0"),
    Chapter("1.2.0", "a bad release, under load: the gate must take it back", True, ("rolled_back",), "1.1.0"),
)


@dataclass(frozen=True)
class Result:
    """How a chapter went."""

    chapter: Chapter
    status: int
    seconds: float
    report: dict[str, Any]
    report_file: Path | None
    tally: Tally | None
    serves: str | None

    @property
    def outcome(self) -> str:
        return str(self.report.get("outcome", "unchanged" if self.status == 0 else "failed"))

    def surprises(self) -> list[str]:
        """Return what went otherwise than the story tells; empty when all is well."""
        chapter, found = self.chapter, []
        good = "rolled_back" not in chapter.outcomes
        if good != (self.status == 0):
            found.append(f"the deploy of {chapter.version} ended with exit status {self.status}")
        if self.outcome not in chapter.outcomes:
            found.append(f"the outcome of {chapter.version} is {self.outcome}, not {' or '.join(chapter.outcomes)}")
        if self.serves != chapter.serves:
            found.append(f"after {chapter.version} the application serves {self.serves}, not {chapter.serves}")
        if self.tally is not None and self.tally.lost:
            kinds = dict(self.tally.errors)
            found.append(f"{self.tally.lost} requests got no answer during {chapter.version}: {kinds}")
        if self.tally is not None and good and self.tally.answered_badly:
            found.append(f"{self.tally.answered_badly} requests were answered with an error during {chapter.version}")
        return found


class Style:
    """A little colour, on a terminal only."""

    def __init__(self) -> None:
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def __call__(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text


def heading(style: Style, text: str) -> None:
    """Print a heading with a line of air above it."""
    print(f"\n{style('1', text)}", flush=True)


def served_version(base_url: str) -> str | None:
    """Return the version that the application reports, or None when it does not answer."""
    try:
        with urllib.request.urlopen(f"{base_url}/version", timeout=5) as response:
            return str(json.load(response)["version"])
    except (urllib.error.URLError, OSError, KeyError, ValueError):
        return None


def reports(lab: Lab) -> dict[Path, int]:
    """Return the JSON reports that exist, with their times of change."""
    return {path: path.stat().st_mtime_ns for path in (lab.state / "state" / "reports").glob("*.json")}


async def deploy(lab: Lab, version: str) -> int:
    """Run the deploy as a user would type it; return its exit status."""
    playbook = lab.project / "deploy.yml"
    if not playbook.exists():
        raise LabError("deploy", f"{playbook} does not exist")
    ansible = Path(sys.executable).parent / "ansible-playbook"
    environment = {**os.environ, "ANSIBLE_CONFIG": str(lab.project / "ansible.cfg")}
    # Ansible insists on UTF-8; a bare machine has no other locale with it.
    if "utf" not in (os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or "").lower():
        environment["LC_ALL"] = "C.UTF-8"
    command = [str(ansible), "deploy.yml", "-l", "lab", "-e", f"release_version={version}"]
    print(f"  $ ansible-playbook {' '.join(command[1:])}\n", flush=True)
    process = await asyncio.create_subprocess_exec(*command, cwd=lab.project, env=environment)
    return await process.wait()


async def play(lab: Lab, facts: Facts, chapter: Chapter) -> Result:
    """Play one chapter."""
    base_url = f"http://127.0.0.1:{facts.app_port}"
    before = reports(lab)
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        tally = await stack.enter_async_context(load(base_url, RATE)) if chapter.under_load else None
        status = await deploy(lab, chapter.version)
    seconds = time.monotonic() - began
    new = sorted(path for path, changed in reports(lab).items() if before.get(path) != changed)
    report = json.loads(new[-1].read_text()) if new else {}
    return Result(chapter, status, seconds, report, new[-1] if new else None, tally, served_version(base_url))


def number(value: object) -> str:
    """Return a measured value with as many digits as a person reads."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def summarise(style: Style, result: Result) -> None:
    """Print what one deploy did: stages with seconds, gates with verdicts, requests, the report."""
    chapter, report = result.chapter, result.report
    mark = style("32", "as told") if not result.surprises() else style("31", "NOT as told")
    print(f"\n  {style('1', chapter.version)}  {result.outcome}, {result.seconds:.1f} s, {mark}: {chapter.title}")
    stages = [
        (str(stage["name"]), f"{stage['seconds'] or 0:.1f} s".rjust(8), str(stage["outcome"]))
        for stage in report.get("stages", [])
    ]
    if stages:
        table(stages)
    gates = [
        (f"gate {gate['check']}", str(gate["verdict"]), f"{number(gate['value'])} against {number(gate['threshold'])}")
        for gate in report.get("gates", [])
    ]
    if gates:
        table(gates)
    rollback = report.get("rollback")
    if rollback:
        print(f"    taken back to {rollback['to']}: level {rollback['level']}, {rollback['seconds'] or 0:.1f} s")
    if result.tally is not None:
        tally = result.tally
        print(
            f"    {tally.sent} requests at {RATE}/s: {tally.lost} lost, {tally.answered_badly} answered with an error,"
            f" p95 {tally.quantile_ms(0.95):.0f} ms, longest gap {tally.longest_gap_ms:.0f} ms"
        )
    if result.report_file is not None:
        print(f"    report {result.report_file.with_suffix('.html')}")


async def tell(lab: Lab) -> int:
    """Play the whole story; return 0 only when it went as told."""
    style = Style()
    heading(style, "The lab")
    facts = services.up(lab)
    known = releases.catalogue(lab.project / "lab" / "releases")
    results: list[Result] = []
    for number, chapter in enumerate(STORY, start=1):
        heading(style, f"{number}. {chapter.version}: {chapter.title}")
        print(f"  ({known[chapter.version].story})")
        results.append(await play(lab, facts, chapter))
        if results[-1].surprises() and chapter is not STORY[-1]:
            break
    heading(style, "What happened")
    for result in results:
        summarise(style, result)
    surprises = [surprise for result in results for surprise in result.surprises()]
    print()
    for surprise in surprises:
        print(style("31", f"  Not as told: {surprise}."))
    if not surprises:
        print(f"  The application serves {results[-1].serves} on http://127.0.0.1:{facts.app_port}/")
        heading(style, "Try next")
        ansible = f"{os.path.relpath(Path(sys.executable).parent, lab.project)}/ansible-playbook"
        commands = (
            (f"{ansible} deploy.yml -l lab -e release_version=1.3.0", "never ready: it must not be switched to"),
            (f"{ansible} rollback.yml -l lab -e rollback_level=2", "back to the release before"),
            ("make demo-clean", "stop everything, remove .lab"),
        )
        for command, comment in commands:
            print(f"  {command:<80}# {comment}")
    return 1 if surprises else 0
