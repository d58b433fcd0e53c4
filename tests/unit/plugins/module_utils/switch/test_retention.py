# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases and config versions may go."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.switch._retention import CONFIG, Found, decide


def target(artifact: str, config: int = 1) -> dict[str, Any]:
    return {
        "release": f"r-{artifact}",
        "version": artifact,
        "artifact": {"id": artifact},
        "config": {"version": config},
    }


def state(*good: str, bad: tuple[str, ...] = (), **changed: Any) -> dict[str, Any]:
    """What the journal says: `good`, newest first; the newest one serves."""
    targets = [target(name, 10 - number) for number, name in enumerate(good)]
    fill: list[Any] = [*targets, None, None]
    return {
        "current": fill[0], "last_known_good": fill[0], "previous_good": fill[1], "good": targets, "bad": list(bad),
        "open": None, **changed,
    }  # fmt: skip


def opened(*, moved: bool, target: dict[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    return {"release": "r", "moved": moved, "target": target, "data": data}


@pytest.mark.parametrize(
    ("found", "journal", "keep", "kept", "why"),
    [
        (Found("release", "e"), state("e", "d", "c", "b"), 1, True, "current"),
        (Found("release", "d"), state("e", "d", "c", "b"), 1, True, "previous good"),
        (Found("release", "c"), state("e", "d", "c", "b"), 3, True, "one of the last 3 that were good"),
        (Found("release", "b"), state("e", "d", "c", "b"), 3, False, "older than the last 3 that were good"),
        (Found("release", "x"), state("e", bad=("x", "y")), 5, False, "did not pass its gates"),
        # Five failures in a row push nothing out.
        (Found("release", "d"), state("e", "d", bad=("v", "w", "x", "y", "z")), 2, True, "previous good"),
        # It was good once, then a person left it for good.
        (Found("release", "d"), state("e", "c", "d", bad=("d",)), 5, False, "did not pass its gates"),
        (Found("release", "new"), state("e"), 5, False, "has never served as a good release"),
        (Found("release", "half", complete=False), state("e"), 5, False, "incomplete"),
        (Found("release", "half", complete=False), state("e", open=opened(moved=False)), 5, True, "is under way"),
        (Found("release", "half", complete=False), state("e", open=opened(moved=True)), 5, False, "incomplete"),
        (Found("release", "new"), state("e", open=opened(moved=False)), 5, True, "is under way"),
        (Found("release", "new"), state("e", open=opened(moved=True, target=target("new"))), 5, True, "target of"),
        (Found("release", "old"), state("e", open=opened(moved=False, target=target("old"))), 1, True, "target of"),
        (Found("release", "b"), state("e", "d", "c", "b", open=opened(moved=True, restored=target("b"))), 1, True, ""),
        (Found("release", "x", live="process 7 runs in it"), state("e", bad=("x",)), 5, True, "process 7 runs in it"),
        (Found("release", "e", complete=False), state("e"), 5, True, "current"),
        (Found("release", "e"), state(), 5, False, "has never served"),
        (Found(CONFIG, "10"), state("e", "d", "c"), 1, True, "current"),
        (Found(CONFIG, "8"), state("e", "d", "c"), 3, True, "one of the last 3"),
        (Found(CONFIG, "8"), state("e", "d", "c"), 2, False, "older than the last 2"),
        (Found(CONFIG, "2"), state("e", current={"config": {"version": 10, "base": 2}}), 1, True, "was made from"),
        (Found(CONFIG, "3"), state("e", open=opened(moved=True, config={"version": 3})), 1, True, "target of"),
    ],
)  # fmt: skip
def test_decide(found: Found, journal: dict[str, Any], keep: int, kept: bool, why: str) -> None:
    (verdict,) = decide([found], journal, keep)
    assert verdict.kept is kept
    assert why in verdict.why
