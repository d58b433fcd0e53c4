# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a maintenance mode is, when one is set anew, and what it tells people and programs. Pure."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc, utc_text
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

BLOCK = "block"
NOTICE = "notice"
OFF = "off"
# A mode that lasts longer is no maintenance; the files of nginx's clock would grow with it.
_LONGEST = 31 * 24 * 60
_MESSAGE = "We are working on this service. It will be back soon."
# What a page of the profile's may have in it.
_PLACES = ("{message}", "{until}")
_PAGE = (
    '<!doctype html> <html lang="en"> <head> <meta charset="utf-8">'
    ' <meta name="viewport" content="width=device-width, initial-scale=1"> <title>Maintenance</title>'
    " <style>body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto; padding: 0 1rem }"
    "</style> </head> <body> <h1>Maintenance</h1> <p>{message}</p> <p>Expected end: <time>{until}</time></p> </body>"
    " </html>"
)


@dataclass(frozen=True)
class Mode:
    """A mode that is set. ``since`` and ``until`` are seconds since 1970; at ``until`` it is over by itself."""

    mode: str
    since: int
    until: int
    message: str

    def lasts(self, now: float) -> bool:
        return now < self.until

    def public(self) -> dict[str, str]:
        """Return what everybody may know of it: what a frontend asks for."""
        return {
            "mode": self.mode,
            "message": self.message,
            "since": utc_text(self.since),
            "until": utc_text(self.until),
        }


def dumps(told: Mapping[str, Any]) -> str:
    """Return what is told as one line of JSON."""
    return json.dumps(dict(told))


def read(text: str | None) -> Mode | None:
    """Return the mode that ``public`` has told, None where there is none or it cannot be understood."""
    try:
        told = json.loads(text or "")
        since, until = (round(parse_utc(told[key])) for key in ("since", "until"))
        return Mode(str(told["mode"]), since, until, str(told["message"]))
    except (ValueError, KeyError, TypeError):
        return None


def wanted(mode: str, minutes: float, message: str, current: Mode | None, now: float) -> Mode:
    """Return the mode that has to be set: the one that is set, where that will do.

    Asked for again, a mode is kept until half of its minutes is over and renewed then, so that the same run twice
    changes nothing, and one that needs half an hour never finds a mode that ends in a minute.
    """
    if not 0 < minutes <= _LONGEST:
        raise SluiceError("set the maintenance mode", f"{minutes:g} minutes is no time for it", "Name up to 44640")
    seconds = max(1, round(minutes * 60))
    if current is None or not current.lasts(now) or (current.mode, current.message) != (mode, message):
        return Mode(mode, int(now), int(now) + seconds, message)
    if current.until - now >= seconds / 2:
        return current
    return Mode(mode, current.since, int(now) + seconds, message)


def describe(mode: Mode | None, now: float) -> dict[str, Any]:
    """Return the mode as results show it; one that is over is off, and says when it ended."""
    if mode is None:
        return {"mode": OFF, "message": None, "since": None, "until": None, "seconds_left": 0}
    left = max(0, mode.until - int(now))
    return {**mode.public(), "mode": mode.mode if left else OFF, "seconds_left": left}


def line(mode: Mode | None, now: float) -> str:
    """Say what is set, for a terminal."""
    if mode is None or not mode.lasts(now):
        return "maintenance: off"
    return f"maintenance: {mode.mode} until {utc_text(mode.until)}" + (f": {mode.message}" if mode.message else "")


def page(mode: Mode, template: str | None = None) -> str:
    """Return the page for people, on one line: HAProxy knows no other. A template is the profile's own page."""
    text = template or _PAGE
    values = (mode.message or _MESSAGE, utc_text(mode.until))
    for place, value in zip(_PLACES, values):
        text = text.replace(place, html.escape(value))
    return " ".join(text.split())


def answer(mode: Mode, retry_after: int) -> str:
    """Return the answer for programs."""
    told = {"error": "maintenance", **mode.public(), "message": mode.message or _MESSAGE, "retry_after": retry_after}
    return json.dumps({key: told[key] for key in ("error", "message", "until", "retry_after")})


def agrees(told: object, mode: Mode | None) -> bool:
    """Return whether the proxy's answer, parsed, says that this mode is set; None is off."""
    if not isinstance(told, Mapping):
        return False
    if mode is None:
        return told.get("mode") == OFF
    return {key: told.get(key) for key in ("mode", "until")} == {"mode": mode.mode, "until": utc_text(mode.until)}
