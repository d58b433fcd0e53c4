# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every type of check against the real thing, well, broken and gone. A broken one ends in a verdict with its cause."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

Gate = Callable[..., dict[str, Any]]


def reason(result: dict[str, Any], check: str = "it") -> str:
    (found,) = [judged for judged in result["gates"] if judged["check"] == check]
    return str(found["reason"])


@contextlib.contextmanager
def later(seconds: float, work: Callable[[], object]) -> Iterator[None]:
    """Does something in the middle of what runs meanwhile."""
    timer = threading.Timer(seconds, work)
    timer.start()
    yield
    timer.join()
