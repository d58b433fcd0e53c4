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
      signature:
        description: Detached signature of GnuPG that the archive must have. Checked before anything is unpacked.
        type: path
      keyring:
        description:
          - File with the public keys whose signatures count, as C(gpg --export) writes it. Required with
            O(source.signature). No other key counts, and none that has expired or was revoked.
        type: path
      repository:
        description: URL or path of the git repository. Required for git.
        type: str
      ref:
        description: Tag, branch or commit. Required for git.
        type: str
  revert:
    description:
      - Commits that the ref of O(source) has and that the version is made without, by their names in git. Only for
        O(source.type=git). Nothing is committed; the artifact is named by the tree that is left.
      - A conflict changes nothing and is named, with its files.
    type: list
    elements: str
    default: []
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

from ansible_collections.sluice.release.plugins.module_utils._files import host_lock
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.artifact import _options
from ansible_collections.sluice.release.plugins.module_utils.artifact._build import Request, Step, ensure


def make_request(params: t.Mapping[str, t.Any]) -> Request:
    """Make the request that the options describe."""
    steps = (("install", params["install"]), ("build", params["build"]), ("prune", params["prune"]))
    return Request(
        version=params["version"],
        releases=os.path.join(params["root"], "releases"),
        steps=tuple(Step(name, tuple(argv)) for name, argv in steps if argv),
        manifest=params["manifest"] or None,
        entry=params["entry"],
        environment=_options.environment(params),
        timeout=params["timeout"],
    )


def build(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Build the artifact under the host's lock, unless it is there."""
    runner = SubprocessRunner()
    source = _options.source(params, runner, write=not check_mode)
    request = make_request(params)
    if check_mode:
        return ensure(request, source, runner, write=False)
    with host_lock(params["state_dir"], f"build version {params['version']}"):
        return ensure(request, source, runner, write=True, say=Progress(params["progress"]).update)


def main() -> None:
    spec = dict(
        **_options.COMMON,
        source={**_options.SOURCE, "required": True},
        **{name: {"type": "list", "elements": "str", "default": []} for name in ("install", "build", "prune")},
        manifest={"type": "str", "default": "package.json"},
        entry={"type": "str"},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    run(module, lambda params: build(params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
