# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer is held against, and what is taken out of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.flow._cookies import Flags
from ansible_collections.sluice.release.plugins.module_utils.flow._expect import Answer, check, same, take
from ansible_collections.sluice.release.plugins.module_utils.flow._model import Capture

BODY = {
    "items": [{"id": 3, "price": 9.5}, {"id": 7, "price": 12}],
    "total": 2,
    "open": True,
    "name": "deal",
    "no": None,
}


def answer(status: int = 200, body: Any = BODY, *, seconds: float = 0.02, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    flags = {"session": Flags(secure=False, http_only=True, same_site="lax")}
    kept = {"session": "abc"}
    return Answer(Response(status, dict(pairs), content, seconds, pairs=pairs), flags, kept.get)


def failed(kind: str) -> Answer:
    return Answer(Response(0, {}, b"", 0.1, f"it is {kind}", kind), {}, {}.get)


def found(expect: dict[str, Any], one: Answer | None = None, **variables: Any) -> list[str]:
    return [f"{item.expected}: {item.found}" for item in check(expect, one or answer(), variables)]


@pytest.mark.parametrize(
    ("words", "one", "findings"),
    [
        ([], answer(204), []),
        ([], answer(302, b""), ["status 2xx: 302"]),
        (["401"], answer(401), []),
        (["4xx", "200"], answer(404), []),
        (["4xx"], answer(500, b""), ["status 4xx: 500"]),
        (["any"], answer(500), []),
        (["any"], failed("timeout"), ["status any: no answer: it is timeout"]),
        (["refused"], failed("refused"), []),
        (["refused"], answer(200, b""), ["status refused: 200"]),
    ],
)
def test_status(words: list[str], one: Answer, findings: list[str]) -> None:
    assert found({"status": words}, one) == findings


@pytest.mark.parametrize(
    ("item", "findings"),
    [
        ({"query": "name"}, []),
        ({"query": "no"}, ["no to be there: nothing"]),
        ({"query": "no", "exists": False}, []),
        ({"query": "name", "exists": False}, ["name to be absent: deal"]),
        ({"query": "items[0].id", "equals": 3}, []),
        ({"query": "items[0].id", "equals": "3"}, []),
        ({"query": "items[0].id", "equals": "{id}"}, []),
        ({"query": "items[*].id", "equals": [3, 7]}, []),
        ({"query": "open", "equals": True}, []),
        ({"query": "open", "equals": "true"}, []),
        ({"query": "open", "equals": 1}, ["open to be 1: true"]),
        ({"query": "items[*].price == sort(items[*].price)", "equals": True}, []),
        ({"query": "name", "matches": "^de"}, []),
        ({"query": "name", "matches": "(?#a word)^x"}, ["name to match a word: deal"]),
        ({"query": "total", "min": 2, "max": 2}, []),
        ({"query": "total", "min": 3}, ["total to be at least 3: 2"]),
        ({"query": "name", "max": 3}, ["name to be at most 3: deal"]),
        ({"query": "items", "count": 2}, []),
        ({"query": "items", "count": 1}, ["1 of items: 2"]),
        ({"query": "total", "count": 1}, ["1 of total: 2"]),
        ({"query": "items[?id == `{id}`]", "count": 1}, []),
    ],
)
def test_json(item: dict[str, Any], findings: list[str]) -> None:
    assert found({"json": [item]}, id=3) == findings


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_a_finding(body: bytes) -> None:
    assert len(found({"json": [{"query": "a"}]}, answer(body=body))) == 1


@pytest.mark.parametrize(
    ("item", "findings"),
    [
        ({"name": "Cache-Control"}, []),
        ({"name": "X-Other"}, ["header X-Other: none"]),
        ({"name": "X-Other", "optional": True, "equals": "x"}, []),
        ({"name": "X-Other", "absent": True}, []),
        ({"name": "cache-control", "absent": True}, ["no header cache-control: max-age=60, public"]),
        ({"name": "Cache-Control", "equals": "max-age=60, public"}, []),
        ({"name": "Cache-Control", "equals": "{x}"}, ["header Cache-Control to be {x}: max-age=60, public"]),
        ({"name": "Cache-Control", "matches": "public"}, []),
        ({"name": "Cache-Control", "not_matches": "public"}, [
            "header Cache-Control not to match public: max-age=60, public"]),
        ({"name": "Cache-Control", "min": 60}, []),
        ({"name": "Cache-Control", "matches": r"max-age=(\d+)", "min": 61}, [
            "the number in header Cache-Control to be at least 61: max-age=60, public"]),
    ],
)  # fmt: skip
def test_headers(item: dict[str, Any], findings: list[str]) -> None:
    assert found({"headers": [item]}, answer(cache_control="max-age=60, public"), x="no") == findings


def test_a_header_that_comes_twice_is_read_whole() -> None:
    pairs = (("vary", "Origin"), ("vary", "Accept"))
    one = Answer(Response(200, dict(pairs), b"", 0.0, pairs=pairs), {}, {}.get)
    assert found({"headers": [{"name": "Vary", "equals": "Origin, Accept"}]}, one) == []


@pytest.mark.parametrize(
    ("expect", "body", "kind", "findings"),
    [
        ({"contains": ["^hel+o", "{x}$"]}, b"hello a.b", "text/html", []),
        ({"contains": ["{x}$"]}, b"a+b", "text/html", ["a body with {x}$: none (a+b)"]),
        ({"not_contains": ["(?#a key)AKIA"]}, b"AKIA1", "text/html", ["a body without a key: it"]),
        ({"not_contains_unless_json": ["<b>"]}, b'"<b>"', "application/json; charset=utf-8", []),
        ({"not_contains_unless_json": ["<b>"]}, b'"<b>"', "application/problem+json", []),
        ({"not_contains_unless_json": ["<b>"]}, b'"<b>"', "text/html", ["a body without <b>: it"]),
    ],
)
def test_body(expect: dict[str, Any], body: bytes, kind: str, findings: list[str]) -> None:
    assert found(expect, answer(body=body, content_type=kind), x="a.b") == findings


def test_a_body_is_read_in_its_own_character_set() -> None:
    assert found({"contains": ["^ü$"]}, answer(body=b"\xfc", content_type="text/plain; charset=ISO-8859-1")) == []
    assert found({"contains": ["^ü$"]}, answer(body="ü".encode(), content_type="text/plain; charset=nobody")) == []


@pytest.mark.parametrize(
    ("item", "findings"),
    [
        ({"name": "session", "http_only": True, "same_site": ["Lax", "strict"]}, []),
        ({"name": "session", "secure": True}, ["cookie session with Secure: it without"]),
        ({"name": "session", "http_only": False}, ["cookie session without HttpOnly: it with"]),
        ({"name": "session", "same_site": ["strict"]}, ["cookie session with SameSite=strict: SameSite=lax"]),
        ({"name": "other"}, ["cookie other to be set: none"]),
        ({"name": "other", "absent": True}, []),
        ({"name": "session", "absent": True}, ["no cookie session any more: it"]),
    ],
)
def test_cookies(item: dict[str, Any], findings: list[str]) -> None:
    assert found({"cookies": [item]}) == findings


def test_time() -> None:
    assert found({"max_ms": 20}) == []
    assert found({"max_ms": 19}) == ["an answer within 19 ms: one after 20 ms"]


@pytest.mark.parametrize(
    ("source", "expression", "value"),
    [
        ("query", "items[-1].id", 7),
        ("query", "nothing", None),
        ("header", "Location", "/x"),
        ("header", "Other", None),
        ("cookie", "session", "abc"),
        ("regex", r'"id": (\d+)', "3"),
        ("regex", r"\btotal\b", "total"),
        ("regex", "nobody", None),
    ],
)
def test_take(source: str, expression: str, value: Any) -> None:
    assert take(Capture("x", source, expression), answer(location="/x"), {}) == value


@pytest.mark.parametrize(
    ("value", "expected", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (False, 0, False),
        ("1", 1, False),
        (1.5, "1.5", True),
        (None, "null", False),
        (True, "True", True),
        ([1], "[1]", False),
        ({"a": [1]}, {"a": [1]}, True),
    ],
)
def test_same(value: Any, expected: Any, equal: bool) -> None:
    assert same(value, expected) is equal
