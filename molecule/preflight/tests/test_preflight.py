# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that is ready passes every check; one that is not is refused with every reason and no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Evidence = Callable[[str], Any]


def test_a_host_that_is_ready_passes_every_check(evidence: Evidence) -> None:
    checks = {check["name"]: check["passed"] for check in evidence("ready")["checks"]}
    assert checks == dict.fromkeys(["variables", "node", "port", "database", "redis", "disk"], True)


def test_a_host_that_is_not_ready_is_refused_with_every_reason(evidence: Evidence) -> None:
    refused = evidence("refused")
    assert refused["failed"]
    assert refused["msg"].startswith("Cannot ")
    assert {check["name"] for check in refused["checks"] if not check["passed"]} == {"database", "redis"}
    for name in ("database", "redis"):
        assert name in refused["msg"].lower()


def test_the_refusal_has_no_secret(evidence: Evidence) -> None:
    assert "not-the-password" not in str(evidence("refused"))
    assert "molecule-db-secret" not in str(evidence("ready"))
