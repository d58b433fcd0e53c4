# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What may still move the application: a module whose run holds the lock, alone on the host.

The journal refuses the next stage of a run that has lost its lock. Between that entry and the module that moves, and
while that module waits, the lock may change hands as well; so each module that moves something acts in ``acting``, and
is asked again with every word that it says through ``telling``. Whoever has taken the lock then waits for
``host.lock`` for a moment only, acts last, and what it finds is whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._files import host_lock
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils.journal._lock import is_mine, lost, read_lock

# Seconds that a module waits for the one before it. One that has lost its lock ends at its next look, or, when it is
# past the point of no return, once the old instances have ended.
PATIENCE = 60.0


@dataclass
class Fence:
    """The lock that a module acts under: where it lies, and the token that has to hold it."""

    state_dir: str
    token: str
    doing: str
    said: bool = False

    def check(self) -> None:
        """SluiceError, naming who and why, when the token does not hold the lock any more.

        Once: what follows is tidying up, which must not be stopped half-way.
        """
        if self.said:
            return
        holder = read_lock(self.state_dir)
        if holder is None or not is_mine(holder, self.token):
            self.said = True
            raise lost(self.doing, holder, self.state_dir, self.token)


# A module is one process that does one thing: what it acts under is as global as that.
_fences: list[Fence] = []


@contextlib.contextmanager
def acting(
    state_dir: str | None, token: str | None, what: str, *, check_mode: bool = False, timeout: float = PATIENCE
) -> Iterator[None]:
    """Act alone on the host, and only for a run that holds the lock of the application.

    Without ``state_dir``, and in check mode, which takes no lock, nothing is asked; without ``token`` only that no
    other module acts. SluiceError when the lock is another's, before anything was done.
    """
    if check_mode or not state_dir:
        yield
        return
    with host_lock(state_dir, what, timeout), under(state_dir, token, what):
        yield


@contextlib.contextmanager
def under(state_dir: str | None, token: str | None, what: str) -> Iterator[None]:
    """Act under the lock as ``acting`` does, beside other modules."""
    if not state_dir or not token:
        yield
        return
    fence = Fence(state_dir, token, what)
    fence.check()
    _fences.append(fence)
    try:
        yield
    finally:
        _fences.remove(fence)


def still_ours() -> None:
    """SluiceError when the lock was lost that this module acts under; nothing when it acts under none."""
    for fence in _fences:
        fence.check()


def telling(progress: str | None) -> Callable[[str], object]:
    """Return what tells a person how far a module is. It is called before each step and in each wait, so it asks."""
    update = Progress(progress).update

    def say(line: str) -> None:
        still_ours()
        update(line)

    return say
