# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions of the preflight checks, without a server."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import Completed
from ansible_collections.sluice.release.plugins.module_utils.preflight import (
    _command,
    _disk,
    _file,
    _port,
    _variables,
    _writable,
)
from ansible_collections.sluice.release.plugins.module_utils.preflight._checks import (
    KINDS,
    check_spec,
    problems,
    run_checks,
    spec,
)

ENVIRONMENT = {"NODE_ENV": "production", "PORT": 3001, "CACHE": True, "BLANK": "  ", "JWT_SECRET": "geheim"}


def check(**given: Any) -> dict[str, Any]:
    """A check with every option, as Ansible would hand it over."""
    return {name: option.get("default") for name, option in check_spec().items()} | given


def params(*checks: dict[str, Any], **given: Any) -> dict[str, Any]:
    """The parameters of the module, as Ansible would hand them over."""
    return {name: option.get("default") for name, option in spec().items()} | {"checks": list(checks)} | given


@pytest.mark.parametrize(
    ("required", "expected", "passed", "message"),
    [
        (["NODE_ENV", "PORT"], {}, True, "2 of 2 variables are there"),
        (["NODE_ENV"], {"NODE_ENV": "production", "PORT": "3001", "CACHE": True}, True, "3 of 3 variables are there"),
        (["NODE_ENV", "A"], {}, False, "A is missing or empty"),
        (["A", "BLANK", "NODE_ENV"], {}, False, "A, BLANK are missing or empty"),
        ([], {"NODE_ENV": "staging"}, False, "NODE_ENV is not staging"),
        (["A"], {"JWT_SECRET": "other"}, False, "A is missing or empty; JWT_SECRET is not other"),
        ([], {"A": "1"}, False, "A is missing or empty"),
    ],
)
def test_variables(required: list[str], expected: dict[str, Any], passed: bool, message: str) -> None:
    finding = _variables.compare(ENVIRONMENT, required, expected)
    assert (finding.passed, finding.message) == (passed, message)
    assert "geheim" not in str(finding)


def test_variables_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "env.json"
    asked = check(type="variables", config=str(path), required=["A"])
    assert _variables.look(asked).message == f"{path} cannot be read (No such file or directory)"
    path.write_text("A=1")
    assert _variables.look(asked).message == f"{path} must be a JSON object of variables"
    path.write_text(json.dumps({"A": "1"}))
    assert _variables.look(asked).passed


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v18.20.4", (18, 20, 4)),
        ("pm2 7.0", (7, 0)),
        ("psql (PostgreSQL) 16.2", (16, 2)),
        ("none", None),
        ("go version go1.21.3 linux/amd64", (1, 21, 3)),
        ("pm2", None),
        ("18", (18,)),
    ],
)
def test_version_of(text: str, version: tuple[int, ...] | None) -> None:
    assert _command.version_of(text) == version


@pytest.mark.parametrize(
    ("done", "least", "pattern", "passed", "message"),
    [
        (Completed(0, "v18.20.4\n", "", 0), "18", None, True, "node is 18.20.4"),
        (Completed(0, "v18.0.0", "", 0), "18.0.0.0", None, True, "node is 18.0.0"),
        (Completed(0, "v9.1", "", 0), "18", None, False, "node is 9.1, at least 18 is needed"),
        (Completed(0, "v16.20.2", "", 0), "18", None, False, "node is 16.20.2, at least 18 is needed"),
        (Completed(0, "", "openjdk 21.0.1", 0), "17", None, True, "node is 21.0.1"),
        (Completed(0, "build 3, version 2.1", "", 0), "2", r"version (\S+)", True, "node is 2.1"),
        (Completed(0, "hello", "", 0), "18", None, False, "node shows no version"),
        (Completed(0, "v18", "", 0), "new", None, False, "min_version new of node is no version"),
        (Completed(0, "anything", "", 0), None, None, True, "node ended well"),
        (Completed(3, "", "no such flag\n", 0), None, None, False,
         "node ended with status 3 and said: no such flag"),
    ],
)  # fmt: skip
def test_command(done: Completed, least: str | None, pattern: str, passed: bool, message: str) -> None:
    finding = _command.judge("node", done, least, pattern)
    assert (finding.passed, finding.message) == (passed, message)


