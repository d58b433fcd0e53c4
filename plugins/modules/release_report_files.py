#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_report_files
short_description: Keep the report of a release beside its journal
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Writes what M(sluice.release.release_report) has made on the controller to the host, in one call, each file by
    rename.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  path:
    description: Directory of the reports. Made, with mode V(0700), when it is missing.
    type: path
    required: true
  release:
    description: Id of the release, the name of the files.
    type: str
    required: true
  report:
    description: The report as data, written as JSON.
    type: dict
    required: true
  markdown:
    description: The report as Markdown.
    type: str
    required: true
  html:
    description: The report as one page.
    type: str
    required: true
  post_mortem:
    description:
      - The beginning of the post-mortem, where the release needs one.
      - One that is there is left as it is, for people go on writing in it.
    type: str
"""

EXAMPLES = r"""
- name: Keep the report
  sluice.release.release_report_files:
    path: /var/lib/sluice/dealradarus/reports
    release: 20261122T013000Z-1.1.0
    report: "{{ built.report }}"
    markdown: "{{ built.markdown }}"
    html: "{{ built.html }}"
"""

RETURN = r"""
files:
  description: Paths of the files; in check mode of those that would be written.
  returned: success
  type: dict
  contains:
    json:
      description: Path of the JSON file.
      type: str
    markdown:
      description: Path of the Markdown file.
      type: str
    html:
      description: Path of the page.
      type: str
      sample: /var/lib/sluice/dealradarus/reports/20261122T013000Z-1.1.0.html
    post_mortem:
      description: Path of the post-mortem, where O(post_mortem) has been given.
      type: str
"""

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.report import _files


def keep(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Write the files that differ."""
    contents = {
        "json": json.dumps(params["report"], indent=2, ensure_ascii=False) + "\n",
        "markdown": params["markdown"],
        "html": params["html"],
    }
    if params["post_mortem"]:
        contents[_files.POST_MORTEM] = params["post_mortem"]
    files = _files.paths(params["path"], params["release"], contents)
    return {**_files.keep(contents, files, private=True, check_mode=check_mode), "files": files}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "report": {"type": "dict", "required": True},
            "markdown": {"type": "str", "required": True},
            "html": {"type": "str", "required": True},
            "post_mortem": {"type": "str"},
        },
        supports_check_mode=True,
    )
    run(module, lambda params: keep(params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
