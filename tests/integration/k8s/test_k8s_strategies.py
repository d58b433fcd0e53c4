# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blue and green, a canary, and the role that asks for them, in a real Kubernetes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from k8s_site import ROOT, SECRET, Site


def test_blue_and_green(site: Site) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0", replicas=2)
    done = site.switch(first, strategy="blue_green", settle=0.5)
    assert not done.failed, done.output
    assert (done["slot"], done["previous"]) == ("blue", None)
    assert site.switch(first, strategy="blue_green")["changed"] is False

    pods = site.pods()
    done = site.switch(site.release("1.2.0"), strategy="blue_green", ready={"timeout": 2})
    assert done.failed
    assert (site.pods(), site.get("service", "web")["spec"]["selector"]["sluice.release/slot"]) == (pods, "blue")

    done = site.switch(second, strategy="blue_green", settle=0.5)
    assert not done.failed, done.output
    assert (done["slot"], done["previous"], done["current"]) == ("green", first.name, second.name)
    # As many pods as served before, whatever the manifest says.
    assert [release for release, _name in site.pods()] == [second.name]
    assert site.greeting() == SECRET
    done = site.switch(first, strategy="blue_green", settle=0.5)
    assert not done.failed, done.output
    assert (done["slot"], [release for release, _name in site.pods()]) == ("blue", [first.name])


def test_a_canary_grows_or_goes(site: Site) -> None:
    first, second = site.release("1.0.0", replicas=2), site.release("1.1.0", replicas=2)
    canary = {"strategy": "canary"}
    assert not site.switch(first, **canary).failed
    for weight, count in ((30, 1), (50, 2)):
        done = site.switch(second, **canary, weight=weight)
        assert not done.failed, done.output
        assert (done["current"], len(done["instances"])) == (first.name, count)
        assert [release for release, _name in site.pods()] == [first.name] * 2 + [second.name] * count
    assert site.switch(second, **canary, weight=50)["changed"] is False

    other = site.switch(first, **canary, name="other", config_name="shop-config")
    assert "it belongs to the application shop" in other["msg"]
    done = site.switch(first, **canary)
    assert not done.failed, done.output
    assert (done["changed"], [release for release, _name in site.pods()]) == (True, [first.name] * 2)
    assert not site.switch(second, **canary, weight=30).failed
    done = site.switch(second, **canary)
    assert not done.failed, done.output
    assert [release for release, _name in site.pods()] == [second.name] * 2


PLAYBOOK = """
- hosts: cluster
  gather_facts: false
  vars:
    ansible_connection: local
    gate_first_release: true
    gate_duration: 1
    gate_checks: [{name: latency, type: http, url: "{{ url }}", measure: latency_ms, crit: 5000}]
  tasks:
    - ansible.builtin.include_role: {name: sluice.release.switch, tasks_from: "{{ tasks }}"}
    - ansible.builtin.copy:
        content: "{{ {'switch': switch_evidence, 'gate': gate_evidence | default({})} | to_json }}"
        dest: "{{ evidence }}"
"""


def play(site: Site, directory: Path, release: Path, **changed: Any) -> dict[str, Any]:
    """What role switch leaves behind when it is asked for a release."""
    version, evidence = release.name.split("-")[0], directory / "evidence.json"
    variables = {
        "sluice_driver": "kubernetes",
        "sluice_application": site.name,
        "sluice_state_dir": str(directory / "state"),
        "switch_target": {
            "version": version,
            "artifact": {"id": release.name, "path": str(release)},
            "config": {"version": 1, "path": str(site.root / "config" / "1" / "env.json")},
        },
        "switch_ready": {"url": "http://{pod}:3000/ready", "version_url": "http://{pod}:3000/version"},
        "switch_kubernetes": {"kubeconfig": site.kubeconfig, "namespace": site.namespace, "strategy": "canary"},
        "evidence": str(evidence),
        **changed,
    }
    (directory / "play.yml").write_text(PLAYBOOK)
    (directory / "variables.json").write_text(json.dumps(variables))
    done = subprocess.run(
        ["ansible-playbook", "-i", "cluster,", "-e", f"@{directory}/variables.json", str(directory / "play.yml")],
        capture_output=True, text=True, check=False, cwd=directory,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    return dict(json.loads(evidence.read_text()))


def test_the_role_switches_with_this_driver_and_judges_a_canary(site: Site, tmp_path: Path) -> None:
    first, second = site.release("1.0.0"), site.release("1.1.0")
    left = play(site, tmp_path, first, tasks="driver")
    assert (left["switch"]["current"], [name for name, _pod in site.pods()]) == (first.name, [first.name])
    left = play(site, tmp_path, second, tasks="canary", __switch_step=50, url=site.url())
    assert (left["switch"]["current"], left["gate"]["verdict"]) == (first.name, "green")
    assert [name for name, _pod in site.pods()] == [first.name, second.name]
