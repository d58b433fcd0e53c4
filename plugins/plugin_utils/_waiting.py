# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How a task that waits for a module on a host asks how it goes, and shows it. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MARK = "sluice-job:"


@dataclass(frozen=True)
class Glance:
    """What one look at the host showed. ``job`` is the job file's text; None while the module runs."""

    progress: Mapping[str, Any] | None
    job: str | None


def glance_command(progress_path: str, job_path: str, step: float = 0.1, steps: int = 0) -> str:
    """Return the shell command of one look: the progress file, a mark, the job file; missing files are no error.

    First it waits on the host until the job has ended, ``steps`` times ``step`` seconds at most: what the controller
    would sleep between two looks is what the end of every module would come later.
    """
    progress, job = shlex.quote(progress_path), shlex.quote(job_path)
    # It need not be sure: read_glance decides. Nothing but sleep is a process of its own.
    wait = (
        f"n=0; while [ $n -lt {steps} ]; do j=; {{ read -r j < {job}; }} 2>/dev/null;"
        " case $j in ''|'{\"started\": '*'\"finished\": '[0f]*) ;; *) break;; esac;"
        f" sleep {step}; n=$((n + 1)); done; "
    )
    return f"{wait if steps else ''}cat {progress} 2>/dev/null; printf '\\n{_MARK}'; cat {job} 2>/dev/null; true"


def read_glance(output: str) -> Glance:
    """Understand what the command printed. A file that is missing, or just being written, counts as running."""
    before, mark, job = output.partition(f"\n{_MARK}")
    if not mark:
        before, mark, job = "", *output.partition(_MARK)[1:]
    return Glance(_object(before), None if _is_running(job) else job)


def gave_no_result(outcome: Mapping[str, Any]) -> bool:
    """Return whether async_wrapper wrote this in the place of a module that was killed and left no result."""
    # Its own words for that are a traceback of its own beside the command line; no module has this pair of keys.
    return outcome.get("failed") is True and {"cmd", "data", "ansible_job_id"} <= outcome.keys()


def alive_command(job_id: str) -> str:
    """Return the shell command that prints something as long as any process of the job lives, or nobody can tell."""
    # The brackets keep the pattern from finding itself; the part after the point is a pid that has ended long ago.
    name = job_id.partition(".")[0]
    pattern = shlex.quote(f"{name[:-1]}[{name[-1]}]")
    return f"test -r /proc/self/cmdline || echo unknown; grep -ls {pattern} /proc/[0-9]*/cmdline 2>/dev/null; true"


def show(progress: Mapping[str, Any] | None, seconds: float, *, fallback: str, host: str | None, width: int) -> str:
    """Return the line that a waiting person sees: what goes on, how much is done, for how long (minutes:seconds)."""
    progress = progress or {}
    parts = [str(progress.get("line") or fallback).replace("\r", " ").replace("\n", " ")]
    done, total = progress.get("done"), progress.get("total")
    if isinstance(done, (int, float)) and isinstance(total, (int, float)) and total > 0:
        parts.append(f"{min(100, max(0, int(100 * done / total)))} %")
    parts.append(f"{int(seconds) // 60}:{int(seconds) % 60:02d}")
    text = "  ".join(parts)
    if host:
        text = f"{host}  {text}"
    # One column stays free: a terminal that wraps the line could not clear it again.
    return f"  {text}"[: max(20, width - 1)]


def _object(text: str) -> Mapping[str, Any] | None:
    start = text.find("{")
    if start < 0:
        return None
    try:
        value = json.loads(text[start:])
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_running(job: str) -> bool:
    """async_wrapper first writes a small note with nothing but these keys, and at the end the module's result."""
    if not job.strip():
        return True
    value = _object(job)
    return value is not None and set(value) == {"started", "finished", "ansible_job_id"} and not value["finished"]
