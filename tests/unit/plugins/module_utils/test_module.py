# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._module import run


def _call(capsys: pytest.CaptureFixture[str], function: Any, **more: Any) -> dict[str, Any]:
    with patch_module_args({"name": "x", **more}), pytest.raises(SystemExit):
        run(AnsibleModule(argument_spec={"name": {"type": "str"}}), function)
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def test_a_result_leaves_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    result = _call(capsys, lambda params: {"changed": True, "name": params["name"]})
    assert (result["changed"], result["name"]) == (True, "x")


def _fail(_params: dict[str, Any]) -> dict[str, Any]:
    raise SluiceError("do it", "no", seen=[1]) from OSError("low level")


def test_an_error_is_a_failure_with_its_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    result = _call(capsys, _fail)
    assert (result["failed"], result["msg"], result["seen"]) == (True, "Cannot do it: no.", [1])
    assert "low level" not in json.dumps(result)
