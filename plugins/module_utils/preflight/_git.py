# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Is a working tree clean, and at what is to be released? Asked of git itself, which is kept from writing anything."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, SubprocessRunner, tail
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

_DETACHED = "(detached)"
_SHOWN = 5


@dataclass(frozen=True)
class Tree:
    """What git says of a working tree."""

    commit: str
    branch: str
    """Where HEAD is, or `(detached)`."""
    changes: list[str]
    """Paths that are changed, added, removed or not known to git."""
    refs: list[str]
    """Every ref that points at this commit."""


def read(status: str, refs: str) -> Tree:
    """Read `git status --porcelain=v2 --branch -z` and `git for-each-ref --format=%(refname)`."""
    head: dict[str, str] = {}
    changes: list[str] = []
    records = iter(status.split("\0"))
    for record in records:
        kind, _space, rest = record.partition(" ")
        if kind == "#":
            name, _space, text = rest.partition(" ")
            head[name] = text
        elif kind == "1":
            changes.append(rest.split(" ", 7)[-1])
        elif kind == "2":
            changes.append(rest.split(" ", 8)[-1])
            next(records, None)  # what it was called before
        elif kind == "u":
            changes.append(rest.split(" ", 9)[-1])
        elif kind == "?":
            changes.append(rest)
    return Tree(head.get("branch.oid", ""), head.get("branch.head", ""), changes, refs.split())


def judge(path: str, tree: Tree, branch: str | None, tag: str | None, commit: str | None) -> Finding:
    tags = [ref[len("refs/tags/") :] for ref in tree.refs if ref.startswith("refs/tags/")]
    value = {
        "commit": tree.commit,
        "branch": None if tree.branch == _DETACHED else tree.branch,
        "tags": tags,
        "changes": len(tree.changes),
    }
    short = tree.commit[:12]
    problems = []
    if tree.changes:
        shown = ", ".join(tree.changes[:_SHOWN]) + (", ..." if len(tree.changes) > _SHOWN else "")
        count = len(tree.changes)
        problems.append(f"{count} path{'s are' if count > 1 else ' is'} not as committed ({shown})")
    if branch and not _is_on(tree, branch):
        where = "no branch" if tree.branch == _DETACHED else f"branch {tree.branch}"
        problems.append(f"it is on {where}, not on {branch}")
    if tag and tag not in tags:
        problems.append(f"its commit {short} does not bear the tag {tag}")
    if commit and not tree.commit.startswith(commit.lower()):
        problems.append(f"it is at commit {short}, not at {commit}")
    if problems:
        return Finding(False, f"{path}: {'; '.join(problems)}", value)
    at = f" on {tree.branch}" if value["branch"] else ""
    return Finding(True, f"{path} is clean at {short}{at}" + (f", tagged {', '.join(tags)}" if tags else ""), value)


def _is_on(tree: Tree, branch: str) -> bool:
    """A checkout of a build server is on no branch, but at the commit of one."""
    if tree.branch != _DETACHED:
        return tree.branch == branch
    at = {"/".join(ref.split("/")[2:]) for ref in tree.refs if ref.startswith("refs/heads/")}
    at |= {"/".join(ref.split("/")[3:]) for ref in tree.refs if ref.startswith("refs/remotes/")}
    return branch in at


def look(params: Params, runner: CommandRunner | None = None) -> Finding:
    path = params["path"]
    answers = []
    for words in (
        ("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all"),
        ("for-each-ref", "--points-at=HEAD", "--format=%(refname)"),
    ):
        try:
            done = (runner or SubprocessRunner())(
                ["git", "-C", path, *words],
                # Without it `git status` refreshes the index, which is a write.
                env={"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
                timeout=params["timeout"],
            )
        except SluiceError as error:
            return Finding(False, f"git cannot be asked about {path}: {error.cause}")
        if done.rc != 0:
            return Finding(False, f"git cannot tell the state of {path}: {' '.join(tail(done.stderr, 3).split())}")
        answers.append(done.stdout)
    return judge(path, read(answers[0], answers[1]), params["branch"], params["tag"], params["commit"])


KIND = Kind(
    options={
        "path": {"type": "path"},
        "branch": {"type": "str"},
        "tag": {"type": "str"},
        "commit": {"type": "str"},
    },
    look=look,
    required=("path",),
    group="code",
)