def test_command_is_looked_up_in_the_given_directories(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\necho tool 2.5\n")
    program.chmod(0o755)
    found = _command.look(check(type="command", argv=["tool"], min_version="2", path_prepend=[str(tmp_path)]))
    assert (found.passed, found.message) == (True, "tool is 2.5")
    absent = _command.look(check(type="command", argv=["tool"]))
    assert not absent.passed
    assert absent.message.startswith("tool cannot be run: it is in none of the directories ")


def test_command_that_hangs_is_ended() -> None:
    finding = _command.look(check(type="command", argv=["sleep", "60"], timeout=0.2))
    assert not finding.passed
    assert "limit 0.2 s" in finding.message


TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1 0 100 0 0 10 0
   1: 0100007F:0BB9 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000  1000        0 222 1 0 20 4 30 10 -1
   2: 00000000:0BBA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
"""


def test_listening_sockets_are_told_from_connections() -> None:
    assert list(_port.listening(TABLE, 3001)) == [_port.Socket(inode=111, uid=1000)]
    assert list(_port.listening(TABLE, 3002)) == [_port.Socket(inode=333, uid=0)]
    assert list(_port.listening(TABLE, 80)) == []


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_this_process_is_found_as_the_holder_of_its_port(family: socket.AddressFamily) -> None:
    host = "127.0.0.1" if family is socket.AF_INET else "::1"
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        (holder,) = _port.holders(port)
        assert holder.pid == os.getpid()
        finding = _port.look(check(type="port", port=port))
    assert not finding.passed
    assert finding.message.startswith(f"port {port} is taken by pid {os.getpid()} (")
    assert finding.message.endswith("; stop it or choose another port")
    assert _port.look(check(type="port", port=port)).message == f"port {port} is free"


def test_a_port_of_our_own_process_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pids").mkdir()
    (tmp_path / "pids" / "api-0.pid").write_text(str(os.getpid()))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        given = check(type="port", port=port, process="api", pm2_home=str(tmp_path))
        assert _port.look(given).message == f"port {port} is held by api itself"
        assert not _port.look({**given, "process": "other"}).passed
        monkeypatch.setenv("PM2_HOME", str(tmp_path))
        assert _port.look({**given, "pm2_home": None}).passed


def holder(pid: int | None) -> _port.Holder:
    return _port.Holder(pid, "node", "app")


@pytest.mark.parametrize(
    ("pid", "daemon", "own", "foreign"),
    [
        pytest.param(50, 50, [99999999], False, id="the-daemon-that-runs-ours"),
        pytest.param(50, 50, [os.getpid()], True, id="the-daemon-that-runs-ours-in-fork-mode"),
        pytest.param(50, 50, [], True, id="the-daemon-that-runs-only-others"),
        pytest.param(60, 50, [60, 61], False, id="our-process-in-fork-mode"),
        pytest.param(os.getpid(), 50, [os.getppid()], False, id="a-child-of-our-process"),
        pytest.param(os.getpid(), os.getppid(), [99999999], True, id="another-child-of-the-daemon"),
        pytest.param(70, 50, [60], True, id="a-stranger"),
        pytest.param(None, 50, [60], True, id="one-that-cannot-be-seen"),
        pytest.param(70, None, [], True, id="without-pm2"),
    ],
)
def test_whose_port_it_is(pid: int | None, daemon: int | None, own: list[int], foreign: bool) -> None:
    assert bool(_port.foreign([holder(pid)], daemon, own)) is foreign


def test_cluster_workers_are_known_by_their_environment(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "environ").write_bytes(b"PATH=/bin\0NODE_UNIQUE_ID=1\0")
    assert _port.is_cluster_worker(7, str(tmp_path))
    assert not _port.is_cluster_worker(os.getpid())


def test_pm2_pids_are_those_of_the_named_process_alone(tmp_path: Path) -> None:
    (tmp_path / "pids").mkdir()
    (tmp_path / "pm2.pid").write_text(f"{os.getppid()}")
    for name in ("api-0", "api-1", "api-worker-2", "my-api-3", "api-x"):
        (tmp_path / "pids" / f"{name}.pid").write_text(f"{os.getpid()}\n")
    (tmp_path / "pids" / "api-1.pid").write_text("99999999")
    assert _port.pm2_pids(str(tmp_path), "api") == (os.getppid(), [os.getpid()])
    assert _port.pm2_pids(str(tmp_path), "api worker")[1] == [os.getpid()]
    assert _port.pm2_pids(str(tmp_path / "nothing"), "api") == (None, [])


@pytest.mark.parametrize(
    ("free", "free_mb", "free_pct", "passed", "message"),
    [
        (512, 500, None, True, "512 MB (50 %) are free at /x"),
        (512, 513, None, False, "only 512 MB (50 %) are free at /x, 513 MB are needed"),
        (512, None, 50, True, "512 MB (50 %) are free at /x"),
        (512, None, 51, False, "only 512 MB (50 %) are free at /x, 51 % are needed"),
    ],
)
def test_disk(free: int, free_mb: float | None, free_pct: float | None, passed: bool, message: str) -> None:
    finding = _disk.judge("/x", free * 1024**2, 1024**3, free_mb, free_pct)
    assert (finding.passed, finding.message) == (passed, message)


def test_disk_of_a_directory_that_is_yet_to_be_made(tmp_path: Path) -> None:
    assert _disk.look(check(type="disk", path=str(tmp_path / "a" / "b"), free_mb=0.1)).passed


def test_file(tmp_path: Path) -> None:
    full, empty, link = tmp_path / "full", tmp_path / "empty", tmp_path / "link"
    full.write_text("x")
    empty.touch()
    link.symlink_to(tmp_path / "nowhere")
    (tmp_path / "dir").mkdir()
    found = {name: _file.look(check(type="file", path=str(tmp_path / name))) for name in os.listdir(tmp_path)}
    assert found["full"].passed
    assert found["empty"].message == f"{empty} is empty"
    assert found["link"].message == f"{link} is a link to nothing"
    assert found["dir"].message == f"{tmp_path / 'dir'} is empty"
    assert _file.look(check(type="file", path=str(tmp_path))).passed
    assert _file.look(check(type="file", path="/no/such")).message == "/no/such does not exist"


def test_writable(tmp_path: Path) -> None:
    there = _writable.look(check(type="writable", path=str(tmp_path)))
    assert (there.passed, there.message) == (True, f"{tmp_path} is writable")
    coming = _writable.look(check(type="writable", path=str(tmp_path / "a" / "b")))
    assert (coming.passed, coming.message) == (True, f"{tmp_path / 'a' / 'b'} can be made")
    (tmp_path / "file").touch()
    assert not _writable.look(check(type="writable", path=str(tmp_path / "file" / "a"))).passed
    assert not _writable.look(check(type="writable", path="/proc/1")).passed
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"type": "port"}, "port: it has no port"),
        ({"type": "port", "port": 1, "url": "x"}, "port: url does not belong to type port"),
        ({"type": "command", "name": "node"}, "node: it has no argv"),
        ({"type": "variables", "required": ["A"]}, "variables: it needs exactly one of config and values"),
        (
            {"type": "disk", "path": "/", "free_mb": 1, "free_pct": 1},
            "disk: it needs exactly one of free_mb and free_pct",
        ),
        ({"type": "file", "path": "/", "timeout": 0}, "file: timeout must be above 0"),
        ({"type": "file", "path": "/", "weight": -1}, "file: weight must be 0 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], problem: str) -> None:
    assert list(problems([check(**given)])) == [problem]
    with pytest.raises(SluiceError, match="Cannot use the preflight checks"):
        run_checks(params(check(**given)))


def test_no_checks_prove_nothing() -> None:
    with pytest.raises(SluiceError, match="there is none"):
        run_checks(params())


def test_the_least_that_each_type_needs_is_known() -> None:
    for name, kind in KINDS.items():
        given = dict.fromkeys((*kind.required, *kind.one_of[:1]), "x")
        assert list(problems([check(type=name, **given)])) == []


def test_options_of_the_same_name_are_the_same() -> None:
    for kind in KINDS.values():
        assert {name: check_spec()[name] for name in kind.options} == kind.options


def test_what_was_found_for_the_fleet_counts_on_every_host() -> None:
    here = check(type="file", name="here", path="/no/such", group="code", weight=3.0)
    shared = run_checks(params(here, judge=False))
    own = params(check(type="file", path="/"), found=shared["checks"], group_weights={"code": 1})
    result = run_checks({**own, "waivers": []})
    assert [(one["name"], one["passed"], one["weight"]) for one in result["checks"]] == [
        ("here", False, 3.0), ("file", True, 1.0),
    ]  # fmt: skip
    assert (result["passed"], result["score"]) == (False, 50.0)
    waiver = {"item": "here", "person": "Ada", "reason": "moved", "until": "2999-12-31"}
    assert run_checks({**own, "waivers": [waiver]})["passed"]
