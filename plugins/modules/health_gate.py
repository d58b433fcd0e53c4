#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_gate
short_description: Watch the health of an application for a while and give a verdict with its evidence
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Takes samples of all checks side by side, for O(duration) seconds every O(interval) seconds, and judges each
    check by its limits. The verdict of the gate is the worst of its checks, and every verdict carries the series
    that it was made from.
  - V(green) means inside every limit all the time. V(yellow) means that O(checks[].warn) or O(checks[].target) was
    passed, or that a critical breach ended before it had lasted O(checks[].sustained) seconds. V(pending) means
    undecided, because a critical breach still goes on but is too short, or because proof is still missing. V(red)
    means that a critical breach lasted O(checks[].sustained) seconds, or that the window ended without the samples
    or successes that were asked for. Red stays red.
  - "A value is critical I(at or past) O(checks[].crit), and yellow I(past) O(checks[].warn) or O(checks[].target). A
    limit that is left out does not exist: without O(checks[].crit), values can never turn a check red."
  - A breach is followed by the clock, not by counting. It begins with the first critical sample and ends with the
    first sample inside O(checks[].crit) (or O(checks[].recover) seconds after it). Ten single blips in an hour are
    no red gate.
  - When O(duration) is over while a breach is pending, the gate goes on until that breach has healed or has become
    red. This takes O(checks[].sustained) + O(checks[].recover) seconds, and the samples that fall on their ends; after
    that a breach without data that decides it stays V(pending). With O(duration=0) there is one look and no such
    extension, so a breach with O(checks[].sustained) above 0 is reported as V(pending).
  - Requests go straight to the host of each URL, never through a proxy of the environment. An answer is read up to 8
    MB; a larger one is no data. Redirects are not followed. Checks of types V(prometheus), V(promql) and
    V(json) with equal requests share one.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
  - sluice.release._checks
requirements:
  - jmespath, for checks of type V(json), or with O(checks[].query) or O(checks[].expect_body)
  - prometheus-client, for checks of type V(prometheus)
  - psycopg2, for checks of type V(postgres)
  - redis, for checks of type V(redis)
options:
  duration:
    description: Seconds to observe. With 0 every check is looked at once.
    type: float
    default: 0.0
  interval:
    description: Seconds between two samples of a check, at least 0.05. They are taken at whole multiples of it since
      the gate began, and have these times; several targets are asked a few milliseconds apart. A slow answer skips
      samples; it never piles them up.
    type: float
    default: 1.0
  grace:
    description: Seconds at the beginning whose samples are shown in the series but not judged, for cold caches.
    type: float
    default: 0.0
  baseline:
    description:
      - The result of a gate with O(take_baseline) over the same checks, from before the release.
      - Needed where checks have O(checks[].baseline), unless O(first_release).
    type: dict
  take_baseline:
    description:
      - Whether this gate measures what is usual, for O(baseline) of a later one. Limits that come from a baseline do
        not exist yet.
      - It fails when a check that is to be compared has too few samples, or none that differ, as O(checks[].baseline)
        says.
    type: bool
    default: false
  first_release:
    description: Whether nothing ran before, so that limits from a baseline are left out. The reason of such a check
      says so.
    type: bool
    default: false
  stop_on_red:
    description: Whether the first red check ends the gate, so that a rollback need not wait for the rest of the
      window.
    type: bool
    default: true
  fail_on_red:
    description: Whether a red verdict fails the task. The result is the same either way.
    type: bool
    default: true
  fail_on_pending:
    description:
      - Whether a verdict that is pending at the end of the window fails the task, too.
      - At the end only checks with O(checks[].on_no_data=hold) are pending, for want of data.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Wait until the application has answered well three times in a row
  sluice.release.health_gate:
    duration: 30
    interval: 0.5
    checks:
      - name: ready
        type: http
        url: http://127.0.0.1:3001/ready
        successes: 3

- name: Watch errors and latency for a minute after the switch
  sluice.release.health_gate:
    duration: 60
    grace: 10
    checks:
      - name: error_rate_pct
        type: prometheus
        url: http://127.0.0.1:3001/metrics/prometheus
        metric: http_requests_total
        labels: {status: "~5.."}
        aggregate: ratio
        over: {metric: http_requests_total}
        target: 1
        warn: 2
        crit: 5
        sustained: 5
        grace: 0
      - name: p95
        type: prometheus
        url: http://127.0.0.1:3001/metrics/prometheus
        metric: http_request_duration_seconds
        aggregate: quantile
        quantile: 0.95
        scale: 1000
        unit: ms
        warn: 500
        crit: 1000
        sustained: 10
        min_events: 20
      - name: connections
        type: postgres
        database_url: "{{ sluice_database_url }}"
        value: pool_used
        warn: 18
        crit: 20
      - name: redis
        type: json
        url: http://127.0.0.1:3001/health
        query: redis.status
        expect: connected
  register: gate

