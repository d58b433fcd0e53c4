#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gate_rules_info
short_description: Read the alerting rules of Prometheus as checks of a gate
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Makes checks of type V(promql) for M(sluice.release.health_gate) out of the alerting rules that a team has already,
    so that nobody writes a threshold twice. C(for) becomes C(sustained), and C(keep_firing_for) becomes C(recover).
  - Where the expression of a rule compares something with a number, the number becomes the limit of the check, so that
    the gate shows the value beside it. Two rules of one name and group that differ in severity and number alone become
    one check with C(warn) and C(crit). Every other expression is kept whole; any series that it yields is a breach.
  - "A gate differs from Prometheus in three ways, all on the strict side. A warning is yellow at once, without waiting
    for C(for). C(recover) bridges a gap in a breach that is not red yet, too. And of several series the gate follows
    the worst, so a breach that wanders from one series to another goes on, where Prometheus counts C(for) for each
    series by itself."
  - Recording rules are counted and otherwise ignored. Templates in annotations are not evaluated.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._alerts
requirements:
  - promql-parser
  - PyYAML, for O(path) and O(content)
notes:
  - The libraries are on the controller, so let it run there with C(delegate_to=localhost). In a profile the lookup
    P(sluice.release.alert_checks#lookup) is shorter.
options:
  url:
    description:
      - Address of a Prometheus server, with the prefix of its paths where it has one. The checks ask it.
      - Without O(path) and O(content) the rules are those that this server has loaded.
    type: str
    required: true
seealso:
  - module: sluice.release.gate_rules
  - module: sluice.release.health_gate
  - module: sluice.release.preflight_check
    description: Its checks of type V(alert_rules) see to it that the alerts which a release relies on are there.
"""

EXAMPLES = r"""
- name: Read the alerts of the team
  sluice.release.gate_rules_info:
    url: http://prometheus.internal:9090
    labels: {application: dealradarus}
  delegate_to: localhost
  register: alerts

- name: Watch what they watch
  sluice.release.health_gate:
    duration: 300
    checks: "{{ gate_checks + alerts.checks }}"
"""

RETURN = r"""
checks:
  description: The checks, as O(sluice.release.health_gate#module:checks) takes them.
  returned: success
  type: list
  elements: dict
  sample:
    - name: HighErrorRate
      type: promql
      url: http://prometheus.internal:9090
      query: 100 * sum(rate(http_requests_total{status=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))
      direction: above
      warn: 1.0
      crit: 5.0
      inclusive: false
      empty: good
      sustained: 300.0
origins:
  description: Where each check comes from, in the order of RV(checks).
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: Name of the check.
      type: str
      returned: always
    alert:
      description: Name of the alert. The check has a number after it when there are several of that name.
      type: str
      returned: always
    group:
      description: Group of the rule.
      type: str
      returned: always
    lines:
      description: Where the rules begin in the file. Empty for those of a server.
      type: list
      elements: int
      returned: always
    severities:
      description: What the rules say of themselves.
      type: list
      elements: str
      returned: always
    summary:
      description: Their annotation C(summary) or C(description), as it is written.
      type: str
      returned: always
    whole:
      description: Why the expression was kept whole. Empty where a limit was found.
      type: str
      returned: always
left_out:
  description: Alerts that became no check.
  returned: success
  type: list
  elements: dict
  contains:
    alert:
      description: Name of the alert.
      type: str
      returned: always
    group:
      description: Group of the rule.
      type: str
      returned: always
    line:
      description: Where the rule begins in the file.
      type: int
      returned: always
    reason:
      description: Why.
      type: str
      returned: always
recording_rules:
  description: How many recording rules there are.
  returned: success
  type: int
  sample: 12
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.rules._import import IMPORT_SPEC
from ansible_collections.sluice.release.plugins.module_utils.rules._source import imported


def main() -> None:
    module = AnsibleModule(
        argument_spec=IMPORT_SPEC, mutually_exclusive=[("path", "content")], supports_check_mode=True
    )
    run(module, lambda params: {"changed": False, **imported(params)})


if __name__ == "__main__":
    main()
