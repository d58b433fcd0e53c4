# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.trigger._alerts import Served
from ansible_collections.sluice.release.plugins.module_utils.trigger._decide import Circumstances
from ansible_collections.sluice.release.plugins.module_utils.trigger._model import Trigger
from ansible_collections.sluice.release.plugins.module_utils.trigger._raise import (
    Host,
    Raised,
    declare,
    hear,
    speaks_of,
)

TRIGGERS = (
    Trigger("errors", alert={"alertname": "HighErrorRate"}),
    Trigger("corruption", declared=True, level="3"),
    Trigger("broken", declared=True),
)
SWITCHED, LATER = "2026-11-23T04:00:00.000Z", "2026-11-23T04:10:00.000Z"
NOW = parse_utc(LATER)
ALERT = {"status": "firing", "labels": {"alertname": "HighErrorRate"}, "startsAt": LATER, "fingerprint": "abc"}
DAY = 86400.0


def state(**more: Any) -> dict[str, Any]:
    """What a journal says where 1.1.0 was deployed at 04:00."""
    arrival = {"release": "r2", "kind": "deploy", "time": SWITCHED}
    return {"current": {"release": "r2", "version": "1.1.0"}, "arrival": arrival, "open": None, "triggers": [], **more}


def opened(kind: str, switched: str | None = None) -> dict[str, Any]:
    return {"release": "r3", "kind": kind, "version": "1.2.0", "switched": switched}


def holder(expires: str = "2026-11-23T05:00:00.000Z", **more: Any) -> dict[str, Any]:
    return {"owner": "alice@ci", "reason": "the sale", "run": {"pid": 1}, "expires": expires, **more}


DEPLOYED = Host(state())
ROLLED_BACK = Host(state(arrival={"release": "r3", "kind": "rolled_back", "time": SWITCHED}))
TRIED = Host(state(triggers=[{"release": "r2", "action": "rollback", "time": SWITCHED, "alerts": []}]))
SALE = Host(state(), holder(run={}))


def heard(*hosts: Host, alert: dict[str, Any] = ALERT, within: float = DAY, now: float = NOW) -> Raised:
    fleet = {f"app{number}": host for number, host in enumerate(hosts, 1)}
    return hear({"alerts": [alert]}, TRIGGERS, fleet, Circumstances(), within=within, now=now)


@pytest.mark.parametrize(
    ("hosts", "action", "why"),
    [
        ([DEPLOYED], "rollback", ""),
        ([DEPLOYED, DEPLOYED], "rollback", ""),
        # A deploy, a backup or a drill that is under way gives way, as it does for rollback.yml.
        ([Host(state(open=opened("deploy")), holder())], "rollback", ""),
        ([Host(state(open=opened("backup")), holder())], "rollback", ""),
        # Who does something about it already is not disturbed.
        ([DEPLOYED, Host(state(open=opened("rollback")), holder())], "record", "rollback r3 is under way on app2"),
        ([Host(state(open=opened("restore")), holder())], "record", "restore r3 is under way on app1"),
        ([Host(state(open=opened("emergency")), holder())], "record", "emergency r3 is under way on app1"),
        # What was killed in the middle of going back is for a person.
        ([Host(state(open=opened("rollback")))], "ask", "rollback r3 was interrupted on app1; run recover.yml"),
        (
            [Host(state(open=opened("rollback")), holder(expires=SWITCHED))],
            "ask",
            "rollback r3 was interrupted on app1; run recover.yml",
        ),
        ([SALE], "ask", "alice@ci holds the lock of app1 for the sale"),
        ([Host(state(), holder(run={}, expires=SWITCHED))], "rollback", ""),
        # Once at most.
        ([ROLLED_BACK], "ask", "what runs is what r3 has gone back to"),
        ([TRIED], "ask", f"it was tried at {SWITCHED}"),
    ],
)
def test_what_an_alert_leads_to(hosts: list[Host], action: str, why: str) -> None:
    told = heard(*hosts)
    assert (told.decision.action, told.decision.why) == (action, why)
    # Nobody has looked into one that came at a bad moment, so it is to be heard again.
    assert told.alerts == (() if action == "record" else (f"abc {LATER}",))
    assert (told.release, told.version) == ("r2", "1.1.0")


