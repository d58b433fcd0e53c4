# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The version before serves again, by the release directory that was there all along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

ROOT = "/srv/molecule"


def test_the_version_before_serves(host: Host, answer: Callable[[str], Any]) -> None:
    assert answer("/version")["version"] == "1.0.0"
    assert host.check_output("readlink --canonicalize %s/current", ROOT).startswith(f"{ROOT}/releases/1.0.0-")


def test_only_its_workers_are_left(host: Host, workers: list[dict[str, Any]]) -> None:
    release = host.check_output("readlink --canonicalize %s/current", ROOT)
    assert [host.check_output("readlink /proc/%s/cwd", str(worker["pid"])) for worker in workers] == [release, release]


def test_the_journal_knows_both_moves_and_the_way_back(journal: list[list[dict[str, Any]]]) -> None:
    closed = [(segment[0]["data"]["kind"], segment[-1]["outcome"]) for segment in journal]
    assert closed == [("deploy", "succeeded"), ("deploy", "succeeded"), ("rollback", "succeeded")]


def test_the_database_is_left_alone(host: Host) -> None:
    if host.check_output("hostname") == "app1":
        names = host.check_output("su postgres -c \"psql app -Atc 'SELECT name FROM migrations ORDER BY name'\"")
        assert names.split() == ["001_items", "002_price"]
