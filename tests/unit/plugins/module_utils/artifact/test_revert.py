# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commits that a version is made without, in a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.artifact._revert import RevertedSource, reverted
from ansible_collections.sluice.release.plugins.module_utils.artifact._source import DirectorySource, GitSource


class Repository:
    """A repository whose commits have names that tests can say."""

    def __init__(self, path: Path) -> None:
        self.path, self.commits = path, {}  # type: tuple[Path, dict[str, str]]
        path.mkdir()
        self.git("init", "--quiet")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, name: str, **files: str) -> None:
        for file, content in files.items():
            (self.path / file).write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", name)
        self.commits[name] = self.git("rev-parse", "HEAD")

    def merge(self, name: str, **files: str) -> None:
        """What a pull request brings."""
        self.git("checkout", "--quiet", "-b", name)
        self.commit(f"{name} itself", **files)
        self.git("checkout", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "--message", name, name)
        self.commits[name] = self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.commit("first", main="one\n", other="one\n")
    made.commit("good", other="two\n")
    made.commit("bad", main="one\nbad\n")
    made.commit("upon it", main="one\nbad\nmore\n")
    made.merge("request", added="new\n")
    made.git("tag", "v1.1.0")
    made.commit("later", other="three\n")
    return made


def without(repository: Repository, place: Path, *names: str, write: bool = True) -> RevertedSource:
    base = GitSource(str(repository.path), "v1.1.0", str(place / "mirror.git"), SubprocessRunner(), write=write)
    return RevertedSource(base, tuple(repository.commits.get(name, name) for name in names))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["good"], {"main": "one\nbad\nmore\n", "other": "one\n", "added": "new\n"}),
        # In whatever order they are named.
        (["bad", "upon it"], {"main": "one\n", "other": "two\n", "added": "new\n"}),
        (["upon it", "bad"], {"main": "one\n", "other": "two\n", "added": "new\n"}),
        (["request"], {"main": "one\nbad\nmore\n", "other": "two\n"}),
    ],
)
def test_a_version_without_some_commits(
    repository: Repository, tmp_path: Path, names: list[str], expected: dict[str, str]
) -> None:
    source = without(repository, tmp_path, *names)
    identity = source.identity()
    (tmp_path / "out").mkdir()
    source.lay(str(tmp_path / "out"))
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == expected
    # Check mode comes to the same name, and leaves nothing; the mirror keeps no working tree.
    elsewhere = tmp_path / "elsewhere"
    assert without(repository, elsewhere, *names, write=False).identity() == identity
    assert not elsewhere.exists()
    assert list((tmp_path / "mirror.git" / "worktrees").glob("*")) == []


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["bad"], r"Cannot revert [0-9a-f]{12}: later commits have changed the same lines of main\. Name the later"),
        (["later"], r"Cannot revert [0-9a-f]{12}: v1\.1\.0 does not have it\."),
        (["0123456"], r"Cannot revert 0123456: the repository .* has no such commit\."),
        (["--all"], r"Cannot revert --all: the repository .* has no such commit\."),
    ],
)
def test_what_cannot_be_reverted_is_named(
    repository: Repository, tmp_path: Path, names: list[str], message: str
) -> None:
    for write in (True, False):
        with pytest.raises(SluiceError, match=message):
            without(repository, tmp_path, *names, write=write).identity()
    assert list((tmp_path / "mirror.git" / "worktrees").glob("*")) == []


def test_a_commit_that_is_reverted_already_is_no_reason_for_a_release(repository: Repository, tmp_path: Path) -> None:
    repository.git("checkout", "--quiet", "v1.1.0")
    repository.git("revert", "--no-edit", repository.commits["good"])
    repository.git("tag", "--force", "v1.1.0")
    with pytest.raises(SluiceError, match=r"Cannot revert .*: v1\.1\.0 does not change by it\."):
        without(repository, tmp_path, "good").identity()


def test_only_git_has_commits(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match=r"Cannot revert commits: the source of the release is no git repository\."):
        reverted(DirectorySource(str(tmp_path)), ["abc"])
