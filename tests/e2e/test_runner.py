# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of a release as AWX plays it: through ansible-runner, under load, with the profile's own gate.

Each test goes on where the one before has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner
import jsonschema
import pytest
from world import ROOT, TOOLS, World

RATE = 50
INVENTORY = """#!{python}
import json
print(json.dumps({inventory!r}))
"""


@dataclass(frozen=True)
class Job:
    """What AWX would know of a job."""

    status: str
    rc: int
    changed: int
    failures: list[str]
    stdout: str


@dataclass
class Awx:
    """One job template's view of the project: a private data directory, laid out as AWX lays it out."""

    world: World
    directory: Path
    jobs: int = 0
    shipped: set[str] = field(default_factory=set)

    def lay_out(self) -> None:
        """A copy of the project for the job, and an inventory that is a script: no group_vars lie beside it."""
        shutil.copytree(self.world.project, self.directory / "project", symlinks=True)
        (self.directory / "project" / ".lab").unlink()
        self.shipped = self.files()
        inventory = {
            "all": {"children": ["lab", "sluice"]},
            "lab": {"hosts": ["lab-app"]},
            "sluice": {"children": ["lab"]},
            "_meta": {"hostvars": {"lab-app": self.world.hostvars()}},
        }
        script = self.directory / "inventory" / "hosts"
        script.parent.mkdir()
        script.write_text(INVENTORY.format(python=sys.executable, inventory=inventory))
        script.chmod(0o700)
        (self.directory / "env").mkdir()
        settings = {"suppress_ansible_output": True, "suppress_output_file": True, "job_timeout": 900}
        (self.directory / "env" / "settings").write_text(json.dumps(settings))

    def launch(self, playbook: str, version: str, cmdline: str = "", **variables: Any) -> Job:
        """Run a playbook as AWX runs a job; what the launch asked for is `!unsafe`, and never a template."""
        self.jobs += 1
        asked = {"awx_job_id": self.jobs, "awx_user_name": "alice", "awx_job_template_name": playbook, **variables}
        lines = [f"{name}: {json.dumps(value)}" for name, value in asked.items()]
        lines.append(f"release_version: !unsafe {json.dumps(version)}")
        (self.directory / "env" / "extravars").write_text("\n".join(["---", *lines, ""]))
        environment = self.world.environment(
            AWX_ISOLATED_DATA_DIR=str(self.directory),
            ANSIBLE_COLLECTIONS_PATH=f"{self.directory}/requirements_collections:collections",
            ANSIBLE_HOST_KEY_CHECKING="False",
            ANSIBLE_INVENTORY_UNPARSED_FAILED="True",
            ANSIBLE_RETRY_FILES_ENABLED="False",
            JOB_ID=str(self.jobs),
        )
        (self.directory / "env" / "cmdline").write_text(f"-u root {cmdline}")
        runner = ansible_runner.run(
            private_data_dir=str(self.directory), ident=f"{self.jobs}-{uuid.uuid4()}", playbook=f"{playbook}.yml",
            inventory=str(self.directory / "inventory" / "hosts"), limit="lab", envvars=environment, quiet=True,
        )  # fmt: skip
        events = list(runner.events)
        failures = [
            str(event["event_data"]["res"].get("msg"))
            for event in events
            if event["event"] == "runner_on_failed" and not event["event_data"].get("ignore_errors")
        ]
        changed = sum(((runner.stats or {}).get("changed") or {}).values())
        # AWX has no file of the output either: it is in the events.
        stdout = "\n".join(event["stdout"] for event in events if event.get("stdout"))
        return Job(runner.status, runner.rc, changed, failures, stdout)

    def files(self) -> set[str]:
        """What lies in the job's copy of the project, without what Python keeps of what it has read."""
        project = self.directory / "project"
        return {str(path.relative_to(project)) for path in project.rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def awx(world: World, tmp_path_factory: pytest.TempPathFactory) -> Awx:
    awx = Awx(world, tmp_path_factory.mktemp("awx"))
    awx.lay_out()
    # The first release of the story.
    world.ensure("1.0.0")
    return awx


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return dict(json.loads((ROOT / "docs" / "report.schema.json").read_text()))


@contextlib.contextmanager
def load(world: World) -> Iterator[dict[str, Any]]:
    """The lab's open-loop load while the body runs; the tally is filled in after it."""
    tally: dict[str, Any] = {}
    command = [str(TOOLS / "python"), "-m", "sluice_lab", "load", "--url", world.base_url, "--rate", str(RATE)]
    environment = {**os.environ, "PYTHONPATH": str(world.project / "lab")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield tally
    finally:
        process.send_signal(signal.SIGTERM)
        output, _nothing = process.communicate(timeout=60)
        tally.update(json.loads(output))


def test_the_layout_has_the_links_and_no_lab(awx: Awx) -> None:
    links = [path for path in (awx.directory / "project" / "collections").rglob("*") if path.is_symlink()]
    assert links
    assert all(path.exists() for path in links)
    assert not (awx.directory / "project" / ".lab").exists()


def test_an_upgrade_under_load_loses_no_request(awx: Awx, world: World, schema: dict[str, Any]) -> None:
    with load(world) as tally:
        job = awx.launch("deploy", "1.1.0")
    assert (job.status, job.rc) == ("successful", 0), job.stdout
    assert tally["failed"] == 0, tally
    assert tally["sent"] > RATE
    world.assert_serves("1.1.0")
    report = world.report()
    jsonschema.validate(report, schema)
    assert (report["outcome"], report["verdict"], report["from"], report["to"]) == (
        "succeeded", "green", "1.0.0", "1.1.0",
    )  # fmt: skip
    assert report["requests"]["sent"] > 0
    assert report["requests"]["failed"] == 0
    assert report["backup"]["verified"] is True
    assert report["operator"].startswith("alice@")
    flows = {gate["check"] for gate in report["gates"] if gate.get("steps")}
    assert {"session", "deals", "security: errors"} <= flows, "the profile's flows are in the record"
    assert world.lock() is None


def test_a_release_that_turns_bad_under_load_is_taken_back(awx: Awx, world: World, schema: dict[str, Any]) -> None:
    with load(world) as tally:
        job = awx.launch("deploy", "1.2.0")
    assert (job.status, job.rc) == ("failed", 2), job.stdout
    assert "Rolled back to 1.1.0" in job.failures[-1]
    # What failed is what the bad version itself answered; not one request was lost on the way there or back.
    assert tally["lost"] == 0, tally
    assert set(tally["errors"]) == {"http 500"}, tally
    world.assert_serves("1.1.0")
    report = world.report()
    jsonschema.validate(report, schema)
    assert (report["outcome"], report["verdict"], report["to"]) == ("rolled_back", "red", "1.2.0")
    assert (report["rollback"]["level"], report["rollback"]["to"]) == (2, "1.1.0")
    assert {gate["check"] for gate in report["gates"] if gate["verdict"] == "red"} == {"error_rate_pct"}
    state = world.state()
    assert state["open"] is None
    assert [artifact.split("-")[0] for artifact in state["bad"]] == ["1.2.0"]
    assert world.lock() is None


def test_the_same_version_again_changes_nothing(awx: Awx, world: World, schema: dict[str, Any]) -> None:
    workers, releases = world.workers(), {path.name for path in (world.root / "releases").iterdir()}
    job = awx.launch("deploy", "1.1.0")
    assert (job.status, job.changed) == ("successful", 0), job.stdout
    report = world.report()
    jsonschema.validate(report, schema)
    assert report["outcome"] == "unchanged"
    assert world.workers() == workers
    assert {path.name for path in (world.root / "releases").iterdir()} == releases
    world.assert_serves("1.1.0")


@pytest.mark.parametrize("version", ["1.0.0", "1.5.0"], ids=["built-before", "never-built"])
def test_check_mode_says_what_it_would_do_and_does_nothing(awx: Awx, world: World, version: str) -> None:
    before = world.snapshot()
    job = awx.launch("deploy", version, "--check --diff")
    assert (job.status, job.rc) == ("successful", 0), job.stdout
    assert job.changed > 0
    assert version in job.stdout
    assert world.snapshot() == before
    world.assert_serves("1.1.0")


def test_the_copy_of_the_project_is_only_read(awx: Awx) -> None:
    assert awx.jobs > 0
    assert awx.files() == awx.shipped
