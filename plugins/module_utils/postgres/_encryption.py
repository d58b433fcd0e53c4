# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, Completed
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import mebibytes

AGE, GPG = "age", "gpg"
TOOLS = (AGE, GPG)

# Debian's package of each tool.
_PACKAGES = {AGE: "age", GPG: "gnupg"}

# Names of the directories in which sets are decrypted begin with a dot and end with this.
PLAIN = ".plain"

# The messages of GnuPG are read, in whatever language it would speak.
_ENVIRONMENT = {"LC_ALL": "C"}

# What the tools say when the key is at fault and not the file.
_KEY_AT_FAULT = re.compile(
    r"no identity matched|identity type|identit(y|ies) (found|file)|reading \"|passphrase|No secret key|No such file"
    r"|[Pp]ermission denied|error reading|homedir|secret key not available|No pinentry"
)

# A secret key where a public one belongs would be seen in the list of processes.
_SECRET_KEY = re.compile(r"AGE-SECRET-KEY-|PRIVATE KEY", re.IGNORECASE)

# What is done, and how many bytes of how many.
Report = Callable[[str, float, float], None]

# Bytes that stay free on the file system where a set is decrypted.
_RESERVE = 64 * 2**20


@dataclass(frozen=True)
class Encryption:
    """With what, and to whom, the files of a set are encrypted, as its manifest records it."""

    tool: str
    recipients: tuple[str, ...]
    """Public keys of age, or the fingerprints of GnuPG keys."""

    @property
    def suffix(self) -> str:
        """What the name of an encrypted file ends with."""
        return f".{self.tool}"

    def as_dict(self) -> dict[str, Any]:
        return {"tool": self.tool, "recipients": list(self.recipients)}


@dataclass(frozen=True)
class Key:
    """What opens an encrypted set.

    ``identity``: a file of age identities, or a GnuPG home. ``passphrase`` of a GnuPG key that has one.
    """

    identity: Optional[str] = None
    passphrase: Optional[str] = None


NO_KEY = Key()


class BrokenError(SluiceError):
    """The key is not to blame, and the file ``name`` cannot be decrypted."""

    def __init__(self, backup_id: str, name: str, said: str) -> None:
        self.name = name
        super().__init__(f"decrypt backup {backup_id}", f"{name}: {said}", "Use another backup")


def parse_encryption(content: Any) -> Optional[Encryption]:
    """Read what a manifest records; None for a set in plain text. Raises ValueError for anything else."""
    if content is None:
        return None
    if not isinstance(content, Mapping) or content.get("tool") not in TOOLS:
        raise ValueError("encryption")
    recipients = content.get("recipients")
    if not isinstance(recipients, list) or not recipients or not all(isinstance(one, str) for one in recipients):
        raise ValueError("encryption")
    return Encryption(content["tool"], tuple(recipients))


def encrypt_argv(encryption: Encryption, home: Optional[str], source: str, target: str) -> list[str]:
    """Command that encrypts a file. The dump is compressed already."""
    to = [word for recipient in encryption.recipients for word in ("--recipient", recipient)]
    if encryption.tool == AGE:
        return [AGE, "--encrypt", *to, "--output", target, source]
    # Whoever names a fingerprint has decided to trust the key.
    options = ["--trust-model", "always", "--compress-algo", "none", "--output", target]
    return [*_gpg(home), *options, *to, "--encrypt", source]


def decrypt_argv(tool: str, identity: str, source: str, target: str) -> list[str]:
    """Command that decrypts a file; GnuPG reads the passphrase of its key from standard input."""
    if tool == AGE:
        return [AGE, "--decrypt", "--identity", identity, "--output", target, source]
    options = ["--pinentry-mode", "loopback", "--passphrase-fd", "0", "--output", target]
    return [*_gpg(identity), *options, "--decrypt", source]


def _gpg(home: Optional[str]) -> list[str]:
    return [GPG, *(["--homedir", home] if home else []), "--batch", "--no-tty"]


def need(tool: str, doing: str) -> None:
    """Raise SluiceError when this host lacks the tool."""
    if shutil.which(tool) is None:
        raise SluiceError(doing, f"this host has no {tool}", f"Install the package {_PACKAGES[tool]}")


