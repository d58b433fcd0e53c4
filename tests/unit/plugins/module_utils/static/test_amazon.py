# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What objects are uploaded with, what a CDN forgets, and what headers let browsers do."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.static._amazon import invalidation_paths
from ansible_collections.sluice.release.plugins.module_utils.static._proof import max_age
from ansible_collections.sluice.release.plugins.module_utils.static._s3 import Headers, content_type
from ansible_collections.sluice.release.plugins.module_utils.static._tree import ENTRY, HASHED, File


@pytest.mark.parametrize(
    ("names", "base", "paths"),
    [
        (["index.html"], "/", ["/", "/index.html"]),
        (["about/index.html"], "/", ["/about/", "/about", "/about/index.html"]),
        (["sw.js", "a b.html"], "/shop", ["/shop/sw.js", "/shop/a%20b.html"]),
        (["index.html"], "/shop/", ["/shop/", "/shop/index.html"]),
        ([f"{number}.html" for number in range(500)], "/shop/", ["/shop/*"]),
        ([], "/", []),
    ],
)
def test_a_cdn_forgets_a_page_under_all_of_its_paths(names: list[str], base: str, paths: list[str]) -> None:
    assert invalidation_paths(names, base) == paths


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.MJS", "text/javascript; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.js.br", "application/octet-stream"),
        ("a.png", "image/png"),
        ("LICENSE", "application/octet-stream"),
        ("a.glb", "model/gltf-binary"),
    ],
)
def test_a_browser_is_told_what_a_file_is(name: str, kind: str) -> None:
    assert content_type(name, {".glb": "model/gltf-binary"}) == kind


def test_only_a_hashed_file_may_be_kept() -> None:
    files = {kind: File("x.js", kind, 1, "sha", "md5", "/x.js") for kind in (HASHED, ENTRY)}
    headers = Headers(encryption="aws:kms")
    found = {kind: headers.of(file, "1.0.0-x") for kind, file in files.items()}
    assert found[HASHED]["CacheControl"] == "public, max-age=31536000, immutable"
    assert found[ENTRY]["CacheControl"] == "no-cache"
    assert found[ENTRY]["Metadata"] == {"sluice-sha256": "sha", "sluice-release": "1.0.0-x"}
    assert found[ENTRY]["ServerSideEncryption"] == "aws:kms"
    assert "ACL" not in found[HASHED]
    assert headers.mark != Headers().mark


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        (None, None),
        ("", None),
        ("no-cache", 0),
        ("no-store, max-age=60", 0),
        ("public, max-age=31536000, immutable", 31536000),
        ("Max-Age = 60", 60),
        ("s-maxage=60", None),
        ("private", None),
    ],
)
def test_how_long_a_browser_may_keep_an_answer(control: str | None, seconds: int | None) -> None:
    assert max_age({} if control is None else {"cache-control": control}) == seconds
