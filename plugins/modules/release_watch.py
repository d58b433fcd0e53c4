#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_watch
short_description: Watch a release after its deploy, tick by tick
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Keeps the watch of a release in the journal, and nowhere else. Between two ticks nothing runs and no lock is held.
  - A tick that comes late, ticks that were missed, and a clock that has gone back are findings of their own.
  - While a run of the application is open, or holds the lock, a tick measures nothing and misses nothing.
  - A release that is no longer the current one is not watched any further.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  path:
    description: State directory of the application on this host.
    type: path
    required: true
  state:
    description:
      - V(opened) begins the watch of O(release), which is open and was switched to. Its times count from the switch.
      - V(begun) begins a tick and says which windows are due. It also ends watches that are over, and records what the
        clock alone says when nothing is due.
      - V(ticked) records what was measured, with its verdict.
      - V(decided) records what was done about a red verdict.
    type: str
    choices: [opened, begun, ticked, decided]
    required: true
  release:
    description: The release. Required unless O(state=begun), which asks the journal.
    type: str
  token:
    description: With O(state=opened), write only while the lock of M(sluice.release.release_lock) is held by it.
    type: str
  windows:
    description: When the release is looked at. Required with O(state=opened).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the window.
        type: str
        required: true
      until:
        description: Where it ends, in seconds since the switch. The last tick is due there.
        type: float
        required: true
      every:
        description: Seconds between two ticks. They are due at its multiples since the switch.
        type: float
        required: true
      from:
        description:
          - Where it begins, in seconds since the switch. By default where the window before it ends.
        type: float
      tolerance:
        description:
          - Seconds after which a tick is late; half of O(windows[].every) by default. It may come half of that too
            early.
        type: float
      may_miss:
        description: How many ticks may be missed. More, and the window has not passed; its verdict is red.
        type: int
        default: 0
      rollback:
        description: V(true), V(ask) or V(false), where the window differs from what the profile says of rollbacks.
        type: str
  due:
    description: With O(state=ticked), the time that each window was due for, as RV(due) of O(state=begun) said.
    type: dict
    default: {}
  at:
    description: With O(state=ticked), when the tick began, as RV(at) of O(state=begun) said. By default now.
    type: float
  measured:
    description: With O(state=ticked), the result of M(sluice.release.health_gate) by the name of the window.
    type: dict
    default: {}
  processes:
    description:
      - The processes of the application, each with C(id), C(pid), C(restarts) and C(status). With O(state=opened) they
        are what restarts are counted from. Leave it out when nobody looked.
    type: list
    elements: dict
  action:
    description: With O(state=decided), what was done.
    type: str
    choices: [record, ask, rollback]
  reason:
    description: With O(state=decided), why.
    type: str
  trigger:
    description: With O(state=decided), the trigger of the profile that has fired.
    type: str
  level:
    description: With O(state=decided), the level that it asks for.
    type: str
  command:
    description: With O(state=decided) and O(action=ask), what a person was asked to run.
    type: str
"""

EXAMPLES = r"""
- name: Begin the watch
  sluice.release.release_watch:
    path: /var/lib/sluice/shop
    state: opened
    release: 20261122T013000Z-1.1.0
    windows:
      - {name: 5 min, until: 300, every: 60}
      - {name: 1 h, until: 3600, every: 600}
      - {name: 24 h, until: 86400, every: 3600, may_miss: 2, rollback: ask}

- name: Begin a tick
  sluice.release.release_watch:
    path: /var/lib/sluice/shop
    state: begun
  register: tick

- name: Measure what is due
  sluice.release.health_gate:
    checks: "{{ gate_checks }}"
    fail_on_red: false
  register: measured
  when: tick.due | length > 0

- name: Record it
  sluice.release.release_watch:
    path: /var/lib/sluice/shop
    state: ticked
    release: "{{ tick.release }}"
    due: "{{ {tick.due[0].window: tick.due[0].slot} }}"
    measured: "{{ {tick.due[0].window: measured} }}"
  when: tick.due | length > 0
"""

RETURN = r"""
state:
  description:
    - V(none) without a watch, V(watching), V(held) while a run of the application is under way, V(interrupted) when one
      was killed and is still open, V(over).
  returned: success
  type: str
  sample: watching
release:
  description: The release that is watched; null without a watch.
  returned: success
  type: str
version:
  description: Its version.
  returned: success
  type: str
due:
  description: The windows that are due now.
  returned: success
  type: list
  elements: dict
  contains:
    window: {description: Name of the window., type: str, returned: always}
    slot: {description: "When it was due, in seconds since the switch.", type: float, returned: always}
    number: {description: "Which tick of the window it is, from 1.", type: int, returned: always}
    of: {description: How many ticks the window has., type: int, returned: always}
    late: {description: Whether it comes late., type: bool, returned: always}
at:
  description: How many seconds after the switch it is; null without a watch.
  returned: success
  type: float
baseline:
  description: What was usual before the release, as RV(due) needs it for O(measured); null where it was not measured.
  returned: success
  type: dict
next:
  description: When (UTC) the next tick is due; null when none is left.
  returned: success
  type: str
verdict:
  description: The verdict of this tick; null when nothing was recorded.
  returned: success
  type: str
trigger:
  description: Whether something was found that is a reason to go back.
  returned: success
  type: bool
spent:
  description: Why the release may not be taken back by itself any more; null while it may. It happens once at most.
  returned: success
  type: str
findings:
  description:
    - What a person should know, each with C(kind), C(verdict), C(text), C(window), C(trigger), and what decides about
      it, C(check) and C(policy), the word of its window.
  returned: success
  type: list
  elements: dict
over:
  description: Whether no watch goes on, so that no further tick is needed.
  returned: success
  type: bool
watches:
  description: How the watches that this call has ended did, each with C(release), C(outcome) and C(reason).
  returned: success
  type: list
  elements: dict
line:
  description: All of it in one line, for a person.
  returned: success
  type: str
  sample: "5 min: tick 3 of 5 green; next tick at 2026-11-22 01:34:00 UTC"
"""

from functools import partial

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import STATE_PATH
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.watch._keep import keep

WINDOW = {
    "name": {"type": "str", "required": True},
    "until": {"type": "float", "required": True},
    "every": {"type": "float", "required": True},
    "from": {"type": "float"},
    "tolerance": {"type": "float"},
    "may_miss": {"type": "int", "default": 0},
    "rollback": {"type": "str"},
}


ARGUMENTS = {
    **STATE_PATH,
    "state": {"type": "str", "required": True, "choices": ["opened", "begun", "ticked", "decided"]},
    "release": {"type": "str"},
    "token": {"type": "str", "no_log": False},
    "windows": {"type": "list", "elements": "dict", "options": WINDOW},
    "due": {"type": "dict", "default": {}},
    "at": {"type": "float"},
    "measured": {"type": "dict", "default": {}},
    "processes": {"type": "list", "elements": "dict"},
    "action": {"type": "str", "choices": ["record", "ask", "rollback"]},
    "reason": {"type": "str"},
    "trigger": {"type": "str"},
    "level": {"type": "str"},
    "command": {"type": "str"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[
            ("state", "opened", ["release", "windows"]),
            ("state", "ticked", ["release"]),
            ("state", "decided", ["release", "action", "reason"]),
        ],
        supports_check_mode=True,
    )
    run(module, partial(keep, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
