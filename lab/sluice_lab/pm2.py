# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PM2, installed from the lab's lock file, with a daemon and a home directory of its own."""

from __future__ import annotations

import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .lab import Lab, clean_environment
from .processes import pid_from, stop


@dataclass(frozen=True)
class Pm2:
    """The lab's PM2 daemon."""

    lab: Lab
    name = "PM2"

    @property
    def pid_file(self) -> Path:
        return self.lab.pm2_home / "pm2.pid"

    @property
    def mark(self) -> str:
        # The daemon's title names its home: another user's daemon, or another lab's, is never taken for this one.
        return f"God Daemon ({self.lab.pm2_home})"

    @property
    def pid(self) -> int | None:
        return pid_from(self.pid_file, self.mark)

    @property
    def address(self) -> str:
        return str(self.lab.pm2_home)

    def start(self) -> bool:
        """Bring the daemon up, installing PM2 first when its lock file is new; return False when it was running."""
        self._install()
        if self.pid is not None:
            return False
        self._run([str(self.lab.bin / "pm2"), "-s", "ping"], self.lab.state)
        return True

    def stop(self) -> bool:
        """End the daemon and with it every process it runs; return whether it was running."""
        return stop(self.pid_file, self.mark, gently=signal.SIGTERM, patience=30)

    def _install(self) -> None:
        wanted = self.lab.project / "lab" / "pm2"
        lock = (wanted / "package-lock.json").read_bytes()
        marker = self.lab.node / "installed-lock.json"
        if marker.exists() and marker.read_bytes() == lock:
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(wanted / name, self.lab.node / name)
        self._run([str(self.lab.bin / "npm"), "ci", "--no-audit", "--no-fund", "--loglevel=error"], self.lab.node)
        marker.write_bytes(lock)

    def _run(self, command: list[str], directory: Path) -> None:
        # The daemon inherits the environment of the first command: it must hold nothing but this.
        environment = clean_environment(self.lab)
        done = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
            cause = " / ".join(said) or f"exit status {done.returncode}"
            raise LabError(f"run {Path(command[0]).name} {command[1]}", cause)
