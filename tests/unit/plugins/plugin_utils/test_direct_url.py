# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.plugin_utils._direct_url import PLACES, Place, direct_url

MIGRATION, SECRET, PLAIN, DATABASE = PLACES
ALL = {MIGRATION: "m", SECRET: "s", PLAIN: "p", DATABASE: "d"}


def without(*places: Place) -> dict[Place, Any]:
    return {place: value for place, value in ALL.items() if place not in places}


@pytest.mark.parametrize(
    ("held", "before", "expected"),
    [
        (ALL, [], "m"),
        (without(MIGRATION), [], "s"),
        (without(MIGRATION, SECRET), [], "p"),
        (without(MIGRATION, SECRET, PLAIN), [], "d"),
        # Empty is as good as not set: a profile for several environments leaves out what one of them lacks.
        ({**ALL, MIGRATION: "", SECRET: None, PLAIN: " \n"}, [], "d"),
        ({**ALL, MIGRATION: "m\n"}, [], "m"),
        ({**ALL, Place("admin"): "a"}, ["admin"], "a"),
        ({**ALL, Place("admin"): ""}, ["none", "admin"], "m"),
        ({Place("admin"): "a"}, ["admin"], "a"),
    ],
)
def test_the_most_direct_url_that_is_set(held: dict[Place, Any], before: list[str], expected: str) -> None:
    assert direct_url(held.get, before) == expected


def test_nothing_further_is_read_than_needed() -> None:
    read: list[str] = []

    def look(place: Place) -> str | None:
        read.append(str(place))
        return "url" if place == SECRET else None

    direct_url(look)
    assert read == ["sluice_migration_url", "DIRECT_DATABASE_URL in sluice_secrets"]


def test_without_any_it_is_an_error_that_names_the_places_unless_empty_will_do() -> None:
    with pytest.raises(SluiceError) as error:
        direct_url({}.get, ["admin"])
    assert str(error.value) == (
        "Cannot find the URL of the database: none of admin, sluice_migration_url, DIRECT_DATABASE_URL in"
        " sluice_secrets, DIRECT_DATABASE_URL in sluice_env, sluice_database_url is set."
        " Set sluice_database_url in the profile."
    )
    assert direct_url({}.get, required=False) == ""


@pytest.mark.parametrize("value", [["postgresql://u:s3cret@h/d"], {"url": "s3cret"}, 5432])
def test_what_is_no_text_is_refused_and_not_shown(value: Any) -> None:
    with pytest.raises(SluiceError, match=r"DIRECT_DATABASE_URL in sluice_env is no text\. Write it as") as error:
        direct_url({PLAIN: value, DATABASE: "d"}.get, required=False)
    assert "s3cret" not in str(error.value)
    assert "5432" not in str(error.value)
