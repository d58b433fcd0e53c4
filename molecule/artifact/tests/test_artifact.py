# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One release directory that is complete, one config version that only its owner can read."""

from __future__ import annotations

import json

from testinfra.host import Host

RELEASES = "/srv/molecule/releases"
CONFIG = "/srv/molecule/config"


def test_the_release_directory_is_built_and_marked(host: Host) -> None:
    (name,) = host.file(RELEASES).listdir()
    assert name.startswith("1.0.0-")
    assert host.file(f"{RELEASES}/{name}/dist/main.js").is_file
    assert json.loads(host.file(f"{RELEASES}/{name}/package.json").content_string)["version"] == "1.0.0"
    assert host.file(f"{RELEASES}/{name}/.sluice-artifact.json").is_file


def test_the_config_version_holds_the_environment_for_nobody_else(host: Host) -> None:
    rendered = host.file(f"{CONFIG}/1/env.json")
    assert (rendered.mode, host.file(f"{CONFIG}/1").mode) == (0o600, 0o700)
    assert json.loads(rendered.content_string) == {
        "NODE_ENV": "production",
        "PORT": "3000",
        "DATABASE_URL": "postgresql://app:molecule-db-secret@127.0.0.1:5432/app",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
    }


def test_nothing_is_live_yet(host: Host) -> None:
    assert not host.file("/srv/molecule/current").exists
    assert not host.file(f"{CONFIG}/current").exists
