# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The proof that a frontend serves: what a browser gets is what was released, file by file.

A web server answers 200 for the old page as gladly as for the new one, and a CDN does so for a day. So the page has to
refer to the files of the release, and these, fetched, have to have its checksums.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin

from ansible_collections.sluice.release.plugins.module_utils._http import Fetch, Response, fetch
from ansible_collections.sluice.release.plugins.module_utils.static._tree import (
    HASHED,
    WORKER,
    File,
    Tree,
    is_packed,
    own,
    references,
)
from ansible_collections.sluice.release.plugins.module_utils.switch import _ready
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Ready

# A file that changes its name with its content may be kept as long as caches can be told to.
YEAR = 31536000

# Files that are compared at one address at a time, and addresses that are asked at a time.
_FETCHES = 8


@dataclass(frozen=True)
class Expected:
    """What has to be served. ``caching``: whether headers that let browsers keep the wrong files are looked at."""

    tree: Tree
    ready: Ready
    base: str = "/"
    caching: bool = True


@dataclass
class Witness:
    """What one address has shown. Seconds since the proof began."""

    url: str
    ready_seconds: float | None = None
    seen: str = "was not asked"
    files: int = 0
    findings: list[str] = field(default_factory=list)
    successes: int = 0
    whole: bool = False

    def result(self) -> dict[str, Any]:
        """Return the entry of ``instances``."""
        return {
            "id": self.url,
            "release": None,
            "status": self.seen,
            "ready": self.ready_seconds is not None,
            "ready_seconds": None if self.ready_seconds is None else round(self.ready_seconds, 3),
            "restarts": 0,
            "files": self.files,
        }


def prove(
    expected: Expected,
    urls: Sequence[str],
    timeout: float,
    *,
    ask: Fetch = fetch,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], object] = str,
) -> list[Witness]:
    """Ask every address until all serve the release as often in a row as is asked, for ``timeout`` seconds at most.

    Returns what each has shown; the caller looks for one that is not ready.
    """
    began = now()
    witnesses = [Witness(url) for url in dict.fromkeys(urls)]
    with ThreadPoolExecutor(max_workers=max(1, min(_FETCHES, len(witnesses)))) as pool:
        while True:
            waiting = [witness for witness in witnesses if witness.ready_seconds is None]
            list(pool.map(lambda witness: _ask(expected, witness, ask, now, began), waiting))
            left = [witness for witness in waiting if witness.ready_seconds is None]
            if not left or now() - began >= timeout:
                return witnesses
            say(f"{len(witnesses) - len(left)} of {len(witnesses)} addresses serve the release")
            sleep(min(expected.ready.interval, max(0.0, timeout - (now() - began))))


def shortfall(witnesses: Sequence[Witness]) -> str:
    """Say what is missing, for a person; empty when nothing is."""
    return "; ".join(f"{witness.url} {witness.seen}" for witness in witnesses if witness.ready_seconds is None)


def _ask(expected: Expected, witness: Witness, ask: Fetch, now: Callable[[], float], began: float) -> None:
    problem = _look(expected, witness, ask)
    at = now() - began
    if problem:
        witness.seen, witness.successes, witness.whole = problem, 0, False
        return
    witness.seen, witness.successes = "serving", witness.successes + 1
    if witness.successes >= expected.ready.successes:
        witness.ready_seconds = at


def _look(expected: Expected, witness: Witness, ask: Fetch) -> str:
    """Look at an address once; return what is wrong there. All files are fetched once, then only the page."""
    ready, tree = expected.ready, expected.tree
    get = _getter(ready, ask)
    answer = get(witness.url)
    if answer.error or answer.status not in ready.status:
        return f"does not answer: {answer.error}" if answer.error else f"answers with HTTP {answer.status}"
    page = tree.page(witness.url, expected.base)
    problem = _wrong_page(tree, page, answer.body, witness.url, expected.base)
    if problem:
        return problem
    problem = _wrong_version(ready, witness.url, get)
    if problem or witness.whole:
        return problem
    problem = _wrong_file(expected, witness, answer, get)
    witness.whole = not problem
    return problem


def _getter(ready: Ready, ask: Fetch) -> Callable[[str], Response]:
    def get(url: str) -> Response:
        return ask(url, timeout=ready.request_timeout, follow=True, validate_certs=ready.validate_certs)

    return get


