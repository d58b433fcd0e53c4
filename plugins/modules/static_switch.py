#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: static_switch
short_description: Publish a release of a frontend, and go back when it is not what browsers get
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Publishes the tree of a release directory behind a document root that is a symbolic link, or in a bucket of S3 with
    or without CloudFront in front of it.
  - Everything that a page loads is there before the page is. What older versions had, and the release has no file of
    that name for, stays for the browsers that have them open; entry pages are always those of the release.
  - The release counts as serving when its page has been fetched through O(ready.url) as often in a row as asked, refers
    to the files of the release, and these and the service workers have its checksums. When it is not, what served
    before serves again.
  - A tree without an entry page, or with one that loads a file that is not there, is refused before anything is
    changed. So is a hashed file that was published under its name with another content.
  - Behind a link, the tree and what older versions need of theirs are hard-linked (or copied, across file systems) into
    a directory of its own, and the link is moved in one step.
  - In a bucket, hashed files come first, then what else there is, then the entry pages, then service workers. Objects
    that are there with the same checksum are not uploaded. They get no ACL; who may read them is the bucket's business.
    Only what this module has published, and no kept release has, is removed.
  - A rollback is the same with the path of an older release.
extends_documentation_fragment:
  - sluice.release._switch
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
options:
  state:
    description:
      - With V(active), O(release) serves.
      - With V(staged), the hashed files of O(release) can be fetched, and the pages are those that serve. In a fleet
        that switches host by host a page from a new host may ask an old one for its files.
      - With V(stopped), no page is served.
      - With V(absent), nothing is left of what was published.
    type: str
    choices: [active, staged, stopped, absent]
    default: active
  config:
    description: Taken as every driver takes it, and not read. What a browser may know is in the tree.
    type: path
  drain_timeout:
    description: Taken as every driver takes it. Open pages are not drained; O(keep) says how long their files stay.
    type: float
    default: 8
  ready:
    description: How the release proves itself. Required with O(state=active).
    type: dict
    suboptions:
      url:
        description: Address of an entry page, as a browser asks for it.
        type: str
        required: true
      status:
        description: HTTP status that means ready.
        type: list
        elements: int
        default: [200]
      version:
        description: The version that the file at O(ready.version_url) has to tell.
        type: str
        required: true
      version_url:
        description:
          - Address of a JSON file that tells the version, for example V(/version.json). Not asked when it is left out,
            for the checksums of the files tell more.
        type: str
      version_query:
        description: JMESPath expression for the version.
        type: str
        default: version
      instance_query:
        description: Taken as every driver takes it. A file does not say who serves it.
        type: str
        default: pid
      successes:
        description: How often in a row the page has to be that of the release.
        type: int
        default: 3
      timeout:
        description: Seconds that there are for it, counted from the move.
        type: float
        default: 30
      interval:
        description: Seconds between two of these.
        type: float
        default: 0.2
      request_timeout:
        description: Seconds for one request.
        type: float
        default: 5
      validate_certs:
        description: Whether an https certificate has to be valid.
        type: bool
        default: true
  target:
    description: Where the tree is published.
    type: str
    choices: [link, s3]
    default: link
  tree:
    description: Directory of the tree below O(path). V(.) when it is the release directory itself.
    type: str
    default: dist
  link:
    description: The document root. A symbolic link, or nothing yet. Required with O(target=link).
    type: path
  store:
    description: Directory for what the link leads to; O(link) with C(.releases) added when left out.
    type: path
  s3:
    description: The bucket. Required with O(target=s3).
    type: dict
    suboptions:
      bucket:
        description: Its name.
        type: str
        required: true
      prefix:
        description: What all names begin with, for example V(shop/).
        type: str
        default: ''
      region:
        description: Its region.
        type: str
      endpoint_url:
        description: Address of a service that is not Amazon's.
        type: str
      access_key:
        description:
          - Access key. Without it boto3 looks where it always does, in E(AWS_ACCESS_KEY_ID), the user's files and the
            role of the machine.
        type: str
      secret_key:
        description: Secret key.
        type: str
      session_token:
        description: Token of a session.
        type: str
      profile:
        description: Name of a profile in the user's files.
        type: str
      encryption:
        description: How objects are encrypted; as the bucket says when left out.
        type: str
        choices: [AES256, 'aws:kms']
      cache_hashed:
        description: Header C(Cache-Control) of hashed files.
        type: str
        default: public, max-age=31536000, immutable
      cache_other:
        description: The same of everything else.
        type: str
        default: no-cache
      content_types:
        description: Media type by suffix (V(.js)), where the ones that are known do not fit.
        type: dict
        default: {}
  cloudfront:
    description: The distribution in front of the bucket. What keeps its name and has changed is invalidated there.
    type: dict
    suboptions:
      distribution:
        description: Its id.
        type: str
        required: true
      timeout:
        description: Seconds to wait for an invalidation.
        type: float
        default: 600
      endpoint_url:
        description: Address of a service that is not Amazon's.
        type: str
  rules:
    description: How files are told from one another.
    type: dict
    default: {}
    suboptions:
      hashed:
        description:
          - Regular expressions for the names, with their path, of files whose name changes with their content. They are
            kept by browsers for a year, so they should match no others.
          - The default knows the names that Vite, Rollup, esbuild, webpack, Create React App, Parcel, Angular, Next.js
            and SvelteKit make.
        type: list
        elements: str
      entries:
        description: Shell patterns for entry pages. V(*) also stands for slashes.
        type: list
        elements: str
        default: ['*.html']
      workers:
        description: Shell patterns for service workers, and for lists of files that they or browsers read.
        type: list
        elements: str
        default: [sw.js, '*/sw.js', '*-sw.js', service-worker.js, '*/service-worker.js', ngsw-worker.js, ngsw.json,
                  manifest.json, '*.webmanifest']
      exclude:
        description: Shell patterns for files that are not published. What begins with C(.sluice-) never is.
        type: list
        elements: str
        default: [.git, .git/*, .DS_Store, '*/.DS_Store', .vite/*]
      base:
        description: Path, or URL, below which browsers find the tree.
        type: str
        default: /
      elsewhere:
        description: Shell patterns for paths that pages load and another server answers, for example V(/api/*).
        type: list
        elements: str
        default: []
  keep:
    description: How long the files of older releases stay. A release goes when both are exceeded, and another moves.
    type: dict
    default: {}
    suboptions:
      releases:
        description: How many older releases stay in any case.
        type: int
        default: 3
      days:
        description: For how many days after it has left a release stays in any case.
        type: float
        default: 7
  proof:
    description: Where else the release has to be found.
    type: dict
    default: {}
    suboptions:
      urls:
        description: Addresses of the same page at other places, such as the regions of a CDN.
        type: list
        elements: str
        default: []
      timeout:
        description: Seconds until all of them have to serve it.
        type: float
        default: 120
      caching:
        description:
          - What to do when headers let browsers keep a page or a service worker without asking, or keep a hashed file
            for less than a year.
        type: str
        choices: [warn, fail, ignore]
        default: warn
notes:
  - Needs boto3 on the host with O(target=s3), in a Python of its own if need be.
  - Not made of tasks of amazon.aws, for one task a file would take half an hour for a large frontend, and a failure
    between two of them would leave pages without their files.
seealso:
  - module: sluice.release.release_artifact
  - module: sluice.release.release_retention
"""

EXAMPLES = r"""
- name: Publish the release behind the document root of nginx
  sluice.release.static_switch:
    name: shop
    release: 2.0.0-3f2a9c51b7de
    path: /srv/shop/releases/2.0.0-3f2a9c51b7de
    link: /srv/shop/www
    ready:
      url: https://shop.example.com/
      version: 2.0.0
      version_url: /version.json
    state_dir: /var/lib/sluice/shop

- name: Publish it in a bucket behind CloudFront, and wait until two regions serve it
  sluice.release.static_switch:
    name: shop
    release: 2.0.0-3f2a9c51b7de
    path: /srv/shop/releases/2.0.0-3f2a9c51b7de
    target: s3
    s3:
      bucket: shop-frontend
      region: eu-central-1
    cloudfront:
      distribution: E2QWRUHAPOMQZL
    proof:
      urls:
        - https://fra.shop.example.com/
        - https://sin.shop.example.com/
      timeout: 120
      caching: fail
    ready:
      url: https://shop.example.com/
      version: 2.0.0
    state_dir: /var/lib/sluice/shop
"""

RETURN = r"""
previous:
  description: Artifact that served before, or V(unknown) for files that this module has not put behind the link.
  returned: success, or failure after the place was looked at
  type: str
  sample: 1.9.0-8c1d77aa02f4
current:
  description: Artifact that serves now; none when nothing does. In check mode the one that would.
  returned: success, or failure after the place was looked at
  type: str
  sample: 2.0.0-3f2a9c51b7de
instances:
  description: The addresses that were asked.
  returned: success, or failure after the place was looked at
  type: list
  elements: dict
  contains:
    id:
      description: The address.
      type: str
      sample: https://shop.example.com/
    release:
      description: Artifact that serves.
      type: str
      sample: 2.0.0-3f2a9c51b7de
    status:
      description: What was seen there last.
      type: str
      sample: serving
    ready:
      description: Whether it serves the release.
      type: bool
      sample: true
    ready_seconds:
      description: Seconds from the move to its proof.
      type: float
      sample: 0.412
    restarts:
      description: Always 0.
      type: int
      sample: 0
    files:
      description: How many files were fetched and compared.
      type: int
      sample: 14
retired:
  description: The releases whose files are not kept any more.
  returned: success, or failure after the place was looked at
  type: list
  elements: dict
  contains:
    id:
      description: Where they were.
      type: str
      sample: s3://shop-frontend/
    release:
      description: The artifact.
      type: str
      sample: 1.5.0-0a7de1c55e01
    seconds:
      description: Always 0.
      type: float
      sample: 0
    killed:
      description: Always false.
      type: bool
      sample: false
kept:
  description: The older releases whose files are kept, the one that served last first.
  returned: success, or failure after the place was looked at
  type: list
  elements: str
  sample: [1.9.0-8c1d77aa02f4]
files:
  description: What was published; in check mode what would be.
  returned: success, or failure after the place was looked at
  type: dict
  contains:
    published:
      description: Files that were laid or uploaded.
      type: int
      sample: 31
    unchanged:
      description: Files that were there.
      type: int
      sample: 212
    removed:
      description: Files that were removed.
      type: int
      sample: 4
    bytes:
      description: Size of what was published.
      type: int
      sample: 1843204
invalidation:
  description: The last invalidation of the distribution; none when nothing was to be invalidated.
  returned: success, or failure after the place was looked at
  type: dict
  contains:
    id:
      description: Its id.
      type: str
      sample: I2J0I21PCUYOIK
    paths:
      description: The paths.
      type: list
      elements: str
      sample: [/, /index.html]
    seconds:
      description: How long it took.
      type: float
      sample: 41.2
findings:
  description: Headers that let browsers keep the wrong files.
  returned: success, or failure after the place was looked at
  type: list
  elements: str
duration:
  description: Seconds that all of it took.
  returned: success, or failure after the place was looked at
  type: float
  sample: 3.14
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import acting
from ansible_collections.sluice.release.plugins.module_utils.static import _options, _publish


def switch(params: t.Mapping[str, t.Any], *, check_mode: bool, warn: t.Callable[[str], object]) -> dict[str, t.Any]:
    """Bring the frontend to the wanted state."""
    world = _options.world(params, warn)
    alone = acting(params["state_dir"], params["token"], f"switch {params['name']}", check_mode=check_mode)
    with alone:
        if params["state"] in ("active", "staged"):
            job = _publish.Switch(_options.request(params, check_mode), world, check_mode)
            return job.run(stage=params["state"] == "staged")
        absent = params["state"] == "absent"
        return _publish.end(params["name"], world, absent=absent, check_mode=check_mode)


def main() -> None:
    module = AnsibleModule(
        argument_spec=_options.SPEC,
        required_if=[
            ("state", "active", ("release", "path", "ready")),
            ("state", "staged", ("release", "path")),
            ("target", "link", ("link",)),
            ("target", "s3", ("s3",)),
        ],
        supports_check_mode=True,
    )
    run(module, lambda params: switch(params, check_mode=module.check_mode, warn=module.warn))


if __name__ == "__main__":
    main()
