#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_image
short_description: Build or pull the images of a release, and keep them on the host by digest
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Brings every image of a version to the host, by pulling it or by building it from the source, and writes a release
    directory C(<root>/releases/<version>-<checksum>) whose C(images.json) names them by digest. The checksum is that
    of the digests and, with O(include), of the source.
  - A built image is scanned and tried before it is pushed, where the profile says how.
  - The host keeps each image under a name of its own, C(sluice/<application>/<service>:<artifact id>). A rollback asks
    no registry for it. C(docker image prune) leaves it; with C(--all) it takes every image that no container uses.
  - Nothing that serves is touched. On a failure, names that were given are taken away again, and there is no release
    directory.
  - A version that is there is not built again, and not asked for again, unless its tag is one that is moved.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
options:
  application:
    description: Name of the application, for the names of the images on the host.
    type: str
    required: true
  version:
    description: The version, as release C(release_version) asked for it.
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
  images:
    description: The images of the application. C({version}) in a name stands for O(version).
    type: list
    elements: dict
    required: true
    suboptions:
      service:
        description: Name of the service that runs it, as the driver knows it.
        type: str
        required: true
      image:
        description:
          - Name of the image, with a tag, a digest (C(@sha256:...)) or both.
          - A tag of a version that is on the host is taken from there. One that is moved is asked for each time.
        type: str
        required: true
      build:
        description: How it is built. Without it the image is pulled.
        type: dict
        suboptions:
          context:
            description: Directory of the source that is sent to the engine.
            type: str
            default: .
          dockerfile:
            description: The Dockerfile, below O(images[].build.context).
            type: str
            default: Dockerfile
          target:
            description: Stage of the Dockerfile to build; the last when left out.
            type: str
          arguments:
            description: Build arguments. They are kept in the image, so no secrets.
            type: dict
            default: {}
          command:
            description:
              - Command that builds instead of the engine's classic builder, in O(images[].build.context), with
                C({image}) for the name, for example C([docker, buildx, build, --load, --tag, "{image}", .]).
            type: list
            elements: str
            default: []
      push:
        description:
          - Whether a built image is pushed to the registry that its name says. A fleet needs it, so that all hosts
            run one image.
        type: bool
        default: false
  mutable_tags:
    description: Whether tags that are moved from image to image, such as V(latest), may be released.
    type: str
    choices: [allow, refuse]
    default: refuse
  source:
    description: Where builds and O(include) come from, on the managed host.
    type: dict
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
        description: Detached signature of GnuPG that the archive must have.
        type: path
      keyring:
        description: File with the public keys whose signatures count. Required with O(source.signature).
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
  include:
    description:
      - Files and directories of the source that go into the release directory, such as the Compose project or the
        manifests of Kubernetes.
    type: list
    elements: str
    default: []
  registries:
    description: Accounts at registries. Without one the engine's user is who the user's own files say.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Host of the registry, with its port if names have one; V(docker.io) for Docker's.
        type: str
        required: true
      username:
        description: User name.
        type: str
        required: true
      password:
        description: Password or token.
        type: str
        required: true
  scan:
    description: Command that judges a new image before it is pushed. C({image}) stands for its id.
    type: list
    elements: str
    default: []
  smoke:
    description: Command that tries a new image before it is pushed. C({image}) stands for its id.
    type: list
    elements: str
    default: []
  environment:
    description: Environment variables for the commands. Not for secrets.
    type: dict
    default: {}
  path_prepend:
    description: Directories that come first in C(PATH) of the commands.
    type: list
    elements: path
    default: []
  docker_host:
    description: Address of the engine; E(DOCKER_HOST) or the socket of this host when left out.
    type: str
  timeout:
    description: Seconds for each command, and for the engine to say a word.
    type: int
    default: 1800
notes:
  - The engine's classic builder knows no C(RUN --mount). A Dockerfile that needs it is built by
    O(images[].build.command).
seealso:
  - module: sluice.release.release_artifact
  - module: sluice.release.release_retention
  - module: sluice.release.docker_switch
"""

EXAMPLES = r"""
- name: Build the image of 2.0.0, scan it and push it
  sluice.release.release_image:
    application: shop
    version: 2.0.0
    root: /srv/shop
    state_dir: /var/lib/sluice/shop
    source:
      type: git
      repository: https://git.example.com/shop.git
      ref: v2.0.0
    images:
      - service: web
        image: registry.example.com/shop/web:{version}
        build:
          context: ./backend
        push: true
    include: [compose.yaml]
    scan: [trivy, image, --exit-code, "1", --severity, CRITICAL, "{image}"]
    smoke: [docker, run, --rm, "{image}", node, --version]

- name: Bring the same image to another host
  sluice.release.release_image:
    application: shop
    version: 2.0.0
    root: /srv/shop
    state_dir: /var/lib/sluice/shop
    images:
      - service: web
        image: registry.example.com/shop/web@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
"""

RETURN = r"""
artifact:
  description: The artifact. In check mode the one that would be made; its id is not known before a build.
  returned: success
  type: dict
  contains:
    id:
      description: Version and first 12 digits of the checksum.
      type: str
      sample: 2.0.0-3f2a9c1b77d0
    path:
      description: The release directory.
      type: str
      sample: /srv/shop/releases/2.0.0-3f2a9c1b77d0
    checksum:
      description: SHA-256 over the digests and what was taken from the source.
      type: str
    version:
      description: The version.
      type: str
    source:
      description: The source in words.
      type: str
images:
  description: What C(images.json) says, by service. Empty in check mode for what is not there yet.
  returned: success
  type: dict
  sample:
    web:
      image: registry.example.com/shop/web@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
      kept: sluice/shop/web:2.0.0-3f2a9c1b77d0
      digest: sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
      id: sha256:9d6d546631ee2a0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
      tag: 2.0.0
      size: 184521332
pinned:
  description: O(images) for the other hosts of the fleet, by digest, with nothing to build.
  returned: success
  type: list
  elements: dict
output_tail:
  description: The last lines that the failed command or build printed.
  returned: when a command or build failed
  type: list
  elements: str
"""

import contextlib
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._files import host_lock
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.artifact import _image_options


def bring(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Bring the images under the host's lock, unless they are there."""
    maker = _image_options.maker(params, write=not check_mode)
    alone = (
        contextlib.nullcontext()
        if check_mode
        else host_lock(params["state_dir"], f"bring the images of version {params['version']}")
    )
    with alone:
        return maker.ensure(write=not check_mode)


def main() -> None:
    module = AnsibleModule(argument_spec=_image_options.SPEC, supports_check_mode=True)
    run(module, lambda params: bring(params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
