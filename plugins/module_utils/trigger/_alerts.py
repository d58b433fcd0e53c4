# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which alerts of Alertmanager speak against the release that runs. Pure: what it sends in, causes out.

What is in an alert was written by others: its words are shown, never evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc, utc_text
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import Cause
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import Trigger

# Of an annotation; what is longer is cut.
_MOST = 300


@dataclass(frozen=True)
class Served:
    """The release that runs, or is being switched to: since when (UTC text), None: that is not known."""

    version: str
    since: Optional[str]


@dataclass(frozen=True)
class Heard:
    """One alert: what it says, which one it is, and why it is left aside; None: it is a reason to go back."""

    text: str
    key: str
    trigger: Optional[str]
    ignored: Optional[str]

    @property
    def cause(self) -> Cause:
        return Cause(self.text, trigger=self.trigger)


def read_alerts(payload: Any) -> list[Mapping[str, Any]]:
    """Return the alerts of what Alertmanager's webhook sends, of a list of alerts, or of one alert."""
    if isinstance(payload, Mapping) and "alerts" in payload:
        payload = payload["alerts"]
    found = [payload] if isinstance(payload, Mapping) else payload
    if not isinstance(found, (list, tuple)) or not all(
        isinstance(alert, Mapping) and isinstance(alert.get("labels"), Mapping) for alert in found
    ):
        raise SluiceError(
            "read the alerts",
            "they are not what a webhook of Alertmanager sends, a dictionary with a list of alerts that have labels",
            "Pass its payload as trigger_alerts",
        )
    return list(found)


def sift(
    alerts: Iterable[Mapping[str, Any]], triggers: Sequence[Trigger], served: Served, seen: Iterable[str]
) -> list[Heard]:
    """Return every alert with what becomes of it. ``seen``: the keys of those that were acted on for this release."""
    known = set(seen)
    heard = []
    for alert in alerts:
        trigger = next((one for one in triggers if one.hears(alert["labels"])), None)
        key = _key(alert)
        ignored = _ignored(alert, trigger, served, known, key)
        heard.append(Heard(_text(alert), key, trigger.name if trigger else None, ignored))
        known.add(key)
    return heard


def _ignored(
    alert: Mapping[str, Any], trigger: Optional[Trigger], served: Served, seen: set[str], key: str
) -> Optional[str]:
    """Return why an alert is no reason to leave the release; None when it is one."""
    if alert.get("status", "firing") != "firing":
        return f"it is {_short(alert.get('status'))}"
    if trigger is None:
        return "no trigger of the profile names it"
    if key in seen:
        return "it is known already"
    try:
        began = _moment(str(alert["startsAt"])) - trigger.lasted
    except (KeyError, ValueError):
        return "it does not say since when it fires"
    if served.since is None:
        return "nothing is known to have been released"
    if began < parse_utc(served.since):
        return f"it began at {utc_text(began)}, before {served.version} served at {served.since}"
    return None


def _key(alert: Mapping[str, Any]) -> str:
    """What makes two notifications the same alert: its labels, and since when it fires. Both are repeated."""
    labels = alert["labels"]
    # Alertmanager's own hash of the labels, where it has sent one.
    which = alert.get("fingerprint") or ",".join(f"{name}={labels[name]}" for name in sorted(labels))
    return f"{_short(which)} {_short(alert.get('startsAt'))}"


def _text(alert: Mapping[str, Any]) -> str:
    """Return the alert in one line: its name, where, and what its author has written about it."""
    labels, annotations = alert["labels"], alert.get("annotations")
    annotations = annotations if isinstance(annotations, Mapping) else {}
    said = annotations.get("summary") or annotations.get("description")
    where = f" on {_short(labels['instance'])}" if labels.get("instance") else ""
    name = f"alert {_short(labels.get('alertname') or 'without a name')}{where}"
    return f"{name}: {_short(said)}" if said else name


def _short(value: Any) -> str:
    """Return a text of others as one line that a terminal and a page can show, and no template can be made of."""
    text = "".join(c if c.isprintable() else " " for c in str(value))
    text = re.sub(r"\{(?=[{%#])", "{ ", " ".join(text.split()).rstrip("."))
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."


def _moment(text: str) -> float:
    """Return the seconds since the epoch. ValueError when it is no moment. Alertmanager sends nanoseconds."""
    # Python before 3.11 reads neither the Z nor any number of digits.
    text = re.sub(r"(\.\d+)", lambda found: f"{found[1][:4]:0<4}", text)
    moment = datetime.fromisoformat(re.sub("Z$", "+00:00", text))
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.timestamp()
