#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_check
short_description: Prove that a host has what a release needs, before anything is moved
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Looks at variables, programs, ports, servers, room and files, all side by side, and fails with the full list of
    what is not as it must be, so that one run shows every problem.
  - Nothing is changed or written on the host.
  - The message of each check is one line that names the thing and the remedy. Values of variables, passwords and
    arguments of foreign processes are never shown.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
requirements:
  - psycopg2, for checks of type V(postgres)
  - redis, for checks of type V(redis)
options:
  checks:
    description: What is looked at. At least one. An option that does not belong to the type is an error.
    type: list
    elements: dict
    required: true
    suboptions:
      type:
        description:
          - V(variables) passes when every name of O(checks[].required) and O(checks[].expected) has a value that is
            not blank, and those of O(checks[].expected) have the one that is expected. Needs O(checks[].values) or
            O(checks[].config).
          - V(command) passes when O(checks[].argv) ends with status 0 and shows at least O(checks[].min_version).
          - V(port) passes when nobody listens on O(checks[].port), on any address, or only the PM2 process
            O(checks[].process) under O(checks[].pm2_home). In cluster mode it is the PM2 daemon that listens, which
            passes only while it runs that process.
          - V(postgres) passes when C(SELECT 1) is answered at O(checks[].url) by a server that can be written to. It
            records latency, version, and the number of tables and indexes.
          - V(redis) passes when C(PING) is answered at O(checks[].url) by a server that can be written to.
          - V(disk) passes when the file system of O(checks[].path), or of its nearest parent that exists, has
            O(checks[].free_mb) or O(checks[].free_pct) left for an ordinary user.
          - V(file) passes when O(checks[].path) is a file that can be read, or a directory, and is not empty.
          - V(writable) passes when the user of the task may write into the directory O(checks[].path), or make it.
        type: str
        required: true
        choices: [variables, command, port, postgres, redis, disk, file, writable]
      name:
        description: Name of the check, for messages. By default its type.
        type: str
      optional:
        description: Whether a failure only lowers the score.
        type: bool
        default: false
      weight:
        description: Share in RV(score).
        type: float
        default: 1.0
      timeout:
        description: Seconds that a server or command may take. Nothing is waited for longer than twice that and 2 s.
        type: float
        default: 5.0
      required:
        description: Names of variables, for V(variables).
        type: list
        elements: str
      expected:
        description: Variables with the value that they must have, for V(variables). Not for secrets.
        type: dict
      config:
        description: JSON file with an object of variables, for V(variables).
        type: path
      values:
        description:
          - JSON object of variables, for V(variables), for example C({{ environment | to_json }}).
          - Give it as text. Of a dictionary, Ansible would mask every value wherever it occurs in the result.
        type: json
      argv:
        description: Program and arguments, for V(command). Not through a shell. Arguments are no place for secrets.
        type: list
        elements: str
      min_version:
        description: Oldest version that will do, for V(command). V(18) allows 18.0.0 and everything later.
        type: str
      pattern:
        description: Regular expression whose last group is the version in the output, for V(command).
        type: str
      chdir:
        description: Directory to run in, for V(command).
        type: path
      path_prepend:
        description: Directories to look for programs in before those of C(PATH), for V(command).
        type: list
        elements: path
      port:
        description: TCP port, for V(port).
        type: int
      pm2_home:
        description: Directory of PM2, for V(port). By default where PM2 itself looks, E(PM2_HOME) or C(~/.pm2).
        type: path
      process:
        description: Name of the PM2 process that may hold the port, for V(port).
        type: str
      url:
        description: URL with user and password, for V(postgres) and V(redis).
        type: str
      max_latency_ms:
        description: Longest time that the answer may take, for V(postgres) and V(redis). Without it, any.
        type: float
      path:
        description: File or directory, for V(disk), V(file) and V(writable).
        type: path
      free_mb:
        description: Room in MB (1024 * 1024 bytes), for V(disk).
        type: float
      free_pct:
        description: Room in percent of the file system, for V(disk).
        type: float
  min_score:
    description: Score below which the task fails even when only optional checks failed.
    type: float
    default: 0.0
"""

EXAMPLES = r"""
- name: Make sure that the host is ready for the release
  sluice.release.preflight_check:
    checks:
      - type: variables
        values: "{{ sluice_env | combine(sluice_secrets) | to_json }}"
        required: [DATABASE_URL, REDIS_URL, JWT_SECRET]
        expected: {NODE_ENV: production}
      - name: node
        type: command
        argv: [node, --version]
        min_version: "18"
      - type: port
        port: 3001
        pm2_home: /home/app/.pm2
        process: api
      - type: postgres
        url: "{{ sluice_database_url }}"
        max_latency_ms: 1000
      - type: redis
        url: "{{ sluice_redis_url }}"
      - name: room for the backup
        type: disk
        path: /var/lib/sluice/api/backups
        free_mb: 2048
      - type: writable
        path: /srv/api
"""

RETURN = r"""
passed:
  description: Whether every check passed that is not optional.
  returned: when the checks make sense
  type: bool
  sample: true
score:
  description: Weight of the checks that passed, in percent of all.
  returned: when the checks make sense
  type: float
  sample: 100.0
checks:
  description: Each check with what was found, in the order of O(checks).
  returned: when the checks make sense
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      returned: always
      sample: node
    type:
      description: Type of the check.
      type: str
      returned: always
      sample: command
    passed:
      description: Whether it is as it must be.
      type: bool
      returned: always
      sample: false
    optional:
      description: Whether a failure only lowers the score.
      type: bool
      returned: always
      sample: false
    message:
      description: What was found, in one line.
      type: str
      returned: always
      sample: node is 16.20.2, at least 18 is needed
    value:
      description: What was measured; the keys depend on the type.
      type: dict
      returned: always
      sample: {rc: 0, seconds: 0.05, version: 16.20.2}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.preflight._checks import check_spec, run_checks


def prove(params: dict[str, Any]) -> dict[str, Any]:
    """Run the checks; SluiceError with the whole result when the release must not begin."""
    result = run_checks(params["checks"])
    failed = [check for check in result["checks"] if not check["passed"]]
    if not result["passed"] or result["score"] < params["min_score"]:
        count = f"{len(failed)} of {len(result['checks'])} preflight checks failed"
        lines = "; ".join(f"{check['name']}: {check['message']}" for check in failed)
        if result["passed"]:
            count = f"the score is {result['score']:g} and must be {params['min_score']:g}, {count}"
        raise SluiceError("begin the release", f"{count}: {lines}", "Nothing was moved", **result)
    return result


def main() -> None:
    spec = {
        "checks": {"type": "list", "elements": "dict", "required": True, "options": check_spec()},
        "min_score": {"type": "float", "default": 0.0},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    run(module, prove)


if __name__ == "__main__":
    main()
