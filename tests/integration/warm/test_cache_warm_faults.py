# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cache_warm against instances and lists that are not well: it ends in time, and says which and why."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from warm_site import Handler, Instance, Warm

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils.warm._http_options import WARM_SPEC
from ansible_collections.sluice.release.plugins.modules import cache_warm

MANY = [f"/{number}" for number in range(2000)]


@pytest.fixture
def other() -> Iterator[Instance]:
    """Somebody whom nobody may ask."""
    server = Instance()
    yield server
    server.end()


@pytest.mark.parametrize("policy", ["required", "best_effort"])
def test_slow(warm: Warm, instance: Instance, policy: str) -> None:
    instance.answer = lambda _request: instance.released.wait(60)
    result = warm(*MANY, timeout=1, budget=2.5, failed_window=1000, policy=policy)
    assert (result["stopped"], result["warm"]) == ("budget", False)
    assert set(result["errors"]) == {"timeout"}
    assert result["failures"][0] == {
        "path": "/0", "kind": "timeout", "reason": "no whole answer within 1 s"
    }  # fmt: skip
    # Never past the budget by more than one timeout.
    assert 2.5 <= result["seconds"] < 3.5
    if policy == "required":
        assert result["failed"]
        assert result["msg"].startswith(f"Cannot warm {instance.url}: the time of 2.5 s is over; 0 of ")
        assert result["msg"].endswith("Allow it more time (budget), or see why the instance answers slowly.")
    else:
        assert "failed" not in result
        assert result["reason"].startswith("the time of 2.5 s is over; 0 of ")


def test_an_answer_that_drips_has_a_limit_too(warm: Warm, instance: Instance) -> None:
    def answer(request: Handler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "100000")
        request.end_headers()
        while not instance.released.wait(0.05):
            request.wfile.write(b"x")

    instance.answer = answer
    result = warm("/", timeout=1)
    assert result["errors"] == {"timeout": 1}
    assert result["seconds"] < 10


def test_failing_at_30_percent_is_not_asked_any_further(warm: Warm, instance: Instance) -> None:
    instance.answer = lambda request: request.reply(503 if int(request.path[1:]) % 10 in (2, 5, 8) else 200)
    result = warm(*MANY, concurrency=4)
    assert result["failed"]
    assert (result["stopped"], result["warm"]) == ("failing", False)
    assert result["done"] < 80
    assert set(result["errors"]) == {"status_5xx"}
    assert result["failures"][0]["reason"] == "it answered 503"
    assert "at most 20 % may fail" in result["msg"]
    tolerated = warm(*MANY[:200], max_failed_pct=40)
    assert (tolerated["warm"], tolerated["failed_requests"], tolerated["done"]) == (True, 60, 200)


def test_redirects_elsewhere_are_not_followed(warm: Warm, instance: Instance, other: Instance) -> None:
    instance.answer = lambda request: request.reply(302, Location=f"{other.url}/?token=geheim")
    result = warm("/a", f"{other.url}/listed", policy="best_effort")
    assert (result["stopped"], result["errors"], result["left_out"]) == ("failing", {"elsewhere": 1}, {"elsewhere": 1})
    assert result["failures"] == [
        {"path": "/a", "kind": "elsewhere", "reason": f"it answered 302 and leads to {other.url}/?token=********"}
    ]
    assert result["left_out_first"][0]["text"] == f"{other.url}/listed"
    assert other.asked == []
    assert instance.paths == ["/a"]


def test_a_redirect_does_not_lead_to_what_is_excluded(warm: Warm, instance: Instance) -> None:
    instance.answer = lambda request: request.reply(302, Location="/logout")
    result = warm("/a", policy="best_effort")
    assert (result["errors"], instance.paths) == ({"excluded": 1}, ["/a"])


def test_redirects_in_a_circle(warm: Warm, instance: Instance) -> None:
    instance.answer = lambda request: request.reply(302, Location="/b" if request.path == "/a" else "/a")
    result = warm("/a", policy="best_effort")
    assert result["errors"] == {"redirects": 1}
    assert result["failures"][0]["reason"] == "it led on more than 5 times"
    assert len(instance.asked) == 6


@pytest.mark.parametrize("announced", [True, False])
def test_50_mb_are_not_read(warm: Warm, instance: Instance, announced: bool) -> None:
    written = []

    def answer(request: Handler) -> None:
        request.send_response(200)
        if announced:
            request.send_header("Content-Length", str(50 * 1024**2))
        request.end_headers()
        request.close_connection = True
        for _block in range(50):
            request.wfile.write(bytes(1024**2))
            written.append(1)

    instance.answer = answer
    result = warm("/big", max_body=1024**2, policy="best_effort")
    assert result["errors"] == {"too_large": 1}
    assert result["failures"][0]["reason"] == "its answer is larger than 1048576 bytes"
    # What the buffers between the two hold was written, too.
    assert len(written) < 25


