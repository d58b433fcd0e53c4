# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Writes keys into a Redis as quickly as it takes them, and never so many that it would push hot ones out.

While the server works on one batch the next one is made. Behind each batch INFO is asked in the same breath, so that
memory and evictions are watched without a round trip of their own.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils.warm._redis_batch import (
    GROUP,
    Alike,
    Batch,
    pack_groups,
    pack_once,
    pack_plain,
    picked,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_info import (
    Cause,
    Guard,
    Reading,
    cause_of,
    count_keys,
    parse_info,
    read_memory,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_link import GoneError, Store

# Batches on their way: the server has one to work on while another is made.
_WINDOW = 2

# Keys of which it is remembered whether they were there before; a key's commands must stand so near to each other.
_REMEMBERED = 16_384

_WATCH = b"*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n*2\r\n$4\r\nINFO\r\n$5\r\nstats\r\n"
_WATCHES = 2

_PLAIN, _ONCE, _GROUPS = "plain", "once", "groups"


class StopError(Exception):
    """The preload ends before its source does: the word, and a sentence."""

    def __init__(self, word: str, text: str) -> None:
        super().__init__(text)
        self.word = word


@dataclass
class Counts:
    """What a preload has done."""

    written: int = 0
    kept: int = 0
    expired: int = 0
    failed: int = 0
    unanswered: int = 0
    """Keys that were on their way when the server went."""
    bytes: int = 0
    causes: Counter[Cause] = field(default_factory=Counter)


class Remembered:
    """Which of the last keys were there before, so that it costs no more memory however many there are."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most
        self._ours: set[bytes] = set()
        self._theirs: set[bytes] = set()
        self._old_ours: set[bytes] = set()
        self._old_theirs: set[bytes] = set()

    def unknown(self, keys: Iterable[bytes]) -> set[bytes]:
        found = set(keys)
        # The difference of sets would look through all that is remembered.
        known = [one for one in self._all() if not one.isdisjoint(found)]
        return {key for key in found if not any(key in one for one in known)} if known else found

    def _all(self) -> tuple[set[bytes], ...]:
        return self._ours, self._theirs, self._old_ours, self._old_theirs

    def was_there(self, key: bytes) -> bool:
        """Of a key that is not unknown."""
        return key in self._theirs or key in self._old_theirs

    def note(self, keys: Iterable[bytes], there: bool) -> None:
        if len(self._ours) + len(self._theirs) >= self._most:
            self._old_ours, self._ours = self._ours, set()
            self._old_theirs, self._theirs = self._theirs, set()
        (self._theirs if there else self._ours).update(keys)


class Part(NamedTuple):
    """What one link is sent of a batch."""

    place: int
    batch: Batch | Alike
    fresh: set[bytes] | None
    """Keys that are counted when they succeed; None: each command is a key of its own."""
    form: str
    """How its commands are sent: as they are, so that each leaves a key alone that is there, or in groups."""
    replies: int
    weight: int
    again: bool
    """Whether it is the second attempt."""


class Loader:
    """Loads batches into a store. ``StopError`` and ``GoneError`` end it; ``counts`` says how far it came."""

    def __init__(
        self,
        store: Store,
        *,
        keep: bool,
        share: float,
        deadline: float,
        rate: float | None = None,
        errors_max: int = 100,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store = store
        self.keep = keep
        self.share = share
        self.deadline = deadline
        self.rate = rate
        self.errors_max = errors_max
        self.counts = Counts()
        self.guards: list[Guard] = []
        self._remembered = Remembered()
        self._sent: deque[Part] = deque()
        self._again: list[Part] = []
        self._singles: list[Batch | Alike] = []
        # The keys of a group lie in several slots.
        self._groups = not store.is_cluster
        self._ending = False
        self._sleep = sleep
        self._begun = time.monotonic()
        self._paced = 0

    def begin(self) -> None:
        """Look how full the server is. StopError when it is too full already, or takes no writes."""
        self._guard_links()
        for guard in self.guards:
            stop = guard.stop()
            if stop:
                raise StopError(*stop)

    def load(self, batch: Batch | Alike) -> None:
        """Send a batch, and read the answers to the ones before it."""
        self._pace(batch.size)
        waiting: list[Batch | Alike] = [batch]
        while waiting:
            one = waiting.pop()
            parts = self._prepare(one)
            if not self._fit(parts):
                self.drain()
                if not self._fit(parts):
                    halves = one.halves()
                    if len(halves) == 1:
                        raise StopError(*self._full(parts))
                    waiting += reversed(halves)
                    continue
            self._send(parts)
            while len(self._sent) > _WINDOW * len(self.store.links):
                self._receive()
            if self._again or self._singles:
                self.drain()

    def drain(self) -> None:
        """Read what is still to be answered."""
        while self._sent or (self._singles and not self._ending):
            if self._sent:
                self._receive()
            else:
                batch = self._singles.pop()
                self._send(self._parts(batch, None, _ONCE if self.keep else _PLAIN))
        if self._again and not self._ending:
            self._try_again()

    def end(self) -> None:
        """After a stop: see what has become of what was on its way; of some nobody knows when the server has gone."""
        self._ending = True
        try:
            self.drain()
        except GoneError:
            self.counts.unanswered += sum(_number(part) for part in self._sent)
            self._sent.clear()
        # They were refused, and not sent again.
        self._singles.clear()
        self._again.clear()

    def readings(self) -> tuple[Reading, Reading]:
        """Memory and evictions before and after, of all servers together."""
        return _total(guard.first for guard in self.guards), _total(guard.last for guard in self.guards)

    def _guard_links(self) -> None:
        for link in self.store.links[len(self.guards) :]:
            answer = link.ask(b"INFO")
            try:
                reading = read_memory(answer)
            except (TypeError, ValueError) as error:
                raise StopError("errors", f"INFO of {link.name} does not show how full it is") from error
            info = parse_info(answer)
            if info.get("role") == "slave" and info.get("slave_read_only", "1") == "1":
                raise StopError("errors", f"{link.name} is a replica that only reads; give the URL of the primary")
            system = int(info.get("total_system_memory", "0"))
            self.guards.append(Guard(reading, self.share, system, count_keys(info)))

    def _pace(self, keys: int) -> None:
        """Wait until so many more keys are due. StopError at the end of the time."""
        if self.rate:
            wait = self._begun + self._paced / self.rate - time.monotonic()
            if wait > 0:
                self.drain()
                self._sleep(min(wait, max(0.0, self.deadline - time.monotonic())))
            self._paced += keys
        if time.monotonic() >= self.deadline:
            raise StopError("budget", "the time is over")

    def _prepare(self, batch: Batch | Alike) -> list[tuple[Part, bytes]]:
        """What is to be sent of a batch to which link; what is there already and is to be kept is not."""
        if isinstance(batch, Alike):
            if not self.store.is_cluster:
                grouped = self._groups and batch.words == 3
                return self._parts(batch, None, _GROUPS if grouped else _ONCE if self.keep else _PLAIN)
            batch = batch.parsed()
        if batch.harmless:
            return self._parts(batch, None, _PLAIN)
        unknown = self._remembered.unknown(batch.keys)
        fresh = None if len(unknown) == len(batch.keys) else unknown
        if fresh is None:
            for form in (_GROUPS, _ONCE if self.keep else _PLAIN)[not self._groups :]:
                parts = self._parts(batch, None, form)
                if parts is not _IMPOSSIBLE:
                    return parts
        if not self.keep:
            return self._parts(batch, fresh, _PLAIN)
        # Whether a key was there before can only be asked when nothing more of this preload is on its way.
        self.drain()
        there = self._which_are_there(unknown)
        self.counts.kept += len(there)
        self._remembered.note(there, there=True)
        left = [
            number
            for number, key in enumerate(batch.keys)
            if key not in there and (key in unknown or not self._remembered.was_there(key))
        ]
        one = Batch(
            [batch.keys[number] for number in left],
            [batch.commands[number] for number in left],
            [batch.weights[number] for number in left] if batch.weights is not None else None,
        )
        return self._parts(one, unknown - there, _PLAIN)

    def _which_are_there(self, keys: Iterable[bytes]) -> set[bytes]:
        places: dict[int, list[bytes]] = {}
        for key in keys:
            places.setdefault(self.store.place_of(key), []).append(key)
        there: set[bytes] = set()
        for place, names in places.items():
            answers = self.store.links[place].ask_all([(b"EXISTS", name) for name in names])
            # Where it cannot be asked, for example because the key has moved, it is not touched.
            there.update(name for name, answer in zip(names, answers) if answer != 0)
        return there

    def _parts(
        self, batch: Batch | Alike, fresh: set[bytes] | None, form: str, *, again: bool = False
    ) -> list[tuple[Part, bytes]]:
        """A batch by links, packed; _IMPOSSIBLE when a command cannot be sent in that form."""
        parts = []
        for place, one in self._by_place(batch):
            replies = one.size
            data: bytes | None
            if form == _GROUPS:
                data = pack_groups(one, b"MSETNX" if self.keep else b"MSET")
                replies = -(-replies // GROUP)
            else:
                data = pack_once(one) if form == _ONCE else pack_plain(one)
            if data is None:
                return _IMPOSSIBLE
            weight = sum(one.weights) if one.weights is not None else len(data)
            own = fresh if fresh is None or one.size == batch.size else fresh.intersection(one.keys)
            parts.append((Part(place, one, own, form, replies, max(weight, len(data)), again), data))
        return parts

    def _by_place(self, batch: Batch | Alike) -> Sequence[tuple[int, Batch | Alike]]:
        if not batch.size:
            return []
        if not self.store.is_cluster or isinstance(batch, Alike):
            return [(0, batch)]
        numbers: dict[int, list[int]] = {}
        for number, key in enumerate(batch.keys):
            numbers.setdefault(self.store.place_of(key), []).append(number)
        return [(place, picked(batch, chosen)) for place, chosen in numbers.items()]

    def _full(self, parts: Sequence[tuple[Part, bytes]]) -> tuple[str, str]:
        """The stop for the first server that has no room for its part."""
        return next(
            guard.full()
            for part, _data in parts
            for guard in (self.guards[part.place],)
            if not guard.fits(part.weight, _number(part))
        )

    def _fit(self, parts: Sequence[tuple[Part, bytes]]) -> bool:
        return all(self.guards[part.place].fits(part.weight, _number(part)) for part, _data in parts)

    def _send(self, parts: Sequence[tuple[Part, bytes]]) -> None:
        for part, data in parts:
            if not part.batch.harmless and isinstance(part.batch, Batch):
                self._remembered.note(part.batch.keys if part.fresh is None else part.fresh, there=False)
            self._sent.append(part)
            self.guards[part.place].sent(part.weight, _number(part))
            self.store.links[part.place].send(data + _WATCH)
            self.counts.bytes += len(data)

    def _receive(self) -> None:
        """Read the answers to the oldest part."""
        part = self._sent[0]
        answers = self.store.links[part.place].receive(part.replies + _WATCHES)
        # Not before: when the server goes meanwhile, it is among those of which nobody knows.
        self._sent.popleft()
        memory, stats = answers[-_WATCHES:]
        del answers[-_WATCHES:]
        bad = self._count(part, answers)
        try:
            reading = read_memory(memory + b"\r\n" + stats)
        except (TypeError, ValueError):
            bad = bad or StopError("errors", f"INFO of {self.store.name} does not show how full it is any more")
        else:
            guard = self.guards[part.place]
            guard.seen(reading, part.weight, _number(part))
            stop = guard.stop()
            bad = bad or (StopError(*stop) if stop else None)
        if bad and not self._ending:
            raise bad

    def _count(self, part: Part, answers: Sequence[Any]) -> StopError | None:
        """Count what the answers say; the stop, if one of them means it."""
        counts, link = self.counts, self.store.links[part.place]
        if answers.count(b"OK") == len(answers) or (part.form == _GROUPS and answers.count(1) == len(answers)):
            counts.written += _number(part)
            return None
        if part.form == _GROUPS:
            return self._count_groups(part, answers)
        bad: dict[bytes, Cause] = {}
        there: list[bytes] = []
        missed = 0
        for key, answer in zip(part.batch.keys, answers):
            error = _error_in(answer, link.is_error)
            missed += error is not None or (answer is None and part.form == _ONCE)
            if error is not None:
                cause = cause_of(error)
                if cause.name == "busy":
                    there.append(key)
                elif bad.get(key, cause).name in ("transaction", cause.name):
                    bad[key] = cause
            elif answer is None and part.form == _ONCE:
                there.append(key)
        if there and not part.batch.harmless:
            self._remembered.note(there, there=True)
        moved = self._moved(part, bad)
        counts.kept += len(there)
        counts.failed += len(bad)
        if part.fresh is None:
            counts.written += part.batch.size - missed
        else:
            counts.written += len(part.fresh.difference(bad, there, moved))
        counts.causes.update(bad.values())
        return self._stop_for(bad.values())

    def _count_groups(self, part: Part, answers: Sequence[Any]) -> StopError | None:
        """Count the groups that were written; of the others each key is sent alone."""
        refused, is_error = 0, self.store.links[part.place].is_error
        for number, answer in enumerate(answers):
            group = part.batch.part(number * GROUP, (number + 1) * GROUP)
            if answer in (1, b"OK"):
                self.counts.written += group.size
                continue
            refused += 1
            stop = self._stop_for([cause_of(str(answer))]) if is_error(answer) else None
            if stop:
                self.counts.failed += group.size
                self.counts.causes[cause_of(str(answer))] += group.size
                return stop
            self._singles.append(group)
        # Where much is there already, groups are sent in vain.
        self._groups = self._groups and refused * 4 <= len(answers)
        return None

    def _moved(self, part: Part, bad: dict[bytes, Cause]) -> set[bytes]:
        """Take the keys from what failed that another node has; they get a second chance."""
        if not self.store.is_cluster or part.again or isinstance(part.batch, Alike):
            return set()
        moved = {key for key, cause in bad.items() if cause.name == "moved"}
        for key in moved:
            del bad[key]
        if moved:
            chosen = [number for number, key in enumerate(part.batch.keys) if key in moved]
            fresh = None if part.fresh is None else part.fresh & moved
            self._again.append(part._replace(batch=picked(part.batch, chosen), fresh=fresh))
        return moved

    def _try_again(self) -> None:
        """Send what another node has to that one."""
        self.store.look_again()
        self._guard_links()
        again, self._again = self._again, []
        for part in again:
            self._send(self._parts(part.batch, part.fresh, part.form, again=True))
        while self._sent:
            self._receive()

    def _stop_for(self, causes: Iterable[Cause]) -> StopError | None:
        for cause in causes:
            if cause.stop == "refused":
                return StopError("refused", f"{self.store.name} refuses to write: {cause.text}")
            if cause.stop:
                return StopError(cause.stop, f"{self.store.name} takes no more: {cause.text}")
        if self.counts.failed >= self.errors_max:
            return StopError("errors", failures_text(self.counts))
        return None


# Not one of these parts can be sent.
_IMPOSSIBLE: list[tuple[Part, bytes]] = []


def failures_text(counts: Counts) -> str:
    """How many keys failed, and why."""
    reasons = "; ".join(f"{number} because {cause.text}" for cause, number in counts.causes.most_common(3))
    return f"{counts.failed} {'key' if counts.failed == 1 else 'keys'} could not be written ({reasons})"


def _number(part: Part) -> int:
    """How many keys of a part are counted."""
    return part.batch.size if part.fresh is None else len(part.fresh)


def _error_in(answer: Any, is_error: Callable[[Any], bool]) -> str | None:
    """The text of an error; what a transaction answers is a list that may hold one."""
    if is_error(answer):
        return str(answer)
    if isinstance(answer, list):
        return next((str(one) for one in answer if is_error(one)), None)
    return None


def _total(readings: Iterable[Reading]) -> Reading:
    return Reading(*(sum(values) for values in zip(*readings)))
