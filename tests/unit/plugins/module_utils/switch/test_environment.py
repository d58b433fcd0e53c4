# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of an application, and what of it no line may show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.switch import _environment


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "No such file"), ("{", "it is not JSON"), ("[]", "flat object"), ('{"A": 1}', "flat object")],
)
def test_a_configuration_that_cannot_be_used(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "env.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SluiceError) as raised:
        _environment.read_environment(str(path))
    assert message in str(raised.value)


def test_an_unreadable_configuration_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "env.json"
    path.write_text('{"SECRET": "hunter2"')
    with pytest.raises(SluiceError) as raised:
        _environment.read_environment(str(path))
    assert "hunter2" not in str(raised.value)


def test_every_value_of_some_length_counts_as_a_secret(tmp_path: Path) -> None:
    environment = {"PORT": "3000", "LEVEL": "info", "REGION": "eu-central", "JWT_SECRET": "abc", "API_KEY": "k"}
    path = tmp_path / "env.json"
    path.write_text(json.dumps(environment))
    assert _environment.secrets(_environment.read_environment(str(path))) == ["eu-central", "abc"]


def test_a_log_may_hold_each_line_of_a_key() -> None:
    assert _environment.secrets({"CERT": "-----BEGIN-----\n  MIIC\nab=\n"}) == [
        "-----BEGIN-----\n  MIIC\nab=\n",
        "-----BEGIN-----",
    ]
    assert "MIIC" in _environment.secrets({"TLS_KEY": "-----BEGIN-----\n  MIIC\nab=\n"})


def test_search_path() -> None:
    assert _environment.search_path(["/b", "/c"], "/a:/b") == "/b:/c:/a"
