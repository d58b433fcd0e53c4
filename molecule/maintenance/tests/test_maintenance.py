# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The profile's own tasks turn maintenance mode on."""

from __future__ import annotations

from testinfra.host import Host


def test_the_task_of_the_profile_ran_with_its_variables(host: Host) -> None:
    assert host.file("/srv/molecule/maintenance.on").content_string == "molecule-app"