def prepare(
    tool: str, recipients: Sequence[str], home: Optional[str], runner: CommandRunner, doing: str
) -> Optional[Encryption]:
    """Find out, before anything is dumped, whether the tool is there and can encrypt to each of the recipients.

    ``tool``: age, gpg or none. ``home``: GnuPG home with their public keys, by default that of the user. Returns None
    for none.
    """
    if tool == "none":
        if recipients:
            raise SluiceError(doing, "recipients are given, and encryption is none", "Set encryption to age or gpg")
        return None
    if not recipients:
        raise SluiceError(doing, f"encryption is {tool}, and nobody could decrypt it", "Set recipients")
    if any(_SECRET_KEY.search(recipient) for recipient in recipients):
        raise SluiceError(doing, "one of the recipients is a secret key", "Name public keys, and make a new secret one")
    need(tool, doing)
    if tool == GPG:
        recipients = [_fingerprint(recipient, home, runner, doing) for recipient in recipients]
    encryption = Encryption(tool, tuple(dict.fromkeys(recipients)))
    # The tool alone knows what it takes for a recipient: an empty message tells.
    completed = runner(encrypt_argv(encryption, home, "-", "-"), env=_ENVIRONMENT, stdin="", timeout=60)
    if completed.rc != 0:
        raise SluiceError(doing, f"{tool} cannot encrypt to the recipients: {_said(completed)}", "Correct recipients")
    return encryption


def _fingerprint(recipient: str, home: Optional[str], runner: CommandRunner, doing: str) -> str:
    completed = runner([*_gpg(home), "--with-colons", "--list-keys", "--", recipient], env=_ENVIRONMENT, timeout=60)
    found = usable_keys(completed.stdout)
    if len(found) != 1:
        cause = f"{len(found)} keys of this name" if found else "no public key of this name that can encrypt"
        raise SluiceError(
            doing,
            f"{home or 'the GnuPG home'} has {cause}: {recipient}",
            "Name a fingerprint" if found else "Import the recipient's public key there",
        )
    return found[0]


def usable_keys(listing: str) -> list[str]:
    """Return the fingerprints of the keys that can encrypt, from ``gpg --with-colons --list-keys``.

    Not revoked, expired, invalid or disabled ones; those of subkeys do not count.
    """
    found = []
    usable = False
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] == "pub":
            # Capital letters are what the whole key can do.
            usable = fields[1] not in ("i", "d", "r", "e") and "E" in fields[11] and "D" not in fields[11]
        elif fields[0] == "fpr" and usable:
            found.append(fields[9])
            usable = False
    return found


def encrypt_file(encryption: Encryption, home: Optional[str], path: str, runner: CommandRunner, doing: str) -> str:
    """Put an encrypted file in the place of one in plain text. Returns its path."""
    target = path + encryption.suffix
    completed = runner(encrypt_argv(encryption, home, path, target), env=_ENVIRONMENT)
    if completed.rc != 0:
        raise SluiceError(doing, f"{encryption.tool} could not encrypt {os.path.basename(path)}: {_said(completed)}")
    os.chmod(target, 0o600)
    os.unlink(path)
    return target


def encrypt_set(
    encryption: Encryption, home: Optional[str], directory: str, runner: CommandRunner, doing: str, report: Report
) -> None:
    """Encrypt every file in a directory, one after the other; of each only the encrypted one is left."""
    found = [os.path.join(place, name) for place, _directories, names in os.walk(directory) for name in sorted(names)]
    total = sum(os.stat(path).st_size for path in found)
    done = 0
    for path in found:
        size = os.stat(path).st_size
        report(f"encrypt {os.path.basename(path)}: {mebibytes(size)}", done, total)
        encrypt_file(encryption, home, path, runner, doing)
        done += size


def plain_name(name: str, encryption: Encryption) -> str:
    """Name of a file of the set before it was encrypted."""
    return name.removesuffix(encryption.suffix)


def check_key(encryption: Encryption, key: Key, backup_id: str) -> str:
    """Return the identity, or say why the set cannot be opened with it. Raises SluiceError."""
    doing = f"decrypt backup {backup_id}"
    if not key.identity:
        raise SluiceError(
            doing,
            f"it is encrypted with {encryption.tool} to {', '.join(encryption.recipients)}, and no identity is given",
            "Set identity, or verify at level manifest, which needs no key",
        )
    need(encryption.tool, doing)
    right = os.path.isdir if encryption.tool == GPG else os.path.isfile
    if not right(key.identity):
        what = "directory (a GnuPG home)" if encryption.tool == GPG else "file of age identities"
        raise SluiceError(doing, f"identity {key.identity} is no {what}", "Correct identity")
    return key.identity


