# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Sets, clears and reads a maintenance mode, and proves by the proxy's own answer that it holds."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils import _http
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import exclusive
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner
from ansible_collections.sluice.release.plugins.module_utils.maintenance import _mode, _rules
from ansible_collections.sluice.release.plugins.module_utils.maintenance._haproxy import Haproxy
from ansible_collections.sluice.release.plugins.module_utils.maintenance._mode import Mode
from ansible_collections.sluice.release.plugins.module_utils.maintenance._nginx import Nginx
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy_socket import asker
from ansible_collections.sluice.release.plugins.module_utils.proxy._reload import Reloader

_POLL = 0.1
# Its content is no secret: the proxy reads it as somebody else.
_DIRECTORY = 0o755


class Keeper(Protocol):
    """A proxy that keeps a maintenance mode. Every method raises SluiceError when it cannot be asked or refuses."""

    def current(self) -> Mode | None:
        """Return the mode that is set, also one that is over."""

    def text(self) -> dict[str, str]:
        """Return the rules that the proxy needs, by where they belong."""

    def ready(self) -> bool:
        """Whether nothing but the mode has to be told to it."""

    def snapshot(self) -> object:
        """Return what is set, for ``restore``."""

    def restore(self, snapshot: object) -> None:
        """Put back what ``snapshot`` has returned."""

    def put(self, mode: Mode | None, template: str | None, now: float) -> None:
        """Set the mode, or clear it."""


@dataclass(frozen=True)
class World:
    """What the module touches, so that tests can hold it."""

    runner: CommandRunner
    fetch: _http.Fetch = _http.fetch
    clock: Callable[[], float] = time.time
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep


def keeper(params: Mapping[str, Any], world: World) -> Keeper:
    """Return the proxy that the options name; nothing is asked yet."""
    proxy = params["proxy"]
    if proxy["type"] == "haproxy":
        ask = asker(proxy["socket"], f"set the maintenance mode of {params['name']}")
        return Haproxy(_rules.from_options(params, proxy["map"]), ask)
    reloader = Reloader(world.runner, proxy["reload"], proxy["test"] or (), proxy["pid"], proxy["timeout"])
    return Nginx(_rules.from_options(params, proxy["path"].rstrip("/")), reloader)


def run(params: Mapping[str, Any], world: World, *, check_mode: bool) -> dict[str, Any]:
    """Do what the options ask for, and return the module's result."""
    proxy, now = keeper(params, world), world.clock()
    before = proxy.current()
    after = before
    if params["state"] == "cleared":
        after = None
    elif params["state"] == "set":
        after = _mode.wanted(params["mode"], params["minutes"], params["announcement"], before, now)
    changed = params["state"] != "read" and (after != before or not proxy.ready())
    # A mode that is over is off already; what is left of it goes with the next one that is set.
    if after is None and before is not None and not before.lasts(now) and proxy.ready():
        changed = False
    template = _template(params["page"])
    if changed and not check_mode:
        with _alone(params):
            _put(proxy, after, template, params, world)
    elif params["state"] != "read" and not check_mode:
        _prove(after if after and after.lasts(now) else None, params, world)
    shown = _mode.describe(after, now)
    return {
        "changed": changed,
        **shown,
        "line": _mode.line(after, now),
        "previous": _mode.describe(before, now),
        "rules": proxy.text(),
        "diff": {"before": _told(_mode.describe(before, now)), "after": _told(shown)},
    }


def _put(proxy: Keeper, mode: Mode | None, template: str | None, params: Mapping[str, Any], world: World) -> None:
    snapshot = proxy.snapshot()
    proxy.put(mode, template, world.clock())
    try:
        _prove(mode, params, world)
    except BaseException:
        with contextlib.suppress(SluiceError):
            proxy.restore(snapshot)
        raise


def _prove(mode: Mode | None, params: Mapping[str, Any], world: World) -> None:
    """Wait until the proxy says to those who ask for it that the mode is set."""
    if not params["url"]:
        return
    url, timeout = params["url"].rstrip("/") + params["endpoint"], params["proxy"]["timeout"]
    began, seen = world.now(), ""
    while True:
        answer = world.fetch(url, timeout=timeout, validate_certs=params["validate_certs"])
        with contextlib.suppress(ValueError):
            if answer.status == 200 and _mode.agrees(json.loads(answer.body), mode):
                return
        seen = answer.error or f"{answer.status} {answer.body[:120].decode(errors='replace').strip()}"
        if world.now() - began >= timeout:
            break
        world.sleep(_POLL)
    raise SluiceError(
        f"{'clear' if mode is None else 'set'} the maintenance mode of {params['name']}",
        f"{url} does not say so after {timeout:g} s: {seen}",
        "It is as it was. See that the proxy's configuration has the rules, which the page of the module names",
    )


@contextlib.contextmanager
def _alone(params: Mapping[str, Any]) -> Any:
    """Let one run at a time act on the proxy: several hosts of a fleet may have the same one in front of them."""
    proxy = params["proxy"]
    place = proxy["path"] if proxy["type"] == "nginx" else os.path.dirname(proxy["map"])
    try:
        if not os.path.isdir(place):
            os.makedirs(place)
            os.chmod(place, _DIRECTORY)
    except OSError as error:
        raise SluiceError(f"make {place}", error.strerror or str(error)) from error
    with exclusive(os.path.join(place, f".sluice-{params['name']}.lock"), "set the maintenance mode"):
        yield


def _template(path: str | None) -> str | None:
    if not path:
        return None
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except (OSError, ValueError) as error:
        raise SluiceError(f"read the page {path}", str(error), "Correct page") from error


def _told(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if key != "seconds_left"}
