# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Publishing in a bucket, where nothing moves at once: the order of uploads takes the place of the link."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import mimetypes
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.static import _ledger
from ansible_collections.sluice.release.plugins.module_utils.static._amazon import (
    UPLOADS,
    Bucket,
    Distribution,
    Object,
)
from ansible_collections.sluice.release.plugins.module_utils.static._ledger import Ledger, Published
from ansible_collections.sluice.release.plugins.module_utils.static._place import Changes
from ansible_collections.sluice.release.plugins.module_utils.static._tree import HASHED, ORDER, File, Tree, is_packed

LEDGER = ".sluice/ledger.json"
SHA256, RELEASE = "sluice-sha256", "sluice-release"

# What the table of a host may not know, or know differently.
_TYPES = {
    ".avif": "image/avif",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".otf": "font/otf",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
    ".br": "application/octet-stream",
    ".gz": "application/gzip",
    ".zst": "application/zstd",
}


@dataclass(frozen=True)
class Headers:
    """What objects are uploaded with."""

    hashed: str = "public, max-age=31536000, immutable"
    other: str = "no-cache"
    types: Mapping[str, str] = field(default_factory=dict)
    encryption: str | None = None

    @property
    def mark(self) -> str:
        """Name the headers: objects that were uploaded with others are uploaded again."""
        text = json.dumps([self.hashed, self.other, dict(self.types), self.encryption], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def of(self, file: File, release: str) -> dict[str, Any]:
        """Return the headers of one file."""
        return {
            "ContentType": content_type(file.name, self.types),
            "CacheControl": self.hashed if file.kind == HASHED else self.other,
            "Metadata": {SHA256: file.sha256, RELEASE: release},
            **self.private(),
        }

    def private(self) -> dict[str, Any]:
        """Return how an object is stored."""
        return {"ServerSideEncryption": self.encryption} if self.encryption else {}


def content_type(name: str, types: Mapping[str, str] | None = None) -> str:
    """Return the media type of a file by its name; browsers run no script and no wasm of a wrong one."""
    suffix = os.path.splitext(name)[1].lower()
    return (
        (types or {}).get(suffix) or _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    )


@dataclass
class _Saved:
    """An object as it was before it was replaced; ``headers`` None: there was none."""

    file: File
    path: str
    headers: dict[str, Any] | None


@dataclass
class BucketPlace:
    """A bucket, and the CDN in front of it."""

    bucket: Bucket
    headers: Headers = field(default_factory=Headers)
    distribution: Distribution | None = None
    # What plan has found out.
    _tree: Tree | None = None
    _before: Ledger = field(default_factory=Ledger)
    _after: Ledger = field(default_factory=Ledger)
    _upload: tuple[File, ...] = ()
    _remove: tuple[str, ...] = ()
    _objects: dict[str, Object] | None = None
    # What it has done.
    _saved: list[_Saved] = field(default_factory=list)
    _aside: tempfile.TemporaryDirectory[str] | None = None
    _invalidation: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        """Name the place, for a person."""
        return self.bucket.url

    # -- looking -------------------------------------------------------------------------------------------------------

    def look(self) -> Ledger:
        """Return what is published. What others have put there counts for nothing, and is never removed."""
        self._objects = self.bucket.list()
        if LEDGER not in self._objects:
            return Ledger()
        content = io.BytesIO()
        self.bucket.get(LEDGER, content)
        return _ledger.parse(content.getvalue().decode(errors="replace"), f"{self.bucket.url}{LEDGER}")

    def plan(self, tree: Tree, before: Ledger, after: Ledger) -> Changes:
        """Return what publishing would change."""
        self._tree, self._before, self._after = tree, before, after
        there = self._objects or {}
        staged = after.current != tree.release
        again = not staged and before.current is not None and before.headers != self.headers.mark
        wanted = [file for file in tree.files.values() if not staged or file.kind == HASHED]
        same = [] if again else self._same(wanted, there)
        names = {file.name for file in same}
        self._upload = tuple(file for file in wanted if file.name not in names)
        self._check_foreign(before, there)
        served = after.served()
        ours = {name for one in before.editions for name in one.files}
        self._remove = () if staged else tuple(sorted(name for name in ours & set(there) if name not in served))
        written = (before.current, before.editions) == (after.current, after.editions)
        return Changes(
            publish=tuple(sorted(file.name for file in self._upload)),
            remove=self._remove,
            unchanged=len(same),
            size=sum(file.size for file in self._upload),
            move=not written or (not staged and before.headers != self.headers.mark),
        )

    def _same(self, wanted: Sequence[File], there: Mapping[str, Object]) -> list[File]:
        """Return the files that are there with the same content."""
        alike = [file for file in wanted if file.name in there and there[file.name].size == file.size]
        # An ETag is the MD5 of what was uploaded in one piece and not encrypted with a key of one's own; of the rest
        # each has to be asked for.
        asked = [file for file in alike if there[file.name].etag != file.md5]
        with ThreadPoolExecutor(max_workers=UPLOADS) as pool:
            known = dict(zip((file.name for file in asked), pool.map(self._checksum, asked)))
        return [file for file in alike if known.get(file.name, file.sha256) == file.sha256]

    def _checksum(self, file: File) -> str:
        return self.bucket.head(file.name).get(SHA256, "")

    def _check_foreign(self, before: Ledger, there: Mapping[str, Object]) -> None:
        known = {name for one in before.editions for name in one.files}
        for file in self._upload:
            found = there.get(file.name)
            if found is None or file.kind != HASHED or file.name in known or is_packed(file.name):
                continue
            if found.size != file.size or found.etag != file.md5:
                raise SluiceError(
                    f"publish release {self._tree.release if self._tree else ''}",
                    f"{self.bucket.url}{file.name} is there with another content, which browsers may keep for a year",
                    "Its name has no hash of its content: correct rules.hashed, or the build. Or remove the object",
                )

    # -- acting --------------------------------------------------------------------------------------------------------

    def publish(self) -> None:
        """Upload what no page refers to yet."""
        # First what will be there, so that what a killed run has uploaded is known, and removed some day.
        gone = [one for one in self._before.editions if self._after.edition(one.release) is None]
        known = Ledger(self._before.current, (*self._after.editions, *gone), self._before.headers)
        self._write(known)
        self._put([file for file in self._upload if file.kind == HASHED])

    def move(self) -> None:
        """Upload what keeps its name: pages after what they load, service workers after what they store."""
        changed = [file for file in self._upload if file.kind != HASHED]
        for kind in ORDER[1:]:
            files = [file for file in changed if file.kind == kind]
            for file in files:
                self._save(file)
            self._put(files)
        self._invalidate([file.name for file in changed])

    def undo(self) -> None:
        """Upload again what was replaced, in the opposite order, and remove what was new."""
        problems = []
        for saved in reversed(self._saved):
            try:
                self._restore(saved)
            except SluiceError as error:
                # One that cannot be written must not keep the others from going back.
                problems.append((saved, error))
        names = [saved.file.name for saved in self._saved]
        self._forget()
        # What could not be written now could not be written before, and is as it was.
        there = self.bucket.list() if problems else {}
        before = self._objects or {}
        lost = [error for saved, error in problems if there.get(saved.file.name) != before.get(saved.file.name)]
        if lost:
            raise lost[0]
        self._invalidate(names)

    def _restore(self, saved: _Saved) -> None:
        if saved.headers is None:
            self.bucket.delete([saved.file.name])
            return
        with open(saved.path, "rb") as stream:
            self.bucket.put(saved.file.name, stream, {**saved.headers, **self.headers.private()})

    def tidy(self) -> None:
        """Remove what no kept release has, and write down what is there."""
        self._forget()
        if self._remove:
            self.bucket.delete(self._remove)
            pages = [name for name in self._remove if _kind(self._before, name) != HASHED]
            self._invalidate(pages)
        self._write(self._after)

    def end(self, *, absent: bool) -> None:
        """Remove the pages and all that keeps its name; with ``absent`` everything that was published."""
        before = self.look()
        current = before.edition(before.current)
        mutable = [name for name, file in (current.files if current else {}).items() if file.kind != HASHED]
        # Pages last in, first out.
        mutable.sort(key=lambda name: -ORDER.index(_kind(before, name)))
        everything = {name for one in before.editions for name in one.files}
        self.bucket.delete([name for name in mutable if name in (self._objects or {})])
        if absent:
            self.bucket.delete([*sorted((everything - set(mutable)) & set(self._objects or {})), LEDGER])
        else:
            self._write(Ledger(None, tuple(one for one in before.editions if one.release != before.current)))
        self._invalidate(mutable)

    def refresh(self) -> bool:
        """Let the CDN ask again for all that keeps its name."""
        if self.distribution is None or self._tree is None:
            return False
        self._invalidate([file.name for file in self._tree.files.values() if file.kind != HASHED])
        return True

    def evidence(self) -> dict[str, Any]:
        """Return what the CDN was told."""
        return {"invalidation": self._invalidation}

    def _put(self, files: Sequence[File]) -> None:
        release = self._tree.release if self._tree else ""

        def put(file: File) -> None:
            with open(file.source, "rb") as stream:
                self.bucket.put(file.name, stream, self.headers.of(file, release), file.md5)

        with ThreadPoolExecutor(max_workers=UPLOADS) as pool:
            jobs = [pool.submit(put, file) for file in files]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                for job in jobs:
                    job.cancel()
                raise

    def _save(self, file: File) -> None:
        """Keep what an object is, before it is replaced."""
        if self._aside is None:
            self._aside = tempfile.TemporaryDirectory(prefix="sluice-")
        path = os.path.join(self._aside.name, str(len(self._saved)))
        with open(path, "wb") as stream:
            headers = self.bucket.get(file.name, stream) if file.name in (self._objects or {}) else None
        self._saved.append(_Saved(file, path, headers))

    def _forget(self) -> None:
        if self._aside is not None:
            with contextlib.suppress(OSError):
                self._aside.cleanup()
        self._aside, self._saved = None, []

    def _invalidate(self, names: Iterable[str]) -> None:
        names = list(names)
        if self.distribution is not None and names:
            self._invalidation = self.distribution.invalidate(names)

    def _write(self, ledger: Ledger) -> None:
        headers = {"ContentType": "application/json", "CacheControl": "no-store", **self.headers.private()}
        self.bucket.put(LEDGER, _ledger.render(ledger).encode(), headers)


def _kind(ledger: Ledger, name: str) -> str:
    found: Published | None = next((one.files[name] for one in ledger.editions if name in one.files), None)
    return found.kind if found else HASHED
