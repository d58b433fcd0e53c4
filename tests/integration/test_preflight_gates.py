# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role preflight refuses what could never be judged, with the line of the profile and before anything is looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

PROFILE = """\
sluice_state_dir: "{{ playbook_dir }}/state"
app_url: http://127.0.0.1:1
app_token: geheim-123
preflight_checks:
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
watch_windows:
  - {name: flows alone, until: 600, every: 60, checks: []}
  - name: hour
    until: 3600
    every: 60
    checks:
      - {name: growth, type: prometheus, url: "{{ app_url }}", metric: errors_total, aggregate: rate, crit: 5}
"""


def test_a_gate_that_can_never_be_judged_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(PROFILE)
    (tmp_path / "play.yml").write_text(
        "- {hosts: all, connection: local, gather_facts: false, roles: [sluice.release.preflight]}\n"
    )
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-vvv", tmp_path / "play.yml",
         "-e", f"ansible_python_interpreter={sys.executable}"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout
    assert "Cannot use the gates of this profile: " in done.stdout
    profile = f"{tmp_path}/group_vars/all.yml"
    for problem in (
        f"gate_checks, unknown ({profile}:17): value of type must be one of: ",
        f"without a query ({profile}:12): it has no query (JMESPath)",
        f"contradiction ({profile}:19): target 9 lies past crit 5",
        f"verify_checks, smoke ({profile}:21): it has no option unexpected",
        f"hour, growth ({profile}:31): a rate needs two looks; set duration",
    ):
        assert problem in done.stdout
    assert "good (" not in done.stdout
    assert "flows alone" not in done.stdout.partition("Cannot use the gates")[2]
    assert "geheim-123" not in done.stdout + done.stderr
    assert not (tmp_path / "state").exists()
