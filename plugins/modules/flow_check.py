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
requirements:
  - jmespath
options:
  base_url:
    description: What a path begins with, for example V(https://app.example.com). Flows may have their own.
    type: str
  flows:
    description: The flows. They and O(security) together are at least one.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the flow, unique. It begins every message about it.
        type: str
        required: true
      tags:
        description: Words to choose by, see O(tags). They are in the result.
        type: list
        elements: str
      base_url:
        description: In place of O(base_url).
        type: str
      headers:
        description: Headers of every step, for example those that an old client sends.
        type: dict
      secret_headers:
        description: More headers of every step, such as C(Authorization), that are never shown.
        type: dict
      variables:
        description: Variables of the flow.
        type: dict
      secret_variables:
        description: More variables, such as a password, that are never shown.
        type: dict
      steps:
        description: The steps, in order. After one that fails only those with O(flows[].steps[].always) are taken.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: Name of the step. By default its method and path.
            type: str
          method:
            description: HTTP method.
            type: str
            default: GET
          path:
            description: Path, to which O(base_url) is put, or a whole URL.
            type: str
            required: true
          headers:
            description: Headers of the request. They replace those of the flow that have the same name.
            type: dict
          secret_headers:
            description: More headers of the request that are never shown.
            type: dict
          json:
            description: Body, sent as JSON. Only one of O(flows[].steps[].json), O(flows[].steps[].form) and
              O(flows[].steps[].body).
            type: raw
          form:
            description: Body, sent as the fields of a form.
            type: dict
          body:
            description: Body, sent as it is.
            type: str
          follow:
            description: Whether redirects are followed, at most 5 and within the site, with cookies and methods as a
              browser does it. The expectations are for the last answer.
            type: bool
            default: false
          expect:
            description: What is expected of the answer. Without it any status from 200 to 299.
            type: dict
            suboptions:
              status:
                description:
                  - Statuses, such as V(200), V(4xx) or V(any). V(refused) is a connection that nobody takes. An answer
                    that is to be refused, such as a 401 without a login, is expected like any other.
                  - By default any from 200 to 299.
                type: list
                elements: str
              last_status:
                description: With O(flows[].steps[].repeat), statuses of the last answer.
                type: list
                elements: str
              counts:
                description: With O(flows[].steps[].repeat), how many answers may have some statuses.
                type: list
                elements: dict
                suboptions:
                  status:
                    description: Statuses.
                    type: list
                    elements: str
                    required: true
                  min:
                    description: Answers at least.
                    type: int
                  max:
                    description: Answers at most.
                    type: int
              json:
                description: Conditions on the body as JSON. One without any condition asks that the value is there.
                type: list
                elements: dict
                suboptions:
                  query:
                    description: JMESPath expression.
                    type: str
                    required: true
                  equals:
                    description: What it must yield.
                    type: raw
                  matches:
                    description: Regular expression that is to be found in it.
                    type: str
                  min:
                    description: Least number.
                    type: float
                  max:
                    description: Greatest number.
                    type: float
                  count:
                    description: Number of elements, of keys or of characters.
                    type: int
                  exists:
                    description: Whether there is a value other than null.
                    type: bool
              headers:
                description: Conditions on headers. One without any condition asks that the header is there.
                type: list
                elements: dict
                suboptions:
                  name:
                    description: Name of the header.
                    type: str
                    required: true
                  equals:
                    description: Its value.
                    type: str
                  matches:
                    description: Regular expression that is to be found in it.
                    type: str
                  not_matches:
                    description: Regular expression that is not to be found in it.
                    type: str
                  min:
                    description: Least number, which is the first group of O(flows[].steps[].expect.headers[].matches),
                      else the first number in the header.
                    type: float
                  max:
                    description: Greatest number, found in the same way.
                    type: float
                  absent:
                    description: Whether the header must not be there.
                    type: bool
                    default: false
                  optional:
                    description: Whether the header may be missing; if it is there the conditions hold.
                    type: bool
                    default: false
              contains:
                description: Regular expressions that are to be found in the body. One that begins with a comment, as
                  in C((?#a greeting)hello), is called by it in messages. The same goes for every other expression.
                type: list
                elements: str
              not_contains:
                description: Regular expressions that are not to be found in the body. What they find is never shown.
                type: list
                elements: str
              not_contains_unless_json:
                description: The same, but for answers that are declared as JSON.
                type: list
                elements: str
              cookies:
                description: Conditions on the cookies that the answer sets.
                type: list
                elements: dict
                suboptions:
                  name:
                    description: Name of the cookie.
                    type: str
                    required: true
                  secure:
                    description: Whether it has C(Secure).
                    type: bool
                  http_only:
                    description: Whether it has C(HttpOnly).
                    type: bool
                  same_site:
                    description: Values that C(SameSite) may have, V(strict), V(lax) or V(none).
                    type: list
                    elements: str
                  absent:
                    description: Whether the client must not have the cookie after the answer, as after a logout.
                    type: bool
                    default: false
              max_ms:
                description: Milliseconds that the answer may take, with its redirects.
                type: float
          capture:
            description: What is taken out of the answer. What is not there fails the step.
            type: list
            elements: dict
            suboptions:
              name:
                description: Name of the variable.
                type: str
                required: true
              query:
                description: JMESPath expression on the body. Exactly one source is given.
                type: str
              header:
                description: Name of a header.
                type: str
              cookie:
                description: Name of a cookie.
                type: str
              regex:
                description: Regular expression on the body. Its first group is taken, or all of it.
                type: str
              secret:
                description: Whether the value is never shown. Say V(false) for what may be read, such as an id.
                type: bool
                default: true
          repeat:
            description: How often the request is sent, at most 10000 times. Every answer is held against the
              expectations.
            type: int
            default: 1
          within:
            description: Seconds in which the answer may become as expected, for what comes about later, such as the
              delivery of a message. The request is sent again every O(flows[].steps[].interval) seconds. V(0) means at
              once.
            type: float
            default: 0.0
          interval:
            description: Seconds between two requests of O(flows[].steps[].within).
            type: float
            default: 1.0
          always:
            description: Whether the step is taken even when an earlier one has failed or the time is over, to delete
              what was created or to log out. Where it needs a value that was never captured it is left out.
            type: bool
            default: false
          timeout:
            description: In place of O(timeout).
            type: float
      weight:
        description: Its share in the score.
        type: float
        default: 1.0
      optional:
        description: Whether a failure costs score and makes the verdict V(yellow) instead of V(red).
        type: bool
        default: false
      alone:
        description: Whether it runs after all others, so that it does not disturb them, for example by using up a
          rate limit.
        type: bool
        default: false
      deadline:
        description: Seconds for the flow, at most O(deadline).
        type: float
      validate_certs:
        description: Whether the certificate of an https URL is verified.
        type: bool
        default: true
  security:
    description: Named sets of security checks. Each becomes a flow, runs like one and is reported like one.
    type: list
    elements: dict
    default: []
    suboptions:
      set:
        description:
          - V(headers) expects C(X-Content-Type-Options), C(X-Frame-Options) and C(Referrer-Policy), and no header that
            tells what the server is made of. O(security[].require) and O(security[].forbid) replace these.
          - V(hsts) expects C(Strict-Transport-Security) of at least O(security[].min_age) seconds.
          - V(csp) expects C(Content-Security-Policy) with O(security[].directives) and without
            O(security[].forbid_sources).
          - V(cookies) sends O(security[].request) and expects O(security[].cookies) to be set with their flags.
          - V(cors) sends requests and preflights of a foreign O(security[].origin), which must not be allowed, and of
            each of O(security[].allow_origins), which must.
          - V(https) expects an answer by HTTPS, and of plain HTTP at O(security[].url) a redirect to HTTPS or a
            refusal.
          - V(errors) asks for what does not exist and sends the malformed O(security[].requests). It expects a 4xx
            without stack trace, path of the server, SQL or the like.
          - V(rate_limit) with O(security[].probe=allowed) sends O(security[].count) requests of which none may be
            blocked; with V(enforced) one more than O(security[].limit), of which the last is answered 429. It runs
            after all others.
          - V(methods) expects O(security[].methods) to be refused.
          - V(csrf) sends state-changing O(security[].requests) as from another site and without a token, after
            O(security[].login), and expects a refusal.
          - V(sql_injection) sends O(security[].requests) with probe strings in the place of C({probe}) and expects no
            server error, no error of the database, no delay, and nothing changed. No probe writes.
          - V(xss) does so with markup and expects that no page gives it back unescaped.
          - V(secrets) searches pages and assets for keys, tokens and passwords. What it finds is never shown.
        type: str
        required: true
        choices:
          - headers
          - hsts
          - csp
          - cookies
          - cors
          - https
          - errors
          - rate_limit
          - methods
          - csrf
          - sql_injection
          - xss
          - secrets
      name:
        description: Name in messages and in the result. By default C(security:) and the name of the set.
        type: str
      tags:
        description: As O(flows[].tags).
        type: list
        elements: str
      weight:
        description: As O(flows[].weight).
        type: float
        default: 1.0
      optional:
        description: As O(flows[].optional).
        type: bool
        default: false
      base_url:
        description: As O(flows[].base_url).
        type: str
      validate_certs:
        description: As O(flows[].validate_certs).
        type: bool
        default: true
      secret_variables:
        description: As O(flows[].secret_variables), for O(security[].login).
        type: dict
      paths:
        description: Paths to ask for. By default V(/); for V(errors) one that does not exist.
        type: list
        elements: str
      request:
        description: For V(cookies), which needs it, and V(rate_limit). The request.
        type: dict
        suboptions: &request
          method:
            description: HTTP method.
            type: str
            default: GET
          path:
            description: Path or whole URL.
            type: str
            required: true
          headers:
            description: Headers.
            type: dict
          secret_headers:
            description: Headers that are never shown.
            type: dict
          json:
            description: Body, sent as JSON.
            type: raw
          form:
            description: Body, sent as the fields of a form.
            type: dict
          body:
            description: Body, sent as it is.
            type: str
      requests:
        description: For V(errors), V(csrf), V(sql_injection) and V(xss), of which all but the first need them. The
          requests.
        type: list
        elements: dict
        suboptions: *request
      login:
        description: For V(csrf), V(sql_injection) and V(xss). A request that is sent first, for its cookies.
        type: dict
        suboptions: *request
      logout:
        description: For V(cookies). A request that is sent last.
        type: dict
        suboptions: *request
      require:
        description: For V(headers). Headers with the regular expression that each must match, or an empty text.
        type: dict
      forbid:
        description: For V(headers). Headers that must not be there.
        type: list
        elements: str
      min_age:
        description: For V(hsts). Seconds, by default 15552000 (180 days).
        type: int
      include_subdomains:
        description: For V(hsts). Whether C(includeSubDomains) must be there.
        type: bool
      directives:
        description: For V(csp). Directives that must be there, each with a list of the sources that it must have. By
          default C(default-src) and C(script-src) with any.
        type: dict
      forbid_sources:
        description: For V(csp). Directives, each with a list of the sources that it must not have. By default
          C('unsafe-inline'), C('unsafe-eval') and C(*) in C(default-src) and C(script-src).
        type: dict
      report_only:
        description: For V(csp). Whether the policy is one that only reports.
        type: bool
      cookies:
        description: For V(cookies), which needs them. Names of the cookies that must be set.
        type: list
        elements: str
      secure:
        description: For V(cookies). Whether they must have C(Secure), which they must unless told otherwise.
        type: bool
      http_only:
        description: For V(cookies). Whether they must have C(HttpOnly), which they must unless told otherwise.
        type: bool
      same_site:
        description: For V(cookies). Values that C(SameSite) may have, by default V(lax) and V(strict); empty for any.
        type: list
        elements: str
      origin:
        description: For V(cors) and V(csrf). The foreign origin, by default V(http://malicious.com).
        type: str
      allow_origins:
        description: For V(cors). Origins that must be allowed.
        type: list
        elements: str
      method:
        description: For V(cors). The method that the preflight asks for, by default V(POST).
        type: str
      url:
        description: For V(https), which needs it. The application's address by plain HTTP.
        type: str
      patterns:
        description: For V(errors) and V(secrets). More regular expressions that must not be found.
        type: list
        elements: str
      probe:
        description: For V(rate_limit). Which side of the limit is looked at, by default V(allowed).
        type: str
        choices: [allowed, enforced]
      count:
        description: For V(rate_limit). Requests of V(allowed), by default 5.
        type: int
      limit:
        description: For V(rate_limit) with V(enforced), which needs it. Requests that the limit lets through.
        type: int
      status:
        description: For V(rate_limit), V(csrf) and V(sql_injection). Statuses of an expected answer.
        type: list
        elements: str
      methods:
        description: For V(methods). By default V(TRACE).
        type: list
        elements: str
      probes:
        description: For V(sql_injection) and V(xss). Other probe strings.
        type: list
        elements: str
      unchanged:
        description: For V(sql_injection). What must be the same before and after.
        type: dict
        suboptions:
          path:
            description: Path to ask for.
            type: str
            required: true
          query:
            description: JMESPath expression on its JSON, for example a number of rows.
            type: str
            required: true
      assets:
        description: For V(secrets). Regular expressions that each find the address of an asset in every page, such as
          C(src="([^"]+[.]js)"); what they find is searched too.
        type: list
        elements: str
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
from ansible_collections.sluice.release.plugins.module_utils.flow._score import red_words


def walk(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Run the flows and return the result; SluiceError with the result when it is red."""
    require("run the flows", ["jmespath"])
    result = {"changed": False, **judge_flows(read(params), params, send=not check_mode)}
    if result["verdict"] == "red" and params["fail_on_red"]:
        raise SluiceError("pass the flows", red_words(result["gates"], "flow"), **result)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=CHECK_SPEC, supports_check_mode=True)
    run(module, lambda params: walk(params, module.check_mode))


if __name__ == "__main__":
    main()
