# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of a frontend are, and which trees cannot be served."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.static._tree import (
    ENTRY,
    HASHED,
    OTHER,
    WORKER,
    Rules,
    own,
    read,
    references,
)

PAGE = """<!doctype html><html><head>
<link rel="stylesheet" href="/assets/index-D1fGh2Jk.css">
<link rel="modulepreload" href="./assets/vendor-Bq8s9XyZ.js">
<link rel="canonical" href="https://shop.example.com/">
<script src="https://cdn.example.com/analytics.js"></script>
</head><body><a href="/nowhere.js">x</a><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
<script type="module" src="/assets/index-BvQ3kXyz.js"></script></body></html>"""
FILES = ("assets/index-D1fGh2Jk.css", "assets/vendor-Bq8s9XyZ.js", "assets/index-BvQ3kXyz.js")


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        # Vite, Rollup, esbuild
        ("assets/index-BvQ3kXyz.js", HASHED),
        ("assets/index-D1fGh2Jk.css", HASHED),
        ("assets/index-B-x3kX_z.js", HASHED),
        ("chunk-5KZ2ABCD.js", HASHED),
        ("main-ABCDEFGH.js", HASHED),
        ("assets/index-BvQ3kXyz.js.gz", HASHED),
        # webpack, Create React App, Parcel, Angular
        ("main.3f2a9c51.js", HASHED),
        ("static/js/main.8a7b6c5d.chunk.js", HASHED),
        ("static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg", HASHED),
        ("static/js/main.8a7b6c5d.js.LICENSE.txt", HASHED),
        ("3f2a9c51b7de0a7de1c5.js", HASHED),
        ("runtime-es2015.0dae8cbc97194c7caed4.js", HASHED),
        # Next.js, SvelteKit
        ("_next/static/chunks/framework-3412d1150754b2fb.js", HASHED),
        ("_next/static/8f9sK2mPqR-7xWvZ3nT1a/_buildManifest.js", HASHED),
        ("_app/immutable/entry/start.B7mN.js", HASHED),
        # Names with something that only looks like it
        ("js/jquery-datepick.js", OTHER),
        ("js/user-settings.js", OTHER),
        ("photo-20240101.jpg", OTHER),
        ("icon-192x192.png", OTHER),
        ("icon-1024x512.png", OTHER),
        ("react-Calendar.js", OTHER),
        ("fonts/inter-v12-latin.woff2", OTHER),
        ("bootstrap.bundle.min.js", OTHER),
        ("deadbeef.js", OTHER),
        ("robots.txt", OTHER),
        ("assets/index-BvQ3kXyz.js.map", OTHER),
        ("version.json", OTHER),
        ("index.html", ENTRY),
        ("about/index.html", ENTRY),
        ("404.html.br", ENTRY),
        ("page.3f2a9c51.html", ENTRY),
        ("sw.js", WORKER),
        ("app/sw.js", WORKER),
        ("firebase-messaging-sw.js", WORKER),
        ("ngsw.json", WORKER),
        ("site.webmanifest", WORKER),
        ("workbox-3f2a9c51.js", HASHED),
    ],
)
def test_a_name_says_what_a_file_is(name: str, kind: str) -> None:
    assert Rules().kind(name) == kind


@pytest.mark.parametrize("base", ["/", "/shop/", "/shop", "https://shop.example.com/shop/"])
def test_a_page_refers_to_the_files_below_its_base(base: str) -> None:
    below = "" if base == "/" else "/shop"
    url = f"https://shop.example.com{below}/"
    page = PAGE.replace('"/assets', f'"{below}/assets').encode()
    assert set(own(references(page, url), url, base)) == set(FILES)


def test_the_base_of_a_document_counts() -> None:
    url = "https://shop.example.com/deep/page.html"
    page = b'<base href="/app/"><script src="x.js"></script>'
    assert references(page, url) == {"x.js": "https://shop.example.com/app/x.js"}


def test_a_tree_is_read_without_what_is_ours(tmp_path: Path) -> None:
    write(tmp_path, {"index.html": PAGE, **dict.fromkeys(FILES, "x"), ".sluice-artifact.json": "{}", "a/.DS_Store": ""})
    tree = read("1", str(tmp_path), Rules())
    assert set(tree.files) == {"index.html", *FILES}
    assert tree.files[FILES[0]].sha256 == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert tree.files[FILES[0]].md5 == "9dd4e461268c8034f5c8564e155c67a6"


@pytest.mark.parametrize(
    ("url", "base", "page"),
    [
        ("https://a/", "/", "index.html"),
        ("https://a/about/", "/", "about/index.html"),
        ("https://a/about", "/", "about/index.html"),
        ("https://a/imprint", "/", "imprint.html"),
        ("https://a/imprint.html?x=1", "/", "imprint.html"),
        ("https://a/orders/17", "/", "index.html"),
        ("https://a/shop/about/", "/shop", "about/index.html"),
        ("https://a/elsewhere/", "/shop", "index.html"),
    ],
)
def test_a_url_shows_a_page(tmp_path: Path, url: str, base: str, page: str) -> None:
    write(tmp_path, {"index.html": "", "about/index.html": "", "imprint.html": ""})
    assert read("1", str(tmp_path), Rules(base=base)).page(url, base).name == page


@pytest.mark.parametrize(
    ("files", "rules", "message"),
    [
        ({"app.js": ""}, Rules(), r"has no entry page \(\*\.html\)"),
        ({}, Rules(entries=("app.php",)), r"has no entry page \(app\.php\)"),
        (
            {"index.html": PAGE, FILES[0]: "", FILES[1]: ""},
            Rules(),
            r"index\.html loads assets/index-BvQ3kXyz\.js\. Build again",
        ),
        ({"a/b.html": '<img src="logo.png">'}, Rules(), r"a/b\.html loads a/logo\.png"),
    ],
)
def test_a_tree_that_cannot_serve_is_refused(tmp_path: Path, files: dict[str, str], rules: Rules, message: str) -> None:
    with pytest.raises(SluiceError, match=message):
        read("2.0.0-x", str(write(tmp_path, files)), rules)


def test_what_another_server_answers_need_not_be_there(tmp_path: Path) -> None:
    write(tmp_path, {"index.html": '<script src="/api/config.js"></script>'})
    assert read("1", str(tmp_path), Rules(elsewhere=("/api/*",))).files


def test_a_link_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "tree", {"index.html": ""})
    write(tmp_path, {"secret": "x"})
    (root / "inside.html").symlink_to("index.html")
    assert set(read("1", str(root), Rules()).files) == {"index.html", "inside.html"}
    (root / "leak.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(SluiceError, match=r"leak\.txt is a link that leads out of it"):
        read("1", str(root), Rules())


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(SluiceError, match=r"rules\.hashed"):
        Rules(hashed=("(",))
