# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's state: what is drawn once, who may read it, and when it is refused."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sluice_lab import processes, services
from sluice_lab.errors import LabError
from sluice_lab.lab import Facts, Lab, clean_environment, free_ports


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(state=tmp_path / "lab")


def test_facts_are_yaml_that_reads_back() -> None:
    facts = Facts.draw()
    assert Facts.parse(facts.render()) == facts
    assert yaml.safe_load(facts.render()) == dataclasses.asdict(facts)


def test_facts_are_drawn_once_and_private(lab: Lab) -> None:
    facts = lab.prepare()
    assert lab.prepare() == lab.facts() == facts
    assert stat.S_IMODE(lab.facts_file.stat().st_mode) == 0o600
    assert [path.name for path in lab.state.iterdir() if path.is_file()] == ["lab.yml"]


def test_what_an_older_lab_lacks_is_drawn_and_kept(lab: Lab) -> None:
    facts = lab.prepare()
    lines = [line for line in lab.facts_file.read_text().splitlines() if not line.startswith("jwt_secret")]
    lab.facts_file.write_text("\n".join([*lines, "gone: 1"]))
    repaired = lab.prepare()
    assert dataclasses.replace(repaired, jwt_secret=facts.jwt_secret) == facts
    assert lab.facts() == repaired


def test_no_lab_is_an_error_that_says_what_to_run(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"Cannot find the lab: .*lab\.yml does not exist\. Run `make lab`\."):
        lab.facts()


def test_a_path_too_long_for_a_socket_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    state = tmp_path / ("x" * 90)
    with pytest.raises(LabError, match="longer than 107 bytes"):
        Lab(state=state).prepare()
    assert not state.exists()


def test_ports_are_different_and_below_the_range_of_outgoing_connections() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(20000 <= port < 32000 for port in ports)


def test_tools_get_no_secret_of_the_caller(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@h/d")
    environment = clean_environment(lab)
    assert "DATABASE_URL" not in environment
    assert environment["PATH"].startswith(f"{lab.bin}:")


def test_only_one_run_changes_the_lab(lab: Lab) -> None:
    lab.prepare()
    with (lab.state / "lab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LabError, match="another run"):
            services.down(lab)


def test_stopping_without_a_lab_is_no_error(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    services.down(lab)
    assert "no lab here" in capsys.readouterr().out


def test_a_pid_file_is_believed_only_with_the_right_command_line(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert processes.pid_from(file, "python") is None
    file.write_text("not a number\n")
    assert processes.pid_from(file, "python") is None
    file.write_text(f"{os.getpid()}\nmore\n")
    assert processes.pid_from(file, "no such mark") is None
    assert processes.pid_from(file, processes.command_line(os.getpid())[:20]) == os.getpid()


def test_a_process_that_ignores_the_gentle_signal_is_killed(tmp_path: Path) -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    mark = f"mark-{os.getpid()}"
    with subprocess.Popen([sys.executable, "-c", code, mark], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        file = tmp_path / "pid"
        file.write_text(str(process.pid))
        assert processes.stop(file, mark, gently=processes.signal.SIGTERM, patience=0.3)
        assert process.wait(5) == -processes.signal.SIGKILL
    assert not processes.stop(file, mark, gently=processes.signal.SIGTERM)
