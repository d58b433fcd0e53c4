# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port pair behind a proxy's upstream file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.switch import _upstream
from ansible_collections.sluice.release.plugins.module_utils.switch._upstream import Upstream

CONTENT = "upstream shop { server 127.0.0.1:{port}; }"
PORTS = (3001, 3002)


def test_render_replaces_the_port_alone() -> None:
    assert _upstream.render(CONTENT, 3001) == "upstream shop { server 127.0.0.1:3001; }\n"
    with pytest.raises(SluiceError, match=r"has no \{port\}"):
        _upstream.render("upstream shop {}", 3001)


@pytest.mark.parametrize(
    ("text", "live", "other"),
    [
        (None, None, 3001),
        (_upstream.render(CONTENT, 3001), 3001, 3002),
        (_upstream.render(CONTENT, 3002), 3002, 3001),
        ("server 127.0.0.1:3002 weight=1;", 3002, 3001),
        ("server 127.0.0.1:30021;", None, 3001),
        ("server 127.0.0.1:3001; server 127.0.0.1:3002;", None, 3001),
    ],
)
def test_live_and_other_port(text: str | None, live: int | None, other: int) -> None:
    assert _upstream.live_port(text, CONTENT, PORTS) == live
    assert _upstream.other_port(PORTS, live) == other


def script(body: str) -> list[str]:
    return [sys.executable, "-c", body]


@pytest.mark.parametrize("before", [None, "upstream shop { server 127.0.0.1:3001; }\n"])
@pytest.mark.parametrize("step", ["test", "reload"])
def test_a_refusal_puts_the_file_back(tmp_path: Path, before: str | None, step: str) -> None:
    path = tmp_path / "upstream.conf"
    if before is not None:
        path.write_text(before)
    refuse = script("import sys; sys.exit('no such directive')")
    commands = {"test": script(""), "reload": script(""), step: refuse}
    with pytest.raises(SluiceError) as raised:
        _upstream.point(Upstream(str(path), CONTENT, commands["reload"], commands["test"]), 3002, SubprocessRunner())
    assert str(raised.value).startswith(f"Cannot {step} the proxy with port 3002: ")
    assert "no such directive" in str(raised.value)
    assert (path.read_text() if path.exists() else None) == before


def test_an_unchanged_file_is_reloaded_all_the_same(tmp_path: Path) -> None:
    path, note = tmp_path / "upstream.conf", tmp_path / "note"
    upstream = Upstream(str(path), CONTENT, script(f"open({str(note)!r}, 'a').write('x')"))
    assert _upstream.point(upstream, 3001, SubprocessRunner()) is True
    assert _upstream.point(upstream, 3001, SubprocessRunner()) is False
    assert note.read_text() == "xx"
