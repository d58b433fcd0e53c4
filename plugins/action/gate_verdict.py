# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Joins the evidence of several gates to one verdict; see the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.flow._score import join, refusal
from ansible_collections.sluice.release.plugins.plugin_utils._fleet_action import FleetAction


class ActionModule(FleetAction):
    ARGUMENTS: ClassVar[Mapping[str, Any]] = {
        "evidence": {"type": "list", "elements": "dict", "required": True},
        "fail_on_red": {"type": "bool", "default": True},
        "fail_on_pending": {"type": "bool", "default": False},
    }

    def act(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        result = join(args["evidence"])
        why = refusal(result["gates"], "check", on_red=args["fail_on_red"], on_pending=args["fail_on_pending"])
        if why:
            raise SluiceError("pass the gate", why, **result)
        return result
