# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection.

"""Which images a release consists of: names, digests and what a release directory says of them. Pure.

A tag says what somebody meant, a digest what was built. So every tag is resolved once, and from then on the release
goes by the digest, and by a tag of its own on the host, which nobody moves and no ordinary prune takes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import typing as t

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.artifact import _image_file

# What the names begin with under which a host keeps images of releases.
KEPT = "sluice/"
# Tags that are moved by their nature, although there may be a number in them.
_MOVING = re.compile(r"^(latest|stable|edge|nightly|next|current|main|master|develop|dev|test|prod|staging)([-_.].*)?$")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


@dataclasses.dataclass(frozen=True)
class Build:
    """How an image is built from the source. Paths are below it; ``command`` in place of the engine's own builder."""

    context: str = "."
    dockerfile: str = "Dockerfile"
    target: str | None = None
    arguments: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    command: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Reference:
    """The name of an image in its parts. ``digest`` and ``tag`` are empty when they are not said."""

    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def registry(self) -> str:
        """Host of the registry; ``docker.io`` when none is named."""
        first, slash, _rest = self.repository.partition("/")
        named = slash and ("." in first or ":" in first or first == "localhost")
        return first if named else "docker.io"

    @property
    def name(self) -> str:
        """What is asked for: by digest if there is one."""
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag or 'latest'}"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """An image of the profile, for one service."""

    service: str
    reference: Reference
    build: Build | None = None
    push: bool = False

    @property
    def is_floating(self) -> bool:
        """Whether the name may mean another image tomorrow."""
        return not self.reference.digest and floats(self.reference.tag)


@dataclasses.dataclass(frozen=True)
class Found:
    """An image that is on the host. ``digest``: that of the registry, or else its id.

    ``origin``: how it came there: pulled, built, or local when it was there.
    """

    service: str
    reference: Reference
    id: str
    digest: str
    size: int
    origin: str

    @property
    def in_registry(self) -> bool:
        """Whether a registry knows it by this digest."""
        return self.digest != self.id

    def entry(self, kept: str) -> dict[str, t.Any]:
        """Return what the release directory says of it."""
        pinned = f"{self.reference.repository}@{self.digest}"
        return {
            "image": pinned if self.in_registry else kept,
            "kept": kept,
            "digest": self.digest,
            "id": self.id,
            "tag": self.reference.tag or None,
            "size": self.size,
        }


def reference(text: str) -> Reference:
    """Take the name of an image apart. SluiceError when it is none."""
    rest, at, digest = text.strip().partition("@")
    if at and not _DIGEST.match(digest):
        raise SluiceError(f"use the image {text}", "its digest is not sha256: and 64 digits", "Correct artifact_images")
    head, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        head, colon, tag = rest, "", ""
    if not re.match(r"[a-z0-9][a-z0-9._:\-/]*\Z", head) or (colon and not re.match(r"\w[\w.\-]{0,127}\Z", tag)):
        raise SluiceError(f"use the image {text}", "that is no name of an image", "Correct artifact_images")
    return Reference(head, tag, digest)


def floats(tag: str) -> bool:
    """Return whether a tag is one that is moved: one without a version or commit in it."""
    return not tag or bool(_MOVING.match(tag)) or not re.search(r"\d", tag)


def check_floating(images: t.Iterable[Wanted], *, allowed: bool) -> None:
    """Refuse tags that may mean another image tomorrow, where the profile does not allow them."""
    moving = [image.reference.name for image in images if image.is_floating]
    if moving and not allowed:
        raise SluiceError(
            f"release {', '.join(moving)}",
            "such a tag is moved from one image to the next",
            "Name a tag of this version, or a digest; artifact_mutable_tags allows it all the same",
        )


def kept_tag(application: str, service: str, artifact: str) -> str:
    """Return the name under which the host keeps an image of a release."""
    return f"{KEPT}{_plain(application)}/{_plain(service)}:{re.sub(r'[^A-Za-z0-9_.-]', '_', artifact)[:128]}"


def _plain(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not plain:
        raise SluiceError(f"keep an image of {text!r}", "nothing is left of that in the name of an image", "Rename it")
    return plain


def checksum(digests: t.Mapping[str, str], source: str) -> str:
    """Return one checksum for a release: of its images by service, and of the source of its files."""
    text = json.dumps([sorted(digests.items()), source])
    return hashlib.sha256(text.encode()).hexdigest()


def inputs(version: str, images: t.Iterable[Wanted], source: str, include: t.Iterable[str]) -> str:
    """Return one checksum for all that a release is made from, known before anything is made."""
    said = [
        [image.service, image.reference.name, dataclasses.asdict(image.build) if image.build else None, image.push]
        for image in images
    ]
    text = json.dumps([version, sorted(said, key=str), source, sorted(include)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def pinned(images: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[dict[str, str]]:
    """Return the option ``images`` for the other hosts of a fleet: the same images, by digest, built by nobody."""
    return [{"service": service, "image": str(one["image"])} for service, one in sorted(images.items())]


class Names(t.Protocol):
    """Whoever can take the names of an image away; it says why not when a container still needs it."""

    def forget(self, kept: str, names: t.Iterable[str]) -> str: ...


def names(path: str) -> dict[str, list[str]]:
    """Return under which names the host keeps the images of a release directory, each with those that it came by."""
    try:
        listed = _image_file.read(path).values()
    except SluiceError:
        # A directory that goes is no place to complain about what is in it.
        return {}
    return {one.kept: _origins(one.image, one.tag) for one in listed if one.kept}


def _origins(image: str, tag: str) -> list[str]:
    repository, digest, _rest = image.partition("@")
    return [*([f"{repository}:{tag}"] if tag and digest else []), image]


def forget(path: str, connect: t.Callable[[], Names]) -> str:
    """Take away the names that a release has on the host; why not, when one of its images is in use.

    ``connect`` is only called for a release that has images. SluiceError when the engine is away.
    """
    found = names(path)
    engine = connect() if found else None
    reasons = [engine.forget(kept, origins) for kept, origins in found.items()] if engine else []
    return next((reason for reason in reasons if reason), "")
