# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cache_warm against an instance that is well: what it sends, from where it takes it, when it stops."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from warm_site import NAME, Handler, Instance, Warm, certificate


def test_every_path_is_asked_for_once_at_the_address_with_the_public_host(
    warm: Warm, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    result = warm(
        "/", "/a?b=1", "http://shop.example.com/c#top", "/a?b=1", "/ü",
        url="http://shop.example.com",
        address=f"127.0.0.1:{instance.server_port}",
        headers={"Accept-Encoding": "gzip", "X-Empty": ""},
        concurrency=1,
    )  # fmt: skip
    assert instance.paths == ["/", "/a?b=1", "/c", "/%C3%BC"]
    assert {headers["Host"] for _path, headers in instance.asked} == {"shop.example.com"}
    assert {headers["Accept-Encoding"] for _path, headers in instance.asked} == {"gzip"}
    assert {headers.get("X-Empty") for _path, headers in instance.asked} == {""}
    assert (result["warm"], result["stopped"], result["reason"]) == (
        True, "complete", "4 of 4 requests were answered well",
    )  # fmt: skip
    assert (result["done"], result["ok"], result["failed_requests"], result["errors"], result["bytes"]) == (
        4,
        4,
        0,
        {},
        8,
    )
    assert result["sources"] == [
        {"source": "urls", "urls": 4, "duplicates": 1, "left_out": 0, "cut": None, "problem": None}
    ]
    assert 0 < result["first_pass"]["p50_ms"] <= result["first_pass"]["p99_ms"] <= result["first_pass"]["max_ms"]
    assert result["samples"][-1]["done"] == 4


def test_one_that_is_slow_does_not_hold_up_the_others(warm: Warm, instance: Instance) -> None:
    def answer(request: Handler) -> None:
        if request.path == "/slow":
            instance.released.wait(60)
        if len(instance.asked) == 100:
            instance.released.set()
        request.reply()

    instance.answer = answer
    result = warm("/slow", *[f"/{number}" for number in range(99)], concurrency=2, timeout=30)
    assert result["ok"] == 100
    # Waiting for the slow one before each of the others leaves would take a tenth of a second for every one of them.
    assert result["seconds"] < 6


def test_redirects_are_followed_inside_the_origin(warm: Warm, instance: Instance) -> None:
    def answer(request: Handler) -> None:
        if request.path == "/old":
            request.reply(301, Location="/new")
        else:
            request.reply(Location="/not-followed")

    instance.answer = answer
    result = warm("/old")
    assert instance.paths == ["/old", "/new"]
    assert (result["done"], result["ok"]) == (1, 1)


def test_all_sources(warm: Warm, instance: Instance, tmp_path: Path) -> None:
    pages = b"".join(b"<url><loc>%s/page/%d</loc></url>" % (instance.url.encode(), number) for number in range(3))
    namespace = b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    documents = {
        "/sitemap.xml": b"<sitemapindex><sitemap><loc>%s/part.xml.gz</loc></sitemap><sitemap><loc>https://x.example/s"
        b"</loc></sitemap></sitemapindex>" % instance.url.encode(),
        "/part.xml.gz": gzip.compress(namespace + pages + b"</urlset>"),
        "/openapi.json": json.dumps({"paths": {"/api/v": {"get": {}}, "/api/w": {"post": {}}}}).encode(),
    }
    instance.answer = lambda request: request.reply(body=documents.get(request.path, b"page"))
    log = '9.9.9.9 - - [22/Nov/2026:10:00:00 +0000] "{} {} HTTP/1.1" {} 5 "-" "x"\n'
    lines = [("GET", "/hot", 200)] * 3 + [("GET", "/mild?q=1", 304)] * 2
    lines += [("HEAD", "/head", 200), ("POST", "/post", 200), ("GET", "/missing", 404), ("GET", "/r?token=geheim", 200)]
    (tmp_path / "access.log").write_text("".join(log.format(*line) for line in lines[:5]))
    (tmp_path / "access.log.1.gz").write_bytes(gzip.compress("".join(log.format(*line) for line in lines[5:]).encode()))
    (tmp_path / "list").write_text("# what matters\n\n/listed\n/logout\n")
    (tmp_path / "keys").write_text('{"path": "/hot", "headers": {"Accept-Language": "de"}}\n{"path": 5}\n')
    (tmp_path / "api.yaml").write_text("openapi: 3.0.0\nservers: [{url: /v2}]\npaths: {/yaml: {get: {}}}\n")
    result = warm(
        concurrency=1,
        sources=[
            {"file": str(tmp_path / "list")},
            {"access_log": str(tmp_path / "access.log*")},
            {"sitemap": "/sitemap.xml"},
            {"openapi": "/openapi.json"},
            {"openapi_file": str(tmp_path / "api.yaml")},
            {"keys": str(tmp_path / "keys")},
        ],
    )
    assert instance.paths == [
        "/listed", "/hot", "/mild?q=1", "/sitemap.xml", "/part.xml.gz", "/page/0", "/page/1", "/page/2",
        "/openapi.json", "/api/v", "/v2/yaml", "/hot",
    ]  # fmt: skip
    assert instance.asked[-1][1]["Accept-Language"] == "de"
    assert result["left_out"] == {
        "bad": 1, "elsewhere": 1, "excluded": 1, "method": 2, "secret": 1, "status": 1
    }  # fmt: skip
    assert result["left_out_first"][0] == {
        "source": f"file {tmp_path}/list", "where": "line 4", "text": "/logout", "why": "excluded"
    }  # fmt: skip
    assert [source["urls"] for source in result["sources"]] == [1, 2, 3, 1, 1, 1]
    assert "geheim" not in json.dumps(result["left_out_first"])


def test_the_second_pass_shows_what_the_first_was_good_for(warm: Warm, instance: Instance) -> None:
    seen: set[str] = set()

    def answer(request: Handler) -> None:
        known = request.path in seen
        seen.add(request.path)
        if not known:
            time.sleep(0.05)
        request.reply(X_Cache_Status="HIT" if known else "MISS")

    instance.answer = answer
    options: dict[str, Any] = {"hit_header": "X-Cache-Status", "second_pass": 10}
    result = warm(*[f"/deals/{number}" for number in range(30)], until={"hit_pct": 100}, **options)
    assert (result["warm"], result["stopped"], result["hit_pct"]) == (True, "target", 100.0)
    assert (result["first_pass"]["hit_pct"], result["second_pass"]["requests"]) == (0.0, 10)
    (endpoint,) = result["endpoints"]
    assert (endpoint["endpoint"], endpoint["requests"]) == ("/deals/{id}", 10)
    assert endpoint["cold_ms"] > 49
    assert endpoint["cold_ms"] > endpoint["warm_ms"]
    assert len(instance.asked) == 40

    missed = warm("/never", until={"second_pass_p95_ms": 0.001}, **options)
    assert missed["failed"]
    assert missed["warm"] is False
    assert missed["stopped"] == "complete"
    assert "the second pass has a p95 of" in missed["msg"]


def test_a_cache_that_is_warm_already_ends_it(warm: Warm, instance: Instance) -> None:
    instance.answer = lambda request: request.reply(Age="17")
    paths = [f"/{number}" for number in range(500)]
    options: dict[str, Any] = {"hit_header": "age", "hit_pattern": "^[1-9]", "second_pass": 1, "failed_window": 20}
    result = warm(*paths, until={"hit_pct": 90}, **options)
    assert (result["stopped"], result["warm"]) == ("target", True)
    assert 20 <= result["done"] <= 40


def test_check_mode_sends_nothing(warm: Warm, instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("/1\n/2\nnonsense\n/1\n")
    result = warm(check=True, sources=[{"file": str(tmp_path / "list")}, {"sitemap": "/sitemap.xml"}])
    assert instance.asked == []
    assert (result["planned"], result["warm"], result["left_out"]) == (2, False, {"bad": 1})
    assert result["sources"][1]["problem"] == "nothing is sent in check mode"
    missing = warm(check=True, sources=[{"file": "/nowhere"}])
    assert missing["failed"]
    assert "/nowhere: No such file" in missing["msg"]


def test_the_rate_is_kept(warm: Warm, instance: Instance) -> None:
    result = warm(*[f"/{number}" for number in range(21)], rate=50)
    # The first one leaves at once.
    assert result["seconds"] >= 20 / 50
    assert result["done"] == len(instance.asked) == 21


def test_somebody_who_waits_sees_how_far_it_is(warm: Warm, instance: Instance, tmp_path: Path) -> None:
    told = tmp_path / "told"

    def answer(request: Handler) -> None:
        if told.exists():
            instance.released.set()
        instance.released.wait(0.1)
        request.reply(X_Cache="HIT")

    instance.answer = answer
    result = warm(*[f"/{number}" for number in range(300)], progress=str(told), concurrency=1, hit_header="X-Cache")
    assert result["done"] == 300
    progress = json.loads(told.read_text())
    assert progress["total"] == 300
    assert 0 < progress["done"] <= 300
    assert progress["line"].startswith(f"{progress['done']} URLs, ")
    assert progress["line"].endswith("100 % from the cache")


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[Instance, Path]]:
    pem = certificate(tmp_path)
    server = Instance(pem)
    yield server, pem
    server.end()


def test_tls_asks_for_the_public_name_and_verifies_it(warm: Warm, tls: tuple[Instance, Path]) -> None:
    server, pem = tls
    options: dict[str, Any] = {"address": f"127.0.0.1:{server.server_port}", "ca_file": str(pem)}
    result = warm("/", url=f"https://{NAME}", **options)
    assert result["warm"] is True
    assert server.names == [NAME]
    assert server.asked[0][1]["Host"] == NAME

    wrong = warm("/", url="https://other.example.com", **options)
    assert wrong["failed"]
    assert wrong["errors"] == {"tls": 1}
    assert wrong["msg"].startswith("Cannot warm https://other.example.com: 0 of 1 requests were answered well (1 tls)")
    assert len(server.asked) == 1
    unverified = warm("/", url="https://other.example.com", **options, validate_certs=False)
    assert unverified["ok"] == 1
    nobody_knows_it = warm("/", url=f"https://{NAME}", address=options["address"])
    assert nobody_knows_it["errors"] == {"tls": 1}


def test_secrets_are_sent_and_not_shown(warm: Warm, instance: Instance, tmp_path: Path) -> None:
    instance.answer = lambda request: request.reply(403)
    (tmp_path / "keys").write_text(
        '{"path": "/b?session_id=geheim2", "headers": {"X-Key": "geheim3"}}\n{"x": "geheim4"'
    )
    result = warm(
        secret_headers={"Authorization": "Bearer geheim1"},
        sources=[{"urls": ["/a?token=geheim2&page=2"]}, {"keys": str(tmp_path / "keys")}],
        policy="best_effort",
    )
    assert instance.asked[0][1]["Authorization"] == "Bearer geheim1"
    assert {path for path, _headers in instance.asked} == {"/a?token=geheim2&page=2", "/b?session_id=geheim2"}
    assert {failure["path"] for failure in result["failures"]} == {
        "/a?token=********&page=2", "/b?session_id=********"
    }  # fmt: skip
    del result["invocation"]
    assert "geheim" not in json.dumps(result)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "ftp://x"}, "url must be http"),
        ({"url": "http://u:geheim@x"}, "url holds a user"),
        ({"url": "http://x/shop"}, "has no path"),
        ({"address": "a/b"}, "address must be host:port"),
        ({"headers": {"Host": "y"}}, "the header Host is not for a request to set"),
        ({"headers": {"X": "geheim\r\nY: 1"}}, "the value of the header X"),
        ({"concurrency": 0, "budget": 0}, "budget is 0, it must be above 0; concurrency is 0"),
        ({"exclude": ["("]}, "exclude: '(' is no regular expression"),
        ({"until": {"hit_pct": 90}}, "until needs a second pass"),
        ({"until": {"hit_pct": 90}, "second_pass": 9}, "until.hit_pct needs hit_header"),
        ({"sources": [{"urls": ["/"], "top": 5}]}, "source 1: top belongs to access_log"),
        ({"sources": [{"access_log": "/x", "format": "regex"}]}, "pattern belongs to format=regex"),
        ({"sources": [{"access_log": "/x", "format": "regex", "pattern": "(?P<path>.)"}]}, "lacks the group method"),
        ({"sources": [{}]}, "one of the following is required"),
        ({"sources": [{"urls": [], "file": "/x"}]}, "mutually exclusive"),
    ],
)
def test_what_makes_no_sense_is_refused(warm: Warm, instance: Instance, options: dict[str, Any], message: str) -> None:
    result = warm("/", **options, policy="best_effort")
    assert result["failed"]
    assert message in result["msg"]
    assert "geheim" not in result["msg"]
    assert instance.asked == []
