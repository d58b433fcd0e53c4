# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.sluice.release.plugins.module_utils._files import fsync_directory, sha256_file
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import SetFile


def names_below(root: str, name: str) -> Iterator[str]:
    """Yield the names, relative to ``root``, of the file ``name`` or of every file in the directory ``name``."""
    path = os.path.join(root, name)
    if not os.path.isdir(path):
        if os.path.lexists(path):
            yield name
        return
    for directory, _directories, files in os.walk(path):
        for file in sorted(files):
            yield os.path.relpath(os.path.join(directory, file), root)


def bytes_below(path: str) -> int:
    """Return the size of a file, or of all files in a directory, that is being written; 0 when it is not there yet."""
    total = 0
    for name in names_below(os.path.dirname(path), os.path.basename(path)):
        with contextlib.suppress(FileNotFoundError):
            total += os.stat(os.path.join(os.path.dirname(path), name)).st_size
    return total


def settle(root: str) -> dict[str, SetFile]:
    """Make every file below ``root`` durable and private, and return what a manifest says of it. Raises OSError."""
    names = list(names_below(root, "."))
    # To wait for the disk and to hash take turns.
    with ThreadPoolExecutor(max_workers=4) as pool:
        files = dict(zip(names, pool.map(_settle, (os.path.join(root, name) for name in names))))
    for directory, _directories, _files in os.walk(root):
        os.chmod(directory, 0o700)
        fsync_directory(directory)
    return files


def _settle(path: str) -> SetFile:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fchmod(descriptor, 0o600)
        os.fsync(descriptor)
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    return SetFile(size, sha256_file(path))


def fault_of(root: str, name: str, file: SetFile) -> str:
    """Return what is wrong with a file of a set that was ``file`` once; empty when nothing is."""
    path = os.path.join(root, name)
    try:
        if os.path.islink(path):
            return f"{path} is a symbolic link"
        size = os.stat(path).st_size
        if size != file.size:
            return f"{path} has {size} bytes instead of {file.size}"
        if sha256_file(path) != file.sha256:
            return f"the checksum of {path} is not the recorded one"
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return ""


def faults(root: str, archive: str, files: Mapping[str, SetFile]) -> Iterator[tuple[str, str]]:
    """Compare every file of a set with its manifest. Yields name and fault of each that is not what it was.

    A file that came into an archive's directory is a fault, too: pg_restore would read ``3501.dat``, if there was one,
    instead of ``3501.dat.gz``.
    """
    for name, file in sorted(files.items()):
        fault = fault_of(root, name, file)
        if fault:
            yield name, fault
    for name in names_below(root, archive):
        if name not in files:
            yield name, f"{os.path.join(root, name)} does not belong to it"
