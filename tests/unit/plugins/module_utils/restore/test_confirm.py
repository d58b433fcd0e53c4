# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.restore._confirm import (
    Word,
    loss_text,
    losses_text,
    refusal,
    restore_command,
    take_word,
)

ID = "20261122T013000Z"


@pytest.mark.parametrize(
    ("wanted", "said", "expected"),
    [
        ("latest", False, Word("latest", False)),
        ("latest", "", Word("latest", False)),
        ("latest", "no", Word("latest", False)),
        ("latest", True, Word("latest", True)),
        (ID, "True", Word(ID, True)),
        (ID, ID, Word(ID, True)),
        # What was seen is restored, not what has become the latest since.
        ("latest", ID, Word(ID, True)),
    ],
)
def test_a_word_is_taken(wanted: str, said: Any, expected: Word) -> None:
    assert take_word(wanted, said) == expected


def test_nobody_confirms_another_backup() -> None:
    with pytest.raises(
        SluiceError, match=f"Cannot restore backup {ID}: it is backup 20261121T013000Z that was confirm"
    ):
        take_word(ID, "20261121T013000Z")


def loss(**more: Any) -> dict[str, Any]:
    usual = {"table": "public.orders", "what": "rows", "rows_now": 1200, "rows_in_backup": 1000, "rows_lost": 200}
    return {**usual, **more}


NEWEST = [{"column": "a", "time": "2026-11-22 01:00:00+00"}, {"column": "b", "time": "2026-11-22 02:14:59+00"}]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (loss(), "public.orders 200 rows of 1,200"),
        (loss(rows_lost=1), "public.orders 1 row of 1,200"),
        (
            loss(rows_changed=205, newest=NEWEST),
            "public.orders 200 rows of 1,200, 205 written or changed since, the newest of 2026-11-22 02:14:59+00",
        ),
        (
            loss(what="content", rows_now=11, rows_lost=0),
            "public.orders other content, with 11 rows now and 1,000 in the backup",
        ),
        (loss(what="table", rows_in_backup=0, rows_lost=1200), "public.orders as a whole, with 1,200 rows"),
        (loss(what="unreadable", rows_now=None, rows_lost=None), "public.orders cannot be read, so nobody knows"),
    ],
)
def test_a_loss_in_words(of: dict[str, Any], expected: str) -> None:
    assert loss_text(of) == expected


def test_the_worst_comes_first_and_the_rest_is_counted() -> None:
    many = [loss(table=f"t{lost}", rows_lost=lost) for lost in range(1, 15)]
    words = losses_text(many)
    assert words.startswith("t14 14 rows of 1,200; t13 ")
    assert words.endswith("; and 2 more tables")
    assert losses_text([]) == ""


@pytest.mark.parametrize(
    ("playbook", "inventories", "limit", "expected"),
    [
        ("restore.yml", [], "lab", "ansible-playbook restore.yml -l lab -e backup_id={0} -e confirm_restore={0}"),
        (
            "sluice.release.restore",
            ["my hosts"],
            None,
            "ansible-playbook sluice.release.restore -i 'my hosts' -e backup_id={0} -e confirm_restore={0}",
        ),
    ],
)
def test_the_command_names_the_backup_twice(
    playbook: str, inventories: list[str], limit: str | None, expected: str
) -> None:
    assert restore_command(playbook, inventories, limit, ID) == expected.format(ID)


PREVIEW = {
    "restored": {"database": "shop", "backup_id": ID, "created": "2026-11-22T01:30:00+00:00"},
    "replaced": "shop__replaced_x",
    "losses": [loss()],
    "changed": True,
}


def test_a_refusal_says_what_is_lost_and_what_to_run() -> None:
    error = refusal("dealradar", PREVIEW, 12.4, "ansible-playbook restore.yml")
    assert str(error) == (
        "Cannot restore the database of dealradar: nobody has confirmed it."
        f" Backup {ID} of 2026-11-22T01:30:00+00:00, restored in 12 s when it was proven last,"
        " would take the place of database shop, and it loses public.orders 200 rows of 1,200."
        " Nothing has changed. Run ansible-playbook restore.yml to restore it."
    )
    assert error.fields["restore"]["losses"] == [loss()]
    assert error.fields["restore"]["confirmed"] is False


def test_also_a_restore_that_loses_nothing_wants_a_word() -> None:
    error = refusal("dealradar", {**PREVIEW, "losses": []}, None, "x")
    assert "would take the place of database shop, and nothing was written since. Nothing" in str(error)
