# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the ticks of all hosts lead to together: a release goes back everywhere, or nowhere. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.report._words import worst
from ansible_collections.sluice.release.plugins.module_utils.watch._windows import strictest

# What the windows' words lead to when there is a trigger.
_ACTIONS = {"true": "rollback", "ask": "ask", "false": "record"}


@dataclass(frozen=True)
class Host:
    """One host's tick: the result of release_watch (None: there is none), or why there is none."""

    tick: Optional[Mapping[str, Any]] = None
    failure: Optional[str] = None

    @property
    def trouble(self) -> Optional[str]:
        """Why the host could not be looked at; None when it could, or need not be."""
        if self.failure is None and (self.tick or {}).get("state") == "interrupted":
            return str((self.tick or {})["line"])
        return self.failure

    @property
    def held(self) -> bool:
        """Whether a run of the application is under way there, so that it decides and not the watch."""
        return (self.tick or {}).get("state") == "held"


@dataclass(frozen=True)
class Outcome:
    """What is done now: ``action`` is none, record, ask or rollback. ``failed``: a person should look at it.

    ``release`` is watched; ``report`` is the release whose report has something new to say.
    """

    action: str
    release: Optional[str]
    report: Optional[str]
    verdict: Optional[str]
    reason: str
    message: str
    failed: bool
    over: bool


def decide(hosts: Mapping[str, Host], auto_rollback: str, command: str) -> Outcome:
    """Return what the fleet does after a tick. One host that is red for long enough takes all of them back.

    ``command`` is what a person runs who is asked.
    """
    ticks = {name: host.tick for name, host in sorted(hosts.items()) if host.tick is not None and not host.trouble}
    failures = {name: host.trouble for name, host in sorted(hosts.items()) if host.trouble}
    red = {name: told for name, tick in ticks.items() if (told := _red(tick))}
    verdict = worst([*(tick.get("verdict") for tick in ticks.values()), *("red" for _host in failures)])
    versions = ", ".join(sorted({str(tick["version"]) for tick in ticks.values() if tick.get("version")}))
    subject = f"keep release {versions}" if versions else "watch the release"
    reason = _said({**red, **failures}, several=len(hosts) > 1)
    over = bool(hosts) and not failures and all(tick.get("over") for tick in ticks.values())
    triggered = [str(tick.get("policy") or auto_rollback) for tick in ticks.values() if tick.get("trigger")]
    policy = strictest(triggered, auto_rollback)
    if triggered and not any(host.held for host in hosts.values()):
        action = _ACTIONS[policy]
    else:
        action = "record" if red else "none"
    message = ""
    if action == "rollback":
        message = str(SluiceError(subject, reason, "It is taken back"))
    elif action == "ask":
        message = str(SluiceError(subject, reason, f"To take it back, run: {command}"))
    elif red or failures:
        message = str(SluiceError(f"call the watch of {versions or 'the release'} green", reason))
    failed = bool(failures) or (bool(red) and policy != "false")
    release = next((str(tick["release"]) for tick in ticks.values() if tick.get("release")), None)
    ended = [str(one["release"]) for tick in ticks.values() for one in tick.get("watches") or []]
    report = ended[0] if ended else release if action in ("ask", "record") else None
    return Outcome(action, release, report, verdict, reason, message, failed, over)


def rollback_command(level: int, inventories: Sequence[str], limit: Optional[str]) -> str:
    """Return the command that takes the release back."""
    words = ["ansible-playbook", f"rollback_level{level}.yml"]
    words += [word for inventory in inventories for word in ("-i", inventory)]
    return shlex.join([*words, *(["-l", limit] if limit else [])])


def _red(tick: Mapping[str, Any]) -> str:
    return "; ".join(str(f["text"]) for f in tick.get("findings") or [] if f["verdict"] == "red")


def _said(texts: Mapping[str, Optional[str]], *, several: bool) -> str:
    return "; ".join(f"{name}: {text}" if several else str(text) for name, text in texts.items()).rstrip(".")
