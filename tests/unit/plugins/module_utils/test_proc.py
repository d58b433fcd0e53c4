# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import time

import pytest

from ansible_collections.sluice.release.plugins.module_utils import _proc

GONE = 2**22 + 1
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
STAT = "42 (a (strange) name) {state} 7 42 41 0 -1 4194304 0 0 0 0 100 50 0 0 20 0 1 0 12345 0 256 0"
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1001 1 0 100 0 0 10 0
   1: 0100007F:0BB8 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1002 1 0 20 4 30 10 -1
   2: 0100007F:D431 0100007F:0BB8 01 00000000:00000000 00:00000000 00000000     0        0 1003 1 0 20 4 30 10 -1
   3: 0100007F:0BB8 0100007F:D432 06 00000000:00000000 03:00001762 00000000     0        0 0 3 0
   4: 0100007F:0BB8 cut off
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (STAT.format(state="S"), _proc.Process(42, 7, 41, 12345, 150 / TICKS, 256 * PAGE)),
        (STAT.format(state="R"), _proc.Process(42, 7, 41, 12345, 150 / TICKS, 256 * PAGE)),
        (STAT.format(state="Z"), None),
        (STAT.format(state="X"), None),
        ("", None),
        ("42 (short) S 1", None),
        (STAT.format(state="S").replace("12345", "soon"), None),
    ],
)
def test_a_line_of_the_kernel(text: str, found: _proc.Process | None) -> None:
    assert _proc.parse(text) == found


@pytest.mark.parametrize(("pid", "members"), [(2, [2, 3, 5, 4]), (4, [4]), (9, [])])
def test_a_family_is_everything_below(pid: int, members: list[int]) -> None:
    parents = {1: 0, 2: 1, 3: 2, 4: 3, 5: 2, 6: 1}
    known = {one: _proc.Process(one, parent, 1, 1) for one, parent in parents.items()}
    assert [one.pid for one in _proc.family(pid, known)] == members


@pytest.mark.parametrize(("port", "inodes"), [(3000, ["1002"]), (54321, ["1003"]), (80, [])])
def test_connections_that_stand(port: int, inodes: list[str]) -> None:
    assert list(_proc.established(TCP, port)) == inodes
    assert list(_proc.established("", port)) == []


def test_this_process_and_one_that_ends() -> None:
    me = _proc.process(os.getpid())
    assert me is not None
    assert (me.parent, me.session) == (os.getppid(), os.getsid(0))
    assert me.pid in {one.pid for one in _proc.processes()}
    with subprocess.Popen(["cat", "one", "-"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        deadline = time.monotonic() + 10
        while not (found := _proc.process(child.pid)) or not 0.02 < _proc.age(found) < 5:
            assert time.monotonic() < deadline
        assert _proc.title(child.pid).split() == ["cat", "one", "-"]
        assert child.stdin
        child.stdin.close()
        # It waits to be noticed, and is none any more.
        while _proc.process(child.pid):
            assert time.monotonic() < deadline
    assert (_proc.process(child.pid), _proc.title(child.pid), _proc.read(GONE, "environ")) == (None, "", "")
