#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gate_comparison
short_description: Compare what the new version measures with what the old one measures at the same time
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Where both versions serve at the same time, as they do between the batches of a fleet, the old one is the best
    measure for the new one. Whatever burdens both, such as a slow database, speaks against neither.
  - Takes two checks of one gate, one that looks at an instance of the new version and one that looks at one of the old
    version, and asks with the Mann-Whitney U test (SciPy, one-sided) whether the values of the new one lie on the bad
    side of those of the old one. It is worse when that is unlikely to be chance (O(comparisons[].alpha)) I(and) its
    median is worse by more than O(comparisons[].tolerance). With many samples the test alone would find differences
    that nobody cares about.
  - With fewer than O(comparisons[].min_samples) on either side the comparison is not used, and says so.
  - Runs on the controller.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
requirements:
  - SciPy, on the controller
options:
  evidence:
    description: Result of M(sluice.release.health_gate) with the checks that are compared. The one of the old version
      has O(sluice.release.health_gate#module:checks[].judge=false), so that it is measured and never judged.
    type: dict
    required: true
  comparisons:
    description: What is compared.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the comparison.
        type: str
        required: true
      new:
        description: Name of the check that looks at the new version. Its bad side is that of the comparison.
        type: str
        required: true
      old:
        description: Name of the check that looks at the old version.
        type: str
        required: true
      tolerance:
        description: Share of the old median by which the new one may be worse.
        type: float
        default: 0.25
      alpha:
        description: How small the probability of chance must be, above 0 and below 1.
        type: float
        default: 0.02
      min_samples:
        description: Judged samples that both sides need, at least 4. Of a series that is longer than 300 points each
          slice of time counts by its worst one.
        type: int
        default: 30
      optional:
        description: Whether being worse is yellow and not red.
        type: bool
        default: false
      weight:
        description: Share in RV(score).
        type: float
        default: 1.0
  fail_on_red:
    description: Whether the task fails when the verdict is V(red). The failure carries the same result.
    type: bool
    default: true
seealso:
  - module: sluice.release.health_gate
  - module: sluice.release.gate_verdict
"""

EXAMPLES = r"""
- name: Measure both versions side by side
  sluice.release.health_gate:
    duration: 120
    checks:
      - {name: new_ms, type: http, url: "http://app1:3001/", measure: latency_ms, crit: 2000, sustained: 30}
      - {name: old_ms, type: http, url: "http://app2:3001/", measure: latency_ms, judge: false}
  register: gate

- name: Compare them
  sluice.release.gate_comparison:
    evidence: "{{ gate }}"
    comparisons:
      - {name: latency, new: new_ms, old: old_ms}
"""

RETURN = r"""
verdict:
  description: V(red) when the new version is worse, V(yellow) when only optional comparisons say so, else V(green).
  returned: when the comparisons make sense
  type: str
  sample: green
score:
  description: Share of the weights of those comparisons that were used and passed, in percent.
  returned: when the comparisons make sense
  type: float
  sample: 100.0
gates:
  description: Each comparison in the form of a check, with RV(gates[].used) and RV(gates[].p_value).
  returned: when the comparisons make sense
  type: list
  elements: dict
  contains:
    check:
      description: Name of the comparison.
      type: str
      returned: always
    verdict:
      description: V(green), V(yellow) or V(red).
      type: str
      returned: always
    reason:
      description: The verdict in one line.
      type: str
      returned: always
      sample: "latency: the new version's median was 24 ms, the old one's 22 ms (Mann-Whitney p = 0.11, 60 and 60
        samples)"
    used:
      description: Whether both sides had enough samples.
      type: bool
      returned: always
    p_value:
      description: Probability that the difference, or a larger one, is chance. Null when it was not used.
      type: float
      returned: always
samples:
  description: Samples on all sides.
  returned: when the comparisons make sense
  type: int
  sample: 120
"""
