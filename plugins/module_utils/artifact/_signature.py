# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection.

"""Detached signatures of GnuPG: who made an archive, before a byte of it is unpacked."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, tail

_TIMEOUT = 120.0
# What GnuPG reports, and what that means. The first that fits counts; a good signature of a key that is not is none.
_REFUSALS = (
    ("BADSIG", "the signature is not of this file"),
    ("REVKEYSIG", "the key of the signature was revoked"),
    ("EXPKEYSIG", "the key of the signature has expired"),
    ("EXPSIG", "the signature has expired"),
    ("NO_PUBKEY", "it was signed with a key that is not in the keyring"),
    ("NODATA", "there is no signature in that file"),
)


@dataclasses.dataclass(frozen=True)
class Signature:
    """A file with the signature, and one with the public keys that count, as ``gpg --export`` writes it."""

    path: str
    keyring: str
    runner: CommandRunner

    def check(self, archive: str) -> str:
        """Return the fingerprint of the key that the archive was signed with. SluiceError when it does not count."""
        doing = f"trust the archive {archive}"
        if shutil.which("gpg") is None:
            raise SluiceError(doing, "this host has no gpg to check its signature", "Install the package gnupg")
        for path, what in ((self.path, "signature"), (self.keyring, "keyring")):
            if not os.path.isfile(path):
                raise SluiceError(doing, f"the {what} {path} does not exist", "Check artifact_source")
        # A home of its own: the keys of the user do not count, nor does what he thinks of them.
        with tempfile.TemporaryDirectory(prefix="sluice-") as home:
            gpg = ["gpg", "--homedir", home, "--batch", "--no-tty", "--no-autostart", "--status-fd", "1"]
            keys = ["--no-default-keyring", "--keyring", os.path.join(home, "keys.gpg")]
            imported = self._run([*gpg, *keys, "--import", self.keyring])
            if "IMPORT_OK" not in imported:
                raise SluiceError(doing, f"the keyring {self.keyring} holds no public key", "Export them: gpg --export")
            status = self._run([*gpg, *keys, "--trust-model", "always", "--verify", self.path, archive])
        said = [line.split()[1:] for line in status.splitlines() if line.startswith("[GNUPG:] ")]
        words = {word[0] for word in said if word}
        for word, cause in _REFUSALS:
            if word in words:
                raise SluiceError(doing, cause, "Fetch both again from where they were published")
        valid = next((word for word in said if word and word[0] == "VALIDSIG"), None)
        if valid is None or "GOODSIG" not in words:
            raise SluiceError(doing, f"gpg found no good signature: {tail(status, 3)}", "Fetch both again")
        # The last word is the primary key's, where the signature is by one of its subkeys.
        return valid[-1]

    def _run(self, argv: list[str]) -> str:
        return self.runner(argv, env={"LC_ALL": "C"}, timeout=_TIMEOUT).stdout
