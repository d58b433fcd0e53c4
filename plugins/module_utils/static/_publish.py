# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A switch of a frontend from one release to another that fails closed.

Everything that a page needs is there before the page is. The release counts as serving when it has been fetched, file
by file, from where browsers fetch it; until then all can go back in one step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._http import Fetch, fetch
from ansible_collections.sluice.release.plugins.module_utils.static import _ledger, _proof, _tree
from ansible_collections.sluice.release.plugins.module_utils.static._ledger import Edition, Keep, Ledger
from ansible_collections.sluice.release.plugins.module_utils.static._place import Changes, Place
from ansible_collections.sluice.release.plugins.module_utils.static._tree import Rules, Tree
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Ready

WARN, FAIL, IGNORE = "warn", "fail", "ignore"
# A diff that names every file of a large frontend says nothing.
_DIFF_FILES = 200


@dataclass(frozen=True)
class Request:
    """What shall serve. Times in seconds. ``urls``: other addresses of the same page, such as edges of a CDN."""

    name: str
    release: str
    root: str
    ready: Ready | None
    rules: Rules = field(default_factory=Rules)
    keep: Keep = field(default_factory=Keep)
    headers: str = ""
    urls: Sequence[str] = ()
    urls_timeout: float = 120.0
    caching: str = WARN
    to_come: bool = False


@dataclass(frozen=True)
class World:
    """What the switch touches, so that tests can hold it."""

    place: Place
    ask: Fetch = fetch
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    say: Callable[[str], object] = str
    warn: Callable[[str], object] = str


class Unproven(Exception):  # noqa: N818 - a verdict, turned into the collection's error with all that was seen
    """What browsers get is not the release, for this reason."""


@dataclass
class Switch:
    """One call of the module."""

    request: Request
    world: World
    check_mode: bool = False
    witnesses: list[_proof.Witness] = field(default_factory=list)
    forgotten: tuple[Edition, ...] = ()

    def run(self, *, stage: bool = False) -> dict[str, Any]:
        """Bring it about, or in check mode say what would be done. SluiceError with the same keys on failure."""
        request, world = self.request, self.world
        began = world.now()
        before = world.place.look()
        if request.to_come:
            after = before if stage else Ledger(request.release, before.editions)
            return self._result(began, before, after, Changes(move=True))
        world.say("read the release")
        tree = _tree.read(request.release, request.root, request.rules)
        _ledger.check_hashes(before, tree)
        after = self._after(before, tree, stage=stage)
        changes = world.place.plan(tree, before, after)
        if not self.check_mode:
            self._carry_out(tree, before, changes, began, stage=stage)
        elif stage:
            after = before
        return self._result(began, before, after, changes)

    def _after(self, before: Ledger, tree: Tree, *, stage: bool) -> Ledger:
        """Return what shall be published. Time alone removes nothing: only a release that moves does."""
        now = self.world.clock()
        if before.current == tree.release and before.edition(tree.release) == _ledger.edition(tree):
            return before if stage or before.headers == self.request.headers else _with_headers(before, self.request)
        if stage:
            after = _ledger.staged(before, tree, now)
            ahead, known = after.edition(tree.release), before.edition(tree.release)
            # A release that served before has all of its files there.
            return before if ahead and known and ahead.files.items() <= known.files.items() else after
        after, self.forgotten = _ledger.retained(
            _ledger.moved(before, tree, now, self.request.headers), self.request.keep, now
        )
        return after

    # -- acting --------------------------------------------------------------------------------------------------------

    def _carry_out(self, tree: Tree, before: Ledger, changes: Changes, began: float, *, stage: bool) -> None:
        place, world = self.world.place, self.world
        if not changes:
            if not stage:
                self._stand(tree, began, before)
            return
        moved = False
        try:
            world.say(f"publish {len(changes.publish)} files")
            place.publish()
            moved = True
            world.say("move" if not stage else "add what is new")
            place.move()
            if not stage:
                self._prove(tree)
        except (Unproven, SluiceError) as problem:
            undone = self._undo() if moved else ""
            raise self._failure(problem, began, before, undone) from problem
        try:
            place.tidy()
        except SluiceError as stuck:
            # The release serves; what could not be removed is removed next time.
            world.warn(str(stuck))

    def _stand(self, tree: Tree, began: float, before: Ledger) -> None:
        """Prove what is in place already; caches may keep something older."""
        try:
            try:
                self._prove(tree)
            except Unproven as reason:
                if not self.world.place.refresh():
                    raise
                self.world.warn(f"What is published is not what is served, so caches were told: {reason}")
                self._prove(tree)
        except (Unproven, SluiceError) as problem:
            raise self._failure(problem, began, before, "Nothing was changed") from problem

    def _prove(self, tree: Tree) -> None:
        request, world = self.request, self.world
        if request.ready is None:
            return
        expected = _proof.Expected(tree, request.ready, request.rules.base, caching=request.caching != IGNORE)
        options: dict[str, Any] = {"ask": world.ask, "now": world.now, "sleep": world.sleep, "say": world.say}
        world.say("fetch what is served")
        self.witnesses = _proof.prove(expected, [request.ready.url], request.ready.timeout, **options)
        if not _proof.shortfall(self.witnesses) and request.urls:
            self.witnesses += _proof.prove(expected, request.urls, request.urls_timeout, **options)
        problem = _proof.shortfall(self.witnesses)
        if problem:
            raise Unproven(problem)
        findings = self._findings()
        if findings and request.caching == FAIL:
            raise Unproven("; ".join(findings))
        for finding in findings:
            world.warn(finding)

    def _findings(self) -> list[str]:
        return list(dict.fromkeys(finding for witness in self.witnesses for finding in witness.findings))

    def _undo(self) -> str:
        try:
            self.world.place.undo()
        except SluiceError as stuck:
            return f"It could not be taken back: {stuck}"
        return "What served before serves again"

    # -- telling -------------------------------------------------------------------------------------------------------

    def _failure(self, problem: Exception, began: float, before: Ledger, undone: str) -> SluiceError:
        cause = problem.cause if isinstance(problem, SluiceError) else str(problem)
        what = problem.verb_and_thing if isinstance(problem, SluiceError) else f"publish release {self.request.release}"
        remedy = [problem.remedy] if isinstance(problem, SluiceError) and problem.remedy else []
        self.forgotten = ()
        told = self._result(began, before, before, Changes())
        return SluiceError(what, cause, ". ".join([*remedy, *([undone] if undone else [])]), **told)

    def _result(self, began: float, before: Ledger, after: Ledger, changes: Changes) -> dict[str, Any]:
        world = self.world
        retired = [
            {"id": world.place.id, "release": one.release, "seconds": 0.0, "killed": False} for one in self.forgotten
        ]
        serves = after.current
        return {
            "changed": bool(changes),
            "previous": before.current,
            "current": serves,
            "instances": [{**witness.result(), "release": serves} for witness in self.witnesses],
            "retired": retired,
            "files": {
                "published": len(changes.publish),
                "unchanged": changes.unchanged,
                "removed": len(changes.remove),
                "bytes": changes.size,
            },
            "kept": [one.release for one in after.editions if one.release != after.current],
            "findings": self._findings(),
            **world.place.evidence(),
            "duration": round(world.now() - began, 3),
            "diff": _diff(before, changes, serves),
        }


