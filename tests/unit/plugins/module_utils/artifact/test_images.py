# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of images, and what a release says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.artifact._image_engine import told
from ansible_collections.sluice.release.plugins.module_utils.artifact._image_file import FILE, render
from ansible_collections.sluice.release.plugins.module_utils.artifact._images import (
    Build,
    Found,
    Reference,
    Wanted,
    check_floating,
    checksum,
    floats,
    forget,
    inputs,
    kept_tag,
    names,
    pinned,
    reference,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "wanted", "registry"),
    [
        ("app", Reference("app"), "docker.io"),
        ("app:1.0", Reference("app", "1.0"), "docker.io"),
        ("team/app:1.0", Reference("team/app", "1.0"), "docker.io"),
        ("localhost/app", Reference("localhost/app"), "localhost"),
        ("127.0.0.1:5000/app", Reference("127.0.0.1:5000/app"), "127.0.0.1:5000"),
        ("r.example.com:443/a/b:v2", Reference("r.example.com:443/a/b", "v2"), "r.example.com:443"),
        (f"r.example.com/a@{DIGEST}", Reference("r.example.com/a", "", DIGEST), "r.example.com"),
        (f"r.example.com/a:1@{DIGEST}", Reference("r.example.com/a", "1", DIGEST), "r.example.com"),
    ],
)
def test_a_name_is_taken_apart(text: str, wanted: Reference, registry: str) -> None:
    assert reference(text) == wanted
    assert wanted.registry == registry


@pytest.mark.parametrize("text", ["", "App", "app:", "app:-x", "a b", "app@sha256:12", f"app@md5:{'a' * 64}", "-app"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(SluiceError, match="Correct artifact_images"):
        reference(text)


@pytest.mark.parametrize(
    ("tag", "moves"),
    [
        ("", True),
        ("latest", True),
        ("latest-2", True),
        ("stable", True),
        ("main", True),
        ("main-20261122", True),
        ("alpine", True),
        ("1.0.0", False),
        ("v2", False),
        ("16-alpine", False),
        ("3f2a9c51b7de", False),
        ("release-7", False),
        ("mainline1", False),
    ],
)
def test_a_tag_moves_when_no_version_is_in_it(tag: str, moves: bool) -> None:
    assert floats(tag) is moves


def test_moving_tags_are_refused_by_name() -> None:
    images = [Wanted("web", Reference("app", "latest")), Wanted("db", Reference("db", "latest", DIGEST))]
    check_floating(images, allowed=True)
    with pytest.raises(SluiceError, match=r"^Cannot release app:latest: such a tag is moved"):
        check_floating(images, allowed=False)


def test_a_host_keeps_an_image_under_a_name_that_an_engine_takes() -> None:
    assert kept_tag("Deal Radar_US", "web", "1.0.0+b1-3f2a") == "sluice/deal-radar-us/web:1.0.0_b1-3f2a"
    with pytest.raises(SluiceError, match="Rename it"):
        kept_tag("?", "web", "1")


def test_a_release_is_its_images_and_its_files() -> None:
    digests = {"web": "sha256:1", "db": "sha256:2"}
    assert checksum(digests, "") == checksum(dict(reversed(digests.items())), "")
    assert len({checksum(digests, ""), checksum(digests, "x"), checksum({"web": "sha256:1"}, "")}) == 3


def test_what_a_release_is_made_from_is_known_before() -> None:
    one = Wanted("web", Reference("app", "1"), Build())
    same = inputs("1", [one], "src", ["a", "b"])
    assert same == inputs("1", [one], "src", ["b", "a"])
    others = [
        inputs("2", [one], "src", ["a", "b"]),
        inputs("1", [one], "other", ["a", "b"]),
        inputs("1", [one], "src", ["a"]),
        inputs("1", [Wanted("web", Reference("app", "1"), Build(arguments={"A": "1"}))], "src", ["a", "b"]),
        inputs("1", [Wanted("web", Reference("app", "2"), Build())], "src", ["a", "b"]),
    ]
    assert len({same, *others}) == 6


def test_drivers_read_which_image_a_service_runs(tmp_path: Path) -> None:
    there = Found("web", Reference("r.example.com/app", "1"), "sha256:id", DIGEST, 7, "built")
    local = Found("job", Reference("app", "1"), "sha256:id", "sha256:id", 7, "local")
    images = {one.service: one.entry(f"sluice/shop/{one.service}:1-x") for one in (there, local)}
    assert images["web"]["image"] == f"r.example.com/app@{DIGEST}"
    assert images["job"]["image"] == images["job"]["kept"] == "sluice/shop/job:1-x"
    assert pinned(images) == [
        {"service": "job", "image": "sluice/shop/job:1-x"},
        {"service": "web", "image": f"r.example.com/app@{DIGEST}"},
    ]
    (tmp_path / FILE).write_text(render(images))
    assert names(str(tmp_path)) == {
        "sluice/shop/job:1-x": ["sluice/shop/job:1-x"],
        "sluice/shop/web:1-x": ["r.example.com/app:1", f"r.example.com/app@{DIGEST}"],
    }


@pytest.mark.parametrize("content", [None, "", "[]", '{"web": "x"}', '{"web": {"image": "x"}}'])
def test_a_release_without_images_asks_no_engine(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_text(content)

    def connect() -> Any:
        raise AssertionError

    assert forget(str(tmp_path), connect) == ""


def test_an_image_in_use_is_told(tmp_path: Path) -> None:
    class Engine:
        def forget(self, kept: str, names: Any) -> str:
            return f"{kept} is in use" if "b" in kept else ""

    entry = {"image": "x", "kept": "sluice/a"}
    (tmp_path / FILE).write_text(json.dumps({"a": entry, "b": {**entry, "kept": "sluice/b"}}))
    assert forget(str(tmp_path), Engine) == "sluice/b is in use"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("unauthorized: authentication required", "the registry r.example.com does not accept the credentials"),
        ("denied: requested access to the resource is denied", "does not accept the credentials"),
        ("no basic auth credentials", "does not accept the credentials"),
        ("manifest for r.example.com/app:1 not found: manifest unknown: manifest unknown", "does not have it"),
        ("Get https://r.example.com/v2/: dial tcp: lookup r.example.com: no such host", "does not answer (Get "),
        ("Get https://r/v2/: net/http: request canceled while waiting for connection", "does not answer (Get "),
        ("http: server gave HTTP response to HTTPS client", "does not answer (http: "),
        ("write /var/lib/docker/tmp/x: no space left on device", "the disk of the engine is full"),
        ("something else", "Docker says: something else"),
    ],
)
def test_what_a_registry_or_an_engine_refuses_is_told(said: str, cause: str) -> None:
    error = told("pull r.example.com/app:1", reference("r.example.com/app:1"), said)
    assert str(error).startswith("Cannot pull r.example.com/app:1: ")
    assert cause in str(error)


def test_a_failed_build_ends_with_what_it_said() -> None:
    error = told("build the image app:1", None, "The command returned a non-zero code: 1", ["Step 1", "boom"])
    assert error.fields == {"output_tail": ["Step 1", "boom"]}
