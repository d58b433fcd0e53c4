# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host without backups has those of sluice_database_host drilled, and hears that they are too old."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://app2"]

STATE = "/var/lib/sluice/molecule"


def test_it_has_none_of_its_own(host: Host) -> None:
    assert not host.file(f"{STATE}/backups").exists


def test_an_old_backup_is_an_alarm(evidence: Callable[[str], Any]) -> None:
    message = evidence("too_old")["msg"]
    assert message.startswith(f"Cannot rely on the backups of database app in {STATE}/backups: the newest that is ")
    assert "h old, and the limit is 1e-06 h" in message
