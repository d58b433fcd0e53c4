# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How nginx, or any other proxy of that kind, is told to read its files again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, tail
from ansible_collections.sluice.release.plugins.module_utils.proxy import _workers

# Seconds for the command that tests and the one that reloads.
_PATIENCE = 60.0
_POLL = 0.05


@dataclass
class Reloader:
    """The commands, and where nginx says who its master is. ``timeout`` in seconds."""

    runner: CommandRunner
    reload: Sequence[str]
    test: Sequence[str] = ()
    pid: str | None = None
    timeout: float = 10.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    old: frozenset[int] = field(default=frozenset(), repr=False)
    """The workers that do not know what was read last."""

    def master(self) -> int | None:
        return _workers.master(self.pid) if self.pid else None

    def check(self) -> None:
        """Let the proxy test its files."""
        self._tell("test", self.test)

    def tell(self) -> None:
        """Tell it to read them, without waiting until that is carried out."""
        self._tell("reload", self.reload)

    def carry_out(self) -> None:
        """Reload, and see that the proxy has done it: nginx answers at once and may refuse afterwards."""
        master = self.master()
        old = frozenset(_workers.children(master)) if master else frozenset()
        self.tell()
        self.old |= old
        began = self.now()
        while master and not set(_workers.children(master)) - old:
            if self.now() - began > self.timeout:
                raise SluiceError(
                    "reload the proxy", f"nginx has started no worker with the new configuration in {self.timeout:g} s"
                )
            self.sleep(_POLL)

    def _tell(self, what: str, argv: Sequence[str]) -> None:
        if not argv:
            return
        done = self.runner(argv, timeout=_PATIENCE)
        if done.rc:
            said = tail(done.stderr or done.stdout, 3)
            raise SluiceError(f"{what} the proxy", f"{argv[0]} exited with {done.rc}: {said}")
