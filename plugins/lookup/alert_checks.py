# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: alert_checks
short_description: The alerting rules of Prometheus as checks of a gate
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Returns checks of type V(promql), made of the alerting rules that a team has already, so that a profile need not say
    its thresholds again. How rules become checks is told by M(sluice.release.gate_rules_info), which also says what was
    left out.
  - It is read on the controller whenever the checks are, so that the preflight finds a rule file with an error before
    anything moves.
extends_documentation_fragment:
  - sluice.release._alerts
requirements:
  - promql-parser
  - PyYAML, for O(path) and O(content)
options:
  _terms:
    description:
      - Address of the one Prometheus server that the checks ask, with the prefix of its paths where it has one.
      - Without O(path) and O(content) the rules are those that this server has loaded.
    type: list
    elements: str
    required: true
seealso:
  - module: sluice.release.gate_rules_info
  - module: sluice.release.health_gate
"""

EXAMPLES = r"""
- name: Let the alerts of a server decide
  sluice.release.health_gate:
    duration: 300
    checks: "{{ query('sluice.release.alert_checks', prometheus_url, labels={'app': 'dealradarus'}) }}"

- name: Let the alerts of a file decide beside the checks of the profile
  sluice.release.health_gate:
    duration: 300
    checks: "{{ own_checks + query('sluice.release.alert_checks', prometheus_url, path=inventory_dir ~ '/a.yml') }}"
"""

RETURN = r"""
_raw:
  description: The checks, as M(sluice.release.health_gate) takes them. Use C(query), which returns a list always.
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.rules._source import imported


class LookupModule(LookupBase):
    def run(
        self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        if len(terms) != 1:
            cause = f"{len(terms)} addresses of servers were given"
            raise SluiceError("read alerting rules", cause, "Name the one that the checks are to ask")
        options = self.get_options()
        if options["path"] is not None and options["content"] is not None:
            raise SluiceError("read alerting rules", "both path and content were given", "Leave one out")
        found: list[dict[str, Any]] = imported({**options, "url": str(terms[0])})["checks"]
        return found
