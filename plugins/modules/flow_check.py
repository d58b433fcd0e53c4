#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flow_check
short_description: Walk through an application by requests that build on each other, and judge the answers
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Runs flows. A flow is what one client does, in order, with its own cookies, for example log in, create, read,
    delete, log out. Every step is a request, what is expected of its answer, and what is taken out of it for the
    steps that follow.
  - Flows run side by side, at most eight at once. Everything is bounded by O(deadline). An endpoint that hangs, a body
    that is no JSON, redirects in a circle or an unknown host name end in a finding that names flow, step, what was
    expected and what was found.
  - "Wherever a flow says C({name}), the value of the variable is put in: in paths, headers, bodies and expectations.
    A variable is captured by an earlier step or given in O(flows[].variables); C({unique}) is another text in every
    run. Within a path it is encoded as one segment; a path that is C({name}) and nothing else is a whole path or
    address. In JSON a text that is C({name}) and nothing else keeps the type of the value. C({{name}}) is the text
    C({name}). This is no Jinja; nothing is evaluated on the host."
  - What is captured as a secret (the default), every cookie, O(flows[].secret_variables) and secret headers are in no
    message and no result. Quoted answers are also cleared of what looks like a secret, and cut.
  - Requests go straight to the host of each URL, never through a proxy of the environment, and a redirect is only
    followed within the site.
  - In check mode everything is validated and nothing is sent; the verdict is V(pending).
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._checks
  - sluice.release._flows
  - sluice.release._security
requirements:
  - jmespath
