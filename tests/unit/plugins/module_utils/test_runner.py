# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner with real processes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner, redact, tail


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("nothing here", ["s3cret"], "nothing here"),
        ("password s3cret!", ["s3cret"], "password ********!"),
        ("a s%2Fcret b", ["s/cret"], "a ******** b"),
        ("a s+cret s%20cret", ["s cret"], "a ******** ********"),
        ('{"p": "a\\"b"}', ['a"b'], '{"p": "********"}'),
        ("postgres://u:pw@h/db", [], "postgres://u:********@h/db"),
        ("redis://:pw@h:6379/0 and amqp://x:y@z", [], "redis://:********@h:6379/0 and amqp://x:********@z"),
        ("no user: http://h:80/a@b", [], "no user: http://h:80/a@b"),
        ('FATAL: password "p/w" wrong', ["postgres://u:p%2Fw@h/db"], 'FATAL: password "********" wrong'),
        ("abc abcdef", ["abc", "abcdef"], "******** ********"),
        ("text", [""], "text"),
    ],
)
def test_redact(text: str, secrets: list[str], expected: str) -> None:
    assert redact(text, secrets) == expected


def test_tail() -> None:
    assert tail("a\nb\nc\n\n", 2) == "b\nc"


def test_what_a_process_leaves() -> None:
    done = SubprocessRunner(base_env={"A": "1"})(
        ["/bin/sh", "-c", "cat; echo $A$B; echo err >&2; exit 3"], env={"B": "2"}, stdin="in\n", cwd="/"
    )
    assert (done.rc, done.stdout, done.stderr) == (3, "in\n12\n", "err\n")
    assert done.seconds > 0


def test_output_is_redacted() -> None:
    done = SubprocessRunner(["s3cret"])(["/bin/sh", "-c", "echo s3cret; echo redis://:s3cret@h >&2"])
    assert done.stdout == "********\n"
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize("stream", ["", " >&2"])
def test_a_program_that_writes_too_much_is_no_success(stream: str) -> None:
    runner = SubprocessRunner(max_output=1 << 20)
    assert len(runner(["/bin/sh", "-c", "head -c 1000000 /dev/zero"]).stdout) == 1_000_000
    with pytest.raises(SluiceError, match="it wrote more than 1 MB"):
        runner(["/bin/sh", "-c", f"head -c 1100000 /dev/zero{stream}"])
    with pytest.raises(SluiceError, match="it wrote more than 1 MB"):
        runner(["/bin/sh", "-c", f"yes{stream}"], timeout=30)
    with pytest.raises(SluiceError, match="it was ended after"):
        runner(["sleep", "30"], timeout=0.2)


@pytest.mark.parametrize(
    ("argv", "cwd", "message"),
    [
        (["/no/such/program", "arg"], None, "Cannot run /no/such/program: there is no such program."),
        (["/bin/true"], "/no/such/dir", "Cannot run /bin/true: the directory /no/such/dir does not exist."),
        (["/etc/passwd"], None, "Cannot run /etc/passwd: Permission denied."),
    ],
)
def test_what_cannot_be_started(argv: list[str], cwd: str | None, message: str) -> None:
    with pytest.raises(SluiceError) as error:
        SubprocessRunner()(argv, cwd=cwd)
    assert str(error.value).startswith(message)


def test_a_timeout_ends_the_whole_group_and_says_what_was_seen(tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = (
        f"import os,time; print('begun s3cret', flush=True); pid = os.fork(); "
        f"pid or open({str(child)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    with pytest.raises(SluiceError, match=r"ended after .* \(limit 1 s\).*begun \*{8}") as error:
        SubprocessRunner(["s3cret"])([sys.executable, "-c", script], timeout=1)
    assert error.value.fields["stdout"] == "begun ********\n"
    pid = int(child.read_text())
    deadline = time.monotonic() + 5
    while _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(pid)


def test_a_process_that_does_not_listen_is_killed() -> None:
    started = time.monotonic()
    with pytest.raises(SluiceError):
        SubprocessRunner()(["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"], timeout=0.3)
    assert time.monotonic() - started < 10


def test_a_daemon_left_behind_does_not_keep_us_waiting() -> None:
    done = SubprocessRunner()(["/bin/sh", "-c", "setsid sleep 5 & echo gone"], timeout=4)
    assert done.stdout == "gone\n"
    assert done.seconds < 4


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_environment_is_the_own_one_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TEST", "yes")
    assert SubprocessRunner()(["/bin/sh", "-c", "echo $SLUICE_TEST"]).stdout == "yes\n"
    assert os.environ["SLUICE_TEST"] == "yes"
