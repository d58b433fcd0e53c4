# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.plugin_utils import _identity


def _send_main_pid(pipe: Any) -> None:
    pipe.send(_identity.main_pid())


def test_a_worker_names_the_process_that_started_it() -> None:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    worker = context.Process(target=_send_main_pid, args=(there,))
    worker.start()
    assert here.recv() == os.getpid()
    worker.join()


def test_this_run_lives() -> None:
    run = _identity.this_run()
    assert set(run) == {"controller", "host", "pid", "started"}
    assert _identity.has_ended(run) is False


@pytest.fixture
def process() -> Any:
    child = subprocess.Popen(["sleep", "60"])
    yield child
    child.kill()
    child.wait()


def test_a_killed_run_has_ended_even_before_it_is_waited_for(process: subprocess.Popen[bytes]) -> None:
    run = {**_identity.this_run(), "pid": process.pid, "started": _identity.start_time(process.pid)}
    assert _identity.has_ended(run) is False
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is a zombie now
    assert _identity.has_ended(run) is True


@pytest.mark.parametrize(
    ("changes", "ended"),
    [
        ({"started": 1}, True),  # the pid was given to another process
        ({"pid": 2**22 + 1}, True),  # beyond the largest pid
        ({"controller": "elsewhere", "pid": 2**22 + 1}, False),  # nobody here can know
        ({"controller": "", "pid": 2**22 + 1}, False),
        ({"pid": None}, False),
    ],
)
def test_what_is_known_of_another_run(changes: dict[str, Any], ended: bool) -> None:
    assert _identity.has_ended({**_identity.this_run(), **changes}) is ended


def test_an_empty_identity_never_counts_as_ended() -> None:
    assert _identity.has_ended({}) is False
