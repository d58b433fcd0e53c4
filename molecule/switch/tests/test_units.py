# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What side_effect.yml has left on app1: units that were moved behind nginx, and others that share a socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from testinfra.host import Host

ROOT = "/srv/molecule/units"

testinfra_hosts = ["ansible://app1"]

Evidence = Callable[[str], Any]


def shown(host: Host, unit: str, name: str) -> str:
    text: str = host.check_output("systemctl show --property=%s --value %s", name, unit)
    return text


def test_a_first_release_and_a_second_run_that_changes_nothing(evidence: Evidence) -> None:
    first, again = evidence("first"), evidence("again")
    assert (first["changed"], first["previous"], first["current"]) == (True, None, "1.0.0-good")
    assert (again["changed"], again["retired"]) == (False, [])
    assert again["instances"][0]["pid"] == first["instances"][0]["pid"]


def test_an_upgrade_ends_the_old_one_gracefully(evidence: Evidence) -> None:
    first, upgrade = evidence("first"), evidence("upgrade")
    assert (upgrade["previous"], upgrade["current"]) == ("1.0.0-good", "1.1.0-good")
    assert [(one["id"], one["killed"], one["connections"]) for one in upgrade["retired"]] == [
        (first["instances"][0]["id"], False, 0)
    ]


def test_one_that_is_never_ready_leaves_the_old_one(evidence: Evidence) -> None:
    failed, next_one = evidence("never_ready"), evidence("hang")
    assert "not ready, HTTP 503" in failed["msg"]
    assert "1.1.0-good goes on serving as before" in failed["msg"]
    assert (failed["changed"], failed["current"], failed["retired"]) == (False, "1.1.0-good", [])
    assert "1.2.0 listens on" in "".join(failed["logs"][0]["lines"])
    assert next_one["retired"][0]["pid"] == evidence("upgrade")["instances"][0]["pid"]


def test_one_that_hangs_is_killed_and_that_is_said(evidence: Evidence) -> None:
    killed = evidence("killed")
    assert [(one["release"], one["killed"]) for one in killed["retired"]] == [("1.2.0-hang", True)]
    assert "had not ended" in killed["warnings"][0]


def test_what_serves_is_what_starts_at_boot_and_nothing_else_is_left(host: Host, evidence: Evidence) -> None:
    [serving] = evidence("killed")["instances"]
    units = json.loads(host.check_output("systemctl list-units --all --output=json 'units@*.service'"))
    assert [(unit["unit"], unit["sub"]) for unit in units] == [(serving["id"], "running")]
    files = host.check_output("ls /etc/systemd/system/multi-user.target.wants").split()
    assert [name for name in files if name.startswith("units@")] == [serving["id"]]
    assert json.loads(host.check_output("curl --fail --silent http://127.0.0.1:8080/version"))["version"] == "1.0.0"


def test_the_environment_arrives_as_it_is_and_stays_hidden(host: Host, evidence: Evidence) -> None:
    [serving] = evidence("killed")["instances"]
    wanted = json.loads(host.file(f"{ROOT}/config/1/env.json").content_string)
    assert (
        json.loads(host.check_output("curl --fail --silent http://127.0.0.1:8080/config"))["greeting"]
        == (wanted["GREETING"])
    )
    secret = host.file(f"/var/lib/sluice/molecule/process/units/{serving['id']}.env")
    assert (secret.mode, secret.user) == (0o600, "root")
    assert "molecule-unit-secret" in secret.content_string
    assert "molecule-unit-secret" not in host.file(f"/etc/systemd/system/{serving['id']}").content_string
    assert "molecule-unit-secret" not in host.check_output("ps -eo args")


def test_a_unit_has_its_user_directory_and_limits(host: Host, evidence: Evidence) -> None:
    [serving] = evidence("killed")["instances"]
    pid = shown(host, serving["id"], "MainPID")
    assert host.check_output("stat --format=%%U /proc/%s", pid) == "app"
    assert shown(host, serving["id"], "WorkingDirectory") == f"{ROOT}/releases/1.0.0-good"
    assert shown(host, serving["id"], "MemoryMax") == str(300 << 20)
    assert shown(host, serving["id"], "NoNewPrivileges") == "yes"


def test_units_that_share_a_socket(host: Host, evidence: Evidence) -> None:
    first, upgrade, again = (evidence(f"socket_{name}") for name in ("first", "upgrade", "again"))
    assert (first["changed"], upgrade["changed"], again["changed"]) == (True, True, False)
    assert [(one["pid"], one["killed"]) for one in upgrade["retired"]] == [(first["instances"][0]["pid"], False)]
    answer = json.loads(host.check_output("curl --fail --silent http://127.0.0.1:3300/version"))
    assert answer == {"version": "1.1.0", "pid": again["instances"][0]["pid"]}
    assert host.check_output("readlink %s/current", ROOT).endswith("/1.1.0-inherits")
    assert shown(host, "inherits.socket", "ActiveState") == "active"
    # It is led to the unit that serves, and the old one is gone.
    assert shown(host, "inherits.socket", "Triggers") == again["instances"][0]["id"]
    assert host.check_output("systemctl list-units --all --no-legend 'inherits@*'").count("inherits@") == 1
