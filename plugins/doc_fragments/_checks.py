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
          - V(redis) reads a number or a state from Redis, or from what speaks its protocol.
          - V(port) connects to a TCP port.
          - V(certificate) looks at the certificate that a TLS server presents.
          - V(disk) reads the room on the file system that a path lies on.
          - V(process) looks at the processes of the application, that PM2 or systemd runs or a pid file names.
          - V(log) counts new lines of log files, or of the journal of a systemd unit.
          - V(command) runs a program, and judges how it ends or what its JSON says.
        type: str
        required: true
        choices:
          - http
          - prometheus
          - promql
          - json
          - postgres
          - redis
          - port
          - certificate
          - disk
          - process
          - log
          - command
      url:
        description: For V(http), V(prometheus), V(promql) and V(json), which need it. URL to ask, http or https,
          without a password. For V(promql) the address of the server, with the prefix of its paths where it has one.
        type: str
      database_url:
        description: For V(postgres), which needs it. URL of the database, with user and password.
        type: str
      redis_url:
        description:
          - For V(redis), which needs it. URL of the server, with user and password where it wants them,
            C(rediss://) for TLS.
          - Options of redis-py may follow, such as C(?ssl_ca_certs=/etc/ssl/own.pem).
        type: str
      value:
        description:
          - What is measured. Checks of one database, server, path or process share a look and so speak of the same
            moment. What cannot be known, such as the lag of a server without a replica, is no data.
          - For V(postgres), which needs it, a key of the result of M(sluice.release.pg_info), such as
            V(connections_used_ratio), V(longest_query_seconds), V(blocked_sessions_count) or V(in_recovery), but none
            of its migrations and tenants. Booleans are for O(checks[].expect), spelled V(true) and V(false).
          - For V(redis), which needs it, V(connected), V(authentication) (that it refuses whoever brings no password)
            and V(replication_link) are right or wrong and need no limit. V(role) needs O(checks[].expect).
            V(latency_ms) is the time of a PING, V(used_memory_pct) a share of its C(maxmemory), V(hit_ratio_pct) the
            share of reads within O(checks[].window) that found their key, looks at O(checks[].keys) among them.
            V(evicted_keys) and
            V(rejected_connections) are their growth since the gate began or its grace ended. V(used_memory_bytes),
            V(connected_clients), V(blocked_clients), V(connected_replicas), V(replication_lag_seconds) and
            V(replication_lag_bytes) are as the server tells. V(keys_count), V(keys_without_ttl),
            V(keys_min_ttl_seconds) and V(heartbeat_age_seconds) (of the oldest) speak of the keys under
            O(checks[].keys).
          - For V(port) V(open) (default), right or wrong, or V(latency_ms), the time of connecting.
          - For V(certificate) V(trusted) (default), right or wrong, which one that is expired, that nobody trusts or
            that names others is not; or V(days_left), negative once it has expired, and no data for one that is not
            trusted.
          - For V(disk), which needs it, V(free_mb), V(free_pct) (of what ordinary users may fill), V(used_pct),
            V(free_inodes) or V(used_inodes_pct).
          - For V(process), which needs it, V(running) (every instance), right or wrong. V(instances) that run.
            V(restarts) since the gate began or its grace ended; V(restarts_total) since PM2 or systemd began to
            count, which is the switch where PM2 has started new processes for it. V(memory_mb) of all instances
            with the processes below them, V(memory_largest_mb) of the largest instance, what processes share counted
            for each. V(memory_growth_mb_per_h), by least squares over O(checks[].window), at least 60 s.
            V(cpu_pct) of one core, over O(checks[].window). V(uptime_seconds) of the youngest.
          - For V(log) V(count) (default) of lines since the gate began or its grace ended, V(window_count) within
            O(checks[].window), V(rate_per_minute) over it.
        type: str
      keys:
        description: For V(redis). The keys that are looked at, as a pattern of SCAN; at most 10000 may match.
        type: str
      age_by:
        description:
          - For V(redis). By what V(heartbeat_age_seconds) goes.
          - V(value) is the time that the key holds, in seconds or milliseconds since 1970 or as ISO 8601, or that
            O(checks[].query) finds in the JSON that it holds.
          - V(idle) is how long nobody has used the key.
        type: str
        default: value
        choices: [value, idle]
      host:
        description: For V(port) (default V(127.0.0.1)) and V(certificate), which needs it. Name or address.
        type: str
      port:
        description: For V(port), which needs it, and V(certificate) (default V(443)).
        type: int
      server_name:
        description: For V(certificate). The name that is asked for and must be covered. By default O(checks[].host).
        type: str
      names:
        description: For V(certificate). More names that it must cover.
        type: list
        elements: str
        default: []
      ca_file:
        description: For V(certificate). The authorities that are trusted, in place of those of the host.
        type: path
      path:
        description: For V(disk), which needs it.
        type: path
      process:
        description: For V(process). The name under which PM2 runs it.
        type: str
      pm2_home:
        description: For V(process) with O(checks[].process). By default the environment variable E(PM2_HOME), or
          C(~/.pm2).
        type: path
      pid_file:
        description: For V(process), in place of O(checks[].process). The file that holds the pid.
        type: path
      systemd_unit:
        description:
          - For V(process), in place of O(checks[].process), or V(log), in place of O(checks[].paths). A systemd unit.
          - To read the journal takes root or a member of group C(systemd-journal).
        type: str
      paths:
        description:
          - For V(log). Absolute paths of log files, or patterns of the shell. At most 100 files.
          - Files may be rotated while they are watched, renamed or truncated. Compressed ones are left out.
          - No file at all is no data.
        type: list
        elements: str
        default: []
      priority:
        description: For V(log) with O(checks[].systemd_unit). Only entries of this priority or a more urgent one.
        type: str
        choices: [emerg, alert, crit, err, warning, notice, info, debug]
      pattern:
        description: For V(log), which needs it unless there is O(checks[].priority). Regular expression that is found
          anywhere in a line that counts; C((?i)) at its beginning ignores case.
        type: str
      exclude:
        description: For V(log). Regular expression of lines that do not count.
        type: str
      since:
        description:
          - For V(log). V(begin) counts what is written from the beginning of the gate on. V(start) counts what is
            there as well, in the files or in the journal of this boot.
          - A position in O(checks[].position_file) goes before both.
        type: str
        default: begin
        choices: [begin, start]
      position_file:
        description:
          - For V(log). File that keeps the position, so that the next gate with it counts what was written since
            this one. It is written after every look, but not in check mode.
        type: path
      show:
        description: For V(log). Whether the reason shows the first line that matched, cut to 120 characters, without
          what looks like a password or a token. Lines may hold personal data all the same.
        type: bool
        default: false
      argv:
        description:
          - For V(command), which needs it. Program and arguments. There is no shell, and arguments are seen by every
            user of the host, so no secret may be among them.
          - Its time is O(checks[].timeout); after that it is ended with all that it has started. So it is when it
            writes more than 8 MB. A run that lasts longer than the interval of the gate skips samples.
          - Without O(checks[].query) the status that it ends with is right or wrong.
        type: list
        elements: str
      chdir:
        description: For V(command). The directory that it runs in.
        type: path
      environment:
        description: For V(command). Variables of its environment. They are shown in logs.
        type: dict
        default: {}
      secret_environment:
        description: For V(command). More variables, that are never shown, not even where the program shows them.
        type: dict
      path_prepend:
        description: For V(command), and V(process) with O(checks[].process). Directories that go before the path on
          which programs are found.
        type: list
        elements: path
        default: []
      rc:
        description: For V(command). The statuses that it may end with. With O(checks[].query) any other is no data.
        type: list
        elements: int
        default: [0]
      output_file:
        description: For V(command) with O(checks[].query). The file that it writes its JSON to; by default its
          standard output. What an earlier run has written does not count.
        type: path
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
        description: Seconds that one look may take, such as a whole exchange, however slowly the server sends, or the
          run of a command. After that it is no answer.
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
      expect_headers:
        description:
          - For V(http). Headers that an expected answer must have, and what they must be.
          - A value is meant as it stands. One that begins with C(~) is a regular expression for the whole value,
            C(!) means not equal, C(!~) neither. A header that is missing is empty, so V("") wants it missing.
        type: dict
        default: {}
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
          - For V(json), which needs it, and V(command). JMESPath expression that yields a number, a text that is one,
            or, with O(checks[].expect), a state. For V(redis) with O(checks[].age_by=value) the time in a heartbeat.
          - For V(promql). PromQL that yields an instant vector or a scalar. What the server refuses or warns of, a
            result that is not of this minute, and a value that is no finite number are no data. Checks with the same
            query share a request.
        type: str
      series:
        description:
          - For V(promql). What is made of several series.
          - V(worst) is the value furthest on the bad side; series that are NaN do not count beside others. A breach
            goes on as long as any series is past the limit, be it a different one each time.
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
        description: Seconds that percentiles, availability, rate, ratio and quantile, and such values of V(redis),
          V(process) and V(log), look back, but never into O(checks[].grace).
        type: float
        default: 10.0
      min_events:
        description:
          - Requests (or observations, or reads of V(redis)) that O(checks[].window) must hold for an availability, a
            percentile, a ratio or a quantile.
          - With fewer the sample is no data. It keeps one failure of two requests from being an error rate of 50 %.
        type: int
        default: 1
      direction:
        description:
          - Which side of the limits is bad. With V(equals) a value is bad when it equals O(checks[].crit) or
            O(checks[].warn).
          - By default V(below) for O(checks[].measure=availability_pct) and for values that are better the higher
            they are, which are those of V(certificate), what is free of a V(disk), the V(hit_ratio_pct) and
            V(keys_min_ttl_seconds) of V(redis), and V(instances) and V(uptime_seconds) of V(process). Otherwise
            V(above).
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
      baseline:
        description:
          - A limit that comes from what was usual before the release, instead of a fixed one. It is
            O(checks[].baseline.factor) times the mean or O(checks[].baseline.deviations) standard deviations away from
            it, whichever is further.
          - See O(sluice.release.health_gate#module:baseline) and O(sluice.release.health_gate#module:take_baseline).
        type: dict
        suboptions:
          limit:
            description: Which limit it is.
            type: str
            default: crit
            choices: [warn, crit]
          factor:
            description: At least 1. For a direction of V(below) the mean is divided by it.
            type: float
            default: 2.0
          deviations:
            description: At least 0.
            type: float
            default: 3.0
          floor:
            description: The limit is never closer to the good side than this.
            type: float
          min_samples:
            description: Samples that the baseline must have.
            type: int
            default: 10
          on_missing:
            description: What a check without a baseline means. V(fail) refuses the gate, V(ignore) leaves the limit
              out.
            type: str
            default: fail
            choices: [fail, ignore]
      inclusive:
        description: Whether a value exactly at O(checks[].crit) or O(checks[].warn) is past it. By default it is past
          O(checks[].crit) and not past O(checks[].warn). Alerting rules of Prometheus may say either.
        type: bool
      expect:
        description:
          - For V(json), V(command), V(postgres), V(redis), V(port) and V(process). The one state that is right; every
            other is a breach. It excludes the numeric limits. A port can be expected to be V(closed).
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
          - A sample without data proves nothing. It begins the row anew with O(checks[].on_no_data=fail), and changes
            nothing with the others.
          - Red when the window ends before. When all checks are readiness checks the gate ends as soon as all are
            ready.
        type: int
        default: 0
      unit:
        description: Unit for messages. By default ms, % or /s where the measure implies it.
        type: str
      judge:
        description: With V(false) it is measured and never judged, for M(sluice.release.gate_comparison). Then it has
          no limits and no weight.
        type: bool
        default: true
      weight:
        description: Share in RV(sluice.release.health_gate#module:score).
        type: float
        default: 1.0
"""
