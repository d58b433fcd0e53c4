# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stage runs the profile's tasks, and the proxy turns requests away."""

from __future__ import annotations

import json

from testinfra.host import Host

PROXY = "http://127.0.0.1:8090"


def test_the_task_of_the_profile_ran_with_its_variables(host: Host) -> None:
    assert host.file("/srv/molecule/maintenance.on").content_string == "molecule-app"


def test_requests_are_turned_away(host: Host) -> None:
    head, _blank, body = host.check_output("curl -si -H 'Accept: text/html' %s/", PROXY).partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 503 ")
    assert "\r\nRetry-After: 60" in head
    assert "\r\nCache-Control: no-store" in head
    assert "A new database." in body
    assert json.loads(host.check_output("curl -s %s/api/deals", PROXY))["error"] == "maintenance"


def test_probes_pass_and_everybody_may_ask(host: Host) -> None:
    assert host.check_output("curl -sf %s/health", PROXY) == "served"
    assert json.loads(host.check_output("curl -sf %s/maintenance.json", PROXY))["mode"] == "block"


def test_a_journal_that_has_no_release_has_no_mode(host: Host) -> None:
    assert not host.file("/var/lib/sluice/molecule/journal").exists