@contextlib.contextmanager
def decrypted(
    place: str,
    sizes: Mapping[str, int],
    encryption: Encryption,
    key: Key,
    runner: CommandRunner,
    timeout: Optional[float] = None,
    report: Optional[Report] = None,
) -> Iterator[str]:
    """Decrypt a set into a directory of its own beside it, which is gone when the block ends.

    ``place``: directory of the set. ``sizes``: bytes of each encrypted file, by its path below ``place``. Yields the
    directory, where the files have the names that they had before. ``timeout`` in seconds, for each file.

    Raises SluiceError ``Cannot decrypt backup ...`` when the key is at fault, and BrokenError when a file is.
    """
    root, backup_id = os.path.split(os.path.abspath(place))
    identity = check_key(encryption, key, backup_id)
    total = sum(sizes.values())
    remove_leftovers(root)
    _check_space(root, total, backup_id)
    done = 0
    with _private_directory(root, backup_id) as directory, _agent(encryption.tool, identity, runner):
        for name, size in sizes.items():
            if report:
                report(f"decrypt {name}: {mebibytes(size)}", done, total)
            target = os.path.join(directory, plain_name(name, encryption))
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            source = os.path.join(place, name)
            argv = decrypt_argv(encryption.tool, identity, source, target)
            completed = runner(argv, env=_ENVIRONMENT, stdin=f"{key.passphrase or ''}\n", timeout=timeout)
            if completed.rc != 0:
                raise _failure(completed, encryption, identity, name, backup_id)
            done += size
        yield directory


def _failure(completed: Completed, encryption: Encryption, identity: str, name: str, backup_id: str) -> SluiceError:
    doing, said = f"decrypt backup {backup_id}", _said(completed)
    if "No space left on device" in completed.stderr:
        return SluiceError(doing, f"{name}: {said}", "Free space beside the backup")
    if _KEY_AT_FAULT.search(completed.stderr):
        return SluiceError(
            doing,
            f"{identity} does not open it: {said}",
            f"Give the identity of one of its recipients: {', '.join(encryption.recipients)}",
        )
    return BrokenError(backup_id, name, said)


def _check_space(root: str, needed: int, backup_id: str) -> None:
    status = os.statvfs(root)
    free = status.f_bavail * status.f_frsize
    if free < needed + _RESERVE:
        raise SluiceError(
            f"decrypt backup {backup_id}",
            f"{root} has {mebibytes(free)} free, and {mebibytes(needed + _RESERVE)} are needed",
            "Free space there, or copy the backup to a larger file system",
            free_bytes=free,
            needed_bytes=needed + _RESERVE,
        )


def _said(completed: Completed) -> str:
    """What a tool gives as the cause: its lines without its own advertisement and the obvious."""
    lines = [
        re.sub(r"^(age|gpg): (error: )?", "", line)
        for line in completed.stderr.splitlines()
        if line.strip() and "age: report unexpected" not in line
    ]
    telling = [line for line in lines if not re.match(r"encrypted with|age: hint|WARNING|using|\s", line)]
    return "; ".join(telling[-2:]) or f"status {completed.rc} and not a word"


@contextlib.contextmanager
def _private_directory(root: str, backup_id: str) -> Iterator[str]:
    """Make a directory that is removed when the block ends, and locked until then: see remove_leftovers."""
    path, lock = _make_locked(root, backup_id)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _make_locked(root: str, backup_id: str) -> tuple[str, int]:
    while True:
        path = tempfile.mkdtemp(prefix=f".{backup_id}.", suffix=PLAIN, dir=root)
        lock = _lock(path)
        if lock is not None:
            if os.path.isdir(path):
                return path, lock
            # Somebody who cleared away leftovers had it between the two.
            os.close(lock)


def _lock(path: str) -> Optional[int]:
    """Lock a directory; the kernel frees it with the process. Returns what to close, None when another has it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def remove_leftovers(root: str) -> None:
    """Remove the decrypted sets that killed runs left; one that is in use is locked."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(root):
            if name.startswith(".") and name.endswith(PLAIN):
                path = os.path.join(root, name)
                lock = _lock(path)
                if lock is not None:
                    shutil.rmtree(path, ignore_errors=True)
                    os.close(lock)


@contextlib.contextmanager
def _agent(tool: str, home: str, runner: CommandRunner) -> Iterator[None]:
    """End the agent that GnuPG starts for itself, which would remember a passphrase; not one that was there before."""
    if tool != GPG:
        yield
        return
    asked = runner(["gpg-connect-agent", "--homedir", home, "--no-autostart", "/bye"], env=_ENVIRONMENT, timeout=60)
    try:
        yield
    finally:
        if asked.rc != 0 or "no gpg-agent running" in asked.stderr:
            with contextlib.suppress(SluiceError):
                runner(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], env=_ENVIRONMENT, timeout=60)
