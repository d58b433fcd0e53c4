# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts as Alertmanager 0.25 sends them: tests/fixtures/alertmanager holds what one has sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.trigger._alerts import Served, read_alerts, sift
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import Trigger

SENT = json.loads((Path(__file__).parents[4] / "fixtures/alertmanager/firing.json").read_text())
STARTED = "2026-11-23T04:15:31.380892866Z"
KEY = f"3e96ec487419fbe9 {STARTED}"
TRIGGERS = (Trigger("errors", alert={"alertname": "HighErrorRate"}), Trigger("slow", check="p95_ms"))
SERVED = Served("1.1.0", "2026-11-23T04:00:00.000Z")


def alert(**changes: Any) -> dict[str, Any]:
    return {**SENT["alerts"][0], **changes}


def test_what_was_sent_is_a_reason_to_go_back() -> None:
    (heard,) = sift(read_alerts(SENT), TRIGGERS, SERVED, [])
    assert (heard.key, heard.trigger, heard.ignored) == (KEY, "errors", None)
    # What looks like a template is none any more.
    assert heard.text == (
        "alert HighErrorRate on app1:3001: More than 1 % of requests fail { { lookup('pipe', 'touch MARK') }}"
    )
    assert (heard.cause.trigger, heard.cause.check) == ("errors", None)


@pytest.mark.parametrize(
    ("changes", "ignored"),
    [
        ({}, None),
        ({"status": "resolved"}, "it is resolved"),
        ({"labels": {"alertname": "DiskFull"}}, "no trigger of the profile names it"),
        ({"labels": {}}, "no trigger of the profile names it"),
        (
            {"startsAt": "2026-11-23T03:59:59.999999999Z"},
            "it began at 2026-11-23T03:59:59.999Z, before 1.1.0 served at 2026-11-23T04:00:00.000Z",
        ),
        ({"startsAt": "2026-11-23T05:00:00.5+01:00"}, None),
        (
            {"startsAt": "2026-11-23T05:59:00+02:00"},
            "it began at 2026-11-23T03:59:00.000Z, before 1.1.0 served at 2026-11-23T04:00:00.000Z",
        ),
        ({"startsAt": "now"}, "it does not say since when it fires"),
        ({"startsAt": "2026-11-23T04:15:31"}, "it does not say since when it fires"),
        ({"startsAt": None}, "it does not say since when it fires"),
    ],
)
def test_what_is_left_aside(changes: dict[str, Any], ignored: str | None) -> None:
    (heard,) = sift([alert(**changes)], TRIGGERS, SERVED, [])
    assert heard.ignored == ignored


def test_what_the_alert_is_about_has_lasted_when_it_fires() -> None:
    trigger = Trigger("errors", alert={"alertname": "HighErrorRate"}, lasted=1200)
    (heard,) = sift(read_alerts(SENT), [trigger], SERVED, [])
    assert heard.ignored == "it began at 2026-11-23T03:55:31.380Z, before 1.1.0 served at 2026-11-23T04:00:00.000Z"


def test_it_is_heard_once() -> None:
    again = sift([alert(), alert(), alert(startsAt="2026-11-23T05:15:00Z")], TRIGGERS, SERVED, [])
    assert [one.ignored for one in again] == [None, "it is known already", None]
    assert sift([alert()], TRIGGERS, SERVED, [KEY])[0].ignored == "it is known already"
    # One that came without a fingerprint is known by its labels.
    bare = {key: value for key, value in alert().items() if key != "fingerprint"}
    assert sift([bare], TRIGGERS, SERVED, [])[0].key.startswith("alertname=HighErrorRate,instance=app1:3001,severity=")


def test_before_anything_was_released_no_alert_is_its_fault() -> None:
    (heard,) = sift([alert()], TRIGGERS, Served("", None), [])
    assert heard.ignored == "nothing is known to have been released"


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ("x" * 400, "x" * 297 + "..."),
        ("two\nlines\x1b[31m ", "two lines [31m"),
        ("{% raw %} {# and #}", "{ % raw %} { # and #}"),
        ("", None),
    ],
)
def test_the_words_of_others_are_made_fit_to_be_shown(summary: str, said: str | None) -> None:
    (heard,) = sift([alert(annotations={"summary": summary})], TRIGGERS, SERVED, [])
    assert heard.text == "alert HighErrorRate on app1:3001" + (f": {said}" if said else "")


@pytest.mark.parametrize("payload", [SENT, SENT["alerts"], SENT["alerts"][0]])
def test_the_shapes_that_are_understood(payload: Any) -> None:
    assert read_alerts(payload) == SENT["alerts"]


@pytest.mark.parametrize("payload", ["text", 7, {}, {"alerts": "none"}, [{"status": "firing"}], {"alerts": [7]}])
def test_what_is_no_alert(payload: Any) -> None:
    with pytest.raises(SluiceError, match="Cannot read the alerts: they are not what a webhook of Alertmanager sends"):
        read_alerts(payload)
