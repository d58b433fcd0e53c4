# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # The option that goes with FLOW_SPEC of module_utils/flow/_schema.py
    DOCUMENTATION = r"""
options:
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
                  in V((?#a greeting\)hello), is called by it in messages. The same goes for every other expression.
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
"""
