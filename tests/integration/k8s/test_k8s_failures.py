# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that are no good, and what cannot work, in a real Kubernetes: the old release goes on serving."""

from __future__ import annotations

import socket
from pathlib import Path

from k8s_site import Site, wait


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_bad_release_is_named_and_taken_back_while_the_old_one_serves(site: Site) -> None:
    good = site.release("1.0.0")
    first = site.switch(site.release("1.2.0"), ready={"timeout": 2})
    assert "nothing served before, and nothing serves now" in first["msg"]
    assert (site.get("deployments"), site.pods()) == ([], [])

    assert not site.switch(good).failed
    pods, spec = site.pods(), site.get("deployment", "web")["spec"]
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    for release, options, said in (
        (site.release("1.2.0"), {"ready": {"timeout": 2}}, "HTTP probe failed with statuscode: 503"),
        (site.release("1.3.0"), {}, "CrashLoopBackOff, it ended with 3 (Error); its log says: Error: cannot start"),
        (site.release("1.4.0", env=[{"name": "BAD_AFTER", "value": "200"}]), {"ready": {"successes": 50}}, "crashed"),
        (site.release("1.5.0"), {}, "reports version 0.0.0 instead of 1.5.0"),
        (site.release("1.6.0"), {}, "ErrImageNeverPull"),
        (site.release("1.7.0", grace=2), {"ready": {"version": "1.7.1"}}, "reports version 1.7.0 instead of 1.7.1"),
        (site.release("1.1.0", resources={"requests": {"cpu": "900"}}), {"patience": 1}, "Insufficient cpu"),
        (site.release("1.1.0", quota), {"patience": 1}, "exceeded quota: few"),
    ):
        done = site.switch(release, **options)
        assert done.failed, done.output
        assert said in done["msg"], done["msg"]
        assert f"{good.name} goes on serving" in done["msg"]
        assert (done["previous"], done["current"], done["changed"]) == (good.name, good.name, False)
        assert site.pods() == pods, said
        assert site.get("deployment", "web")["spec"] == spec, said
    assert site.get("resourcequotas") == []
    # The one that does not end when it is told to is killed when its time is over.
    wait(lambda: len(site.get("pods")) == len(pods), "the end of the bad pods")


def test_what_cannot_work_is_said_before_anything_moves(site: Site, tmp_path: Path) -> None:
    release = site.release("1.0.0")
    broken = tmp_path / "broken"
    broken.write_text("apiVersion: [")
    away = tmp_path / "away"
    away.write_text(Path(site.kubeconfig).read_text().replace(":6443", f":{free_port()}"))
    narrow = site.narrow_user(tmp_path, "get", "list")
    wrong = site.release("1.0.0")
    (wrong / "k8s" / "app.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: x}\n")
    for options, said in (
        ({"kubeconfig": str(tmp_path / "none")}, "Cannot use the kubeconfig"),
        ({"kubeconfig": str(broken)}, "Cannot use the kubeconfig"),
        ({"context": "other"}, "Cannot use the kubeconfig"),
        ({"kubeconfig": str(away)}, "does not answer (Connection refused"),
        ({"kubeconfig": narrow}, "this user may not create Services, patch Services"),
        ({"namespace": "nowhere"}, "there is no namespace nowhere"),
        ({"path": str(wrong)}, "they hold no Deployment"),
        ({"config_name": "other"}, "no container in the manifests refers to a Secret other"),
        ({"ready": {"url": "http://127.0.0.1/ready"}}, "its host is not {pod}"),
        ({"weight": 5}, "strategy rolling knows only all"),
        ({"strategy": "canary", "weight": 5}, "nothing serves beside which it could run"),
    ):
        done = site.switch(release, **options)
        assert done.failed
        assert said in done["msg"], done["msg"]
    assert [*site.get("deployments"), *site.get("services")] == []
    assert [secret for secret in site.get("secrets") if secret["type"] == "Opaque"] == []
