# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Two slots behind a proxy that reads a file and is told to read it again: nginx, and any other of that kind."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner
from ansible_collections.sluice.release.plugins.module_utils.proxy import _workers
from ansible_collections.sluice.release.plugins.module_utils.proxy._reload import Reloader
from ansible_collections.sluice.release.plugins.module_utils.proxy._route import check_percent, members, other

_PORT = "{port}"
_SERVERS = "{servers}"
_MODE = 0o644
_POLL = 0.05
_WHOLE = 100
_WEIGHT = re.compile(r":(\d+)\s+weight=(\d+)")
# The first line of a file that the proxy was not seen to read yet.
_PENDING = "# Sluice moves the traffic. Until the proxy has read this, the port is: "


def render(content: str, shares: Sequence[tuple[int, int]], instances: int = 1) -> str:
    """Return the file's content for the slots that take traffic: pairs of base port and percent.

    Only ``{port}`` and ``{servers}`` are replaced: proxies use braces themselves.
    """
    if _PORT not in content and _SERVERS not in content:
        raise SluiceError(
            "write the proxy's file", "its content has neither {port} nor {servers}", "Put one where the port goes"
        )
    if len(shares) > 1 and (_PORT in content or _SERVERS not in content):
        raise SluiceError(
            "weigh the slots", "the content of the proxy's file has one {port}", "Put {servers} in its place"
        )
    weighted = len(shares) > 1
    servers = " ".join(
        f"server 127.0.0.1:{member} weight={percent};" if weighted else f"server 127.0.0.1:{member};"
        for port, percent in shares
        for member in members(port, instances)
    )
    text = content.replace(_PORT, str(shares[0][0])).replace(_SERVERS, servers)
    return text if text.endswith("\n") else f"{text}\n"


def live_port(text: str | None, content: str, ports: Sequence[int], instances: int = 1) -> int | None:
    """Return the base port of the slot that the file's text names, or None when it names neither or cannot be told.

    A text that was rendered from another template (the profile has changed) is still understood when exactly one of the
    two ports stands in it. Of two slots that share the traffic it is the one that has more of it.
    """
    if text is None:
        return None
    found = [port for port in ports if render(content, [(port, 100)], instances) == text]
    found = found or [port for port in ports if re.search(rf"(?<!\d){port}(?!\d)", text)]
    weights = {int(port): int(weight) for port, weight in _WEIGHT.findall(text)}
    if len(found) > 1 and all(port in weights for port in found):
        most = max(weights[port] for port in found)
        found = [port for port in found if weights[port] == most]
    return found[0] if len(found) == 1 else None


def read(path: str) -> str | None:
    """Return the file's text, or None when it is not there yet."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SluiceError(f"read {path}", error.strerror or str(error)) from error


def pending(text: str, live: int | None) -> str:
    """Return the text with a first line that says which port serves until the proxy has read it."""
    return f"{_PENDING}{live or 'none'}\n{text}"


def settled(text: str) -> tuple[str, bool, int | None]:
    """Return a file's text without that line, whether it had one, and the port in it."""
    if not text.startswith(_PENDING):
        return text, False, None
    first, _newline, rest = text.partition("\n")
    port = first[len(_PENDING) :]
    return rest, True, int(port) if port.isdigit() else None


