# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.action.release_plan import known_options
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError


def test_the_options_of_every_entry_point_of_every_role(tmp_path: Path) -> None:
    for role, text in {
        "gate": "argument_specs: {main: {options: {gate_checks: {type: list}}}, other: {options: {gate_x: {}}}}",
        "finish": "argument_specs: {main: {short_description: none}}",
    }.items():
        (tmp_path / role / "meta").mkdir(parents=True)
        (tmp_path / role / "meta/argument_specs.yml").write_text(text)
    assert sorted(known_options(tmp_path)) == ["gate_checks", "gate_x"]


def test_no_roles_at_all_is_an_error_and_not_a_pass(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="no role has argument specs under"):
        list(known_options(tmp_path))
