# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that fails stops at its stage, with the reason in its journal; the barrier then holds all the others."""

from __future__ import annotations

from typing import Any

from testinfra.host import Host

Journal = list[list[dict[str, Any]]]


def entries(journal: Journal, event: str) -> list[dict[str, Any]]:
    return [entry for entry in journal[-1] if entry["event"] == event]


def test_the_ready_host_went_through_its_stages(host: Host, journal: Journal) -> None:
    entered = [entry["stage"] for entry in entries(journal, "entered")]
    assert entered == (["preflight", "artifact"] if host.check_output("hostname") == "app1" else ["preflight"])


def test_every_host_says_why_it_stopped(host: Host, journal: Journal) -> None:
    (failure,) = entries(journal, "failed")
    if host.check_output("hostname") == "app1":
        assert "app2" in str(failure["data"])
    else:
        assert failure["stage"] == "preflight"
        assert "redis" in str(failure["data"]).lower()


def test_nothing_was_moved(host: Host, workers: list[dict[str, Any]]) -> None:
    assert workers == []
    assert not host.file("/srv/molecule/current").exists
