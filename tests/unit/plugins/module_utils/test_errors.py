# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError


@pytest.mark.parametrize(
    ("cause", "remedy", "expected"),
    [
        ("it is on fire", "", "Cannot do it: it is on fire."),
        ("it is on fire.", "Run", "Cannot do it: it is on fire. Run."),
        (" it is on fire.. ", "Run. ", "Cannot do it: it is on fire. Run."),
        ("unknown key a. Did you mean b?", "", "Cannot do it: unknown key a. Did you mean b?"),
    ],
)
def test_every_sentence_ends_once(cause: str, remedy: str, expected: str) -> None:
    assert str(SluiceError("do it", cause, remedy)) == expected


def test_the_fields_are_evidence() -> None:
    assert SluiceError("do it", "no", seconds=2).fields == {"seconds": 2}
