# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only the version that the release asked for passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Evidence = Callable[[str], Any]


def test_the_right_version_passes(evidence: Evidence) -> None:
    assert evidence("right")["verdict"] == "green"


def test_another_version_is_refused(evidence: Evidence) -> None:
    refused = evidence("wrong")
    assert refused["failed"]
    assert refused["verdict"] == "red"
    assert "version" in refused["msg"]
