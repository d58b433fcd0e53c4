# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cookies go back to whom a browser would send them."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.flow._cookies import Flags, Jar

SITE = "http://127.0.0.1:3000/app/login"


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        ("s=1", Flags(False, False, None)),
        ("s=1; Secure; HttpOnly; SameSite=Strict", Flags(True, True, "strict")),
        ("s=1; secure; httponly; samesite=lax; Path=/", Flags(True, True, "lax")),
        ("s=1; HTTPONLY; Partitioned; Priority=High; SAMESITE=None", Flags(False, True, "none")),
        ("s=httponly; Path=/", Flags(False, False, None)),
        ("s=; Max-Age=60", Flags(False, False, None)),
    ],
)
def test_flags_are_read_however_they_are_spelled(header: str, flags: Flags) -> None:
    assert Jar().keep(SITE, [("set-cookie", header)]) == {"s": flags}


@pytest.mark.parametrize(
    ("set_by", "header", "asked", "sent"),
    [
        (SITE, "s=1; Path=/", SITE, "s=1"),
        (SITE, "s=1", "http://127.0.0.1:3000/app/x", "s=1"),
        (SITE, "s=1", "http://127.0.0.1:3000/other", None),
        (SITE, "s=1; Path=/", "http://127.0.0.2:3000/", None),
        (SITE, "s=1; Path=/; Secure", SITE, "s=1"),
        ("https://app.example.com/", "s=1; Path=/; Secure", "https://app.example.com/x", "s=1"),
        ("https://app.example.com/", "s=1; Path=/; Secure", "http://app.example.com/x", None),
        ("https://app.example.com/", "s=1; Path=/", "https://other.example.com/", None),
        ("https://app.example.com/", "s=1; Path=/; Domain=example.com", "https://other.example.com/", "s=1"),
        ("https://app.example.com/", "s=1; Path=/; Domain=other.com", "https://other.com/", None),
    ],
)
def test_a_cookie_goes_back_to_its_site(set_by: str, header: str, asked: str, sent: str | None) -> None:
    jar = Jar()
    jar.keep(set_by, [("set-cookie", header), ("content-type", "text/html")])
    assert jar.header(asked) == sent


def test_several_are_kept_and_one_is_forgotten() -> None:
    jar = Jar()
    assert set(jar.keep(SITE, [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; Path=/")])) == {"a", "b"}
    assert jar.values() == ["1", "2"]
    jar.keep(SITE, [("set-cookie", "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT")])
    assert (jar.value("a"), jar.value("b"), jar.header(SITE)) == (None, "2", "b=2")
