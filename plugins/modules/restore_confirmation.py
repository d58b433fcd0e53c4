#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_confirmation
short_description: Let a restore begin only when a person has confirmed what it loses
description:
  - Reads whether a person has confirmed a restore, and which backup they have confirmed. The id of a backup is a better
    word than V(true), since nobody can confirm by it something else than they have seen.
  - With O(preview), and without a confirmation, it fails. The message names what every table would lose and the command
    to run; the same is in RV(restore), so that journal and report have it. In check mode it only says so in RV(plan).
  - Runs on the controller.
version_added: 0.1.0
author: The Sluice Authors (@sluice-release)
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  backup_id:
    description: The backup that is asked for, or V(latest).
    type: str
    required: true
  confirmed:
    description:
      - V(true), V(false), or the id of the backup that is confirmed.
      - An id other than O(backup_id) is refused, unless that is V(latest); then the confirmed one is restored.
    type: raw
    required: true
  application:
    description: Name of the application, for the message.
    type: str
    required: true
  preview:
    description: Result of M(sluice.release.pg_restore) in check mode.
    type: dict
  expected_seconds:
    description: How long the restore is expected to take, where that is known.
    type: float
"""

EXAMPLES = r"""
- name: Say what would be lost
  sluice.release.pg_restore:
    database_url: "{{ sluice_database_url }}"
    path: /var/lib/sluice/dealradarus/backups
    backup_id: latest
  check_mode: true
  register: preview

- name: Go on only when a person has seen it
  sluice.release.restore_confirmation:
    backup_id: latest
    confirmed: "{{ confirm_restore | default(false) }}"
    application: dealradarus
    preview: "{{ preview }}"
"""

RETURN = r"""
backup_id:
  description: The backup to restore; V(latest) where nobody has named one.
  returned: success
  type: str
  sample: 20261122T013000Z
confirmed:
  description: Whether a person has confirmed it.
  returned: success
  type: bool
plan:
  description: What the restore would do, in one sentence; null without O(preview).
  returned: success
  type: str
restore:
  description: RV(ignore:restored), RV(ignore:replaced) and RV(ignore:losses) of O(preview), and C(confirmed).
  returned: when it was refused
  type: dict
"""
