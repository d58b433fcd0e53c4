# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A typed client of PM2. What PM2 decides by itself is avoided, what it answers is checked."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, Completed, redact, tail
from ansible_collections.sluice.release.plugins.module_utils.switch import _pm2_rpc

# Variables that mark a worker as ours. PM2 shows them in its list and hands them down at every restart.
APPLICATION = "SLUICE_APPLICATION"
RELEASE = "SLUICE_RELEASE"
MARK = "SLUICE_MARK"
INSTANCE = "NODE_APP_INSTANCE"

# PM2 lays the environment of a process over its own record of it, so a variable called `status` or `args` would
# change how PM2 sees the process. These are the record's own names, and those that steer PM2's command line.
# fmt: off
_RECORD = frozenset(
    (
        "args", "automation", "autorestart", "autostart", "axm_actions", "axm_dynamic", "axm_monitor",
        "axm_options", "command", "created_at", "cron_restart", "cwd", "disable_logs", "env", "error_file",
        "exec_interpreter", "exec_mode", "exit_code", "exp_backoff_restart_delay", "filter_env", "force", "gid",
        "increment_var", "instance_var", "instances", "io", "kill_retry_time", "kill_timeout", "km_link",
        "listen_timeout", "log_date_format", "log_type", "max_memory_restart", "max_restarts", "merge_logs",
        "min_uptime", "name", "namespace", "node_args", "node_version", "out_file", "pmx", "pmx_module", "port",
        "prev_restart_delay", "restart_delay", "restart_time", "script", "shutdown_with_message", "status",
        "stop_exit_codes", "trace", "treekill", "uid", "unique_id", "unstable_restarts", "username", "version",
        "versioning", "vizion", "vizion_running", "wait_ready", "watch", "windowsHide",
    )
)
# fmt: on
_OURS = frozenset({APPLICATION, RELEASE, MARK, INSTANCE, "NODE_CHANNEL_FD", "NODE_UNIQUE_ID", "OVER_HOME"})

# Linux keeps 108 bytes for the path of a socket, one of them for the end.
_SOCKET_PATH_MAX = 107

# Seconds for a call that only asks or tells the daemon something.
_PATIENCE = 60.0
# Bytes; with fewer left a disk is full.
_ROOM = 64 << 10

# What PM2 takes for an ecosystem file, wherever in the path it stands.
_ECOSYSTEM = (".json", ".yml", ".yaml", ".config.js", ".config.cjs", ".config.mjs")


@dataclass(frozen=True)
class Process:
    """One entry of PM2's list. Times in seconds; ``pid`` is 0 when nothing runs."""

    id: int
    pid: int
    name: str
    status: str
    restarts: int = 0
    exec_mode: str = "cluster"
    cwd: str = ""
    script: str = ""
    release: str | None = None
    mark: str | None = None
    instance: int | None = None
    variables: Mapping[str, str] | None = None
    """The few variables that the caller asked for, never the whole environment."""
    kill_timeout: float = 1.6
    logs: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether PM2 runs it or is about to (again)."""
        return self.status not in ("stopped", "errored")


@dataclass(frozen=True)
class Start:
    """What to start: one worker. Times in seconds."""

    name: str
    script: str
    cwd: str
    environment: Mapping[str, str]
    exec_mode: str = "cluster"
    node_args: Sequence[str] = ()
    wait_ready: bool = True
    listen_timeout: float = 10.0
    kill_timeout: float = 10.0
    args: Sequence[str] = ()
    out_file: str | None = None
    error_file: str | None = None
    merge_logs: bool = False
    limits: Sequence[tuple[str, str]] = ()
    """Further options with their values, such as ``--max-memory-restart``."""

    def argv(self) -> list[str]:
        """Arguments of ``pm2``. The environment is never among them: every user of the host can read those."""
        words = ["start", self.script, "--name", self.name, "--force", "--cwd", self.cwd]
        # `-i` is what selects cluster mode; without it PM2 forks.
        words += ["-i", "1"] if self.exec_mode == "cluster" else []
        words += ["--kill-timeout", _milliseconds(self.kill_timeout)]
        words += ["--wait-ready", "--listen-timeout", _milliseconds(self.listen_timeout)] if self.wait_ready else []
        words += [f"--node-args={' '.join(self.node_args)}"] if self.node_args else []
        words += ["--output", self.out_file] if self.out_file else []
        words += ["--error", self.error_file] if self.error_file else []
        words += ["--merge-logs"] if self.merge_logs else []
        words += [word for pair in self.limits for word in pair if word]
        return [*words, "--no-vizion", *(["--", *self.args] if self.args else [])]


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def check_name(name: str) -> None:
    """Refuse a process name that PM2 would read as something else."""
    if name == "all" or name.isdigit() or name.startswith("-") or not name.strip():
        raise SluiceError(
            f"manage the PM2 process {name!r}", "PM2 reads that as a selection, not as a name", "Rename it"
        )


def check_script(path: str) -> None:
    """Refuse a script that is not there, or whose path PM2 would read as a command line or an ecosystem file."""
    if not os.path.isfile(path):
        raise SluiceError(f"start {path}", "there is no such file", "Check the release directory and the option script")
    if " " in path:
        raise SluiceError(f"start {path}", "PM2 runs a path with a space through a shell", "Use a path without spaces")
    if any(part in path for part in _ECOSYSTEM):
        raise SluiceError(f"start {path}", "PM2 takes that path for an ecosystem file", "Rename the file or directory")


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse variables that PM2 would take for its own."""
    taken = sorted(n for n in environment if n in _RECORD or n in _OURS or n.startswith(("PM2_", "pm_", "axm_")))
    if taken:
        raise SluiceError(
            "use the configuration", f"{', '.join(taken)} would change how PM2 runs the process", "Rename the variable"
        )