- name: Watch what the application stands on
  sluice.release.health_gate:
    duration: 300
    interval: 5
    checks:
      - name: redis
        type: redis
        redis_url: "{{ sluice_redis_url }}"
        value: connected
      - name: redis_memory_mb
        type: redis
        redis_url: "{{ sluice_redis_url }}"
        value: used_memory_bytes
        scale: 0.000001
        unit: MB
        warn: 1500
        crit: 2000
      - name: locks_without_ttl
        type: redis
        redis_url: "{{ sluice_redis_url }}"
        value: keys_without_ttl
        keys: "lock:*"
        crit: 1
      - name: worker_heartbeat
        type: redis
        redis_url: "{{ sluice_redis_url }}"
        value: heartbeat_age_seconds
        keys: "worker:*:heartbeat"
        crit: 60
      - name: restarts
        type: process
        process: dealradarus-backend
        value: restarts_total
        warn: 0
        crit: 2
      - name: memory_growth
        type: process
        process: dealradarus-backend
        value: memory_growth_mb_per_h
        window: 240
        warn: 100
      - name: critical_errors
        type: log
        paths: [/home/deploy/.pm2/logs/dealradarus-backend-error*.log]
        pattern: (?i)\b(fatal|critical|unhandled|deadlock)\b
        crit: 1
      # What must come is a readiness check: pending until it is there, red when it never is.
      - name: first_batch
        type: log
        systemd_unit: dealradarus-worker.service
        pattern: Batch inserted
        direction: below
        crit: 0
        successes: 1
      - name: certificate
        type: certificate
        host: api.example.com
        names: [example.com]
        value: days_left
        warn: 30
        crit: 7
      - name: disk
        type: disk
        path: /srv/dealradarus
        value: free_pct
        crit: 10

- name: Ask programs, once each
  sluice.release.health_gate:
    checks:
      - name: critical_vulnerabilities
        type: command
        argv: [npm, audit, --json, --omit=dev]
        chdir: /srv/dealradarus/current
        # It ends with 1 when it has found any.
        rc: [0, 1]
        timeout: 120
        query: metadata.vulnerabilities.critical
        crit: 1
      - name: image
        type: command
        argv: [trivy, image, --quiet, --format=json, "registry.example.com/app:1.1.0"]
        timeout: 300
        query: length(Results[].Vulnerabilities[] | [?Severity=='CRITICAL'])
        crit: 1
      - name: p99_under_load
        type: command
        argv: [autocannon, --json, --connections=20, --duration=20, "http://127.0.0.1:3001/"]
        timeout: 40
        query: latency.p99
        unit: ms
        crit: 500
      - name: p95_of_journeys
        type: command
        argv: [k6, run, --quiet, --summary-export=/tmp/journeys.json, journeys.js]
        chdir: /srv/dealradarus/current/load
        output_file: /tmp/journeys.json
        timeout: 120
        query: metrics.http_req_duration."p(95)"
        unit: ms
        crit: 800
      - name: own_preflight
        type: command
        argv: [node, scripts/preflight.js]
        chdir: /srv/dealradarus/current
        timeout: 30
"""

RETURN = r"""
verdict:
  description: The worst verdict of all checks, where red is worse than pending, pending than yellow, yellow than
    green.
  returned: when the checks make sense
  type: str
  sample: red
score:
  description: Share of the weights, in percent. Green earns all of a check's weight, yellow and pending half, red
    nothing.
  returned: when the checks make sense
  type: float
  sample: 66.7
