# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that is ready passes every check; one that is not is refused with every reason and no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

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


def test_every_group_has_its_score(evidence: Evidence) -> None:
    groups = {group["name"]: (group["passed"], group["score"]) for group in evidence("ready")["groups"]}
    assert groups == dict.fromkeys(["environment", "database", "redis", "filesystem"], (True, 100))
    failed = [group["name"] for group in evidence("refused")["groups"] if not group["passed"]]
    assert failed == ["database", "redis"]
    assert evidence("refused")["score"] == 50


def test_what_a_person_waives_is_shown_as_such(evidence: Evidence) -> None:
    waived = evidence("waived")
    assert not waived["failed"]
    assert (waived["passed"], waived["score"], waived["score_with_waived"]) == (True, 50, 100)
    assert [check["name"] for check in waived["checks"] if check["waived"]] == ["contacts"]


def test_a_pass_is_kept_for_the_commit(evidence: Evidence, host: Host) -> None:
    kept = "/var/lib/sluice/molecule/preflight"
    (name,) = host.file(kept).listdir()
    assert name.startswith("tests-")
    assert host.file(f"{kept}/{name}").mode == 0o600
    assert evidence("waived")["checks"][0]["value"]["number"] == 93


def test_a_gate_that_asks_for_nothing_is_refused_with_its_line(evidence: Evidence) -> None:
    message = evidence("unjudgeable")["msg"]
    assert message.startswith("Cannot use the gates of this profile: ")
    assert "converge.yml:" in message
    assert "it has no query" in message
