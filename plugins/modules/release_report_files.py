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
"""

import json
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._module import run

SUFFIXES = {"json": "json", "markdown": "md", "html": "html"}


def read(path: str) -> str | None:
    """Return a file's text, or None when there is none."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def keep(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Write the files that differ."""
    texts = {
        "json": json.dumps(params["report"], indent=2, ensure_ascii=False) + "\n",
        "markdown": params["markdown"],
        "html": params["html"],
    }
    files = {kind: os.path.join(params["path"], f"{params['release']}.{SUFFIXES[kind]}") for kind in texts}
    stale = [kind for kind, text in texts.items() if read(files[kind]) != text]
    if stale and not check_mode:
        os.makedirs(params["path"], mode=0o700, exist_ok=True)
        for kind in stale:
            write_atomic(files[kind], texts[kind], 0o600)
    return {
        "changed": bool(stale),
        "files": files,
        "diff": {"before": "", "after": "".join(f"{files[kind]}\n" for kind in stale)},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "report": {"type": "dict", "required": True},
            "markdown": {"type": "str", "required": True},
            "html": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    run(module, lambda params: keep(params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
