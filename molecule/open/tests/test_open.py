# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An open release: the lock is held, the journal says what for. A second run settles what the first left."""

from __future__ import annotations

import json
from typing import Any

from testinfra.host import Host

STATE = "/var/lib/sluice/molecule"


def test_the_lock_is_held_by_the_newest_release(host: Host, journal: list[list[dict[str, Any]]]) -> None:
    holder = json.loads(host.file(f"{STATE}/lock.json").content_string)
    assert holder["token"] == journal[-1][0]["release"]
    assert holder["token"].endswith("-1.0.0")
    assert holder["reason"] == "deploy 1.0.0: the scenario asks for it"


def test_the_journal_says_what_was_opened(journal: list[list[dict[str, Any]]], host: Host) -> None:
    newest = journal[-1]
    assert [entry["event"] for entry in newest] == ["opened"]
    data = newest[0]["data"]
    assert (data["application"], data["environment"], data["version"]) == ("molecule-app", "molecule", "1.0.0")
    assert data["host"] == host.check_output("hostname")


def test_the_release_that_the_first_run_left_open_is_closed(journal: list[list[dict[str, Any]]]) -> None:
    assert len(journal) == 2
    assert (journal[0][-1]["event"], journal[0][-1]["outcome"]) == ("closed", "failed")


def test_nobody_else_reads_the_state(host: Host) -> None:
    assert host.file(STATE).mode == 0o700
