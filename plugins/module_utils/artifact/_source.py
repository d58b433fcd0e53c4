# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection.

"""Where an artifact comes from: a directory, an archive, or a ref of a git repository.

A source does two things: it says who it is (``identity``, without changing anything), and it lays its files into an
empty directory (``lay``). Everything that installs and builds comes after and is the same for all three.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import tarfile
import typing as t
import zipfile

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import sha256_file, sha256_tree
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner
from ansible_collections.sluice.release.plugins.module_utils.artifact._signature import Signature

# What belongs to a working copy and not to a release; npm and the build make their own.
EXCLUDED = (".git", "node_modules", "dist")


@dataclasses.dataclass(frozen=True)
class Identity:
    """Which content a source holds: ``checksum`` is a sha256 over it, or the commit for git."""

    checksum: str
    description: str


class Source(t.Protocol):
    """What a release is made from."""

    def identity(self) -> Identity: ...

    def lay(self, destination: str) -> None: ...


@dataclasses.dataclass(frozen=True)
class DirectorySource:
    """A directory on the host."""

    path: str
    exclude: tuple[str, ...] = EXCLUDED

    def identity(self) -> Identity:
        if not os.path.isdir(self.path):
            raise SluiceError(
                "read the source of the release",
                f"the directory {self.path} does not exist",
                "Check release_version and artifact_source",
            )
        return Identity(sha256_tree(self.path, self.exclude), f"directory {self.path}")

    def lay(self, destination: str) -> None:
        shutil.copytree(
            self.path,
            destination,
            symlinks=True,
            ignore=shutil.ignore_patterns(*self.exclude),
            dirs_exist_ok=True,
        )


@dataclasses.dataclass(frozen=True)
class ArchiveSource:
    """A tar or zip file on the host, with the sha256 that its maker published and the signature that he made."""

    path: str
    checksum: str | None = None
    signature: Signature | None = None

    def identity(self) -> Identity:
        if not os.path.isfile(self.path):
            raise SluiceError(
                "read the source of the release",
                f"the archive {self.path} does not exist",
                "Check release_version and artifact_source",
            )
        found = sha256_file(self.path)
        if self.checksum and found != self.checksum.lower():
            raise SluiceError(
                f"trust the archive {self.path}",
                f"its sha256 is {found}, expected {self.checksum}",
                "Fetch it again, or correct the checksum in artifact_source",
            )
        if self.signature is None:
            return Identity(found, f"archive {self.path}")
        return Identity(found, f"archive {self.path}, signed by {self.signature.check(self.path)}")

    def lay(self, destination: str) -> None:
        try:
            if zipfile.is_zipfile(self.path):
                _unzip(self.path, destination)
            else:
                _untar(self.path, destination)
        except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
            raise SluiceError(
                f"unpack the archive {self.path}", str(error) or type(error).__name__, "Fetch it again"
            ) from error
        _lift_single_directory(destination)


@dataclasses.dataclass(frozen=True)
class GitSource:
    """A ref of a git repository, read through a mirror that is kept on the host.

    The mirror makes the second release quick, and lets the source be read when the remote is down and the commit is
    already known.
    """

    repository: str
    ref: str
    mirror: str
    runner: CommandRunner
    write: bool = True

    def identity(self) -> Identity:
        commit = self.resolve()
        return Identity(commit, f"git {self.ref} ({commit[:12]})")

    def lay(self, destination: str) -> None:
        self.lay_tree(self.resolve(), destination)

    def lay_tree(self, tree: str, destination: str) -> None:
        """Lay a commit or a tree that the mirror has."""
        archive = os.path.join(destination, ".sluice-source.tar")
        self.git("archive", "--format=tar", f"--output={archive}", tree)
        _untar(archive, destination)
        os.unlink(archive)

    def resolve(self) -> str:
        """Return the commit of the ref, fetched into the mirror unless this is check mode."""
        if self.write:
            self._fetch()
            where = ("--git-dir", self.mirror)
            found = self.runner(["git", *where, "rev-parse", "--verify", "--quiet", f"{self.ref}^{{commit}}"])
            commit = found.stdout.strip()
        else:
            # Check mode: ask the remote, and leave the mirror alone.
            found = self.runner(["git", "ls-remote", self.repository, self.ref, f"{self.ref}^{{}}"])
            lines = [line.split("\t") for line in found.stdout.splitlines()]
            commit = lines[-1][0] if lines else (self.ref if len(self.ref) == 40 else "")
        if found.rc != 0 or not commit:
            raise SluiceError(
                f"find {self.ref} in the repository {self.repository}",
                (found.stderr.strip() or "there is no such tag, branch or commit").splitlines()[-1],
                "Check release_version and artifact_source",
            )
        return commit

    def _fetch(self) -> None:
        if not os.path.isdir(self.mirror):
            os.makedirs(os.path.dirname(self.mirror), exist_ok=True)
            self.run(["git", "clone", "--mirror", "--quiet", self.repository, self.mirror])
        else:
            self.git("remote", "set-url", "origin", self.repository)
            self.git("fetch", "--quiet", "--prune", "--tags", "origin")

    def git(self, *arguments: str) -> None:
        """Run git on the mirror, which must succeed."""
        self.run(["git", "--git-dir", self.mirror, *arguments])

    def run(self, argv: t.Sequence[str]) -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.runner(argv, timeout=600)
        if done.rc != 0:
            raise SluiceError(
                f"read the repository {self.repository}",
                (done.stderr.strip() or f"git exited with {done.rc}").splitlines()[-1],
                "Check that this host may read it",
            )
        return done.stdout


def _untar(path: str, destination: str) -> None:
    with tarfile.open(path) as archive:
        # The data filter refuses members that would leave the directory (PEP 706).
        archive.extractall(destination, filter="data")


def _unzip(path: str, destination: str) -> None:
    root = os.path.realpath(destination)
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if not os.path.realpath(os.path.join(root, member)).startswith(root + os.sep):
                raise zipfile.BadZipFile(f"member {member} leaves the directory")
        archive.extractall(destination)  # noqa: S202 - every member was looked at


def _lift_single_directory(destination: str) -> None:
    """Take the one top directory away that ``npm pack``, GitHub and most makers of archives add."""
    names = os.listdir(destination)
    if len(names) != 1 or not os.path.isdir(os.path.join(destination, names[0])):
        return
    inner = os.path.join(destination, names[0])
    # The inner directory may hold an entry of its own name, so it steps aside first.
    aside = os.path.join(destination, ".sluice-unpacked")
    os.rename(inner, aside)
    for name in os.listdir(aside):
        os.rename(os.path.join(aside, name), os.path.join(destination, name))
    os.rmdir(aside)
