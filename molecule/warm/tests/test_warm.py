# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The caches of a host are filled at its own address, by its public name, and what was hot is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

Evidence = Callable[[str], Any]


def test_the_task_of_the_profile_ran_with_its_variables(host: Host) -> None:
    assert host.file("/srv/molecule/warmed").content_string == "molecule-app"


def test_every_page_was_asked_for_by_its_public_name_and_lies_in_the_cache(host: Host, evidence: Evidence) -> None:
    asked = [line.split() for line in host.file("/srv/molecule/asked.log").content_string.splitlines()]
    ours = [line for line in asked if line[0] == "shop.example.com"]
    assert {path for _name, path, _cache in ours} == {f"/page.json?n={number}" for number in range(40)}
    http = next(one for one in evidence("found") if one["kind"] == "http")
    assert (http["warm"], http["done"], http["failed_requests"], http["hit_pct"]) == (True, 40, 0, 100)
    assert http["left_out"] == {"elsewhere": 1, "excluded": 1}


def test_the_keys_are_there_and_end_when_they_should(host: Host) -> None:
    assert host.check_output("redis-cli get molecule:warm:a") == "1"
    assert host.check_output("redis-cli hget molecule:warm:b x") == "1"
    assert 0 < int(host.check_output("redis-cli ttl molecule:warm:b")) <= 3000


def test_the_cache_works(evidence: Evidence) -> None:
    checks = evidence("checks")
    assert (checks["verdict"], [gate["check"] for gate in checks["gates"]]) == (
        "green",
        ["same answers", "ends in time"],
    )


def test_what_was_hot_is_kept_for_its_owner_alone(host: Host) -> None:
    snapshot = host.file("/srv/molecule/keys.snapshot")
    assert (snapshot.mode, snapshot.size > 0) == (0o600, True)
