# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import multiprocessing
import os
import stat
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils import _files
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError


@pytest.mark.parametrize("content", ["text", b"bytes"])
def test_write_atomic(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "file"
    path.write_text("old and longer")
    _files.write_atomic(str(path), content, 0o640)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        _files.write_atomic(str(tmp_path / "file"), "x")
    assert os.listdir(tmp_path) == ["file"]


def test_replace_link(tmp_path: Path) -> None:
    link = tmp_path / "current"
    assert [_files.replace_link(str(link), target) for target in ("a", "a", "b")] == [True, False, True]
    assert os.readlink(link) == "b"
    assert os.listdir(tmp_path) == ["current"]


def test_replace_link_spares_what_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "current").write_text("precious")
    with pytest.raises(SluiceError, match="it exists and is not a symbolic link"):
        _files.replace_link(str(tmp_path / "current"), "a")
    assert (tmp_path / "current").read_text() == "precious"


def test_sha256_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert _files.sha256_file(str(tmp_path / "f")) == expected


def _tree(path: Path) -> Path:
    (path / "src").mkdir(parents=True)
    (path / "src/a.js").write_text("a")
    (path / "run.sh").write_text("b")
    (path / "link").symlink_to("src")
    (path / "node_modules/x").mkdir(parents=True)
    (path / "node_modules/x/i.js").write_text("c")
    return path


def test_sha256_tree_does_not_depend_on_place_or_time(tmp_path: Path) -> None:
    one, two = _tree(tmp_path / "one"), _tree(tmp_path / "two")
    os.utime(two / "run.sh", (1, 1))
    assert _files.sha256_tree(str(one)) == _files.sha256_tree(str(two))


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda tree: (tree / "src/a.js").write_text("z"), True),
        (lambda tree: (tree / "src/a.js").rename(tree / "src/b.js"), True),
        (lambda tree: (tree / "run.sh").chmod(0o755), True),
        (lambda tree: _files.replace_link(str(tree / "link"), "elsewhere"), True),
        (lambda tree: (tree / "node_modules/x/i.js").write_text("z"), False),
        (lambda tree: (tree / "src/node_modules").mkdir(), False),
        (lambda tree: (tree / "src/debug.log").write_text("z"), False),
    ],
)
def test_sha256_tree_sees_every_change_but_the_excluded(tmp_path: Path, change: object, differs: bool) -> None:
    tree, exclude = _tree(tmp_path / "tree"), ["node_modules", "src/*.log"]
    before = _files.sha256_tree(str(tree), exclude)
    change(tree)  # type: ignore[operator]
    assert (_files.sha256_tree(str(tree), exclude) != before) is differs


def _hold(state_dir: str, held: Event, release: Event) -> None:
    with _files.host_lock(state_dir, "switch"):
        held.set()
        release.wait(20)


def test_host_lock_names_its_holder_and_is_freed_by_a_kill(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path), held, release))
    other.start()
    assert held.wait(10)
    with (
        pytest.raises(SluiceError, match=rf"Cannot begin to restore: .* process {other.pid} \(switch, since "),
        _files.host_lock(str(tmp_path), "restore", timeout=0.1),
    ):
        pass
    other.kill()
    other.join()
    with _files.host_lock(str(tmp_path), "restore", timeout=5):
        assert f'"pid": {os.getpid()}' in (tmp_path / "host.lock").read_text()


def test_host_lock_waits_its_turn(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path), held, release))
    other.start()
    assert held.wait(10)
    release.set()
    with _files.host_lock(str(tmp_path), "restore", timeout=10):
        other.join(10)
        assert other.exitcode == 0


def test_host_lock_without_a_directory_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SluiceError, match="Cannot make the state directory"),
        _files.host_lock(str(tmp_path / "file/state"), "x"),
    ):
        pass
