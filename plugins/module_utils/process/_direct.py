# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Processes of an application on a host without a service manager: each in a session of its own.

What runs is read from /proc: the release and the mark from the environment that a process was started with. A note
beside it holds what tells a process for sure from a later one of the same id.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from ansible_collections.sluice.release.plugins.module_utils import _proc
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.process import _members
from ansible_collections.sluice.release.plugins.module_utils.process._program import (
    APPLICATION,
    INSTANCE,
    MARGIN,
    MARK,
    PORT,
    RELEASE,
    Program,
    account,
)
from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import Ended, Instance

_LINES = 20
_LOG_BYTES = 1 << 16
# Seconds that the kernel gets to end what was killed.
_LAST = 5.0


@dataclass(frozen=True)
class Note:
    """What is known of a process that was started. ``patience``: seconds from the signal to the kill."""

    pid: int
    started: int
    boot: str
    number: int
    port: int
    release: str
    mark: str
    stop_signal: str
    patience: float


@dataclass
class Direct:
    """The processes of one application (a Runtime). ``directory`` holds their notes and logs."""

    name: str
    directory: str
    program: Program | None = None
    secrets: Sequence[str] = ()
    stop_signal: str = "SIGTERM"
    drain_timeout: float = 8.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    reports_pids: bool = True
    _children: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _log_sizes: dict[str, int] = field(default_factory=dict)

    def instances(self) -> list[Instance]:
        notes = self._notes()
        found = [self._noted(key, note) for key, note in sorted(notes.items())]
        known = {one.pid for one in found}
        # A run that was killed between the start of a process and its note has left one without.
        return [*found, *(one for one in self._unnoted() if one.pid not in known)]

    def check(self) -> None:
        program = self._wanted()
        program.check()
        if program.user != _own_name() and os.geteuid() != 0:
            raise SluiceError(
                f"run {self.name} as {program.user}", "only root can start processes of another user", "Use become"
            )
        self._make_directory()

    def start(self, number: int, port: int | None) -> Instance:
        program = self._wanted()
        if port is None:
            raise SluiceError(f"start {self.name}", "it has no port")
        self._make_directory()
        key = str(port)
        log = self._path(key, "log")
        child = self._spawn(program, program.variables(number, port), log)
        self._children[child.pid] = child
        process = _proc.process(child.pid)
        note = Note(
            child.pid,
            process.started if process else 0,
            _members.boot_id(),
            number,
            port,
            program.release,
            program.mark,
            program.stop_signal,
            program.patience,
        )
        try:
            write_atomic(self._path(key, "json"), json.dumps(note.__dict__))
            write_atomic(self._path(key, "pid"), f"{child.pid}\n", 0o644)
        except OSError as error:
            self._end_session(child.pid, port, "SIGKILL", 0.0)
            raise SluiceError(f"write a note in {self.directory}", error.strerror or str(error)) from error
        return self._noted(key, note)

    def end(self, instance: Instance, *, keep: bool) -> Ended:
        notes = self._notes()
        key = next((key for key, note in notes.items() if note.pid == instance.pid), None)
        note = notes.get(key or "")
        ended = Ended(0.0)
        if instance.pid and instance.alive:
            ended = self._end_session(
                instance.pid,
                instance.port,
                note.stop_signal if note else self.stop_signal,
                note.patience if note else self.drain_timeout + MARGIN,
            )
        if key:
            for kind in ("json", "pid") if keep else ("json", "pid", "log"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path(key, kind))
        return ended

    def lines(self, instance: Instance) -> list[str]:
        path = self._path(str(instance.port), "log")
        try:
            with open(path, "rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                stream.seek(max(self._log_sizes.get(path, 0), size - _LOG_BYTES))
                text = stream.read().decode(errors="replace")
        except OSError:
            return []
        return redact(text, self.secrets).splitlines()[-_LINES:]

    def prune(self, serving: str) -> None:
        """Nothing of a process can be kept but its log; a note without its process is of no use."""
        for one in self.instances():
            if not one.alive and one.release != serving:
                self.end(one, keep=True)

    def clear(self) -> None:
        """Remove what is left of ended processes, their logs as well."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def owns(self, instance: Instance, pid: int) -> bool:
        """Whether the process belongs to the instance: ``npm start`` is another one than what answers."""
        process = _proc.process(pid)
        return process is not None and process.session == instance.pid

    # -- notes -----------------------------------------------------------------------------------------------------

    def _notes(self) -> dict[str, Note]:
        notes = {}
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self.directory):
                key, dot, kind = name.rpartition(".")
                if dot and kind == "json" and key.isdigit():
                    with contextlib.suppress(OSError, ValueError, TypeError), open(self._path(key, kind)) as stream:
                        notes[key] = Note(**json.load(stream))
        return notes

    def _noted(self, key: str, note: Note) -> Instance:
        child = self._children.get(note.pid)
        code = child.poll() if child else None
        alive = code is None and self._runs(note)
        status = "running" if alive else "gone" if code is None else _how(code)
        return Instance(
            id=f"{self.name}:{key}",
            number=note.number,
            port=note.port,
            release=note.release,
            mark=note.mark,
            alive=alive,
            pid=note.pid,
            status=status,
        )

    def _runs(self, note: Note) -> bool:
        if note.boot != _members.boot_id():
            return False
        leader = _proc.process(note.pid)
        if leader:
            return leader.started == note.started
        # Its first process may have gone and left others, which have the port. They carry the mark as it did.
        return any(_members.environment(pid).get(MARK) == note.mark for pid in _members.session(note.pid))

    def _unnoted(self) -> Iterator[Instance]:
        for process in _members.processes():
            if process.session != process.pid:
                continue
            told = _members.environment(process.pid)
            # A helper that an instance has put into a session of its own inherits the marks; its parent is noted.
            if told.get(APPLICATION) == self.name and told.get(PORT, "").isdigit() and not self._is_helper(told):
                yield Instance(
                    id=f"{self.name}:{told[PORT]}#{process.pid}",
                    number=int(told.get(INSTANCE, "0") or 0),
                    port=int(told[PORT]),
                    release=told.get(RELEASE),
                    mark=told.get(MARK),
                    pid=process.pid,
                    status="running",
                )

    def _is_helper(self, told: Mapping[str, str]) -> bool:
        note = self._notes().get(told[PORT])
        return note is not None and note.mark == told.get(MARK) and self._runs(note)

    # -- processes -------------------------------------------------------------------------------------------------

    def _spawn(self, program: Program, variables: Mapping[str, str], log: str) -> subprocess.Popen[bytes]:
        entry = account(program.user)
        home = {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}
        other: dict[str, Any] = {}
        if program.user != _own_name():
            groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
            other = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}
        try:
            with open(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640), "ab") as stream:
                self._log_sizes[log] = os.fstat(stream.fileno()).st_size
                # Not a byte of our own environment, and no descriptor of ours but its log.
                return subprocess.Popen(
                    program.argv,
                    cwd=program.path,
                    env={**home, **variables},
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    **other,
                )
        except OSError as error:
            raise SluiceError(f"start {program.command[0]}", error.strerror or str(error)) from error

    def _end_session(self, leader: int, port: int | None, stop_signal: str, patience: float) -> Ended:
        """Signal the process group and wait until the whole session is gone; kill what is left of it after that."""
        began = self.now()

        def members() -> list[int]:
            if leader in self._children:
                self._children[leader].poll()
            return _members.session(leader)

        self._signal(lambda: os.killpg(leader, signal.Signals[stop_signal]))
        left = _members.wait_gone(members, began + patience, self.now, self.sleep)
        if not left:
            return Ended(self.now() - began, connections=0)
        connections = None if port is None else _members.connections(left, port, alone=True)
        for pid in left:
            self._signal(partial(os.kill, pid, signal.SIGKILL))
        left = _members.wait_gone(members, self.now() + _LAST, self.now, self.sleep)
        if left:
            raise SluiceError(
                f"end process {leader} of {self.name}",
                f"process {', '.join(map(str, left))} is still there {_LAST:g} s after it was killed",
                "The kernel waits for something, a disk perhaps; see its state in ps",
            )
        return Ended(self.now() - began, killed=True, connections=connections)

    def _signal(self, send: Callable[[], None]) -> None:
        try:
            send()
        except ProcessLookupError:
            pass
        except PermissionError as error:
            raise SluiceError(
                f"end a process of {self.name}", "it belongs to another user", "Run as that user, or use become"
            ) from error

    # -- places ----------------------------------------------------------------------------------------------------

    def _wanted(self) -> Program:
        # Only state active starts anything, and it has one.
        return cast("Program", self.program)

    def _path(self, key: str, kind: str) -> str:
        return os.path.join(self.directory, f"{key}.{kind}")

    def _make_directory(self) -> None:
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
        except OSError as error:
            raise SluiceError(f"make the directory {self.directory}", error.strerror or str(error)) from error


def _own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _how(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exited with {code}"
