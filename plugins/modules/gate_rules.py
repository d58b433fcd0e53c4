#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gate_rules
short_description: Write the checks of a gate as alerting rules of Prometheus and as a dashboard of Grafana
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Makes an alerting rule for each O(checks[].crit) (severity C(critical)) and each O(checks[].warn) (severity
    C(warning)), so that what decided about a release goes on being watched when it is over. O(checks[].sustained)
    becomes C(for), and O(checks[].recover) becomes C(keep_firing_for), which takes Prometheus 2.42.
  - Makes a dashboard with a panel for each check, its limits drawn as bands. Its data source is a variable.
  - Checks of the types V(promql) and V(prometheus) can be written. What other types measure Prometheus does not see;
    they are listed in RV(left_out).
  - What M(sluice.release.gate_rules_info) reads from these rules has the same queries, directions, limits and times.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._checks
requirements:
  - promql-parser
  - PyYAML
notes:
  - The libraries are on the controller, so let it run there with C(delegate_to=localhost), or write RV(rules) with
    M(ansible.builtin.copy).
  - Prometheus reads rules when it is told to reload.
options:
  group:
    description: Name of the group of the rules.
    type: str
    required: true
  labels:
    description: Labels that every rule gets, for example of application and release.
    type: dict
    default: {}
  matchers:
    description: Labels by which Prometheus tells this application from others, such as C(job). They are added to the
      metrics of checks of type V(prometheus), which name only what the application itself exposes.
    type: dict
    default: {}
  least_window:
    description: Seconds that a rate of type V(prometheus) looks back at least. Four intervals of scraping are a good
      measure, as with fewer a scrape that is late makes a gap.
    type: float
    default: 60.0
  rules_path:
    description: File to write the rules to. Its directory must exist.
    type: path
  dashboard_path:
    description: File to write the dashboard to. Its directory must exist.
    type: path
  title:
    description: Title of the dashboard. By default O(group).
    type: str
seealso:
  - module: sluice.release.gate_rules_info
  - module: sluice.release.health_gate
"""

EXAMPLES = r"""
- name: Keep watching what the gate watched
  sluice.release.gate_rules:
    checks: "{{ gate_checks }}"
    group: dealradarus
    labels: {application: dealradarus, release: "{{ release_version }}"}
    matchers: {job: dealradarus}
    rules_path: /etc/prometheus/rules/dealradarus.yml
    dashboard_path: /var/lib/grafana/dashboards/dealradarus.json
  delegate_to: localhost
  notify: Reload Prometheus
"""

RETURN = r"""
rules:
  description: The file of rules.
  returned: success
  type: str
  sample: |
    groups:
    - name: dealradarus
      rules:
      - alert: p95
        expr: histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[1m]))) >= 1
        for: 10s
        labels:
          severity: critical
dashboard:
  description: The dashboard.
  returned: success
  type: dict
watched:
  description: Names of the checks that are written.
  returned: success
  type: list
  elements: str
left_out:
  description: Checks that are not.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: Name of the check.
      type: str
      returned: always
    reason:
      description: Why.
      type: str
      returned: always
      sample: Prometheus does not see what a check of type json measures
"""

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.rules._dashboard import dashboard_of
from ansible_collections.sluice.release.plugins.module_utils.rules._dashboard import text_of as dashboard_text
from ansible_collections.sluice.release.plugins.module_utils.rules._export import (
    EXPORT_SPEC,
    Setting,
    Watched,
    rules_of,
    watched,
)
from ansible_collections.sluice.release.plugins.module_utils.rules._export import text_of as rules_text


def before(path: str) -> str | None:
    """Return a file's text, or None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def lay(texts: Mapping[str, str], *, check_mode: bool) -> list[dict[str, str]]:
    """Write the files that differ, by path, and return how."""
    changes: list[dict[str, str]] = []
    for path, text in texts.items():
        try:
            old = before(path)
            if old == text:
                continue
            if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
                raise SluiceError(f"write {path}", "its directory does not exist", "Make the directory first")
            if not check_mode:
                # Other users read them: Prometheus and Grafana.
                write_atomic(path, text, 0o644)
        except OSError as error:
            raise SluiceError(f"write {path}", error.strerror or str(error)) from error
        header = path if old is not None else f"{path} (new)"
        changes.append({"before": old or "", "after": text, "before_header": header, "after_header": path})
    return changes


def write(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Make rules and dashboard, and write those files that differ."""
    require("write alerting rules", {"promql_parser", "yaml"})
    setting = Setting(params["group"], params["labels"], params["matchers"], params["least_window"])
    seen = {check["name"]: watched(check, setting) for check in params["checks"]}
    checks = [found for found in seen.values() if isinstance(found, Watched)]
    rules = rules_text(rules_of(checks, setting))
    dashboard = dashboard_of(checks, params["title"] or params["group"])
    texts = {params["rules_path"]: rules, params["dashboard_path"]: dashboard_text(dashboard)}
    changes = lay({path: text for path, text in texts.items() if path}, check_mode=check_mode)
    return {
        "changed": bool(changes),
        "rules": rules,
        "dashboard": dashboard,
        "watched": [check.name for check in checks],
        "left_out": [{"check": name, "reason": found} for name, found in seen.items() if isinstance(found, str)],
        "diff": changes,
    }


def main() -> None:
    module = AnsibleModule(argument_spec=EXPORT_SPEC, supports_check_mode=True)
    run(module, lambda params: write(params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
