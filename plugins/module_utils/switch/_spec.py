# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Options that the switch modules share; the fragments ``_switch`` and ``_ready`` describe them."""

from __future__ import annotations

from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS

READY: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "version": {"type": "str", "required": True},
    "version_url": {"type": "str"},
    "version_query": {"type": "str", "default": "version"},
    "instance_query": {"type": "str", "default": "pid"},
    "successes": {"type": "int", "default": 3},
    "timeout": {"type": "float", "default": 30},
    "interval": {"type": "float", "default": 0.2},
    "request_timeout": {"type": "float", "default": 5},
    "validate_certs": {"type": "bool", "default": True},
}

# Of every driver.
SWITCH: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["active", "stopped", "absent"], "default": "active"},
    "release": {"type": "str"},
    "path": {"type": "path"},
    "config": {"type": "path"},
    "ready": {"type": "dict", "options": READY},
    "drain_timeout": {"type": "float", "default": 8},
    "state_dir": {"type": "path"},
    "token": {"type": "str", "no_log": False},
    **PROGRESS,
}

# Of the drivers that start new instances beside the old ones; proxy is described by the fragment _proxy.
BLUE_GREEN: dict[str, Any] = {
    "instances": {"type": "int", "default": 1},
    "ports": {"type": "list", "elements": "int"},
    "hold": {"type": "float", "default": 3},
    "staged": {"type": "bool", "default": False},
    "keep": {"type": "int", "default": 1},
    "link": {"type": "path"},
}

# What state: active needs.
REQUIRED_IF = [("state", "active", ("release", "path", "ready"))]
