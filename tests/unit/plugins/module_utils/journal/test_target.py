# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rollback goes, as a table over what the journal says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._target import Wish, choose, choose_level

MARK = {"release": "R9", "time": "2026-11-22T01:30:00.000Z"}


def target(version: str, config: int = 1) -> dict[str, Any]:
    return {
        "release": f"R-{version}-{config}",
        "version": version,
        "artifact": {"id": f"{version}-abc", "path": f"/srv/releases/{version}"},
        "config": {"version": config, "path": f"/srv/config/{config}"},
    }


def state(
    current: dict[str, Any] | None,
    *good: dict[str, Any],
    bad: tuple[str, ...] = (),
    migrations: tuple[str, ...] = (),
    backup_id: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A journal whose newest good release is the current one; ``migrations`` and the backup came after every other."""
    changed = {"migrations": list(migrations), "backup_id": backup_id}
    return {
        "current": current,
        "good": list(good),
        "bad": [f"{version}-abc" for version in bad],
        "marked": {f"{version}-abc": {"version": version, **MARK} for version in bad},
        "since": {one["release"]: changed for one in good if one != current},
        **more,
    }


ONE, TWO, THREE = target("1.0"), target("2.0"), target("3.0")
TOUCHED = {"migrations": ("1-a", "2-b"), "backup_id": "B3"}


@pytest.mark.parametrize(
    ("known", "level", "options", "expected"),
    [
        # A failed release goes to whatever served before, which is the newest good one.
        (state(TWO, TWO, ONE), 0, {}, ("2.0", 1, None)),
        (state(None, TWO, ONE), 0, {}, ("2.0", 1, None)),
        (state(target("2.0", 2), target("2.0", 2), TWO), 1, {}, ("2.0", 1, None)),
        (state(TWO, TWO, ONE), 2, {}, ("1.0", 1, None)),
        # Never to a bad one, and going back twice does not toggle.
        (state(THREE, THREE, TWO, ONE, bad=("2.0",)), 2, {}, ("1.0", 1, None)),
        (state(THREE, THREE, TWO, ONE), 2, {"version": "1.0"}, ("1.0", 1, None)),
        # What runs is not known: the last known good itself.
        (state(None, TWO, ONE), 2, {}, ("2.0", 1, None)),
        (state(THREE, THREE, TWO, **TOUCHED), 3, {}, ("2.0", 1, "B3")),
        (state(THREE, THREE, TWO, **TOUCHED), 3, {"backup_id": "B1"}, ("2.0", 1, "B1")),
        # Migrations that can be taken back need no backup.
        (state(THREE, THREE, TWO, migrations=("1-a",)), 3, {}, ("2.0", 1, None)),
        # Another run was in the middle and was taken back: that was the rollback.
        (state(TWO, TWO, ONE), 2, {"settled": True}, ("2.0", 1, None)),
        (state(TWO, TWO, ONE), 2, {"settled": True, "version": "2.0"}, ("2.0", 1, None)),
        (state(TWO, TWO, ONE), 2, {"settled": True, "version": "1.0"}, ("1.0", 1, None)),
    ],
)
def test_the_target(
    known: dict[str, Any], level: int, options: dict[str, Any], expected: tuple[str, int, str | None]
) -> None:
    goal = choose(known, level, Wish(**options))
    assert goal.target is not None
    assert (goal.target["version"], goal.target["config"]["version"], goal.backup_id) == expected
    assert goal.database is (level == 3)


@pytest.mark.parametrize(
    ("level", "options", "expected"),
    [
        (3, {}, ("1-a", "2-b")),
        # Who names a backup wants what is in it; without the database nothing of it goes back.
        (3, {"backup_id": "B1"}, ()),
        (3, {"revertible": False}, ()),
        (2, {}, ()),
    ],
)
def test_the_migrations_that_may_be_taken_back(level: int, options: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert choose(state(THREE, THREE, TWO, **TOUCHED), level, Wish(**options)).migrations == expected


GONE = ["/srv/releases/2.0"]


@pytest.mark.parametrize(
    ("known", "level", "options", "said"),
    [
        (state(ONE, ONE), 1, {}, r"1\.0-abc has run with no other configuration\. Use level 2\."),
        (
            state(ONE, ONE, marked={"1.0-abc config 2": {"version": "1.0", **MARK}}),
            1,
            {},
            r"no other configuration that was good: 1\.0-abc config 2 was left as bad by R9\. Use level 2\.",
        ),
        (state(None, ONE), 1, {}, "does not know what runs now"),
        (state(ONE, ONE), 1, {"version": "0.9"}, r"stays with the running code, and a version was named\. Use level 2"),
        (state(None), 2, {}, r"Cannot roll back by level 2: the journal knows no release that was good\. Deploy a"),
        (state(ONE, ONE), 2, {}, r"no good release before the current one\. Deploy a version that is known"),
        (state(ONE, ONE, bad=("2.0",)), 2, {}, r"before the current one: 2\.0-abc was left as bad by R9\."),
        (state(TWO, TWO, ONE), 2, {"version": "9"}, r"no good release of version 9\. It knows 2\.0, 1\.0\."),
        (state(TWO, TWO, ONE), 2, {"version": "2.0"}, r"version 2\.0 is what runs\. Name another one"),
        (
            state(TWO, TWO, ONE, bad=("3.0",)),
            2,
            {"version": "3.0"},
            r"version 3\.0 was left as bad by R9 at .*Z\. .* a deploy goes through the gates",
        ),
        (state(TWO, TWO, ONE), 3, {}, r"names no backup .* -e backup_id="),
        (
            state(TWO, TWO, ONE, migrations=("1-a",)),
            3,
            {"revertible": False},
            r"no command takes migration 1-a back, and the journal names no backup .* -e backup_id=",
        ),
        (state(None), 2, {"settled": True}, "was taken back, and nothing ran before"),
        # Pruned: the one that is meant is not silently passed over for an older one.
        (
            state(THREE, THREE, TWO, ONE, gone=GONE),
            2,
            {},
            r"the files of version 2\.0 are gone \(/srv/releases/2\.0\)\. Deploy 2\.0 again, or go to 1\.0 with -e ",
        ),
        (state(THREE, THREE, TWO, gone=GONE), 3, {"backup_id": "B"}, r"are gone .*\. Deploy 2\.0 again\."),
    ],
)
def test_no_target(known: dict[str, Any], level: int, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SluiceError, match=said):
        choose(known, level, Wish(**options))


@pytest.mark.parametrize(
    ("known", "options", "level", "said"),
    [
        (
            state(target("2.0", 2), target("2.0", 2), TWO, ONE),
            {},
            1,
            "same code, .*, with config 1 instead of 2",
        ),
        (state(TWO, TWO, ONE), {}, 2, r"1\.0 is another code .* no migration was applied since it served"),
        # The profile does not say that the old code cannot live with them.
        (
            state(TWO, TWO, ONE, migrations=("1-a",)),
            {},
            2,
            r"rollback_breaking does not name migration 1-a, applied since it served",
        ),
        (
            state(TWO, TWO, ONE, **TOUCHED),
            {"breaking": ("3-*",)},
            2,
            "rollback_breaking does not name migrations 1-a, 2-b",
        ),
        (state(TWO, TWO, ONE, **TOUCHED), {"breaking": ("2-*",)}, 3, r"1\.0 cannot live with migration 2-b, applied"),
        (state(TWO, TWO, ONE, **TOUCHED), {"breaking": ("*",)}, 3, "cannot live with migrations 1-a, 2-b"),
        # Bad ones do not count, and a named one does.
        (state(THREE, THREE, TWO, ONE, bad=("2.0",)), {}, 2, r"1\.0 is another code"),
        (state(target("2.0", 2), target("2.0", 2), TWO, ONE), {"version": "1.0"}, 2, r"1\.0 is another code"),
        # What runs is not known.
        (state(None, TWO), {}, 2, r"2\.0 is another code"),
        (state(None), {}, 2, "knows nothing to go back to"),
    ],
)
def test_the_smallest_level_that_leads_back(
    known: dict[str, Any], options: dict[str, Any], level: int, said: str
) -> None:
    found, why = choose_level(known, Wish(**options))
    assert found == level
    assert re.search(said, why), why


def test_a_first_release_that_fails_leaves_nothing_to_go_to() -> None:
    assert choose(state(None), 0).target is None


@pytest.mark.parametrize(("returning", "version"), [(False, "1.0"), (True, "2.0")])
def test_an_interrupted_rollback_is_carried_through_and_a_failed_one_returns(returning: bool, version: str) -> None:
    known = state(TWO, TWO, ONE, open={"kind": "rollback", "target": ONE})
    goal = choose(known, 0, Wish(returning=returning))
    assert (goal.target or {})["version"] == version
    assert goal.returns is returning
