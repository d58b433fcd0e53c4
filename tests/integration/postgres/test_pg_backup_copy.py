# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pg_backup_copy to a directory, over rsync's remote shell and to an rsync daemon: a copy is right or there is none."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres import _copy, _rsync, _store
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import Inventory
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import Manifest
from ansible_collections.sluice.release.plugins.module_utils.postgres._set import settle
from ansible_collections.sluice.release.plugins.modules import pg_backup_copy

if TYPE_CHECKING:
    from tests.integration.conftest import RunModule
    from tests.integration.postgres.conftest import Shop

WAYS = ("directory", "remote shell", "daemon")

# As ssh would: user and host are arguments, and the command runs there.
REMOTE_SHELL = '#!/bin/sh\n[ "$1" = -l ] && shift 2\nshift\nexec "$@"\n'


@dataclass
class Copies:
    """A directory of backups, one of copies, and the module with a way between them."""

    source: Path
    target: Path
    options: dict[str, Any]
    run: RunModule

    def copy(self, check: bool = False, **options: Any) -> dict[str, Any]:
        usual = {"path": str(self.source), "free_mb_min": 1, **self.options}
        return self.run(pg_backup_copy.main, check=check, **{**usual, **options})

    def sets(self) -> list[str]:
        """What looks like a backup at the second place."""
        return sorted(path.parent.name for path in self.target.glob("[!.]*/manifest.json"))

    def hidden(self) -> list[str]:
        return sorted(path.name for path in self.target.glob(".*"))


def make_set(root: Path, backup_id: str, *, day: int = 20, size: int = 3000, verified: bool = True) -> Path:
    """A backup in directory format whose archive nobody reads here."""
    path = root / backup_id
    (path / "database").mkdir(parents=True)
    for name in ("database/toc.dat", "database/3501.dat.gz", "globals.sql"):
        (path / name).write_bytes(f"{backup_id} {name} ".encode())
    os.truncate(path / "database/3501.dat.gz", size)
    manifest = Manifest(
        id=backup_id,
        created=f"2026-10-{day:02}T01:30:00+00:00",
        release="",
        database="shop",
        properties={},
        database_bytes=1,
        server_version="18.6",
        tool_version="18.6",
        format="directory",
        compression="gzip:6",
        files=settle(str(path)),
        lsn="",
        seconds=1.0,
        inventory=Inventory(tables={}),
    )
    (path / "manifest.json").write_bytes(manifest.render())
    if verified:
        note(root, backup_id)
    return path


def note(root: Path, backup_id: str) -> None:
    found = _store.find_backup(str(root), backup_id)
    assert found
    _store.record_verification(found, "restore", [], 1.0)


