# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The files of a frontend, and what each of them means to a browser that has an older version open.

Four kinds. A hashed file has its content in its name: it never changes, and a browser may keep it for a year. An entry
page says which hashed files belong together. A service worker, or a list of files that one reads, says the same to
a browser that is offline. Everything else keeps its name when its content changes.
"""

from __future__ import annotations

import fnmatch
import hashlib
import html.parser
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

HASHED, OTHER, ENTRY, WORKER = "hashed", "other", "entry", "worker"

# The order in which files may be replaced under a browser's feet. A service worker that came before the pages would
# store the old ones under its new name.
ORDER = (HASHED, OTHER, ENTRY, WORKER)

# What a name has to look like to count as hashed. Strict: a file that is taken for one by mistake is kept by browsers
# for a year, one that is not recognised is only asked for again.
HASHED_NAMES = (
    # Hexadecimal, with digits and letters: webpack, Create React App, Parcel, Next.js.
    r"(?:^|[/.\-_])(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{8,64}\.[\w.\-]+$",
    # Eight letters and digits, of which the capitals give it away: Vite, Rollup, esbuild, Angular.
    r"[.\-](?=[\w\-]{0,7}[A-Z])(?=[\w\-]{0,7}\d|[\w\-]{0,6}[A-Z][\w\-]{0,6}[A-Z])[\w\-]{8}\.[\w.\-]+$",
    # Directories whose own name changes with every build.
    r"(?:^|/)_next/static/[\w\-]{20,}/",
    r"(?:^|/)_app/immutable/",
)
ENTRIES = ("*.html",)
WORKERS = (
    "sw.js",
    "*/sw.js",
    "*-sw.js",
    "service-worker.js",
    "*/service-worker.js",
    "ngsw-worker.js",
    "ngsw.json",
    "manifest.json",
    "*.webmanifest",
)
EXCLUDED = (".sluice-*", "*/.sluice-*", ".git", ".git/*", ".DS_Store", "*/.DS_Store", ".vite/*")

# A map of a source changes with comments, and its name, which is that of the code, does not.
_NEVER_HASHED = (".map",)
# Made from another file; the same content packs differently from one day to the next.
_PACKED = (".gz", ".br", ".zst")
_BLOCK = 1 << 20


class File(NamedTuple):
    """One file of a tree. ``name``: below the tree, with slashes."""

    name: str
    kind: str
    size: int
    sha256: str
    md5: str
    source: str


@dataclass(frozen=True)
class Rules:
    """How files are told from one another. ``base``: the path or URL below which browsers find the tree."""

    hashed: Sequence[str] = HASHED_NAMES
    entries: Sequence[str] = ENTRIES
    workers: Sequence[str] = WORKERS
    exclude: Sequence[str] = EXCLUDED
    base: str = "/"
    elsewhere: Sequence[str] = ()
    patterns: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "patterns", tuple(re.compile(pattern) for pattern in self.hashed))
        except re.error as error:
            raise SluiceError("use the option rules.hashed", str(error), "Correct the regular expression") from error

    def excluded(self, name: str) -> bool:
        """Return whether the file is none of the frontend's."""
        return _matches(name, self.exclude)

    def kind(self, name: str) -> str:
        """Return the kind of a file by its name alone."""
        plain = unpacked(name)
        if _matches(plain, self.entries):
            return ENTRY
        if _matches(plain, self.workers):
            return WORKER
        if not plain.endswith(_NEVER_HASHED) and any(pattern.search(plain) for pattern in self.patterns):
            return HASHED
        return OTHER


@dataclass(frozen=True)
class Tree:
    """All files of a release, by name."""

    release: str
    root: str
    files: Mapping[str, File]

    def of(self, *kinds: str) -> list[File]:
        """Return the files of these kinds, by name."""
        return [self.files[name] for name in sorted(self.files) if self.files[name].kind in kinds]

    def page(self, url: str, base: str) -> File:
        """Return the entry page that a URL shows: the file it names, its index, or else the page of the application."""
        path = unquote(urlsplit(url).path)
        name = _below(path, urlsplit(base).path or "/")
        candidates = [] if name is None else [name, f"{name.rstrip('/')}/index.html".lstrip("/"), f"{name}.html"]
        for candidate in [*candidates, "index.html"]:
            if candidate in self.files and self.files[candidate].kind == ENTRY:
                return self.files[candidate]
        return self.of(ENTRY)[0]


def unpacked(name: str) -> str:
    """Return the name without the suffix that a packed copy has."""
    for suffix in _PACKED:
        if name.endswith(suffix):
            return name[: -len(suffix)]
    return name


def is_packed(name: str) -> bool:
    """Return whether the file is a packed copy of another."""
    return name.endswith(_PACKED)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


# -- reading -----------------------------------------------------------------------------------------------------------