def _wrong_page(tree: Tree, page: File, body: bytes, url: str, base: str) -> str:
    if hashlib.sha256(body).hexdigest() == page.sha256:
        return ""
    # A proxy may add to a page or take its spaces out; what it refers to is still the release's.
    with open(page.source, "rb") as stream:
        wanted = _hashed(tree, stream.read(), url, base)
    served = _hashed(None, body, url, base)
    if not wanted:
        return f"serves another {page.name} than that of the release"
    missing = sorted(wanted - served)
    if missing:
        instead = sorted(served - wanted)
        refers = f", it refers to {instead[0]} instead" if instead else ""
        return f"serves a page that does not refer to {missing[0]} of {tree.release}{refers}"
    return ""


def _hashed(tree: Tree | None, body: bytes, url: str, base: str) -> set[str]:
    """Return what a page refers to below the tree; with a tree, only its hashed files."""
    names = own(references(body, url), url, base)
    return {name for name in names if tree is None or (name in tree.files and tree.files[name].kind == HASHED)}


def _wrong_version(ready: Ready, url: str, get: Callable[[str], Response]) -> str:
    if not ready.version_url:
        return ""
    # The path of the version file is the same everywhere; the host is that of the address.
    address = urljoin(url, ready.version_url)
    answer = get(address)
    if answer.error or answer.status not in ready.status:
        return f"has no version file {address}: {answer.error or f'HTTP {answer.status}'}"
    try:
        found = _ready.query(ready.version_query, json.loads(answer.body))
    except ValueError:
        return f"has a version file {address} that is no JSON"
    return "" if str(found) == ready.version else f"reports version {found} instead of {ready.version}"


def _wrong_file(expected: Expected, witness: Witness, page: Response, get: Callable[[str], Response]) -> str:
    """Compare what the page loads, and the service workers, with the tree."""
    tree, base, url = expected.tree, expected.base, witness.url
    addresses = {
        name: address for name, address in own(references(page.body, url), url, base).items() if name in tree.files
    }
    root = urljoin(url, base if base.endswith("/") else f"{base}/")
    for file in tree.of(WORKER):
        if not is_packed(file.name):
            addresses.setdefault(file.name, urljoin(root, quote(file.name)))
    with ThreadPoolExecutor(max_workers=_FETCHES) as pool:
        answers = dict(zip(addresses, pool.map(get, addresses.values())))
    witness.findings = _cache_findings(tree, witness.url, page, answers) if expected.caching else []
    witness.files = len(answers) + 1
    problems = [_wrong_content(tree.files[name], addresses[name], answer) for name, answer in answers.items()]
    return next((problem for problem in problems if problem), "")


def _wrong_content(file: File, address: str, answer: Response) -> str:
    if answer.kind == "too_large":
        # More than is worth fetching; its length tells at least that it is there.
        length = answer.headers.get("content-length")
        same = length in (None, str(file.size))
        return "" if same else f"serves {address} with {length} bytes, the release has {file.size}"
    if answer.error or answer.status != 200:
        return f"does not serve {address}: {answer.error or f'HTTP {answer.status}'}"
    same = hashlib.sha256(answer.body).hexdigest() == file.sha256
    return "" if same else f"serves {address} with another checksum than that of the release"


# -- caches ------------------------------------------------------------------------------------------------------------


def max_age(headers: Mapping[str, str]) -> int | None:
    """Return for how many seconds a browser may keep the answer without asking; None when it is not said."""
    control = headers.get("cache-control", "").lower()
    if re.search(r"\bno-(cache|store)\b", control):
        return 0
    found = re.search(r"\bmax-age\s*=\s*\"?(\d+)", control)
    return int(found[1]) if found else None


def _cache_findings(tree: Tree, url: str, page: Response, answers: Mapping[str, Response]) -> list[str]:
    findings = []
    page_age = max_age(page.headers)
    if page_age is None:
        findings.append(f"{url} does not say how long it may be kept, so each browser decides for itself")
    elif page_age > 0:
        findings.append(f"{url} may be kept for {page_age} s, so browsers go on with an older version")
    for name, answer in answers.items():
        kind, age = tree.files[name].kind, max_age(answer.headers)
        if kind == HASHED and (age is None or age < YEAR):
            said = "not said" if age is None else f"{age} s"
            findings.append(f"{name} at {url}: how long it may be kept is {said}, and it could be a year")
        elif kind == WORKER and (age or 0) > 0:
            findings.append(f"{name} at {url} may be kept for {age} s, so browsers go on with an older version")
    return findings
