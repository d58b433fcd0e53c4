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
    red; this takes at most the longest O(checks[].sustained) + O(checks[].recover). With O(duration=0) there is one
    look and no such extension, so a breach with O(checks[].sustained) above 0 is reported as V(pending).
  - Requests go straight to the host of each URL, never through a proxy of the environment. An answer is read up to 8
    MB; a larger one is no data. Redirects are not followed. Checks of type V(prometheus) and V(json) with equal
    requests share one.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
requirements:
  - jmespath, for checks of type V(json) or with O(checks[].expect_body)
  - prometheus-client, for checks of type V(prometheus)
  - psycopg2, for checks of type V(postgres)
options:
  checks:
    description: What is measured, and what is allowed. At least one.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the check, unique in the gate. It begins every message about it.
        type: str
        required: true
      type:
        description:
          - V(http) measures the request itself.
          - V(prometheus) reads a metric from the text that the application exposes. No Prometheus server is needed.
          - V(json) reads a number or a state from a JSON answer.
          - V(postgres) reads a number or a state from a database, see M(sluice.release.pg_info).
        type: str
        required: true
        choices: [http, prometheus, json, postgres]
      url:
        description: URL to ask, http or https, without a password. Needed but for V(postgres).
        type: str
      database_url:
        description: For V(postgres), which needs it. URL of the database, with user and password.
        type: str
      value:
        description:
          - For V(postgres), which needs it. A key of the result of M(sluice.release.pg_info), such as
            V(connections_used_ratio), V(longest_query_seconds), V(blocked_sessions_count) or V(in_recovery), but none
            of its migrations and tenants. Booleans are for O(checks[].expect), spelled V(true) and V(false).
          - A key that is null is no data, for example the lag of a database without a standby.
          - Checks of one database share a look, on a connection of its own.
        type: str
      method:
        description: HTTP method.
        type: str
        default: GET
      headers:
        description: Headers of the request. They are shown in logs.
        type: dict
        default: {}
      secret_headers:
        description: More headers of the request, such as C(Authorization), that are never shown.
        type: dict
      body:
        description: Body of the request.
        type: str
      timeout:
        description: Seconds that one whole exchange may take, however slowly the server sends. After that it is no
          answer.
        type: float
        default: 5.0
      validate_certs:
        description: Whether the certificate of an https URL is verified.
        type: bool
        default: true
      expect_status:
        description:
          - Statuses of an expected answer. For V(prometheus) and V(json) any other status is no data.
          - A health page that answers 503 with a body worth reading needs V([200, 503]) and a O(checks[].query) on
            its state.
        type: list
        elements: int
        default: [200]
      expect_body:
        description: For V(http). What the JSON of an expected answer must hold, for example the version that is to
          be live.
        type: dict
        suboptions:
          query:
            description: JMESPath expression.
            type: str
            required: true
          equals:
            description: What it must yield. Booleans and numbers are compared as JSON spells them.
            type: str
            required: true
      measure:
        description:
          - For V(http). V(status) is a state, right or wrong. No answer is wrong, not missing data. It needs no
            limit.
          - V(latency_ms) is the time of each expected answer. Anything but an expected answer is no data.
          - V(p50), V(p95), V(p99) are percentiles (nearest rank, in ms) of the expected answers in
            O(checks[].window).
          - V(availability_pct) is the share of expected answers in O(checks[].window).
        type: str
        default: status
        choices: [status, latency_ms, availability_pct, p50, p95, p99]
      metric:
        description: For V(prometheus). Name of the metric; of a histogram without C(_bucket).
        type: str
      labels:
        description:
          - For V(prometheus). Only series with these labels count.
          - A value that begins with C(~) is a regular expression for the whole value, C(!) means not equal, C(!~)
            neither.
        type: dict
        default: {}
      aggregate:
        description:
          - For V(prometheus). V(value) is the sum of the matching series.
          - V(rate) is the growth of counters per second, V(ratio) their growth in I(percent) of the growth of
            O(checks[].over), and V(quantile) the O(checks[].quantile) of a histogram's new observations, each within
            O(checks[].window).
          - Counters may begin anew at any time. Processes that answer one URL in turn, such as the workers of a
            cluster, are told apart by C(process_start_time_seconds) and each is compared with itself only.
          - The first scrape of these three is what later ones are compared with, and is no sample.
          - A quantile above the highest bucket is no data when a limit lies above that bucket too, for then nothing
            is known.
        type: str
        default: value
        choices: [value, rate, ratio, quantile]
      over:
        description: For O(checks[].aggregate=ratio). The series that the ratio is a share of.
        type: dict
        suboptions:
          metric:
            description: Name of the metric.
            type: str
            required: true
          labels:
            description: As O(checks[].labels).
            type: dict
            default: {}
      quantile:
        description: For O(checks[].aggregate=quantile). Above 0 and at most 1.
        type: float
        default: 0.95
      query:
        description: For V(json). JMESPath expression that yields a number, a text that is one, or, with
          O(checks[].expect), a state.
        type: str
      scale:
        description: Factor from what is measured to what the limits are written in, for example 1000 from seconds to
          ms.
        type: float
        default: 1.0
      window:
        description: Seconds that percentiles, availability, rate, ratio and quantile look back, but never into
          O(checks[].grace).
        type: float
        default: 10.0
      min_events:
        description:
          - Requests (or observations) that O(checks[].window) must hold for an availability, a percentile, a ratio
            or a quantile.
          - With fewer the sample is no data. It keeps one failure of two requests from being an error rate of 50 %.
        type: int
        default: 1
      direction:
        description:
          - Which side of the limits is bad. With V(equals) a value is bad when it equals O(checks[].crit) or
            O(checks[].warn).
          - By default V(below) for O(checks[].measure=availability_pct), otherwise V(above).
        type: str
        choices: [above, below, equals]
      target:
        description: What is hoped for. Yellow past it; RV(gates[].target_met) says whether it was kept.
        type: float
      warn:
        description: Yellow past it.
        type: float
      crit:
        description: A breach at or past it.
        type: float
      expect:
        description: For V(json). The one state that is right; every other is a breach. It excludes the numeric
          limits.
        type: str
      sustained:
        description: Seconds from the first to the last sample of a breach that make it red. With 0 its first sample
          does.
        type: float
        default: 0.0
      recover:
        description:
          - Seconds that values must be back inside O(checks[].crit) before a breach is over.
          - Without it, a value that flaps around its limit begins a new breach each time.
        type: float
        default: 0.0
      grace:
        description: Overrides O(grace) for this check, for example 0 for an error rate that has no warm-up to be
          excused by.
        type: float
      on_no_data:
        description:
          - What a sample without data means. No data is no answer, an unexpected status, a metric or key that is not
            there, a value that is no number, or fewer than O(checks[].min_events).
          - V(fail) treats it as a critical sample, so the gate is red when it lasts O(checks[].sustained) seconds.
            When fewer than O(checks[].min_samples) samples had data at the end of the window, the check is red.
          - V(hold) changes nothing; a breach stays open and a good state stays good. With too few samples at the end
            it is V(pending).
          - V(pass) treats it as a sample inside all limits; a breach ends. With no data at all it is V(green) and
            says so.
        type: str
        default: fail
        choices: [fail, hold, pass]
      min_samples:
        description: Samples with data, after the grace, that a verdict needs. See O(checks[].on_no_data).
        type: int
        default: 1
      successes:
        description:
          - Makes this a readiness check, which is V(pending) until so many samples in a row were not critical.
            Bad samples before that are expected and cost nothing. From then on it is judged like any other.
          - Red when the window ends before. When all checks are readiness checks the gate ends as soon as all are
            ready.
        type: int
        default: 0
      unit:
        description: Unit for messages. By default ms, % or /s where the measure implies it.
        type: str
      weight:
        description: Share in RV(score).
        type: float
        default: 1.0
  duration:
    description: Seconds to observe. With 0 every check is looked at once.
    type: float
    default: 0.0
  interval:
    description: Seconds between two samples of a check, at least 0.05. A slow answer skips samples; it never piles
      them up.
    type: float
    default: 1.0
  grace:
    description: Seconds at the beginning whose samples are shown in the series but not judged, for cold caches.
    type: float
    default: 0.0
  stop_on_red:
    description: Whether the first red check ends the gate, so that a rollback need not wait for the rest of the
      window.
    type: bool
    default: true
  fail_on_red:
    description: Whether a red verdict fails the task. The result is the same either way.
    type: bool
    default: true
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
from ansible_collections.sluice.release.plugins.module_utils.gate._sampler import observe
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import GATE_SPEC, needs, read


def judge(params: dict[str, Any]) -> dict[str, Any]:
    """Observe the checks and return the gate's result; SluiceError with the result when it is red."""
    require("judge the checks", needs(params))
    checks, settings = read(params)
    result = {"changed": False, **observe(checks, settings, report=Progress(params["progress"]).update)}
    red = [gate for gate in result["gates"] if gate["verdict"] == "red"]
    if red and params["fail_on_red"]:
        count = f"{len(red)} of {len(checks)} check{'s' * (len(checks) > 1)} {'is' if len(red) == 1 else 'are'} red"
        raise SluiceError("pass the gate", f"{count}: {'; '.join(gate['reason'] for gate in red)}", **result)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec={**GATE_SPEC, **PROGRESS}, supports_check_mode=True)
    run(module, judge)


if __name__ == "__main__":
    main()
