# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from typing import Any

# Not more than about two writes a second: nobody looks more often.
_INTERVAL = 0.5


class Progress:
    """Lets a person who waits see how far a module has come.

    The action plugin of this collection passes the path and reads the file about once a second. Without a path every
    call does nothing. No failure to write is ever an error: progress must not end what it reports on.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._last = float("-inf")

    def update(
        self,
        line: str,
        done: float | None = None,
        total: float | None = None,
        checks: list[dict[str, Any]] | None = None,
    ) -> None:
        """Say in one line what goes on now; ``done`` of ``total`` in any one unit, when it is known.

        ``checks``: what a terminal shows below it as a table.
        """
        now = time.monotonic()
        if self.path is None or now - self._last < _INTERVAL:
            return
        self._last = now
        with contextlib.suppress(OSError):
            self._write(
                self.path,
                json.dumps({"line": line, "done": done, "total": total, **({"checks": checks} if checks else {})}),
            )

    @staticmethod
    def _write(path: str, content: str) -> None:
        directory = os.path.dirname(path) or "."
        os.makedirs(directory, mode=0o700, exist_ok=True)
        # Atomic for the reader, but without fsync: this need not outlive a crash.
        descriptor, temporary = tempfile.mkstemp(prefix=".sluice-tmp-", dir=directory)
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(content)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
