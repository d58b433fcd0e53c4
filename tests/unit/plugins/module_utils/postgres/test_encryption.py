# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption, as far as no tool is needed: what is asked of the tools, and what is made of their answers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import Completed
from ansible_collections.sluice.release.plugins.module_utils.postgres import _encryption
from ansible_collections.sluice.release.plugins.module_utils.postgres._encryption import Encryption, Key

AGE = Encryption("age", ("age1aaa", "age1bbb"))
GPG = Encryption("gpg", ("F" * 40,))
SECRET = "a passphrase"
GPG_HOME = "gpg --homedir /home --batch --no-tty"


class Answers:
    """A runner that gives prepared answers and remembers what it was asked."""

    def __init__(self, *answers: Completed) -> None:
        self.answers, self.asked = list(answers), []

    def __call__(self, argv: Sequence[str], **options: Any) -> Completed:
        self.asked.append(list(argv))
        return self.answers.pop(0)


def answer(rc: int = 0, stdout: str = "", stderr: str = "") -> Completed:
    return Completed(rc, stdout, stderr, 0.0)


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_encryption.shutil, "which", lambda program: f"/usr/bin/{program}")


@pytest.mark.parametrize("encryption", [AGE, GPG])
def test_what_a_manifest_records_is_read_again(encryption: Encryption) -> None:
    assert _encryption.parse_encryption(encryption.as_dict()) == encryption
    assert _encryption.parse_encryption(None) is None


@pytest.mark.parametrize(
    "content", ["age", {}, {"tool": "rot13", "recipients": ["a"]}, {"tool": "age", "recipients": []}, {"tool": "age"}]
)
def test_what_is_no_encryption_is_refused(content: Any) -> None:
    with pytest.raises(ValueError, match="encryption"):
        _encryption.parse_encryption(content)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            _encryption.encrypt_argv(AGE, None, "in", "out"),
            "age --encrypt --recipient age1aaa --recipient age1bbb --output out in",
        ),
        (
            _encryption.encrypt_argv(GPG, "/home", "in", "out"),
            f"{GPG_HOME} --trust-model always --compress-algo none --output out --recipient {'F' * 40} --encrypt in",
        ),
        (_encryption.decrypt_argv("age", "key", "in", "out"), "age --decrypt --identity key --output out in"),
        (
            _encryption.decrypt_argv("gpg", "/home", "in", "out"),
            "gpg --homedir /home --batch --no-tty --pinentry-mode loopback --passphrase-fd 0 --output out --decrypt in",
        ),
    ],
)
def test_what_the_tools_are_asked(argv: list[str], expected: str) -> None:
    assert argv == expected.split(" ")


def colons(validity: str = "u", can: str = "scESC", fingerprint: str = "A" * 40) -> str:
    return (
        f"pub:{validity}:3072:1:8E16B92310DDFD77:1795327467:::u:::{can}::::::23::0:\n"
        f"fpr:::::::::{fingerprint}:\nuid:u::::1795327467::AF::a@example.org::::::::::0:\n"
        f"sub:{validity}:3072:1:B48E74FD66FED8A6:1795327467::::::e::::::23:\nfpr:::::::::{'5' * 40}:\n"
    )


@pytest.mark.parametrize(
    ("listing", "fingerprints"),
    [
        ("", []),
        ("tru::1:1795327469:0:3:1:5\n" + colons(), ["A" * 40]),
        (colons() + colons(fingerprint="B" * 40), ["A" * 40, "B" * 40]),
        (colons("e") + colons(fingerprint="B" * 40), ["B" * 40]),  # expired
        (colons("r"), []),  # revoked
        (colons("-"), ["A" * 40]),  # nobody has said whether it is trusted
        (colons(can="scSC"), []),  # signs only
        (colons(can="scESCD"), []),  # disabled
    ],
)
def test_the_keys_that_can_encrypt(listing: str, fingerprints: list[str]) -> None:
    assert _encryption.usable_keys(listing) == fingerprints


