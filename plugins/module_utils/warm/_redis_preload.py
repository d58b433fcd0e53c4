# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A preload from its source to its result: what is loaded, how it ended, and whether that is good enough."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_batch import Alike, Batch
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_commands import (
    BadSourceError,
    Checked,
    anew,
    check_commands,
    read_bodies,
    read_commands,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_entry import (
    LIBRARIES,
    access_of,
    see_that_positive,
    selection_of,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_file import (
    Entry,
    Snapshot,
    check_snapshot,
    read_entries,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_keys import check_keys, read_keys
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_link import (
    Access,
    GoneError,
    open_store,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_load import (
    Counts,
    Loader,
    StopError,
    failures_text,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_read import Reader, Selection

# Bad lines that a message names.
_NAMED = 5

# Bytes of payloads of one batch.
_BYTES = 256 * 1024

_REMEDIES = {
    "budget": "Give it more time, or fewer keys",
    "memory": "Give the server more memory, or preload fewer keys; what was hot has stayed",
    "evictions": "Give the server more memory, or preload fewer keys",
    "refused": "Give the server more memory",
    "gone": "See that the server runs, and that this host reaches it",
    "errors": "Correct the source, or the server",
}


@dataclass(frozen=True)
class PreloadOptions:
    """What is to be loaded, and how far it may go."""

    access: Access
    snapshot: str | None = None
    commands: str | None = None
    keys: str | None = None
    origin: Access | None = None
    selection: Selection = field(default_factory=Selection)
    existing: str = "keep"
    batch: int = 5000
    rate: float | None = None
    budget: float = 300.0
    max_memory_pct: float = 90.0
    errors_max: int = 100
    policy: str = "required"

    @property
    def doing(self) -> str:
        return f"preload {self.access.name}"

    @property
    def keep(self) -> bool:
        return self.existing == "keep"

    @property
    def batch_keys(self) -> int:
        """Keys of a batch: under a rate no more than fit into a quarter of a second."""
        return min(self.batch, max(1, int(self.rate / 4))) if self.rate else self.batch


@dataclass(frozen=True)
class Means:
    """What a preload acts through."""

    progress: Progress
    warn: Callable[[str], None]
    check_mode: bool = False


class Source(Protocol):
    """Where keys come from."""

    def check(self, go_on: Callable[[], None]) -> int | None:
        """See that it is good before anything is written; how many there are, where that is known."""

    def batches(self, counts: Counts) -> Iterator[Batch | Alike]: ...


@dataclass
class CommandsSource:
    """A file of commands."""

    path: str
    options: PreloadOptions

    def check(self, go_on: Callable[[], None]) -> int:
        found = _checked(self.path, "command", self.options, lambda: check_commands(self.path, go_on, _NAMED))
        self._head = found.head
        return found.commands

    def batches(self, counts: Counts) -> Iterator[Batch | Alike]:
        del counts
        if self._head is not None:
            for bodies in read_bodies(self.path, self._head, self.options.batch_keys):
                yield Alike(self._head, bodies)
            return
        for commands in read_commands(self.path, self.options.batch_keys):
            if not self.options.keep and commands[0][0] != b"SET":
                commands = list(map(anew, commands))
            yield Batch([command[1] for command in commands], commands)


@dataclass
class KeysSource:
    """A file of JSON lines."""

    path: str
    options: PreloadOptions

    def check(self, go_on: Callable[[], None]) -> int:
        return _checked(self.path, "line", self.options, lambda: check_keys(self.path, go_on, _NAMED)).commands

    def batches(self, counts: Counts) -> Iterator[Batch]:
        for groups, ended in read_keys(self.path, self.options.batch_keys, self.options.keep, _now):
            counts.expired += ended
            keys = [key for key, commands in groups for _command in commands]
            yield Batch(keys, [command for _key, commands in groups for command in commands])


@dataclass
class SnapshotSource:
    """A file of redis_snapshot."""

    path: str
    options: PreloadOptions

    def check(self, go_on: Callable[[], None]) -> int:
        self._snapshot: Snapshot = check_snapshot(self.path, self.options.doing)
        go_on()
        return self._snapshot.keys

    def batches(self, counts: Counts) -> Iterator[Batch]:
        waiting: list[Entry] = []
        size = 0
        for entry in read_entries(self._snapshot):
            waiting.append(entry)
            size += len(entry.payload)
            if len(waiting) >= self.options.batch_keys or size >= _BYTES:
                yield restored(waiting, counts, self.options.keep)
                waiting, size = [], 0
        yield restored(waiting, counts, self.options.keep)


@dataclass
class InstanceSource:
    """Another running Redis."""

    reader: Reader
    options: PreloadOptions

    def check(self, go_on: Callable[[], None]) -> int | None:
        go_on()
        return self.options.selection.max_keys

    def batches(self, counts: Counts) -> Iterator[Batch]:
        for entries in self.reader.entries():
            for start in range(0, len(entries), self.options.batch_keys):
                yield restored(entries[start : start + self.options.batch_keys], counts, self.options.keep)
        if self.reader.found.stopped == "budget":
            raise StopError("budget", "the time is over")


def restored(entries: list[Entry], counts: Counts, keep: bool, now: Callable[[], int] | None = None) -> Batch:
    """What writes entries with the ends that they had; those that have ended are left out."""
    moment = (now or _now)()
    alive = [entry for entry in entries if not entry.expires or entry.expires > moment]
    counts.expired += len(entries) - len(alive)
    more = [b"ABSTTL"] if keep else [b"ABSTTL", b"REPLACE"]
    commands = [[b"RESTORE", entry.key, b"%d" % entry.expires, entry.payload, *more] for entry in alive]
    weights = [max(entry.size, len(entry.payload)) for entry in alive]
    # RESTORE refuses a key that is there, unless it is told to replace it.
    return Batch([entry.key for entry in alive], commands, weights, harmless=True)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _checked(path: str, what: str, options: PreloadOptions, check: Callable[[], Checked]) -> Checked:
    """What a file holds in which nothing is bad. SluiceError that names the first bad ones."""
    try:
        found = check()
    except BadSourceError as error:
        raise SluiceError(options.doing, f"{path} is refused: {error}", "Correct the file") from error
    except OSError as error:
        raise SluiceError(options.doing, f"{path}: {error.strerror or error}", "Give the path of a file") from error
    if found.bad:
        more = f"; and {found.bad - len(found.named)} more" if found.bad > len(found.named) else ""
        raise SluiceError(
            options.doing,
            f"{path} is refused, {found.bad} of {found.commands} {what}s are bad: {'; '.join(found.named)}{more}",
            "Correct the file; nothing of it was sent",
        )
    return found


def options_of(params: Mapping[str, Any]) -> PreloadOptions:
    """The options of the module. SluiceError when they make no sense."""
    doing = "preload"
    require(doing, LIBRARIES, LIBRARIES)
    positive = ("budget", "timeout", "max_keys", "max_bytes", "max_value_bytes", "batch", "rate", "errors_max")
    see_that_positive(doing, params, (*positive, "max_memory_pct"))
    if params["max_memory_pct"] > 100:
        raise SluiceError(doing, f"max_memory_pct is {params['max_memory_pct']:g}, it may be 100 at most")
    names = ("existing", "batch", "rate", "budget", "max_memory_pct", "errors_max", "policy")
    return PreloadOptions(
        access_of(params),
        **{name: params[name] for name in ("snapshot", "commands", "keys", *names)},
        origin=access_of(params, "from_") if params["from_url"] else None,
        selection=selection_of(params),
    )


def preload(options: PreloadOptions, means: Means) -> dict[str, Any]:
    """Load, and return how it went. SluiceError, with the same in its fields, when that is not good enough."""
    begun = time.monotonic()
    run = _Run(options, means, begun + options.budget)
    error: SluiceError | None = None
    try:
        run.run()
        stopped, reason = run.verdict()
    except StopError as stop:
        stopped, reason = stop.word, str(stop)
    except GoneError as gone:
        stopped, reason = "gone", str(gone)
    except SluiceError as caught:
        # Nothing was written: the server is not there, or the source is of no use.
        stopped, reason, error = ("gone" if run.unreachable else "errors"), str(caught), caught
    seconds = time.monotonic() - begun
    result = {**run.result(seconds), "stopped": stopped, "warm": stopped == "complete", "reason": reason}
    if stopped == "complete":
        return result
    if error is None:
        error = SluiceError(options.doing, f"it stopped ({stopped}), {reason}", _REMEDIES[stopped])
    if options.policy == "required":
        error.fields = {**error.fields, **result}
        raise error
    means.warn(error.message)
    return result


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Let nobody look for garbage in cycles: lists of words make none, and millions of them are looked through."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Run:
    """One preload."""

    def __init__(self, options: PreloadOptions, means: Means, deadline: float) -> None:
        self.options = options
        self.means = means
        self.deadline = deadline
        self.unreachable = True
        self.loader: Loader | None = None
        self.total: int | None = None
        self.reader: Reader | None = None
        self.product: str | None = None
        self.nodes = 0

    def run(self) -> None:
        options = self.options
        with contextlib.ExitStack() as stack:
            stack.enter_context(_no_collection())
            # The source first: a bad file is refused whether or not the server is there.
            self.unreachable = False
            source = self._file_source()
            if source is not None:
                self.total = source.check(self._go_on)
            self.unreachable = True
            if options.origin is not None:
                origin = stack.enter_context(open_store(options.origin, f"read from {options.origin.name}"))
                self.reader = Reader(origin, options.selection, self.deadline, options.doing)
                source = InstanceSource(self.reader, options)
                self.total = source.check(self._go_on)
            store = stack.enter_context(open_store(options.access, options.doing))
            self.unreachable = False
            self.product, self.nodes = store.product, len(store.links)
            self.loader = loader = Loader(
                store,
                keep=options.keep,
                share=options.max_memory_pct,
                deadline=self.deadline,
                rate=options.rate,
                errors_max=options.errors_max,
            )
            loader.begin()
            if self.means.check_mode:
                if self.reader is not None:
                    self.total = self.reader.count()
                return
            if source is not None:
                try:
                    for batch in source.batches(loader.counts):
                        loader.load(batch)
                        self._show(loader.counts)
                    loader.drain()
                except (GoneError, StopError):
                    # While the connection is still open; it may be the other server that has gone.
                    loader.end()
                    raise

    def _file_source(self) -> Source | None:
        options = self.options
        if options.commands is not None:
            return CommandsSource(options.commands, options)
        if options.keys is not None:
            return KeysSource(options.keys, options)
        return SnapshotSource(options.snapshot, options) if options.snapshot is not None else None

    def _go_on(self) -> None:
        if time.monotonic() >= self.deadline:
            raise StopError("budget", "the time was over before the source was read")
        self.means.progress.update("reading the source")

    def _show(self, counts: Counts) -> None:
        done = counts.written + counts.kept + counts.expired + counts.failed
        total = f" of {self.total}" if self.total else ""
        self.means.progress.update(f"{done}{total} keys", done, self.total)

    def verdict(self) -> tuple[str, str]:
        """How it ended that came to the end of its source."""
        if self.means.check_mode or self.loader is None:
            return "complete", "check mode: nothing was written"
        counts = self.loader.counts
        if counts.failed and not counts.written and not counts.kept:
            return "errors", failures_text(counts)
        text = f"the source is at its end, {counts.written} keys were written"
        return "complete", f"{text}; {failures_text(counts)}" if counts.failed else text

    def result(self, seconds: float) -> dict[str, Any]:
        counts = self.loader.counts if self.loader is not None else Counts()
        guards = self.loader.guards if self.loader is not None else []
        before, after = self.loader.readings() if self.loader is not None and guards else (None, None)
        written = counts.written
        planned = bool(self.means.check_mode and self.total)
        return {
            "changed": bool(written) or planned,
            "keys": self.total,
            "written": written,
            "kept": counts.kept,
            "expired": counts.expired,
            "errors": counts.failed,
            "unanswered": counts.unanswered,
            "failures": [
                {"cause": cause.name, "reason": cause.text, "count": number}
                for cause, number in counts.causes.most_common()
            ],
            "large": self.reader.found.large if self.reader is not None else 0,
            "bytes": counts.bytes,
            "seconds": round(seconds, 3),
            "rate": round(written / seconds, 1) if seconds > 0 else 0.0,
            "evicted_before": before.evicted if before else None,
            "evicted_after": after.evicted if after else None,
            "used_memory_before": before.used if before else None,
            "used_memory_after": after.used if after else None,
            "maxmemory": after.maximum if after else None,
            "server": self.product,
            "nodes": self.nodes,
        }
