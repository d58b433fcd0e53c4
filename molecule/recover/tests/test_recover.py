# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a killed run and a recovery the last known good version serves, and nothing is left to clear by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

STATE = "/var/lib/sluice/molecule"


def test_the_last_known_good_version_serves(answer: Callable[[str], Any]) -> None:
    assert answer("/version")["version"] == "1.0.0"


def test_the_killed_release_is_closed_as_rolled_back(journal: list[list[dict[str, Any]]]) -> None:
    closed = [(segment[0]["data"]["version"], segment[-1]["event"]) for segment in journal]
    assert closed[:2] == [("1.0.0", "closed"), ("1.1.0", "closed")]
    assert journal[1][-1]["outcome"] == "rolled_back"


def test_no_lock_is_left(host: Host) -> None:
    assert not host.file(f"{STATE}/lock.json").exists


def test_a_worker_of_the_killed_release_is_gone(workers: list[dict[str, Any]]) -> None:
    assert ["1.0.0-" in worker["pm2_env"]["pm_cwd"] for worker in workers] == [True, True]
