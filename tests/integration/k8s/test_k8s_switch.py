# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch in a real Kubernetes: releases that come and go whole, with their configuration and without a loss."""

from __future__ import annotations

import asyncio

from k8s_site import SECRET, Result, Site, wait
from sluice_lab.load import VISITORS, Tally, load


def test_releases_come_and_go_with_their_configuration(site: Site) -> None:
    first = site.release("1.0.0")
    foretold = site.switch(first, check_mode=True)
    assert not foretold.failed, foretold.output
    assert (foretold["changed"], foretold["previous"], foretold["current"]) == (True, None, first.name)
    assert site.get("deployments") == []

    done = site.switch(first)
    assert not done.failed, done.output
    assert done.values.items() >= {"changed": True, "previous": None, "current": first.name}.items()
    assert [(one["ready"], one["release"]) for one in done["instances"]] == [(True, first.name)]
    assert set(foretold["diff"]["after"]) == set(done["diff"]["after"])
    secret = next(one for one in done["diff"]["after"] if one.startswith("Secret shop-config-"))
    assert set(done["diff"]["after"][secret]["data"].values()) == {"********"}
    assert site.greeting() == SECRET

    pods = site.pods()
    again = site.switch(first)
    assert not again.failed, again.output
    assert (again["changed"], again["diff"]) == (False, {"before": {}, "after": {}})
    assert site.pods() == pods

    # Somebody scales; the manifest still says 1.
    site.kubectl("scale", "deployment/web", "--replicas=2")
    second, config = site.release("1.1.0"), site.config(2, GREETING=f"hello-{SECRET}")
    foretold = site.switch(second, config=str(config), check_mode=True)
    assert (foretold["changed"], foretold["previous"], foretold["current"]) == (True, first.name, second.name)
    done = site.switch(second, config=str(config))
    assert not done.failed, done.output
    assert (done["previous"], done["current"]) == (first.name, second.name)
    assert [release for release, _name in site.pods()] == [second.name] * 2
    assert [one["release"] for one in done["retired"]] == [first.name] * 2
    assert site.greeting() == f"hello-{SECRET}"
    assert site.get("deployment", "web")["spec"]["replicas"] == 2
    # What held the old pods is gone; the API leaves a 0 out.
    assert "minReadySeconds" not in site.get("deployment", "web")["spec"]

    refused = site.switch(first, revisions=done["revisions"])
    assert f"revision 2 of Deployment web is {second.name}" in refused["msg"]
    # Without the release directory, from what the cluster remembers.
    back = site.switch(first, revisions=again["revisions"], path="/nowhere")
    assert not back.failed, back.output
    assert (back["previous"], back["current"]) == (second.name, first.name)
    assert site.switch(first)["changed"] is False
    assert site.greeting() == SECRET
    assert site.get("deployment", "web")["spec"]["replicas"] == 2

    ended = site.run(name="shop", state="stopped", kubeconfig=site.kubeconfig, namespace=site.namespace)
    assert (ended["changed"], ended["previous"], site.pods()) == (True, first.name, [])
    resumed = site.switch(first)
    assert not resumed.failed, resumed.output
    assert len(site.pods()) == 2
    for changed in (True, False):
        gone = site.run(name="shop", state="absent", kubeconfig=site.kubeconfig, namespace=site.namespace)
        assert (gone["changed"], site.get("deployments"), site.pods()) == (changed, [], [])


def test_a_unit_of_two_deployments_moves_whole_or_not_at_all(site: Site) -> None:
    site.names = ["api", "web"]
    first = site.release("1.0.0")
    assert not site.switch(first).failed
    pods = site.pods()
    done = site.switch(site.release("1.1.0", bad={"image": "1.3.0"}))
    assert done.failed
    assert "pod web-" in done["msg"]
    assert site.pods() == pods

    second = site.release("1.1.0")
    images = {"api": "sluice/test-app:1.1.0", "web/web": "sluice/test-app:1.1.0"}
    assert "set the image of db" in site.switch(second, images={**images, "db": "x"})["msg"]
    # Killed while old and new pods stand side by side: the next run, to whatever release, converges.
    options = site.options(site.release("1.2.0"), ready={"timeout": 60})
    with site.started(**options) as process:
        wait(lambda: len(site.pods()) == 4, "new pods beside the old")
        process.kill()
    done = site.switch(second, images=images)
    assert not done.failed, done.output
    assert (done["previous"], {release for release, _name in site.pods()}) == (first.name, {second.name})
    assert sorted(done["revisions"]) == ["api", "web"]


def test_no_request_is_lost_by_an_upgrade_and_a_rollback(site: Site) -> None:
    first, second = (site.release(version, drain=6, keep_alive="5000") for version in ("1.0.0", "1.1.0"))
    assert not site.switch(first).failed
    site.greeting()

    async def there_and_back() -> tuple[Tally, list[Result]]:
        # A client that keeps a connection longer than the server loses one now and then, with or without a switch.
        async with load(site.url(), 100, keep=2, addresses=VISITORS) as tally:
            done = [await asyncio.to_thread(site.switch, release, apart=True) for release in (second, first)]
        return tally, done

    tally, done = asyncio.run(there_and_back())
    assert [one.failed for one in done] == [False, False]
    assert "cannot" not in done[0].warnings
    assert (tally.failed, tally.sent > 500) == (0, True), tally.as_dict()
