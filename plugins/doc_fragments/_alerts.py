# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Which alerting rules become checks."""

    DOCUMENTATION = r"""
options:
  path:
    description: A file of rules, as C(rule_files) of Prometheus names it, or a C(PrometheusRule) of Kubernetes.
    type: path
  content:
    description: The same as text.
    type: str
  headers:
    description: Headers of the request for the rules. They are shown in logs.
    type: dict
    default: {}
  secret_headers:
    description: More headers of it, such as C(Authorization), that are never shown. The checks do not carry them.
    type: dict
  timeout:
    description: Seconds that the server may take to tell its rules.
    type: float
    default: 10.0
  validate_certs:
    description: Whether the certificate of an https URL is verified.
    type: bool
    default: true
  alerts:
    description: Shell patterns of the names of the alerts that become checks.
    type: list
    elements: str
    default: ['*']
  groups:
    description: Shell patterns of the names of their groups.
    type: list
    elements: str
    default: ['*']
  labels:
    description: Labels that they must carry, with shell patterns of their values.
    type: dict
    default: {}
  severity_label:
    description: The label that says how bad an alert is.
    type: str
    default: severity
  severities:
    description: What each value of this label means, V(crit) or V(warn).
    type: dict
    default: {critical: crit, crit: crit, page: crit, error: crit, warning: warn, warn: warn}
  other_severities:
    description: What any other value means, or none. V(skip) leaves the rule out, for example a watchdog that always
      fires.
    type: str
    default: skip
    choices: [crit, warn, skip]
  empty:
    description:
      - The C(empty) of the checks with a limit.
      - With V(good) a query without result is well, as in Prometheus. With V(no_data) it is missing data.
    type: str
    default: good
    choices: [good, no_data]
"""
