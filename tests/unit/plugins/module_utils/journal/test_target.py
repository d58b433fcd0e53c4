# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rollback goes, as a table over what the journal says."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._target import choose


def target(version: str, config: int = 1) -> dict[str, Any]:
    return {
        "release": f"R-{version}-{config}",
        "version": version,
        "artifact": {"id": f"{version}-abc"},
        "config": {"version": config},
    }


def state(current: dict[str, Any] | None, *good: dict[str, Any], bad: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"current": current, "good": list(good), "bad": [f"{version}-abc" for version in bad]}


BACKUP = {"release": "R-3.0-1", "event": "left", "stage": "backup", "data": {"backup": {"id": "B3"}}}


@pytest.mark.parametrize(
    ("known", "level", "options", "expected"),
    [
        # A failed release goes to whatever served before, which is the newest good one.
        (state(target("2.0"), target("2.0"), target("1.0")), 0, {}, ("2.0", 1, None)),
        (state(None, target("2.0"), target("1.0")), 0, {}, ("2.0", 1, None)),
        (state(target("2.0", 2), target("2.0", 2), target("2.0", 1)), 1, {}, ("2.0", 1, None)),
        (state(target("2.0"), target("2.0"), target("1.0")), 2, {}, ("1.0", 1, None)),
        # Never to a bad one, and going back twice does not toggle.
        (state(target("3.0"), target("3.0"), target("2.0"), target("1.0"), bad=("2.0",)), 2, {}, ("1.0", 1, None)),
        (state(target("3.0"), target("3.0"), target("2.0"), target("1.0")), 2, {"version": "1.0"}, ("1.0", 1, None)),
        # What runs is not known: the last known good itself.
        (state(None, target("2.0"), target("1.0")), 2, {}, ("2.0", 1, None)),
        (state(target("3.0"), target("3.0"), target("2.0")), 3, {}, ("2.0", 1, "B3")),
        (state(target("3.0"), target("3.0"), target("2.0")), 3, {"backup_id": "B1"}, ("2.0", 1, "B1")),
    ],
)
def test_the_target(
    known: dict[str, Any], level: int, options: dict[str, Any], expected: tuple[str, int, str | None]
) -> None:
    goal = choose(known, [BACKUP], level, **options)
    assert goal.target is not None
    assert (goal.target["version"], goal.target["config"]["version"], goal.backup_id) == expected


MIGRATED = {"release": "R-3.0-1", "event": "left", "stage": "migrate", "data": {"applied": ["1-a", "2-b"]}}
EARLIER = {**MIGRATED, "release": "R-2.0-1", "data": {"applied": ["0-z"]}}


@pytest.mark.parametrize(
    ("level", "options", "expected"),
    [
        (3, {}, ("1-a", "2-b")),
        # Who names a backup wants what is in it; without the database nothing of it goes back.
        (3, {"backup_id": "B1"}, ()),
        (2, {}, ()),
    ],
)
def test_the_migrations_that_may_be_taken_back(level: int, options: dict[str, Any], expected: tuple[str, ...]) -> None:
    known = state(target("3.0"), target("3.0"), target("2.0"))
    assert choose(known, [EARLIER, BACKUP, MIGRATED], level, **options).migrations == expected


@pytest.mark.parametrize(
    ("known", "level", "options", "said"),
    [
        (state(target("1.0"), target("1.0")), 1, {}, r"1\.0-abc has run with no other configuration\. Use level 2\."),
        (state(None, target("1.0")), 1, {}, "does not know what runs now"),
        (state(target("1.0"), target("1.0")), 2, {}, "no good release before the current one"),
        (state(target("2.0"), target("2.0"), target("1.0")), 2, {"version": "9"}, "no good release of version 9"),
        (state(target("2.0"), target("2.0"), target("1.0")), 3, {}, r"names no backup .* -e backup_id="),
    ],
)
def test_no_target(known: dict[str, Any], level: int, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SluiceError, match=said):
        choose(known, [BACKUP], level, **options)


def test_a_first_release_that_fails_leaves_nothing_to_go_to() -> None:
    assert choose(state(None), [], 0).target is None


def test_an_interrupted_rollback_is_carried_through() -> None:
    known = {
        **state(target("2.0"), target("2.0"), target("1.0")),
        "open": {"kind": "rollback", "target": target("1.0")},
    }
    goal = choose(known, [], 0)
    assert goal.target == target("1.0")
