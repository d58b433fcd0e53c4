# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.postgres._backup import Means
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import connect
from ansible_collections.sluice.release.plugins.module_utils.postgres._encryption import TOOLS as TOOLS_OF_ENCRYPTION
from ansible_collections.sluice.release.plugins.module_utils.postgres._encryption import Key
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl, parse_url

# Goes with the documentation fragment sluice.release._postgres
TOOLS: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "bin_path": {"type": "path"},
    "timeout": {"type": "float", "default": 3600.0},
}

# Goes with the documentation fragment sluice.release._postgres.admin
ADMIN: dict[str, Any] = {
    "admin_url": {"type": "str", "no_log": True},
    "maintenance_database": {"type": "str"},
    "jobs": {"type": "int", "default": 2},
}

# Options of pg_backup
ENCRYPTION: dict[str, Any] = {
    "encryption": {"type": "str", "choices": ["none", *TOOLS_OF_ENCRYPTION], "default": "none"},
    "recipients": {"type": "list", "elements": "str", "default": []},
    "gnupg_home": {"type": "path"},
}

# Goes with the documentation fragment sluice.release._postgres.identity
IDENTITY: dict[str, Any] = {
    "identity": {"type": "path"},
    "identity_passphrase": {"type": "str", "no_log": True},
}

# What pg_verify and pg_restore have in common
RESTORING: dict[str, Any] = {**TOOLS, **ADMIN, **IDENTITY, **PROGRESS}


def means(module: AnsibleModule) -> Means:
    """What a module works with: the real things, which know every secret that its options hold."""
    params = module.params
    secrets: list[str] = []
    for option in ("database_url", "admin_url"):
        if params.get(option):
            secrets += parse_url(params[option], option).secrets
    if params.get("identity_passphrase"):
        secrets.append(params["identity_passphrase"])
    return Means(
        connect=connect,
        runner=SubprocessRunner(secrets),
        unredacted=SubprocessRunner(),
        progress=Progress(params["progress"]),
        warn=module.warn,
        check_mode=module.check_mode,
    )


def database_url(params: Mapping[str, Any]) -> DatabaseUrl:
    """The database that the module is about."""
    return parse_url(params["database_url"])


def key(params: Mapping[str, Any]) -> Key:
    """What decrypts the backup, if it is encrypted."""
    return Key(params["identity"], params["identity_passphrase"])


def admin_url(params: Mapping[str, Any]) -> Optional[DatabaseUrl]:
    """Where databases are created and renamed from: never the one that is renamed. None without any URL."""
    named = [option for option in ("admin_url", "database_url") if params.get(option)]
    if not named:
        return None
    url = parse_url(params[named[0]], named[0])
    mine = parse_url(params["database_url"]).database if params.get("database_url") else ""
    chosen = params["maintenance_database"]
    if chosen and chosen == mine:
        raise SluiceError(
            "use maintenance_database", f"{chosen} is the application's own database", "Name another, such as postgres"
        )
    return url.with_database(chosen or ("template1" if mine == "postgres" else "postgres"))
