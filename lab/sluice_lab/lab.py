# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything of the lab lies, and what was drawn once for it: ports and secrets."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import LabError

PROJECT = Path(__file__).resolve().parents[2]
# Below the range from which the kernel draws ports for outgoing connections: ours are still free on the next start.
PORTS = range(20000, 32000)
# Linux allows 107 bytes for the path of a Unix socket; PM2 makes its sockets in its home directory.
LONGEST_SOCKET = 107


@dataclass(frozen=True)
class Facts:
    """What `.lab/lab.yml` holds and the lab's inventory reads: drawn once, kept for the lab's life."""

    app_port: int
    postgres_port: int
    valkey_port: int
    shadow_port: int
    postgres_password: str = field(repr=False)
    database_password: str = field(repr=False)
    redis_password: str = field(repr=False)
    jwt_secret: str = field(repr=False)

    @classmethod
    def draw(cls) -> Facts:
        """Draw free ports and new secrets (letters and digits only: they stand in URLs)."""
        app, postgres, valkey, shadow = free_ports(4)
        return cls(app, postgres, valkey, shadow, *(secrets.token_hex(20) for _ in range(4)))

    @classmethod
    def parse(cls, text: str) -> Facts:
        """Read facts back. What the file of an older lab lacks is drawn, what it has too much is left out."""
        values: dict[str, Any] = {}
        for line in text.splitlines():
            if line and not line.startswith(("#", "---")):
                name, _, value = line.partition(": ")
                values[name] = json.loads(value)
        return cls(**{name: values.get(name, drawn) for name, drawn in asdict(cls.draw()).items()})

    def render(self) -> str:
        """Return the facts as YAML, each value in its JSON form, so that the standard library can read them back."""
        lines = [f"{name}: {json.dumps(value)}" for name, value in asdict(self).items()]
        return "\n".join(["---", "# Drawn once by the lab. Holds secrets: mode 0600, never committed.", *lines, ""])


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports on which nothing listens on the loopback."""
    found: list[int] = []
    for _ in range(1000):
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
        if len(found) == count:
            return found
    raise LabError("choose ports for the lab", f"no {count} free ports found from {PORTS.start} to {PORTS.stop - 1}")


@dataclass(frozen=True)
class Lab:
    """The places of one lab: `project` holds the sources, `state` (usually `<project>/.lab`) everything else."""

    project: Path = PROJECT
    state: Path = PROJECT / ".lab"

    @property
    def facts_file(self) -> Path:
        return self.state / "lab.yml"

    @property
    def bin(self) -> Path:
        return self.state / "bin"

    @property
    def postgres(self) -> Path:
        return self.state / "postgres"

    @property
    def valkey(self) -> Path:
        return self.state / "valkey"

    @property
    def node(self) -> Path:
        return self.state / "node"

    @property
    def pm2_home(self) -> Path:
        return self.state / "pm2"

    @property
    def releases(self) -> Path:
        return self.state / "releases"

    def prepare(self) -> Facts:
        """Make the state directory and the facts, or read what an earlier run made."""
        longest = self.pm2_home / "interactor.sock"
        if len(os.fsencode(longest)) > LONGEST_SOCKET:
            raise LabError(
                f"use {self.state}",
                f"the path of a socket in it would be longer than {LONGEST_SOCKET} bytes",
                "Move the project to a directory with a shorter path",
            )
        if self.state.exists() and self.state.stat().st_uid != os.geteuid():
            raise LabError(
                f"use {self.state}",
                "another user made it",
                "Run `make demo-clean` as that user first, or go on as that user",
            )
        # Not 0700: as root, PostgreSQL runs as another user and must reach its own directory in here.
        self.state.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.state.chmod(0o711)
        for private in (self.valkey, self.node, self.pm2_home):
            private.mkdir(mode=0o700, exist_ok=True)
        facts = self.facts() if self.facts_file.exists() else Facts.draw()
        if not self.facts_file.exists() or self.facts_file.read_text() != facts.render():
            temporary = self.facts_file.with_suffix(".new")
            temporary.touch(mode=0o600)
            temporary.write_text(facts.render())
            temporary.rename(self.facts_file)
        return facts

    def facts(self) -> Facts:
        """Read the facts; raises LabError when there is no lab."""
        try:
            return Facts.parse(self.facts_file.read_text())
        except FileNotFoundError as error:
            raise LabError("find the lab", f"{self.facts_file} does not exist", "Run `make lab`") from error
        except ValueError as error:
            raise LabError(
                f"read {self.facts_file}", str(error), "Remove that file; its passwords are lost then"
            ) from error

    def remove(self) -> None:
        """Remove the state directory with everything in it. Its processes must have been stopped before."""
        if self.state.exists():
            shutil.rmtree(self.state)


def clean_environment(lab: Lab) -> dict[str, str]:
    """Return an environment for our tools: their own PATH first, and nothing of the caller's that could mislead."""
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    kept = (
        "HOME",
        "USER",
        "TERM",
        "TMPDIR",
        "NODE_EXTRA_CA_CERTS",
        "SSL_CERT_FILE",
        *proxies,
        *map(str.lower, proxies),
    )
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment["PATH"] = f"{lab.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    environment["LC_ALL"] = "C.UTF-8"
    environment["PM2_HOME"] = str(lab.pm2_home)
    return environment
