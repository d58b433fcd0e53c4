# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import hashlib
import json
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator

from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

# Names that a crash in the middle of a write can leave behind; readers skip and writers remove them.
TEMPORARY_PREFIX = ".sluice-tmp-"

# Seconds between two attempts at a lock that is held.
_LOCK_POLL = 0.05


def fsync_directory(path: str) -> None:
    """Make the names in a directory durable. Some file systems cannot; that is no error."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: str, content: str | bytes, mode: int = 0o600) -> None:
    """Replace ``path`` by ``content`` so that every reader, and every crash, sees the old or the new file whole.

    The parent directory must exist. The mode is set before the content is written. Raises OSError.
    """
    directory = os.path.dirname(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    fsync_directory(directory)


def replace_link(path: str, target: str) -> bool:
    """Point the symbolic link ``path`` at ``target`` in one step (a new link, renamed over the old one).

    Returns whether anything changed. SluiceError when something that is not a link is in the way.
    """
    try:
        if os.readlink(path) == target:
            return False
    except FileNotFoundError:
        pass
    except OSError as error:
        raise SluiceError(
            f"point {path} at {target}", "it exists and is not a symbolic link", "Move it out of the way"
        ) from error
    directory = os.path.dirname(os.path.abspath(path))
    temporary = os.path.join(directory, f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
    os.symlink(target, temporary)
    try:
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    fsync_directory(directory)
    return True


def sha256_file(path: str) -> str:
    """Return the hex SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def sha256_tree(path: str, exclude: Iterable[str] = ()) -> str:
    """Return one hex SHA-256 over a directory: names, contents, link targets and executable bits, in fixed order.

    Owners, times and empty directories do not count. ``exclude``: shell patterns, each matched against every single
    name (``node_modules``) and against the path below the directory (``tests/*``).
    """
    patterns = tuple(exclude)

    def excluded(name: str, relative: str) -> bool:
        return any(fnmatch.fnmatchcase(name, p) or fnmatch.fnmatchcase(relative, p) for p in patterns)

    files: list[str] = []
    for root, directories, names in os.walk(path):
        below = os.path.relpath(root, path)
        for name in [*directories, *names]:
            relative = os.path.normpath(os.path.join(below, name))
            if excluded(name, relative):
                if name in directories:
                    directories.remove(name)
            # A link to a directory is content; os.walk does not descend into it.
            elif name in names or os.path.islink(os.path.join(root, name)):
                files.append(relative)

    digest = hashlib.sha256()
    for relative in sorted(files):
        full = os.path.join(path, relative)
        status = os.lstat(full)
        if stat.S_ISLNK(status.st_mode):
            kind, content = "link", hashlib.sha256(os.fsencode(os.readlink(full))).hexdigest()
        elif stat.S_ISREG(status.st_mode):
            kind, content = ("program" if status.st_mode & 0o100 else "file"), sha256_file(full)
        else:
            continue
        digest.update(os.fsencode(relative) + f"\0{kind}\0{content}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def exclusive(path: str, what: str, timeout: float = 30.0) -> Iterator[None]:
    """Hold the lock file ``path`` (flock) while the body runs. The kernel frees it with the process, however it ends.

    ``what`` says in a word or two what is done. SluiceError naming the holder when it is not free within ``timeout``
    seconds, or when the file cannot be made. The parent directory must exist.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SluiceError(f"lock {path}", error.strerror or str(error)) from error
    try:
        deadline = time.monotonic() + timeout
        while not _flock(descriptor):
            if time.monotonic() >= deadline:
                raise SluiceError(
                    f"begin to {what}",
                    f"{path} is locked by {_holder(descriptor)}",
                    "Wait until that process has ended",
                )
            time.sleep(_LOCK_POLL)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "what": what, "since": utc_text()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def host_lock(state_dir: str, what: str, timeout: float = 30.0) -> Iterator[None]:
    """Hold ``<state_dir>/host.lock`` while the body runs: one module at a time acts on this host.

    A module that a killed controller has orphaned still holds it until it ends, so the next run's module waits for it
    and never acts beside it. Errors as of ``exclusive``. The directory is made when it is missing.
    """
    try:
        os.makedirs(state_dir, mode=0o700, exist_ok=True)
    except OSError as error:
        raise SluiceError(f"make the state directory {state_dir}", error.strerror or str(error)) from error
    with exclusive(os.path.join(state_dir, "host.lock"), what, timeout):
        yield


def _flock(descriptor: int) -> bool:
    """Try once; return whether the lock is ours."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    """Say who holds the lock, by what the holder wrote into it."""
    try:
        note = json.loads(os.pread(descriptor, 4096, 0).decode())
        return f"process {note['pid']} ({note['what']}, since {note['since']})"
    except (ValueError, KeyError, TypeError):
        return "a process that has not said who it is"
