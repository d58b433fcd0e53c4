# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection.

"""From the images of a profile to a release directory that names them by digest, and a host that keeps them.

Nothing that serves is touched. What a failure leaves is as it was: names that were given are taken away again, and
there is no release directory.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import typing as t

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, tail
from ansible_collections.sluice.release.plugins.module_utils.artifact import _image_file, _images
from ansible_collections.sluice.release.plugins.module_utils.artifact._build import MARKER, TAIL_LINES, read_marker
from ansible_collections.sluice.release.plugins.module_utils.artifact._image_engine import ImageEngine
from ansible_collections.sluice.release.plugins.module_utils.artifact._images import Build, Found, Reference, Wanted
from ansible_collections.sluice.release.plugins.module_utils.artifact._source import Source


@dataclasses.dataclass(frozen=True)
class Request:
    """What a release consists of. ``include``: paths of the source that go into the release directory as well."""

    application: str
    version: str
    releases: str
    images: tuple[Wanted, ...]
    include: tuple[str, ...] = ()
    floating: bool = False
    scan: tuple[str, ...] = ()
    smoke: tuple[str, ...] = ()
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout: float = 1800.0


@dataclasses.dataclass
class Maker:
    """One call of the module."""

    request: Request
    engine: ImageEngine
    runner: CommandRunner
    source: Source | None = None
    say: t.Callable[[str], object] = str
    _given: list[str] = dataclasses.field(default_factory=list)
    _laid: str = ""

    def ensure(self, *, write: bool) -> dict[str, t.Any]:
        """Make sure that the artifact and its images are on the host; return what they are."""
        request = self.request
        _images.check_floating(request.images, allowed=request.floating)
        described = self.source.identity() if self.source else None
        source = described.checksum if described else ""
        # Files of the source are part of the artifact only where it takes some.
        files = source if request.include else ""
        inputs = _images.inputs(request.version, request.images, source, request.include)
        known = self._known(inputs, files)
        missing = self._missing(known) if known else []
        if known is not None and not missing:
            return _result(known, changed=False)
        if known is None and not write:
            return _result(self._predicted(inputs, files), changed=True)
        if not write:
            return _result(t.cast("dict[str, t.Any]", known), changed=True)
        with tempfile.TemporaryDirectory(prefix="sluice-") as self._laid:
            try:
                found = [
                    self._bring(_again(image, known))
                    if known is None or image.service in missing
                    else _unchanged(image, known)
                    for image in request.images
                ]
                marker = self._marker(found, inputs, files, described.description if described else "images")
                self._keep(found, marker)
                self._write(marker)
            except BaseException:
                self._take_back()
                raise
        return _result(marker, changed=True)

    # -- what is there ---------------------------------------------------------------------------------------------

    def _known(self, inputs: str, files: str) -> dict[str, t.Any] | None:
        """Return the artifact that was made of the same, unless a name in it means another image by now."""
        request = self.request
        digests = {image.service: image.reference.digest for image in request.images}
        if all(digests.values()):
            name = f"{request.version}-{_images.checksum(digests, files)[:12]}"
            return read_marker(os.path.join(request.releases, name))
        for name in sorted(os.listdir(request.releases)) if os.path.isdir(request.releases) else []:
            marker = read_marker(os.path.join(request.releases, name))
            if marker and marker.get("inputs") == inputs and not self._moved(marker):
                return marker
        return None

    def _moved(self, marker: t.Mapping[str, t.Any]) -> bool:
        """Whether a tag that may move has moved; only these are asked for again."""
        return any(
            self.engine.registry_digest(image.reference) != marker["images"][image.service]["digest"]
            for image in self.request.images
            if image.is_floating and not image.build
        )

    def _missing(self, marker: t.Mapping[str, t.Any]) -> list[str]:
        """Return the services whose image this host does not keep any more."""
        missing = []
        for service, one in marker["images"].items():
            there = self.engine.image(one["kept"])
            if there is None or there["Id"] != one["id"]:
                missing.append(service)
        return missing

    def _predicted(self, inputs: str, files: str) -> dict[str, t.Any]:
        """Return, for check mode, the artifact that would be made; its id is only certain without a build."""
        request = self.request
        digests = {}
        for image in request.images:
            if image.build:
                return self._described(f"{request.version}-{inputs[:12]}", inputs, {}, inputs, "images")
            local = self.engine.image(image.reference.name) if not image.is_floating else None
            digests[image.service] = image.reference.digest or (
                _digest(local, image.reference) if local else self.engine.registry_digest(image.reference)
            )
        checksum = _images.checksum(digests, files)
        return self._described(f"{request.version}-{checksum[:12]}", checksum, {}, inputs, "images")

    # -- bringing --------------------------------------------------------------------------------------------------

    def _bring(self, image: Wanted) -> Found:
        found = self._build(image, image.build) if image.build else self._fetch(image)
        for what, argv in (("scan", self.request.scan), ("try", self.request.smoke)):
            if argv and found.origin != "local":
                self.say(f"{what} {found.reference.name}")
                self._check(what, argv, found)
        if image.push and image.build:
            digest = self.engine.push(image.reference, self.say)
            found = dataclasses.replace(found, digest=digest)
        return found

    def _fetch(self, image: Wanted) -> Found:
        reference = image.reference
        there = self.engine.image(reference.name) or self._by_id(reference)
        origin = "local"
        if there is None or image.is_floating:
            self.engine.pull(reference, self.say)
            if there is None:
                self._given.append(reference.name)
            there, origin = self.engine.image(reference.name), "pulled"
        if there is None:
            raise SluiceError(f"use the image {reference.name}", "it is not on the host after it was pulled")
        digest = _digest(there, reference)
        if reference.digest and reference.digest not in (digest, there["Id"]):
            raise SluiceError(
                f"trust the image {reference.name}",
                f"its digest is {digest}, expected {reference.digest}",
                "Pull it again, or correct artifact_images",
            )
        return Found(image.service, reference, there["Id"], digest, int(there.get("Size") or 0), origin)

    def _by_id(self, reference: Reference) -> dict[str, t.Any] | None:
        """Find an image that no registry has, by the id that is its digest."""
        return self.engine.image(reference.digest) if reference.digest else None

    def _build(self, image: Wanted, build: Build) -> Found:
        reference = image.reference
        name = f"{reference.repository}:{reference.tag}"
        before = self.engine.image(name)
        context = os.path.join(self._source(), build.context)
        if build.command:
            self._run_build(name, context, build)
        else:
            arguments = {key: str(value) for key, value in build.arguments.items()}
            options = {"dockerfile": build.dockerfile, "buildargs": arguments, "target": build.target}
            self._check_context(image, context, build)
            self.engine.build(name, context, options, self.say)
        there = self.engine.image(name)
        if there is None:
            raise SluiceError(f"build the image {name}", "there is no image of that name after the build")
        if before is None:
            self._given.append(name)
        return Found(image.service, reference, there["Id"], there["Id"], int(there.get("Size") or 0), "built")

    def _check_context(self, image: Wanted, context: str, build: Build) -> None:
        if not os.path.isfile(os.path.join(context, build.dockerfile)):
            raise SluiceError(
                f"build the image of {image.service}",
                f"the source has no {os.path.normpath(os.path.join(build.context, build.dockerfile))}",
                "Correct build.context and build.dockerfile",
            )

    def _source(self) -> str:
        """Return where the source lies, laid at its first use."""
        if self.source is None:
            raise SluiceError("build an image", "there is no source to build it from", "Set artifact_source")
        path = os.path.join(self._laid, "source")
        if not os.path.isdir(path):
            self.say("lay the source")
            os.mkdir(path)
            self.source.lay(path)
        return path

    def _run_build(self, name: str, context: str, build: Build) -> None:
        argv = [word.replace("{image}", name) for word in build.command]
        done = self.runner(argv, cwd=context, env=self.request.environment, timeout=self.request.timeout)
        if done.rc != 0:
            raise _command_failed(f"build the image {name}", argv, done.rc, done.stdout + done.stderr)

    def _check(self, what: str, argv: t.Sequence[str], found: Found) -> None:
        words = [word.replace("{image}", found.id).replace("{service}", found.service) for word in argv]
        done = self.runner(words, env=self.request.environment, timeout=self.request.timeout)
        if done.rc != 0:
            raise _command_failed(f"{what} the image {found.reference.name}", words, done.rc, done.stdout + done.stderr)

    # -- keeping ---------------------------------------------------------------------------------------------------

    def _marker(self, found: t.Sequence[Found], inputs: str, files: str, source: str) -> dict[str, t.Any]:
        request = self.request
        checksum = _images.checksum({one.service: one.digest for one in found}, files)
        name = f"{request.version}-{checksum[:12]}"
        images = {one.service: one.entry(_images.kept_tag(request.application, one.service, name)) for one in found}
        return self._described(name, checksum, images, inputs, source)

    def _described(
        self, name: str, checksum: str, images: t.Mapping[str, t.Any], inputs: str, source: str
    ) -> dict[str, t.Any]:
        return {
            "id": name,
            "path": os.path.join(self.request.releases, name),
            "checksum": checksum,
            "version": self.request.version,
            "source": source,
            "images": dict(images),
            "inputs": inputs,
        }

    def _keep(self, found: t.Sequence[Found], marker: t.Mapping[str, t.Any]) -> None:
        for one in found:
            kept = marker["images"][one.service]["kept"]
            there = self.engine.image(kept)
            if there is None or there["Id"] != one.id:
                self.engine.tag(one.id, kept)
                self._given.insert(0, kept)

    def _write(self, marker: t.Mapping[str, t.Any]) -> None:
        path = str(marker["path"])
        if read_marker(path) is not None:
            return
        if os.path.lexists(path):
            shutil.rmtree(path)
        try:
            os.makedirs(path, mode=0o755)
            for name in self.request.include:
                _copy(self._source(), name, path)
            write_atomic(os.path.join(path, _image_file.FILE), _image_file.render(marker["images"]), 0o644)
            write_atomic(os.path.join(path, MARKER), json.dumps(marker, indent=2, sort_keys=True) + "\n", 0o644)
        except BaseException as error:
            shutil.rmtree(path, ignore_errors=True)
            if isinstance(error, OSError):
                raise SluiceError(f"write {path}", error.strerror or str(error)) from error
            raise

    def _take_back(self) -> None:
        """Take the names away that were given, and with them what nobody else has a name for."""
        for name in self._given:
            with contextlib.suppress(SluiceError):
                self.engine.untag(name)


def _again(image: Wanted, known: t.Mapping[str, t.Any] | None) -> Wanted:
    """Return what to bring: of an artifact that is there, the very image that it names, if a registry has it."""
    one = known["images"][image.service] if known else {}
    if not one or one["digest"] == one["id"]:
        return image
    reference = dataclasses.replace(image.reference, digest=one["digest"])
    return dataclasses.replace(image, build=None, push=False, reference=reference)


def _unchanged(image: Wanted, known: t.Mapping[str, t.Any]) -> Found:
    one = known["images"][image.service]
    return Found(image.service, image.reference, one["id"], one["digest"], one["size"], "local")


def _digest(image: t.Mapping[str, t.Any], reference: Reference) -> str:
    """Return the digest that the registry of the reference knows an image by, or else its id."""
    digests = [str(text).partition("@") for text in image.get("RepoDigests") or []]
    ours = [digest for repository, _at, digest in digests if repository == reference.repository]
    if reference.digest in ours:
        return reference.digest
    return ours[0] if ours else str(image["Id"])


def _command_failed(what: str, argv: t.Sequence[str], rc: int, output: str) -> SluiceError:
    said = tail(output, TAIL_LINES).splitlines()
    return SluiceError(
        what,
        f"{argv[0]} exited with {rc}: {' | '.join(said[-3:]) or 'it said nothing'}",
        "Read output_tail; nothing was pushed or switched",
        output_tail=said,
    )


def _copy(source: str, name: str, target: str) -> None:
    origin = os.path.normpath(os.path.join(source, name))
    destination = os.path.normpath(os.path.join(target, name))
    if os.path.isdir(origin):
        shutil.copytree(origin, destination, symlinks=True, dirs_exist_ok=True)
    elif os.path.isfile(origin):
        os.makedirs(os.path.dirname(destination), exist_ok=True)
        shutil.copy2(origin, destination)
    else:
        raise SluiceError("lay the files of the release", f"the source has no {name}", "Correct artifact_include")


def _result(marker: t.Mapping[str, t.Any], *, changed: bool) -> dict[str, t.Any]:
    artifact = {key: value for key, value in marker.items() if key not in ("images", "inputs")}
    images = marker["images"]
    after = {**artifact, "images": images}
    return {
        "changed": changed,
        "artifact": artifact,
        "images": images,
        "pinned": _images.pinned(images),
        "diff": {"before": {} if changed else after, "after": after},
    }
