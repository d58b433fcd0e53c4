#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_report
short_description: Report on one release as JSON, Markdown and one HTML page
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Joins the journal entries of all hosts of one release to one report.
  - The HTML page needs nothing else. It has no script and loads nothing, so it can be mailed, archived and printed.
  - The same entries always give the same files.
  - For a release that failed or was taken back, and for a rollback, it also begins a post-mortem. It has the timeline
    of all hosts, what decided, what it cost and the log around the failure, and blanks for what only people know.
  - Runs on the controller, once per release, with the Python of Ansible itself.
notes:
  - The charts need matplotlib and the validation needs jsonschema. Without one of them the report is made all the same,
    and a warning says what it lacks; a release is not to fail for its report.
requirements:
  - jinja2
  - jsonschema
  - matplotlib
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  release:
    description: Id of the release.
    type: str
    required: true
  hosts:
    description: The hosts of the release with the entries of their journals.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: Name of the host.
        type: str
        required: true
      entries:
        description:
          - Journal entries as M(sluice.release.release_journal_info) returns them.
          - Those of other releases are left out.
        type: list
        elements: dict
        required: true
  unreachable:
    description: Hosts whose journal could not be read. Each counts as a failed host.
    type: list
    elements: str
    default: []
  dest:
    description:
      - Directory for C(<release>.json), C(<release>.md), C(<release>.html) and C(<release>.post-mortem.md). It is made
        when it is missing.
      - A post-mortem that is there is left as it is, for people go on writing in it.
      - Without it nothing is written.
    type: path
seealso:
  - module: sluice.release.release_journal_info
"""

EXAMPLES = r"""
- name: Report on the release
  sluice.release.release_report:
    release: 20261122T013000Z-1.1.0
    hosts:
      - host: app1
        entries: "{{ hostvars.app1.journal_entries.entries }}"
    dest: /var/lib/sluice/dealradarus/reports
  delegate_to: localhost
  run_once: true
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
"""

RETURN = r"""
report:
  description: The report. Its JSON Schema is C(docs/report.schema.json).
  returned: success
  type: dict
  sample:
    release_id: 20261122T013000Z-1.1.0
    outcome: succeeded
    verdict: green
markdown:
  description: The report as Markdown.
  returned: success
  type: str
html:
  description: The report as one self-contained page.
  returned: success
  type: str
post_mortem:
  description: The beginning of a post-mortem as Markdown; null for a release that has nothing to look back at.
  returned: success
  type: str
files:
  description: Paths of the files, in check mode those that would be written.
  returned: success
  type: dict
  contains:
    json:
      description: Path of the JSON file, null without O(dest).
      type: str
    markdown:
      description: Path of the Markdown file, null without O(dest).
      type: str
    html:
      description: Path of the page, null without O(dest).
      type: str
    post_mortem:
      description: Path of the post-mortem, null without O(dest) and where there is none.
      type: str
"""

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.report import _files
from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._charts import HAS_MATPLOTLIB
from ansible_collections.sluice.release.plugins.module_utils.report._html import HAS_JINJA2, render_html
from ansible_collections.sluice.release.plugins.module_utils.report._markdown import render_markdown
from ansible_collections.sluice.release.plugins.module_utils.report._post_mortem import is_due, render_post_mortem
from ansible_collections.sluice.release.plugins.module_utils.report._schema import HAS_JSONSCHEMA, violations


def make_report(module: AnsibleModule) -> dict[str, t.Any]:
    """Build, check, render and write the report."""
    params = module.params
    report = build_report(params["release"], params["hosts"], params["unreachable"])
    if not HAS_JSONSCHEMA:
        module.warn("The report was not validated: " + missing_required_lib("jsonschema"))
    elif wrong := violations(report):
        raise SluiceError(
            f"report on release {params['release']}",
            f"the journal led to an invalid report ({'; '.join(wrong[:3])})",
            "This is a bug of sluice.release; the journal itself is not harmed",
            report=report,
        )
    if not HAS_MATPLOTLIB:
        module.warn("The page has no charts: " + missing_required_lib("matplotlib"))
    contents = {
        "json": json.dumps(report, indent=2, ensure_ascii=False) + "\n",
        "markdown": render_markdown(report),
        "html": render_html(report),
    }
    if is_due(report):
        contents[_files.POST_MORTEM] = render_post_mortem(report, params["hosts"])
    paths = _files.paths(params["dest"], params["release"], contents) if params["dest"] else {}
    try:
        written = _files.keep(contents, paths, private=False, check_mode=module.check_mode)
    except OSError as error:
        raise SluiceError(
            f"write the report of {params['release']}", f"{error.strerror} ({error.filename})", report=report
        ) from error
    return {
        **written,
        "report": report,
        "markdown": contents["markdown"],
        "html": contents["html"],
        "post_mortem": contents.get(_files.POST_MORTEM),
        "files": {kind: paths.get(kind) for kind in _files.SUFFIXES},
    }


def main() -> None:
    hosts = {
        "host": {"type": "str", "required": True},
        "entries": {"type": "list", "elements": "dict", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            "release": {"type": "str", "required": True},
            "hosts": {"type": "list", "elements": "dict", "required": True, "options": hosts},
            "unreachable": {"type": "list", "elements": "str", "default": []},
            "dest": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if not HAS_JINJA2:
        module.fail_json(msg=missing_required_lib("jinja2"))
    run(module, lambda _params: make_report(module))


if __name__ == "__main__":
    main()