def end(name: str, world: World, *, absent: bool, check_mode: bool) -> dict[str, Any]:
    """Serve nothing under this name; with ``absent`` keep nothing of it either."""
    began = world.now()
    before = world.place.look()
    after = Ledger(None, () if absent else tuple(one for one in before.editions if one.release != before.current))
    change = bool(before.current or (absent and before.editions))
    if change and not check_mode:
        world.say(f"end {name}")
        world.place.end(absent=absent)
    names = tuple(sorted(before.served()))
    return {
        "changed": change,
        "previous": before.current,
        "current": None,
        "instances": [],
        "retired": [
            {"id": world.place.id, "release": one.release, "seconds": 0.0, "killed": False}
            for one in before.editions
            if absent or one.release == before.current
        ],
        "files": {"published": 0, "unchanged": 0, "removed": len(names) if change else 0, "bytes": 0},
        "kept": [one.release for one in after.editions],
        "findings": [],
        **world.place.evidence(),
        "duration": round(world.now() - began, 3),
        "diff": {"before": {"release": before.current}, "after": {"release": None}},
    }


def _with_headers(ledger: Ledger, request: Request) -> Ledger:
    return Ledger(ledger.current, ledger.editions, request.headers)


def _diff(before: Ledger, changes: Changes, serves: str | None) -> dict[str, Any]:
    if not changes:
        same: dict[str, Any] = {"release": before.current, "files": []}
        return {"before": same, "after": dict(same)}
    there = before.served()
    replaced = [name for name in changes.publish if name in there]
    return {
        "before": {"release": before.current, "files": _short(sorted({*replaced, *changes.remove}))},
        "after": {"release": serves, "files": _short(changes.publish)},
    }


def _short(names: Sequence[str]) -> list[str]:
    rest = len(names) - _DIFF_FILES
    return [*names[:_DIFF_FILES], *([f"and {rest} more"] if rest > 0 else [])]
