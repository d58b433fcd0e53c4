# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every way of switching is measured on: an application of Node.js in two versions, and how to call a module."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice_lab.load import ANYWHERE

PROJECT = Path(__file__).resolve().parents[2]
SERVER = PROJECT / "tests" / "fixtures" / "container_app" / "server.js"
VERSIONS = ("1.0.0", "1.1.0")

# What the application does when it is told to end: it drains as the documentation asks, or it cuts every connection.
GRACEFUL, NAIVE = "", "naive"

# The start of Python and of the module is a part of what is measured, as it is with Ansible.
_PROGRAM = """
import importlib, json, sys
from ansible.module_utils.testing import patch_module_args
name = "ansible_collections.sluice.release.plugins.modules." + sys.argv[1]
with patch_module_args(json.load(sys.stdin)):
    importlib.import_module(name).main()
"""


@dataclass(frozen=True)
class Site:
    """Where visitors come, and what lets another version serve; see `Move.ready` for what it returns."""

    url: str
    move: Callable[[str], float | None]
    addresses: Sequence[str] = ANYWHERE
    """Where the visitors come from."""


@dataclass(frozen=True)
class Way:
    """One way to switch. `open` brings the application up, at the first version, for as long as it is measured."""

    name: str
    open: Callable[[str], AbstractContextManager[Site]]
    peer: bool = False


def run_module(module: str, /, *, within: list[str] | None = None, **options: Any) -> dict[str, Any]:
    """Run a module in a process of its own, which must succeed; `within` is a command that leads to another host."""
    python = [*within, "python3"] if within else [sys.executable]
    done = subprocess.run(
        [*python, "-c", _PROGRAM, module],
        input=json.dumps({**options, "_ansible_remote_tmp": tempfile.gettempdir()}),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "collections")},
    )
    if not done.stdout.strip():
        raise SystemExit(f"Cannot measure: {module} said nothing.\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    if result.get("failed"):
        raise SystemExit(f"Cannot measure: {result['msg']}")
    return result


def slowest_ready(result: dict[str, Any]) -> float | None:
    """Return how long the slowest new instance took until it had proven itself, in seconds."""
    told = [float(one["ready_seconds"]) for one in result.get("instances", []) if one.get("ready_seconds") is not None]
    return max(told, default=None)


def call(*argv: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command of a peer, which must succeed; return what it printed."""
    done = subprocess.run(
        [str(word) for word in argv],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )
    if done.returncode:
        raise SystemExit(f"Cannot measure: {argv[0]} failed.\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """A directory that goes with the body; its path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sluice-", dir="/tmp", ignore_cleanup_errors=True) as path:
        yield Path(path)


def release(root: Path, version: str, bad: str = GRACEFUL) -> Path:
    """Lay a release directory of the application."""
    path = root / "releases" / f"{version}-0123456789ab"
    path.mkdir(parents=True)
    told = {"APP_VERSION": version, "BAD": bad}
    (path / "main.js").write_text(
        f"Object.assign(process.env, {json.dumps(told)});\nrequire({json.dumps(str(SERVER))});\n"
    )
    return path


def config(root: Path, **variables: str) -> Path:
    """Lay the application's environment."""
    path = root / "env.json"
    path.write_text(json.dumps(variables))
    return path


def asked(root: Path, name: str, path: Path, version: str, at: str) -> dict[str, Any]:
    """Return the options that every driver on a host is given for a version."""
    return {
        "name": name,
        "release": path.name,
        "path": str(path),
        "config": str(root / "env.json"),
        "ready": ready(version, at),
        "state_dir": str(root / "state"),
        "link": str(root / "current"),
    }


def ready(version: str, at: str, **more: Any) -> dict[str, Any]:
    """Return option `ready`: every driver has to prove the same."""
    asked = {"successes": 3, "interval": 0.2, "timeout": 30}
    return {"url": f"{at}/ready", "version_url": f"{at}/version", "version": version, **asked, **more}
