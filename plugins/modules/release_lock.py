#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_lock
short_description: Hold the right to release an application
description:
  - Takes, renews or gives back the lock that lets one run at a time release an application on this host.
  - The lock names its owner and expires. M(sluice.release.release_journal) renews it with every entry.
  - A lock that has expired, or whose run on this controller has ended, is taken over and the result says so. The action
    plugin finds out on the controller whether that run still lives.
  - Another's lock is never removed.
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
      - V(held) takes the lock, or renews it when O(token) holds it already.
      - V(released) removes it when O(token) holds it, and leaves every other lock alone.
      - V(shown) only says who holds it.
    type: str
    choices: [held, released, shown]
    default: held
  token:
    description: Who claims the lock; the release id. Required unless O(state=shown).
    type: str
  name:
    description: The application, for messages. By default they name O(path).
    type: str
  owner:
    description: Who is behind the claim, as C(user@controller). Another who waits will read it.
    type: str
    default: ''
  run:
    description:
      - Which run of ansible-playbook claims the lock. The action plugin fills it in; leave it alone in playbooks.
    type: dict
    default: {}
  ttl:
    description: After how many seconds without renewal the lock expires.
    type: int
    default: 900
  takeover:
    description:
      - Whose lock may be taken over.
      - V(dead) one that has expired or whose run has ended, V(always) any, V(never) none.
    type: str
    choices: [never, dead, always]
    default: dead
  dead_token:
    description: The token of a run that is known to have ended. The action plugin sets it; leave it alone in playbooks.
    type: str
  reason:
    description: What the lock is held for, such as C(deploy 1.1.0). Another who waits will read it.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Hold the lock while the release lasts
  sluice.release.release_lock:
    path: /var/lib/sluice/shop
    token: 20261122T013000Z-1.1.0
    owner: alice@ci
    reason: deploy 1.1.0

- name: Give the lock back
  sluice.release.release_lock:
    path: /var/lib/sluice/shop
    token: 20261122T013000Z-1.1.0
    state: released
"""

RETURN = r"""
token:
  description: The token that the module was called with.
  returned: always
  type: str
holder:
  description: Who holds the lock afterwards, or would in check mode; null when nobody does. On a refusal, who holds it.
  returned: always
  type: dict
  contains:
    token: {description: The holder's token., type: str, returned: always}
    owner: {description: The person or job behind it., type: str, returned: always}
    run: {description: The run of ansible-playbook., type: dict, returned: always}
    acquired: {description: When it was taken (UTC)., type: str, returned: always}
    heartbeat: {description: When it was last renewed (UTC)., type: str, returned: always}
    expires: {description: When it will expire (UTC)., type: str, returned: always}
    reason: {description: What it is held for., type: str, returned: always}
previous_holder:
  description: Who held the lock before; null when nobody did.
  returned: success
  type: dict
taken_over:
  description: Whether the lock was another's and now is held by O(token).
  returned: success
  type: bool
takeover_reason:
  description: Why it could be taken over; empty when it was not.
  returned: success
  type: str
  sample: the run that held it has ended
journal:
  description: What the journal of the application says, as M(sluice.release.release_journal_info) returns it.
  returned: success with O(state=held) or O(state=shown)
  type: dict
ansible_facts:
  description: What the modules that follow want to know of the host.
  returned: success with O(state=held) or O(state=shown)
  type: dict
  contains:
    sluice_journal: {description: See RV(journal)., type: dict, returned: always}
    sluice_lock:
      description: The token, by which whatever moves the application knows that the lock is still held.
      type: str
      returned: with O(state=held)
told:
  description: Who holds the lock afterwards, what for and until when, in one sentence.
  returned: success
  type: str
  sample: alice@ci holds the lock for the summer sale, since 2026-11-22T01:30:00.000Z until 2026-11-23T01:30:00.000Z
held_by:
  description: Whose lock was left alone.
  returned: O(state=released) and another holds it
  type: dict
locked:
  description: Always V(true); tells a refusal from any other failure.
  returned: when the lock was refused
  type: bool
"""

import time
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import STATE_PATH
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.journal import _lock, _state, _store
from ansible_collections.sluice.release.plugins.module_utils.journal._kept import with_gone


def _result(
    token: str | None,
    before: _lock.Holder | None,
    after: _lock.Holder | None,
    *,
    taken_over: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    def who(holder: _lock.Holder | None) -> dict[str, Any]:
        return {key: holder[key] for key in ("token", "owner", "reason")} if holder else {}

    return {
        "changed": who(before) != who(after),
        "token": token,
        "holder": after,
        "told": _lock.told(after),
        "previous_holder": before,
        "taken_over": taken_over is not None,
        "takeover_reason": taken_over or "",
        "diff": {"before": who(before), "after": who(after)},
        **more,
    }


def _held(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    state_dir, moment = params["path"], time.time()
    # Read first: what cannot be trusted must not end in a lock that stays.
    journal = with_gone(_state.derive(_store.read(state_dir)))
    wanted = ("token", "owner", "run", "ttl", "takeover", "reason", "dead_token")
    claim = _lock.Claim(**{key: params[key] for key in wanted})
    before = _lock.read_lock(state_dir)
    decision = _lock.decide(before, claim, moment)
    if before is not None and decision.action == "refuse":
        raise _lock.refused(params["name"] or state_dir, before)
    after = _lock.hold(claim, before if decision.action == "renew" else None, moment)
    if not check_mode:
        _lock.write_lock(state_dir, after, new=decision.action == "acquire")
    taken_over = decision.why if decision.action == "take_over" else None
    facts = {"journal": journal, "ansible_facts": {"sluice_journal": journal, "sluice_lock": claim.token}}
    return _result(claim.token, before, after, taken_over=taken_over, **facts)


def _released(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    state_dir, token = params["path"], params["token"]
    before = _lock.read_lock(state_dir)
    if before is None:
        return _result(token, None, None)
    if not _lock.is_mine(before, token):
        return _result(token, before, before, held_by=before)
    if not check_mode:
        _lock.remove_lock(state_dir)
    return _result(token, before, None)


def run_lock(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    if params["state"] == "shown":
        holder = _lock.read_lock(params["path"])
        journal = with_gone(_state.derive(_store.read(params["path"])))
        return _result(params["token"], holder, holder, journal=journal, ansible_facts={"sluice_journal": journal})
    function = _held if params["state"] == "held" else _released
    if check_mode:
        return function(params, True)
    with _store.writing(params["path"], "change the lock"):
        return function(params, False)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **STATE_PATH,
            "state": {"type": "str", "choices": ["held", "released", "shown"], "default": "held"},
            "token": {"type": "str", "no_log": False},
            "name": {"type": "str"},
            "owner": {"type": "str", "default": ""},
            "run": {"type": "dict", "default": {}},
            "ttl": {"type": "int", "default": 900},
            "takeover": {"type": "str", "choices": ["never", "dead", "always"], "default": "dead"},
            "dead_token": {"type": "str", "no_log": False},
            "reason": {"type": "str", "default": ""},
        },
        required_if=[("state", "held", ["token"]), ("state", "released", ["token"])],
        supports_check_mode=True,
    )
    run(module, partial(run_lock, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
