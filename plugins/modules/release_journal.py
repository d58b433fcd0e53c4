#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_journal
short_description: Record what happens in a release
description:
  - Appends to the journal of an application on this host, which is the only source of what runs, what ran before, and
    what was good or bad.
  - The journal is a chain of hashes, written so that a crash or a kill at any moment leaves it whole. A journal that
    something else has changed is refused.
  - Whatever the journal says already is not written again.
version_added: 0.1.0
author: The Sluice Authors (@sluice-release)
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  path:
    description: State directory of the application on this host. Made, with mode V(0700), when it is missing.
    type: path
    required: true
  state:
    description:
      - V(opened) begins a release and, in the same write, its first O(stage). Fails while another one is open.
      - V(entered) ends the stage that is open as succeeded, and begins O(stage), in one write.
      - V(failed) ends the stage that is open as failed.
      - V(noted) records a free event O(name), as long as O(release) is the newest.
      - V(closed) ends the stage that is open and the release, with its O(outcome).
      - Entering stage C(rollback), and closing as V(failed), end an open stage as failed, for it was cut off.
    type: str
    choices: [opened, entered, failed, noted, closed]
    required: true
  release:
    description: The release id.
    type: str
    required: true
  token:
    description:
      - Write only while the lock of M(sluice.release.release_lock) is held by this token, and renew it.
      - Not looked at in check mode, in which no lock is taken.
    type: str
  ttl:
    description: For how many seconds O(token) renews the lock.
    type: int
    default: 900
  stage:
    description:
      - The stage. The names C(switch) (the application moves), C(verify) (when it is left, the release has passed) and
        C(rollback) (it is taken back) have a meaning of their own.
      - With O(state=failed), the stage that failed when none is open.
    type: str
  name:
    description: What is noted, such as C(gate) or C(backup). Required with O(state=noted).
    type: str
  budget:
    description: How many seconds the stage may take, for those who watch and for the report.
    type: float
  data:
    description:
      - What belongs to the event. No secrets; passwords in URLs are masked.
      - "With O(state=opened): C(kind) (C(deploy), C(rollback), C(rollback_drill), C(recover), C(backup), C(restore),
        C(drill), C(emergency)), C(application), C(environment), C(version), C(operator), C(host)."
      - "With O(stage=switch): where the release goes, C(artifact) (C(id), C(path), C(checksum)) and C(config)
        (C(version), C(path))."
      - "With O(outcome=rolled_back) or O(outcome=failed): C(restored), the target that runs now."
      - "With O(outcome=rolled_back): C(interrupted), whether only because its run was killed; then nothing is bad."
    type: dict
    default: {}
  evidence:
    description:
      - What was found out in the stage that ends here.
      - It may be a registered result; what Ansible adds to every result is left out.
    type: dict
    default: {}
  reason:
    description: Why the stage or the release failed. Required with O(state=failed).
    type: str
  outcome:
    description: How the release ended. Required with O(state=closed).
    type: str
    choices: [succeeded, rolled_back, failed, unchanged]
  notes:
    description:
      - Free events that are recorded in the same write; with O(state=entered) after it, with O(state=closed) before.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What is noted.
        type: str
        required: true
      data:
        description: What belongs to it.
        type: dict
        required: true
  unlock:
    description: With O(state=closed), whether the lock of O(token) is given back in the same step.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Begin the release
  sluice.release.release_journal:
    path: /var/lib/sluice/shop
    state: opened
    release: 20261122T013000Z-1.1.0
    token: 20261122T013000Z-1.1.0
    data: {kind: deploy, application: shop, environment: prod, version: 1.1.0, operator: alice@ci, host: app1}

- name: The gate was green, so the release is verified next
  sluice.release.release_journal:
    path: /var/lib/sluice/shop
    state: entered
    release: 20261122T013000Z-1.1.0
    token: 20261122T013000Z-1.1.0
    stage: verify
    budget: 60
    evidence: {verdict: green}
"""

RETURN = r"""
events:
  description:
    - The entries that were written, or would be in check mode, oldest first. Empty when there was nothing to say.
    - Each has RV(ignore:time), RV(ignore:release), RV(ignore:event), RV(ignore:stage), RV(ignore:name) and
      RV(ignore:data), and by its event RV(ignore:budget), RV(ignore:seconds), RV(ignore:outcome) and RV(ignore:reason).
  returned: success
  type: list
  elements: dict
  sample:
    - event: entered
      stage: verify
      budget: 60.0
      time: '2026-11-22T01:30:00.123Z'
      release: 20261122T013000Z-1.1.0
      name: null
      data: {}
