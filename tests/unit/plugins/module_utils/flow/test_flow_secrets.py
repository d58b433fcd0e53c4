# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a finding must not show."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.flow._secrets import SHOWN, Secrets


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("t0ken", "you are t0ken"),
        ("a/b c", "at /x?q=a%2Fb%20c"),
        ('qu"ote', 'in {"a": "qu\\"ote"}'),
        ({"deep": ["t0ken"]}, "you are t0ken"),
        (48151623, "number 48151623"),
    ],
)
def test_what_is_known_is_not_shown(secret: object, text: str) -> None:
    cleaned = Secrets([secret]).clean(text)
    assert "********" in cleaned
    for word in ("t0ken", "a%2Fb", "ote", "48151623"):
        assert word not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        '{"access_token": "s3cr3t", "user": "me"}',
        '{"user": "me", "password":"s3cr3t"}',
        "{'apiKey': 's3cr3t'}",
        "password=s3cr3t&user=me",
        "Authorization: Bearer s3cr3t me",
        "me eyJhbGciOiJ9.s3cr3t.c2ln",
        "Set-Cookie: session=s3cr3t; me",
    ],
)
def test_what_looks_like_a_secret_is_not_shown(text: str) -> None:
    cleaned = Secrets().clean(text)
    assert "s3cr3t" not in cleaned
    assert "********" in cleaned


@pytest.mark.parametrize("text", ['{"error": "no session"}', "expected token", '{"user": "me"}', "401"])
def test_what_is_none_is_shown(text: str) -> None:
    assert Secrets([None, True, ""]).clean(text) == text


def test_a_long_text_is_cut_after_it_was_cleaned() -> None:
    cleaned = Secrets(["x" * 30]).clean("a\n b " * 20 + "x" * 30 + "c" * 500)
    assert len(cleaned) == SHOWN
    assert "xx" not in cleaned
    assert "\n" not in cleaned