def read(release: str, root: str, rules: Rules) -> Tree:
    """Read the tree and its checksums. SluiceError when it cannot be served as it is."""
    if not os.path.isdir(root):
        raise SluiceError(
            f"publish release {release}", f"the directory {root} does not exist", "Check tree and the build command"
        )
    try:
        files = dict(_walk(root, rules))
    except OSError as error:
        raise SluiceError(f"read {error.filename or root}", error.strerror or str(error)) from error
    tree = Tree(release, root, files)
    if not tree.of(ENTRY):
        raise SluiceError(
            f"publish release {release}",
            f"{root} has no entry page ({', '.join(rules.entries)})",
            "Check tree, the build command and rules.entries",
        )
    _check_references(tree, rules)
    return tree


def _walk(root: str, rules: Rules) -> Iterable[tuple[str, File]]:
    real = os.path.realpath(root)
    for directory, names, files in os.walk(root):
        below = os.path.relpath(directory, root).replace(os.sep, "/")
        names.sort()
        for name in [*names]:
            if os.path.islink(os.path.join(directory, name)):
                raise SluiceError(
                    f"publish {root}", f"{os.path.join(directory, name)} is a link to a directory", "Build a copy of it"
                )
        for name in sorted(files):
            path = os.path.join(directory, name)
            relative = name if below == "." else f"{below}/{name}"
            if rules.excluded(relative):
                continue
            source = os.path.realpath(path) if os.path.islink(path) else path
            if source != path and not source.startswith(real + os.sep):
                # What lies outside would be published by accident, and would not go back with the release.
                raise SluiceError(f"publish {root}", f"{path} is a link that leads out of it", "Build a copy of it")
            yield relative, _read_file(relative, source, rules.kind(relative))


def _read_file(name: str, path: str, kind: str) -> File:
    sha256, size = hashlib.sha256(), 0
    # What S3 calls an ETag; nothing is trusted for it alone.
    md5 = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(_BLOCK), b""):
            sha256.update(block)
            md5.update(block)
            size += len(block)
    return File(name, kind, size, sha256.hexdigest(), md5.hexdigest(), path)


# -- what a page refers to ---------------------------------------------------------------------------------------------


class _Parser(html.parser.HTMLParser):
    # Relations of a link whose target the page cannot do without.
    _LINKS = frozenset({"stylesheet", "modulepreload", "preload", "icon", "manifest", "apple-touch-icon", "prefetch"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.base = ""
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag == "base" and not self.base:
            self.base = values.get("href", "")
        elif tag == "link":
            if self._LINKS & set(values.get("rel", "").lower().split()):
                self.found.append(values.get("href", ""))
        elif tag in ("script", "img", "source", "video", "audio", "embed"):
            self.found.append(values.get("src", ""))


def references(page: bytes, url: str) -> dict[str, str]:
    """Return what a page loads, as it is written there: to the address that a browser at ``url`` makes of it."""
    parser = _Parser()
    parser.feed(page.decode("utf-8", errors="replace"))
    parser.close()
    origin = urljoin(url, parser.base)
    written = [text.strip() for text in parser.found]
    return {text: urljoin(origin, text) for text in written if text and not text.startswith(("data:", "blob:", "#"))}


def own(addresses: Mapping[str, str], url: str, base: str) -> dict[str, str]:
    """Return those of the addresses that lie below the tree, by the name of the file: ``{name: address}``."""
    root = urlsplit(urljoin(url, base if base.endswith("/") else f"{base}/"))
    found = {}
    for address in addresses.values():
        parts = urlsplit(address)
        if (parts.scheme, parts.netloc) == (root.scheme, root.netloc):
            name = _below(unquote(parts.path), root.path)
            if name:
                found[name] = address
    return found


def _below(path: str, base: str) -> str | None:
    base = base if base.endswith("/") else f"{base}/"
    if path + "/" == base:
        return ""
    return path[len(base) :] if path.startswith(base) else None


def _check_references(tree: Tree, rules: Rules) -> None:
    missing = []
    for page in tree.of(ENTRY):
        if is_packed(page.name):
            continue
        # Any host does: what counts is what a page says of its own one.
        url = urljoin("http://release.invalid/", f"{rules.base.rstrip('/')}/{page.name}")
        with open(page.source, "rb") as stream:
            names = own(references(stream.read(), url), url, rules.base)
        for name, address in names.items():
            there = name in tree.files or f"{name.rstrip('/')}/index.html" in tree.files
            if not there and not _matches(urlsplit(address).path, rules.elsewhere):
                missing.append((page.name, name))
    if missing:
        said = "; ".join(f"{page} loads {name}" for page, name in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise SluiceError(
            f"publish release {tree.release}",
            f"files are missing in {tree.root}: {said}{more}",
            "Build again, set rules.base to the path that the frontend is served below, or name what another server "
            "answers in rules.elsewhere",
            missing=[f"{page}: {name}" for page, name in missing],
        )