def flip(path: Path, position: int = 5) -> None:
    """Change one bit, and neither size nor time: as a disk does it."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[position] ^= 4
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def content(root: Path) -> dict[str, bytes]:
    names = [path.relative_to(root) for path in root.rglob("*") if path.is_file() and path.name != "host.lock"]
    return {str(name): (root / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> Iterator[tuple[str, Path, Path]]:
    """A real rsync daemon that asks for a password: its URL, the directory that it serves and the password's file."""
    need("rsync")
    home = tmp_path_factory.mktemp("rsync")
    served, secrets, password, config = (home / name for name in ("served", "secrets", "password", "rsyncd.conf"))
    served.mkdir()
    for file, text in ((secrets, "keeper:rsync-s3cret\n"), (password, "rsync-s3cret\n")):
        file.write_text(text)
        file.chmod(0o600)
    owner = f"uid = {os.geteuid()}\ngid = {os.getegid()}\n"
    config.write_text(
        f"{owner}use chroot = no\nlog file = {home}/log\n[backups]\npath = {served}\nread only = no\n"
        f"auth users = keeper\nsecrets file = {secrets}\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = ["rsync", "--daemon", "--no-detach", f"--config={config}", "--address=127.0.0.1", f"--port={port}"]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        url = f"rsync://keeper@127.0.0.1:{port}/backups"
        deadline = time.monotonic() + 10
        while subprocess.run(["rsync", f"rsync://127.0.0.1:{port}/"], capture_output=True, check=False).returncode:
            assert process.poll() is None
            assert time.monotonic() < deadline, "the rsync daemon does not answer"
            time.sleep(0.02)
        yield url, served, password
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def copies(
    request: pytest.FixtureRequest, tmp_path: Path, run_module: RunModule, need: Callable[[str], None]
) -> Copies:
    way = getattr(request, "param", "directory")
    source = tmp_path / "backups"
    source.mkdir()
    if way == "daemon":
        url, served, password = request.getfixturevalue("daemon")
        target = served / tmp_path.name
        target.mkdir()
        return Copies(source, target, {"to": f"{url}/{tmp_path.name}", "password_file": str(password)}, run_module)
    target = tmp_path / "copies"
    target.mkdir()
    if way == "directory":
        return Copies(source, target, {"to": str(target)}, run_module)
    need("rsync")
    shell = tmp_path / "remote-shell"
    shell.write_text(REMOTE_SHELL)
    shell.chmod(0o755)
    return Copies(source, target, {"to": f"backup@vault:{target}", "rsh": str(shell)}, run_module)


every_way = pytest.mark.parametrize("copies", WAYS, indirect=True)
# The daemon differs from the remote shell in how it is reached.
both_kinds = pytest.mark.parametrize("copies", WAYS[:2], indirect=True)


@every_way
def test_a_copy_is_the_backup_and_is_made_once(copies: Copies) -> None:
    made = make_set(copies.source, "a")
    expected = copies.copy(check=True)
    assert (copies.sets(), copies.hidden()) == ([], [])
    first = copies.copy()
    assert content(copies.target / "a") == content(made)
    second = copies.copy()
    assert [one["changed"] for one in (expected, first, second)] == [True, True, False]
    assert expected.keys() - {"warnings"} == first.keys() - {"warnings"} == second.keys() - {"warnings"}
    assert [one["copy"]["copied"] for one in (expected, first, second)] == [True, True, False]
    assert [one["copy"]["verified"] for one in (expected, first, second)] == [False, True, True]
    assert first["copy"]["way"] == ("rsync" if copies.options["to"] != str(copies.target) else "directory")
    assert first["copy"]["bytes"] == sum(len(data) for name, data in content(made).items() if name.count(".json") == 0)
    assert first["diff"]["after"] == {"copy": first["copy"]["to"]}
    assert (second["copy"]["copied"], second["diff"]["after"]) == (False, {})
    assert copies.hidden() == []
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (copies.target / "a").rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert stat.S_IMODE((copies.target / "a" / "database").stat().st_mode) == 0o700


@both_kinds
@pytest.mark.parametrize("name", ["database/3501.dat.gz", "manifest.json"])
def test_a_byte_that_flips_later_is_found_named_and_mended(copies: Copies, name: str) -> None:
    made = make_set(copies.source, "a")
    copies.copy()
    flip(copies.target / "a" / name)
    seen = copies.copy(check=True)
    assert [fault["name"] for fault in seen["damaged"]] == [name]
    assert content(copies.target / "a") != content(made)
    mended = copies.copy()
    assert mended["changed"] is True
    assert [fault["name"] for fault in mended["damaged"]] == [name]
    assert any("was damaged" in str(warning) for warning in mended["warnings"])
    assert content(copies.target / "a") == content(made)
    assert copies.copy()["changed"] is False


@both_kinds
def test_a_file_that_is_missing_or_does_not_belong_there_is_found(copies: Copies) -> None:
    make_set(copies.source, "a")
    copies.copy()
    (copies.target / "a" / "database" / "toc.dat").unlink()
    (copies.target / "a" / "database" / "3501.dat").write_text("pg_restore would read this one")
    found = {fault["name"] for fault in copies.copy()["damaged"]}
    assert found == {"database/toc.dat", "database/3501.dat"}
    assert copies.copy()["damaged"] == []


@both_kinds
def test_a_byte_that_flips_on_the_way_leaves_no_copy(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    make_set(copies.source, "a")
    damaged = copies.target / ".a.partial" / "database" / "3501.dat.gz"
    copy_file, send = _copy._copy_file, _rsync.Rsync._send

    def copy_and_flip(source: str, target: str) -> Iterator[int]:
        yield from copy_file(source, target)
        if target == str(damaged):
            flip(damaged)

    def send_and_flip(self: _rsync.Rsync, *arguments: Any) -> Any:
        done = send(self, *arguments)
        if damaged.exists():
            flip(damaged)
        return done

    monkeypatch.setattr(_copy, "_copy_file", copy_and_flip)
    monkeypatch.setattr(_rsync.Rsync, "_send", send_and_flip)
    failed = copies.copy()
    assert failed["msg"].startswith(f"Cannot copy backup a to {copies.options['to']}: read again there, ")
    assert [fault["name"] for fault in failed["damaged"]] == ["database/3501.dat.gz"]
    assert (copies.sets(), copies.hidden()) == ([], [])


@both_kinds
def test_a_damaged_backup_is_not_copied(copies: Copies) -> None:
    flip(make_set(copies.source, "a") / "globals.sql")
    failed = copies.copy()
    assert failed["msg"].startswith("Cannot trust backup a: ")
    assert "globals.sql" in failed["msg"]
    assert (copies.sets(), copies.hidden()) == ([], [])


@both_kinds
def test_another_backup_of_that_name_stays(copies: Copies) -> None:
    make_set(copies.target, "a", day=1)
    before = content(copies.target)
    make_set(copies.source, "a", day=2)
    failed = copies.copy()
    assert "another backup of this name lies there, made 2026-10-01T01" in failed["msg"]
    assert content(copies.target) == before


@both_kinds
def test_a_verification_follows_its_copy(copies: Copies) -> None:
    make_set(copies.source, "a", verified=False)
    copies.copy()
    note(copies.source, "a")
    assert [copies.copy(check=True)["changed"], copies.copy()["changed"], copies.copy()["changed"]] == [
        True,
        True,
        False,
    ]
    found = _store.find_backup(str(copies.target), "a")
    assert found
    assert found.verified


@every_way
def test_retention_at_the_second_place(copies: Copies) -> None:
    for day in range(10, 16):
        make_set(copies.source, f"b{day}", day=day, verified=day != 12)
        shutil.copytree(copies.source / f"b{day}", copies.target / f"b{day}")
    stranger = copies.target / "stranger"
    stranger.mkdir()
    (stranger / "file").write_text("not a backup")
    expected = copies.copy(keep=1, check=True)
    assert copies.sets() == [f"b{day}" for day in range(10, 16)]
    removed = copies.copy(keep=1)
    # Three verified ones stay, whatever was asked for.
    assert removed["removed"] == expected["removed"] == ["b12", "b11", "b10"]
    assert copies.sets() == ["b13", "b14", "b15"]
    assert (stranger / "file").exists()
    assert copies.copy(keep=1)["changed"] is False
    assert len(list(copies.source.glob("b*"))) == 6


RUNNER = """
import sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sluice.release.plugins.modules import pg_backup_copy
with patch_module_args({"path": sys.argv[1], "free_mb_min": 1, "to": sys.argv[2], "rsh": sys.argv[3] or None}):
    pg_backup_copy.main()
"""


@pytest.mark.parametrize(("copies", "delay"), [(WAYS[0], 0.0), (WAYS[0], 0.02), (WAYS[1], 0.02)], indirect=["copies"])
def test_a_killed_copy_leaves_nothing_that_looks_like_a_backup(copies: Copies, delay: float) -> None:
    made = make_set(copies.source, "a", size=50 * 2**20)
    collections = Path(__file__).parents[3] / "collections"
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, copies.source, copies.options["to"], copies.options.get("rsh", "")],
        env={**os.environ, "PYTHONPATH": str(collections)},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while ".a.partial" not in copies.hidden() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(delay)
    # rsync outlives the module for a moment.
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    started = [Path("/proc") / pid for task in tasks for pid in task.read_text().split()]
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert copies.sets() == []
    assert copies.hidden() == [".a.partial"]
    while any(child.exists() for child in started) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert copies.sets() == []
    assert copies.copy()["changed"] is True
    assert copies.hidden() == []
    assert content(copies.target / "a") == content(made)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "{source}"}, "Name a second place"),
        ({"to": "{source}/below"}, "Name a second place"),
        ({"to": "{source}/../gone/copies"}, "Mount the disk, or make the directory"),
        ({"free_mb_min": 10**9}, "Free space there, or lower free_mb_min"),
        ({"backup_id": "b"}, "Cannot find backup b"),
        ({"to": "vault:/nowhere/at/all", "rsh": "{shell}"}, "rsync ended with status"),
        ({"to": "rsync://127.0.0.1:1/backups"}, "rsync ended with status 10"),
    ],
)
def test_what_cannot_be_is_said(
    copies: Copies, tmp_path: Path, need: Callable[[str], None], options: dict[str, Any], message: str
) -> None:
    if "rsync" in message:
        need("rsync")
    make_set(copies.source, "a")
    shell = tmp_path / "shell"
    shell.write_text(REMOTE_SHELL)
    shell.chmod(0o755)
    names = {"source": copies.source, "shell": shell}
    given = {key: value.format(**names) if isinstance(value, str) else value for key, value in options.items()}
    failed = copies.copy(**given)
    assert failed["msg"].startswith("Cannot ")
    assert message in failed["msg"]
    assert (copies.sets(), copies.hidden()) == ([], [])


