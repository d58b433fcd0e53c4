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
  - Looks at variables, programs, ports, servers, room, files, code, certificates, alert rules and people, all side by
    side, and fails with the full list of what is not as it must be, so that one run shows every problem.
  - Checks belong to groups. Each group passes or fails, and the score from 0 to 100 is the mean of the groups.
  - The gates that will decide about the release later, and the windows of its watch, are read as well, so that one
    that can never be judged is refused now and not after the switch.
  - Nothing is changed on the host. Only what O(checks[].cache_key) asks to keep is written below O(state_dir).
  - The message of each check is one line that names the thing and the remedy. Values of variables, passwords and
    arguments of foreign processes are never shown.
extends_documentation_fragment:
  - sluice.release._preflight
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
requirements:
  - psycopg2, for checks of type V(postgres)
  - redis, for checks of type V(redis)
options:
  group_weights:
    description: Weight of groups in RV(score), 1 for each that is not named.
    type: dict
    default: {}
  waivers:
    description:
      - What a named person lets pass, until a day. The failure of the check is then shown as waived and does not stop
        the release, but costs its score.
      - One whose last day is over stops the release, whatever the check has found.
    type: list
    elements: dict
    default: []
    suboptions:
      item:
        description: Name of the check.
        type: str
        required: true
      person:
        description: Who answers for it.
        type: str
        required: true
      reason:
        description: Why.
        type: str
        required: true
      until:
        description: Last day on which it counts, in UTC, as in V(2026-12-31).
        type: str
        required: true
  gates:
    description:
      - Gates that will decide about the release later. Each has a C(name) and beside it the options of
        M(sluice.release.health_gate). Nothing is measured, but what can never be judged fails the task, with the
        names of gate and check and, where Ansible knows it, the file and line of the check.
      - Beside the checks, C(comparisons) may be those of M(sluice.release.gate_comparison). SciPy must then be there on
        the controller. With C(flows) or C(security) the options are those of M(sluice.release.flow_check) instead.
      - Give them as a list. It travels as text, since Ansible would mask every value of a list with secrets.
    type: json
    default: '[]'
  windows:
    description:
      - The windows of the watch, as C(watch_windows) of role watch has them. One that cannot be kept or judged fails
        the task as well, and so does one whose ticks would measure for more than four fifths of the time between them.
      - Give them as a list, for the reason above.
    type: json
    default: '[]'
  window_defaults:
    description: What holds for windows that do not say it themselves, C(checks) and C(interval), the C(base_url) of
      their flows, and checks that are C(added) to those of each.
    type: json
    default: '{}'
  triggers:
    description:
      - What leads to a rollback, C(triggers) as C(rollback_triggers) of role rollback has them, C(automatic), the
        C(levels) that the profile can be rolled back by, and the names of C(checks) that neither O(gates) nor
        O(windows) have. One that cannot fire, or that contradicts another, fails the task as well.
      - Give them as a dictionary, for the reason above.
    type: json
    default: '{}'
  found:
    description:
      - RV(checks) of an earlier run of this module with O(judge=false), which count as if they were looked at now. So
        what is the same for every host of a fleet is looked at once.
      - They come first. O(waivers) and O(group_weights) hold for them, too.
    type: list
    elements: dict
    default: []
  judge:
    description: Whether the task fails when the release must not begin. Without that it only looks.
    type: bool
    default: true
  state_dir:
    description: Directory to keep passes in, below C(preflight). Needed by O(checks[].cache_key).
    type: path
  min_score:
    description: Score below which the task fails even when only optional checks failed. Waived checks are not held
      against it.
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

- name: Make sure that the code is ready, and run what takes long once a commit
  sluice.release.preflight_check:
    state_dir: /var/lib/sluice/api
    min_score: 100
    checks:
      - type: git
        path: /home/ci/api
        branch: release/v2.0.0
      - type: package_version
        path: /home/ci/api
        version: 2.0.0
      - name: build without warnings
        type: command
        group: code
        argv: [npm, run, build]
        chdir: /home/ci/api
        timeout: 600
        match: (?i)warning
        cache_key: "{{ commit }}"
      - name: frontend types
        type: type_errors
        argv: [npx, tsc, --noEmit]
        chdir: /home/ci/api/frontend
        timeout: 300
        budget: 0
        cache_key: "{{ commit }}"
      - type: coverage
        argv: [npm, test]
        chdir: /home/ci/api
        path: coverage/coverage-summary.json
        timeout: 600
        include: ['server/payments/*']
        cache_key: "{{ commit }}"
      - type: audit
        argv: [npm, audit, --json]
        chdir: /home/ci/api
        timeout: 60
    waivers:
      - item: frontend types
        person: Ada Lovelace
        reason: 80 errors in tests, no effect at run time
        until: '2026-12-31'