def test_gone_half_way(warm: Warm, instance: Instance) -> None:
    def answer(request: Handler) -> None:
        if len(instance.asked) < 100:
            request.reply()
            return
        # Whoever comes now finds nobody, and whoever is connected loses the connection.
        instance.socket.close()
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)

    instance.answer = answer
    result = warm(*MANY, budget=30)
    assert result["failed"]
    assert (result["stopped"], result["warm"]) == ("gone", False)
    assert set(result["errors"]) <= {"refused", "reset"}
    # Those that were under way when it went may be lost.
    assert 99 - 8 <= result["ok"] <= 99
    assert result["failed_requests"] < 50
    assert result["seconds"] < 30
    assert f"10 requests in a row found no server; {result['ok']} of" in result["msg"]


def test_nobody_there(warm: Warm) -> None:
    result = warm("/", address="127.0.0.1:1")
    assert result["failed"]
    assert (result["stopped"], result["done"]) == ("gone", 0)
    assert result["msg"].endswith(
        "nobody answers at 127.0.0.1:1: connection refused. See that the instance runs at this address."
    )


def test_an_unknown_host(warm: Warm) -> None:
    result = warm("/", address="nowhere.invalid:80", policy="best_effort")
    assert result["stopped"] == "gone"
    assert "its host name is not known" in result["reason"]


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
        b"HTTP/9.9 \xff\xfe\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xff\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\xff\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400_000 + b"\r\n\r\n",
        b"HTTP/1.1 302 \xff\r\nLocation: http://\xff\xfe/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_no_answer(warm: Warm, instance: Instance, answer: bytes) -> None:
    def reply(request: Handler) -> None:
        request.wfile.write(answer)
        request.close_connection = True

    instance.answer = reply
    result = warm("/", "/other", policy="best_effort", hit_header="X-Cache")
    assert result["stopped"] == "failing"
    assert result["failed_requests"] == 2
    assert set(result["errors"]) <= {"reset", "invalid", "elsewhere", "too_large", "other"}
    assert all(failure["reason"] for failure in result["failures"])


def test_100_000_bad_lines(warm: Warm, instance: Instance, tmp_path: Path) -> None:
    lines = [
        *("not a path" for _number in range(50_000)),
        "/good",
        *("\x01" for _number in range(49_998)),
        "x" * 200_000,
    ]
    (tmp_path / "list").write_bytes("\n".join(lines).encode() + b"\n\xff\xfe\n/last\n")
    result = warm(sources=[{"file": str(tmp_path / "list")}], budget=50)
    assert sorted(instance.paths) == ["/good", "/last"]
    assert (result["warm"], result["stopped"]) == (True, "complete")
    assert result["left_out"] == {"bad": 100_000}
    assert len(result["left_out_first"]) == 10
    assert result["left_out_first"][1] == {
        "source": f"file {tmp_path}/list", "where": "line 2", "text": "not a path", "why": "bad"
    }  # fmt: skip
    assert len(json.dumps(result)) < 20_000


