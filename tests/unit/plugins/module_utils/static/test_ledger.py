# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays published, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.static._ledger import (
    Keep,
    Ledger,
    check_hashes,
    edition,
    mark,
    moved,
    parse,
    render,
    retained,
    staged,
)
from ansible_collections.sluice.release.plugins.module_utils.static._tree import File, Rules, Tree

START = datetime(2026, 11, 1, tzinfo=UTC)


def tree(release: str, *names: str, content: str = "") -> Tree:
    files = {
        name: File(name, Rules().kind(name), 1, f"{content or name}", "", f"/{release}/{name}")
        for name in ("index.html", *names)
    }
    return Tree(release, f"/{release}", files)


ONE = tree("1", "a-BvQ3kXy1.js", "sw.js", "logo.png", "old.html")
TWO = tree("2", "a-BvQ3kXy2.js", "sw.js")


def history(*trees: Tree, days: float = 1) -> Ledger:
    ledger = Ledger()
    for number, one in enumerate(trees):
        ledger = moved(ledger, one, START + timedelta(days=days * number))
    return ledger


def test_files_of_an_old_version_stay_and_its_pages_do_not() -> None:
    ledger = history(ONE, TWO)
    assert ledger.current == "2"
    assert set(ledger.served()) == {"index.html", "sw.js", "a-BvQ3kXy2.js", "a-BvQ3kXy1.js", "logo.png"}
    assert [(one.release, one.left) for one in ledger.editions] == [("2", None), ("1", "2026-11-02T00:00:00Z")]


def test_what_both_have_is_that_of_the_release() -> None:
    ledger = history(tree("1", "logo.png", content="old"), tree("2", "logo.png", content="new"))
    assert ledger.served()["logo.png"].sha256 == "new"


def test_a_rollback_keeps_what_browsers_have_of_the_release_that_goes() -> None:
    ledger = history(ONE, TWO, ONE)
    assert ledger.current == "1"
    assert "a-BvQ3kXy2.js" in ledger.served()
    assert [(one.release, one.left) for one in ledger.editions] == [("1", None), ("2", "2026-11-03T00:00:00Z")]


def test_staged_is_only_what_no_page_asks_for_yet() -> None:
    before = history(ONE)
    ledger = staged(before, TWO, START)
    assert ledger.current == "1"
    assert set(ledger.served()) - set(before.served()) == {"a-BvQ3kXy2.js"}
    # A release that was staged and never moved leaves when the next one is.
    later = staged(ledger, tree("3", "a-BvQ3kXy3.js"), START + timedelta(days=9))
    assert [(one.release, one.left) for one in later.editions] == [
        ("1", None),
        ("3", None),
        ("2", "2026-11-10T00:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("keep", "days", "stay"),
    [
        (Keep(3, 0), 1, ["5", "4", "3", "2"]),
        (Keep(1, 0), 1, ["5", "4"]),
        (Keep(0, 0), 1, ["5"]),
        # Many releases a day: all of the last days stay.
        (Keep(1, 7), 0.1, ["5", "4", "3", "2", "1"]),
        # One a month: the last ones stay, however old.
        (Keep(2, 7), 30, ["5", "4", "3"]),
    ],
)
def test_a_release_goes_when_it_is_one_of_many_and_old(keep: Keep, days: float, stay: list[str]) -> None:
    ledger = history(*(tree(str(number), f"a-BvQ3kXy{number}.js") for number in range(1, 6)), days=days)
    kept, gone = retained(ledger, keep, START + timedelta(days=4 * days))
    assert [one.release for one in kept.editions] == stay
    assert {one.release for one in gone} == set("12345") - set(stay)


def test_a_hashed_file_with_another_content_is_refused() -> None:
    ledger = history(tree("1", "a-BvQ3kXy1.js", content="old"))
    check_hashes(ledger, tree("2", "a-BvQ3kXy1.js", content="old"))
    with pytest.raises(SluiceError, match=r"a-BvQ3kXy1\.js differs from the file of that name of release 1"):
        check_hashes(ledger, tree("2", "a-BvQ3kXy1.js", content="new"))


@pytest.mark.parametrize("name", ["a-BvQ3kXy1.js.gz", "a-BvQ3kXy1.js.map", "logo.png", "index.html"])
def test_what_may_change_under_its_name_may(name: str) -> None:
    check_hashes(history(tree("1", name, content="old")), tree("2", name, content="new"))


def test_it_is_read_as_it_was_written() -> None:
    ledger = history(ONE, TWO)
    assert parse(render(ledger), "there") == ledger
    assert edition(TWO) == ledger.edition("2")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"current": null, "headers": "", "editions": [{}]}'])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(SluiceError, match="Cannot read there"):
        parse(text, "there")


def test_times_are_no_difference() -> None:
    assert mark(history(ONE, TWO, days=1)) == mark(history(ONE, TWO, days=2)) != mark(history(TWO, ONE))
