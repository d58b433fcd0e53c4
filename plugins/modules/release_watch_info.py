#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_watch_info
short_description: Tell where the watch of a release stands
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Reads the journal and returns the watch of the release that runs, or of a release by name.
  - Also returns when its ticks are still due, for whatever starts them.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  path:
    description: State directory of the application on this host.
    type: path
    required: true
  release:
    description: The release. By default the one that runs.
    type: str
"""

EXAMPLES = r"""
- name: Ask when the release is looked at next
  sluice.release.release_watch_info:
    path: /var/lib/sluice/shop
  register: watch
"""

RETURN = r"""
watch:
  description: The watch; null when there is none.
  returned: success
  type: dict
  contains:
    release: {description: The release that is watched., type: str, returned: always}
    start: {description: The switch that its times count from., type: str, returned: always}
    verdict: {description: The worst verdict so far; null before the first tick., type: str, returned: always}
    outcome:
      description: V(passed), V(failed), V(superseded) or V(rolled_back); null while it goes on.
      type: str
      returned: always
    reason: {description: Why it ended so., type: str, returned: always}
    windows:
      description: Each window with its ticks done, late, missed and held back, of how many, its state and its verdict.
      type: list
      elements: dict
      returned: always
    crashes: {description: Crashes and restarts since the switch., type: int, returned: always}
    ticks: {description: Every tick that was recorded., type: list, elements: dict, returned: always}
    decisions: {description: What was done about red verdicts., type: list, elements: dict, returned: always}
calendar:
  description: When (UTC) ticks are still due, as OnCalendar= of systemd takes it. Empty when the watch is over.
  returned: success
  type: list
  elements: str
  sample: ["2026-11-22 01:34:00 UTC", "2026-11-22 01:35:00 UTC"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import STATE_PATH
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.watch._keep import tell


def main() -> None:
    module = AnsibleModule(argument_spec={**STATE_PATH, "release": {"type": "str"}}, supports_check_mode=True)
    run(module, lambda params: tell(params["path"], params["release"]))


if __name__ == "__main__":
    main()
