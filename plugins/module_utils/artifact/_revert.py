# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection.

"""A ref of a git repository without some of its commits: what an incident asks for when only one change was bad.

Nothing is committed and nothing is pushed. The artifact is named by the tree that is left, so that every host comes to
the same name, and the repository stays whose it is.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import typing as t

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.artifact._source import GitSource, Identity


@dataclasses.dataclass(frozen=True)
class RevertedSource:
    """``base`` without ``commits``, which are named as git names commits."""

    base: GitSource
    commits: tuple[str, ...]

    def identity(self) -> Identity:
        if self.base.write:
            return self._identity(self.base)
        # Check mode leaves the mirror alone, and yet has to know whether it can be done.
        with tempfile.TemporaryDirectory(prefix="sluice-") as directory:
            mirror = os.path.join(directory, "repository.git")
            return self._identity(dataclasses.replace(self.base, mirror=mirror, write=True))

    def lay(self, destination: str) -> None:
        tree, _commits = self._tree(self.base)
        self.base.lay_tree(tree, destination)

    def _identity(self, base: GitSource) -> Identity:
        tree, commits = self._tree(base)
        without = ", ".join(commit[:12] for commit in commits)
        return Identity(tree, f"git {base.ref} without {without} (tree {tree[:12]})")

    def _tree(self, base: GitSource) -> tuple[str, list[str]]:
        """Return the tree that is left, and the commits that were reverted, newest first."""
        commit = base.resolve()
        commits = self._order(base, commit)
        with tempfile.TemporaryDirectory(prefix="sluice-") as directory:
            tree = os.path.join(directory, "tree")
            base.git("worktree", "add", "--quiet", "--detach", tree, commit)
            try:
                for one in commits:
                    self._revert(base, tree, one)
                left = _said(base, "-C", tree, "write-tree")
            finally:
                base.git("worktree", "remove", "--force", tree)
        if left == _said(base, "--git-dir", base.mirror, "rev-parse", f"{commit}^{{tree}}"):
            raise self._refused(", ".join(self.commits), f"{base.ref} does not change by it", "Name other commits")
        return left, commits

    def _order(self, base: GitSource, commit: str) -> list[str]:
        """Return the full names, newest first: what came later may be built upon what came before."""
        wanted = {self._named(base, name) for name in self.commits}
        history = _said(base, "--git-dir", base.mirror, "rev-list", "--topo-order", commit).split()
        found = [one for one in history if one in wanted]
        if missing := sorted(wanted.difference(found)):
            raise self._refused(
                ", ".join(one[:12] for one in missing), f"{base.ref} does not have it", "Name commits that it has"
            )
        return found

    def _named(self, base: GitSource, name: str) -> str:
        argv = ["git", "--git-dir", base.mirror, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]
        done = base.runner(argv)
        if done.rc != 0 or name.startswith("-"):
            raise self._refused(name, f"the repository {base.repository} has no such commit", "Name another")
        return done.stdout.strip()

    def _revert(self, base: GitSource, tree: str, commit: str) -> None:
        parents = _said(base, "-C", tree, "rev-list", "--parents", "--max-count=1", commit).split()[1:]
        # What a merge has brought is what its first parent did not have.
        mainline = ["--mainline", "1"] if len(parents) > 1 else []
        done = base.runner(["git", "-C", tree, "revert", "--no-commit", *mainline, commit], timeout=600)
        if done.rc == 0:
            return
        files = base.runner(["git", "-C", tree, "diff", "--name-only", "--diff-filter=U"]).stdout.split("\n")
        conflicts = ", ".join(name for name in files if name)
        raise self._refused(
            commit[:12],
            f"later commits have changed the same lines of {conflicts}"
            if conflicts
            else (done.stderr.strip() or f"git exited with {done.rc}").splitlines()[0],
            "Name the later ones as well, or release a version in which it is mended. Nothing has changed",
        )

    def _refused(self, what: str, cause: str, remedy: str) -> SluiceError:
        return SluiceError(f"revert {what}", cause, remedy)


def _said(base: GitSource, *arguments: str) -> str:
    """Run git, which must succeed; return what it printed."""
    return base.run(["git", *arguments]).strip()


def reverted(source: object, commits: t.Sequence[str]) -> RevertedSource:
    """Return the source without these commits. SluiceError when it has no commits at all."""
    if not isinstance(source, GitSource):
        raise SluiceError(
            "revert commits", "the source of the release is no git repository", "Leave artifact_revert out"
        )
    return RevertedSource(source, tuple(commits))
