# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Unit files of an application, and what systemd tells of its units: text in, text out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.process._program import (
    INSTANCE,
    MARK,
    PORT,
    RELEASE,
    Program,
)
from ansible_collections.sluice.release.plugins.module_utils.switch._runtime import Instance

HEADER = "# Written by sluice.release.process_switch. What you change here is lost with the next release.\n"

SHOWN = (
    "Id,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,ExecMainStatus,Environment,UnitFileState,FragmentPath"
)

# Each can be set otherwise by the option properties.
_PROPERTIES: Mapping[str, str] = {
    "Type": "exec",
    "Restart": "on-failure",
    "RestartSec": "2",
    "UMask": "0027",
    "NoNewPrivileges": "yes",
    "PrivateTmp": "yes",
    "ProtectSystem": "full",
    "ProtectControlGroups": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
}
# What the options of the module say; a second word on it could only contradict them.
_TAKEN = (
    "Environment",
    "EnvironmentFile",
    "ExecStart",
    "KillSignal",
    "NonBlocking",
    "Sockets",
    "TimeoutStopSec",
    "User",
    "WorkingDirectory",
)
_PROPERTY = re.compile(r"[A-Z][A-Za-z0-9]*")
# Inside double quotes an environment file knows these escapes and no other.
_ESCAPED = re.compile(r'(["\\`$])')
_BACKSLASHED = r"\\\1"
_LIVING = ("active", "activating", "reloading", "deactivating")


@dataclass(frozen=True)
class Service:
    """What one unit of an application is made from."""

    program: Program
    number: int
    environment_file: str
    port: int | None = None
    socket: str | None = None
    """The socket unit whose socket it inherits."""
    properties: Mapping[str, Any] = field(default_factory=dict)


def check_properties(properties: Mapping[str, Any]) -> None:
    """Refuse directives that are none, and those that options of the module set."""
    for name, value in properties.items():
        values = value if isinstance(value, list) else [value]
        if name in _TAKEN:
            raise SluiceError(f"set {name} in properties", "an option of process_switch sets it", "Use that option")
        if not _PROPERTY.fullmatch(name) or any("\n" in str(one) for one in values):
            raise SluiceError(f"set {name!r} in properties", "it is no directive of one line", "Correct the profile")


def service(wanted: Service) -> str:
    """Return the unit file of an instance.

    It is whole, without a template: a unit of the old release must not change because the new one is started otherwise.
    """
    program = wanted.program
    marks = program.marks(wanted.number, wanted.port)
    unit = [
        f"Description={_literal(program.name)} {_literal(program.release)}",
        "After=network-online.target",
        "Wants=network-online.target",
        # An application that cannot start now, for want of its database perhaps, is tried again for ever.
        "StartLimitIntervalSec=0",
    ]
    body = [
        f"User={program.user}",
        f"WorkingDirectory={_literal(program.path)}",
        # Marks are here as well, where anybody can read them. The file has the last word.
        *(f"Environment={_word(f'{name}={value}')}" for name, value in marks.items()),
        f"EnvironmentFile={_literal(wanted.environment_file)}",
        f"ExecStart={' '.join(_word(word).replace('$', '$$') for word in program.argv)}",
        f"KillSignal={program.stop_signal}",
        f"TimeoutStopSec={program.patience:g}",
        f"SyslogIdentifier={_literal(program.name)}",
        # Without NonBlocking= the start of a new process makes the socket block those that have it already.
        *([f"Sockets={wanted.socket}", "NonBlocking=yes"] if wanted.socket else []),
    ]
    for name, value in {**_PROPERTIES, **wanted.properties}.items():
        body += [f"{name}={_shown(one)}" for one in (value if isinstance(value, list) else [value])]
    return _sections(Unit=unit, Service=body, Install=["WantedBy=multi-user.target"])


def socket(name: str, address: str, unit: str) -> str:
    """Return the socket unit that all instances inherit; ``unit`` is the one to start when none of them runs."""
    return _sections(
        Unit=[f"Description=Socket of {_literal(name)}"],
        Socket=[f"ListenStream={_literal(address)}", f"Service={unit}"],
        Install=["WantedBy=sockets.target"],
    )


def led_to(text: str, unit: str) -> str:
    """Return a socket's unit file with another unit to start when none runs."""
    return re.sub(r"(?m)^Service=.*$", lambda _match: f"Service={unit}", text)


def listens_at(text: str) -> int | None:
    """Return the TCP port of a socket's unit file; None when it is no such socket."""
    found = re.search(r"(?m)^ListenStream=(?:.*:)?(\d+)$", text)
    return int(found[1]) if found else None


def environment_file(variables: Mapping[str, str]) -> str:
    """Return the text of an environment file that gives a process exactly these values."""
    return "".join(f'{name}="{_ESCAPED.sub(_BACKSLASHED, value)}"\n' for name, value in sorted(variables.items()))


def parse(text: str) -> list[dict[str, str]]:
    """Read the output of ``systemctl show`` about several units."""
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in text.split("\n\n")]
    return list({block["Id"]: block for block in blocks if block.get("Id")}.values())


def instance(shown: Mapping[str, str]) -> Instance:
    """Return the instance that a unit is. One that another hand has made has neither release nor mark."""
    told = dict(word.split("=", 1) for word in shlex.split(shown.get("Environment", "")) if "=" in word)
    port = told.get(PORT, "")
    restarts = shown.get("NRestarts", "0")
    pid = int(shown.get("MainPID", "0") or 0)
    return Instance(
        id=shown["Id"],
        number=int(told[INSTANCE]) if told.get(INSTANCE, "").isdigit() else 0,
        port=int(port) if port.isdigit() else None,
        release=told.get(RELEASE),
        mark=told.get(MARK),
        alive=shown.get("ActiveState") in _LIVING,
        pid=pid or None,
        restarts=int(restarts) if restarts.isdigit() else 0,
        status=_status(shown),
    )


def seconds(span: str) -> float:
    """Read a span of time as ``systemctl show`` writes it (``1min 30s``); 90, systemd's own default, when it cannot."""
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
    found = re.findall(r"([\d.]+)(us|ms|min|s|h)\b", span)
    return sum(float(number) * units[unit] for number, unit in found) if found else 90.0


def _status(shown: Mapping[str, str]) -> str:
    state = f"{shown.get('ActiveState', 'unknown')} ({shown.get('SubState', '')})"
    code = shown.get("ExecMainStatus", "0")
    result = shown.get("Result", "success")
    if result == "success":
        return state
    return f"{state}, {result}{f' {code}' if code not in ('', '0') else ''}"


def _sections(**sections: Sequence[str]) -> str:
    return HEADER + "\n".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in sections.items())


def _literal(text: str) -> str:
    """Return a value that takes the rest of its line: only % has a meaning in it."""
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """Return one word of a line of words."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{_literal(escaped)}"'


def _shown(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
