# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Warms one instance: takes URLs out of the sources, sends them, counts, and stops when there is reason to."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import IO, Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._http import describe, dial
from ansible_collections.sluice.release.plugins.module_utils.warm._http_feed import Feed
from ansible_collections.sluice.release.plugins.module_utils.warm._http_options import Task
from ansible_collections.sluice.release.plugins.module_utils.warm._http_paths import endpoint_of
from ansible_collections.sluice.release.plugins.module_utils.warm._http_tally import Tally, Verdict, verdict
from ansible_collections.sluice.release.plugins.module_utils.warm._http_transport import Sender
from ansible_collections.sluice.release.plugins.module_utils.warm._model import (
    BUDGET,
    COMPLETE,
    FAILING,
    GONE,
    NOTHING,
    Outcome,
    Request,
    Wanted,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._sources import requests
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_common import (
    SHOWN,
    Item,
    Notes,
    SourceError,
    World,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_sitemap import spooled

Report = Callable[[str, Optional[float], Optional[float]], None]

TELL = 0.5
"""Seconds between two lines for the person who waits."""

MOST_ENDPOINTS = 50

_REMEDIES = {
    BUDGET: "Allow it more time (budget), or see why the instance answers slowly",
    FAILING: "See the log of the instance, or correct the sources",
    GONE: "See that the instance runs at this address",
    NOTHING: "Correct the sources",
    COMPLETE: "See that the instance caches these answers, or correct the target",
}


def warm(task: Task, *, report: Report, warn: Callable[[str], None], check_mode: bool) -> dict[str, Any]:
    """Warm the instance and return the result; SluiceError with the result where that is required and has failed."""
    plan = task.plan
    run = _Run(task, report)
    if check_mode:
        return run.planned()
    end = run.go()
    result = run.result(end)
    if plan.required and not end.warm:
        raise SluiceError(f"warm {plan.instance.origin}", end.reason, _REMEDIES.get(end.stopped, ""), **result)
    if not end.warm:
        warn(f"{plan.instance.origin} is not warm: {end.reason}.")
    for problem in run.problems():
        warn(f"{plan.instance.origin} was warmed without one of its sources: {problem}.")
    return {"changed": False, **result}


@dataclass
class _Sample:
    """Requests that went well, chosen with equal chances: a reservoir of a fixed size."""

    size: int

    def __post_init__(self) -> None:
        self.chosen: list[tuple[Request, float]] = []
        self._offered = 0
        # The same list gives the same sample.
        self._random = random.Random(1)  # noqa: S311 - no secret

    def offer(self, request: Request, ms: float) -> None:
        self._offered += 1
        if len(self.chosen) < self.size:
            self.chosen.append((request, ms))
        elif self.size:
            place = int(self._random.random() * self._offered)
            if place < self.size:
                self.chosen[place] = (request, ms)


class _Run:
    """One run, from the first source to the second pass."""

    def __init__(self, task: Task, report: Report) -> None:
        plan = task.plan
        self.plan, self.sources, self.door, self.report = plan, task.sources, task.door, report
        self.notes = [Notes(source.name) for source in task.sources]
        self.tally = Tally(plan.limits, plan.wanted)
        self.again: Optional[Tally] = None
        self.sample = _Sample(plan.wanted.second_pass)
        self.warm_ms: dict[Request, float] = {}
        self.begun = time.monotonic()
        self.deadline = self.begun + plan.limits.budget
        self.first_seconds = self.first_ended = 0.0
        self.address = ""
        self._told = self.begun
        self._told_done = 0
        self.total: Optional[int] = None

    # --- the whole

    def planned(self) -> dict[str, Any]:
        """What would be sent, as far as that can be known without asking anybody."""
        world = World(self.door, None, self._overdue)
        count = sum(
            1
            for item in requests(self.sources, world, self.notes, self.plan.limits.max_urls)
            if isinstance(item, Request)
        )
        broken = [note for note, source in zip(self.notes, self.sources) if note.problem and not source.is_remote]
        if broken and self.plan.required:
            raise SluiceError(f"warm {self.plan.instance.origin}", "; ".join(map(_problem, broken)), _REMEDIES[NOTHING])
        return {"changed": False, "planned": count, "warm": False, "sources": self._sources(), **self._left_out()}

    def go(self) -> Verdict:
        """Send everything; how it ended."""
        instance = self.plan.instance
        try:
            with dial(
                instance.host, instance.port, self.begun + min(self.plan.limits.timeout, self.plan.limits.budget)
            ) as line:
                self.address = line.getpeername()[0]
        except OSError as error:
            text = describe(error, self.plan.limits.timeout)[0]
            return Verdict(GONE, f"nobody answers at {instance.host}:{instance.port}: {text}", warm=False)
        self.total = self._total()
        sender = Sender(instance, self.address, self.plan.limits, cache=self.plan.cache, is_excluded=self.door.excludes)
        try:
            begun = time.monotonic()
            stopped = self._first(sender)
            self.first_seconds = time.monotonic() - begun
            self.first_ended = time.monotonic() - self.begun
            if stopped is None and self.sample.chosen:
                self.again = Tally(self.plan.limits, Wanted())
                stopped = self._second(sender)
        finally:
            sender.close()
        ending = [*self.problems(), *(f"{note.source}: {note.cut}" for note in self.notes if note.cut)]
        return verdict(self.tally, stopped, self.again, ending)

    def problems(self) -> list[str]:
        """Which sources could not be read."""
        return [_problem(note) for note in self.notes if note.problem]

    # --- the two passes

    def _first(self, sender: Sender) -> Optional[str]:
        """Ask for everything once. Why it stopped before the end, None when it did not."""
        world = World(self.door, self._fetch, self._overdue)
        items = requests(self.sources, world, self.notes, self.plan.limits.max_urls)

        def take(request: Request, outcome: Outcome, second: float) -> Optional[str]:
            if outcome.kind is None:
                self.sample.offer(request, outcome.ms)
            return self.tally.add(request.path, outcome, second)

        return self._pass(sender, items, take)

    def _second(self, sender: Sender) -> Optional[str]:
        """Ask for some of it once more."""
        again = self.again

        def take(request: Request, outcome: Outcome, second: float) -> Optional[str]:
            if outcome.kind is None:
                self.warm_ms[request] = outcome.ms
            return again.add(request.path, outcome, second) if again else None

        return self._pass(sender, (request for request, _ms in self.sample.chosen), take)

    def _pass(
        self,
        sender: Sender,
        items: Iterable[Item],
        take: Callable[[Request, Outcome, float], Optional[str]],
    ) -> Optional[str]:
        feed = Feed(iter(items), sender, self.plan.limits.rate)
        while not feed.is_done:
            now = time.monotonic()
            if now >= self.deadline:
                return BUDGET
            if feed.is_calm and self.plan.required and self.problems():
                # What was asked for can no longer be had whole.
                return NOTHING
            wait = feed.fill(now)
            for request, outcome in sender.ended(min(wait, self.deadline - now)):
                why = take(request, outcome, time.monotonic() - self.begun)
                if why is not None:
                    return why
            if now - self._told >= TELL:
                self._tell(now)
        return None

    # --- what it needs

    def _fetch(self, path: str, limit: int) -> IO[bytes]:
        """A document of the origin, in a file that is gone when it is closed."""
        limits = replace(self.plan.limits, concurrency=1, max_body=limit)
        sender = Sender(self.plan.instance, self.address, limits, is_excluded=lambda _path: False)
        file = spooled()
        try:
            sender.send(Request(path), file.write)
            while sender.active:
                if time.monotonic() >= self.deadline:
                    raise SourceError("the time was over before it was there")
                for _request, outcome in sender.ended(TELL):
                    if outcome.kind is not None:
                        raise SourceError(outcome.reason)
        except BaseException:
            file.close()
            raise
        finally:
            sender.close()
        file.seek(0)
        return file

    def _overdue(self, part: float) -> bool:
        return time.monotonic() - self.begun > part * self.plan.limits.budget

    def _total(self) -> Optional[int]:
        """How many URLs there are at most, where that is cheap to know."""
        try:
            sizes = [source.size() for source in self.sources]
        except SourceError:
            return None
        known = [size for size in sizes if size is not None]
        return min(sum(known), self.plan.limits.max_urls) if len(known) == len(sizes) else None

    def _tell(self, now: float) -> None:
        tally = self.again or self.tally
        rate = (self.tally.done - self._told_done) / (now - self._told)
        self._told, self._told_done = now, self.tally.done
        parts = [f"{self.tally.done} URLs" if self.again is None else f"second pass: {tally.done} URLs"]
        parts += [f"{rate:.0f}/s"] if self.again is None else []
        parts += [f"{tally.failed} failed"] if tally.failed else []
        parts += [f"{tally.first.hit_pct:.0f} % from the cache"] if tally.first.hit_pct is not None else []
        done, total = (tally.done, self.total) if self.again is None else (tally.done, len(self.sample.chosen))
        self.report(", ".join(parts), done if total else None, total)

    # --- the result

    def result(self, end: Verdict) -> dict[str, Any]:
        tally, seconds = self.tally, time.monotonic() - self.begun
        first_seconds = self.first_seconds or seconds
        last = self.again or tally
        return {
            "warm": end.warm,
            "stopped": end.stopped,
            "reason": end.reason,
            "done": tally.done,
            "ok": tally.ok,
            # Ansible takes a key failed for its own.
            "failed_requests": tally.failed,
            "errors": dict(sorted(tally.errors.items())),
            "failures": [failure._asdict() for failure in tally.failures],
            "bytes": tally.bytes,
            "seconds": round(seconds, 3),
            "rate": round(tally.done / first_seconds, 1) if first_seconds else 0.0,
            "hit_pct": last.first.summary()["hit_pct"],
            "first_pass": {**tally.first.summary(), "failed": tally.failed},
            "second_pass": {**self.again.first.summary(), "failed": self.again.failed} if self.again else None,
            "endpoints": self._endpoints(),
            "samples": tally.series.points(self.first_ended or seconds),
            "sources": self._sources(),
            **self._left_out(),
        }

    def _endpoints(self) -> list[dict[str, Any]]:
        """Cold and warm means of the same requests."""
        pairs: dict[str, list[tuple[float, float]]] = {}
        for request, cold in self.sample.chosen:
            warm_ms = self.warm_ms.get(request)
            if warm_ms is not None:
                pairs.setdefault(endpoint_of(request.path), []).append((cold, warm_ms))
        ordered = sorted(pairs.items(), key=lambda item: (-len(item[1]), item[0]))
        return [
            {
                "endpoint": endpoint,
                "requests": len(found),
                "cold_ms": round(sum(cold for cold, _warm in found) / len(found), 3),
                "warm_ms": round(sum(warm_ms for _cold, warm_ms in found) / len(found), 3),
            }
            for endpoint, found in itertools.islice(ordered, MOST_ENDPOINTS)
        ]

    def _sources(self) -> list[dict[str, Any]]:
        return [
            {
                "source": note.source,
                "urls": note.urls,
                "duplicates": note.duplicates,
                "left_out": sum(note.left_out.values()),
                "cut": note.cut,
                "problem": note.problem,
            }
            for note in self.notes
        ]

    def _left_out(self) -> dict[str, Any]:
        counts: dict[str, int] = {}
        for note in self.notes:
            for why, count in note.left_out.items():
                counts[why] = counts.get(why, 0) + count
        first = [one for note in self.notes for one in note.first][:SHOWN]
        return {"left_out": dict(sorted(counts.items())), "left_out_first": first}


def _problem(note: Notes) -> str:
    return f"its source {note.source} cannot be read: {note.problem}"
