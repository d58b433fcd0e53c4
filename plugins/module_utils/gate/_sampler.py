# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The part of a gate that sends and waits. What the answers mean is decided by the kinds and by _rules.py."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils.gate._model import (
    SAME_TIME,
    Check,
    Keeper,
    Measure,
    Sample,
    Target,
)
from ansible_collections.sluice.release.plugins.module_utils.gate._rules import PENDING, RED, Judge, summary, worst_of
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import Settings

Report = Callable[[str, float, float, "list[dict[str, Any]]"], None]

TELL = 1.0
"""Seconds between two lines for the person who waits: nobody looks more often, and to judge every check costs."""

APART = 0.01
"""Seconds from the question to one target to that to the next. Asked at the same moment, they would wait for each other
in this process and in the application, and that would be measured."""


class _Answer(NamedTuple):
    """One answer, or the error of a target that raised one."""

    target: int
    t: float
    """The tick at which was asked."""
    answer: Any
    last: bool
    """Whether the next tick lies past the window's end."""


@dataclass
class _Follower:
    """A check with what measures it and what judges it."""

    measure: Measure
    judge: Judge

    def take(self, t: float, answer: Any) -> None:
        """Judge an answer. What nobody thought of is no data: a gate ends in a verdict and not in a traceback."""
        sample: Sample | None
        if isinstance(answer, Exception):
            sample = Sample(t, None, f"could not be asked ({type(answer).__name__})")
        else:
            try:
                sample = self.measure.sample(t, answer)
            except Exception as error:  # noqa: BLE001 - whatever an answer can hold
                sample = Sample(t, None, f"its answer could not be used ({type(error).__name__})")
        if sample is not None:
            self.judge.add(sample)


def observe(
    checks: Sequence[Check],
    settings: Settings,
    *,
    report: Report | None = None,
) -> dict[str, Any]:
    """Look at all checks side by side for the whole window and return the gate's result.

    It ends early on red (with ``stop_on_red``) and when nothing but readiness was asked and all of it is proven. It
    goes on past ``duration`` while a breach that began before is pending. Every target bounds its own answer, so the
    last answer is waited for.
    """
    started = time.monotonic()
    begun = time.time()
    followers = [_Follower(check.begin(check, begun), Judge(check)) for check in checks]
    targets = _targets(checks)
    answers: queue.Queue[_Answer] = queue.Queue()
    stop = threading.Event()
    apart = min(APART, settings.interval / 2 / len(targets)) if settings.duration else 0.0
    for number, (target, _members) in enumerate(targets):
        arguments = (number, target, settings, started + number * apart, answers, stop)
        threading.Thread(target=_ask, args=arguments, daemon=True).start()

    judges = [follower.judge for follower in followers]
    waited_for = set(range(len(targets)))
    complete, told = True, -math.inf
    while waited_for:
        now = time.monotonic() - started
        if report and now - told >= TELL:
            _tell(report, judges, now, settings.duration)
            told = now
        try:
            answer = answers.get(timeout=TELL)
        except queue.Empty:
            continue
        members = targets[answer.target][1]
        for member in members:
            followers[member].take(answer.t, answer.answer)
        if settings.stop_on_red and any(judges[member].red for member in members):
            complete = False
            break
        if _proven(judges):
            break
        if answer.last and not any(_undecided(judges[member], answer.t, settings.duration) for member in members):
            waited_for.discard(answer.target)
    stop.set()
    for target, _members in targets:
        if isinstance(target, Keeper):
            target.end()
    return summary(judges, elapsed=time.monotonic() - started, complete=complete)


def _targets(checks: Sequence[Check]) -> list[tuple[Target, list[int]]]:
    """What is asked, each with the checks that it serves."""
    shared: dict[Target, list[int]] = {}
    for number, check in enumerate(checks):
        shared.setdefault(check.target, []).append(number)
    return list(shared.items())


def _ask(
    number: int,
    target: Target,
    settings: Settings,
    started: float,
    answers: queue.Queue[_Answer],
    stop: threading.Event,
) -> None:
    """Ask at every tick until told to stop. A slow answer costs ticks, it never piles up.

    ``started`` is a little later for each target.

    Ticks are whole multiples of the interval since the gate began, and a sample has the time of its tick: the few
    milliseconds by which a busy machine is late at one end of a breach must not make the breach shorter.
    """
    tick, interval = 0, settings.interval
    if started > time.monotonic():
        stop.wait(started - time.monotonic())
    while not stop.is_set():
        # A machine that slept for longer than the interval has missed ticks.
        tick = max(tick, int((time.monotonic() - started) / interval))
        answer: Any
        try:
            answer = target.ask()
        except Exception as error:  # noqa: BLE001 - a target that raises would be waited for without end
            answer = error
        t = round(tick * interval, 6)
        tick = max(tick + 1, math.ceil((time.monotonic() - started) / interval))
        last = settings.duration == 0 or tick * interval > settings.duration + SAME_TIME
        answers.put(_Answer(number, t, answer, last))
        if settings.duration == 0:
            break
        stop.wait(max(0.0, started + tick * interval - time.monotonic()))


def _undecided(judge: Judge, t: float, duration: float) -> bool:
    """Whether samples after ``t`` are needed, although the window is over."""
    until = judge.undecided_until(duration) if duration else None
    return until is not None and t < until - SAME_TIME


def _proven(judges: Sequence[Judge]) -> bool:
    """Whether readiness was all that was asked, and every check has shown it."""
    return all(judge.limits.successes and judge.is_proven for judge in judges)


def _tell(report: Report, judges: Sequence[Judge], now: float, duration: float) -> None:
    """Tell the person who waits the verdict so far, and how each check stands."""
    checks = [judge.glance() for judge in judges]
    verdict = worst_of([check["verdict"] for check in checks])
    bad = [check for check in checks if check["verdict"] in (PENDING, RED)]
    names = ", ".join(f"{check['check']} {check['value']}" for check in bad or checks)
    report(f"{verdict}: {names}", round(min(now, duration), 1), duration, checks)
