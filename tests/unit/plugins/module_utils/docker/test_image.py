# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image a release runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.docker._image import (
    Image,
    Pin,
    choose,
    read_pins,
    resolve,
)

API, WEB = Pin("kept/api:1", "sha256:a"), Pin("web:1")


class Images:
    """An engine that has one image, which came from a registry."""

    def image(self, reference: str) -> dict[str, Any] | None:
        return {"Id": "sha256:id", "RepoDigests": ["api@sha256:a"]} if reference.startswith("kept/") else None


def test_what_a_release_directory_says(tmp_path: Path) -> None:
    assert read_pins(str(tmp_path)) == {}
    listed = {"api": {"image": "api:1", "kept": "kept/api:1", "digest": "sha256:a"}, "web": {"image": "web:1"}}
    (tmp_path / "images.json").write_text(json.dumps(listed))
    assert read_pins(str(tmp_path)) == {"api": API, "web": WEB}


@pytest.mark.parametrize(
    ("pins", "service", "image", "chosen"),
    [
        ({"api": API}, None, None, API),
        ({"api": API, "web": WEB}, "web", None, WEB),
        ({}, None, "api@sha256:b", Pin("api@sha256:b")),
        ({"api": API}, None, "other:1", Pin("other:1")),
        ({"api": API, "web": WEB}, None, None, "has the services api, web"),
        ({"api": API}, "web", None, "has the services api"),
        ({}, None, None, "names none"),
    ],
)
def test_the_choice(pins: dict[str, Pin], service: str | None, image: str | None, chosen: Pin | str) -> None:
    if isinstance(chosen, Pin):
        assert choose(pins, service, image, "/srv") == chosen
        return
    with pytest.raises(SluiceError, match=chosen):
        choose(pins, service, image, "/srv")


@pytest.mark.parametrize(
    ("pin", "image"),
    [
        (API, Image("kept/api:1", "sha256:id", "sha256:a")),
        (Pin("kept/api:1", "sha256:id"), Image("kept/api:1", "sha256:id", "sha256:id")),
        (Pin("kept/api:1"), Image("kept/api:1", "sha256:id", "sha256:a")),
        (Pin("kept/api:1", "sha256:b"), "on this host it is sha256:a, and the release needs sha256:b"),
        (WEB, "Cannot use image web:1: it is not on this host"),
    ],
)
def test_the_image_on_this_host(pin: Pin, image: Image | str) -> None:
    if isinstance(image, Image):
        assert resolve(Images(), pin) == image
        return
    with pytest.raises(SluiceError, match=image):
        resolve(Images(), pin)
