#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_journal_info
short_description: Read the journal of an application
description:
  - Returns what the journal on this host says, and the entries of one release or of all.
  - A missing journal is an empty one. A journal that something else has changed is an error.
version_added: 0.1.0
author: The Sluice Authors (@sluice-release)
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  path:
    description: State directory of the application on this host.
    type: path
    required: true
  release:
    description:
      - Return the entries of this release only, with the ticks of its watch; V(latest) is the newest one.
    type: str
"""

EXAMPLES = r"""
- name: Learn what runs and what could be gone back to
  sluice.release.release_journal_info:
    path: /var/lib/sluice/shop
    release: latest
  register: role_journal
"""

RETURN = r"""
journal:
  description: What the journal says; see M(sluice.release.release_journal).
  returned: success
  type: dict
entries:
  description: The entries asked for, oldest first, as they are stored.
  returned: success
  type: list
  elements: dict
valid:
  description: Whether every entry is as it was written. Always V(true) on success.
  returned: always
  type: bool
ansible_facts:
  description: The same as RV(journal), as the fact C(sluice_journal) of the host.
  returned: success
  type: dict
  contains:
    sluice_journal: {description: See RV(journal)., type: dict, returned: always}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import STATE_PATH
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.journal import _state, _store
from ansible_collections.sluice.release.plugins.module_utils.journal._kept import with_gone
from ansible_collections.sluice.release.plugins.module_utils.watch._record import belongs


def run_info(params: dict[str, Any]) -> dict[str, Any]:
    try:
        entries = _store.read(params["path"])
    except SluiceError as error:
        error.fields["valid"] = False
        raise
    state = with_gone(_state.derive(entries))
    release = params["release"]
    if release == "latest":
        release = entries[-1]["release"] if entries else None
        wanted = [entry for entry in entries if belongs(entry, release)]
    elif release is None:
        wanted = entries
    else:
        wanted = [entry for entry in entries if belongs(entry, release)]
        if not wanted:
            raise SluiceError(
                f"find release {release}", f"the journal in {params['path']} has none of that name", valid=True
            )
    return {
        "changed": False,
        "journal": state,
        "entries": wanted,
        "valid": True,
        "ansible_facts": {"sluice_journal": state},
    }


def main() -> None:
    module = AnsibleModule(argument_spec={**STATE_PATH, "release": {"type": "str"}}, supports_check_mode=True)
    run(module, run_info)


if __name__ == "__main__":
    main()
