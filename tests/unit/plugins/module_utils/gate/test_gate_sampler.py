# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When is asked, and when it ends: targets that are slow, late or raise. Time is simulated where it matters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.gate import _sampler
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Limits, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import Settings


class Clock:
    """Stands in for the module `time`: it goes on only while the one target is waited for, or answers."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.late: dict[int, float] = {}
        """Number of a wait to the seconds by which it ends late."""
        self.waits = 0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds + self.late.get(self.waits, 0.0)
        self.waits += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    simulated = Clock()

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            simulated.wait(timeout or 0.0)
            return self.is_set()

    monkeypatch.setattr(_sampler, "time", simulated)
    # Threads themselves make events, so that this name alone is replaced.
    monkeypatch.setattr(_sampler, "threading", type("Threading", (), {"Thread": threading.Thread, "Event": Event}))
    return simulated


class Asked:
    """A target whose n-th answer is made by a function of n."""

    def __init__(self, answer: Callable[[int], Any]) -> None:
        self.answer = answer
        self.count = 0

    def ask(self) -> Any:
        self.count += 1
        return self.answer(self.count - 1)


class AsItIs:
    """Measures what was answered; text cannot be measured."""

    def sample(self, t: float, answer: Any) -> Sample:
        return Sample(t, None if answer is None else answer * 1.0)


def check(answer: Callable[[int], Any], name: str = "it", **limits: Any) -> Check:
    return Check(name, "http", Asked(answer), Limits(**{"crit": 5.0, **limits}), lambda _check, _begun: AsItIs())


def observe(*checks: Check, duration: float, interval: float = 1.0, **settings: Any) -> dict[str, Any]:
    return _sampler.observe(checks, Settings(duration=duration, interval=interval, **settings))


def times(result: dict[str, Any]) -> list[float]:
    return [t for t, _value in result["gates"][0]["series"]]


def well(_number: int) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("duration", "interval", "expected"),
    [
        pytest.param(3, 1, [0, 1, 2, 3], id="the-end-is-a-tick"),
        pytest.param(3.5, 1, [0, 1, 2, 3], id="the-end-lies-between"),
        pytest.param(0.3, 0.1, [0, 0.1, 0.2, 0.3], id="three-times-a-tenth-is-not-0.3"),
        pytest.param(2.1, 0.7, [0, 0.7, 1.4, 2.1], id="three-times-0.7-is-less-than-2.1"),
        pytest.param(0, 1, [0], id="one-look"),
        pytest.param(0.5, 1, [0], id="shorter-than-an-interval"),
    ],
)
def test_samples_are_taken_on_the_grid(clock: Clock, duration: float, interval: float, expected: list[float]) -> None:
    assert times(observe(check(well), duration=duration, interval=interval)) == expected


def test_waits_that_end_late_do_not_add_up(clock: Clock) -> None:
    clock.late = dict.fromkeys(range(600), 0.004)
    it = check(well)
    assert isinstance(it.target, Asked)
    asked: list[float] = []
    it.target.answer = lambda _number: asked.append(clock.now - 1000) or 0.0
    result = observe(it, duration=600)
    assert len(result["gates"][0]["series"]) <= 300
    assert result["samples"] == 601
    assert asked[600] == pytest.approx(600.004)


def test_late_waits_make_no_breach_shorter(clock: Clock) -> None:
    clock.late = {1: 0.3}
    late = check(lambda number: 9.0 if number >= 2 else 0.0, sustained=3)
    result = observe(late, duration=10)
    assert result["verdict"] == "red"
    assert times(result)[-1] == 5, "critical first at 2 s, asked at 2.3 s"


def test_a_slow_answer_costs_ticks_and_the_next_is_on_the_grid(clock: Clock) -> None:
    def slow_once(number: int) -> float:
        clock.now += 2.2 if number == 1 else 0.0
        return 0.0

    assert times(observe(check(slow_once), duration=6)) == [0, 1, 4, 5, 6]


def test_a_machine_that_slept_has_missed_ticks(clock: Clock) -> None:
    clock.late = {1: 3.5}
    assert times(observe(check(well), duration=8)) == [0, 1, 5, 6, 7, 8]


def hangs_after(clock: Clock, count: int, seconds: float) -> Callable[[int], Any]:
    """Well at first; from the n-th question on no answer within a time."""

    def answer(number: int) -> Any:
        if number < count:
            return 0.0
        clock.now += seconds
        return None

    return answer


def test_a_target_that_hangs_at_the_end_of_the_window_is_red_and_not_pending(clock: Clock) -> None:
    result = observe(check(hangs_after(clock, 10, 5.0), sustained=3), duration=10)
    # Asked at 10 s, given up at 15 s: a single look without an answer. The next makes sure, though 10 + 3 s are over.
    assert times(result)[-2:] == [10, 15]
    assert result["verdict"] == "red"


HOLD = {"sustained": 2, "on_no_data": "hold"}


@pytest.mark.parametrize(
    ("answers", "options", "verdict", "last"),
    [
        pytest.param([0, 0, 0, 9, 9, 9, 9], {"sustained": 3}, "red", 6, id="becomes-red"),
        pytest.param([0, 0, 0, 9, 9, 0], {"sustained": 3}, "yellow", 5, id="heals"),
        pytest.param([0, 0, 0, 9, 9, 0, 0, 0], {"sustained": 4, "recover": 2}, "yellow", 7, id="recovers"),
        pytest.param([0, 0, 0, 9, 0, 9, 0, 9], {"sustained": 4, "recover": 9}, "red", 7, id="flaps"),
        pytest.param([0, 0, 0, 9, 9, 9, 9], {"sustained": 2.5}, "red", 6, id="is-decided-between-samples"),
        pytest.param(
            [0, 0, 0, 9, 9, 9, 0, 0, 0], {"sustained": 2.5, "recover": 1.5}, "yellow", 8, id="recovers-between-samples"
        ),
        pytest.param([0, 0, 0, 9] + [None] * 9, HOLD, "pending", 5, id="no-more-data"),
        pytest.param([0, 0, 0, 9, None, 9], HOLD, "red", 5, id="data-again"),
        pytest.param([0, 0, 0, 9, None, 0], HOLD, "yellow", 5, id="good-data-again"),
        pytest.param([0, 0, 0, 0, 9, 9], {"sustained": 9}, "green", 3, id="what-would-begin-later-is-not-looked-at"),
        pytest.param([0, 9, 9, 9, 9], {"sustained": 3}, "red", 4, id="began-well-before-the-end"),
    ],
)
def test_a_pending_breach_is_followed_past_the_window(
    clock: Clock, answers: list[float | None], options: dict[str, Any], verdict: str, last: int
) -> None:
    result = observe(check(lambda number: answers[min(number, len(answers) - 1)], **options), duration=3)
    assert (result["verdict"], times(result)[-1]) == (verdict, last), result


def boom(_number: int) -> Any:
    raise RuntimeError("nobody thought of this")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(boom, "could not be asked (RuntimeError)"), (lambda _n: "text", "its answer could not be used (TypeError)")],
)
def test_what_nobody_thought_of_is_no_data(clock: Clock, answer: Callable[[int], Any], reason: str) -> None:
    result = observe(check(answer, sustained=2), duration=3)
    assert result["verdict"] == "red"
    assert result["gates"][0]["reason"] == f"it had no data for 2 s (sustained limit 2 s): {reason}"


def test_targets_are_asked_a_little_apart_at_every_tick() -> None:
    asked: dict[int, list[float]] = {number: [] for number in range(5)}

    def note(number: int) -> Callable[[int], float]:
        return lambda _count: asked[number].append(time.monotonic()) or 0.0

    began = time.monotonic()
    result = observe(*(check(note(number), f"it {number}") for number in asked), duration=0.2, interval=0.1)
    assert all(round(t * 10) / 10 == t for gate in result["gates"] for t, _value in gate["series"])
    for number, moments in asked.items():
        assert moments[0] >= began + number * 0.01 - 0.001
        assert moments[-1] >= began + (len(moments) - 1) * 0.1 + number * 0.01 - 0.001


def test_threads_end_with_the_gate() -> None:
    before = threading.active_count()
    observe(*(check(well, f"it {number}") for number in range(5)), duration=0.1, interval=0.05)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.005)
    assert threading.active_count() <= before


def test_the_waiting_person_is_told_not_at_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sampler, "TELL", 0.1)
    told: list[str] = []
    checks = [check(well, f"it {number}") for number in range(20)]
    _sampler.observe(checks, Settings(duration=0.4, interval=0.05), report=lambda line, *_more: told.append(line))
    assert 1 <= len(told) <= 10, "of 180 answers"
    assert told[-1].startswith("green: it 0 0, ")
