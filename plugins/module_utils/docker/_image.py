# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Which image a release runs, and that the one on this host is that one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.artifact import _image_file


class Images(Protocol):
    """Whoever can tell what an image on this host is."""

    def image(self, reference: str) -> dict[str, Any] | None: ...


@dataclass(frozen=True)
class Image:
    """An image on this host. Without a registry its digest is its id."""

    reference: str
    id: str = ""
    digest: str = ""

    def entry(self) -> dict[str, str]:
        """Return it as results show it."""
        return {"reference": self.reference, "id": self.id, "digest": self.digest}


@dataclass(frozen=True)
class Pin:
    """An image as a release names it; with ``digest`` nothing else of that name will do."""

    reference: str
    digest: str = ""


def read_pins(path: str) -> dict[str, Pin]:
    """Return the images of a release directory by service; none when it names none."""
    return {service: Pin(one.local, one.digest) for service, one in _image_file.read(path).items()}


def choose(pins: Mapping[str, Pin], service: str | None, image: str | None, path: str) -> Pin:
    """Return the image to run: the one that is named, else that of the release directory."""
    if image:
        return Pin(image)
    if not pins:
        raise SluiceError(
            "choose the image",
            f"{os.path.join(path, _image_file.FILE)} names none",
            "Let role artifact bring it, or set image",
        )
    if service is None and len(pins) == 1:
        return next(iter(pins.values()))
    if service is None or service not in pins:
        raise SluiceError(
            "choose the image",
            f"{os.path.join(path, _image_file.FILE)} has the services {', '.join(sorted(pins))}",
            "Name one of them in the option service",
        )
    return pins[service]


def resolve(images: Images, pin: Pin) -> Image:
    """Find the image on this host. SluiceError when it is not there, or is another one than the release names."""
    found = images.image(pin.reference)
    if found is None:
        raise SluiceError(
            f"use image {pin.reference}",
            "it is not on this host",
            "Role sluice.release.artifact brings it; nothing is pulled while the switch goes on",
        )
    digests = [str(one).rpartition("@")[2] for one in found.get("RepoDigests") or []]
    known = [*digests, found["Id"]]
    if pin.digest and pin.digest not in known:
        raise SluiceError(
            f"use image {pin.reference}",
            f"on this host it is {known[0]}, and the release needs {pin.digest}",
            "Install the release again with role sluice.release.artifact",
        )
    return Image(pin.reference, found["Id"], pin.digest or known[0])
