# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that somebody has signed, checked by GnuPG itself."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.artifact._signature import Signature
from ansible_collections.sluice.release.plugins.module_utils.artifact._source import ArchiveSource

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="no gpg on this machine")


@dataclass
class Keys:
    """A GnuPG home with the keys of a few makers of archives."""

    home: Path

    def gpg(self, *arguments: str) -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--passphrase", "", *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def make(self, name: str, *faked: str, expire: str = "never") -> None:
        self.gpg(*faked, "--quick-generate-key", f"{name}@example.com", "ed25519", "sign", expire)

    def sign(self, name: str, path: Path, *more: str) -> Path:
        signature = path.with_name(f"{path.name}.{name}.sig")
        user = f"{name}@example.com"
        self.gpg(*more, "--yes", "--local-user", user, "--output", str(signature), "--detach-sign", str(path))
        return signature

    def export(self, name: str, path: Path, *more: str) -> Path:
        path.write_bytes(self.gpg(*more, "--export", f"{name}@example.com"))
        return path


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    # Short: the agent's socket lies in it.
    keys = Keys(Path(tempfile.mkdtemp(prefix="sluice-gpg-", dir="/tmp")))
    keys.make("maker")
    keys.make("stranger")
    long_ago = ("--faked-system-time", "20200101T000000!")
    keys.make("late", *long_ago, expire="1y")
    yield keys
    subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "gpg-agent"], check=False)
    shutil.rmtree(keys.home, ignore_errors=True)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "main.js").write_text("// main")
    path = tmp_path / "app.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(tmp_path / "main.js", "main.js")
    return path


def source(archive: Path, signature: Path, keyring: Path) -> ArchiveSource:
    return ArchiveSource(str(archive), None, Signature(str(signature), str(keyring), SubprocessRunner()))


@pytest.mark.parametrize("armour", [(), ("--armor",)])
def test_an_archive_that_its_maker_signed_is_trusted(
    keys: Keys, archive: Path, tmp_path: Path, armour: tuple[str, ...]
) -> None:
    signed = source(archive, keys.sign("maker", archive, *armour), keys.export("maker", tmp_path / "keys", *armour))
    listing = keys.gpg("--with-colons", "--list-keys", "maker@example.com").decode()
    fingerprint = next(line for line in listing.splitlines() if line.startswith("fpr")).split(":")[9]
    assert signed.identity().description == f"archive {archive}, signed by {fingerprint}"
    signed.lay(str(tmp_path / "laid"))
    assert (tmp_path / "laid" / "main.js").is_file()


@pytest.mark.parametrize(
    ("signer", "trusted", "tampered", "said"),
    [
        ("maker", "maker", True, "the signature is not of this file"),
        ("stranger", "maker", False, "it was signed with a key that is not in the keyring"),
        ("late", "late", False, "the key of the signature has expired"),
    ],
)
def test_what_nobody_we_know_has_signed_is_refused(
    keys: Keys, archive: Path, tmp_path: Path, signer: str, trusted: str, tampered: bool, said: str
) -> None:
    then = ("--faked-system-time", "20200201T000000!") if signer == "late" else ()
    signature = keys.sign(signer, archive, *then)
    if tampered:
        archive.write_bytes(archive.read_bytes().replace(b"// main", b"// evil"))
    with pytest.raises(SluiceError, match=f"Cannot trust the archive {archive}: {said}"):
        source(archive, signature, keys.export(trusted, tmp_path / "keys")).identity()


@pytest.mark.parametrize(
    ("signature", "keyring", "said"),
    [
        ("missing", "keys", "the signature .*missing does not exist"),
        ("app.tar", "missing", "the keyring .*missing does not exist"),
        ("app.tar", "app.tar", "holds no public key"),
        ("main.js", "keys", "there is no signature in that file"),
    ],
)
def test_files_that_are_none_are_told(
    keys: Keys, archive: Path, tmp_path: Path, signature: str, keyring: str, said: str
) -> None:
    keys.export("maker", tmp_path / "keys")
    with pytest.raises(SluiceError, match=said):
        source(archive, tmp_path / signature, tmp_path / keyring).identity()