- name: Make sure that the world around is ready
  sluice.release.preflight_check:
    checks:
      - type: mail
        values: "{{ sluice_env | to_json }}"
        connect: true
      - type: certificate
        domains: [example.com, api.example.com]
      - type: alert_rules
        url: http://prometheus.example.com:9090
        rules:
          - name: HighErrorRate
            expr: "> 0.01"
            for: 5m
            severity: critical
      - type: contacts
        required: [deployment_lead, backend_lead]
        fields: [name, phone]
        people: "{{ contacts }}"
      - type: attestations
        required: [owasp review, secrets rotated]
        max_age_days: 90
        attested:
          owasp review: {by: Ada Lovelace, on: 2026-11-02, link: "https://wiki.example.com/owasp"}
          secrets rotated: {by: Grace Hopper, on: 2026-10-20}
"""

RETURN = r"""
passed:
  description: Whether every check passed that is not optional.
  returned: when the checks make sense
  type: bool
  sample: true
score:
  description: Mean of the scores of the groups by their weights, from 0 to 100.
  returned: when the checks make sense
  type: float
  sample: 100.0
score_with_waived:
  description: What RV(score) were if the waived checks had passed, which O(min_score) is compared with.
  returned: when the checks make sense
  type: float
  sample: 100.0
groups:
  description: Each group with what was found, the seven usual ones first.
  returned: when the checks make sense
  type: list
  elements: dict
  contains:
    name:
      description: Name of the group.
      type: str
      returned: always
      sample: database
    passed:
      description: Whether none of its checks stops the release.
      type: bool
      returned: always
      sample: true
    score:
      description: Weight of its checks that passed, in percent of all of them.
      type: float
      returned: always
      sample: 100.0
    weight:
      description: Weight of the group in the whole score.
      type: float
      returned: always
      sample: 1.0
    checks:
      description: Names of its checks.
      type: list
      elements: str
      returned: always
      sample: [postgres]
    failed:
      description: Names of those that failed and are not waived.
      type: list
      elements: str
      returned: always
      sample: []
    waived:
      description: Names of those that failed and are waived.
      type: list
      elements: str
      returned: always
      sample: []
    message:
      description: The evidence in one line; of a group that is not whole, what is wrong with it.
      type: str
      returned: always
      sample: 'postgres: database app on PostgreSQL 18.1 answered in 1.4 ms, and has 19 tables'
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
    group:
      description: Group that it counts in.
      type: str
      returned: always
      sample: environment
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
    weight:
      description: Its weight in the group.
      type: float
      returned: always
      sample: 1.0
    waived:
      description: Whether it failed and a waiver lets that pass.
      type: bool
      returned: always
      sample: false
    cached:
      description: Whether it has passed for the same key before and was not run again.
      type: bool
      returned: always
      sample: false
    waiver:
      description: Person, reason and last day of the waiver of this check; null when there is none.
      type: dict
      returned: always
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
from ansible_collections.sluice.release.plugins.module_utils.preflight._checks import run_checks, spec


def prove(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Run the checks; SluiceError with the whole result when the release must not begin."""
    result = run_checks(params, check_mode)
    failed = [check for check in result["checks"] if not check["passed"] and not check["waived"]]
    if not params["judge"]:
        return result
    if not result["passed"] or result["score_with_waived"] < params["min_score"]:
        count = f"{len(failed)} of {len(result['checks'])} preflight checks failed"
        lines = "; ".join(f"{check['name']}: {check['message']}" for check in failed)
        if result["passed"]:
            count = f"the score is {result['score']:g} and must be {params['min_score']:g}, {count}"
        raise SluiceError("begin the release", f"{count}: {lines}", "Nothing was moved", **result)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=spec(), supports_check_mode=True)
    run(module, lambda params: prove(params, module.check_mode))


if __name__ == "__main__":
    main()
