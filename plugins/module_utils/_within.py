# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


def within(timeout: float, work: Callable[[], _Result]) -> _Result:
    """Return what ``work`` returns, or raise what it raises; TimeoutError when that takes more than ``timeout`` s.

    It runs in a thread of its own, because resolvers and file systems can hang without any limit. One that is late
    is left alone, and so must bound itself in the end and change nothing that others read.
    """
    done: list[Callable[[], _Result]] = []

    def run() -> None:
        try:
            result = work()
            done.append(lambda: result)
        except Exception as error:  # noqa: BLE001 - it is raised again where it is awaited
            problem = error

            def fail() -> _Result:
                raise problem

            done.append(fail)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    worker.join(timeout)
    if not done:
        raise TimeoutError
    return done[0]()
