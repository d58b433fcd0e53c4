# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interpreter that the modules run with has what they import."""

from __future__ import annotations

import pytest
from testinfra.host import Host


@pytest.mark.parametrize("library", ["hiredis", "jmespath", "prometheus_client", "psycopg2", "pycurl", "redis"])
def test_the_interpreter_has_the_library(host: Host, library: str) -> None:
    assert host.run("/opt/sluice/toolbelt/bin/python -c %s", f"import {library}").rc == 0


def test_others_may_use_it_and_not_change_it(host: Host) -> None:
    assert host.file("/opt/sluice/toolbelt").mode == 0o755


def test_what_pm2_has_saved_starts_at_boot(host: Host) -> None:
    unit = "pm2-molecule-app.service"
    assert host.service(unit).is_enabled
    assert host.check_output("systemd-analyze verify /etc/systemd/system/%s 2>&1", unit) == ""
    host.check_output(
        "export PM2_HOME=/srv/molecule/pm2; mkdir -p $PM2_HOME; echo 'setInterval(() => {}, 1000)' >/tmp/saved.js; "
        "pm2 -s start /tmp/saved.js --name saved && pm2 -s save && pm2 -s kill"
    )
    try:
        host.check_output("systemctl start %s", unit)
        assert "saved" in host.check_output("PM2_HOME=/srv/molecule/pm2 pm2 -s jlist")
        assert host.service(unit).is_running
    finally:
        host.check_output("systemctl stop %s", unit)
