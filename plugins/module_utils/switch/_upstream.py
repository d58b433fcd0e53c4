# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A port pair behind a proxy: one port serves while the other gets the next release."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, tail

_PLACEHOLDER = "{port}"
_TIMEOUT = 60.0


@dataclass(frozen=True)
class Upstream:
    """The proxy's file that names the live port, and how the proxy is told. ``settle`` in seconds."""

    path: str
    content: str
    reload: Sequence[str]
    test: Sequence[str] = ()
    mode: int = 0o644
    settle: float = 1.0


def render(content: str, port: int) -> str:
    """Return the file's content for a port. Only ``{port}`` is replaced: proxies use braces themselves."""
    if _PLACEHOLDER not in content:
        raise SluiceError("write the upstream file", "its content has no {port}", "Put {port} where the port goes")
    text = content.replace(_PLACEHOLDER, str(port))
    return text if text.endswith("\n") else f"{text}\n"


def live_port(text: str | None, content: str, ports: Sequence[int]) -> int | None:
    """Return the port that the file's text names, or None when it names neither or cannot be told.

    A text that was rendered from another template (the profile has changed) is still understood when exactly one of the
    two ports stands in it.
    """
    if text is None:
        return None
    rendered = [port for port in ports if render(content, port) == text]
    found = rendered or [port for port in ports if re.search(rf"(?<!\d){port}(?!\d)", text)]
    return found[0] if len(found) == 1 else None


def other_port(ports: Sequence[int], live: int | None) -> int:
    """Return the port for the next release."""
    return ports[1] if live == ports[0] else ports[0]


def read(path: str) -> str | None:
    """Return the file's text, or None when it is not there yet."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def point(upstream: Upstream, port: int, runner: CommandRunner) -> bool:
    """Make the proxy use the port. Returns whether the file changed; the proxy is reloaded in any case.

    A killed run may have written the file and not reloaded, so an unchanged file proves nothing. When the proxy refuses
    the file or the reload, the old text is put back and SluiceError raised.
    """
    before = read(upstream.path)
    after = render(upstream.content, port)
    if before != after:
        _write(upstream, after)
    for what, argv in (("test", upstream.test), ("reload", upstream.reload)):
        if not argv:
            continue
        try:
            done = runner(argv, timeout=_TIMEOUT)
            problem = "" if done.rc == 0 else f"{argv[0]} exited with {done.rc}: {tail(done.stderr or done.stdout, 3)}"
        except SluiceError as error:
            problem = error.cause
        if problem:
            put_back(upstream, before, runner, again=what == "reload")
            raise SluiceError(
                f"{what} the proxy with port {port}", problem, f"{upstream.path} is as it was; correct upstream.content"
            )
    return before != after


def put_back(upstream: Upstream, text: str | None, runner: CommandRunner, *, again: bool) -> None:
    """Restore the file (None: remove it) and, ``again``, reload the proxy as well as it goes."""
    if text is not None:
        _write(upstream, text)
    elif os.path.exists(upstream.path):
        os.unlink(upstream.path)
    if again and text is not None:
        runner(upstream.reload, timeout=_TIMEOUT)


def _write(upstream: Upstream, text: str) -> None:
    try:
        write_atomic(upstream.path, text, upstream.mode)
    except OSError as error:
        raise SluiceError(f"write {upstream.path}", error.strerror or str(error)) from error