gates:
  description: Each check with its verdict and evidence, in the order of O(checks).
  returned: when the checks make sense
  type: list
  elements: dict
  contains:
    check:
      description: Name of the check.
      type: str
      returned: always
      sample: error_rate_pct
    type:
      description: Type of the check.
      type: str
      returned: always
      sample: prometheus
    verdict:
      description: V(green), V(yellow), V(pending) or V(red).
      type: str
      returned: always
      sample: red
    reason:
      description: The verdict in one line.
      type: str
      returned: always
      sample: error_rate_pct was 12.4 %, critical at or above 5 %, for 6 s (sustained limit 5 s)
    value:
      description: The value that the verdict rests on, which is the worst one unless green, then the last. Null
        without data.
      type: raw
      returned: always
      sample: 12.4
    threshold:
      description: The limit that V(value) is to be held against.
      type: raw
      returned: always
      sample: 5.0
    unit:
      description: Unit of both.
      type: str
      returned: always
      sample: "%"
    direction:
      description: The bad side, or V(state).
      type: str
      returned: always
      sample: above
    target:
      description: The target, if there is one.
      type: float
      returned: always
    warn:
      description: The warning limit, if there is one.
      type: float
      returned: always
    crit:
      description: The critical limit, if there is one.
      type: float
      returned: always
    target_met:
      description: Whether no judged sample was past the target. Null without a target or data.
      type: bool
      returned: always
    sustained:
      description: The seconds that a breach may not last.
      type: float
      returned: always
    grace:
      description: Seconds at the beginning that were not judged.
      type: float
      returned: always
    weight:
      description: Its share in the score.
      type: float
      returned: always
    samples:
      description: Judged samples with data.
      type: int
      returned: always
      sample: 61
    no_data:
      description: Judged samples without data.
      type: int
      returned: always
      sample: 0
    last:
      description: The last value.
      type: raw
      returned: always
    worst:
      description: The worst judged value.
      type: raw
      returned: always
    statistics:
      description: Of the judged values; of a state there are none.
      type: dict
      returned: always
      contains:
        samples:
          description: How many there are.
          type: int
          returned: always
          sample: 61
        mean:
          description: Their mean.
          type: float
          returned: always
          sample: 0.31
        deviation:
          description: Their standard deviation, 0 with fewer than two.
          type: float
          returned: always
          sample: 0.12
    series:
      description:
        - All samples, those of the grace included, as pairs of seconds and value; null where there was no data.
        - States are 1 when right and 0 when wrong. At most 300 points; of each slice the worst is kept.
      type: list
      elements: list
      returned: always
      sample: [[0.0, 0.2], [1.0, 12.4]]
breaches:
  description: Every critical breach, healed ones too, in order of time. All times are seconds since the gate began.
  returned: when the checks make sense
  type: list
  elements: dict
  contains:
    check:
      description: Name of the check.
      type: str
      returned: always
    kind:
      description: V(value), or V(no_data) when it consists of missing data alone.
      type: str
      returned: always
    started:
      description: Time of its first sample.
      type: float
      returned: always
    ended:
      description: Time of the first good sample after it. Null when it was not over.
      type: float
      returned: always
    seconds:
      description: From its first to its last sample.
      type: float
      returned: always
    value:
      description: Its worst value.
      type: raw
      returned: always
    threshold:
      description: The limit.
      type: raw
      returned: always
    unit:
      description: Unit of both.
      type: str
      returned: always
    red:
      description: Whether it lasted long enough to turn the check red.
      type: bool
      returned: always
    reason:
      description: The breach in one line.
      type: str
      returned: always
samples:
  description: Judged samples with data, of all checks together.
  returned: when the checks make sense
  type: int
  sample: 183
seconds:
  description: How long it took.
  returned: when the checks make sense
  type: float
  sample: 60.02
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils.flow._score import refusal
from ansible_collections.sluice.release.plugins.module_utils.gate._sampler import observe
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import GATE_SPEC, lacking, needs, read


def judge(params: dict[str, Any]) -> dict[str, Any]:
    """Observe the checks and return the gate's result; SluiceError with the result when it may not be passed."""
    require("judge the checks", needs(params))
    checks, settings = read(params)
    result = {"changed": False, **observe(checks, settings, report=Progress(params["progress"]).update)}
    lacks = lacking(params, result["gates"]) if params["take_baseline"] else []
    if lacks:
        remedy = "Look longer, give traffic, or let baseline.on_missing of the check be ignore"
        raise SluiceError("take a baseline", "; ".join(lacks), remedy, **result)
    why = refusal(result["gates"], "check", on_red=params["fail_on_red"], on_pending=params["fail_on_pending"])
    if why:
        raise SluiceError("pass the gate", why, **result)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec={**GATE_SPEC, **PROGRESS}, supports_check_mode=True)
    run(module, lambda params: judge({**params, "check_mode": module.check_mode}))


if __name__ == "__main__":
    main()
