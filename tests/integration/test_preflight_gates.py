# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role preflight: what could never be judged is refused with its line; what is the same for all is looked at once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

PROFILE = """\
sluice_state_dir: "{{ playbook_dir }}/state"
app_url: http://127.0.0.1:1
app_token: geheim-123
sluice_base_url: "{{ app_url }}"
preflight_checks:
  - {type: file, path: /no/such}
preflight_shared_checks:
  - {type: file, path: /no/such}
gate_duration: 30
gate_checks:
  - name: good
    type: http
    url: "{{ app_url }}/health"
    expect_body: {query: version, equals: "{{ verify_version }}"}
  - name: without a query
    type: json
    url: "{{ app_url }}/metrics"
    secret_headers: {Authorization: "{{ app_token }}"}
    crit: 5
  - name: unknown
    type: grafana
  - {name: contradiction, type: http, url: "{{ app_url }}", measure: p95, target: 9, warn: 9, crit: 5}
verify_checks:
  - name: smoke
    type: http
    url: "{{ app_url }}/"
    unexpected: 1
verify_flows:
  - name: log in
    steps:
      - {path: /login, secret_headers: {Authorization: "{{ app_token }}"}}
      - {path: "/users/{id}"}
gate_comparisons:
  - {name: latency, new: good, old: nobody, tolerence: 1}
watch_windows:
  - {name: flows alone, until: 600, every: 60, checks: [], flows: [{name: a, steps: [{path: /}]}]}
  - name: hour
    until: 3600
    every: 60
    checks:
      - {name: growth, type: prometheus, url: "{{ app_url }}", metric: errors_total, aggregate: rate, crit: 5}
  - name: day
    until: 86400
    every: 60
    duration: 55
    flows:
      - {name: home, steps: [{path: /, expect: {status: ["20"]}}]}
  - {name: hour, until: 60, every: 60, checks: []}
"""


def play(directory: Path, profile: str, hosts: str = "localhost,") -> subprocess.CompletedProcess[str]:
    """Run role preflight with a profile."""
    (directory / "group_vars").mkdir()
    (directory / "group_vars" / "all.yml").write_text(profile)
    (directory / "play.yml").write_text(
        "- {hosts: all, connection: local, gather_facts: false, roles: [sluice.release.preflight]}\n"
    )
    return subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", hosts, "-vvv", directory / "play.yml",
         "-e", f"ansible_python_interpreter={sys.executable}"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_gate_that_can_never_be_judged_is_refused_with_its_line(tmp_path: Path) -> None:
    done = play(tmp_path, PROFILE)
    assert done.returncode == 2, done.stdout
    assert "Cannot use the gates of this profile: " in done.stdout
    profile = f"{tmp_path}/group_vars/all.yml"
    for problem in (
        f"gate_checks, unknown ({profile}:20): value of type must be one of: ",
        f"without a query ({profile}:15): it has no query (JMESPath)",
        f"contradiction ({profile}:22): target 9 lies past crit 5",
        f"gate_checks, latency ({profile}:34): it has no option tolerence; did you mean tolerance?",
        f"verify_checks, smoke ({profile}:24): it has no option unexpected",
        f"verify_flows, log in ({profile}:29): step GET /users/{{id}}: path uses {{id}}, which no",
        f"hour, growth ({profile}:41): a rate needs two looks; set duration",
        f"watch window day ({profile}:42): its duration is 55 s and it repeats every 60 s",
        f"day, home ({profile}:47): step GET /: status 20 is neither a status",
        f"watch window hour ({profile}:48): it ends at 60 s, but the window before it ends at 86400 s",
        f"watch window hour ({profile}:48): it has neither checks nor flows",
    ):
        assert problem in done.stdout
    assert "good (" not in done.stdout
    assert "flows alone" not in done.stdout.partition("Cannot use the gates")[2]
    assert "geheim-123" not in done.stdout + done.stderr
    assert not (tmp_path / "state").exists()


SHARED = """\
sluice_state_dir: "{{ playbook_dir }}/state-{{ inventory_hostname }}"
preflight_shared_dir: "{{ playbook_dir }}/shared"
preflight_group_weights: {code: 3}
preflight_shared_checks:
  - {name: tests, type: command, group: code, argv: [sh, -c, "echo run >> runs; exit 1"], chdir: "{{ playbook_dir }}"}
preflight_checks:
  - {type: writable, path: "{{ playbook_dir }}"}
preflight_gates: []
gate_checks: &checks
  - {name: up, type: http, url: "http://127.0.0.1:1/"}
verify_checks: *checks
"""


def test_what_is_the_same_for_every_host_is_looked_at_once(tmp_path: Path) -> None:
    done = play(tmp_path, SHARED, "one,two,")
    assert done.returncode == 2, done.stdout
    assert (tmp_path / "runs").read_text().splitlines() == ["run"]
    for host in ("one", "two"):
        found = re.findall(rf"^fatal: \[{host}\]: FAILED! => (\{{.*?^\}})", done.stdout, re.DOTALL | re.MULTILINE)
        result = json.loads(found[-1])
        assert [(check["name"], check["passed"]) for check in result["checks"]] == [
            ("tests", False),
            ("writable", True),
        ]
        # The score is weighed by the groups of both.
        assert result["score"] == 25.0
        assert "1 of 2 preflight checks failed: tests: " in result["msg"]
