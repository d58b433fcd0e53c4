# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

"""What a person sees: the callback, under the real ansible-playbook and ansible-runner."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import ansible_runner
import pytest

ROOT = Path(__file__).parents[2]
PLAYBOOK = ROOT / "tests" / "fixtures" / "stages_callback" / "release.yml"
RELEASE = "20261122T013000Z-1.2.0"
COLOUR = re.compile(r"\033\[[0-9;]*m")


class Run:
    """Runs the playbook on hosts that are this machine."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        (tmp_path / "state").mkdir()
        # Nobody's settings.
        self.configuration = tmp_path / "ansible.cfg"
        self.configuration.touch()

    def inventory(self, *hosts: str) -> Path:
        path = self.tmp_path / "hosts.yml"
        variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        path.write_text(json.dumps({"app": {"hosts": dict.fromkeys(hosts, variables)}}))
        return path

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        collections = os.pathsep.join([str(ROOT / "collections"), *sys.path])
        return {
            **kept,
            "ANSIBLE_COLLECTIONS_PATH": collections,
            "ANSIBLE_CONFIG": str(self.configuration),
            "ANSIBLE_STDOUT_CALLBACK": "sluice.release.stages",
            "LANG": "C.UTF-8",
            **more,
        }

    def variables(self, *, gate_fails: bool) -> dict[str, object]:
        return {"state_dir": str(self.tmp_path / "state"), "release_id": RELEASE, "gate_fails": gate_fails}

    def argv(self, *options: str, gate_fails: bool, hosts: tuple[str, ...]) -> list[str]:
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        variables = json.dumps(self.variables(gate_fails=gate_fails))
        return [program, "-i", str(self.inventory(*hosts)), "-e", variables, *options, str(PLAYBOOK)]

    def __call__(
        self, *options: str, gate_fails: bool = True, hosts: tuple[str, ...] = ("app1",), **environment: str
    ) -> tuple[int, list[str]]:
        argv = self.argv(*options, gate_fails=gate_fails, hosts=hosts)
        environ = self.environment(**environment)
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=180, check=False)
        return done.returncode, done.stdout.splitlines()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def timeless(lines: list[str]) -> list[str]:
    """Replace every measured duration, which differs from run to run."""
    return [re.sub(r"([✔✘]  )\d[\d.]* (?:m?s|min\b[ \d]*s?)", r"\1T", line) for line in lines]


def test_a_release_that_is_taken_back(run: Run, tmp_path: Path) -> None:
    status, lines = run()
    report = tmp_path / "state" / "reports" / f"{RELEASE}.html"
    assert status == 2
    assert [re.sub(r" +", " ", line) for line in timeless(lines)] == [
        f"SLUICE dealradarus lab 1.1.0 -> 1.2.0 release {RELEASE}",
        " preflight ▸ started",
        "a remark of the profile",
        " preflight ✔ T score 100",
        " backup ▸ up to 60 s",
        " backup ✔ T of 60 s 5 tables, 1.2 MB, verified by restore",
        " switch ▸ up to 120 s",
        " switch ✔ T of 120 s",
        " gate ▸ up to 120 s",
        " gate ✘ T of 120 s red: error_rate_pct was 38.2 %, critical at or above 5 %, for 3.5 s (sustained limit 3 s)",
        " Cannot let 1.2.0 go on: error_rate_pct was 38.2 %, critical at or above 5 %. It is taken back.",
        " rollback ▸ up to 300 s",
        " rollback ✔ T of 300 s level 2 to 1.1.0",
        "",
        f"FAILED rolled back to 1.1.0 in 4.1 s. Report: {report}",
    ]
    assert report.exists()


def test_a_good_release_on_two_hosts_without_unicode(run: Run) -> None:
    status, lines = run(gate_fails=False, hosts=("app1", "app2"), LANG="C")
    assert status == 0
    assert all(line.isascii() for line in lines)
    assert lines[0].endswith(f"1.1.0 -> 1.2.0  2 hosts   release {RELEASE}")
    for host in ("app1", "app2"):
        assert sum(line.startswith(f"  gate         {host}  ok") for line in lines) == 1
    assert lines[-1].startswith("SUCCEEDED  1.2.0 serves on 2 hosts after ")


def test_check_mode_and_diff(run: Run, tmp_path: Path) -> None:
    status, lines = run("--check", "--diff", gate_fails=True)
    assert status == 2
    assert lines[0].startswith("SLUICE  CHECK  dealradarus")
    assert "+back" in lines
    assert "  app1: Write a file, with a diff" in lines
    assert list((tmp_path / "state").iterdir()) == []


def test_the_raw_stream_on_request(run: Run) -> None:
    status, lines = run("--check", gate_fails=False, SLUICE_OUTPUT="raw")
    assert status == 0
    text = "\n".join(lines)
    assert "TASK [Enter preflight]" in text
    assert "PLAY RECAP" in text
    assert "SLUICE" not in text


def test_on_a_terminal_the_live_line_is_rewritten_in_place(run: Run) -> None:
    argv = run.argv(gate_fails=False, hosts=("app1",))
    controller, terminal = pty.openpty()
    environment = run.environment(TERM="xterm", COLUMNS="100")
    with subprocess.Popen(argv, env=environment, stdout=terminal, stderr=terminal, stdin=terminal) as process:
        os.close(terminal)
        seen = bytearray()
        # The terminal ends with an error once nobody writes to it any more.
        while select.select([controller], [], [], 120)[0]:
            try:
                seen += os.read(controller, 65536)
            except OSError:
                break
    os.close(controller)
    assert process.returncode == 0
    text = COLOUR.sub("", seen.decode())
    left = [line.rpartition("\r\033[K")[2].rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    assert sum(line.startswith("  gate         ✔") for line in left) == 1
    # While it ran it was on the line that is rewritten, and nowhere else.
    assert "\r\033[K  gate         ▸" in text
    assert not any("▸" in line for line in left)
    assert left[-2].startswith("SUCCEEDED  1.2.0 serves after ")


@pytest.mark.parametrize("how", ["chosen", "beside"])
def test_under_a_runner(run: Run, tmp_path: Path, how: str) -> None:
    chosen = how == "chosen"
    (tmp_path / "runner").mkdir()
    environment = run.environment()
    if not chosen:
        # The runner forces its own; ours is enabled, too, and simply not used.
        del environment["ANSIBLE_STDOUT_CALLBACK"]
        environment["ANSIBLE_CALLBACKS_ENABLED"] = "sluice.release.stages"
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    result = ansible_runner.run(
        private_data_dir=str(tmp_path / "runner"),
        playbook=str(PLAYBOOK),
        inventory=str(run.inventory("app1")),
        envvars=environment,
        extravars=run.variables(gate_fails=False),
        quiet=True,
    )
    assert (result.status, result.rc) == ("successful", 0)
    text = COLOUR.sub("", result.stdout.read())
    assert "\033[K" not in text
    assert ("SUCCEEDED  1.2.0 serves after " in text) is chosen
    assert ("PLAY RECAP" in text) is not chosen
    assert "Traceback" not in text
