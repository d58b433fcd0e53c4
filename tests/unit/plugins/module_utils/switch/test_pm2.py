# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of PM2's command line: what it says to PM2, and what it reads from it."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import Completed
from ansible_collections.sluice.release.plugins.module_utils.switch import _pm2
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2 import Pm2, Process, Start
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2_rpc import (
    Ask,
    LateError,
    RefusedError,
    UnansweredError,
)

SECRET = "hunter2-and-more"


def entry(number: int, name: str = "shop", **env: str) -> dict[str, Any]:
    record = {
        "status": "online", "restart_time": 1, "exec_mode": "cluster_mode", "pm_cwd": "/r", "pm_exec_path": "/r/app.js",
        "kill_timeout": 4000, "pm_err_log_path": "/e", "pm_out_log_path": "/o", "env": env,
    }  # fmt: skip
    return {"pm_id": number, "pid": 100 + number, "name": name, "pm2_env": record}


class Runner:
    """Answers every call with the next of `outputs` and remembers the calls."""

    def __init__(self, *outputs: str | Completed | SluiceError) -> None:
        self.outputs = list(outputs)
        self.calls: list[tuple[list[str], dict[str, str]]] = []

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
    ) -> Completed:
        self.calls.append((list(argv[1:]), dict(env or {})))
        output = self.outputs.pop(0)
        if isinstance(output, SluiceError):
            raise output
        return Completed(0, output, "", 0.1) if isinstance(output, str) else output


@pytest.fixture
def home() -> Iterator[Path]:
    """A PM2 home with a daemon's socket in it. The path is short, as a socket's has to be."""
    with tempfile.TemporaryDirectory(prefix="sluice-") as directory, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{directory}/rpc.sock")
        listening.listen()
        yield Path(directory)


def silent(_home: str, _method: str, *_arguments: Any, timeout: float) -> Any:
    """A daemon whose socket is of no use to us."""
    raise UnansweredError