def parse_list(text: str, variables: Iterable[str] = ()) -> list[Process]:
    """Read what ``pm2 jlist`` printed; notices that PM2 puts before the list are skipped. ValueError when it has none.

    ``variables``: names of the environment whose values are kept.
    """
    for match in re.finditer(r"^\[", text, re.MULTILINE):
        with contextlib.suppress(ValueError):
            entries = json.loads(text[match.start() :])
            return [_process(entry, tuple(variables)) for entry in entries]
    raise ValueError("no list in it")


def _process(entry: Mapping[str, Any], variables: tuple[str, ...]) -> Process:
    record = entry["pm2_env"]
    environment = record.get("env") or {}
    instance = str(record.get(INSTANCE, environment.get(INSTANCE, "")))
    return Process(
        id=int(entry["pm_id"]),
        pid=int(entry.get("pid") or 0),
        name=str(entry["name"]),
        status=str(record.get("status", "")),
        restarts=int(record.get("restart_time") or 0),
        exec_mode=str(record.get("exec_mode", "")).replace("_mode", ""),
        cwd=str(record.get("pm_cwd", "")),
        script=str(record.get("pm_exec_path", "")),
        release=environment.get(RELEASE),
        mark=environment.get(MARK),
        instance=int(instance) if instance.isdigit() else None,
        variables={name: str(environment[name]) for name in variables if name in environment},
        kill_timeout=float(record.get("kill_timeout") or 1600) / 1000,
        logs=tuple(record[key] for key in ("pm_err_log_path", "pm_out_log_path") if record.get(key)),
    )


