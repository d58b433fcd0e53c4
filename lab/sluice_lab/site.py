# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application of a lab without Ansible: its releases, built as a deploy would build them, and what they need."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from .errors import LabError
from .lab import Facts, Lab, clean_environment


@dataclass(frozen=True)
class Site:
    """The servers of a lab that runs, and releases that are built."""

    lab: Lab
    facts: Facts
    built: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.facts.app_port}"

    @property
    def database_url(self) -> str:
        facts = self.facts
        return f"postgresql://dealradar:{facts.database_password}@127.0.0.1:{facts.postgres_port}/dealradar"

    @property
    def environment(self) -> dict[str, str]:
        """What a release is started with."""
        return {
            **clean_environment(self.lab),
            "NODE_ENV": "production",
            "PORT": str(self.facts.app_port),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": f"redis://:{self.facts.redis_password}@127.0.0.1:{self.facts.valkey_port}/0",
            "JWT_SECRET": self.facts.jwt_secret,
        }

    def at(self, port: int) -> Self:
        """Return the same with the application at another port."""
        return replace(self, facts=replace(self.facts, app_port=port))

    def run(self, version: str, *command: str) -> str:
        """Run a program of the lab in a release, and return what it printed. LabError when it fails."""
        done = subprocess.run(
            [self.lab.bin / command[0], *command[1:]],
            cwd=self.built / version,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()[-2000:]
            raise LabError(f"run {' '.join(command)} in {version}", f"it ended with {done.returncode} and said {said}")
        return done.stdout.strip()

    def build(self, versions: Iterable[str] | None = None) -> None:
        """Build releases, by default all that there are. They share the dependencies of the first."""
        shutil.copytree(self.lab.releases, self.built)
        first, *others = versions or sorted(release.name for release in self.built.iterdir())
        self.run(first, "npm", "ci", "--omit=dev", "--no-audit", "--no-fund")
        for version in (first, *others):
            if version != first:
                (self.built / version / "node_modules").symlink_to(self.built / first / "node_modules")
            self.run(version, "npm", "run", "build")
