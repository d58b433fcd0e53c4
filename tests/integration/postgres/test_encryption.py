# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted backups with the real age and GnuPG: whole with the key, unreadable without, and no plain text is left."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres import _encryption

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Shop

PASSPHRASE = "correct horse battery"

# Every row of the shop that a name of a user is in, and what a dump in plain text begins with.
PLAIN = (b"user 299", b"PGDMP", b"CREATE ROLE", b"\x1f\x8b\x08")


@dataclass
class Keys:
    """A key pair of one tool, another one that does not fit, and the options that name them."""

    tool: str
    recipient: str
    own: dict[str, str]
    other: dict[str, str]
    backup: dict[str, Any]


def age_key(path: Path) -> str:
    made = subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True, text=True)
    found = re.search(r"age1\w+", made.stderr)
    assert found
    return found[0]


def gpg(home: str, *arguments: str) -> str:
    command = ["gpg", "--homedir", home, "--batch", "--no-tty", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def gpg_key(home: str, passphrase: str) -> str:
    protection = ["--pinentry-mode", "loopback", "--passphrase", passphrase]
    gpg(home, *protection, "--quick-generate-key", "keeper@example.org", "future-default", "default", "never")
    found = _encryption.usable_keys(gpg(home, "--with-colons", "--list-keys"))
    # It would remember the passphrase.
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True)
    return found[0]


