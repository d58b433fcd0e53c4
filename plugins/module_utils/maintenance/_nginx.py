# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""nginx: files that say that a mode lasts, and two that make nginx look for them.

A mode is a directory, and a link to it is what nginx looks at: ``live`` while a mode is set, and ``shown``, which stays
when it is cleared, for a request that was turned away at that moment is still on its way to the page. Setting and
clearing are one rename each and take no reload. The two files with the rules are written and read again only when what
they say has changed, as it has the first time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import fsync_directory, replace_link, write_atomic
from ansible_collections.sluice.release.plugins.module_utils.maintenance import _mode, _rules
from ansible_collections.sluice.release.plugins.module_utils.maintenance._mode import Mode
from ansible_collections.sluice.release.plugins.module_utils.maintenance._rules import Rules
from ansible_collections.sluice.release.plugins.module_utils.proxy._flag import check_seen
from ansible_collections.sluice.release.plugins.module_utils.proxy._nginx import read
from ansible_collections.sluice.release.plugins.module_utils.proxy._reload import Reloader

_LIVE, _SHOWN, _SETS = "live", "shown", "sets"
_FILE, _DIRECTORY = 0o644, 0o755


@dataclass
class Nginx:
    """The directory of one application's maintenance mode, and the nginx that looks into it."""

    rules: Rules
    reloader: Reloader

    def current(self) -> Mode | None:
        return _mode.read(read(self._path(_LIVE, "state.json")))

    def text(self) -> dict[str, str]:
        """Return the rules, by the file that they lie in."""
        return {
            self._path("http.conf"): _rules.nginx_http(self.rules),
            self._path("server.conf"): _rules.nginx_server(self.rules),
        }

    def ready(self) -> bool:
        """Whether nginx knows the rules as they shall be."""
        return all(read(path) == text for path, text in self.text().items())

    def snapshot(self) -> str | None:
        with contextlib.suppress(FileNotFoundError):
            return os.readlink(self._path(_LIVE))
        return None

    def restore(self, snapshot: object) -> None:
        if isinstance(snapshot, str):
            replace_link(self._path(_SHOWN), snapshot)
            replace_link(self._path(_LIVE), snapshot)
        else:
            self._clear()

    def put(self, mode: Mode | None, template: str | None, now: float) -> None:
        """Make nginx know the rules, and set the mode, or clear it. SluiceError leaves nginx as it was."""
        directory = self.rules.directory
        try:
            # Whatever the umask is: nginx's workers are somebody else.
            os.makedirs(self._path(_SETS), exist_ok=True)
            os.chmod(self._path(_SETS), _DIRECTORY)
            check_seen(directory, "set the maintenance mode", "proxy.path")
            if not self.ready():
                self._teach()
            if mode is None:
                self._clear()
            else:
                self._set(mode, template, now)
        except OSError as error:
            raise SluiceError(
                "set the maintenance mode",
                f"{error.filename or directory}: {error.strerror or error}",
                "Let this user write there, or correct proxy.path",
            ) from error

    # -- acting --------------------------------------------------------------------------------------------------

    def _teach(self) -> None:
        before = {path: read(path) for path in self.text()}
        told = False
        try:
            self._write(self.text())
            self.reloader.check()
            told = True
            self.reloader.carry_out()
        except BaseException as problem:
            with contextlib.suppress(SluiceError):
                self._write(before)
                if told:
                    self.reloader.tell()
            if not isinstance(problem, SluiceError):
                raise
            raise SluiceError(
                "teach nginx the maintenance mode", problem.cause, f"{self.rules.directory} is as it was"
            ) from problem

    def _write(self, texts: Mapping[str, str | None]) -> None:
        for path, text in texts.items():
            if text is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            else:
                write_atomic(path, text, _FILE)

    def _set(self, mode: Mode, template: str | None, now: float) -> None:
        name = os.path.join(_SETS, f"{mode.mode}-{int(now * 1000)}")
        place = self._path(name)
        os.mkdir(place, _DIRECTORY)
        os.chmod(place, _DIRECTORY)
        texts = {
            "state.json": _mode.dumps(mode.public()),
            "answer.json": _mode.answer(mode, self.rules.retry_after),
            "page.html": _mode.page(mode, template),
            **dict.fromkeys(_rules.moments(int(now), mode.until), ""),
            **({"block": ""} if mode.mode == _mode.BLOCK else {}),
        }
        for file, text in texts.items():
            with open(os.path.join(place, file), "w", encoding="utf-8") as stream:
                stream.write(text)
                os.fchmod(stream.fileno(), _FILE)
        fsync_directory(place)
        # What was set before stays, for it may have to be put back.
        keep = (name, self.snapshot())
        replace_link(self._path(_SHOWN), name)
        replace_link(self._path(_LIVE), name)
        for other in os.listdir(self._path(_SETS)):
            if os.path.join(_SETS, other) not in keep:
                shutil.rmtree(self._path(_SETS, other), ignore_errors=True)

    def _clear(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(_LIVE))
            fsync_directory(self.rules.directory)

    def _path(self, *names: str) -> str:
        return os.path.join(self.rules.directory, *names)
