# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate, run as a task would."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from gating import Gate

from ansible_collections.sluice.release.plugins.modules import health_gate


@pytest.fixture
def gate(run_module: Any) -> Gate:
    """Runs a gate whose result must say why it is red, soon after its end, and hold no secret."""

    def run(*checks: dict[str, Any], **options: Any) -> dict[str, Any]:
        started = time.monotonic()
        result: dict[str, Any] = run_module(
            health_gate.main, checks=list(checks), **{"interval": 0.1, "fail_on_red": False, **options}
        )
        slowest = max(check.get("timeout", 5) for check in checks)
        assert time.monotonic() - started < options.get("duration", 0) + slowest + 5
        assert "failed" not in result, result["msg"]
        shown = json.dumps({key: value for key, value in result.items() if key != "invocation"})
        assert "geheim" not in shown
        return result

    return run
