# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # The option that goes with SECURITY_SPEC of module_utils/flow/_security.py
    DOCUMENTATION = r"""
options:
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
          V(src="([^"]+[.]js\)"); what they find is searched too.
        type: list
        elements: str
"""