@pytest.fixture(scope="module")
def age_keys(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> Keys:
    need("age")
    home = tmp_path_factory.mktemp("age")
    recipient = age_key(home / "own")
    age_key(home / "other")
    own, other = ({"identity": str(home / name)} for name in ("own", "other"))
    return Keys("age", recipient, own, other, {"encryption": "age", "recipients": [recipient]})


@pytest.fixture(scope="module")
def gpg_keys(need: Callable[[str], None]) -> Iterator[Keys]:
    need("gpg")
    # The path of a socket in it must be short.
    homes = [tempfile.mkdtemp(prefix="sluice-gpg-") for _index in range(2)]
    try:
        recipient = gpg_key(homes[0], PASSPHRASE)
        gpg_key(homes[1], "")
        own = {"identity": homes[0], "identity_passphrase": PASSPHRASE}
        options = {"encryption": "gpg", "recipients": ["keeper@example.org"], "gnupg_home": homes[0]}
        yield Keys("gpg", recipient, own, {"identity": homes[1]}, options)
    finally:
        for home in homes:
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def keys(request: pytest.FixtureRequest) -> Keys:
    found: Keys = request.getfixturevalue(f"{request.param}_keys")
    return found


either_tool = pytest.mark.parametrize("keys", ["age", "gpg"], indirect=True)


def hidden(shop: Shop) -> list[str]:
    return sorted(path.name for path in shop.path.glob(".*"))


@pytest.mark.parametrize(
    ("keys", "form"), [("age", "custom"), ("age", "directory"), ("gpg", "custom")], indirect=["keys"]
)
def test_an_encrypted_backup_is_proven_and_restored_with_its_key(shop: Shop, keys: Keys, form: str) -> None:
    expected = shop.backup(check=True, backup_id="b1", format=form, **keys.backup)
    made = shop.backup(backup_id="b1", format=form, **keys.backup)
    recorded = {"tool": keys.tool, "recipients": [keys.recipient]}
    assert made["backup"]["encryption"] == expected["backup"]["encryption"] == recorded
    manifest = shop.manifest("b1")
    assert manifest["encryption"] == recorded
    files = {str(path.relative_to(shop.path / "b1")) for path in (shop.path / "b1").rglob("*") if path.is_file()}
    assert files == {*manifest["files"], "manifest.json"}
    assert all(name.endswith(f".{keys.tool}") for name in manifest["files"])
    for name in manifest["files"]:
        data = (shop.path / "b1" / name).read_bytes()
        assert len(data) > 0
        assert [word for word in PLAIN if word in data[:1024]] == []
        assert stat.S_IMODE((shop.path / "b1" / name).stat().st_mode) == 0o600
    # No key is needed to find that a bit has changed, and none to copy it.
    assert shop.verify(backup_id="b1", level="manifest")["verified"] is True
    for level in ("archive", "restore"):
        assert shop.verify(backup_id="b1", level=level, **keys.own)["verified"] is True
    assert shop.backup(backup_id="b1", format=form, **keys.backup)["changed"] is False
    shop.query("DELETE FROM orders")
    assert shop.restore(backup_id="b1", **keys.own)["changed"] is True
    assert shop.query("SELECT count(*) FROM orders") == [(3000,)]
    assert hidden(shop) == []


@either_tool
def test_without_its_key_nothing_is_changed(shop: Shop, keys: Keys) -> None:
    shop.backup(backup_id="b1", **keys.backup)
    shop.verify(backup_id="b1", **keys.own)
    before = {path: path.read_bytes() for path in (shop.path / "b1").iterdir() if path.name != "host.lock"}
    databases = shop.databases()
    wrong = [({}, "and no identity is given"), ({"identity": "/nowhere"}, "identity /nowhere is no ")]
    wrong.append((keys.other, "does not open it"))
    if keys.tool == "gpg":
        wrong.append(({**keys.own, "identity_passphrase": "wr0ng"}, "Bad passphrase"))
    for options, message in wrong:
        for run in (shop.verify, shop.restore):
            failed = run(backup_id="b1", **options)
            assert failed["msg"].startswith("Cannot decrypt backup b1: "), failed["msg"]
            assert message in failed["msg"]
            assert "wr0ng" not in failed["msg"]
    assert {path: path.read_bytes() for path in before} == before
    assert shop.databases() == databases
    assert hidden(shop) == []


@either_tool
def test_a_changed_bit_is_found_without_a_key(shop: Shop, keys: Keys) -> None:
    shop.backup(backup_id="b1", **keys.backup)
    file = shop.path / "b1" / f"database.dump.{keys.tool}"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    for level, options in (("manifest", {}), ("archive", keys.own), ("restore", keys.own)):
        failed = shop.verify(backup_id="b1", level=level, **options)
        assert [found["name"] for found in failed["differences"]] == [file.name]
    assert hidden(shop) == []


def test_what_was_damaged_before_its_checksum_is_the_fault_of_the_file(
    shop: Shop, age_keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypt = _encryption.encrypt_file

    def encrypt_and_damage(*arguments: Any) -> str:
        target = Path(encrypt(*arguments))
        data = bytearray(target.read_bytes())
        data[-1] ^= 1
        target.write_bytes(data)
        return str(target)

    monkeypatch.setattr(_encryption, "encrypt_file", encrypt_and_damage)
    shop.backup(backup_id="b1", **age_keys.backup)
    assert shop.verify(backup_id="b1", level="manifest")["verified"] is True
    failed = shop.verify(backup_id="b1", level="archive", **age_keys.own)
    assert failed["msg"].startswith("Cannot trust backup b1: ")
    assert failed["differences"][0]["name"].endswith(".age")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encryption": "age", "recipients": ["age1nobody"]}, "age cannot encrypt to the recipients: "),
        ({"encryption": "age"}, "nobody could decrypt it"),
        ({"encryption": "gpg", "recipients": ["nobody@example.org"]}, "no public key of this name that can encrypt"),
        ({"recipients": ["age1aaa"]}, "encryption is none"),
    ],
)
def test_a_wrong_recipient_is_refused_before_the_dump(
    shop: Shop, need: Callable[[str], None], options: dict[str, Any], message: str
) -> None:
    need(options.get("encryption", "age"))
    for check in (True, False):
        failed = shop.backup(check=check, **options)
        assert failed["msg"].startswith("Cannot back up postgresql://")
        assert message in failed["msg"]
    assert [path.name for path in shop.path.glob("*")] in ([], ["host.lock"])


def test_a_tool_that_is_missing_is_said(shop: Shop, age_keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.backup(backup_id="b1", **age_keys.backup)
    monkeypatch.setenv("PATH", os.path.dirname(shop.server.bin_path))
    assert "this host has no age. Install the package age." in shop.backup(**age_keys.backup)["msg"]
    failed = shop.verify(backup_id="b1", **age_keys.own)
    assert failed["msg"] == "Cannot decrypt backup b1: this host has no age. Install the package age."


def test_what_a_killed_run_left_in_plain_text_is_cleared_away(shop: Shop, age_keys: Keys) -> None:
    shop.backup(backup_id="b1", **age_keys.backup)
    for run in (lambda: shop.verify(backup_id="b1", level="archive", **age_keys.own), lambda: shop.backup(keep=9)):
        left = shop.path / ".b1.killed.plain"
        (left / "database").mkdir(parents=True)
        assert "msg" not in run()
        assert hidden(shop) == []


def test_a_backup_in_plain_text_is_not_taken_for_an_encrypted_one(shop: Shop, age_keys: Keys) -> None:
    shop.backup(backup_id="b1")
    failed = shop.backup(backup_id="b1", **age_keys.backup)
    assert "is there and is not encrypted" in failed["msg"]