def test_more_urls_than_allowed(warm: Warm, instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\n".join(MANY))
    result = warm(sources=[{"file": str(tmp_path / "list")}, {"urls": ["/0", "/other"]}], max_urls=50)
    assert len(instance.asked) == result["done"] == 50
    assert [source["cut"] for source in result["sources"]] == ["more than 50 URLs"] * 2
    assert result["reason"].endswith(f"file {tmp_path}/list: more than 50 URLs; urls: more than 50 URLs")


BOMB = b"""<?xml version="1.0"?><!DOCTYPE urlset [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<urlset><url><loc>http://127.0.0.1/&b;</loc></url></urlset>"""
OUTSIDE = b"""<!DOCTYPE urlset [<!ENTITY x SYSTEM "file:///etc/passwd">]><urlset><url><loc>/&x;</loc></url></urlset>"""
ENDLESS = gzip.compress(b"<urlset>" + b" " * (51 * 1024**2))


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (BOMB, "it has a DOCTYPE"),
        (OUTSIDE, "it has a DOCTYPE"),
        (ENDLESS, "it is larger than 50 MB"),
        (b"<html><body>/etc</body></html>", "it begins with <html>"),
        (b"<urlset><url><loc>/a", "it is no XML"),
        (gzip.compress(b"<urlset></urlset>")[:-9], "it ends in the middle"),
        (b"\x1f\x8b" + b"x" * 99, "it cannot be unpacked"),
        (b"", "it is no XML"),
        (b"<urlset>" + b"<a>" * 100, "its elements lie too deep"),
    ],
    ids=["bomb", "xxe", "endless", "html", "torn", "torn gzip", "no gzip", "empty", "deep"],
)  # fmt: skip
@pytest.mark.parametrize("policy", ["required", "best_effort"])
def test_a_sitemap_that_is_none(warm: Warm, instance: Instance, document: bytes, problem: str, policy: str) -> None:
    instance.answer = lambda request: request.reply(body=document if request.path == "/sitemap.xml" else b"page")
    result = warm(sources=[{"sitemap": "/sitemap.xml"}, {"urls": ["/other"]}], policy=policy)
    assert problem in result["sources"][0]["problem"]
    assert problem in result["reason"]
    # What is required is no longer to be had; what is wanted is done as far as it goes.
    assert (result["stopped"], result["warm"]) == (("nothing", False) if policy == "required" else ("complete", True))
    assert instance.paths == ["/sitemap.xml"] + ["/other"] * (policy == "best_effort")
    assert bool(result.get("failed")) is (policy == "required")
    assert "root:" not in json.dumps(result)


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (404, b"", "it answered 404"),
        (200, b"x" * (9 * 1024**2), "its answer is larger than 8388608 bytes"),
        (200, b"{", "it is neither JSON nor YAML"),
        (200, b"[]", "it has no paths"),
        (200, b"[" * 100_000, "it"),
    ],
)
def test_an_openapi_document_that_is_none(
    warm: Warm, instance: Instance, status: int, body: bytes, problem: str
) -> None:
    instance.answer = lambda request: request.reply(status, body)
    result = warm(sources=[{"openapi": "/openapi.json"}], policy="best_effort")
    assert (result["stopped"], result["done"]) == ("nothing", 0)
    assert problem in result["sources"][0]["problem"]


def test_a_document_that_hangs(warm: Warm, instance: Instance) -> None:
    instance.answer = lambda _request: instance.released.wait(60)
    result = warm(sources=[{"sitemap": "/sitemap.xml"}], timeout=5, budget=1, policy="best_effort")
    assert result["seconds"] < 6
    assert result["stopped"] in ("budget", "nothing")


@pytest.mark.parametrize("sources", [[], [{"urls": []}], [{"urls": ["/logout", "nonsense"]}]])
def test_nothing_to_do(warm: Warm, instance: Instance, sources: list[dict[str, Any]]) -> None:
    required = warm(sources=sources)
    assert required["failed"]
    assert required["msg"] == (
        f"Cannot warm {instance.url}: its sources name nothing that may be asked for. Correct the sources."
    )
    result = warm(sources=sources, policy="best_effort")
    assert (result["stopped"], result["warm"], result["done"]) == ("nothing", False, 0)
    assert instance.asked == []


@pytest.mark.parametrize("kind", ["file", "keys", "access_log", "openapi_file"])
def test_a_source_that_is_not_there(warm: Warm, instance: Instance, kind: str) -> None:
    required = warm(sources=[{kind: "/nowhere"}])
    assert required["failed"]
    assert "/nowhere: " in required["msg"]
    result = warm(sources=[{kind: "/nowhere"}, {"urls": ["/"]}], policy="best_effort")
    assert (result["stopped"], result["warm"], instance.paths) == ("complete", True, ["/"])


def test_what_is_not_required_is_warned_of(instance: Instance) -> None:
    said: list[str] = []

    def run(**options: Any) -> None:
        given = {"url": instance.url, "policy": "best_effort", **options}
        found = ArgumentSpecValidator({**WARM_SPEC, **PROGRESS}).validate(given)
        assert not found.error_messages
        cache_warm.warm_instance(found.validated_parameters, warn=said.append, check_mode=False)

    run(sources=[{"urls": ["/"]}])
    assert said == []
    run(sources=[{"urls": ["/"]}, {"file": "/nowhere"}])
    problem = "its source file /nowhere cannot be read: /nowhere: No such file or directory"
    assert said == [f"{instance.url} was warmed without one of its sources: {problem}."]
    said.clear()
    instance.answer = lambda request: request.reply(500)
    run(sources=[{"urls": ["/"]}])
    assert said == [
        f"{instance.url} is not warm: 0 of 1 requests were answered well (1 status_5xx); at most 20 % may fail."
    ]