class Daemon:
    """Answers by its socket, each method with what it is told here, and remembers what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []

    def __call__(self, home: str, method: str, *arguments: Any, timeout: float) -> Any:
        self.asked.append((method, *arguments))
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer


def client(home: Path, runner: Runner, ask: Ask = silent) -> Pm2:
    (home / "pm2").write_text("")
    (home / "pm2").chmod(0o755)
    return Pm2(
        runner, home=str(home), user_home="/home/app", path=str(home), secrets=[SECRET], variables=["PORT"], ask=ask
    )


@pytest.mark.parametrize("before", ["", ">>>> In-memory PM2 is out-of-date, do:\n>>>> $ pm2 update\n", "[PM2] Spawn\n"])
def test_the_list_is_read_whatever_pm2_prints_before_it(before: str) -> None:
    text = before + json.dumps(
        [entry(3, SLUICE_RELEASE="r", SLUICE_MARK="m", NODE_APP_INSTANCE="1", PORT="80", KEY="k")]
    )
    assert _pm2.parse_list(text, ["PORT"]) == [
        Process(
            id=3, pid=103, name="shop", status="online", restarts=1, exec_mode="cluster", cwd="/r", script="/r/app.js",
            release="r", mark="m", instance=1, variables={"PORT": "80"}, kill_timeout=4.0, logs=("/e", "/o"),
        )
    ]  # fmt: skip


def test_no_list() -> None:
    with pytest.raises(ValueError, match="no list"):
        _pm2.parse_list("[PM2] Spawning PM2 daemon\nnothing\n")


def test_only_processes_of_the_name_are_returned(home: Path) -> None:
    runner = Runner(json.dumps([entry(2), entry(1), entry(0, "other")]))
    assert [process.id for process in client(home, runner).processes("shop")] == [1, 2]


def test_without_a_daemon_nothing_is_asked(tmp_path: Path) -> None:
    runner = Runner()
    assert client(tmp_path, runner).processes("shop") == []
    assert not runner.calls


def test_the_environment_of_a_worker_is_exact_and_never_an_argument(home: Path) -> None:
    runner = Runner("[]", "", "")
    what = Start("shop", "/r/app.js", "/r", {"JWT_SECRET": SECRET}, node_args=["--a", "--b=1"], kill_timeout=2.5)
    pm2 = client(home, runner)
    assert pm2.processes("shop") == []
    runner.outputs[1] = json.dumps([entry(5)])
    assert pm2.start(what).id == 5
    argv, environment = runner.calls[1]
    assert argv == [
        "-s", "start", "/r/app.js", "--name", "shop", "--force", "--cwd", "/r", "-i", "1", "--kill-timeout", "2500",
        "--wait-ready", "--listen-timeout", "10000", "--node-args=--a --b=1", "--no-vizion",
    ]  # fmt: skip
    clean = {"PATH": str(home), "HOME": "/home/app", "PM2_HOME": str(home), "PM2_DISABLE_VERSION_CHECK": "true"}
    assert environment == {**clean, "JWT_SECRET": SECRET}
    assert runner.calls[0][1] == runner.calls[2][1] == clean


def test_fork_mode_without_the_ready_signal() -> None:
    argv = Start("shop", "/r/app.js", "/r", {}, exec_mode="fork", wait_ready=False).argv()
    assert "-i" not in argv
    assert "--wait-ready" not in argv


def test_a_start_that_adds_nothing_is_an_error(home: Path) -> None:
    with pytest.raises(SluiceError, match="PM2 reported success and lists 0 new processes"):
        client(home, Runner("", "[]")).start(Start("shop", "/r/app.js", "/r", {}))


def test_what_pm2_says_is_shown_without_secrets(home: Path) -> None:
    failed = Completed(1, "", f"[PM2][ERROR] bad {SECRET}\n", 0.1)
    with pytest.raises(SluiceError) as raised:
        client(home, Runner(failed)).start(Start("shop", "/r/app.js", "/r", {}))
    assert str(raised.value) == "Cannot start shop from /r: pm2 exited with 1: [PM2][ERROR] bad ********."


def test_a_late_call_does_not_carry_its_output(home: Path) -> None:
    late = SluiceError("finish pm2", f"it was ended; the last it wrote was: {SECRET}", stdout=SECRET)
    with pytest.raises(SluiceError) as raised:
        client(home, Runner(late)).processes("shop")
    assert not raised.value.fields
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(("rest", "fails"), [([], False), ([entry(3)], True)])
def test_deleting_what_is_gone_is_no_error(home: Path, rest: list[Any], fails: bool) -> None:
    runner = Runner(Completed(1, "", "Process 3 not found", 0.2), json.dumps(rest))
    pm2 = client(home, runner)
    if fails:
        with pytest.raises(SluiceError, match=r"Cannot delete the PM2 process 3 \(shop\)"):
            pm2.delete(Process(3, 103, "shop", "online"))
    else:
        assert pm2.delete(Process(3, 103, "shop", "online")) == 0.2
    assert runner.calls[0][0] == ["-s", "delete", "3"]


def test_the_daemon_is_asked_without_a_program(home: Path) -> None:
    daemon, runner = (
        Daemon(getMonitorData=[entry(4), entry(3, PORT="80")], stopWatch=None, deleteProcessId=None),
        Runner(),
    )
    pm2 = client(home, runner, daemon)
    listed = pm2.processes("shop")
    assert [(it.id, it.pid, it.variables) for it in listed] == [(3, 103, {"PORT": "80"}), (4, 104, {})]
    assert pm2.delete(listed[0]) < 1
    assert daemon.asked[1:] == [("stopWatch", "deleteProcessId", 3), ("deleteProcessId", 3)]
    assert runner.calls == []


@pytest.mark.parametrize("answer", ["a list it is not", [{"pm_id": 3}], None, RefusedError("no such method")])
def test_what_the_daemon_tells_otherwise_is_asked_of_the_program(home: Path, answer: Any) -> None:
    runner = Runner(json.dumps([entry(3)]))
    assert [it.id for it in client(home, runner, Daemon(getMonitorData=answer)).processes("shop")] == [3]
    assert runner.calls[0][0] == ["-s", "jlist"]


@pytest.mark.parametrize(("rest", "fails"), [([], False), ([entry(3)], True)])
def test_what_the_daemon_refuses_to_delete_is_looked_for(home: Path, rest: list[Any], fails: bool) -> None:
    daemon = Daemon(getMonitorData=rest, stopWatch=None, deleteProcessId=RefusedError(f"3 id unknown, {SECRET}"))
    pm2 = client(home, Runner(), daemon)
    if fails:
        with pytest.raises(SluiceError, match=r"process 3 \(shop\): its daemon says: 3 id unknown, \*{8}"):
            pm2.delete(Process(3, 103, "shop", "online"))
    else:
        assert pm2.delete(Process(3, 103, "shop", "online")) < 1


def test_a_daemon_that_hangs_is_not_asked_again_by_the_program(home: Path) -> None:
    late, runner = LateError("no answer within 60 s"), Runner()
    pm2 = client(home, runner, Daemon(getMonitorData=late, stopWatch=None, stopProcessId=late))
    with pytest.raises(SluiceError, match=r"Cannot list the PM2 processes: the daemon of .* gives no answer within"):
        pm2.processes("shop")
    with pytest.raises(SluiceError, match=r"Cannot stop the PM2 process 3 \(shop\): the daemon of "):
        pm2.stop(Process(3, 103, "shop", "online"))
    assert runner.calls == []


def test_the_daemon_is_started_clean_in_a_closed_home(tmp_path: Path) -> None:
    runner = Runner("")
    tmp_path.chmod(0o755)
    client(tmp_path, runner).ensure_daemon()
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert runner.calls[0][0] == ["-s", "ping"]
    assert set(runner.calls[0][1]) == {"PATH", "HOME", "PM2_HOME", "PM2_DISABLE_VERSION_CHECK"}


def test_saved_reads_the_dump(home: Path) -> None:
    pm2 = client(home, Runner())
    assert pm2.saved("shop") == []
    records = [{"name": "shop", "env": {"SLUICE_MARK": "m", "NODE_APP_INSTANCE": str(n)}} for n in (1, 0)]
    (home / "dump.pm2").write_text(json.dumps([*records, {"name": "other"}]))
    assert pm2.saved("shop") == [("m", "0"), ("m", "1")]


def test_a_home_too_long_for_a_socket(tmp_path: Path) -> None:
    pm2 = Pm2(Runner(), home=str(tmp_path / ("x" * 100)), user_home="/", path="/")
    with pytest.raises(SluiceError, match="too long for a socket"):
        pm2.running()


@pytest.mark.parametrize("name", ["all", "3", "-x", " "])
def test_names_that_pm2_would_misread(name: str) -> None:
    with pytest.raises(SluiceError, match="a selection, not as a name"):
        _pm2.check_name(name)


@pytest.mark.parametrize("name", ["status", "args", "PM2_HOME", "pm_id", "SLUICE_MARK", "NODE_APP_INSTANCE"])
def test_variables_that_pm2_would_take_for_its_own(name: str) -> None:
    with pytest.raises(SluiceError, match=f"{name} would change how PM2 runs"):
        _pm2.check_environment({"PORT": "1", name: "x"})


@pytest.mark.parametrize(("path", "message"), [("a b/app.js", "through a shell"), ("a.json/app.js", "ecosystem file")])
def test_scripts_that_pm2_would_misread(tmp_path: Path, path: str, message: str) -> None:
    script = tmp_path / path
    script.parent.mkdir()
    script.touch()
    with pytest.raises(SluiceError, match=message):
        _pm2.check_script(str(script))
