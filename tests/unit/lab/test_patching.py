# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strict patch: what it makes of a tree, and what it refuses."""

from __future__ import annotations

import pytest
from sluice_lab.errors import LabError
from sluice_lab.patching import apply

TREE = {"a.sql": "-- Up\none\ntwo\nthree\n", "b.txt": "b\n"}

CASES = {
    "change": (
        "diff a b\n--- a/a.sql\n+++ b/a.sql\n@@ -2,2 +2,2 @@\n one\n-two\n+2\n",
        {"a.sql": "-- Up\none\n2\nthree\n"},
    ),
    "two files": (
        "--- a/a.sql\n+++ b/a.sql\n@@ -4 +4 @@\n-three\n+3\n--- a/b.txt\n+++ b/b.txt\n@@ -1 +1,2 @@\n b\n+c\n",
        {"a.sql": "-- Up\none\ntwo\n3\n", "b.txt": "b\nc\n"},
    ),
    "two hunks": (
        "--- a/a.sql\n+++ b/a.sql\n@@ -1 +0,0 @@\n--- Up\n@@ -4 +3,2 @@\n three\n+four\n",
        {"a.sql": "one\ntwo\nthree\nfour\n"},
    ),
    "insertion": (
        "--- a/b.txt\n+++ b/b.txt\n@@ -1,0 +2 @@\n+c\n",
        {"b.txt": "b\nc\n"},
    ),
    "new file": (
        "--- /dev/null\n+++ b/d/new.txt\n@@ -0,0 +1,2 @@\n+x\n+y\n",
        {"d/new.txt": "x\ny\n"},
    ),
    "removed file": (
        "--- a/b.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n",
        {"b.txt": None},
    ),
}


@pytest.mark.parametrize(("patch", "changes"), CASES.values(), ids=CASES.keys())
def test_a_patch_changes_what_it_names(patch: str, changes: dict[str, str | None]) -> None:
    expected = {name: text for name, text in {**TREE, **changes}.items() if text is not None}
    assert apply(TREE, patch, "x.patch") == expected


REFUSED = {
    "other context": ("--- a/b.txt\n+++ b/b.txt\n@@ -1 +1 @@\n-c\n+d\n", "line 1 is not 'c'"),
    "beyond the end": ("--- a/b.txt\n+++ b/b.txt\n@@ -9 +9 @@\n-b\n+c\n", "is not 'b'"),
    "no such file": ("--- a/none\n+++ b/none\n@@ -1 +1 @@\n-b\n+c\n", "there is no file none"),
    "cut off": ("--- a/b.txt\n+++ b/b.txt\n@@ -1,2 +1,2 @@\n b\n", "a hunk ends before its lines do"),
}


@pytest.mark.parametrize(("patch", "cause"), REFUSED.values(), ids=REFUSED.keys())
def test_a_patch_that_does_not_fit_is_refused(patch: str, cause: str) -> None:
    with pytest.raises(LabError, match=f"Cannot apply x.patch.*{cause}"):
        apply(TREE, patch, "x.patch")
