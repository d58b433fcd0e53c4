# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The ecosystem file of a release, as Node.js itself reads it, and what of it a switch can honour."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import telling_line

# The file may print what it likes while it is read: the answer is what comes after this.
_SIGN = "\x1esluice\x1e"
_PROGRAM = f"process.stdout.write({json.dumps(_SIGN)} + JSON.stringify(require(process.argv[1])))"
_PATIENCE = 30.0

# Options of `pm2 start` that are handed on, by the name that the file has for them.
LIMITS: Mapping[str, str] = {
    "max_memory_restart": "--max-memory-restart",
    "max_restarts": "--max-restarts",
    "restart_delay": "--restart-delay",
    "exp_backoff_restart_delay": "--exp-backoff-restart-delay",
    "log_date_format": "--log-date-format",
    "stop_exit_codes": "--stop-exit-codes",
}
# Of no meaning for a switch, or what it does anyway.
_IGNORED = ("namespace", "vizion", "autorestart", "version", "source_map_support", "increment_var", "instance_var")
_WHY = {"cwd": "a process runs in its release directory, and in no other"}


def read(path: str, runner: CommandRunner, environment: Mapping[str, str]) -> dict[str, Any]:
    """Let Node.js read the file. SluiceError when it cannot, with what it said."""
    if not os.path.isfile(path):
        raise SluiceError(f"read {path}", "there is no such file", "Correct the option ecosystem")
    if path.endswith((".yml", ".yaml")):
        raise SluiceError(f"read {path}", "Node.js itself reads no YAML", "Use a file in JSON or JavaScript")
    node = shutil.which("node", path=environment.get("PATH"))
    if node is None:
        raise SluiceError(
            f"read {path}", f"there is no node on the path, which is {environment.get('PATH')}", "See path_prepend"
        )
    done = runner([node, "-e", _PROGRAM, path], cwd=os.path.dirname(path), env=environment, timeout=_PATIENCE)
    if done.rc:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise SluiceError(f"read {path}", telling_line(lines) if lines else f"node exited with {done.rc}")
    try:
        found = json.loads(done.stdout.rpartition(_SIGN)[2])
    except ValueError as error:
        raise SluiceError(f"read {path}", "it exports nothing that can be written as JSON") from error
    return found if isinstance(found, dict) else {"apps": found}


def apps(document: Mapping[str, Any], environment: str | None) -> list[dict[str, Any]]:
    """Return the processes of the file, as entries of the option ``processes``.

    ``environment`` names the ``env_<name>`` that is laid over ``env``. SluiceError for what PM2 would do and a switch
    cannot, so that nothing is left out in silence.
    """
    listed = document.get("apps", document)
    found = listed if isinstance(listed, list) else [listed]
    if "deploy" in document:
        raise _refused("deploy", "releases come by this collection")
    if not found or not all(isinstance(app, dict) and app.get("name") and app.get("script") for app in found):
        raise SluiceError("use the ecosystem file", "each of its apps needs a name and a script", "Correct the file")
    if environment and not any(f"env_{environment}" in app for app in found):
        raise SluiceError("use the ecosystem file", f"none of its apps has env_{environment}", "See ecosystem_env")
    names = [str(app["name"]) for app in found]
    if len(set(names)) != len(names):
        raise SluiceError("use the ecosystem file", "two of its apps have one name", "Rename one")
    return [_entry(app, environment) for app in found]


def _entry(app: Mapping[str, Any], environment: str | None) -> dict[str, Any]:
    chosen = f"env_{environment}" if environment else "env"
    if app.get("autorestart") is False:
        raise _refused("autorestart", "a worker that is not started again cannot serve")
    told = {name: value for name, value in app.items() if not _is_silent(name, value)}
    entry: dict[str, Any] = {}
    for name in [name for name in told if name in _READ]:
        option, read = _READ[name]
        entry[option] = read(told.pop(name))
    entry["limits"] = [(LIMITS[name], str(told.pop(name))) for name in list(told) if name in LIMITS]
    if told:
        name = next(iter(told))
        raise _refused(name, _WHY.get(name, "a switch cannot honour it"))
    variables = {**(app.get("env") or {}), **(app.get(chosen) or {})}
    entry["environment"] = {name: _text(value) for name, value in variables.items()}
    # As PM2 decides when the file says nothing.
    entry.setdefault("wait_ready", False)
    entry.setdefault("exec_mode", "cluster" if "instances" in entry else "fork")
    return entry


def _is_silent(name: str, value: Any) -> bool:
    """Whether an option asks for nothing that a switch does not do anyway."""
    nothing = value in (None, False, "", [], {}) and name != "instances"
    return nothing or name in _IGNORED or name.startswith("env")


def _mode(text: str) -> str:
    return "cluster" if text.startswith("cluster") else "fork"


def _number(value: Any) -> int:
    """As PM2 does it: ``max`` and 0 are all processors, -1 all but one."""
    processors = os.cpu_count() or 1
    number = 0 if value == "max" else int(value)
    return number if number > 0 else max(1, processors + number)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _words(value: Any) -> list[str]:
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value]


def _seconds(value: Any) -> float:
    return float(value) / 1000


def _refused(name: str, why: str) -> SluiceError:
    return SluiceError(f"use {name} of the ecosystem file", why, "Take it out, or list the processes in the profile")


_READ: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("name", str),
    "script": ("script", str),
    "exec_mode": ("exec_mode", _mode),
    "instances": ("instances", _number),
    "args": ("args", _words),
    "node_args": ("node_args", _words),
    "interpreter_args": ("node_args", _words),
    "out_file": ("out_file", str),
    "error_file": ("error_file", str),
    "merge_logs": ("merge_logs", bool),
    "combine_logs": ("merge_logs", bool),
    "wait_ready": ("wait_ready", bool),
    "listen_timeout": ("listen_timeout", _seconds),
    "kill_timeout": ("kill_timeout", _seconds),
}