def test_a_release_that_has_served_for_long_is_asked_about() -> None:
    told = heard(DEPLOYED, within=300)
    assert (told.decision.action, told.decision.why) == (
        "ask",
        f"1.1.0 has served since {SWITCHED}, longer than trigger_within",
    )


def test_an_alert_that_was_acted_on_is_left_aside() -> None:
    known = {"release": "r2", "action": "ask", "time": SWITCHED, "alerts": [f"abc {LATER}"]}
    told = heard(DEPLOYED, Host(state(triggers=[known])))
    assert (told.decision.action, told.lines) == ("none", ("alert HighErrorRate: left aside, for it is known already",))
    # Of another release it says nothing.
    assert heard(Host(state(triggers=[{**known, "release": "r1"}]))).decision.action == "rollback"


@pytest.mark.parametrize(
    ("hosts", "release", "served"),
    [
        ([DEPLOYED], "r2", Served("1.1.0", SWITCHED)),
        # The release that is just being switched to, from its first host on.
        ([Host(state(open=opened("deploy", LATER)))], "r3", Served("1.2.0", LATER)),
        ([DEPLOYED, Host(state(open=opened("deploy", LATER)))], "r3", Served("1.2.0", LATER)),
        ([Host(state(open=opened("deploy")))], "r2", Served("1.1.0", SWITCHED)),
        ([Host(state(open=opened("rollback", LATER)))], "r2", Served("1.1.0", SWITCHED)),
        (
            [DEPLOYED, Host(state(arrival={"release": "r2", "kind": "deploy", "time": LATER}))],
            "r2",
            Served("1.1.0", SWITCHED),
        ),
        ([Host(state(arrival=None, current=None))], None, Served("", None)),
    ],
)
def test_which_release_it_speaks_of(hosts: list[Host], release: str | None, served: Served) -> None:
    assert speaks_of({f"app{number}": host for number, host in enumerate(hosts, 1)}) == (release, served)


@pytest.mark.parametrize(
    ("name", "host", "action", "level"),
    [
        ("broken", DEPLOYED, "rollback", "2"),
        ("corruption", DEPLOYED, "ask", "3"),
        ("broken", SALE, "ask", "2"),
        ("broken", Host(state(open=opened("rollback")), holder()), "record", "2"),
    ],
)
def test_what_a_word_leads_to(name: str, host: Host, action: str, level: str) -> None:
    told = declare(name, "alice has declared it", TRIGGERS, {"app1": host}, Circumstances(), NOW)
    assert (told.decision.action, told.decision.level, told.alerts) == (action, level, ())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "Cannot declare a trigger: none was named. Name one with -e trigger_name=, of corruption, broken."),
        ("errors", "no trigger of the profile that may be declared is called errors. Name one with"),
    ],
)
def test_only_what_the_profile_offers_can_be_declared(name: str, said: str) -> None:
    with pytest.raises(SluiceError, match=said):
        declare(name, "", TRIGGERS, {"app1": DEPLOYED}, Circumstances(), NOW)
    with pytest.raises(SluiceError, match=r"Use rollback\.yml"):
        declare(name, "", (), {"app1": DEPLOYED}, Circumstances(), NOW)


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ([DEPLOYED], "Cannot keep release 1.1.0: errors: alert HighErrorRate. It is taken back by level 2."),
        (
            [TRIED],
            (
                "Cannot keep release 1.1.0: errors: alert HighErrorRate. To take it back, run: COMMAND."
                f" It was not, for it was tried at {SWITCHED}."
            ),
        ),
        (
            [Host(state(open=opened("restore")), holder())],
            (
                "Cannot keep release 1.1.0: errors: alert HighErrorRate. That is only recorded, for"
                " restore r3 is under way on app1."
            ),
        ),
    ],
)
def test_what_is_said(hosts: list[Host], said: str) -> None:
    assert heard(*hosts).message("COMMAND") == said
