# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The part of a gate that sends and waits. What the answers mean is decided by the kinds and by _rules.py."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Measure, Target, show
from ansible_collections.sluice.release.plugins.module_utils.gate._rules import PENDING, RED, Judge, summary, worst_of
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import Settings

Report = Callable[[str, float, float], None]


class _Answer(NamedTuple):
    """One answer; `through`: the next request of this target would be sent after the window's end."""

    target: int
    t: float
    answer: Any
    through: bool


@dataclass
class _Follower:
    """A check with what measures it and what judges it."""

    measure: Measure
    judge: Judge

    def take(self, t: float, answer: Any) -> None:
        sample = self.measure.sample(t, answer)
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
    goes on past ``duration`` while a breach is pending, at most as long as that breach needs to become red or to be
    over. Every target bounds its own answer, so the last answer is waited for.
    """
    started = time.monotonic()
    begun = time.time()
    followers = [_Follower(check.begin(check, begun), Judge(check)) for check in checks]
    targets = _targets(checks)
    answers: queue.Queue[_Answer | int] = queue.Queue()
    stop = threading.Event()
    # The most that any breach needs to be decided, once the window is over.
    patience = settings.duration + max(check.limits.sustained + check.limits.recover for check in checks)
    for number, (target, _members) in enumerate(targets):
        arguments = (number, target, settings, started, patience, answers, stop)
        threading.Thread(target=_ask, args=arguments, daemon=True).start()

    judges = [follower.judge for follower in followers]
    running, through = set(range(len(targets))), set()
    complete = True
    while running:
        if report:
            _tell(report, judges, time.monotonic() - started, settings.duration)
        try:
            answer = answers.get(timeout=1.0)
        except queue.Empty:
            continue
        if isinstance(answer, int):
            running.discard(answer)
            continue
        for member in targets[answer.target][1]:
            followers[member].take(answer.t, answer.answer)
        if answer.through:
            through.add(answer.target)
        if settings.stop_on_red and any(judge.red for judge in judges):
            complete = False
            break
        if _proven(judges) or (len(through) == len(targets) and not any(judge.is_undecided for judge in judges)):
            break
    stop.set()
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
    patience: float,
    answers: queue.Queue[_Answer | int],
    stop: threading.Event,
) -> None:
    """Ask at every tick until told to stop. A slow answer costs ticks, it never piles up."""
    tick = 0
    while not stop.is_set():
        t = time.monotonic() - started
        answer = target.ask()
        now = time.monotonic() - started
        tick = max(tick + 1, int(now / settings.interval))
        due = tick * settings.interval
        answers.put(_Answer(number, t, answer, through=settings.duration == 0 or due > settings.duration + 1e-6))
        if settings.duration == 0 or due > patience + 1e-6:
            break
        stop.wait(max(0.0, due - now))
    answers.put(number)


def _proven(judges: Sequence[Judge]) -> bool:
    """Whether readiness was all that was asked, and every check has shown it."""
    return all(judge.limits.successes and judge.is_proven for judge in judges)


def _tell(report: Report, judges: Sequence[Judge], now: float, duration: float) -> None:
    """One line for the person who waits: the verdict so far, and the newest value of each check."""
    verdicts = [judge.verdict(complete=False)[0] for judge in judges]
    verdict = worst_of(verdicts)
    parts = []
    for judge, own in zip(judges, verdicts):
        value = show(judge.samples[-1].value, judge.check.unit) if judge.samples else "waiting"
        parts.append(f"{judge.check.name} {value}" + (f" ({own})" if own in (PENDING, RED) else ""))
    report(f"{verdict}: {', '.join(parts)}", round(min(now, duration), 1), duration)
