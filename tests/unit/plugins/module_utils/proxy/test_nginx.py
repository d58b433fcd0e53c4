# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that names the live slot."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.proxy import _nginx, _workers

PORT = "upstream shop { server 127.0.0.1:{port}; }"
SERVERS = "upstream shop { {servers} }"
PORTS = (3001, 3011)


@pytest.mark.parametrize(
    ("content", "shares", "instances", "text"),
    [
        (PORT, [(3001, 100)], 1, "upstream shop { server 127.0.0.1:3001; }\n"),
        (SERVERS, [(3001, 100)], 1, "upstream shop { server 127.0.0.1:3001; }\n"),
        (SERVERS, [(3011, 100)], 2, "upstream shop { server 127.0.0.1:3011; server 127.0.0.1:3012; }\n"),
        (
            SERVERS,
            [(3001, 90), (3011, 10)],
            1,
            "upstream shop { server 127.0.0.1:3001 weight=90; server 127.0.0.1:3011 weight=10; }\n",
        ),
    ],
)
def test_render(content: str, shares: list[tuple[int, int]], instances: int, text: str) -> None:
    assert _nginx.render(content, shares, instances) == text


@pytest.mark.parametrize(
    ("content", "shares", "cause"),
    [
        ("upstream shop {}", [(3001, 100)], "neither {port} nor {servers}"),
        (PORT, [(3001, 90), (3011, 10)], "has one {port}"),
    ],
)
def test_a_content_that_cannot_say_it_is_refused(content: str, shares: list[tuple[int, int]], cause: str) -> None:
    with pytest.raises(SluiceError, match=cause):
        _nginx.render(content, shares)


@pytest.mark.parametrize(
    ("text", "live"),
    [
        (None, None),
        (_nginx.render(PORT, [(3001, 100)]), 3001),
        (_nginx.render(PORT, [(3011, 100)]), 3011),
        ("server 127.0.0.1:3011 weight=1;", 3011),
        ("server 127.0.0.1:30111;", None),
        ("server 127.0.0.1:3001; server 127.0.0.1:3011;", None),
        (_nginx.render(SERVERS, [(3001, 90), (3011, 10)]), 3001),
        (_nginx.render(SERVERS, [(3001, 10), (3011, 90)]), 3011),
        (_nginx.render(SERVERS, [(3001, 50), (3011, 50)]), None),
    ],
)
def test_live_port(text: str | None, live: int | None) -> None:
    assert _nginx.live_port(text, PORT, PORTS) == live


@pytest.mark.parametrize("live", [None, 3001])
def test_a_file_says_that_it_may_not_have_been_read(live: int | None) -> None:
    assert _nginx.settled(_nginx.pending("server 127.0.0.1:3011;\n", live)) == ("server 127.0.0.1:3011;\n", True, live)
    assert _nginx.settled("server 127.0.0.1:3011;\n") == ("server 127.0.0.1:3011;\n", False, None)


def script(body: str) -> list[str]:
    return [sys.executable, "-c", body]


def route(path: Path, **options: Any) -> _nginx.NginxRoute:
    settings = {"content": PORT, "ports": PORTS, "runner": SubprocessRunner(), "reload": script(""), **options}
    return _nginx.NginxRoute(str(path), **settings)


@pytest.mark.parametrize("before", [None, "upstream shop { server 127.0.0.1:3001; }\n"])
@pytest.mark.parametrize("step", ["test", "reload"])
def test_a_refusal_puts_the_file_back(tmp_path: Path, before: str | None, step: str) -> None:
    path = tmp_path / "upstream.conf"
    if before is not None:
        path.write_text(before)
    refuse = script("import sys; sys.exit('no such directive')")
    with pytest.raises(SluiceError) as raised:
        route(path, **{step: refuse}).point(3011)
    assert str(raised.value).startswith("Cannot point the proxy at port 3011: ")
    assert "no such directive" in str(raised.value)
    assert (path.read_text() if path.exists() else None) == before


def test_an_unchanged_file_is_reloaded_all_the_same(tmp_path: Path) -> None:
    path, note = tmp_path / "upstream.conf", tmp_path / "note"
    told = route(path, reload=script(f"open({str(note)!r}, 'a').write('x')"))
    told.point(3001)
    told.point(3001)
    assert note.read_text() == "xx"
    assert told.points_at(3001)
    assert not told.points_at(3011)


def test_the_proxy_reads_what_served_until_it_is_known_to_have_read_it(tmp_path: Path) -> None:
    path, seen = tmp_path / "upstream.conf", tmp_path / "seen"
    path.write_text(_nginx.render(PORT, [(3001, 100)]))
    copy = script(f"import shutil; shutil.copy({str(path)!r}, {str(seen)!r})")
    route(path, reload=copy).point(3011)
    assert _nginx.settled(seen.read_text()) == (_nginx.render(PORT, [(3011, 100)]), True, 3001)
    assert path.read_text() == _nginx.render(PORT, [(3011, 100)])
    # A run that was killed there: without the processes nobody can tell, with them see the integration test.
    path.write_text(seen.read_text())
    assert route(path).live() is None
    assert not route(path).points_at(3011)


def test_a_snapshot_is_restored(tmp_path: Path) -> None:
    path = tmp_path / "upstream.conf"
    empty = route(path).snapshot()
    route(path).point(3001)
    first = route(path).snapshot()
    route(path).point(3011)
    route(path).restore(first)
    assert route(path).live() == 3001
    route(path).restore(empty)
    assert not path.exists()


def test_a_wrong_pid_file_is_no_master(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    for text in ("", "nonsense", str(os.getpid()), "999999999"):
        pid.write_text(text)
        assert _workers.master(str(pid)) is None
    assert _workers.master(str(tmp_path / "none")) is None


def test_processes_have_an_age() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert _workers.alive([process.pid, 999999999]) == [process.pid]
        deadline = time.monotonic() + 10
        while not 0.02 < _workers.age(process.pid) < 5:
            assert time.monotonic() < deadline
    assert _workers.alive([process.pid]) == []
    assert _workers.age(process.pid) == 0.0