@dataclass
class NginxRoute:
    """The file that names the slot, and how the proxy is told. Times in seconds."""

    path: str
    content: str
    ports: Sequence[int]
    runner: CommandRunner
    reload: Sequence[str]
    test: Sequence[str] = ()
    instances: int = 1
    pid: str | None = None
    settle_seconds: float = 1.0
    timeout: float = 10.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    _told: Reloader = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._told = Reloader(self.runner, self.reload, self.test, self.pid, self.timeout, self.now, self.sleep)

    def live(self) -> int | None:
        """See ``Route``. A run that was killed in the middle has left a file that may not have been read."""
        text, unsure, before = settled(read(self.path) or "")
        after = live_port(text, self.content, self.ports, self.instances)
        if not unsure:
            return after
        loaded = self._is_loaded()
        return None if loaded is None else after if loaded else before

    def points_at(self, port: int) -> bool:
        other(self.ports, port)
        return read(self.path) == self._text((port, 100))

    def point(self, port: int) -> None:
        other(self.ports, port)
        self._move(f"point the proxy at port {port}", self._text((port, 100)))

    def weigh(self, port: int, percent: int) -> None:
        rest = other(self.ports, port)
        if check_percent(percent) in (0, 100):
            self.point(port if percent else rest)
            return
        shares = sorted([(port, percent), (rest, 100 - percent)])
        self._move(f"send {percent} % of the traffic to port {port}", self._text(*shares))

    def snapshot(self) -> str | None:
        text = read(self.path)
        rest, unsure, _before = settled(text or "")
        live = self.live() if unsure else None
        return self._text((live, 100)) if live else rest if text is not None else None

    def restore(self, snapshot: object) -> None:
        if isinstance(snapshot, str):
            self._write(snapshot)
            self._told.carry_out()
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        # Nothing served before the first release. Whether the proxy can do without the file is not known.
        with contextlib.suppress(SluiceError):
            self._told.tell()

    def settle(self, port: int) -> None:  # noqa: ARG002 - its workers know one slot or the other
        """Proxies reload in the background: their old workers still send requests to the old slot."""
        if self._master() is None:
            self.sleep(self.settle_seconds)
            return
        began = self.now()
        while _workers.alive(self._told.old) and self.now() - began < self.timeout:
            self.sleep(_POLL)

    def describe(self) -> list[dict[str, Any]]:
        text, _unsure, _before = settled(read(self.path) or "")
        weights = {int(port): int(weight) for port, weight in _WEIGHT.findall(text)}
        live = self.live()
        return [
            {
                "name": f"127.0.0.1:{port}",
                "slot": slot,
                "state": "ready" if port in weights or slot == live else "drain",
                "weight": weights.get(port, _WHOLE),
                "own_weight": _WHOLE,
                "sessions": None,
            }
            for slot in self.ports
            for port in members(slot, self.instances)
        ]

    # -- acting --------------------------------------------------------------------------------------------------

    def _text(self, *shares: tuple[int, int]) -> str:
        return render(self.content, shares, self.instances)

    def _move(self, what: str, text: str) -> None:
        """Write the text, test it, and make the proxy use it.

        While it is not known to do that, the file says what served before, for a run that is killed must not leave the
        next one wondering. The proxy is told though the file is unchanged. When it refuses the file or the reload, the
        old text is put back.
        """
        found, before = read(self.path), self.snapshot()
        told = False
        try:
            if found != text:
                self._write(pending(text, self.live()))
            self._told.check()
            told = True
            self._told.carry_out()
            if found != text:
                self._write(text)
        except BaseException as problem:
            with contextlib.suppress(SluiceError):
                self._put_back(before if told else found, told)
            if not isinstance(problem, SluiceError):
                raise
            raise SluiceError(
                what, problem.cause, f"{self.path} is as it was; correct the content of the proxy's file"
            ) from problem

    def _put_back(self, text: str | None, told: bool) -> None:
        if text is None:
            self.restore(None)
            return
        self._write(text)
        if told:
            # Without waiting for it to be carried out: that may be what has failed.
            self._told.tell()

    def _write(self, text: str) -> None:
        try:
            write_atomic(self.path, text, _MODE)
        except OSError as error:
            raise SluiceError(f"write {self.path}", error.strerror or str(error)) from error

    # -- looking -------------------------------------------------------------------------------------------------

    def _master(self) -> int | None:
        return self._told.master()

    def _is_loaded(self) -> bool | None:
        """Whether every worker that takes connections was started after the file was written; None when unseen."""
        master = self._master()
        if master is None:
            return None
        written = _workers.age_of_file(self.path)
        ages = [_workers.age(pid) for pid in _workers.children(master) if not _workers.is_leaving(pid)]
        return bool(ages) and max(ages) <= written
