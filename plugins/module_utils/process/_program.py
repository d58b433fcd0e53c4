# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a process of an application is started with, whoever runs it, and what can be refused before it is."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

# Variables that tell of a running process what it is; its state is read from them.
RELEASE = "SLUICE_RELEASE"
MARK = "SLUICE_MARK"
INSTANCE = "SLUICE_INSTANCE"
APPLICATION = "SLUICE_APPLICATION"
PORT = "SLUICE_PORT"
OURS = (RELEASE, MARK, INSTANCE, APPLICATION, PORT)

# Seconds that a process gets beyond its drain timeout before it is killed.
MARGIN = 2.0
# Where programs are looked for besides the directories of the profile; never the PATH of whoever runs the module.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What systemd takes before the @ of a unit's name, without what would have to be escaped.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Program:
    """How the processes of a release are started. Times in seconds."""

    name: str
    release: str
    mark: str
    path: str
    """The release directory itself, not the link: a process that is started again starts from there."""
    command: Sequence[str]
    environment: Mapping[str, str]
    user: str
    search_path: str
    port_variable: str = "PORT"
    stop_signal: str = "SIGTERM"
    drain_timeout: float = 8.0

    @property
    def patience(self) -> float:
        """Seconds from the signal to the kill."""
        return self.drain_timeout + MARGIN

    @property
    def argv(self) -> list[str]:
        """The command with the full path of its program. SluiceError when there is no such program."""
        first = self.command[0]
        if os.sep in first:
            found = os.path.normpath(os.path.join(self.path, first))
            if not (os.path.isfile(found) and os.access(found, os.X_OK)):
                why = "it is not executable" if os.path.exists(found) else "there is no such file"
                raise SluiceError(f"run {found}", why, "Correct the option command")
        else:
            program = shutil.which(first, path=self.search_path)
            if program is None:
                raise SluiceError(
                    f"run {first}",
                    "there is no such program",
                    f"Install it, or add its directory to the path, which is {self.search_path}",
                )
            found = program
        return [found, *self.command[1:]]

    def marks(self, number: int, port: int | None) -> dict[str, str]:
        """Return the variables that tell what an instance is. None of them is a secret."""
        told = {APPLICATION: self.name, RELEASE: self.release, MARK: self.mark, INSTANCE: str(number)}
        return {**told, **({} if port is None else {PORT: str(port), self.port_variable: str(port)})}

    def variables(self, number: int, port: int | None) -> dict[str, str]:
        """Return the whole environment of an instance, except for what its user brings (HOME, USER)."""
        return {"PATH": self.search_path, **self.environment, **self.marks(number, port)}

    def check(self) -> None:
        """Refuse what can be known to fail before anything is started."""
        if not os.path.isdir(self.path):
            raise SluiceError(f"start {self.name} in {self.path}", "there is no such directory")
        if not self.argv:
            raise SluiceError(f"start {self.name}", "its command is empty", "Name a program")
        account(self.user)


def check_name(name: str) -> None:
    """Refuse a name that no unit can have."""
    if not _NAME.fullmatch(name):
        raise SluiceError(
            f"use the name {name!r}", "it has other characters than letters, digits and _.:-", "Choose another"
        )


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse variables that would be left out, or would make a process look like another."""
    # Only names are told: values may be secrets.
    bad = sorted(name for name, value in environment.items() if not _VARIABLE.fullmatch(name) or "\0" in value)
    if bad:
        raise SluiceError(
            "use the configuration", f"no process can have the variable {', '.join(bad)}", "Rename or correct it"
        )
    taken = sorted(name for name in environment if name in OURS)
    if taken:
        raise SluiceError(
            "use the configuration", f"{', '.join(taken)} would make a process look like another", "Rename the variable"
        )


def check_signal(name: str) -> None:
    """Refuse a signal that does not exist, and the one that leaves no time to drain."""
    if name == "SIGKILL" or name not in signal.Signals.__members__:
        raise SluiceError(f"end processes by {name}", "it is no signal that a process can act on", "Use SIGTERM")


def account(user: str) -> pwd.struct_passwd:
    """Return the entry of a user. SluiceError when there is none."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise SluiceError(
            f"run processes as {user}", "this host has no such user", "Make it, or name another"
        ) from None