journal:
  description: What the journal says afterwards.
  returned: success
  type: dict
  contains:
    current: {description: The target that runs; null when unknown., type: dict, returned: always}
    last_known_good: {description: The newest target that passed its gates., type: dict, returned: always}
    previous_good: {description: The good target before that one., type: dict, returned: always}
    good: {description: "Every target that was good, newest first.", type: list, elements: dict, returned: always}
    bad: {description: Artifacts that a release or a person abandoned., type: list, elements: str, returned: always}
    marked: {description: "By artifact that is bad, which release has left it, and when.", type: dict, returned: always}
    gone:
      description: Directories of good targets that are not there any more.
      type: list
      elements: str
      returned: always
    since:
      description: By release of a good target, the migrations applied later and the backup made before them.
      type: dict
      returned: always
    measured:
      description: By level, how long the newest rollback and the newest drill have taken.
      type: dict
      returned: always
    arrival:
      description: By which run what runs now came to run, its kind, and when it was switched to; null when unknown.
      type: dict
      returned: always
    triggers:
      description: What has spoken against the release that runs, or is open, and what was done about it.
      type: list
      elements: dict
      returned: always
    open: {description: The release that is open; null when none is., type: dict, returned: always}
    last: {description: The newest closed release and its outcome., type: dict, returned: always}
    releases: {description: How many releases there were., type: int, returned: always}
    head: {description: Hash of the newest entry., type: str, returned: always}
ansible_facts:
  description: The same as RV(journal), as the fact C(sluice_journal) of the host.
  returned: success
  type: dict
  contains:
    sluice_journal: {description: See RV(journal)., type: dict, returned: always}
entries:
  description: Everything that the journal says of O(release), as M(sluice.release.release_journal_info) returns it.
  returned: with O(state=closed)
  type: list
  elements: dict
unlocked:
  description: Whether the lock was given back, or nobody held it any more.
  returned: with O(state=closed)
  type: bool
fenced:
  description: Always V(true); tells a lost lock from any other failure.
  returned: when O(token) does not hold the lock any more
  type: bool
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import STATE_PATH
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.journal import _advance, _entry, _lock, _state, _store
from ansible_collections.sluice.release.plugins.module_utils.journal._kept import with_gone
from ansible_collections.sluice.release.plugins.module_utils.watch._record import belongs

ARGUMENTS = {
    **STATE_PATH,
    "state": {
        "type": "str",
        "required": True,
        "choices": ["opened", "entered", "failed", "noted", "closed"],
    },
    "release": {"type": "str", "required": True},
    "token": {"type": "str", "no_log": False},
    "ttl": {"type": "int", "default": 900},
    "stage": {"type": "str"},
    "name": {"type": "str"},
    "budget": {"type": "float"},
    "data": {"type": "dict", "default": {}},
    "evidence": {"type": "dict", "default": {}},
    "reason": {"type": "str"},
    "outcome": {"type": "str", "choices": ["succeeded", "rolled_back", "failed", "unchanged"]},
    "notes": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"name": {"type": "str", "required": True}, "data": {"type": "dict", "required": True}},
    },
    "unlock": {"type": "bool", "default": False},
}


def read_requests(params: Mapping[str, Any]) -> list[_advance.Request]:
    """Return what the options ask to be recorded, in order."""
    wanted = ("state", "release", "stage", "name", "budget", "reason", "outcome", "data", "evidence")
    asked = {key: params[key] for key in wanted}
    main = _advance.Request(**{**asked, "evidence": _advance.findings(params["evidence"])})
    notes = [
        _advance.Request("noted", params["release"], name=note["name"], data=note["data"]) for note in params["notes"]
    ]
    if params["state"] == "opened" and params["stage"] is not None:
        first = _advance.Request("entered", params["release"], stage=params["stage"], budget=params["budget"])
        return [main, first, *notes]
    return [*notes, main] if params["state"] == "closed" else [main, *notes]


def run_journal(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    state_dir, release, token = params["path"], params["release"], params["token"]
    requests = read_requests(params)
    if check_mode:
        entries = _store.read(state_dir)
        entries += _store.chain(entries, _advance.assumed(entries, requests[0], _store.now()))
        added = _store.chain(entries, _advance.advance_all(entries, requests, _store.now(), assume=True))
        return _result(params, entries, added, unlocked=params["unlock"])
    with _store.writing(state_dir, f"record release {release}"):
        if token is not None:
            _lock.fence(state_dir, release, token, params["ttl"], time.time())
        entries = _store.read(state_dir)
        added = _store.append(state_dir, entries, _advance.advance_all(entries, requests, _store.now()))
        unlocked = params["unlock"] and _lock.release(state_dir, token)
    return _result(params, entries, added, unlocked=unlocked)


def _result(
    params: Mapping[str, Any], entries: list[_entry.Entry], added: list[_entry.Entry], *, unlocked: bool
) -> dict[str, Any]:
    before, after = _state.derive(entries), with_gone(_state.derive([*entries, *added]))
    closed = {
        "entries": [entry for entry in (*entries, *added) if belongs(entry, params["release"])],
        "unlocked": unlocked,
    }
    return {
        **(closed if params["state"] == "closed" else {}),
        "changed": bool(added),
        "events": [_entry.shown(entry) for entry in added],
        "journal": after,
        "ansible_facts": {"sluice_journal": after},
        "diff": {"before": _summary(before), "after": _summary(after)},
    }


def _summary(state: _entry.State) -> dict[str, Any]:
    opened = state["open"] or {}
    return {
        "open": {key: opened[key] for key in ("release", "stage", "left", "failed_stage")} if opened else {},
        "last": state["last"] or {},
        "current": state["current"] or {},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[
            ("state", "entered", ["stage"]),
            ("state", "failed", ["reason"]),
            ("state", "noted", ["name"]),
            ("state", "closed", ["outcome"]),
            ("unlock", True, ["token"]),
        ],
        supports_check_mode=True,
    )
    run(module, partial(run_journal, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
