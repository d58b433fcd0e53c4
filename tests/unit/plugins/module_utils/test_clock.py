# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc, utc_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1795224600.123, "2026-11-21T01:30:00.123Z")],
)
def test_there_and_back(seconds: float, text: str) -> None:
    assert utc_text(seconds) == text
    assert parse_utc(text) == pytest.approx(seconds, abs=1e-3)


def test_now_has_milliseconds() -> None:
    assert len(utc_text()) == len("2026-11-22T01:30:00.123Z")


def test_another_text_is_an_error() -> None:
    with pytest.raises(ValueError):
        parse_utc("yesterday")
