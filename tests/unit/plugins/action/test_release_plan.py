# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.action.release_plan import known_options, one_order, times_of
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


@pytest.mark.parametrize(
    ("windows", "times"),
    [
        (None, []),
        ("{{ windows_of_another_file }}", []),
        (["odd"], []),
        # What a window measures may need a release to be there.
        (
            [{"name": "1 h", "until": 3600, "every": 600, "checks": "{{ verify_checks }}", "duration": 5}],
            [{"name": "1 h", "until": 3600, "every": 600}],
        ),
    ],
)
def test_the_times_of_the_windows(windows: Any, times: list[dict[str, Any]]) -> None:
    assert times_of(windows) == times


@pytest.mark.parametrize(
    ("said", "batches"),
    [
        (None, []),
        ([1, "50%", "100%"], [1, "50%", "100%"]),
        (["2"], [2]),
        ("25%", ["25%"]),
        (3, [3]),
    ],
)
def test_the_batches_of_a_profile(said: Any, batches: list[Any]) -> None:
    assert one_order({"a": said, "b": said}) == batches


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({"a": [1], "b": [2]}, "the hosts have not the same sluice_batches"),
        ({"a": [1], "b": None}, "the hosts have not the same sluice_batches"),
        ({"a": ["half"]}, "sluice_batches has half"),
        ({"a": [0, "50 %"]}, "sluice_batches has 0, 50 %"),
        ({"a": []}, "sluice_batches is empty"),
    ],
)
def test_batches_that_make_no_sense(said: dict[str, Any], cause: str) -> None:
    with pytest.raises(SluiceError, match=cause):
        one_order(said)
