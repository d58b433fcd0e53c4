# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""HAProxy: a map that says whether a mode is set, until when, and what is answered.

The runtime API replaces the whole map in one step, and the file that HAProxy reads when it is started or reloaded says
the same. The lines in the frontend that look into it are a person's to put there, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils.maintenance import _mode, _rules
from ansible_collections.sluice.release.plugins.module_utils.maintenance._mode import Mode
from ansible_collections.sluice.release.plugins.module_utils.maintenance._rules import Rules
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy_socket import Ask
from ansible_collections.sluice.release.plugins.module_utils.proxy._nginx import read

_FILE = 0o644
# HAProxy takes a command, and gives an answer, of one buffer (tune.bufsize, 16384 by default).
_ROOM = 12_000


def entries(mode: Mode | None, retry_after: int, template: str | None) -> dict[str, str]:
    """Return what the map says of a mode; nothing of none."""
    if mode is None:
        return {}
    return {
        "mode": mode.mode,
        "until": str(mode.until),
        "state": _mode.dumps(mode.public()),
        "answer": _mode.answer(mode, retry_after),
        "page": _mode.page(mode, template),
    }


def lines(values: Mapping[str, str]) -> str:
    """Return the entries as the map's file has them."""
    return "".join(f"{key} {value}\n" for key, value in values.items())


def parse(shown: str) -> dict[str, str]:
    """Return the entries out of what ``show map`` answers: an address, the key, the value."""
    found = (line.split(" ", 2) for line in shown.splitlines())
    return {part[1]: part[2] for part in found if len(part) == 3 and part[0].startswith("0x")}


@dataclass
class Haproxy:
    """The map of one application's maintenance mode in a running HAProxy."""

    rules: Rules
    ask: Ask

    @property
    def map(self) -> str:
        return self.rules.directory

    def current(self) -> Mode | None:
        return _mode.read(self._known().get("state"))

    def text(self) -> dict[str, str]:
        """Return the rules, by where they belong."""
        return {"frontend": _rules.haproxy_frontend(self.rules)}

    def ready(self) -> bool:
        """Whether the file says what HAProxy knows: a run may have been killed between the two."""
        return (read(self.map) or "") == lines(self._known())

    def snapshot(self) -> Mapping[str, str]:
        return self._known()

    def restore(self, snapshot: object) -> None:
        if isinstance(snapshot, Mapping):
            self._tell(dict(snapshot))

    def put(self, mode: Mode | None, template: str | None, now: float) -> None:  # noqa: ARG002 - nginx needs it
        """Set the mode, or clear it. SluiceError leaves HAProxy as it was."""
        values = entries(mode, self.rules.retry_after, template)
        if len(lines(values).encode()) > _ROOM:
            raise SluiceError("set the maintenance mode", f"its page is too long for HAProxy: {_ROOM} bytes at most")
        before = read(self.map)
        self._write(lines(values))
        try:
            self._tell(values)
        except SluiceError:
            if before is not None:
                self._write(before)
            raise

    # -- acting --------------------------------------------------------------------------------------------------

    def _known(self) -> dict[str, str]:
        shown = self.ask(f"show map {self.map}")
        if shown.startswith("Unknown map"):
            raise SluiceError(
                f"see the maintenance mode of {self.rules.name}",
                f"HAProxy does not know the map {self.map}",
                "Make the file, empty, put the lines of the result's rules into the frontend, and reload HAProxy",
                rules=self.text(),
            )
        return parse(shown)

    def _tell(self, values: Mapping[str, str]) -> None:
        """Replace all entries at once."""
        answer = self.ask(f"prepare map {self.map}")
        version = answer.rpartition(" ")[2]
        if not version.isdigit():
            raise self._refused(answer)
        steps = [f"commit map @{version} {self.map}"]
        if values:
            steps.insert(0, f"add map @{version} {self.map} <<\n{lines(values)}")
        for step in steps:
            answer = self.ask(step)
            if answer:
                raise self._refused(answer)

    def _refused(self, answer: str) -> SluiceError:
        return SluiceError(
            f"set the maintenance mode of {self.rules.name}",
            f"HAProxy refused to change the map {self.map}: {answer.splitlines()[0] if answer else 'no answer'}",
            "It is as it was. See HAProxy's log",
        )

    def _write(self, text: str) -> None:
        try:
            write_atomic(self.map, text, _FILE)
        except OSError as error:
            raise SluiceError(
                f"write {self.map}", error.strerror or str(error), "Let this user write there, or correct proxy.map"
            ) from error