def test_a_wrong_password_of_the_daemon_is_said(
    daemon: tuple[str, Path, Path], tmp_path: Path, run_module: RunModule
) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("another-s3cret\n")
    wrong.chmod(0o600)
    make_set(tmp_path / "backups", "a")
    options = {"path": str(tmp_path / "backups"), "to": daemon[0], "password_file": str(wrong)}
    failed = run_module(pg_backup_copy.main, **options)
    assert "auth failed" in failed["msg"]
    assert "another-s3cret" not in failed["msg"]


def test_a_disk_that_is_full_leaves_nothing(copies: Copies, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False).returncode:
        pytest.skip("this machine does not let root mount")
    try:
        make_set(copies.source, "a", size=8 * 2**20)
        refused = copies.copy(to=str(disk))
        assert "the copy needs 8.0 MiB" in refused["msg"]
        # As when another process takes the room meanwhile.
        failed = copies.copy(to=str(disk), free_mb_min=-8)
        assert "No space left on device" in failed["msg"]
        assert [path.name for path in disk.iterdir()] == ["host.lock"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_copy_is_verified_and_restored_like_the_backup_itself(
    shop: Shop, tmp_path: Path, run_module: RunModule
) -> None:
    shop.backup(backup_id="b1")
    there = tmp_path / "copies"
    copied = run_module(pg_backup_copy.main, path=str(shop.path), to=str(there), free_mb_min=1)
    assert copied["changed"] is True
    shutil.rmtree(shop.path)
    assert shop.verify(path=str(there))["verified"] is True
    file = next(path for path in (there / "b1").rglob("*") if path.name.startswith(("database.dump", "toc.dat")))
    flip(file, 2000)
    failed = shop.verify(path=str(there), level="manifest")
    assert file.name in failed["msg"]
