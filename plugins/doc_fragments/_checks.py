# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    """The checks of a gate: what is measured, and what is allowed."""

    DOCUMENTATION = r"""
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
          - V(promql) lets a Prometheus server evaluate a query.
          - V(json) reads a number or a state from a JSON answer.
          - V(postgres) reads a number or a state from a database, see M(sluice.release.pg_info).
        type: str
        required: true
        choices: [http, prometheus, promql, json, postgres]
      url:
        description: URL to ask, http or https, without a password. Needed but for V(postgres). For V(promql) the
          address of the server, with the prefix of its paths where it has one.
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
        description:
          - For V(json). JMESPath expression that yields a number, a text that is one, or, with O(checks[].expect), a
            state.
          - For V(promql). PromQL that yields an instant vector or a scalar. What the server refuses or warns of, a
            result that is not of this minute, and a value that is no finite number are no data. Checks with the same
            query share a request.
        type: str
      series:
        description:
          - For V(promql). What is made of several series.
          - V(worst) is the value furthest on the bad side. A breach goes on as long as any series is past the limit,
            be it a different one each time.
          - V(sum) is their sum, and V(count) how many there are, 0 for none.
        type: str
        default: worst
        choices: [worst, sum, count]
      empty:
        description:
          - For V(promql). What a result without any series means.
          - V(no_data) is for O(checks[].on_no_data) to decide.
          - V(good) is a sample inside all limits, as it is for an alert of Prometheus. A query with a spelling error
            is then well for ever. That the server does not answer is no data all the same.
        type: str
        default: no_data
        choices: [no_data, good]
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
        description: What is hoped for. Yellow past it; RV(sluice.release.health_gate#module:gates[].target_met) says
          whether it was kept.
        type: float
      warn:
        description: Yellow past it.
        type: float
      crit:
        description: A breach at or past it.
        type: float
      inclusive:
        description: Whether a value exactly at O(checks[].crit) or O(checks[].warn) is past it. By default it is past
          O(checks[].crit) and not past O(checks[].warn). Alerting rules of Prometheus may say either.
        type: bool
      expect:
        description:
          - For V(json). The one state that is right; every other is a breach. It excludes the numeric limits.
          - For V(promql) only V(empty), which makes every series that the query yields a finding, as the expression
            of an alert does.
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
        description: Overrides O(sluice.release.health_gate#module:grace) for this check, for example 0 for an error
          rate that has no warm-up to be excused by.
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
        description: Share in RV(sluice.release.health_gate#module:score).
        type: float
        default: 1.0
"""