options:
  checks:
    description:
      - What is measured once, before the flows; see M(sluice.release.health_gate), whose checks these are.
      - Their gates come first in the result, and count in its score as they do there.
    required: false
    default: []
  base_url:
    description: What a path begins with, for example V(https://app.example.com). Flows may have their own.
    type: str
  tags:
    description: Run only the flows and sets that have one of these tags, for example V(compatibility). Empty means all.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that one exchange may take, however slowly the server sends.
    type: float
    default: 5.0
  deadline:
    description: Seconds that all flows together may take. The timeouts of steps with O(flows[].steps[].always) come on
      top, for they also run when the time is over.
    type: float
    default: 60.0
  min_score:
    description: Score below which the verdict is V(red), even when only optional flows have failed. V(0) means no such
      mark.
    type: float
    default: 0.0
  fail_on_red:
    description: Whether the task fails when the verdict is V(red). The failure carries the same result.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Log in, use the application and leave nothing behind
  sluice.release.flow_check:
    base_url: https://app.example.com
    flows:
      - name: session
        secret_variables: {password: "{{ vault_probe_password }}"}
        steps:
          - name: refuses who has not logged in
            path: /api/session
            expect: {status: [401]}
          - name: log in
            method: POST
            path: /api/login
            json: {user: probe, password: "{password}"}
            expect:
              cookies:
                - {name: session, secure: true, http_only: true, same_site: [lax, strict]}
          - name: stays logged in
            path: /api/session
            expect:
              json:
                - {query: user, equals: probe}
          - name: log out
            method: POST
            path: /api/logout
            always: true
      - name: orders
        weight: 2
        steps:
          - name: create
            method: POST
            path: /api/orders
            json: {title: "probe {unique}", amount: 1}
            expect: {status: [201]}
            capture:
              - {name: order, query: id, secret: false}
          - name: find it
            path: /api/orders?search={unique}
            expect:
              json:
                - {query: items, count: 1}
                - {query: "items[0].id", equals: "{order}"}
          - name: its mail was delivered
            path: /api/orders/{order}/mails
            within: 30
            expect:
              json:
                - {query: "[?state == 'delivered']", count: 1}
          - name: delete
            method: DELETE
            path: /api/orders/{order}
            always: true
    security:
      - set: headers
      - set: hsts
      - set: cors
        paths: [/api/orders]
        allow_origins: [https://app.example.com]
      - set: rate_limit
        paths: [/health]
    min_score: 80
  register: flows

- name: An old client still works
  sluice.release.flow_check:
    base_url: https://app.example.com
    tags: [compatibility]
    flows: "{{ verify_flows }}"
"""

RETURN = r"""
verdict:
  description: V(green), V(yellow) when only optional flows have failed, or V(red). V(pending) in check mode.
  returned: when the flows make sense
  type: str
  sample: green
score:
  description: Weight of the flows that passed, in percent. Null in check mode.
  returned: when the flows make sense
  type: float
  sample: 100.0
gates:
  description: Each flow and set with its evidence, in order, like a check of M(sluice.release.health_gate). With
    O(min_score) the last one is the score.
  returned: when the flows make sense
  type: list
  elements: dict
  contains:
    check:
      description: Name of the flow.
      type: str
      returned: always
      sample: session
    type:
      description: V(flow), the name of the security set, or V(score).
      type: str
      returned: always
      sample: flow
    verdict:
      description: V(green), V(yellow), V(red) or V(pending).
      type: str
      returned: always
      sample: red
    value:
      description: V(passed) or V(failed); null in check mode.
      type: raw
      returned: always
      sample: failed
    threshold:
      description: What the value is held against.
      type: raw
      returned: always
      sample: passed
    direction:
      description: Always V(state).
      type: str
      returned: always
    reason:
      description: The verdict in one line.
      type: str
      returned: always
      sample: "session failed in step stays logged in: expected status 2xx, found 401 ({\"error\": \"no session\"})"
    optional:
      description: Whether it can only cost score.
      type: bool
      returned: always
    weight:
      description: Its share in the score.
      type: float
      returned: always
    samples:
      description: Requests that were sent.
      type: int
      returned: always
      sample: 4
    seconds:
      description: How long it took.
      type: float
      returned: for flows and sets
      sample: 0.21
    tags:
      description: Its tags.
      type: list
      elements: str
      returned: for flows and sets
    steps:
      description: Each step with what came of it.
      type: list
      elements: dict
      returned: for flows and sets
      contains:
        name:
          description: Name of the step.
          type: str
          returned: always
        method:
          description: Method.
          type: str
          returned: always
        path:
          description: Path, with its variables as they are written.
          type: str
          returned: always
          sample: /api/orders/{order}
        outcome:
          description: V(passed), V(failed) or V(skipped).
          type: str
          returned: always
        status:
          description: Status of the last answer. Null without one.
          type: int
          returned: always
          sample: 401
        ms:
          description: Milliseconds that the last answer took.
          type: float
          returned: always
          sample: 12.1
        attempts:
          description: Requests that were sent.
          type: int
          returned: always
        statuses:
          description: Number of answers by status, or by the kind of failure.
          type: dict
          returned: when more than one request was sent
          sample: {"200": 100, "429": 1}
        failures:
          description: What was expected and what was found.
          type: list
          elements: str
          returned: always
        reason:
          description: Why it was skipped.
          type: str
          returned: when it was skipped
samples:
  description: Requests that were sent, of all flows together.
  returned: when the flows make sense
  type: int
  sample: 12
seconds:
  description: How long it took.
  returned: when the flows make sense
  type: float
  sample: 0.42
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.flow._check import judge_flows
from ansible_collections.sluice.release.plugins.module_utils.flow._schema import CHECK_SPEC, read
from ansible_collections.sluice.release.plugins.module_utils.flow._score import join, red_words
from ansible_collections.sluice.release.plugins.module_utils.gate import _schema as gate_schema
from ansible_collections.sluice.release.plugins.module_utils.gate._sampler import observe

CHECKS = {"checks": {**gate_schema.GATE_SPEC["checks"], "required": False, "default": []}}


def measure(params: dict[str, Any], check_mode: bool) -> dict[str, Any] | None:
    """Measure the checks once; None without any, and in check mode, where they are only read."""
    if not params["checks"]:
        return None
    once = {name: option.get("default") for name, option in gate_schema.GATE_SPEC.items()}
    gate = {**once, "checks": params["checks"], "check_mode": check_mode}
    require("judge the checks", gate_schema.needs(gate))
    checks, settings = gate_schema.read(gate)
    return None if check_mode else observe(checks, settings)


def walk(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Run the flows and return the result; SluiceError with the result when it is red."""
    require("run the flows", ["jmespath"])
    # A call that asks nothing is refused by read.
    only_checks = params["checks"] and not params["flows"] and not params["security"]
    wanted = [] if only_checks else read(params)
    smoke = measure(params, check_mode)
    parts = [smoke] if smoke else []
    if wanted or check_mode:
        parts.append(judge_flows(wanted, params, send=not check_mode))
    result = {"changed": False, **(parts[0] if len(parts) == 1 else join(parts))}
    if result["verdict"] == "red" and params["fail_on_red"]:
        raise SluiceError("pass the flows", red_words(result["gates"], "flow"), **result)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec={**CHECK_SPEC, **CHECKS}, supports_check_mode=True)
    run(module, lambda params: walk(params, module.check_mode))


if __name__ == "__main__":
    main()
