# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_backup_info on what pg_backup and pg_verify leave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._listing import list_known
from ansible_collections.sluice.release.plugins.modules import pg_backup_info

if TYPE_CHECKING:
    from tests.integration.conftest import RunModule
    from tests.integration.postgres.conftest import Shop

Info = Callable[..., dict[str, Any]]


@pytest.fixture
def info(shop: Shop, run_module: RunModule) -> Info:
    return lambda **options: run_module(pg_backup_info.main, **{"path": str(shop.path), **options})


def test_what_is_known_of_every_backup(shop: Shop, info: Info) -> None:
    assert info()["backups"] == []
    shop.backup(backup_id="first")
    shop.backup(backup_id="second")
    shop.verify(backup_id="first")
    shop.verify(backup_id="second", level="archive")
    (shop.path / "third").mkdir()
    found = info()
    second, first = found["backups"]
    assert (found["changed"], found["newest"], found["newest_proven"]) == (False, "second", "first")
    assert (first["id"], first["level"], first["proven"]) == ("first", "restore", True)
    assert (second["id"], second["level"], second["proven"]) == ("second", "archive", False)
    assert first["proof_seconds"] > 0
    assert first["rows"] > 3000
    assert 0 <= first["age_hours"] < 1
    assert [fault[:28] for fault in found["faults"]] == ["Cannot trust backup third: /"]
    assert info(level="archive")["newest_proven"] == "second"
    assert [one["id"] for one in info(backup_id="first")["backups"]] == ["first"]


def test_a_proven_backup_has_to_be_young_enough(shop: Shop, info: Info) -> None:
    failed = info(max_age_hours=26)
    assert failed["msg"].startswith(f"Cannot rely on the backups in {shop.path}: there is none. ")
    shop.backup(backup_id="first")
    failed = info(max_age_hours=26)
    assert "none was proven at level restore" in failed["msg"]
    assert (failed["newest"], failed["newest_proven"]) == ("first", None)
    shop.verify()
    assert info(max_age_hours=26)["newest_proven"] == "first"
    later = datetime.now(UTC) + timedelta(hours=30)
    with pytest.raises(SluiceError, match=r"that is proven, first, is 30\.0 h old, and the limit is 26 h") as error:
        list_known(str(shop.path), max_age_hours=26, now=later)
    assert error.value.fields["newest_proven"] == "first"
    # A limit that is shorter than what an age is rounded to.
    with pytest.raises(SluiceError, match=r"is 0\.0 h old, and the limit is 1e-06 h"):
        list_known(str(shop.path), max_age_hours=1e-6)


def test_backups_of_something_else_say_nothing_about_this_database(shop: Shop, info: Info) -> None:
    shop.backup(backup_id="whole")
    shop.verify(backup_id="whole", level="archive")
    shop.backup(backup_id="tenant", schemas=["Odd*"])
    shop.backup(backup_id="other", database_url=shop.server.url_of("postgres"))
    found = {
        name: info(level="archive", **options)
        for name, options in {
            "all": {},
            "whole": {"database": shop.name},
            "url": {"database_url": shop.url},
            "latest": {"database_url": shop.url, "backup_id": "latest"},
            "tenant": {"database": shop.name, "schemas": ["Odd*"]},
            "without": {"database": shop.name, "exclude_schemas": ["Odd*"]},
        }.items()
    }
    # Sorted by name: two of the same second come in either order.
    assert {name: sorted(one["id"] for one in result["backups"]) for name, result in found.items()} == {
        "all": ["other", "tenant", "whole"], "whole": ["whole"], "url": ["whole"], "latest": ["whole"],
        "tenant": ["tenant"], "without": [],
    }  # fmt: skip
    other, tenant, whole = sorted(found["all"]["backups"], key=lambda one: one["id"])
    assert (other["database"], tenant["schemas"], whole["schemas"]) == ("postgres", ["Odd One"], None)
    assert found["whole"]["newest_proven"] == "whole"
    wrong: dict[str, dict[str, Any]] = {
        f"rely on the backups of database postgres in {shop.path}: none was proven at level restore": {
            "database": "postgres", "max_age_hours": 26,
        },
        f"rely on the backups of schemas a without b of database x in {shop.path}: there is none": {
            "database": "x", "schemas": ["a"], "exclude_schemas": ["b"], "max_age_hours": 26,
        },
        f"use backup tenant: it is one of schemas Odd* of database {shop.name}": {
            "database": shop.name, "backup_id": "tenant",
        },
        "schemas are chosen, but not of which database": {"schemas": ["a"]},
    }  # fmt: skip
    for message, options in wrong.items():
        assert message in info(**options)["msg"]


def test_a_backup_that_is_not_there_is_an_error(info: Info) -> None:
    assert info(backup_id="first")["msg"].startswith("Cannot find backup first: it is not in ")
