#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pm2_info
short_description: Tell which processes of an application PM2 runs
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Lists the PM2 processes of one name, with how often PM2 has restarted each. It never starts the PM2 daemon.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  name:
    description: Name of the PM2 process.
    type: str
    required: true
  pm2:
    description: The C(pm2) program.
    type: str
    default: pm2
  pm2_home:
    description: Home of the PM2 daemon.
    type: path
    default: ~/.pm2
  path_prepend:
    description: Directories to look in for C(pm2) and C(node) first.
    type: list
    elements: path
    default: []
seealso:
  - module: sluice.release.pm2_switch
"""

EXAMPLES = r"""
- name: Count restarts
  sluice.release.pm2_info:
    name: dealradarus
  register: pm2
"""

RETURN = r"""
processes:
  description: The processes, by id. Empty when the daemon does not run.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Its id in PM2., type: int, returned: always, sample: 4}
    pid: {description: Its process id; 0 when it does not run., type: int, returned: always, sample: 21873}
    release: {description: Artifact that it runs., type: str, returned: always, sample: 1.1.0-3f2a9c51b7de}
    status: {description: Status in PM2., type: str, returned: always, sample: online}
    restarts: {description: How often PM2 has restarted it., type: int, returned: always, sample: 0}
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.switch import _options, _pm2


def look(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Ask PM2."""
    _pm2.check_name(params["name"])
    pm2 = _pm2.Pm2(
        SubprocessRunner(base_env={}),
        home=os.path.abspath(params["pm2_home"]),
        user_home=_options.user_home(),
        path=_options.search_path(params["path_prepend"], os.environ.get("PATH", os.defpath)),
        executable=params["pm2"],
    )
    keys = ("id", "pid", "release", "status", "restarts")
    listed = pm2.processes(params["name"])
    return {"changed": False, "processes": [{key: getattr(process, key) for key in keys} for process in listed]}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "pm2": {"type": "str", "default": "pm2"},
            "pm2_home": {"type": "path", "default": "~/.pm2"},
            "path_prepend": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    run(module, look)


if __name__ == "__main__":
    main()
