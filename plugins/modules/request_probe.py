#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: request_probe
short_description: Count the requests that an application loses while it is released
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - With O(state=running), sends O(rate) requests a second to O(url), each on a connection of its own, until it is told
    to stop. The clock alone says when a request leaves, so a server that hangs gets as many as one that answers.
    Run such a task with C(async) and C(poll=0).
  - With O(state=stopped), tells the prober in O(path) to stop, waits for it, and returns what it counted.
  - A prober that an aborted run left behind ends by itself after O(limit) seconds, or when the next one starts.
  - It observes, and never reports a change.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
notes:
  - In check mode nothing is sent and nobody is told to stop; what was counted so far is returned.
options:
  state:
    description: Whether to be the prober or to end it.
    type: str
    required: true
    choices: [running, stopped]
  path:
    description: Directory in which the two meet, on the host that sends. It is made when it does not exist.
    type: path
    required: true
  release:
    description:
      - Release that is probed. A prober is stopped by its own release only, and one that starts after its release has
        already been told to stop ends at once.
      - When empty, any prober is meant.
      - While one of the same release runs, a second one ends at once.
    type: str
    default: ""
  url:
    description: URL to ask by GET, without a password. Required for O(state=running).
    type: str
  rate:
    description: Requests a second, above 0 and at most 200.
    type: float
    default: 5.0
  timeout:
    description: Seconds that one exchange may take.
    type: float
    default: 5.0
  expect_status:
    description: Statuses of a good answer.
    type: list
    elements: int
    default: [200]
  limit:
    description: Seconds after which the prober ends by itself.
    type: float
    default: 3600.0
  validate_certs:
    description: Whether the certificate of an https URL is verified.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Ask the application five times a second from now on
  sluice.release.request_probe:
    state: running
    path: /var/lib/sluice/api/probe
    release: 20261122T013000Z-1.1.0
    url: http://127.0.0.1:3001/health
  async: 3700
  poll: 0

- name: Learn how many requests were lost
  sluice.release.request_probe:
    state: stopped
    path: /var/lib/sluice/api/probe
    release: 20261122T013000Z-1.1.0
  register: probe
"""

RETURN = r"""
notes:
  description: What of it belongs into the journal, for O(sluice.release.release_journal#module:notes).
  returned: success
  type: list
  elements: dict
requests:
  description: What was counted. Without any prober of this release, V(sent) is 0 and V(started) null.
  returned: success
  type: dict
  contains:
    sent:
      description: Requests whose end is known, be it that they failed.
      type: int
      returned: always
      sample: 183
    failed:
      description: Those without an answer, or with a status that was not expected.
      type: int
      returned: always
      sample: 2
    failed_at_first:
      description: Those of them that were sent before the first one with a good answer. 0 when none was good.
      type: int
      returned: always
      sample: 0
    longest_gap_ms:
      description: Longest time from a request that failed to the next that did not. 0 when none failed.
      type: int
      returned: always
      sample: 400
    slowest_ms:
      description: Longest time that an exchange took.
      type: float
      returned: always
      sample: 61.3
    started:
      description: When the first request was sent (UTC).
      type: str
      returned: always
      sample: "2026-11-22T01:30:04.120Z"
    seconds:
      description: How long requests were sent.
      type: float
      returned: always
      sample: 36.6
    errors:
      description: Failures by kind (refused, reset, timeout, dns, tls, too_large, invalid, other, http_<status>).
      type: dict
      returned: always
      sample: {http_503: 2}
    series:
      description: Rows of second, good and failed requests; at most 600, each for more seconds in a long probe.
      type: list
      elements: list
      returned: always
      sample: [[0, 5, 0], [1, 3, 2]]
    release:
      description: The release that was probed.
      type: str
      returned: always
      sample: 20261122T013000Z-1.1.0
    complete:
      description: Whether the prober ended by itself. After a kill it is false, and the last 2 s may be missing.
      type: bool
      returned: always
      sample: true
"""

from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.probe._prober import (
    Place,
    Plan,
    read_probe,
    run_probe,
    stop_probe,
)


def probe(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Be the prober, or end it."""
    place, release = Place(params["path"]), params["release"]
    if params["state"] == "running":
        plan = make_plan(params)
        requests = read_probe(place, release) if check_mode else run_probe(place, plan)
    elif check_mode:
        requests = read_probe(place, release)
    else:
        # The last request may need its whole timeout, and a busy machine a little more.
        requests = stop_probe(place, release, patience=params["timeout"] + 10)
    noted = [{"name": "requests", "data": requests}] if requests["sent"] else []
    return {"changed": False, "requests": requests, "notes": noted}


def make_plan(params: dict[str, Any]) -> Plan:
    """Check what is asked for. SluiceError when it makes no sense."""
    url, rate = params["url"], params["rate"]
    if urlsplit(url).scheme not in ("http", "https") or urlsplit(url).password is not None:
        raise SluiceError("probe the application", "url must be http://host... or https://host..., without a password")
    if not 0 < rate <= 200 or not params["timeout"] > 0 or not params["limit"] > 0:
        raise SluiceError(f"probe {url}", "rate must be above 0 and at most 200, timeout and limit above 0")
    return Plan(
        url=url,
        rate=rate,
        timeout=params["timeout"],
        expect_status=tuple(params["expect_status"]),
        limit=params["limit"],
        validate_certs=params["validate_certs"],
        release=params["release"],
    )


def main() -> None:
    spec = {
        "state": {"type": "str", "required": True, "choices": ["running", "stopped"]},
        "path": {"type": "path", "required": True},
        "release": {"type": "str", "default": ""},
        "url": {"type": "str"},
        "rate": {"type": "float", "default": 5.0},
        "timeout": {"type": "float", "default": 5.0},
        "expect_status": {"type": "list", "elements": "int", "default": [200]},
        "limit": {"type": "float", "default": 3600.0},
        "validate_certs": {"type": "bool", "default": True},
    }
    module = AnsibleModule(argument_spec=spec, required_if=[("state", "running", ["url"])], supports_check_mode=True)
    run(module, lambda params: probe(params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
