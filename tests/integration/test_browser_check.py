# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""browser_check with a real Chromium."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.modules import browser_check

GOOD = b'<!doctype html><link rel=icon href="data:,"><h1 id=title>Deals</h1><p>What people come for</p>'
BAD = b'<!doctype html><link rel=icon href="data:,"><h1>Deals</h1><script>undefined_function()</script>'
PAGES = {
    "/": GOOD,
    "/bad": BAD,
    "/broken-image": GOOD + b"<img src=/none.png>",
    "/narrow": GOOD + b"<style>@media (max-width: 500px) { #title { display: none } }</style>",
}


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == "Bearer geheim" or self.path != "/private"
        body = PAGES.get(self.path, GOOD if self.path == "/private" and allowed else None)
        self.send_response(200 if body else 401 if not allowed else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        body = body or b"<!doctype html>No"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(autouse=True)
def chromium(lack: Any) -> None:
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        lack("no chromium on this machine: no page was opened")


def test_pages_as_a_browser_shows_them(run_module: Any, shop: str) -> None:
    result = run_module(
        browser_check.main,
        base_url=shop,
        secret_headers={"Authorization": "Bearer geheim"},
        fail_on_red=False,
        pages=[
            {"name": "home", "selector": "#title", "lcp_ms": 60000, "fcp_ms": 60000},
            {"name": "slow", "lcp_ms": 0.001, "optional": True},
            {"name": "bad", "path": "/bad"},
            {"name": "image", "path": "/broken-image"},
            {"name": "tolerated", "path": "/broken-image", "ignore_console": ["404"]},
            {"name": "none", "path": "/none"},
            {"name": "private", "path": "/private"},
            {"name": "narrow", "path": "/narrow", "selector": "#title", "widths": [375, 1280]},
        ],
    )
    verdicts = {gate["check"]: (gate["verdict"], gate["reason"]) for gate in result["gates"]}
    assert verdicts["home"][0] == "green", verdicts
    assert verdicts["slow"][0] == "yellow"
    assert "undefined_function is not defined" in verdicts["bad"][1]
    assert "1 errors in the console" in verdicts["image"][1]
    assert verdicts["tolerated"][0] == "green", verdicts
    assert "answered 404 instead of 200" in verdicts["none"][1]
    assert verdicts["private"][0] == "green", verdicts
    assert verdicts["narrow"] == ("red", "narrow: #title was not visible at 375 px")
    assert result["verdict"] == "red"
    vitals = next(gate["vitals"] for gate in result["gates"] if gate["check"] == "home")
    assert 0 < vitals["fcp_ms"] <= vitals["lcp_ms"]
    assert "geheim" not in str(result)


def test_a_server_that_is_not_there_is_red_and_no_traceback(run_module: Any) -> None:
    result = run_module(browser_check.main, base_url="http://127.0.0.1:9/", pages=[{"name": "home"}], timeout=10)
    assert result["failed"]
    assert result["msg"].startswith("Cannot accept the pages: 1 of 1 page is red: home: could not be shown (")


def test_a_browser_that_is_not_there_is_told(run_module: Any, shop: str, tmp_path: Any) -> None:
    result = run_module(
        browser_check.main, base_url=shop, pages=[{"name": "home"}], executable=str(tmp_path / "chromium")
    )
    assert result["msg"] == f"Cannot open a browser: {tmp_path}/chromium is no program. Correct executable."
