# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this document fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    """The checks of a preflight: what is looked at, and what is allowed."""

    DOCUMENTATION = r"""
options:
  checks:
    description: What is looked at. At least one. An option that does not belong to the type is an error.
    type: list
    elements: dict
    required: true
    suboptions:
      type:
        description:
          - V(variables) passes when every name of O(checks[].required) and O(checks[].expected) has a value that is
            not blank, and those of O(checks[].expected) have the one that is expected. Needs O(checks[].values) or
            O(checks[].config).
          - V(command) passes when O(checks[].argv) ends with status 0 and shows at least O(checks[].min_version), at
            least O(checks[].min_number), and no more than O(checks[].max_matches) lines that match
            O(checks[].match), as far as these are given.
          - V(port) passes when nobody listens on O(checks[].port), on any address, or only the PM2 process
            O(checks[].process) under O(checks[].pm2_home). In cluster mode it is the PM2 daemon that listens, which
            passes only while it runs that process.
          - V(postgres) passes when C(SELECT 1) is answered at O(checks[].url) by a server that can be written to. It
            records latency, version, and the number of tables and indexes.
          - V(redis) passes when C(PING) is answered at O(checks[].url) by a server that can be written to. It records
            latency and used memory.
          - V(disk) passes when the file system of O(checks[].path), or of its nearest parent that exists, has
            O(checks[].free_mb) or O(checks[].free_pct) left for an ordinary user.
          - V(file) passes when O(checks[].path) is a file that can be read, or a directory, and is not empty.
          - V(writable) passes when the user of the task may write into the directory O(checks[].path), or make it.
          - V(mail) passes when the variables O(checks[].host_variable) and O(checks[].user_variable) are both set,
            O(checks[].enabled_variable) says yes, and, with O(checks[].connect), the server greets. It shows host
            and user. Nobody logs in and nothing is sent.
          - V(git) passes when the working tree O(checks[].path) is clean, and at O(checks[].branch), O(checks[].tag)
            and O(checks[].commit) as far as these are given. A detached checkout is on every branch that points at
            its commit.
          - V(package_version) passes when every C(package.json) below O(checks[].path) names the same version, that
            of O(checks[].version) if it is given. Directories named C(node_modules) and hidden ones are left aside.
          - V(coverage) passes when the tests reach more than O(checks[].min_pct) of the code by the report
            O(checks[].path), a C(coverage-summary.json) of Istanbul (nyc, Jest, c8) or an C(lcov.info).
          - V(type_errors) passes when C(tsc --noEmit), run as O(checks[].argv) or with its output in
            O(checks[].path), shows no more type errors than O(checks[].budget).
          - V(audit) passes when the JSON of C(npm audit --json) or C(trivy --format json), printed by
            O(checks[].argv) or in the file O(checks[].path), has nothing above O(checks[].max_cvss). An advisory
            without a score counts as the worst that its severity stands for, and so do the secrets and
            misconfigurations that Trivy finds.
          - V(certificate) passes when the server of each of O(checks[].domains) shows a certificate for that name
            that is trusted and good for more than O(checks[].min_days).
          - V(alert_rules) passes when the Prometheus at O(checks[].url), or what has its interface, holds all
            O(checks[].rules).
          - V(http) passes when O(checks[].url) answers with one of O(checks[].statuses), within
            O(checks[].max_latency_ms), and its body matches O(checks[].match), as far as these are given. Of the URL
            only the host is shown.
          - V(contacts) passes when O(checks[].people) names somebody for each of O(checks[].required).
          - V(attestations) passes when somebody has vouched for each of O(checks[].required) in O(checks[].attested),
            not longer than O(checks[].max_age_days) ago.
          - V(embargo) passes unless the last release went back less than O(checks[].embargo_days) ago, by the journal
            in the state directory O(checks[].path). A deploy that has succeeded since ends it, as does a waiver for
            the one that comes before its time.
          - V(rollback_drill) passes when C(rollback_drill.yml) has carried out each of O(checks[].levels) not longer
            than O(checks[].max_age_days) ago, and none of them took longer than O(checks[].budgets), by the journal in
            the state directory O(checks[].path). Before the second release there is nothing to drill, and it passes.
        type: str
        required: true
        choices:
          - variables
          - command
          - port
          - postgres
          - redis
          - disk
          - file
          - writable
          - mail
          - git
          - package_version
          - coverage
          - type_errors
          - audit
          - certificate
          - alert_rules
          - http
          - contacts
          - attestations
          - embargo
          - rollback_drill
      name:
        description: Name of the check, for messages and waivers. By default its type.
        type: str
      group:
        description:
          - Group that the check counts in, V(environment), V(database), V(redis), V(filesystem), V(rate_limiting),
            V(cache), V(notification) or any other name.
          - By default that of its type, which is V(database) for V(postgres), V(redis) for V(redis), V(filesystem) for
            V(disk), V(file) and V(writable), V(notification) for V(mail), V(code) for V(git), V(package_version),
            V(coverage) and V(type_errors), V(security) for V(audit) and V(certificate), V(monitoring) for
            V(alert_rules) and V(http), V(people) for V(contacts) and V(attestations), and V(environment) for the
            others.
        type: str
      optional:
        description: Whether a failure only lowers the score.
        type: bool
        default: false
      weight:
        description: Share in the score of the group.
        type: float
        default: 1.0
      timeout:
        description: Seconds that a server or command may take. Nothing is waited for longer than twice that and 2 s.
        type: float
        default: 5.0
      cache_key:
        description:
          - What the finding depends on, the commit for example. A check that has passed for this key and with the same
            options is not run again, and its message says so. A failure is never kept. Empty, nothing is.
          - For V(command), V(package_version), V(coverage), V(type_errors) and V(audit). Needs O(state_dir).
        type: str
      cache_days:
        description: Days for which a pass is kept, 7 unless told otherwise.
        type: float
      required:
        description: Names of variables, for V(variables), roles of people, for V(contacts), or items, for
          V(attestations).
        type: list
        elements: str
      expected:
        description: Variables with the value that they must have, for V(variables). Not for secrets.
        type: dict
      config:
        description: JSON file with an object of variables, for V(variables) and V(mail).
        type: path
      values:
        description:
          - JSON object of variables, for V(variables) and V(mail), for example C({{ environment | to_json }}).
          - Give it as text. Of a dictionary, Ansible would mask every value wherever it occurs in the result.
        type: json
      argv:
        description:
          - Program and arguments, for V(command), V(type_errors) and V(audit). For V(coverage), what is run first to
            write the report. Not through a shell. Arguments are no place for secrets.
        type: list
        elements: str
      min_version:
        description: Oldest version that will do, for V(command). V(18) allows 18.0.0 and everything later.
        type: str
      pattern:
        description: Regular expression whose last group is the version in the output, for V(command).
        type: str
      match:
        description: Regular expression for lines of the output, warnings for example, for V(command). One that the
          answer must match, for V(http).
        type: str
      max_matches:
        description: How many lines may match O(checks[].match), none unless told otherwise, for V(command).
        type: int
      number:
        description: Regular expression whose last group is a number in the output, a score for example, for
          V(command). Of several the last one counts.
        type: str
      min_number:
        description: Least value of O(checks[].number), for V(command).
        type: float
      chdir:
        description: Directory to run O(checks[].argv) in. The report of V(coverage) is looked for there, too.
        type: path
      path_prepend:
        description: Directories to look for programs in before those of C(PATH).
        type: list
        elements: path
      port:
        description: TCP port, for V(port). The one to connect to, for V(mail), where the variable E(SMTP_PORT), 465 or
          587 is the default, and for V(certificate), where 443 is.
        type: int
      pm2_home:
        description: Directory of PM2, for V(port). By default where PM2 itself looks, E(PM2_HOME) or C(~/.pm2).
        type: path
      process:
        description: Name of the PM2 process that may hold the port, for V(port).
        type: str
      url:
        description: URL with user and password, for V(postgres) and V(redis), or of the server, for V(alert_rules)
          and V(http).
        type: str
      max_latency_ms:
        description: Longest time that the answer may take, for V(postgres), V(redis) and V(http). Without it, any.
        type: float
      max_memory_mb:
        description: Most memory in MB (1024 * 1024 bytes) that the server may use, for V(redis).
        type: float
      path:
        description: File or directory, for V(disk), V(file), V(writable), V(git), V(package_version), V(coverage),
          V(type_errors) and V(audit); the state directory of the application, for V(embargo) and
          V(rollback_drill).
        type: path
      free_mb:
        description: Room in MB (1024 * 1024 bytes), for V(disk).
        type: float
      free_pct:
        description: Room in percent of the file system, for V(disk).
        type: float
      host_variable:
        description: Variable with the mail server, V(SMTP_HOST) unless told otherwise, for V(mail).
        type: str
      user_variable:
        description: Variable with the user of the mail server, V(SMTP_USER) unless told otherwise, for V(mail).
        type: str
      enabled_variable:
        description: Variable that switches mail on with V(1), V(on), V(true) or V(yes), for V(mail). Without it, there
          is no switch.
        type: str
      connect:
        description: Whether to connect to the mail server and say C(EHLO), for V(mail).
        type: bool
      tls:
        description: Encryption of the connection, for V(mail). Without it, C(STARTTLS) where the server offers it.
        type: str
        choices: [starttls, implicit, none]
      ca_file:
        description: File with the certificate authorities to trust instead of those of the system, for V(mail) and
          V(certificate).
        type: path
      branch:
        description: Branch that must be checked out, for V(git).
        type: str
      tag:
        description: Tag that the commit must bear, for V(git).
        type: str
      commit:
        description: Commit that must be checked out, or its beginning, for V(git).
        type: str
      version:
        description: Version that must be named, for V(package_version). A leading C(v) does not count.
        type: str
      files:
        description: Files to look at, relative to O(checks[].path), instead of all that there are, for
          V(package_version).
        type: list
        elements: str
      exclude:
        description: Patterns of directories below O(checks[].path) that are left aside, for V(package_version).
        type: list
        elements: str
      metric:
        description: What is counted, V(lines) unless told otherwise, for V(coverage).
        type: str
        choices: [lines, statements, functions, branches]
      min_pct:
        description: Percentage that must be exceeded, 80 unless told otherwise, for V(coverage).
        type: float
      include:
        description: Patterns of files, the critical paths, that alone are counted, for V(coverage).
        type: list
        elements: str
      budget:
        description: Type errors that may be left, none unless told otherwise, for V(type_errors).
        type: int
      max_cvss:
        description: Highest CVSS score that may be, 7 unless told otherwise, for V(audit).
        type: float
      absent:
        description: Packages against which nothing at all may be known, for V(audit).
        type: list
        elements: str
      domains:
        description: Names, or C(name:port), to look at, for V(certificate). O(checks[].timeout) holds for each.
        type: list
        elements: str
      address:
        description: Address to connect to instead of where each name leads, for V(certificate).
        type: str
      min_days:
        description: Days that must be exceeded, 30 unless told otherwise, for V(certificate).
        type: float
      secret_headers:
        description: Headers of the requests that may hold secrets, for V(alert_rules) and V(http).
        type: dict
      statuses:
        description: Statuses that are as they must be, V(200) unless told otherwise, for V(http).
        type: list
        elements: int
      rules:
        description: Alerting rules that must be there, for V(alert_rules).
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the alert.
            type: str
            required: true
          expr:
            description: Part of its expression, the threshold for example. Spaces do not count.
            type: str
          for:
            description: How long the expression must hold, as in V(5m).
            type: str
          severity:
            description: Its label C(severity).
            type: str
      min_alertmanagers:
        description: How many Alertmanagers the server must know at least, for V(alert_rules).
        type: int
      people:
        description: Who has which role, for V(contacts). Each is a name, or a dictionary with O(checks[].fields).
        type: dict
      fields:
        description: What must be known of each person, V(name) unless told otherwise, for V(contacts).
        type: list
        elements: str
      attested:
        description: What has been vouched for, by item, for V(attestations). Each is a dictionary with C(by), the
          person, C(on), the day as in V(2026-11-22), and what else is worth keeping, a link for example.
        type: dict
      max_age_days:
        description: Days after which somebody has to vouch anew, for V(attestations), where without it that is never;
          days after which a drill has to be repeated, for V(rollback_drill).
        type: float
      levels:
        description: The levels of a rollback that have to be drilled, for V(rollback_drill). All three by default.
        type: list
        elements: int
      budgets:
        description: Seconds that a rollback may take, by level, for V(rollback_drill); C(rollback_budgets) of role
          rollback. A level that is left out has 120, 300 or 600.
        type: dict
      embargo_days:
        description: Days between a release that went back and the next one, for V(embargo).
        type: float
"""
