#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cache_check
short_description: Prove that a cache works, says the same as the application, and makes it faster
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Compares what the cache answers with what the application answers past it, measures what it gains, and looks at the
    keys, the memory and the hit ratio of its Redis. It judges them together, once.
  - What is to be watched over time as a number, such as the hit ratio by the application's own endpoint or by
    Prometheus, is a check of M(sluice.release.health_gate). That a change of the data reaches who has a cached answer
    is a flow of M(sluice.release.flow_check), one that reads, writes, and reads again C(within) some seconds.
  - Sends GET requests only, and reads from Redis only, by C(SCAN). No value of any key and no body is given back. At
    most 10000 keys may match a pattern.
  - A Redis that does not answer fails every check that is about it.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
requirements:
  - redis
options:
  base_url:
    description: What a path begins with. Types V(consistency) and V(speedup) need it.
    type: str
  redis_url:
    description: URL of the Redis of the cache, or of what speaks its protocol, with user and password. The other types
      need it.
    type: str
  headers:
    description: Headers of every request.
    type: dict
    default: {}
  secret_headers:
    description: More headers of every request, such as C(Authorization), that are never shown.
    type: dict
    default: {}
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
          - V(consistency) expects that the cached answer of each path equals the fresh one.
          - V(speedup) measures each path past the cache and from it, in turn, and gives a score from 0 to 100.
          - V(keys) expects keys of a pattern to be there, to be of a kind, and to end in time.
          - V(memory) expects Redis to have room, and to throw nothing away.
          - V(hit_ratio) expects a part of what was looked up to have been there.
        type: str
        required: true
        choices: [consistency, speedup, keys, memory, hit_ratio]
      paths:
        description: For V(consistency) and V(speedup), which need them. Paths that the cache answers.
        type: list
        elements: str
      bypass_headers:
        description: Headers that have a request answered by the application, such as C(Cache-Control) with C(no-cache).
          Types V(consistency) and V(speedup) need these or O(checks[].bypass_query).
        type: dict
      bypass_query:
        description: Parameters that have a request answered by the application.
        type: dict
      ignore:
        description: For V(consistency). Keys of JSON answers that differ by themselves, as C(meta.generated_at), with
          C(*) for each member of a list.
        type: list
        elements: str
      rounds:
        description: For V(speedup). Requests past the cache and from it, to each path; V(5) when left out.
        type: int
      full_gain_pct:
        description: For V(speedup). The gain, in percent of the time past the cache, that earns a path all its points;
          V(50) when left out. The score is the mean of what the paths earn.
        type: float
      min_score:
        description: For V(speedup). Score below which the check fails; V(0) when left out.
        type: float
      pattern:
        description: For V(keys), which needs it. Keys, as C(SCAN) knows them.
        type: str
      kind:
        description: For V(keys). What each has to be, as C(TYPE) says it, such as V(hash) or V(ReJSON-RL).
        type: str
      needs_module:
        description: For V(keys). A module of Redis, such as V(ReJSON), without which the check is left out and passes.
        type: str
      min_count:
        description: For V(keys). Keys that must be there at least.
        type: int
      max_count:
        description: For V(keys). Keys that may be there at most.
        type: int
      min_ttl:
        description: For V(keys). Seconds to live that each has to have left, unless it lives for ever.
        type: float
      max_ttl:
        description: For V(keys). Seconds to live that none may exceed.
        type: float
      max_without_ttl:
        description: For V(keys). Keys that may live for ever, at most.
        type: int
      max_used_pct:
        description: For V(memory). Percent of its C(maxmemory) that may be used.
        type: float
      max_used_mb:
        description: For V(memory). Megabytes (1024 * 1024 bytes) that may be used.
        type: float
      max_evicted:
        description: For V(memory), with O(observe). Keys that may be evicted between the two looks.
        type: int
      warn_pct:
        description: For V(hit_ratio). Percent of hits below which the check is V(yellow).
        type: float
      crit_pct:
        description: For V(hit_ratio). Percent of hits below which the check fails.
        type: float
      min_lookups:
        description: For V(hit_ratio). Lookups below which it cannot be judged, and is V(pending); V(50) when left out.
        type: int
      since:
        description: For V(hit_ratio). What an earlier call has given back as RV(counters), to judge all lookups since
          then, as those of a warm-up. Without it, those between the two looks of O(observe).
        type: dict
        suboptions:
          hits:
            description: Lookups that had hit.
            type: int
          misses:
            description: Lookups that had missed.
            type: int
      weight:
        description: Its share in the score.
        type: float
        default: 1.0
      optional:
        description: Whether a failure costs score and makes the verdict V(yellow) instead of V(red).
        type: bool
        default: false
  observe:
    description: Seconds after which Redis is looked at a second time; V(0) means one look.
    type: float
    default: 0.0
  timeout:
    description: Seconds that a request or a look may take.
    type: float
    default: 5.0
  validate_certs:
    description: Whether certificates have to be valid.
    type: bool
    default: true
  min_score:
    description: Score of all checks together below which the verdict is V(red). V(0) means no such mark.
    type: float
    default: 0.0
  fail_on_red:
    description: Whether the task fails when the verdict is V(red). The failure carries the same result.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: See that the cache works
  sluice.release.cache_check:
    base_url: "{{ sluice_base_url }}"
    redis_url: "{{ sluice_redis_url }}"
    observe: 30
    checks:
      - name: same answers
        type: consistency
        paths: [/api/deals, /api/reviews]
        bypass_headers: {Cache-Control: no-cache}
        ignore: [generated_at]
      - name: faster
        type: speedup
        paths: [/api/reviews, /api/comments]
        bypass_headers: {Cache-Control: no-cache}
        min_score: 80
      - {name: ends in time, type: keys, pattern: "cache:*", max_ttl: 3600, max_without_ttl: 0}
      - {name: room, type: memory, max_used_pct: 80, max_evicted: 0}
      - {name: hit ratio, type: hit_ratio, warn_pct: 80, crit_pct: 60}

