# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Service that is moved from slot to slot; the cluster itself is in the integration test of k8s_switch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import SLOT
from ansible_collections.sluice.release.plugins.module_utils.proxy import _service


def pod(slot: str, ip: str, ready: bool = True) -> dict[str, Any]:
    status = {"podIP": ip, "phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    metadata = {"name": f"web-{slot}", "labels": {"app": "web", SLOT: slot}}
    return {"metadata": metadata, "spec": {"containers": [{"name": "web"}]}, "status": status}


@dataclass
class FakeCluster:
    """One Service; its endpoints follow the selector unless they hang."""

    selector: dict[str, str] | None = field(default_factory=lambda: {"app": "web", SLOT: "blue"})
    pods: Sequence[dict[str, Any]] = (pod("blue", "10.0.0.1"), pod("green", "10.0.0.2"))
    hangs: bool = False
    namespace: str = "shop"
    dry_runs: list[bool] = field(default_factory=list)

    def get(self, thing: Mapping[str, Any]) -> dict[str, Any] | None:
        if self.selector is None:
            return None
        if thing["kind"] == "Service":
            return {**thing, "spec": {"selector": self.selector}}
        slot = "blue" if self.hangs else self.selector[SLOT]
        ips = [one["status"]["podIP"] for one in self.pods if one["metadata"]["labels"][SLOT] == slot]
        return {"subsets": [{"addresses": [{"ip": ip} for ip in ips]}]}

    def find(self, api_version: str, of_kind: str, selector: str | None = None) -> list[dict[str, Any]]:
        assert (api_version, of_kind, selector) == ("v1", "Pod", "app=web")
        return list(self.pods)

    def edit(self, thing: Any, operations: Sequence[dict[str, Any]], dry_run: bool = False) -> dict[str, Any]:
        assert operations[0]["value"] == self.selector
        self.dry_runs.append(dry_run)
        if not dry_run:
            self.selector = operations[1]["value"]
        return dict(thing)


def move(cluster: FakeCluster, to: str = "green", check_mode: bool = False) -> dict[str, Any]:
    return _service.move(cluster, "web", to, check_mode, timeout=0.01, sleep=lambda _seconds: None)


def test_a_service_moves_and_stays() -> None:
    cluster = FakeCluster()
    foreseen = move(cluster, check_mode=True)
    assert cluster.selector == {"app": "web", SLOT: "blue"}
    done = move(cluster)
    assert foreseen == done
    assert (done["changed"], done["previous"], done["current"]) == (True, "blue", "green")
    assert [(one["name"], one["state"], one["status"]) for one in done["servers"]] == [
        ("web-blue", "drain", "Ready"),
        ("web-green", "ready", "Ready"),
    ]
    assert not move(cluster)["changed"]
    # Check mode asks the cluster whether it would take it.
    assert cluster.dry_runs == [True, False]


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        (FakeCluster(selector=None), "Cannot point Service web at green: namespace shop has no such Service"),
        (FakeCluster(selector={"app": "web"}), "its selector does not name a slot"),
        (FakeCluster(pods=[pod("blue", "10.0.0.1")]), "none of its 0 pods is ready"),
        (FakeCluster(pods=[pod("blue", "10.0.0.1"), pod("green", "10.0.0.2", False)]), "none of its 1 pods is ready"),
        (
            FakeCluster(hangs=True),
            r"after 0.01 s it has 10\.0\.0\.1 instead of 10\.0\.0\.2\. Its selector is as it was",
        ),
    ],
)
def test_a_service_that_cannot_move_is_as_it_was(cluster: FakeCluster, message: str) -> None:
    before = cluster.selector
    with pytest.raises(SluiceError, match=message):
        move(cluster)
    assert cluster.selector == before
