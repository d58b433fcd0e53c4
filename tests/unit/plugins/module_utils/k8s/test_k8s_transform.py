# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From manifests to what is applied."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.k8s import _manifests, _transform
from ansible_collections.sluice.release.plugins.module_utils.k8s._objects import (
    APP,
    BASE,
    MARK,
    RELEASE,
    SLOT,
    TRACK,
    name,
)
from ansible_collections.sluice.release.plugins.module_utils.k8s._transform import Release, prepare

IMAGE = "registry.example.com:5000/shop"


def deployment(called: str = "web", **changed: Any) -> dict[str, Any]:
    container = {"name": called, "image": f"{IMAGE}:1", **changed.pop("container", {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": called},
        "spec": {
            "selector": {"matchLabels": {"app": called}},
            "template": {
                "metadata": {"labels": {"app": called}},
                "spec": {"containers": [container], **changed.pop("pod", {})},
            },
            **changed,
        },
    }


def config_map(called: str = "settings", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": called}, "data": data}


def release(**changed: Any) -> Release:
    return Release(**{"app": "shop", "id": "2.0.0-abc", "images": {}, **changed})


def container(thing: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = thing["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize(
    ("images", "recorded", "image"),
    [
        ({}, {}, f"{IMAGE}:1"),
        ({"web": "a"}, {}, "a"),
        ({"web/web": "a", "web": "b"}, {}, "a"),
        ({IMAGE: "a"}, {}, "a"),
        ({}, {"web": "a", "another": "b"}, "a"),
        ({"web": "a"}, {"web": "b"}, "a"),
    ],
)
def test_images(images: dict[str, str], recorded: dict[str, str], image: str) -> None:
    made = prepare([deployment()], release(images=images, recorded=recorded))
    assert container(made[0])["image"] == image


def test_an_image_for_nobody_is_a_mistake() -> None:
    with pytest.raises(SluiceError, match="Cannot set the image of db"):
        prepare([deployment()], release(images={"web": "a", "db": "b"}))


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("shop", "shop"),
        ("shop:1.0", "shop"),
        ("localhost:5000/shop", "localhost:5000/shop"),
        ("localhost:5000/shop:1@sha256:00", "localhost:5000/shop"),
    ],
)
def test_repository(image: str, repository: str) -> None:
    assert _transform.repository(image) == repository


def test_what_pods_refer_to_is_called_by_its_content() -> None:
    sources = {"envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "foreign"}}]}
    volumes = [
        {"name": "a", "configMap": {"name": "settings"}},
        {"name": "b", "projected": {"sources": [{"configMap": {"name": "settings"}}]}},
    ]
    given = [config_map(A="1"), config_map("unused"), deployment(container=sources, pod={"volumes": volumes})]
    one, unused, made = prepare(given, release())
    assert name(one).startswith("settings-")
    assert name(unused) == "unused"
    assert one["immutable"] is True
    assert one["metadata"]["labels"] == {APP: "shop", BASE: "settings"}
    spec = made["spec"]["template"]["spec"]
    assert spec["volumes"][0]["configMap"]["name"] == name(one)
    assert spec["volumes"][1]["projected"]["sources"][0]["configMap"]["name"] == name(one)
    assert [next(iter(source.values()))["name"] for source in container(made)["envFrom"]] == [name(one), "foreign"]
    assert given[0]["metadata"]["name"] == "settings", "what was given is left alone"

    again = prepare(given, release())
    assert again[2]["spec"]["template"] == made["spec"]["template"]
    other = prepare([config_map(A="2"), *given[1:]], release())
    notes = [thing["spec"]["template"]["metadata"]["annotations"] for thing in (made, other[2])]
    assert name(other[0]) != name(one)
    assert notes[0][MARK] != notes[1][MARK]
    assert notes[0][RELEASE] == "2.0.0-abc"


def test_a_name_that_shall_stay_stays() -> None:
    kept = config_map(A="1")
    kept["metadata"]["annotations"] = {"sluice.release/hashed": "false"}
    made = prepare([kept, deployment(container={"envFrom": [{"configMapRef": {"name": "settings"}}]})], release())
    assert name(made[0]) == "settings"


def test_the_configuration_becomes_a_secret_before_the_first_workload() -> None:
    wants = deployment(container={"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "cfg", "key": "X"}}}]})
    made = prepare([config_map("first"), wants], release(config={"X": "ü"}, config_name="cfg"))
    assert [thing["kind"] for thing in made] == ["ConfigMap", "Secret", "Deployment"]
    assert base64.b64decode(made[1]["data"]["X"]).decode() == "ü"
    assert container(made[2])["env"][0]["valueFrom"]["secretKeyRef"]["name"] == name(made[1])
    assert _transform.secrets(made) == [made[1]["data"]["X"]], "a value of one character hides too much"

    with pytest.raises(SluiceError, match=r"refers to a Secret cfg. Add envFrom"):
        prepare([deployment()], release(config={"X": "1"}, config_name="cfg"))
    with pytest.raises(SluiceError, match="the manifests hold a Secret of that name"):
        prepare([{**config_map("cfg"), "kind": "Secret"}, wants], release(config={}, config_name="cfg"))


@pytest.mark.parametrize(
    ("strategy", "surge", "warned"),
    [
        (None, "25%", False),
        ({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 2}}, 2, False),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 0}}, 1, True),
        ({"type": "Recreate"}, None, True),
    ],
)
def test_no_old_pod_goes_before_a_new_one_is_there(strategy: Any, surge: Any, warned: bool) -> None:
    said: list[str] = []
    made = prepare([deployment(**({"strategy": strategy} if strategy else {}))], release(), said.append)[0]
    rolling = made["spec"]["strategy"].get("rollingUpdate")
    assert rolling == (None if surge is None else {"maxUnavailable": 0, "maxSurge": surge})
    assert bool(said) is warned


def test_in_a_slot() -> None:
    service = {"kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}}
    other = {"kind": "Service", "metadata": {"name": "db"}, "spec": {"selector": {"app": "db"}}}
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
    }
    moved = _transform.in_slot([deployment(), service, other, scaler], "green", move=True)
    spec = moved[0]["spec"]
    assert name(moved[0]) == "web-green"
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == {"app": "web", SLOT: "green"}
    assert moved[1]["spec"]["selector"] == {"app": "web", SLOT: "green"}
    assert moved[2]["spec"]["selector"] == {"app": "db"}
    assert moved[3]["spec"]["scaleTargetRef"]["name"] == "web-green"
    assert [thing["kind"] for thing in _transform.in_slot([deployment(), service, other], "blue", move=False)] == [
        "Deployment",
        "Service",
    ]


def test_as_canary() -> None:
    made = _transform.as_canary(deployment(), 3)
    assert (name(made), made["spec"]["replicas"]) == ("web-canary", 3)
    assert made["spec"]["selector"]["matchLabels"] == {"app": "web", TRACK: "canary"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: [", "line 1 is not YAML"),
        ("kind: Deployment\n", "without apiVersion, kind and metadata.name"),
        ("- 1\n", "without apiVersion, kind and metadata.name"),
        ("{apiVersion: v1, kind: Service, metadata: {name: a}}", "they hold no Deployment"),
        ("---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}\n" * 2, "Deployment a is in them twice"),
    ],
)
def test_manifests_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(SluiceError, match=said):
        _manifests.read(str(tmp_path), ["a.yaml"])


def test_manifests_come_in_the_given_order(tmp_path: Path) -> None:
    (tmp_path / "k8s").mkdir()
    for file, text in {
        "k8s/b.yaml": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: b}}",
        "k8s/a.json": '{"apiVersion": "v1", "kind": "List", "items": '
        '[{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}]}',
        "k8s/notes.md": "no manifest",
        "first.yml": "---\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: n}}",
    }.items():
        (tmp_path / file).write_text(text)
    assert [name(thing) for thing in _manifests.read(str(tmp_path), ["first.yml", "k8s"])] == ["n", "a", "b"]
    with pytest.raises(SluiceError, match="has no such file or directory"):
        _manifests.read(str(tmp_path), ["none"])
