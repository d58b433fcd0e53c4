# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which texts are paths of an origin, which of them may be asked for, and how they are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.sluice.release.plugins.module_utils.warm._http_paths import (
    LONGEST,
    Refused,
    endpoint_of,
    has_secret,
    is_unsafe,
    path_of,
    shown,
)

BASE = "https://shop.example.com"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/", "/"),
        ("/a/b?c=d&e=%20", "/a/b?c=d&e=%20"),
        ("https://shop.example.com", "/"),
        ("https://shop.example.com?q=1", "/?q=1"),
        ("HTTPS://SHOP.example.com:443/x#y", "/x"),
        ("//shop.example.com/x", "/x"),
        ("/x#y", "/x"),
        ("/ü?q=é", "/%C3%BC?q=%C3%A9"),
        ('/a"<b>', "/a%22%3Cb%3E"),
        ("/a/../b", "/b"),
        ("/../../etc", "/etc"),
        ("/.well-known/x", "/.well-known/x"),
        ("/[x]", "/[x]"),
    ],
)
def test_a_path_of_the_origin(text: str, path: str) -> None:
    assert path_of(text, BASE) == path
    assert not isinstance(path_of(text, BASE), Refused)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://shop.example.com/", "elsewhere"),
        ("https://shop.example.com:444/", "elsewhere"),
        ("https://shop.example.com.evil.example/", "elsewhere"),
        ("//evil.example/x", "elsewhere"),
        ("ftp://shop.example.com/", "elsewhere"),
        ("https://shop.example.com@evil.example/", "bad"),
        ("https://user:secret@shop.example.com/", "bad"),
        ("https://", "bad"),
        ("https://[::1", "bad"),
        ("https://shop.example.com:99999/", "bad"),
        ("", "bad"),
        ("a/b", "bad"),
        ("javascript:alert(1)", "bad"),
        ("/a b", "bad"),
        ("/a\r\nHost: evil", "bad"),
        ("/a\\b", "bad"),
        ("/\x00", "bad"),
        ("/" + "a" * LONGEST, "bad"),
    ],
)
def test_no_path_of_the_origin(text: str, why: str) -> None:
    found = path_of(text, BASE)
    assert isinstance(found, Refused)
    assert found == why


@given(st.text(max_size=60) | st.text(alphabet="/:@?#[]\\.ahtps%\r\n\t ü", max_size=30))
def test_whatever_a_list_holds_stays_in_the_origin(text: str) -> None:
    found = path_of(text, BASE)
    if not isinstance(found, Refused):
        assert found.startswith("/")
        assert found.isascii()
        assert not any(character in found for character in "\r\n \\")


@pytest.mark.parametrize(
    "path",
    ["/logout", "/Logout", "/log-out/", "/users/5/delete", "/delete_account", "/deleteAccount", "/?action=delete",
     "/a?delete=1", "/log%6Fut", "/account/sign_out?next=/", "/cart/remove/5", "/newsletter/unsubscribe.php",
     "/password-reset/abc", "/oauth2/callback", "/a;cancel"],
)  # fmt: skip
def test_unsafe(path: str) -> None:
    assert is_unsafe(path)


@pytest.mark.parametrize(
    "path",
    ["/", "/deleted", "/blog/how-to-delete-your-account", "/resetting", "/login", "/catalogue", "/verify-your-home",
     "/checkouts", "/archive/2024", "/confirmation-bias"],
)  # fmt: skip
def test_safe(path: str) -> None:
    assert not is_unsafe(path)


@pytest.mark.parametrize(
    "path",
    ["/?token=x", "/?a=1&PASSWORD=x", "/?session_id=x", "/?PHPSESSID=x", "/?api-key=x", "/?X-Amz-Signature=x",
     "/?key=x", "/?user%5Fpassword=x", "/?code=4", "/?a=1;sid=2", "/?q=eyJhbGci.eyJzdWIi.x", "/?csrf_token=",
     "/?x=a9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c3"],
)  # fmt: skip
def test_a_secret_in_the_query(path: str) -> None:
    assert has_secret(path)
    name = path.rpartition("=")[0]
    assert shown(path) == f"{name}=********".replace(";", "&")


@pytest.mark.parametrize(
    "path", ["/", "/a?page=2&sort_key=name&keyword=tokyo", "/?q=", "/?passage=1&s=tea&state=CA", "/token/x"]
)
def test_no_secret_in_the_query(path: str) -> None:
    assert not has_secret(path)
    assert shown(path) == path


def test_a_long_path_is_shown_cut() -> None:
    assert shown("/" + "a" * 999) == "/" + "a" * 156 + "..."


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/", "/"),
        ("/api/deals", "/api/deals"),
        ("/api/deals/17/reviews", "/api/deals/{id}/reviews"),
        ("/u/550e8400-e29b-41d4-a716-446655440000/", "/u/{id}/"),
        ("/o/507f1f77bcf86cd799439011", "/o/{id}"),
        ("/x/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/x/{id}"),
        ("/day/2026-11-22", "/day/{id}"),
        ("/who/a%40b.example", "/who/{id}"),
        ("/v2/feedback", "/v2/feedback"),
        ("/deals?page=3&limit=5", "/deals?limit&page"),
        ("/facade/decade", "/facade/decade"),
    ],
)
def test_endpoints(path: str, endpoint: str) -> None:
    assert endpoint_of(path) == endpoint
