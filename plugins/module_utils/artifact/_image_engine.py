# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection.

"""The Docker engine of a host as far as images are concerned, and the registries behind it."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.artifact._images import KEPT, Reference
from ansible_collections.sluice.release.plugins.module_utils.docker._engine import Engine, refusal

# What registries say through the engine, and what that means to a person. The first that fits counts.
_REFUSALS = (
    (
        r"unauthorized|authentication required|no basic auth|access to the resource is denied|incorrect username",
        "the registry {registry} does not accept the credentials",
        "Correct artifact_registries",
    ),
    (
        r"manifest unknown|manifest for .* not found|repository .* not found|not found: manifest|name unknown",
        "the registry {registry} does not have it",
        "Push it there, or correct artifact_images",
    ),
    (
        r"connection refused|no such host|timeout|connection reset|deadline exceeded|unreachable|canceled|HTTPS client",
        "the registry {registry} does not answer ({said})",
        "See that this host can reach it",
    ),
)


# User name and password by registry.
Accounts = t.Mapping[str, t.Mapping[str, str]]


class ImageEngine(Engine):
    """An engine that also brings images. Every method raises SluiceError for what it cannot do."""

    def __init__(
        self,
        url: str | None = None,
        patience: float = 600.0,
        accounts: t.Mapping[str, t.Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__(url, patience)
        self.accounts = dict(accounts or {})
        # So that a build can pull what its first line names; nothing is written to a file.
        for registry, account in self.accounts.items():
            self.api._auth_configs.add_auth(registry, dict(account))

    def registry_digest(self, reference: Reference) -> str:
        """Ask the registry for the digest that a name stands for."""
        what = f"resolve {reference.name}"
        try:
            with self._asking(what):
                answer = self.api.inspect_distribution(reference.name, auth_config=self._account(reference))
        except SluiceError as error:
            raise self._told(what, reference, error.cause) from error
        return str(answer["Descriptor"]["digest"])

    def pull(self, reference: Reference, say: t.Callable[[str], object]) -> None:
        """Fetch an image from its registry."""
        what = f"pull {reference.name}"
        lines = self._stream(
            what,
            reference,
            lambda: self.api.pull(
                reference.repository,
                tag=reference.digest or reference.tag or "latest",
                stream=True,
                decode=True,
                auth_config=self._account(reference),
            ),
        )
        for line in lines:
            say(f"{what}: {line.get('status', '')}")

    def push(self, reference: Reference, say: t.Callable[[str], object]) -> str:
        """Bring an image to its registry; the digest that it has there."""
        what = f"push {reference.name}"
        digest = ""
        lines = self._stream(
            what,
            reference,
            lambda: self.api.push(
                reference.repository,
                tag=reference.tag,
                stream=True,
                decode=True,
                auth_config=self._account(reference),
            ),
        )
        for line in lines:
            digest = str((line.get("aux") or {}).get("Digest") or digest)
            say(f"{what}: {line.get('status', '')}")
        if not digest:
            raise SluiceError(what, f"the registry {reference.registry} has not said which digest it has there")
        return digest

    def build(self, name: str, path: str, options: t.Mapping[str, t.Any], say: t.Callable[[str], object]) -> list[str]:
        """Build an image with the engine's own builder; what it said."""
        what = f"build the image {name}"
        said: list[str] = []

        def begin() -> t.Iterator[dict[str, t.Any]]:
            return iter(self.api.build(path=path, tag=name, rm=True, forcerm=True, decode=True, **options))

        for line in self._stream(what, None, begin, said):
            text = str(line.get("stream") or line.get("status") or "").strip()
            if text:
                said.append(text)
                say(f"{what}: {text}")
        return said

    def tag(self, image: str, name: str) -> None:
        """Give an image one more name."""
        repository, _colon, tag = name.rpartition(":")
        with self._asking(f"tag the image {name}"):
            self.api.tag(image, repository, tag)

    def untag(self, name: str) -> None:
        """Take a name away, and the image with its last one."""
        if self.image(name) is not None:
            with self._asking(f"remove the image {name}"):
                self.api.remove_image(name)

    def forget(self, kept: str, names: t.Iterable[str]) -> str:
        """Take away the name under which a release keeps an image; why not, when a container still needs it.

        When no other release keeps it, the ``names`` go as well that it has from where it came.
        """
        there = self.image(kept)
        if there is None:
            return ""
        tags = there.get("RepoTags") or []
        if any(tag != kept and tag.startswith(KEPT) for tag in tags):
            self.untag(kept)
            return ""
        with self._asking("list the containers"):
            users = self.api.containers(all=True, filters={"ancestor": there["Id"]})
        if users:
            return f"container {users[0]['Id'][:12]} uses its image"
        for name in [*(name for name in names if name in [*tags, *(there.get("RepoDigests") or [])]), kept]:
            self.untag(name)
        return ""

    def _account(self, reference: Reference) -> dict[str, str] | None:
        account = self.accounts.get(reference.registry)
        return dict(account) if account else None

    def _stream(
        self,
        what: str,
        reference: Reference | None,
        begin: t.Callable[[], t.Iterable[dict[str, t.Any]]],
        said: list[str] | None = None,
    ) -> t.Iterator[dict[str, t.Any]]:
        """Go through what the engine tells of a long job; SluiceError for the failure that it tells at its end."""
        try:
            with self._asking(what):
                for line in begin():
                    if "error" in line:
                        raise self._told(what, reference, str(line["error"]), said)
                    yield line
        except SluiceError as error:
            raise self._told(what, reference, error.cause, said) from error

    def _told(
        self, what: str, reference: Reference | None, said: str, output: t.Sequence[str] | None = None
    ) -> SluiceError:
        secrets = [account["password"] for account in self.accounts.values()]
        return told(what, reference, redact(said, secrets), output)


def told(what: str, reference: Reference | None, said: str, output: t.Sequence[str] | None = None) -> SluiceError:
    """Return the error for what an engine or a registry refused, with a remedy where one is known."""
    said = " ".join(said.split())
    fields = {"output_tail": list(output[-15:])} if output else {}
    for pattern, cause, remedy in _REFUSALS if reference else ():
        if reference and re.search(pattern, said, re.IGNORECASE):
            return SluiceError(what, cause.format(registry=reference.registry, said=said), remedy, **fields)
    known = refusal(what, said.replace("Docker says: ", ""))
    return SluiceError(what, known.cause, known.remedy, **fields)
