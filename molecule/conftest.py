# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scenarios look at on a test host, from outside: the application's answers and the files that are left."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

ROOT = "/srv/molecule"
STATE = "/var/lib/sluice/molecule"


@pytest.fixture
def answer(host: Host) -> Callable[[str], Any]:
    """Ask the application for a path; its JSON. Fails unless the status is 2xx."""

    def ask(path: str) -> Any:
        return json.loads(host.check_output("curl --fail --silent --show-error http://127.0.0.1:3000%s", path))

    return ask


@pytest.fixture
def evidence(host: Host) -> Callable[[str], Any]:
    """What a play left in /tmp/evidence/<name>.json: the result of a task that changes nothing on the host."""
    return lambda name: json.loads(host.file(f"/tmp/evidence/{name}.json").content_string)


@pytest.fixture
def journal(host: Host) -> list[list[dict[str, Any]]]:
    """The entries of every release, oldest first, without the seal at the end of each file."""
    names = sorted(name for name in host.file(f"{STATE}/journal").listdir() if name.endswith(".jsonl"))
    segments = [host.file(f"{STATE}/journal/{name}").content_string for name in names]
    entries = [[json.loads(line) for line in segment.splitlines()] for segment in segments]
    return [[entry for entry in segment if "event" in entry] for segment in entries]


@pytest.fixture
def workers(host: Host) -> list[dict[str, Any]]:
    """The processes of the application as PM2 lists them."""
    # The first call starts the daemon, which says so where the list would stand.
    listed = json.loads(host.check_output("export PM2_HOME=%s/pm2; pm2 -s ping >/dev/null && pm2 jlist", ROOT))
    return [process for process in listed if process["name"] == "molecule-app"]
