# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first host migrates the database, once; the others leave it alone."""

from __future__ import annotations

from testinfra.host import Host


def test_every_migration_is_applied_by_the_first_host(host: Host) -> None:
    applied = host.check_output('su postgres -c "psql app -Atc \\"SELECT to_regclass(\'items\') IS NOT NULL\\""')
    if host.check_output("hostname") != "app1":
        assert applied == "f"
        return
    assert applied == "t"
    names = host.check_output("su postgres -c \"psql app -Atc 'SELECT name FROM migrations ORDER BY name'\"")
    assert names.split() == ["001_items", "002_price"]
