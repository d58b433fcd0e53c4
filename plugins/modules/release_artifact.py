#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_artifact
short_description: Lay, install and build a version of an application in a release directory of its own
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Takes the source of a version from a directory, an archive or a git ref, runs the install and build commands in a
    new directory C(<root>/releases/<version>-<checksum>), and marks the directory complete as the last step.
  - Nothing that serves is touched, C(node_modules) of another release least of all.
  - A directory without the mark is the rest of a run that was killed; it is removed and built again.
  - A failed build removes its directory, and the error carries the end of the command's output.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
options:
  version:
    description: The version to build, as release C(release_version) asked for it.
    type: str
    required: true
  root:
    description: The application's directory; releases lie in C(releases/) below it.
    type: path
    required: true
  state_dir:
    description: The application's state directory, for the lock that keeps two modules from acting at once.
    type: path
    required: true
  source:
    description: Where the version comes from, on the managed host.
    type: dict
    required: true
    suboptions:
      type:
        description: The kind of source.
        type: str
        choices: [directory, archive, git]
        required: true
      path:
        description: The directory or archive. Required for these two.
        type: path
      checksum:
        description: SHA-256 that the archive must have.
        type: str
      repository:
        description: URL or path of the git repository. Required for git.
        type: str
      ref:
        description: Tag, branch or commit. Required for git.
        type: str
  exclude:
    description: Names that are left out of a directory, at any depth.
    type: list
    elements: str
    default: [.git, node_modules, dist]
  install:
    description: Command that installs the dependencies, run in the release directory. Empty for none.
    type: list
    elements: str
    default: []
  build:
    description: Command that builds, run after O(install). Empty for none.
    type: list
    elements: str
    default: []
  prune:
    description: Command that removes what only the build needed, run after O(build). Empty for none.
    type: list
    elements: str
    default: []
  manifest:
    description:
      - JSON file in the source whose C(version) must be O(version). A source without the file is not checked.
      - An empty string checks nothing.
    type: str
    default: package.json
  entry:
    description: File that must exist after the build, relative to the release directory.
    type: str
  environment:
    description: Environment variables for the commands. Not for secrets; a build that needs one leaks it.
    type: dict
    default: {}
  path_prepend:
    description: Directories that come first in C(PATH) of the commands.
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds that each command may take.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: Build 1.1.0 from its git tag
  sluice.release.release_artifact:
    version: 1.1.0
    root: /srv/dealradarus
    state_dir: /var/lib/sluice/dealradarus
    source:
      type: git
      repository: https://git.example.com/dealradarus.git
      ref: v1.1.0
    install: [npm, ci]
    build: [npm, run, build]
    prune: [npm, prune, --omit=dev]
    entry: dist/main.js
"""

RETURN = r"""
artifact:
  description: The artifact; in check mode the one that would be built.
  returned: success
  type: dict
  contains:
    id:
      description: Version and first 12 digits of the checksum.
      type: str
      sample: 1.1.0-3f2a9c1b77d0
    path:
      description: The release directory.
      type: str
      sample: /srv/dealradarus/releases/1.1.0-3f2a9c1b77d0
    checksum:
      description: SHA-256 of the source, or the commit.
      type: str
    version:
      description: The version.
      type: str
    source:
      description: The source in words.
      type: str
output_tail:
  description: The last lines that the failed command printed.
  returned: when a command failed
  type: list
  elements: str
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._files import host_lock
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.artifact._build import Request, Step, ensure
from ansible_collections.sluice.release.plugins.module_utils.artifact._source import (
    ArchiveSource,
    DirectorySource,
    GitSource,
    Source,
)


def make_source(params: t.Mapping[str, t.Any], runner: CommandRunner, *, write: bool) -> Source:
    """Make the source that the options describe."""
    source = params["source"]
    if source["type"] == "directory":
        return DirectorySource(source["path"], tuple(params["exclude"]))
    if source["type"] == "archive":
        return ArchiveSource(source["path"], source["checksum"])
    mirror = os.path.join(params["root"], "repository.git")
    return GitSource(source["repository"], source["ref"], mirror, runner, write=write)


def make_request(params: t.Mapping[str, t.Any], path: str) -> Request:
    """Make the request that the options describe; `path` is PATH of the connection."""
    steps = (("install", params["install"]), ("build", params["build"]), ("prune", params["prune"]))
    environment = {name: str(value) for name, value in params["environment"].items()}
    return Request(
        version=params["version"],
        releases=os.path.join(params["root"], "releases"),
        steps=tuple(Step(name, tuple(argv)) for name, argv in steps if argv),
        manifest=params["manifest"] or None,
        entry=params["entry"],
        environment={"PATH": os.pathsep.join([*params["path_prepend"], path]), **environment},
        timeout=params["timeout"],
    )


def build(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Build the artifact under the host's lock, unless it is there."""
    runner = SubprocessRunner()
    source = make_source(params, runner, write=not check_mode)
    request = make_request(params, os.environ.get("PATH", os.defpath))
    if check_mode:
        return ensure(request, source, runner, write=False)
    with host_lock(params["state_dir"], f"build version {params['version']}"):
        return ensure(request, source, runner, write=True, say=Progress(params["progress"]).update)


def main() -> None:
    source = {
        "type": {"type": "str", "choices": ["directory", "archive", "git"], "required": True},
        "path": {"type": "path"},
        "checksum": {"type": "str"},
        "repository": {"type": "str"},
        "ref": {"type": "str"},
    }
    needs = [("type", "directory", ["path"]), ("type", "archive", ["path"]), ("type", "git", ["repository", "ref"])]
    spec = dict(
        version={"type": "str", "required": True},
        root={"type": "path", "required": True},
        state_dir={"type": "path", "required": True},
        source={"type": "dict", "required": True, "options": source, "required_if": needs},
        exclude={"type": "list", "elements": "str", "default": [".git", "node_modules", "dist"]},
        **{name: {"type": "list", "elements": "str", "default": []} for name in ("install", "build", "prune")},
        manifest={"type": "str", "default": "package.json"},
        entry={"type": "str"},
        environment={"type": "dict", "default": {}},
        path_prepend={"type": "list", "elements": "path", "default": []},
        timeout={"type": "int", "default": 1800},
        **PROGRESS,
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    run(module, lambda params: build(params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
