# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The options that both modules of Redis share, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_link import Access
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_read import Selection

# hiredis packs commands since then, and redis-py hands out a connection without being told what for.
LIBRARIES = {"hiredis": "3.2", "redis": "5.3"}

ACCESS: dict[str, Any] = {
    "url": {"type": "str", "required": True, "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    # The path of a file is no secret.
    "client_key": {"type": "path", "no_log": False},
    "validate_certs": {"type": "bool", "default": True},
    "cluster": {"type": "bool"},
    "timeout": {"type": "float", "default": 10.0},
}

SELECTION: dict[str, Any] = {
    "patterns": {"type": "list", "elements": "str", "default": ["*"]},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "max_keys": {"type": "int", "no_log": False},
    "max_bytes": {"type": "int"},
    "max_value_bytes": {"type": "int", "default": 8 * 2**20},
}

PRELOAD: dict[str, Any] = {
    "snapshot": {"type": "path"},
    "from_url": {"type": "str", "no_log": True},
    "from_username": {"type": "str"},
    "from_password": {"type": "str", "no_log": True},
    "commands": {"type": "path"},
    # The path of a file is no secret.
    "keys": {"type": "path", "no_log": False},
    "existing": {"type": "str", "choices": ["keep", "replace"], "default": "keep"},
    "batch": {"type": "int", "default": 5000},
    "rate": {"type": "float"},
    "budget": {"type": "float", "default": 300.0},
    "max_memory_pct": {"type": "float", "default": 90.0},
    "errors_max": {"type": "int", "default": 100},
    "policy": {"type": "str", "choices": ["required", "best_effort"], "default": "required"},
}


def access_of(params: Mapping[str, Any], prefix: str = "") -> Access:
    """Where the server is. Certificates are the same for every server; user and password are each one's own."""
    own = {name: params[prefix + name] for name in ("url", "username", "password")}
    shared = {name: params[name] for name in ("ca_path", "client_cert", "client_key", "validate_certs", "timeout")}
    return Access(**own, **shared, cluster=None if prefix else params["cluster"])


def selection_of(params: Mapping[str, Any], keys: list[str] | None = None) -> Selection:
    names = ("patterns", "exclude", "max_keys", "max_bytes", "max_value_bytes")
    return Selection(keys=keys or [], **{name: params[name] for name in names})


def see_that_positive(doing: str, params: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """SluiceError when one of the options that are given is not above 0."""
    wrong = [f"{name} is {params[name]}" for name in names if params[name] is not None and params[name] <= 0]
    if wrong:
        raise SluiceError(doing, f"{', '.join(wrong)}, it must be above 0", "Correct it, or leave it out")
