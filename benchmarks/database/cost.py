# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the digests of a backup and its verification by restore cost, in time and in memory."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.database.sample import JOBS, dump, fill, restore
from benchmarks.database.server import BIN, Server, run_module, running

FORMS = {"custom": 1, "directory": JOBS}

# Heads of the tables: a tool, the module that has it at its heart, and how they compare.
TOOLS = ("`pg_dump`", "`pg_backup`", "ratio", "`pg_restore`", "`pg_verify`", "ratio")


def measure(megabytes: int, rounds: int) -> dict[str, Any]:
    """Measure by turns what PostgreSQL's tools take alone and what the modules take, on one size of database."""
    with running() as server:
        server.query("CREATE DATABASE source")
        size = fill(server, megabytes)
        found: dict[str, Any] = {"megabytes": round(size / 2**20), "rounds": rounds}
        for form, jobs in FORMS.items():
            found[form] = _measure_form(server, form, jobs, rounds)
    return found


def _measure_form(server: Server, form: str, jobs: int, rounds: int) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {"dump": [], "backup": [], "restore": [], "verify": []}
    peaks: dict[str, list[int]] = {"backup": [], "verify": []}
    backups = server.home / "backups"
    file = server.home / f"dump.{form}"
    usual = {"path": str(backups), "bin_path": str(BIN)}
    for number in range(rounds):
        seconds["dump"].append(dump(server, form, jobs, str(file)))
        source = {"database_url": server.text_url("source"), "format": form, "jobs": jobs, "free_mb_min": 1}
        took, peak, _result = run_module("pg_backup", {**usual, **source, "backup_id": f"b{number}"})
        seconds["backup"].append(took)
        peaks["backup"].append(peak)
        seconds["restore"].append(restore(server, str(file)))
        scratch = {"database_url": server.text_url("postgres"), "jobs": JOBS}
        took, peak, _result = run_module("pg_verify", {**usual, **scratch, "backup_id": f"b{number}"})
        seconds["verify"].append(took)
        peaks["verify"].append(peak)
        shutil.rmtree(backups)
        _remove(file)
        server.query("CHECKPOINT")
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "seconds": {name: [round(value, 2) for value in values] for name, values in seconds.items()},
        "medians": {name: round(value, 2) for name, value in middle.items()},
        "backup_ratio": round(middle["backup"] / middle["dump"], 2),
        "verify_ratio": round(middle["verify"] / middle["restore"], 2),
        "peak_mib": {name: round(max(values) / 1024, 1) for name, values in peaks.items()},
    }


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _line(sizes: list[Mapping[str, Any]], form: str, name: str) -> tuple[float, float]:
    """Return the line through the smallest and the largest size: seconds at size zero, and for each further 100 MiB."""
    first, last = sizes[0], sizes[-1]
    begin, end = (size[form]["medians"][name] for size in (first, last))
    slope = (end - begin) / (last["megabytes"] - first["megabytes"])
    return float(begin - slope * first["megabytes"]), float(slope * 100)


def _lines(sizes: list[Mapping[str, Any]]) -> list[str]:
    """Return what does not depend on the size, and what does, as a table; nothing for a single size."""
    if len(sizes) < 2:
        return []
    heads = ("format", *TOOLS)
    lines = [
        "",
        f"By the line through {sizes[0]['megabytes']} and {sizes[-1]['megabytes']} MiB: seconds at size zero, plus",
        "those for each further 100 MiB; the ratio is that of the latter. What does not depend on the size is the",
        "start of Python and of the module, connecting, the start of the tools and the definitions; for `pg_verify`",
        "also the scratch database, made and dropped. No empty database was measured: noise may put it below zero.",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for form in FORMS:
        line = {name: _line(sizes, form, name) for name in ("dump", "backup", "restore", "verify")}
        cells = [form]
        for alone, module in (("dump", "backup"), ("restore", "verify")):
            cells += [f"{fixed:.2f} + {slope:.2f}" for fixed, slope in (line[alone], line[module])]
            cells.append(f"**{line[module][1] / line[alone][1]:.2f}**" if line[alone][1] > 0 else "")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    sizes = [found[key] for key in sorted(found, key=int)]
    heads = ("database", "rounds", "format", *TOOLS, "peaks")
    lines = [
        "",
        "### What it costs",
        "",
        "Medians of rounds by turns, in seconds, each module as a process of its own, its start included.",
        f"Dumps by gzip, custom with 1 job and directory with {JOBS}; restores with {JOBS} jobs. The peaks",
        "are those of the modules' own memory, for a backup and a verification.",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    for size in sizes:
        for form in FORMS:
            one = size[form]
            middle, peak = one["medians"], one["peak_mib"]
            cells = (
                f"{size['megabytes']} MiB",
                size["rounds"],
                form,
                middle["dump"],
                middle["backup"],
                f"**{one['backup_ratio']}**",
                middle["restore"],
                middle["verify"],
                f"**{one['verify_ratio']}**",
                f"{peak['backup']} and {peak['verify']} MiB",
            )
            lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return lines + _lines(sizes)
