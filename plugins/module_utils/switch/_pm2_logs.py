# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a worker under PM2 wrote since a run began: in its log files, or else as it was heard."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.switch._bus import Bus
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2 import Process

LINES = 20
_LOG_BYTES = 1 << 20


@dataclass
class Logs:
    """Logs of one daemon. ``directories``: where they lie, besides PM2's own directory."""

    home: str
    secrets: Iterable[str] = ()
    directories: Iterable[str] = ()
    bus: Bus | None = None
    sizes: dict[str, int] = field(default_factory=dict)

    def note_sizes(self) -> None:
        """Remember where each log ends now: PM2 gives ids, and so logs, to new workers again."""
        for directory in (os.path.join(self.home, "logs"), *self.directories):
            if os.path.isdir(directory):
                self.sizes.update(
                    {entry.path: entry.stat().st_size for entry in os.scandir(directory) if entry.is_file()}
                )

    def lines(self, process: Process) -> list[str]:
        """Return the last lines that a new worker wrote, redacted; errors first."""
        lines: list[str] = []
        for path in process.logs:
            lines += [line for line in self._text(path).splitlines() if line.strip()][-LINES:]
        if not lines and self.bus:
            lines = self.bus.lines(process.id)[-LINES:]
        return redact("\n".join(lines), self.secrets).splitlines()

    def wrote(self, process: Process, text: str) -> bool:
        """Whether the worker has written the text since the run began."""
        heard = self.bus.lines(process.id) if self.bus else []
        return any(text in one for one in (*map(self._text, process.logs), *heard))

    def _text(self, path: str) -> str:
        try:
            with open(path, "rb") as stream:
                stream.seek(self.sizes.get(path, 0))
                return stream.read(_LOG_BYTES).decode(errors="replace")
        except OSError:
            return ""
