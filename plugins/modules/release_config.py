#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_config
short_description: Render an application's environment as an immutable config version
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Writes variables and secrets as one flat JSON object of strings to C(<root>/config/<n>/env.json), mode 0600.
  - A version is never changed. The same content is the same version, so a second run makes none, and going back to an
    earlier content finds the earlier version.
  - Nothing that serves is touched. The version becomes live when a switch module starts instances with it.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  root:
    description: The application's directory; config versions lie in C(config/) below it.
    type: path
    required: true
  variables:
    description: Environment variables whose values may be shown in diffs.
    type: dict
    default: {}
  secrets:
    description: Environment variables whose values are shown nowhere.
    type: dict
    default: {}
  compare:
    description: Number of the live config version, which the diff compares with.
    type: int
  base:
    description:
      - Number of a config version whose content comes first; O(variables) are laid on it.
      - Not with O(secrets), which are in it.
    type: int
  shown:
    description: With O(base), the names of the variables whose values may be shown.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Render the environment
  sluice.release.release_config:
    root: /srv/dealradarus
    variables:
      NODE_ENV: production
      CACHE_ENABLED: true
    secrets:
      DATABASE_URL: "{{ vault_database_url }}"
"""

RETURN = r"""
config:
  description: The config version; in check mode the one that would be written.
  returned: success
  type: dict
  contains:
    version:
      description: Its number.
      type: int
      sample: 7
    path:
      description: The file that holds it.
      type: str
      sample: /srv/dealradarus/config/7/env.json
changes:
  description: The variables that differ from O(compare), each with what it was. Secret values are masked.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, sample: CACHE_ENABLED}
    was: {description: The value before; none where there was no such variable., type: str, sample: "true"}
    is: {description: The value now; none where there is no such variable any more., type: str, sample: "false"}
names:
  description: The names of the variables, secrets included.
  returned: success
  type: list
  elements: str
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.config import _versions


def render(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Make sure that a config version holds what the options say."""
    path = os.path.join(params["root"], "config")
    versions = _versions.read_versions(path)
    content = _versions.render(params["variables"], params["secrets"])
    if params["base"] is not None:
        content = _versions.lay(versions, params["base"], content)
    number, new = _versions.choose(versions, content)
    if new and not check_mode:
        _versions.write_version(path, number, content)
    before = versions.get(params["compare"] or number)
    plain = set(params["variables"] if params["base"] is None else params["shown"])
    return {
        "changed": new,
        "config": {"version": number, "path": os.path.join(path, str(number), _versions.FILE)},
        "names": _versions.names(content),
        "changes": _versions.changes(before, content, plain),
        "diff": {
            "before": _versions.describe(before, plain, content),
            "after": _versions.describe(content, plain, before),
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "variables": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "compare": {"type": "int"},
            "base": {"type": "int"},
            "shown": {"type": "list", "elements": "str", "default": []},
        },
        mutually_exclusive=[("base", "secrets")],
        supports_check_mode=True,
    )
    run(module, lambda params: render(params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
