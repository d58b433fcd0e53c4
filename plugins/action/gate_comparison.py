# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares the new version with the old one on the controller; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils.flow._score import red_words
from ansible_collections.sluice.release.plugins.module_utils.gate._comparison import SPEC, Comparison
from ansible_collections.sluice.release.plugins.plugin_utils._comparison import compare
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "evidence": {"type": "dict", "required": True},
        "comparisons": {"type": "list", "elements": "dict", "required": True, "options": SPEC},
        "fail_on_red": {"type": "bool", "default": True},
    }

    def act(self, args: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        require("compare the versions", {"scipy"})
        result = compare(args["evidence"], [Comparison(**one) for one in args["comparisons"]])
        if result["verdict"] == "red" and args["fail_on_red"]:
            raise SluiceError("pass the gate", red_words(result["gates"], "comparison"), **result)
        return result
