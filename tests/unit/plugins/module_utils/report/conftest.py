# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report

FIXTURES = Path(__file__).parents[4] / "fixtures" / "release_report"


@pytest.fixture(scope="session")
def journal() -> Callable[[str], dict[str, Any]]:
    """Return what build_report takes, by the name of a recorded release; a fresh copy at each call."""

    def load(name: str) -> dict[str, Any]:
        return dict(json.loads((FIXTURES / f"{name}.json").read_text()))

    return load


@pytest.fixture(scope="session")
def report(journal: Callable[[str], dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    """Return the report of a recorded release."""
    return lambda name: build_report(**journal(name))
