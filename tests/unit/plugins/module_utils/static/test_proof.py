# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a frontend counts as serving."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.static._proof import Expected, prove, shortfall
from ansible_collections.sluice.release.plugins.module_utils.static._tree import Rules, read
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Ready

URL = "https://shop.example.com/"
PAGE = '<script src="/app-BvQ3kXy1.js"></script><img src="/logo.svg">'
YEAR = "public, max-age=31536000"
NO_CACHE = "no-cache"


class Server:
    """Answers by path; whatever is asked for more often than there are answers gets the last one again."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {
            "": answer(PAGE, cache=NO_CACHE),
            "app-BvQ3kXy1.js": answer("app", cache=YEAR),
            "logo.svg": answer("<svg/>"),
            "sw.js": answer("// 2", cache=NO_CACHE),
            "version.json": answer('{"version": "2.0.0"}'),
            **answers,
        }

    def __call__(self, url: str, **_options: Any) -> Response:
        self.asked.append(url)
        found = self.answers.get(url.removeprefix(URL), answer("", status=404))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        assert isinstance(found, Response)
        return found


class Clock:
    """Time that passes while one sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += max(seconds, 0.01)


def answer(body: str, status: int = 200, cache: str | None = None) -> Response:
    return Response(status, {"cache-control": cache} if cache else {}, body.encode(), 0.01)


@pytest.fixture
def expected(tmp_path: Path) -> Expected:
    files = {"index.html": PAGE, "app-BvQ3kXy1.js": "app", "logo.svg": "<svg/>", "sw.js": "// 2"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    ready = Ready(URL, "2.0.0", "/version.json", successes=3, interval=0.2, timeout=5)
    return Expected(read("2.0.0-x", str(tmp_path), Rules()), ready)


def test_it_has_to_serve_several_times_in_a_row(expected: Expected) -> None:
    server, clock = Server(), Clock()
    (witness,) = prove(expected, [URL], 5, ask=server, now=clock.now, sleep=clock.sleep)
    assert witness.ready_seconds == pytest.approx(0.4)
    assert (witness.files, witness.findings) == (4, [])
    # Files are compared once, the page every time.
    assert server.asked.count(URL) == 3
    assert server.asked.count(f"{URL}app-BvQ3kXy1.js") == 1


def test_an_edge_that_falls_back_starts_anew(expected: Expected) -> None:
    good, old = answer(PAGE, cache=NO_CACHE), answer(PAGE.replace("Xy1", "Xy0"))
    server, clock = Server(**{"": [good, old, good, old, good]}), Clock()
    (witness,) = prove(expected, [URL], 5, ask=server, now=clock.now, sleep=clock.sleep)
    assert witness.ready_seconds == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"": answer(PAGE.replace("<img", "<b></b> <img"), cache=NO_CACHE)}, ""),
        ({"": answer(PAGE.replace("Xy1", "Xy0"))}, "does not refer to app-BvQ3kXy1.js of 2.0.0-x, it refers to app-"),
        ({"": answer("<h1>Sign in</h1>")}, "does not refer to app-BvQ3kXy1.js of 2.0.0-x"),
        ({"": answer("", status=502)}, "answers with HTTP 502"),
        ({"": Response(0, {}, b"", 0.0, "connection refused", "refused")}, "does not answer: connection refused"),
        ({"version.json": answer('{"version": "1.9.0"}')}, "reports version 1.9.0 instead of 2.0.0"),
        ({"version.json": answer("<html>")}, "has a version file https://shop.example.com/version.json that is no"),
        ({"version.json": answer("", status=404)}, "has no version file"),
        ({"app-BvQ3kXy1.js": answer("old")}, "app-BvQ3kXy1.js with another checksum than that of the release"),
        ({"app-BvQ3kXy1.js": answer("", status=403)}, "does not serve https://shop.example.com/app-BvQ3kXy1.js: HTTP"),
        ({"sw.js": answer("// 1")}, "sw.js with another checksum"),
        ({"logo.svg": Response(200, {"content-length": "6"}, b"", 0.0, "large", "too_large")}, ""),
        ({"logo.svg": Response(200, {"content-length": "7"}, b"", 0.0, "large", "too_large")}, "with 7 bytes, the "),
    ],
)
def test_what_is_served_is_compared(expected: Expected, answers: dict[str, Any], said: str) -> None:
    clock = Clock()
    witnesses = prove(expected, [URL], 2, ask=Server(**answers), now=clock.now, sleep=clock.sleep)
    assert said in shortfall(witnesses)
    assert bool(said) == (witnesses[0].ready_seconds is None)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"": answer(PAGE)}, ["does not say how long it may be kept"]),
        ({"": answer(PAGE, cache="max-age=60")}, ["may be kept for 60 s, so browsers go on"]),
        ({"app-BvQ3kXy1.js": answer("app")}, ["how long it may be kept is not said, and it could be a year"]),
        ({"app-BvQ3kXy1.js": answer("app", cache="max-age=3600")}, ["is 3600 s, and it could be a year"]),
        ({"sw.js": answer("// 2", cache="max-age=60")}, ["sw.js at https://shop.example.com/ may be kept"]),
    ],
)
def test_headers_are_looked_at(expected: Expected, answers: dict[str, Any], said: list[str]) -> None:
    clock = Clock()
    for caching, wanted in ((True, said), (False, [])):
        looked = dataclasses.replace(expected, caching=caching)
        (witness,) = prove(looked, [URL], 2, ask=Server(**answers), now=clock.now, sleep=clock.sleep)
        assert len(witness.findings) == len(wanted)
        assert all(text in finding for text, finding in zip(wanted, witness.findings, strict=True))
        assert witness.ready_seconds is not None


def test_every_address_is_asked_at_its_own_host(expected: Expected) -> None:
    class Edges(Server):
        def __call__(self, url: str, **options: Any) -> Response:
            if "sin." in url:
                self.asked.append(url)
                return answer(PAGE.replace("Xy1", "Xy0"))
            return super().__call__(url.replace("fra.", ""), **options)

    server, clock = Edges(), Clock()
    urls = ["https://fra.shop.example.com/", "https://sin.shop.example.com/"]
    witnesses = prove(expected, urls, 2, ask=server, now=clock.now, sleep=clock.sleep)
    assert [witness.ready_seconds is not None for witness in witnesses] == [True, False]
    assert shortfall(witnesses).startswith("https://sin.shop.example.com/ serves a page")
    assert clock.time == pytest.approx(2, abs=0.1)
