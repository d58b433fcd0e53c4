#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: worker_check
short_description: Check by their keys in Redis that the workers of an application get along
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Looks at locks, heartbeats and the holders of singleton jobs, once or twice, and judges them together. What is to be
    watched over time as a number, such as the age of the oldest heartbeat, is a check of
    M(sluice.release.health_gate).
  - Reads only, by C(SCAN), and gives back no value of any key. At most 10000 keys may match a pattern.
  - A Redis that does not answer fails every check.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
requirements:
  - redis
  - jmespath
options:
  url:
    description: URL of Redis, or of what speaks its protocol, with user and password.
    type: str
    required: true
  checks:
    description: What is looked at. At least one.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the check, unique. It begins every message about it.
        type: str
        required: true
      type:
        description:
          - V(locks) expects every key to have an end, so that a worker that dies does not hold a lock for ever.
          - V(heartbeats) expects every key to be fresh.
          - V(singletons) expects exactly one holder for each of O(checks[].jobs). A key with a text is one holder; a
            set, list, sorted set or hash has as many as members.
        type: str
        required: true
        choices: [locks, heartbeats, singletons]
      pattern:
        description: Keys, as C(SCAN) knows them. For V(singletons) with C({job}) in the place of the job's name.
        type: str
        required: true
      jobs:
        description: For V(singletons), which needs them. Names of the jobs.
        type: list
        elements: str
      min_count:
        description: For V(locks) and V(heartbeats). Keys that must be there at least, by default V(0) locks and V(1)
          heartbeat.
        type: int
      max_count:
        description: For V(locks) and V(heartbeats). Keys that may be there at most.
        type: int
      max_ttl:
        description: For V(locks). Seconds to live that none may exceed.
        type: float
      renewed:
        description: For V(locks). Whether a lock that the same worker still holds after O(observe) seconds must have
          been renewed in the meantime.
        type: bool
        default: false
      max_age:
        description: For V(heartbeats), which needs it. Seconds that none may be older than, by the clock of Redis.
        type: float
      query:
        description: For V(heartbeats) that hold JSON. JMESPath expression for the time. A time is in seconds or
          milliseconds since 1970, or as in ISO 8601.
        type: str
      lifetime:
        description: For V(heartbeats) that hold no time. Seconds to live that a worker gives the key when it writes
          it. What has passed of them is its age.
        type: float
      weight:
        description: Its share in the score.
        type: float
        default: 1.0
      optional:
        description: Whether a failure costs score and makes the verdict V(yellow) instead of V(red).
        type: bool
        default: false
  observe:
    description: Seconds after which everything is looked at a second time; V(0) means one look. The holders of
      singleton jobs must be right in both.
    type: float
    default: 0.0
  timeout:
    description: Seconds that a look may take.
    type: float
    default: 5.0
  min_score:
    description: Score below which the verdict is V(red). V(0) means no such mark.
    type: float
    default: 0.0
  fail_on_red:
    description: Whether the task fails when the verdict is V(red). The failure carries the same result.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: See that the workers coordinate
  sluice.release.worker_check:
    url: "{{ sluice_redis_url }}"
    observe: 5
    checks:
      - {name: locks, type: locks, pattern: "lock:*", max_ttl: 60, renewed: true}
      - {name: heartbeats, type: heartbeats, pattern: "worker:*:heartbeat", max_age: 30, min_count: 2}
      - {name: cron, type: singletons, pattern: "cron:{job}:holder", jobs: [digest, cleanup]}
"""

RETURN = r"""
verdict:
  description: V(green), V(yellow) when only optional checks have failed, or V(red).
  returned: when the checks make sense
  type: str
  sample: green
score:
  description: Weight of the checks that passed, in percent.
  returned: when the checks make sense
  type: float
  sample: 100.0
gates:
  description: Each check with its evidence, in order, like a check of M(sluice.release.health_gate). With O(min_score)
    the last one is the score.
  returned: when the checks make sense
  type: list
  elements: dict
  contains:
    check:
      description: Name of the check.
      type: str
      returned: always
      sample: heartbeats
    type:
      description: Type of the check, or V(score).
      type: str
      returned: always
    verdict:
      description: V(green), V(yellow) or V(red).
      type: str
      returned: always
      sample: red
    value:
      description: V(passed) or V(failed).
      type: raw
      returned: always
    threshold:
      description: What the value is held against.
      type: raw
      returned: always
    direction:
      description: Always V(state).
      type: str
      returned: always
    reason:
      description: The verdict in one line.
      type: str
      returned: always
      sample: "heartbeats: worker:2:heartbeat is older than 30 s, the oldest 71.0 s"
    optional:
      description: Whether it can only cost score.
      type: bool
      returned: always
    weight:
      description: Its share in the score.
      type: float
      returned: always
    samples:
      description: Keys that were found.
      type: int
      returned: always
      sample: 2
    found:
      description: What was counted. Its keys depend on the type.
      type: dict
      returned: for checks
      sample: {keys: 2, stale: 1, oldest_seconds: 71.0}
samples:
  description: Keys that were found, of all checks together.
  returned: when the checks make sense
  type: int
  sample: 6
seconds:
  description: How long it took.
  returned: when the checks make sense
  type: float
  sample: 5.03
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.flow._keys import judge_workers
from ansible_collections.sluice.release.plugins.module_utils.flow._score import red_words
from ansible_collections.sluice.release.plugins.module_utils.flow._workers import WORKER_SPEC, validate


def look_at(params: dict[str, Any]) -> dict[str, Any]:
    """Judge the workers and return the result; SluiceError with the result when it is red."""
    require("look at the workers", ["jmespath", "redis"])
    validate(params)
    result = {"changed": False, **judge_workers(params)}
    if result["verdict"] == "red" and params["fail_on_red"]:
        raise SluiceError("pass the checks of the workers", red_words(result["gates"], "check"), **result)
    return result


def main() -> None:
    run(AnsibleModule(argument_spec=WORKER_SPEC, supports_check_mode=True), look_at)


if __name__ == "__main__":
    main()
