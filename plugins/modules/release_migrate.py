#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_migrate
short_description: Apply or take back an application's database migrations
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Works with any migration tool that can print what is pending. It is asked before and after, and its command runs
    only when something is pending.
  - A command that ends well and leaves something pending is a failure. So is one that does not end within O(budget);
    its whole process group is ended then.
  - The commands run in the environment of the config version and without a shell. What they print comes back with
    secrets blackened.
  - Two of these modules never run at once on a host, not even when one of them was left behind by a controller that is
    gone.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
attributes:
  check_mode:
    support: full
    details: The status command runs in check mode, too; it must not change anything.
options:
  state:
    description:
      - V(applied) applies all pending migrations.
      - V(reverted) takes back O(migrations), or runs O(revert) once without them.
    type: str
    choices: [applied, reverted]
    default: applied
  status:
    description: Command that prints what is pending, as a list of program and arguments.
    type: list
    elements: str
    required: true
  command:
    description: Command that applies everything that is pending. Required for O(state=applied).
    type: list
    elements: str
    default: []
  revert:
    description:
      - Command that takes migrations back. Required for O(state=reverted).
      - It is run as often as it takes until all O(migrations) are pending again.
    type: list
    elements: str
    default: []
  migrations:
    description: Names of the migrations to take back, as RV(applied) of the run that applied them.
    type: list
    elements: str
    default: []
  pending_pattern:
    description:
      - Regular expression that is found in every line of the status output that names a pending migration.
      - The name is group C(name), else the first group, else the whole line.
    type: str
    required: true
  none_pattern:
    description:
      - Regular expression that is found in a line of the status output when nothing is pending.
      - With it, an output that matches neither pattern is a failure and not an empty list.
    type: str
  status_rc:
    description:
      - Exit statuses of the status command that are no failure.
      - Another one than 0 counts only when a pending migration was named.
    type: list
    elements: int
    default: [0]
  chdir:
    description: Directory in which the commands run, usually that of the release.
    type: path
    required: true
  config:
    description: File with the environment variables, a flat JSON object of strings.
    type: path
  path_prepend:
    description: Directories to search for programs before E(PATH).
    type: list
    elements: path
    default: []
  budget:
    description: Seconds that everything together may take.
    type: float
    default: 600.0
  state_dir:
    description: State directory of the application, where the lock of this host lies.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Apply the migrations of the new release
  sluice.release.release_migrate:
    status: [npx, node-pg-migrate, up, --dry-run]
    command: [npx, node-pg-migrate, up]
    pending_pattern: '^### MIGRATION (?P<name>\S+) \(UP\) ###'
    none_pattern: '^No migrations to run'
    chdir: /srv/dealradarus/releases/1.1.0-0123456789ab
    config: /srv/dealradarus/config/7/env.json
    path_prepend: [/opt/node/bin]
    budget: 300
    state_dir: /var/lib/sluice/dealradarus
  register: migrate

- name: Take them back
  sluice.release.release_migrate:
    state: reverted
    status: [npx, node-pg-migrate, up, --dry-run]
    revert: [npx, node-pg-migrate, down]
    migrations: "{{ migrate.applied }}"
    pending_pattern: '^### MIGRATION (?P<name>\S+) \(UP\) ###'
    chdir: /srv/dealradarus/releases/1.1.0-0123456789ab
    config: /srv/dealradarus/config/7/env.json
    state_dir: /var/lib/sluice/dealradarus
"""

RETURN = r"""
pending_before:
  description:
    - What was pending.
    - Null in check mode when O(chdir) is still to be built, since only the release can say what it brings.
  returned: success, and failure after the command was begun
  type: list
  elements: str
  sample: [1732200000000_add-watchlists]
pending_after:
  description:
    - What is pending now; in check mode, what would be.
    - Null when the command failed and the tool could not say afterwards.
  returned: success, and failure after the command was begun
  type: list
  elements: str
applied:
  description: What was pending and is no more.
  returned: success, and failure after the command was begun
  type: list
  elements: str
reverted:
  description: What was not pending and is now.
  returned: success, and failure after the command was begun
  type: list
  elements: str
output:
  description: The last lines that the command printed, secrets blackened.
  returned: success, and failure after the command was begun
  type: list
  elements: str
rc:
  description: Exit status of the command.
  returned: when the command failed
  type: int
seconds:
  description: Seconds that it took.
  returned: success, and failure after the command was begun
  type: float
"""

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.migrate._migrate import MigrateOptions, Migrator
from ansible_collections.sluice.release.plugins.module_utils.migrate._pending import read_environment, secret_values

COMMAND = {"type": "list", "elements": "str"}
OPTIONS = {
    "state": {"type": "str", "choices": ["applied", "reverted"], "default": "applied"},
    "status": {**COMMAND, "required": True},
    "command": {**COMMAND, "default": []},
    "revert": {**COMMAND, "default": []},
    "migrations": {"type": "list", "elements": "str", "default": []},
    "pending_pattern": {"type": "str", "required": True},
    "none_pattern": {"type": "str"},
    "status_rc": {"type": "list", "elements": "int", "default": [0]},
    "chdir": {"type": "path", "required": True},
    "path_prepend": {"type": "list", "elements": "path", "default": []},
    "budget": {"type": "float", "default": 600.0},
    "state_dir": {"type": "path", "required": True},
}
ACTS = {"applied": "command", "reverted": "revert"}


NOTHING_DONE: dict[str, Any] = {
    "applied": [],
    "reverted": [],
    "output": [],
    "seconds": 0.0,
    "diff": {"before": {}, "after": {}},
}


def migrate(module: AnsibleModule, params: Mapping[str, Any]) -> dict[str, Any]:
    act = ACTS[params["state"]]
    for option in ("status", act):
        if not params[option]:
            raise SluiceError("migrate the database", f"the option {option} is empty", "Name the tool's command")
    if module.check_mode and not os.path.isdir(params["chdir"]):
        # Check mode of a whole release comes here with a release directory that nobody has built.
        return {"changed": False, "pending_before": None, "pending_after": None, **NOTHING_DONE}
    environment = read_environment_of(params["config"])
    runner = SubprocessRunner(secret_values(environment))
    options = MigrateOptions(**{name: params[name] for name in OPTIONS})
    progress = Progress(params["progress"])
    return Migrator(options, environment, runner, progress, module.warn, module.check_mode).run()


def read_environment_of(path: str | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        with open(path, encoding="utf-8") as stream:
            return read_environment(stream.read(), path)
    except OSError as error:
        raise SluiceError(f"read {path}", error.strerror or str(error)) from error


def main() -> None:
    module = AnsibleModule(
        argument_spec={**OPTIONS, **PROGRESS, "config": {"type": "path"}},
        supports_check_mode=True,
    )
    run(module, lambda params: migrate(module, params))


if __name__ == "__main__":
    main()
