# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another host than the first has migrated nothing: here, each has a database of its own."""

from __future__ import annotations

from testinfra.host import Host

testinfra_hosts = ["ansible://app2"]


def test_the_other_host_leaves_the_migrations_alone(host: Host) -> None:
    assert host.check_output('su postgres -c "psql app -Atc \\"SELECT to_regclass(\'items\') IS NULL\\""') == "t"