class Pm2:
    """One PM2 daemon, named by its home directory.

    What takes no more than a word of the daemon goes by its socket, through ``ask``; the command ``pm2`` does the rest,
    and that as well where the socket does not answer. ``patience``: seconds for a call that only asks or tells the
    daemon something. ``runner`` must start programs with nothing but the environment that it is given, and leave their
    output as it is: lists are parsed here, and what goes into an error is redacted here.
    """

    def __init__(
        self,
        runner: CommandRunner,
        *,
        home: str,
        user_home: str,
        path: str,
        executable: str = "pm2",
        secrets: Iterable[str] = (),
        variables: Iterable[str] = (),
        patience: float = _PATIENCE,
        ask: _pm2_rpc.Ask = _pm2_rpc.ask,
    ) -> None:
        self.runner = runner
        self.patience = patience
        self._ask = ask
        self.home = home
        self.secrets = tuple(secrets)
        self.variables = (APPLICATION, *variables)
        self._known: frozenset[int] = frozenset()
        self._executable = executable
        # The daemon hands its own environment down to every worker of every application, so it gets this and no more.
        # Without the last PM2 asks its maker's server for a newer version.
        self.environment = {"PATH": path, "HOME": user_home, "PM2_HOME": home, "PM2_DISABLE_VERSION_CHECK": "true"}

    @property
    def executable(self) -> str:
        """Full path of ``pm2``. SluiceError when it is not installed."""
        found = shutil.which(self._executable, path=self.environment["PATH"])
        if found is None:
            raise SluiceError(
                f"find {self._executable}",
                f"it is not on the path, which is {self.environment['PATH']}",
                "Install PM2, or name its directory in path_prepend",
            )
        return os.path.abspath(found)

    def running(self) -> bool:
        """Whether the daemon answers. Asking PM2 itself would start one."""
        path = os.path.join(self.home, "rpc.sock")
        if len(os.fsencode(path)) > _SOCKET_PATH_MAX:
            raise SluiceError(
                f"use the PM2 home {self.home}",
                f"its path is {len(os.fsencode(path)) - _SOCKET_PATH_MAX} bytes too long for a socket",
                "Set a shorter pm2_home",
            )
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5.0)
            try:
                client.connect(path)
            except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
                return False
            except OSError as error:
                raise SluiceError(
                    f"reach the PM2 daemon of {self.home}", error.strerror or str(error), "Run as the user who owns it"
                ) from error
        return True

    def ensure_daemon(self) -> None:
        """Start the daemon when it does not run, with a clean environment and in a closed home directory."""
        try:
            os.makedirs(self.home, mode=0o700, exist_ok=True)
            # PM2 keeps the applications' environments, secrets included, behind this directory's mode.
            os.chmod(self.home, 0o700)
        except OSError as error:
            raise SluiceError(f"use the PM2 home {self.home}", error.strerror or str(error)) from error
        if not self.running():
            # Its first call prints a banner, so that call must not be one whose output is read.
            self._check(self._call(["-s", "ping"]), "start the PM2 daemon")

    def processes(self, name: str) -> list[Process]:
        """Return the processes of that name, by id. None when the daemon does not run; it is not started."""
        return [process for process in self._list() if process.name == name]

    def others(self, application: str, names: Iterable[str]) -> list[Process]:
        """Return what was started for the application under another name than these."""
        known = set(names)
        return [
            process
            for process in self._list()
            if process.name not in known and (process.variables or {}).get(APPLICATION) == application
        ]

    def _list(self) -> list[Process]:
        if not self.running():
            self._known = frozenset()
            return []
        try:
            listed = sorted(self._told(), key=lambda process: process.id)
        except (ValueError, KeyError, TypeError) as error:
            raise SluiceError(
                "list the PM2 processes", "PM2 printed something that is not its list", f"Try: pm2 jlist ({self.home})"
            ) from error
        self._known = frozenset(process.id for process in listed)
        return listed

    def _told(self) -> list[Process]:
        try:
            entries = self._ask(self.home, "getMonitorData", {}, timeout=self.patience)
            return [_process(entry, self.variables) for entry in entries]
        except _pm2_rpc.LateError as late:
            raise self._silent("list the PM2 processes", late) from late
        except (_pm2_rpc.UnansweredError, _pm2_rpc.RefusedError, KeyError, TypeError, ValueError):
            done = self._check(self._call(["-s", "jlist"]), "list the PM2 processes")
            return parse_list(done.stdout, self.variables)

    def _silent(self, what: str, late: Exception) -> SluiceError:
        return SluiceError(what, f"the daemon of {self.home} gives {late}", f"See: {self.home}/pm2.log")

    def start(self, what: Start) -> Process:
        """Start one worker beside whatever runs under its name, and return it as PM2 lists it then.

        It may have crashed or be not ready; PM2's exit status says nothing about that. SluiceError when PM2 could not
        start anything. Whatever is new since the last list is taken for it, so list first.
        """
        before = self._known
        done = self._call(
            ["-s", *what.argv()], extra=what.environment, timeout=self.patience + what.listen_timeout, cwd=what.cwd
        )
        self._check(done, f"start {what.name} from {what.cwd}")
        new = [process for process in self.processes(what.name) if process.id not in before]
        if len(new) != 1:
            raise SluiceError(
                f"start {what.name} from {what.cwd}", f"PM2 reported success and lists {len(new)} new processes"
            )
        return new[0]

    def delete(self, process: Process) -> float:
        """Stop the worker with that id gracefully (SIGINT, then SIGKILL after its kill timeout) and forget it.

        Returns the seconds that it took to end. One that is gone already is no error.
        """
        seconds = self._end("delete", process)
        # PM2 begins to count at 0 again once its list is empty.
        self._known -= {process.id}
        return seconds

    def stop(self, process: Process) -> float:
        """Stop the worker gracefully and keep it in the list. Returns the seconds that it took to end."""
        return self._end("stop", process)

    def _end(self, verb: str, process: Process) -> float:
        what = f"{verb} the PM2 process {process.id} ({process.name})"
        # PM2 waits for the kill timeout twice: before and after SIGKILL.
        timeout = self.patience + 2 * process.kill_timeout
        began = time.monotonic()
        try:
            # As the command does: what is watched would be started again.
            self._ask(self.home, "stopWatch", f"{verb}ProcessId", process.id, timeout=self.patience)
            self._ask(self.home, f"{verb}ProcessId", process.id, timeout=timeout)
        except _pm2_rpc.LateError as late:
            raise self._silent(what, late) from late
        except _pm2_rpc.RefusedError as refused:
            if self._lists(process):
                raise SluiceError(what, f"its daemon says: {redact(str(refused), self.secrets)}") from None
        except _pm2_rpc.UnansweredError:
            done = self._call(["-s", verb, str(process.id)], timeout=timeout)
            if done.rc != 0 and self._lists(process):
                self._check(done, what)
            return done.seconds
        return time.monotonic() - began

    def _lists(self, process: Process) -> bool:
        return any(other.id == process.id for other in self._list())

    def save(self) -> None:
        """Make PM2 write its list for ``pm2 resurrect``; only the owner can read it. It holds every application."""
        # Without --force PM2 keeps an old list when nothing is left to run.
        self._check(self._call(["-s", "save", "--force"]), "save the PM2 process list")
        for name in ("dump.pm2", "dump.pm2.bak"):
            with contextlib.suppress(FileNotFoundError):
                os.chmod(os.path.join(self.home, name), 0o600)

    def saved(self, name: str) -> list[tuple[str | None, str]]:
        """Return mark and instance of the processes of that name that ``pm2 resurrect`` would start."""
        try:
            with open(os.path.join(self.home, "dump.pm2"), encoding="utf-8") as stream:
                records = json.load(stream)
        except (OSError, ValueError):
            return []
        environments = [record.get("env") or {} for record in records if record.get("name") == name]
        return sorted(((env.get(MARK), str(env.get(INSTANCE, ""))) for env in environments), key=str)

    def _call(
        self,
        words: Sequence[str],
        *,
        extra: Mapping[str, str] | None = None,
        timeout: float | None = None,
        cwd: str | None = None,
    ) -> Completed:
        executable = self.executable
        try:
            return self.runner(
                [executable, *words],
                cwd=cwd or self.home,
                env={**self.environment, **(extra or {})},
                timeout=timeout or self.patience,
            )
        except SluiceError as error:
            # Its fields hold the output as it is, and PM2's list has the environments in it.
            raise SluiceError(error.verb_and_thing, redact(error.cause, self.secrets), error.remedy) from None

    def _why_silent(self) -> str:
        # It says nothing of a disk that is full.
        with contextlib.suppress(OSError):
            if shutil.disk_usage(self.home).free < _ROOM:
                return f"the disk that {self.home} is on is full"
        return "it said nothing"

    def _check(self, done: Completed, what: str) -> Completed:
        if done.rc != 0:
            said = redact(tail(done.stderr, 5) or tail(done.stdout, 5), self.secrets).strip()
            raise SluiceError(what, f"pm2 exited with {done.rc}: {said or self._why_silent()}")
        return done
