# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release leaves behind when it is over."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from testinfra.host import Host

ROOT = "/srv/molecule"
STATE = "/var/lib/sluice/molecule"
Journal = list[list[dict[str, Any]]]


def test_the_application_runs_what_was_asked_for(answer: Callable[[str], Any]) -> None:
    assert answer("/version")["version"] == "1.0.0"


def test_the_release_is_closed_as_succeeded_and_the_second_as_unchanged(journal: Journal) -> None:
    outcomes = [segment[-1]["outcome"] for segment in journal]
    assert outcomes == ["succeeded", "unchanged"]


def test_the_lock_is_given_back(host: Host) -> None:
    assert not host.file(f"{STATE}/lock.json").exists


def test_the_application_comes_back_after_a_reboot(host: Host) -> None:
    saved = json.loads(host.file(f"{ROOT}/pm2/dump.pm2").content_string)
    release = host.check_output("readlink --canonicalize %s/current", ROOT)
    assert [process["pm_cwd"] for process in saved] == [release, release]


def test_no_secret_is_left_outside_the_config_version(host: Host) -> None:
    found = host.run("grep --recursive --files-with-matches molecule-db-secret %s %s/current/ /tmp", STATE, ROOT)
    assert found.stdout == ""
