# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugins as ansible-playbook runs them: hosts that are away, waits that are shown, locks of dead runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")

# A module with a progress file that is not part of the collection, run by the collection's action plugin.
SLOW_ACTION = """
from ansible_collections.sluice.release.plugins.action import run_module

run_module._LIVENESS = 0.5
run_module._PLAIN_INTERVAL = 0.5


class ActionModule(run_module.ActionModule):
    pass
"""
# Writes on the controller, so that what was seen costs no module of its own, on whichever host.
KEEP_ACTION = """
from pathlib import Path
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        Path(self._task.args["dest"]).write_text(self._task.args["content"])
        return result
"""
SLOW_MODULE = '''#!/usr/bin/python
DOCUMENTATION = """
module: slow
short_description: Wait
extends_documentation_fragment: sluice.release._progress
options:
  until: {type: path}
  how: {type: str}
"""
import os
import time
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress


def main():
    module = AnsibleModule(
        argument_spec={"until": {"type": "path"}, "how": {"type": "str"}, "progress": {"type": "path"}},
        supports_check_mode=True,
    )
    until, how, progress = (module.params[key] for key in ("until", "how", "progress"))
    if how == "fail":
        module.fail_json(msg="Cannot wait: no.", seen=[1])
    if how == "vanish":
        os.kill(os.getppid(), 9)  # what would write the result for it
    if how in ("die", "vanish"):
        os.kill(os.getpid(), 9)
    deadline = time.monotonic() + 30
    while until and not os.path.exists(until) and time.monotonic() < deadline:
        Progress(progress).update("step one", 1, 4)
        time.sleep(0.1)
    # With keys that the machinery of asynchronous tasks has its own use for.
    own = {} if how == "plain" else {"started": "mine", "finished": False}
    module.exit_json(changed=False, progress_given=progress is not None, **own)


if __name__ == "__main__":
    main()
'''


