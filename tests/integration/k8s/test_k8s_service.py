# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Service of a real Kubernetes that a person moves with proxy_route."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from typing import Any

import yaml
from ansible.module_utils.testing import patch_module_args
from k8s_site import Site, wait
from sluice_lab.load import Tally, load

from ansible_collections.sluice.release.plugins.modules import proxy_route


def test_a_service_is_moved_by_hand(site: Site) -> None:
    """By module proxy_route, as a person does in an incident."""
    objects: list[dict[str, Any]] = []
    for slot in ("blue", "green"):
        template = site.deployment("web", "1.0.0")["spec"]["template"]
        metadata = {"name": slot, "labels": {"app": "web", "sluice.release/slot": slot}}
        container = {**template["spec"]["containers"][0], "envFrom": []}
        spec = {**template["spec"], "containers": [container]}
        objects.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    service = site.service("web")
    service["spec"]["selector"]["sluice.release/slot"] = "blue"
    site.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([*objects, service]))

    service = {"name": "web", "namespace": site.namespace, "kubeconfig": site.kubeconfig}

    def move(to: str, check_mode: bool = False) -> dict[str, Any]:
        arguments = {"service": service, "to": to, "_ansible_check_mode": check_mode, "_ansible_remote_tmp": "/tmp"}
        with (
            patch_module_args(arguments),
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.suppress(SystemExit),
        ):
            proxy_route.main()
        return dict(json.loads(out.getvalue()))

    wait(lambda: move("green", check_mode=True).get("changed") is True, "a pod that is ready")
    wait(lambda: [one["status"] for one in move("blue")["servers"]] == ["Ready", "Ready"], "the other pod")
    site.greeting()

    async def scenario() -> Tally:
        async with load(site.url(), 50) as tally:
            done = await asyncio.to_thread(move, "green")
            assert (done["changed"], done["previous"], done["current"]) == (True, "blue", "green")
            await asyncio.sleep(1)
        return tally

    tally = asyncio.run(scenario())
    assert tally.lost == 0, tally.errors
    assert not move("green")["changed"]
    assert "none of its 0 pods is ready" in move("red")["msg"]
    assert site.get("service", "web")["spec"]["selector"]["sluice.release/slot"] == "green"
