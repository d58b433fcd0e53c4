# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks as a profile would write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Measure
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import GATE_SPEC, read


def _checks(*raws: dict[str, Any], **gate: Any) -> list[Check]:
    result = ArgumentSpecValidator(GATE_SPEC).validate(
        {"duration": 300, "checks": [{"name": f"it{number or ''}", **raw} for number, raw in enumerate(raws)], **gate}
    )
    assert not result.error_messages
    return read(result.validated_parameters)[0]


@pytest.fixture
def checks() -> Callable[..., list[Check]]:
    """Makes checks that make sense, of a gate that lasts 300 s unless told otherwise."""
    return _checks


@pytest.fixture
def measure() -> Callable[..., Measure]:
    """Makes what turns answers into samples, of one check."""

    def make(raw: dict[str, Any], **gate: Any) -> Measure:
        (check,) = _checks(raw, **gate)
        return check.begin(check, 1000.0)

    return make


@pytest.fixture
def refused() -> Callable[..., str]:
    """Says why checks are refused."""

    def why(*raws: dict[str, Any], **gate: Any) -> str:
        with pytest.raises(SluiceError) as error:
            _checks(*raws, **gate)
        return str(error.value)

    return why
