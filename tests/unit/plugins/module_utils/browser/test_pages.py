# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of visits to pages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.browser._pages import (
    PAGE_SPEC,
    Page,
    Visit,
    judge,
    read_pages,
)

BASE = "https://shop.example.com/app/"


def raw(**options: Any) -> dict[str, Any]:
    result = ArgumentSpecValidator(PAGE_SPEC).validate({"name": "home", **options})
    assert not result.error_messages
    return dict(result.validated_parameters)


def page(**options: Any) -> Page:
    return read_pages(BASE, [raw(**options)])[0]


def vitals(lcp: float | None = 800.0, **more: float | None) -> dict[str, float | None]:
    return {"lcp_ms": lcp, "fcp_ms": 400.0, "load_ms": 900.0, "cls": 0.0, **more}


WELL = Visit(1280, 200, vitals=vitals())


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/", "https://shop.example.com/"),
        ("cart?x=1", "https://shop.example.com/app/cart?x=1"),
        ("https://shop.example.com/other", "https://shop.example.com/other"),
    ],
)
def test_paths_are_below_the_origin(path: str, url: str) -> None:
    assert page(path=path).url == url


@pytest.mark.parametrize(
    ("base", "pages", "problem"),
    [
        (BASE, [], "there is none"),
        (BASE, [raw(), raw()], "the name home is used more than once"),
        (BASE, [raw(path="//evil.example.com/")], "home: its path leads to another origin"),
        (BASE, [raw(path="http://shop.example.com/")], "home: its path leads to another origin"),
        ("ftp://h/", [raw()], "base_url must be"),
        (BASE, [raw(ignore_console=["("])], "( of ignore_console is no regular expression"),
        (BASE, [raw(visits=0)], "visits is 0"),
        (BASE, [raw(lcp_ms=float("nan"))], "lcp_ms is nan"),
        (BASE, [raw(widths=[])], "widths must be given"),
        (BASE, [raw(widths=[100])], "each of 200 pixels or more"),
        (BASE, [raw(expect_status=[])], "expect_status is empty"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_browser_is_opened(
    base: str, pages: list[dict[str, Any]], problem: str
) -> None:
    with pytest.raises(SluiceError, match="Cannot use the pages: ") as error:
        read_pages(base, pages)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("options", "visits", "verdict", "reason"),
    [
        ({}, [WELL], "green", "home: lcp_ms 800 ms, fcp_ms 400 ms, load_ms 900 ms, cls 0"),
        ({}, [replace(WELL, status=404)], "red", "home: answered 404 instead of 200"),
        ({"selector": "#x"}, [replace(WELL, found=False)], "red", "home: #x was not visible"),
        ({}, [Visit(1280, fault="could not be shown (timeout)")], "red", "home: could not be shown (timeout)"),
        ({"optional": True}, [Visit(1280, fault="gone")], "yellow", "home: gone"),
        (
            {},
            [replace(WELL, console=("a is not a function",))],
            "red",
            "home: 1 errors in the console, 0 are allowed: a is not a function",
        ),
        ({"max_console_errors": 1}, [replace(WELL, console=("a",))], "green", "home: lcp_ms 800 ms"),
        ({"ignore_console": ["favicon"]}, [replace(WELL, console=("no /favicon.ico",))], "green", "home: lcp_ms"),
        ({"lcp_ms": 800}, [WELL], "green", "home: lcp_ms 800 ms"),
        ({"lcp_ms": 799}, [WELL], "red", "home: lcp_ms was 800 ms, at most 799 ms is allowed"),
        ({"lcp_ms": 799}, [replace(WELL, vitals=vitals(None))], "red", "home: lcp_ms could not be measured"),
        ({"lcp_ms": 799}, [Visit(1280, fault="gone")], "red", "home: gone"),
        (
            {"lcp_ms": 900, "visits": 3},
            [replace(WELL, vitals=vitals(lcp)) for lcp in (5000.0, 700.0, 800.0)],
            "green",
            "home: lcp_ms 800 ms",
        ),
    ],
)
def test_a_page_is_judged_by_its_visits(
    options: dict[str, Any], visits: list[Visit], verdict: str, reason: str
) -> None:
    found = judge(page(**options), visits)
    assert found["verdict"] == verdict
    assert found["reason"].startswith(reason)


def test_every_width_must_hold_and_is_named() -> None:
    narrow = replace(WELL, width=375, vitals=vitals(3000.0))
    found = judge(page(widths=[375, 1280], lcp_ms=2500), [narrow, WELL])
    assert (found["verdict"], found["samples"]) == ("red", 2)
    assert found["reason"] == "home: lcp_ms was 3000 ms, at most 2500 ms is allowed at 375 px"
