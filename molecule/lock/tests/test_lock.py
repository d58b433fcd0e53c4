# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A person holds the lock, and a deploy is told who and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from testinfra.host import Host

STATE = "/var/lib/sluice/molecule"


def test_a_person_holds_the_lock(host: Host) -> None:
    held = json.loads(host.file(f"{STATE}/lock.json").content_string)
    # The run that took it has ended, and the lock is not taken for abandoned.
    assert (held["reason"], held["run"]) == ("the summer sale", {})
    assert held["token"] == f"lock-{held['owner']}"


def test_a_deploy_does_not_begin_and_says_why(host: Host, evidence: Callable[[str], Any]) -> None:
    assert "holds it for the summer sale, since " in evidence("refused")
    assert not host.file(f"{STATE}/journal").exists
