# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a project, in the form that each version of Compose prints."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.compose._render import (
    DEFINITION,
    Slot,
    check,
    definition,
    external_volumes,
    outside_networks,
    references,
    rest,
    shared_volumes,
    side,
    stands,
)
from ansible_collections.sluice.release.plugins.module_utils.docker._container import Place

API = Slot("api", 3000, (3001, 3002))
WEB = Slot("web", 8080, (8001, 8011), instances=2)
IMAGES = {name: (f"kept/{name}:1", f"sha256:{name}") for name in ("api", "web", "db")}

SECOND: dict[str, Any] = {
    "name": "shop",
    "services": {
        "api": {
            "build": {"context": "."},
            "image": "api",
            "container_name": "api",
            "environment": {"A": "1", "B": "2"},
            "depends_on": {"db": {"condition": "service_healthy", "required": True}},
            "networks": {"inside": {"aliases": ["backend"], "ipv4_address": "10.0.0.2"}, "outside": None},
            "ports": [{"target": 3000, "published": "3000"}],
            "volumes": [
                {"type": "volume", "source": "uploads", "target": "/u"},
                {"type": "bind", "source": "/srv", "target": "/s"},
            ],
            "deploy": {"replicas": 2, "resources": {"limits": {"memory": "1"}}},
            "restart": "always",
        },
        "web": {"image": "web", "networks": {"default": None}, "labels": {"of": "web"}, "command": None},
        "db": {
            "image": "db",
            "networks": {"inside": None},
            "volumes": [{"type": "volume", "source": "data", "target": "/d"}],
            "depends_on": {"api": {}},
        },
    },
    "networks": {
        "default": {"name": "shop_default", "ipam": {}},
        "inside": {"name": "shop_inside", "ipam": {}},
        "outside": {"name": "edge", "external": True},
    },
    "volumes": {"uploads": {"name": "shop_uploads"}, "data": {"name": "shop_data"}},
}

FIRST: dict[str, Any] = {
    "version": "3.9",
    "services": {
        "api": {**SECOND["services"]["api"], "environment": ["A=1", "B=2"], "volumes": ["uploads:/u:rw", "/srv:/s"]},
        "web": {"image": "web", "labels": ["of=web"]},
        "db": {"image": "db", "networks": ["inside"], "volumes": ["data:/d"], "depends_on": ["api"]},
    },
    "networks": {"inside": {}, "outside": {"external": {"name": "edge"}}},
    "volumes": {"uploads": {}, "data": None},
}
BOTH = pytest.mark.parametrize("project", [FIRST, SECOND], ids=["1", "2"])


def made(project: dict[str, Any], which: int = 0) -> dict[str, Any]:
    places = [
        (stand, Place("shop", "1.0", "mark", number, stand.ports[which]))
        for number, stand in enumerate(stands([API, WEB]))
    ]
    found = side(project, places, IMAGES, {"B": "a$b", "TOKEN": "x"}, which)
    assert found.project == ("shop-a", "shop-b")[which]
    return dict(found.content)


@BOTH
def test_a_slot_has_what_is_stateless_at_its_own_ports(project: dict[str, Any]) -> None:
    content = made(project)
    assert sorted(content["services"]) == ["api-mark-3001", "web-mark-8001", "web-mark-8002"]
    api = content["services"]["api-mark-3001"]
    assert (api["image"], api["ports"], api["container_name"]) == (
        "kept/api:1",
        ["127.0.0.1:3001:3000"],
        "shop-1.0-3001",
    )
    assert api["environment"] == {"A": "1", "B": "a$$b", "TOKEN": "x"}
    assert (api["restart"], api["deploy"]) == ("unless-stopped", {"resources": {"limits": {"memory": "1"}}})
    assert not {"build", "depends_on"} & set(api)
    web = content["services"]["web-mark-8002"]["labels"]
    assert (web["of"], web["sluice.number"], web["sluice.port"], web["sluice.listen"]) == ("web", "2", "8002", "8080")
    assert sorted(made(project, 1)["services"]) == ["api-mark-3002", "web-mark-8011", "web-mark-8012"]


@BOTH
def test_nobody_outside_finds_a_slot_by_a_name_that_both_have(project: dict[str, Any]) -> None:
    content = made(project)
    api = content["services"]["api-mark-3001"]["networks"]
    # The database is there as well, so the alias would lead to old and new.
    assert api["inside"] is None
    assert content["networks"]["inside"] == {"external": True, "name": "shop_inside"}
    assert (api["outside"], content["networks"]["outside"]) == (None, {"external": True, "name": "edge"})
    assert outside_networks(project, ["api", "web"]) == {"outside": "edge"}
    assert (api["siblings"], content["networks"]["siblings"]) == ({"aliases": ["api"]}, {})
    web = content["services"]["web-mark-8001"]["networks"]
    assert (web["default"]["aliases"], content["networks"]["default"]) == (["web"], {})


@BOTH
def test_volumes_are_those_of_the_application(project: dict[str, Any]) -> None:
    assert shared_volumes(project, "shop", ["api", "web"]) == {"uploads": "shop_uploads"}
    assert made(project)["volumes"] == {"uploads": {"external": True, "name": "shop_uploads"}}
    assert external_volumes({"volumes": {"a": {"external": True}, "b": None}}) == {"a"}


@BOTH
def test_what_is_left_stays_where_it_was(project: dict[str, Any]) -> None:
    left = rest(project, "shop", ["api", "web"], IMAGES)
    assert list(left["services"]) == ["db"]
    database = left["services"]["db"]
    assert database["image"] == "kept/db:1"
    assert "depends_on" not in database
    assert database["labels"]["sluice.application"] == "shop"
    assert (left["volumes"], "name" in left) == (project["volumes"], False)
    again = rest(project, "shop", ["api", "web"], {**IMAGES, "db": ("kept/db:1", "sha256:other")})
    assert again["services"]["db"]["labels"][DEFINITION] != database["labels"][DEFINITION]


def test_what_says_nothing_changes_nothing() -> None:
    assert definition({"image": "x", "command": None, "ports": []}, "1") == definition({"image": "x"}, "1")
    assert definition({"image": "x"}, "2") != definition({"image": "x"}, "1")


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (None, "it has no service api; its services are db"),
        ({"network_mode": "host"}, "shares a network or processes with others"),
    ],
)
def test_what_cannot_be_switched(service: dict[str, Any] | None, said: str) -> None:
    services = {"db": {}, **({"api": service} if service else {})}
    with pytest.raises(SluiceError, match=said):
        check({"services": services}, [API])


def test_the_image_of_each_service() -> None:
    assert references({"services": {"a": {"image": "x:1"}, "b": {"build": "."}}}) == {"a": "x:1", "b": ""}
