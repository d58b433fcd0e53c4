# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Units of an application under systemd: ``<name>@<port>.service``, one for each instance.

What runs is read from systemd: the release and the mark from the environment that a unit has. Whatever runs is also
what starts at boot, for a unit is enabled before it is started and disabled when it is ended.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from ansible_collections.sluice.release.plugins.module_utils import _proc
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, Completed, tail
from ansible_collections.sluice.release.plugins.module_utils.process import _members, _unit
from ansible_collections.sluice.release.plugins.module_utils.process._program import Program
from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import Ended, Instance

_LINES = 20
_POLL = 0.05
# Seconds for a call of systemctl that only asks or notes something down.
_PATIENCE = 60.0
# Seconds that systemd gets beyond the time after which it kills.
_LAST = 15.0
_UNITS = "/etc/systemd/system"
# There when systemd is the first process (sd_booted(3)).
_BOOTED = "/run/systemd/system"


@dataclass
class Systemd:
    """The units of one application (a Runtime). ``directory`` holds the environments of the instances."""

    name: str
    directory: str
    runner: CommandRunner
    program: Program | None = None
    socket: str | None = None
    """Address of the socket that all instances inherit; None when each listens at a port of its own."""
    properties: dict[str, Any] = field(default_factory=dict)
    drain_timeout: float = 8.0
    keep: int = 1
    units: str = _UNITS
    booted: str = _BOOTED
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    reports_pids: bool = True
    _began: dict[str, float] = field(default_factory=dict)

    def instances(self) -> list[Instance]:
        return [_unit.instance(shown) for shown in self._shown()]

    def check(self) -> None:
        program = self._wanted()
        if not os.path.isdir(self.booted):
            raise SluiceError(
                f"run {self.name} as a unit", "systemd does not run on this host", "Use manager direct, or PM2"
            )
        if os.geteuid() != 0:
            raise SluiceError(f"run {self.name} as a unit", "only root can make units", "Use become")
        program.check()
        port = None if self.socket else 1
        with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
            unit = self._service(0, port)
            # The environment may be one of secrets and is not written for this; systemd looks for it at the start.
            path = os.path.join(scratch, self._unit(0, port))
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(_unit.service(unit))
            if self.socket:
                with open(os.path.join(scratch, self._socket_unit), "w", encoding="utf-8") as stream:
                    stream.write(_unit.socket(self.name, self.socket, os.path.basename(path)))
            done = self.runner(["systemd-analyze", "verify", path], timeout=_PATIENCE)
        wrong = [line for line in done.stderr.splitlines() if os.path.basename(path) in line or self._is_socket(line)]
        if wrong:
            said = wrong[0].replace(f"{scratch}/", "")
            raise SluiceError(f"use the unit of {self.name}", said, "Correct the options, properties among them")

    def start(self, number: int, port: int | None) -> Instance:
        wanted = self._service(number, port)
        unit = self._unit(number, port)
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            write_atomic(wanted.environment_file, _unit.environment_file(wanted.program.variables(number, port)), 0o600)
            write_atomic(os.path.join(self.units, unit), _unit.service(wanted), 0o644)
        except OSError as error:
            raise SluiceError(f"write the unit {unit}", error.strerror or str(error)) from error
        self._began[unit] = time.time()
        try:
            if self.socket:
                self._lead_socket_to(unit)
            self._call("daemon-reload")
            self._call("reset-failed", unit, may_fail=True)
            # Before it runs: whatever serves comes back after a reboot, however this run ends.
            self._call("enable", "--quiet", unit)
            self._call("start", unit, patience=self._wanted().patience + _LAST)
        except SluiceError as problem:
            shown = self._one(unit)
            words = self._lines(unit)
            with contextlib.suppress(SluiceError):
                self.end(_unit.instance(shown), keep=False)
            why = f"{problem.cause}; it is {_unit.instance(shown).status}"
            raise SluiceError(problem.verb_and_thing, f"{why}: {words[-1]}" if words else why) from problem
        return _unit.instance(self._one(unit))

    def end(self, instance: Instance, *, keep: bool) -> Ended:
        unit = instance.id
        shares = instance.port is None and _is_ours(self._socket_path)
        if shares and not any(one.alive for one in self._heirs(unit)):
            # A connection that comes when nothing is left to serve it would start it again.
            self._call("stop", self._socket_unit, may_fail=True)
        self._call("disable", "--quiet", unit, may_fail=True)
        ended = self._stop(instance)
        self._call("reset-failed", unit, may_fail=True)
        if not keep:
            self._remove(unit)
        if shares:
            self._lead_socket_away(unit)
        return ended

    def lines(self, instance: Instance) -> list[str]:
        return self._lines(instance.id)

    def prune(self, serving: str) -> None:
        """Units are small, and at most one release has some beside the one that serves."""
        if not self.keep or self.socket:
            for one in self.instances():
                if not one.alive and one.release != serving:
                    self._remove(one.id)

    def clear(self) -> None:
        """Remove what is left when no unit is."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def owns(self, instance: Instance, pid: int) -> bool:
        """Whether the process belongs to the instance: ``npm start`` is another one than what answers."""
        return pid == instance.pid or _members.in_unit(pid, instance.id)

    def starts_at_boot(self) -> list[str]:
        """Return what is not as it should be at the next boot: what runs starts then, and nothing else."""
        return [shown["Id"] for shown in self._shown() if _differs_at_boot(shown)]

    def set_boot(self) -> None:
        """Let start at boot what runs, and nothing else."""
        for shown in self._shown():
            if _differs_at_boot(shown):
                self._call("enable" if _unit.instance(shown).alive else "disable", "--quiet", shown["Id"])

    # -- units -----------------------------------------------------------------------------------------------------

    def _wanted(self) -> Program:
        # Only state active starts anything, and it has one.
        return cast("Program", self.program)

    def _service(self, number: int, port: int | None) -> _unit.Service:
        return _unit.Service(
            self._wanted(),
            number,
            self._environment_file(self._unit(number, port)),
            port,
            self._socket_unit if self.socket else None,
            self.properties,
        )

    def _unit(self, number: int, port: int | None) -> str:
        # At a shared address old and new run beside each other under names of their own.
        key = str(port) if port is not None else f"{number}-{self._wanted().mark[:8]}"
        return f"{self.name}@{key}.service"

    def _environment_file(self, unit: str) -> str:
        return os.path.join(self.directory, f"{unit}.env")

    def _remove(self, unit: str) -> None:
        path = os.path.join(self.units, unit)
        # A unit that another hand has made is that one's to remove.
        if _is_ours(path):
            for name in (path, self._environment_file(unit)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)
            self._call("daemon-reload")

    def _stop(self, instance: Instance) -> Ended:
        began, unit, port = self.now(), instance.id, instance.port or self._shared_port()
        shown = self._one(unit)
        if not _unit.instance(shown).alive:
            return Ended(0.0)
        self._call("stop", "--no-block", unit)
        main, connections = _unit.instance(shown).pid, None
        # The unit's own time counts, which may be longer than this call's: it is as it was when it was started.
        until = self.now() + self._stop_seconds(unit) + _LAST
        while True:
            if main and port and _proc.process(main):
                connections = _members.connections([main], port, alone=instance.port is not None)
            else:
                shown = self._one(unit)
                if not _unit.instance(shown).alive:
                    break
            if self.now() > until:
                raise SluiceError(
                    f"end {unit}", f"it is {_unit.instance(shown).status}", f"See: systemctl status {unit}"
                )
            self.sleep(_POLL)
        left = _members.of_unit(unit)
        if left:
            raise SluiceError(
                f"end {unit}", f"process {', '.join(map(str, left))} of it is still there", "See its state in ps"
            )
        killed = shown.get("Result") == "timeout"
        return Ended(self.now() - began, killed, connections if killed else 0)

    def _stop_seconds(self, unit: str) -> float:
        text = self._call("show", "--property=TimeoutStopUSec", "--value", unit, may_fail=True).stdout.strip()
        return _unit.seconds(text)

    # -- the shared socket -----------------------------------------------------------------------------------------

    @property
    def _socket_unit(self) -> str:
        return f"{self.name}.socket"

    def _is_socket(self, line: str) -> bool:
        return bool(self.socket) and self._socket_unit in line

    @property
    def _socket_path(self) -> str:
        return os.path.join(self.units, self._socket_unit)

    def _heirs(self, unit: str) -> list[Instance]:
        """Return the other instances that have the socket."""
        return [one for one in self.instances() if one.id != unit and one.mark and one.port is None]

    def _shared_port(self) -> int | None:
        if not _is_ours(self._socket_path):
            return None
        with open(self._socket_path, encoding="utf-8") as stream:
            return _unit.listens_at(stream.read())

    def _lead_socket_to(self, unit: str) -> None:
        """Write the socket's unit. It must name a unit that there is, which is started when none of them runs."""
        if os.path.exists(self._socket_path) and not _is_ours(self._socket_path):
            raise SluiceError(
                f"listen at {self.socket}",
                f"{self._socket_path} was made by another hand",
                "Remove it, or use ports and a proxy",
            )
        write_atomic(self._socket_path, _unit.socket(self.name, self.socket or "", unit), 0o644)

    def _lead_socket_away(self, unit: str) -> None:
        heirs = self._heirs(unit)
        alive = [one for one in heirs if one.alive]
        if alive:
            with open(self._socket_path, encoding="utf-8") as stream:
                text = stream.read()
            write_atomic(self._socket_path, _unit.led_to(text, alive[0].id), 0o644)
        elif not heirs and not os.path.exists(os.path.join(self.units, unit)):
            os.unlink(self._socket_path)
        self._call("daemon-reload")

    # -- asking and telling ----------------------------------------------------------------------------------------

    def _shown(self) -> list[dict[str, str]]:
        if not os.path.isdir(self.booted):
            return []
        # What systemd has loaded matches a pattern; what lies there and does not run has to be named.
        there = [
            os.path.basename(path)
            for path in glob.glob(os.path.join(glob.escape(self.units), f"{self.name}@?*.service"))
        ]
        names = [f"{self.name}@*.service", f"{self.name}.service", *there]
        done = self._call("show", "--all", f"--property={_unit.SHOWN}", *names)
        found = [shown for shown in _unit.parse(done.stdout) if shown.get("LoadState") != "not-found" or _runs(shown)]
        return sorted(found, key=lambda shown: shown["Id"])

    def _one(self, unit: str) -> dict[str, str]:
        done = self._call("show", f"--property={_unit.SHOWN}", unit, may_fail=True)
        return next(iter(_unit.parse(done.stdout)), {"Id": unit, "ActiveState": "inactive"})

    def _lines(self, unit: str) -> list[str]:
        since = f"@{self._began[unit]:.3f}" if unit in self._began else "-1h"
        self.runner(["journalctl", "--quiet", "--sync"], timeout=_PATIENCE)
        done = self.runner(
            ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={_LINES}", f"--since={since}",
             f"_SYSTEMD_UNIT={unit}"],
            timeout=_PATIENCE,
        )  # fmt: skip
        return done.stdout.splitlines()

    def _call(self, *words: str, may_fail: bool = False, patience: float = _PATIENCE) -> Completed:
        done = self.runner(["systemctl", *words], timeout=patience)
        if done.rc and not may_fail:
            what = next((word for word in words[1:] if not word.startswith("-")), "")
            raise SluiceError(
                f"{words[0]} {what}".strip(), tail(done.stderr or done.stdout, 1) or f"systemctl exited with {done.rc}"
            )
        return done


def _runs(shown: dict[str, str]) -> bool:
    return _unit.instance(shown).alive


def _differs_at_boot(shown: dict[str, str]) -> bool:
    state = shown.get("UnitFileState")
    return (state == "disabled" and _runs(shown)) or (state == "enabled" and not _runs(shown))


def _is_ours(path: str) -> bool:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read(len(_unit.HEADER)) == _unit.HEADER
    except (OSError, UnicodeDecodeError):
        return False
