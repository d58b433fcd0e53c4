# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The patterns of the security sets: what each must find, and what it must leave alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.flow._security import (
    CREDENTIALS,
    INTERNALS,
    SETS,
    SQL_PROBES,
    expand,
)


def first(patterns: tuple[str, ...], text: str) -> str | None:
    """What the first pattern that finds something calls it."""
    label = re.compile(r"\(\?#([^)]*)\)")
    for pattern in patterns:
        if re.search(pattern, text):
            named = label.match(pattern)
            assert named, pattern
            return named.group(1)
    return None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Error: x\n    at Object.handle (/srv/app/dist/main.js:10:5)", "a stack trace of Node.js"),
        ("    at file:///opt/a/b.mjs:1:2", "a stack trace of Node.js"),
        ('Traceback (most recent call last):\n  File "x"', "a Python traceback"),
        ("at com.example.Main.run(Main.java:12)", "a stack trace of Java"),
        ("cannot open /home/deploy/app/config", "a path of the server"),
        (r"C:\\inetpub\\wwwroot", "a path of the server"),
        ('error: syntax error at or near "x"', "an error of the database"),
        ("SELECT id FROM deals WHERE", "a statement of SQL"),
        ("connect ECONNREFUSED", "the address of a server"),
        ('{"error": "not found"}', None),
        ('{"error": "Unexpected token } in JSON at position 3"}', None),
        ("<h1>404 Not Found</h1><hr><center>nginx/1.22.1</center>", None),
        ("Please select one from the list at /deals/new", None),
        ("Cannot GET /sluice-1a2b3c", None),
    ],
)
def test_what_an_error_shows_of_the_inside(text: str, label: str | None) -> None:
    assert first(INTERNALS, text) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "a private key"),
        ('k="AKIA' + 'IOSFODNN7EXAMPLE"', "an access key of AWS"),
        ("sk_live_" + "a1" * 12, "a key of Stripe"),
        ("ghp_" + "a1" * 18, "a token of GitHub"),
        ("glpat-" + "a1" * 10, "a token of GitLab"),
        ("xoxb-" + "1234567890-abc", "a token of Slack"),
        ("postgresql://app:pw@db/x", "a URL with a password"),
        ("redis://:pw@cache:6379/0", "a URL with a password"),
        ('{"JWT_SECRET":"' + 'a1b2c3d4"}', "an assigned secret"),
        ("pk_live_not_secret https://app.example.com:8443/login?next=a@b", None),
        ("const jwtSecretName = 'x'; user@example.com", None),
        ("https://fonts.example.com/css?family=A:400,700@b", None),
    ],
)
def test_what_lies_in_an_asset(text: str, label: str | None) -> None:
    assert first(CREDENTIALS, text) == label


@pytest.mark.parametrize(
    ("policy", "fits"),
    [
        ("default-src 'self'; script-src 'self' https://cdn.example", True),
        ("script-src 'self'; Default-Src 'none'", True),
        ("default-src 'self'", False),
        ("default-src 'self'; script-src 'self' 'unsafe-inline'", False),
        ("default-src *; script-src 'self'", False),
        ("default-src 'self'; script-src 'self'; style-src 'unsafe-inline' *", True),
        ("default-src 'self'; script-src 'self' https://*.example.com", True),
        ("xdefault-src 'self'; script-src 'self'", False),
    ],
)
def test_a_policy_is_read_by_its_directives(policy: str, fits: bool) -> None:
    conditions = expand({"set": "csp"})["steps"][0]["expect"]["headers"]
    held = [
        bool(re.search(one["matches"], policy)) if "matches" in one else not re.search(one["not_matches"], policy)
        for one in conditions
        if "matches" in one or "not_matches" in one
    ]
    assert all(held) is fits


@pytest.mark.parametrize(
    ("value", "foreign"),
    [("*", True), ("null", True), ("http://malicious.com", True), ("https://app.example", False), ("", False)],
)
def test_a_foreign_origin(value: str, foreign: bool) -> None:
    condition = expand({"set": "cors"})["steps"][0]["expect"]["headers"][0]
    assert bool(re.search(condition["not_matches"], value)) is foreign


def test_a_probe_is_encoded_in_an_address_and_not_in_a_body() -> None:
    request = {"method": "POST", "path": "/?q={probe}", "json": {"q": ["{probe}"]}, "headers": None}
    steps = expand({"set": "xss", "requests": [request], "probes": ["<b>{unique}"]})["steps"]
    assert [(step["path"], step["json"]) for step in steps] == [("/?q=%3Cb%3E{unique}", {"q": ["<b>{unique}"]})]


def test_no_probe_writes() -> None:
    for probe in SQL_PROBES:
        assert not re.search(r"drop|delete|insert|update|alter|truncate|create|grant|copy", probe, re.IGNORECASE)


MINIMAL: dict[str, dict[str, Any]] = {
    "cookies": {"cookies": ["s"], "request": {"path": "/"}},
    "https": {"url": "http://x/"},
    "csrf": {"requests": [{"path": "/"}]},
    "sql_injection": {"requests": [{"path": "/?q={probe}"}]},
    "xss": {"requests": [{"path": "/?q={probe}"}]},
}


@pytest.mark.parametrize("name", SETS)
def test_every_set_becomes_a_flow_whose_steps_have_names(name: str) -> None:
    made = expand({"set": name, "optional": True, **MINIMAL.get(name, {})})
    assert (made["name"], made["kind"], made["optional"]) == (f"security: {name}", name, True)
    names = [step["name"] for step in made["steps"]]
    assert names
    assert len(set(names)) == len(names)
