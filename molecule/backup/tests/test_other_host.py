# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several hosts, one database: another host than the first makes no backup, and knows of the one that was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://app2"]


@pytest.mark.parametrize("place", ["/var/lib/sluice/molecule/backups", "/var/lib/sluice/copies"])
def test_it_makes_none(host: Host, place: str) -> None:
    assert not host.file(place).exists or host.file(place).listdir() == []


def test_it_can_be_asked_for_a_rollback(evidence: Callable[[str], Any]) -> None:
    backup = evidence("backup")["backup"]
    assert backup["verified"]
    assert [copy["to"] for copy in backup["copies"]] == [f"/var/lib/sluice/copies/{backup['id']}"]
