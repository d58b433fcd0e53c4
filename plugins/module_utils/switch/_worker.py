# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How a worker of an application is started under PM2, in whatever mode."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils.switch import _pm2
from ansible_collections.sluice.release.plugins.module_utils.switch._plan import mark


@dataclass(frozen=True)
class Worker:
    """One kind of worker of a release. Times in seconds."""

    name: str
    application: str
    release: str
    path: str
    script: str
    environment: Mapping[str, str]
    exec_mode: str = "cluster"
    port_variable: str = "PORT"
    args: Sequence[str] = ()
    node_args: Sequence[str] = ()
    wait_ready: bool = True
    listen_timeout: float = 10.0
    kill_timeout: float = 10.0
    out_file: str | None = None
    error_file: str | None = None
    merge_logs: bool = False
    limits: Sequence[tuple[str, str]] = ()
    """Options of ``pm2 start`` with their values, such as ``--max-memory-restart``."""

    @property
    def entry(self) -> str:
        """Full path of the script. The release itself, not the link: PM2 restarts a crashed worker from there."""
        return os.path.normpath(os.path.join(self.path, self.script))

    @property
    def mark(self) -> str:
        """The mark of the wanted workers; the port is not in it, for a port pair changes it every time."""
        how = [list(self.args), self.out_file, self.error_file, self.merge_logs, list(map(list, self.limits))]
        # What all workers had before these options were there has the mark that it had.
        return mark(
            self.release,
            self.environment,
            self.entry,
            self.exec_mode,
            list(self.node_args),
            self.wait_ready,
            self.kill_timeout,
            *([how] if any(how) else []),
        )

    def start(self, number: int, port: int | None = None) -> _pm2.Start:
        """Return what to start as the worker of that number."""
        return _pm2.Start(
            name=self.name,
            script=self.entry,
            cwd=self.path,
            environment={
                **self.environment,
                **({self.port_variable: str(port)} if port else {}),
                _pm2.APPLICATION: self.application,
                _pm2.RELEASE: self.release,
                _pm2.MARK: self.mark,
                _pm2.INSTANCE: str(number),
            },
            exec_mode=self.exec_mode,
            args=self.args,
            node_args=self.node_args,
            wait_ready=self.wait_ready,
            listen_timeout=self.listen_timeout,
            kill_timeout=self.kill_timeout,
            out_file=self.out_file,
            error_file=self.error_file,
            merge_logs=self.merge_logs,
            limits=self.limits,
        )
