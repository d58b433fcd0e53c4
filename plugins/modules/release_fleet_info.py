#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_fleet_info
short_description: Say which host runs what
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Puts together what the journals of all hosts of the play say, which M(sluice.release.release_journal_info) leaves as
    the fact C(sluice_journal), and names the hosts that differ or have to be looked at.
  - It runs on the controller and asks no host.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
seealso:
  - module: sluice.release.release_journal_info
"""

EXAMPLES = r"""
- name: Read the journal of every host
  sluice.release.release_journal_info:
    path: /var/lib/sluice/dealradarus
  failed_when: false

- name: Say who runs what
  sluice.release.release_fleet_info:
  run_once: true
  register: fleet
"""

RETURN = r"""
hosts:
  description: A row for every host, by name.
  returned: success
  type: list
  elements: dict
  contains:
    host: {description: Its name in the inventory., type: str, returned: always}
    known: {description: Whether its journal could be read., type: bool, returned: always}
    version: {description: The version that it runs; none where the journal does not know., type: str, returned: always}
    artifact: {description: The artifact that it runs., type: str, returned: always}
    config: {description: Its config version., type: int, returned: always}
    release: {description: The release that led there., type: str, returned: always}
    last: {description: "The newest run that has ended, its kind and outcome.", type: dict, returned: always}
    open: {description: "The run that is open, its kind and stage.", type: dict, returned: always}
differences:
  description: Hosts that run something else than most, that have an open run, or that could not be asked.
  returned: success
  type: list
  elements: str
  sample: ["app2: 1.0.0-8c1d77aa02f4, where others run 1.1.0-3f2a9c51b7de"]
lines:
  description: The same as a table for a terminal, and the differences below it.
  returned: success
  type: list
  elements: str
"""
