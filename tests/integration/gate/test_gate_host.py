# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What checks see of the host: ports, disks, processes, logs, commands."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from gating import Gate, later, reason


def test_ports_and_disks(gate: Gate, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        latency = {"name": "latency", "type": "port", "port": port, "value": "latency_ms", "crit": 1000}
        disk = {"name": "disk", "type": "disk", "path": str(tmp_path), "value": "free_mb", "crit": 1}
        result = gate({"name": "it", "type": "port", "port": port}, latency, disk, duration=0.2)
        assert result["verdict"] == "green", result
        assert 0 < result["gates"][1]["value"] < 1000
    closed = gate({"name": "it", "type": "port", "port": port})
    assert reason(closed) == "it could not be reached (connection refused) at the first look"
    assert gate({"name": "it", "type": "port", "port": port, "expect": "closed"})["verdict"] == "green"
    gone = gate({**disk, "name": "it", "path": "/nowhere"})
    assert reason(gone).endswith("/nowhere cannot be looked at (No such file or directory)")


def test_a_process_that_is_started_anew(gate: Gate, tmp_path: Path) -> None:
    pid_file = tmp_path / "app.pid"
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        running.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        pid_file.write_text(str(running[-1].pid))

    def restart() -> None:
        running[-1].kill()
        running[-1].wait()
        start()

    start()
    place = {"type": "process", "pid_file": str(pid_file)}
    try:
        with later(0.6, restart):
            result = gate(
                # In the moment in which nothing runs there is nothing to measure.
                {**place, "name": "cpu", "value": "cpu_pct", "warn": 5, "window": 1, "on_no_data": "hold"},
                {**place, "name": "restarts", "value": "restarts", "crit": 1},
                {**place, "name": "memory", "value": "memory_largest_mb", "crit": 1000, "on_no_data": "hold"},
                duration=10,
            )
    finally:
        running[-1].kill()
        running[-1].wait()
    cpu, restarts, memory = result["gates"]
    assert restarts["verdict"] == "red"
    assert restarts["reason"].startswith("restarts was 1, critical at or above 1, 0.")
    assert 10 < cpu["worst"] < 250
    assert 1 < memory["value"] < 200
    stopped = gate({**place, "name": "it", "value": "running"})
    assert reason(stopped) == "it is not running; 0 of 1 instances run at the first look"


def test_a_log_that_is_rotated_while_it_is_watched(gate: Gate, tmp_path: Path) -> None:
    log, position = tmp_path / "app.log", tmp_path / "position.json"
    log.write_text("2026-11-22 ERROR long ago\n")
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.wait(0.002):
            with log.open("a") as stream:
                stream.write(f"{time.time_ns()} ERROR {written} password=geheim\n{time.time_ns()} fine\n")
            written += 1
            if written % 100 == 50:
                log.rename(tmp_path / f"app.log.{written}")
            elif written % 100 == 0:
                # A copytruncate loses what is written between the two; here nobody writes then.
                shutil.copy(log, tmp_path / f"app.log.{written}")
                os.truncate(log, 0)

    writer = threading.Thread(target=write)
    errors = {"type": "log", "paths": [str(log)], "pattern": "ERROR", "position_file": str(position), "show": True}
    result = gate({**errors, "name": "errors", "warn": 0})
    assert result["gates"][0]["value"] == 0
    writer.start()
    result = gate(
        {**errors, "name": "errors", "warn": 0},
        {**errors, "name": "fine", "pattern": "fine", "value": "rate_per_minute", "window": 1, "crit": 1e9},
        duration=1.5,
    )
    stop.set()
    writer.join()
    kept = position.read_bytes()
    gate({**errors, "name": "errors", "warn": 1e9}, check=True)
    assert position.read_bytes() == kept, "check mode writes nothing"
    rest = gate({**errors, "name": "errors", "warn": 1e9})["gates"][0]["value"]
    count, rate = result["gates"]
    assert written > 150, "it was rotated several times"
    assert count["value"] + rest == written
    assert rate["value"] > 1000
    assert "the first was: " in count["reason"]
    assert "ERROR 0 password=********" in count["reason"]


def test_logs_that_are_not_there(gate: Gate, tmp_path: Path) -> None:
    missing = {"name": "it", "type": "log", "paths": [str(tmp_path / "*.log")], "pattern": "x", "crit": 1}
    assert "there is no" in reason(gate(missing, duration=0.2))
    assert gate({**missing, "on_no_data": "pass"}, duration=0.2)["verdict"] == "green"
    if not os.path.isdir("/run/systemd/system"):
        unit = {"name": "it", "type": "log", "systemd_unit": "app.service", "pattern": "x", "crit": 1}
        assert "journalctl" in reason(gate(unit, duration=0.2))


def test_commands(gate: Gate, tmp_path: Path) -> None:
    report = json.dumps({"metadata": {"vulnerabilities": {"critical": 2}}})
    program = f"import os, sys; assert os.environ['TOKEN'] == 'geheim'; print({report!r}); sys.exit(1)"
    audit = {
        "type": "command", "argv": [sys.executable, "-c", program], "secret_environment": {"TOKEN": "geheim"},
        "query": "metadata.vulnerabilities.critical", "rc": [0, 1],
    }  # fmt: skip
    hangs = {"type": "command", "argv": ["sleep", "60"], "timeout": 0.5}
    result = gate(
        {**audit, "name": "audit", "crit": 1},
        {**hangs, "name": "hangs"},
        {"name": "missing", "type": "command", "argv": ["no-such-program"]},
        {"name": "well", "type": "command", "argv": ["true"]},
        stop_on_red=False,
    )
    assert [judged["verdict"] for judged in result["gates"]] == ["red", "red", "red", "green"]
    assert reason(result, "audit") == "audit was 2, critical at or above 1, at the first look"
    assert "hangs could not be run to its end (it was ended after 0.5 s" in reason(result, "hangs")
    assert "missing ended with status 127 instead of 0" in reason(result, "missing")