class Project:
    """A directory with an inventory, and ansible-playbook to run plays in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hosts: dict[str, dict[str, Any]] = {"app1": {}}
        (path / "ansible.cfg").touch()
        plugins = {"action_plugins/slow.py": SLOW_ACTION, "action_plugins/keep.py": KEEP_ACTION}
        for name, content in {**plugins, "library/slow.py": SLOW_MODULE}.items():
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_text(content)

    def start(self, *tasks: dict[str, Any], more: Sequence[str] = (), **env: Any) -> subprocess.Popen[bytes]:
        # Only these: what a developer has set for Ansible must not count here.
        own = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "SLUICE_"))}
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"all": {"hosts": {name: {**local, **extra} for name, extra in self.hosts.items()}}}
        (self.path / "hosts.yml").write_text(yaml.safe_dump(inventory))
        play = [{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]
        (self.path / "play.yml").write_text(yaml.safe_dump(play, sort_keys=False))
        return subprocess.Popen(
            [PLAYBOOK, "-i", "hosts.yml", "play.yml", *more],
            cwd=self.path,
            env={
                **own,
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
                "ANSIBLE_ASYNC_DIR": str(self.path / "async"),
                "ANSIBLE_CONFIG": str(self.path / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_RETRIES": "0",
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )

    def run(self, *tasks: dict[str, Any], more: tuple[str, ...] = (), **env: str) -> tuple[int, str]:
        process = self.start(*tasks, more=more, **env)
        output, _none = process.communicate(timeout=120)
        return process.returncode, output.decode()

    def keep(self, variable: str) -> dict[str, Any]:
        """Return the task that writes a variable of each host into a file."""
        return {
            "keep": {
                "dest": f"{self.path}/{variable}-{{{{ inventory_hostname }}}}.json",
                "content": f"{{{{ {variable} | to_json }}}}",
            }
        }

    def kept(self, variable: str, host: str = "app1") -> Any:
        return json.loads((self.path / f"{variable}-{host}.json").read_text())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def eventually(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


# --- a host that is away ---------------------------------------------------------------------------------------------


def test_rescue_sees_an_unreachable_host(project: Project, unused_port: int) -> None:
    project.hosts = {
        "app1": {},
        "app2": {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": unused_port,
            "ansible_ssh_common_args": "-o ConnectTimeout=3 -o ControlMaster=no",
        },
    }
    lock = {"path": str(project.path / "state"), "token": "r1"}
    code, output = project.run(
        {
            "block": [{"sluice.release.release_lock": lock}],
            "rescue": [project.keep("ansible_failed_result"), {"ansible.builtin.set_fact": {"rescued": True}}],
        },
        project.keep("ansible_play_hosts"),
    )
    assert code == 0, output
    failure = project.kept("ansible_failed_result", "app2")
    assert (failure["failed"], failure["unreachable_host"], failure["changed"]) == (True, True, False)
    assert failure["msg"].startswith("Cannot reach app2: ")
    assert "Connection refused" in failure["msg"]
    assert "unreachable" not in failure
    assert project.kept("ansible_play_hosts", "app2") == ["app1", "app2"], "app2 is still in the play"


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses, and that nobody else can take meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))  # bound but not listening
        yield holder.getsockname()[1]


# --- a wait that is shown --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "shown"),
    [({"SLUICE_TTY": "unicode"}, '\r["app1", ["  step one  25 %  0:0'), ({}, "\n  step one  25 %  0:0")],
)
def test_progress_is_shown_and_the_result_is_the_modules_own(project: Project, env: dict[str, Any], shown: str) -> None:
    process = project.start(
        {"name": "Wait", "slow": {"until": str(project.path / "go")}, "register": "slow"}, project.keep("slow"), **env
    )
    assert process.stdout is not None
    output = ""
    while shown not in output:
        # Unbuffered enough: every progress line ends in a line feed or begins with a carriage return.
        read = os.read(process.stdout.fileno(), 65536).decode()
        assert read, output
        output += read
    (project.path / "go").touch()
    rest = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 0, output + rest
    result = project.kept("slow")
    own = {key: result[key] for key in ("changed", "failed", "started", "finished", "progress_given")}
    assert own == {"changed": False, "failed": False, "started": "mine", "finished": False, "progress_given": True}
    assert not {"ansible_job_id", "results_file"} & set(result)
    assert list((project.path / "async").iterdir()) == [], "nothing is left on the host"
    assert ('\r["app1", []]' in output + rest) is bool(env), "the block is ended before the next line"


def test_more_than_one_host_is_told_apart(project: Project) -> None:
    project.hosts = {"app1": {}, "app2": {}}
    process = project.start({"slow": {"until": str(project.path / "go")}})
    assert process.stdout is not None
    output = ""
    while not all(f"  {host}  step one" in output for host in project.hosts):
        output += os.read(process.stdout.fileno(), 65536).decode()
    (project.path / "go").touch()
    assert process.communicate(timeout=60)[0] is not None
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("fail", "Cannot wait: no."),
        ("die", "Cannot finish slow: its process on the host is gone."),
        ("vanish", "Cannot finish slow: its process on the host is gone."),
    ],
)
def test_a_module_that_fails_or_dies_fails_the_task(project: Project, how: str, message: str) -> None:
    code, output = project.run(
        {
            "block": [{"slow": {"how": how}}],
            "rescue": [project.keep("ansible_failed_result")],
        }
    )
    assert code == 0, output
    failure = project.kept("ansible_failed_result")
    assert message in failure["msg"]
    assert how != "fail" or failure["seen"] == [1]
    assert "cmd" not in failure


@pytest.mark.parametrize(
    ("more", "extra"), [(("--check",), {}), ((), {"async": 20, "poll": 1})], ids=["check mode", "async by the author"]
)
def test_where_the_module_runs_plainly(project: Project, more: tuple[str, ...], extra: dict[str, Any]) -> None:
    code, output = project.run({"slow": {"how": "plain"}, "register": "slow", **extra}, project.keep("slow"), more=more)
    assert code == 0, output
    assert project.kept("slow")["progress_given"] is False


# --- the lock of a dead run ------------------------------------------------------------------------------------------


def test_the_lock_of_a_killed_run_is_taken_over_and_of_a_living_one_is_not(project: Project) -> None:
    state, stop = project.path / "state", project.path / "stop"

    def claim(token: str) -> dict[str, Any]:
        return {
            "sluice.release.release_lock": {"path": str(state), "token": token, "owner": f"{token}@ci"},
            "register": "lock",
            "ignore_errors": True,
        }

    first = project.start(claim("first"), {"ansible.builtin.shell": f"while [ ! -e {stop} ]; do sleep 0.1; done"})
    try:
        holder = json.loads(eventually(lambda: (state / "lock.json").exists() and (state / "lock.json").read_text()))
        assert holder["run"]["pid"] == first.pid

        assert project.run(claim("second"), project.keep("lock"))[0] == 0
        assert project.kept("lock")["locked"] is True
        assert "first@ci holds it" in project.kept("lock")["msg"]

        first.send_signal(signal.SIGKILL)
        first.wait()
        assert project.run(claim("third"), project.keep("lock"))[0] == 0
        assert project.kept("lock")["taken_over"] is True
        assert project.kept("lock")["takeover_reason"] == "the run that held it has ended"
        assert project.kept("lock")["previous_holder"]["owner"] == "first@ci"

        # The same token in another run is another claim; that run has ended too.
        assert project.run(claim("third"), project.keep("lock"))[0] == 0
        assert project.kept("lock")["taken_over"] is True
    finally:
        first.kill()
        stop.touch()


def test_one_run_renews_its_own_lock(project: Project) -> None:
    claim = {"sluice.release.release_lock": {"path": str(project.path / "state"), "token": "r1"}, "register": "lock"}
    code, output = project.run(claim, claim, project.keep("lock"))
    assert code == 0, output
    assert (project.kept("lock")["changed"], project.kept("lock")["taken_over"]) == (False, False)


# --- what the fleet decides ------------------------------------------------------------------------------------------


def journal(project: Project, state: str, **options: Any) -> dict[str, Any]:
    path = f"{project.path}/state-{{{{ inventory_hostname }}}}"
    return {"sluice.release.release_journal": {"path": path, "release": "r1", "state": state, **options}}


def test_a_failure_on_one_host_takes_back_where_it_moved(project: Project) -> None:
    project.hosts = {"app1": {}, "app2": {}}
    code, output = project.run(
        journal(project, "opened"),
        {"sluice.release.release_barrier": {"stage": "migrate"}, "register": "early"},
        {**journal(project, "entered", stage="switch"), "when": "inventory_hostname == 'app1'"},
        {"ansible.builtin.set_fact": {"pipeline_failure": "red gate"}, "when": "inventory_hostname == 'app2'"},
        {"sluice.release.release_barrier": {"stage": "verify"}, "register": "late", "ignore_errors": True},
        {"sluice.release.release_outcome": {"point": "decide"}, "register": "outcome"},
        *(project.keep(name) for name in ("early", "late", "outcome")),
    )
    assert code == 0, output
    assert project.kept("early")["hosts"] == ["app1", "app2"]
    for host in project.hosts:
        assert project.kept("late", host)["msg"] == (
            "Cannot start verify: host app2 has failed (red gate). So far it runs on host app1."
        )
    assert [project.kept("outcome", host)["action"] for host in project.hosts] == ["take_back", "abandon"]


def plan(project: Project, **options: Any) -> Any:
    code, output = project.run(
        {"sluice.release.release_plan": options, "register": "plan", "ignore_errors": True, "run_once": True},
        project.keep("plan"),
    )
    assert code == 0, output
    return project.kept("plan")


def test_a_right_profile_is_planned(project: Project) -> None:
    project.hosts = {"app1": {"sluice_environment": "lab"}, "app2": {"sluice_environment": "lab"}}
    result = plan(project, version="1.1.0")
    assert not result["failed"], result
    assert result["release_id"].endswith("Z-1.1.0")
    assert (result["environment"], result["hosts"]) == ("lab", ["app1", "app2"])
    assert "@" in result["operator"]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"sluice_environment": "prod"}, "the hosts belong to more than one environment: lab (app1), prod (app2)"),
        ({}, "host app2 without an environment"),
        (
            {"sluice_environment": "lab", "sluice_databse_url": "x"},
            "unknown key sluice_databse_url. Did you mean sluice_database_url?",
        ),
    ],
)
def test_a_wrong_profile_is_refused(project: Project, second: dict[str, Any], message: str) -> None:
    project.hosts = {"app1": {"sluice_environment": "lab"}, "app2": second}
    result = plan(project)
    assert result["failed"] is True
    assert message in result["msg"]
