# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config versions: rendering, numbering, and what a diff shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.config import _versions


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (None, ""), (100, "100"), ("01", "01"), (1.5, "1.5")],
)
def test_yaml_values_become_what_an_application_expects(value: object, text: str) -> None:
    assert json.loads(_versions.render({"NAME": value}, {})) == {"NAME": text}


@pytest.mark.parametrize(
    ("variables", "secrets", "said"),
    [
        ({"A": 1}, {"A": 2}, "A stands in sluice_env and in sluice_secrets"),
        ({"A-B": 1}, {}, "'A-B' is no name of an environment variable"),
        ({"A\n": 1}, {}, "is no name of an environment variable"),
        ({"A": [1]}, {}, "A is a list"),
    ],
)
def test_what_is_no_environment_is_refused(variables: dict[str, object], secrets: dict[str, object], said: str) -> None:
    with pytest.raises(SluiceError, match=said):
        _versions.render(variables, secrets)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({}, (1, True)),
        ({1: "a"}, (2, True)),
        ({1: "wanted", 2: "b"}, (1, False)),
        ({1: "wanted", 4: "wanted", 7: "b"}, (4, False)),
        ({2: "a", 9: "b"}, (10, True)),
    ],
)
def test_the_same_content_is_the_same_version(versions: dict[int, str], expected: tuple[int, bool]) -> None:
    assert _versions.choose(versions, "wanted") == expected


def test_a_version_is_for_its_owner_alone(tmp_path: Path) -> None:
    _versions.write_version(str(tmp_path), 3, "{}\n")
    assert (tmp_path / "3").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "3" / "env.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "4").mkdir()  # the rest of a killed run
    assert _versions.read_versions(str(tmp_path)) == {3: "{}\n"}


def test_a_diff_says_that_a_secret_differs_and_not_what_it_is() -> None:
    before = _versions.render({"A": 1}, {"TOKEN": "old-value", "KEY": "same"})
    after = _versions.render({"A": 2}, {"TOKEN": "new-value", "KEY": "same"})
    assert _versions.describe(before, {"A"}, after) == {"A": "1", "KEY": "********", "TOKEN": "******** (differs)"}
    assert _versions.describe(None, {"A"}, after) == {}