- name: See that a change reaches who had a cached answer
  sluice.release.flow_check:
    base_url: "{{ sluice_base_url }}"
    flows:
      - name: invalidation
        steps:
          - {name: read, path: /api/deals/1, capture: [{name: title, query: title, secret: false}]}
          - {name: change, method: PUT, path: /api/deals/1, json: {title: "probe {unique}"}}
          - name: read the change
            path: /api/deals/1
            within: 5
            expect: {json: [{query: title, equals: "probe {unique}"}]}
          - {name: change it back, method: PUT, path: /api/deals/1, json: {title: "{title}"}, always: true}
"""

RETURN = r"""
verdict:
  description: V(green), V(yellow) when only optional checks have failed or one is below its mark for a warning,
    V(pending) when one could not be judged, or V(red).
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
      sample: faster
    type:
      description: Type of the check, or V(score).
      type: str
      returned: always
    verdict:
      description: V(green), V(yellow), V(pending) or V(red).
      type: str
      returned: always
      sample: green
    value:
      description: V(passed) or V(failed), null when it could not be judged.
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
      sample: "faster: score 100 of 100, mean gain 62.1 % (/api/reviews 1171 to 443.8 ms)"
    optional:
      description: Whether it can only cost score.
      type: bool
      returned: always
    weight:
      description: Its share in the score.
      type: float
      returned: always
    samples:
      description: Requests, keys or lookups that were looked at.
      type: int
      returned: always
      sample: 10
    found:
      description: What was measured. Its keys depend on the type.
      type: dict
      returned: for checks
      sample: {hits: 940, misses: 60, hit_pct: 94.0}
samples:
  description: What was looked at, of all checks together.
  returned: when the checks make sense
  type: int
  sample: 120
seconds:
  description: How long it took.
  returned: when the checks make sense
  type: float
  sample: 30.1
counters:
  description: Lookups of the server so far, for O(checks[].since) of a later call; null without a check of Redis.
  returned: when the checks make sense
  type: dict
  sample: {hits: 102001, misses: 5120}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.cache._check import judge_cache
from ansible_collections.sluice.release.plugins.module_utils.cache._model import CACHE_SPEC, REDIS, validate
from ansible_collections.sluice.release.plugins.module_utils.flow._score import red_words


def look_at(params: dict[str, Any]) -> dict[str, Any]:
    """Judge the cache and return the result; SluiceError with the result when it is red."""
    validate(params)
    if any(check["type"] in REDIS for check in params["checks"]):
        require("look at the cache", ["redis"])
    result = {"changed": False, **judge_cache(params)}
    if result["verdict"] == "red" and params["fail_on_red"]:
        raise SluiceError("pass the checks of the cache", red_words(result["gates"], "check"), **result)
    return result


def main() -> None:
    run(AnsibleModule(argument_spec=CACHE_SPEC, supports_check_mode=True), look_at)


if __name__ == "__main__":
    main()