@pytest.mark.parametrize(
    ("tool", "recipients", "answers", "message"),
    [
        ("none", ["age1aaa"], [], "recipients are given, and encryption is none"),
        ("age", [], [], "nobody could decrypt it"),
        ("age", ["AGE-SECRET-KEY-1QQQ"], [], "one of the recipients is a secret key"),
        (
            "age",
            ["x"],
            [answer(1, stderr='age: error: unknown recipient type: "x"\nage: report unexpected or')],
            "unknown",
        ),
        ("gpg", ["a@b"], [answer(2, stderr="gpg: error reading key: No public key")], "no public key of this name"),
        ("gpg", ["a@b"], [answer(0, colons() + colons())], "2 keys of this name"),
    ],
)
def test_what_cannot_be_encrypted_to_is_said_before_anything_is_done(
    tool: str, recipients: list[str], answers: list[Completed], message: str
) -> None:
    runner = Answers(*answers)
    with pytest.raises(SluiceError, match=r"^Cannot back up shop: ") as refused:
        _encryption.prepare(tool, recipients, "/home", runner, "back up shop")
    assert message in str(refused.value)
    assert "QQQ" not in str(refused.value)
    assert "QQQ" not in str(runner.asked)
    assert runner.answers == []


def test_a_tool_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_encryption.shutil, "which", lambda program: None)
    with pytest.raises(SluiceError) as refused:
        _encryption.prepare("gpg", ["a@b"], None, Answers(), "back up shop")
    assert str(refused.value) == "Cannot back up shop: this host has no gpg. Install the package gnupg."


def test_a_recipient_is_recorded_once_by_its_fingerprint() -> None:
    runner = Answers(answer(0, colons()), answer(0, colons()), answer())
    found = _encryption.prepare("gpg", ["a@b", "A" * 40], "/home", runner, "back up shop")
    assert found == Encryption("gpg", ("A" * 40,))
    assert _encryption.prepare("none", [], None, Answers(), "") is None


@pytest.mark.parametrize(
    ("encryption", "identity", "message"),
    [
        (AGE, None, "encrypted with age to age1aaa, age1bbb, and no identity is given"),
        (AGE, "{tmp}/missing", "is no file of age identities"),
        (AGE, "{tmp}", "is no file of age identities"),
        (GPG, "{tmp}/missing", "is no directory (a GnuPG home)"),
    ],
)
def test_a_key_that_is_missing_is_said(
    tmp_path: Path, encryption: Encryption, identity: str | None, message: str
) -> None:
    key = Key(identity and identity.format(tmp=tmp_path))
    with pytest.raises(SluiceError, match=r"^Cannot decrypt backup b1: ") as refused:
        _encryption.check_key(encryption, key, "b1")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("stderr", "broken", "message"),
    [
        ("age: error: no identity matched any of the recipients\nage: report unexpected", False, "does not open it"),
        (
            'age: error: reading "k": failed to read "k": error at line 1: unknown identity type',
            False,
            "does not open it",
        ),
        ("gpg: encrypted with RSA key\ngpg: decryption failed: No secret key", False, "No secret key"),
        (
            "gpg: public key decryption failed: Bad passphrase\ngpg: decryption failed: No secret key",
            False,
            "passphrase",
        ),
        ("age: error: failed to decrypt and authenticate payload chunk", True, "database.dump.age: failed to decrypt"),
        ("age: error: write: No space left on device", False, "Free space beside the backup"),
        ("", True, "status 1 and not a word"),
    ],
)
def test_what_the_tools_say_is_told_apart(tmp_path: Path, stderr: str, broken: bool, message: str) -> None:
    identity = tmp_path / "key"
    identity.touch()
    runner = Answers(answer(1, stderr=stderr))
    place = tmp_path / "b1"
    opened = _encryption.decrypted(str(place), {"database.dump.age": 1}, AGE, Key(str(identity), SECRET), runner)
    with pytest.raises(SluiceError, match=r"^Cannot decrypt backup b1: ") as failed, opened:
        pytest.fail("it cannot have been decrypted")
    assert isinstance(failed.value, _encryption.BrokenError) is broken
    assert message in str(failed.value)
    assert "report unexpected" not in str(failed.value)
    assert SECRET not in str(runner.asked)
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_only_what_nobody_uses_is_cleared_away(tmp_path: Path) -> None:
    for name in (".a.x.plain", ".b.x.plain", "c.plain", ".d.partial"):
        (tmp_path / name / "database").mkdir(parents=True)
    used = os.open(tmp_path / ".b.x.plain", os.O_RDONLY)
    try:
        fcntl.flock(used, fcntl.LOCK_EX)
        _encryption.remove_leftovers(str(tmp_path))
    finally:
        os.close(used)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.x.plain", ".d.partial", "c.plain"]
    _encryption.remove_leftovers(str(tmp_path / "nowhere"))
