#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cache_warm
short_description: Warm the cache of an instance over HTTP before it gets traffic
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Asks one instance for the URLs that people are going to ask for, over a bounded number of kept connections, so that
    the first of them need not wait for a cache that is empty.
  - URLs come from O(sources), one after the other, and each is asked for once. Nothing but GET is ever sent, and no
    path that may do something when it is asked for; see O(exclude_unsafe).
  - "It stops for one of these reasons, RV(stopped). V(complete): the list is at its end. V(target): what O(until) asks
    for is reached. V(budget): the time of O(budget) is over. V(failing): more than O(max_failed_pct) of the last
    requests have failed, so a sick instance is not asked any further. V(gone): O(gone_after) requests in a row have
    found nobody. V(nothing): the sources name nothing, or one of them cannot be read and O(policy=required)."
  - The instance is warm, RV(warm), when it stopped for V(target), or for V(complete) where O(until) asks for nothing.
    With O(policy=required) the task fails when it is not, and the failure carries the same result.
  - A redirect is followed inside the origin, at most five times. One that leads out of it, and a URL of another origin
    in a list, are never asked for.
  - "Memory does not grow with the number of URLs, but for 16 to 32 bytes each by which duplicates are known (hashes of
    eight bytes, and never more than O(max_urls)). Lists are read while requests are sent. Percentiles come from a
    histogram of a fixed size and are exact to 1 %."
  - Requests go straight to O(address), never through a proxy of the environment. They are HTTP/1.1. Bodies are
    thrown away as they come, and are not unpacked.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
requirements:
  - pycurl 7.45 or newer
  - PyYAML, for O(sources[].openapi) and O(sources[].openapi_file) in YAML
notes:
  - In check mode nothing is sent. Sources on the host are read, and RV(planned) says how many requests would be sent.
    A sitemap and O(sources[].openapi) have to be asked for, so they are not read.
  - The task reports no change, for the host is not changed; what the instance has in its cache is not known to it.
options:
  url:
    description: Origin that people ask, for example V(https://shop.example.com), without a path. It gives the scheme,
      the Host header, and the name that TLS asks for and verifies.
    type: str
    required: true
  address:
    description:
      - Where the instance itself listens, as C(host:port), for example V(127.0.0.1:3002) or V([2001:db8::5]:3002).
        Without a port that of O(url).
      - This must be the address of the instance alone and never that of the shared proxy, which would send the
        requests to the instances that serve already.
      - Without it, what O(url) says is asked. That is right only where its host name leads to this instance alone.
    type: str
  validate_certs:
    description: Whether the certificate is verified, for the host of O(url).
    type: bool
    default: true
  ca_file:
    description: File with the certificate authorities to trust instead of those of this host, on the host.
    type: path
  headers:
    description: Headers of every request, for example those that the answers vary by (C(Accept-Encoding),
      C(Accept-Language)). C(Host) is not for them to set.
    type: dict
  secret_headers:
    description: More headers of every request, such as C(Authorization) or C(Cookie), that are never shown.
    type: dict
  sources:
    description:
      - Where URLs come from, in the order in which they are asked for. Each source has exactly one of
        O(sources[].urls), O(sources[].file), O(sources[].sitemap), O(sources[].access_log), O(sources[].openapi),
        O(sources[].openapi_file) and O(sources[].keys).
      - A URL is a path that begins with a slash, or an absolute one of this origin. Lines that are neither are left
        out and counted.
    type: list
    elements: dict
    required: true
    suboptions:
      urls:
        description: Paths and URLs.
        type: list
        elements: str
      file:
        description: File on the host with a path or URL in each line. Empty lines and those that begin with C(#) are
          passed over. It may be packed by gzip.
        type: path
      sitemap:
        description:
          - Path or URL of a sitemap, or of an index of sitemaps, below the origin. The instance is asked for it.
          - Those that an index names are read too, 500 at most, three levels deep. They may be packed by gzip. One is
            read up to 50 MB unpacked. One with a DOCTYPE is refused, so there are no entities.
        type: str
      access_log:
        description:
          - Log of a server, on the host. What was asked for most comes first. Only requests by GET count, and of those
            the ones that were answered by 2xx or 3xx. HEAD does not count.
          - A pattern such as V(/var/log/nginx/access.log*) takes the rotated ones as well, packed ones too, the newest
            first.
          - A URL whose query holds what looks like a secret (a parameter that is named like a token, password, key or
            session, or a value that is long and random) belonged to somebody and is never sent again.
          - Up to 100,000 different paths are counted exactly. Beyond twice as many the rarest are forgotten. Reading
            takes at most a quarter of O(budget); what is left then is not read, as RV(sources[].cut) says.
        type: path
      format:
        description: How a line of O(sources[].access_log) is written. V(combined) is also right for the common format.
        type: str
        choices: [combined, json, regex]
        default: combined
      fields:
        description: Names of the fields of a line with O(sources[].format=json), with dots for what lies inside
          another. By default the names that nginx, Caddy, pino and ECS use.
        type: dict
        suboptions:
          method:
            description: Field with the method.
            type: str
          path:
            description: Field with the path and query.
            type: str
          status:
            description: Field with the status.
            type: str
      pattern:
        description: Regular expression (Python) for O(sources[].format=regex), with the named groups C(method) and
          C(path), and C(status) where the log has it.
        type: str
      top:
        description: How many paths of O(sources[].access_log) are taken, the most frequent first; 1 to 100000.
        type: int
        default: 1000
      query:
        description: Whether paths of O(sources[].access_log) keep their query.
        type: str
        choices: [keep, drop]
        default: keep
      per_endpoint:
        description:
          - How many paths of O(sources[].access_log) are taken that differ only in what looks like an identifier
            (numbers, UUIDs, hashes) and in the values of the query. Endpoints come in the order of all their requests
            together. V(0) means that every path counts by itself.
          - With it one endpoint with a million identifiers does not fill the list.
        type: int
        default: 0
      openapi:
        description:
          - Path or URL of an OpenAPI 3 or Swagger 2 document below the origin, in JSON or YAML, up to 8 MB. The
            instance is asked for it.
          - Operations by GET are taken whose parameters in the path, and required ones in the query, all have an
            example, examples, a default or an enum. Several of them give several URLs, 20 at most for one operation.
            One that requires a header or a cookie is left out.
          - The path of the server that is this origin, or else of the first one, comes before each path.
        type: str
      openapi_file:
        description: The same as a file on the host.
        type: path
      keys:
        description: A recorded set. File on the host with a JSON object in each line, C(path) and, where the answer
          depends on them, C(headers), for example C({"path":"/","headers":{"Accept-Language":"de"}}).
        type: path
  exclude:
    description: Regular expressions (Python). A path with its query in which one of them is found is not asked for,
      neither when a source names it nor when a redirect leads there.
    type: list
    elements: str
    default: []
  exclude_unsafe:
    description:
      - Whether paths are left out that may do something when they are asked for, in applications that misuse GET.
      - "Those are the ones where a segment of the path, or a name or value in the query, is one of these words, in any
        case, alone or before an underscore or a capital: logout, logoff, signout, signoff (with a dash or underscore,
        too), delete, destroy, remove, purge, flush, truncate, wipe, reset, clear-cache, unsubscribe, opt-out, cancel,
        revoke, disable, deactivate, approve, confirm, activate, verify, checkout, refund, restart, shutdown, reindex,
        reset-password, forgot-password, change-password, password-reset, magic-link, oauth, callback, webhook."
    type: bool
    default: true
  max_urls:
    description: How many requests are sent at most in the first pass; 1 to 10000000. The rest of the sources is not
      read.
    type: int
    default: 100000
  concurrency:
    description: Connections, and so requests at the same time; 1 to 256.
    type: int
    default: 8
  rate:
    description: Requests a second at most. V(0) means as many as O(concurrency) allows.
    type: float
    default: 0.0
  timeout:
    description: Seconds that one request may take, its redirects each, however slowly the instance sends.
    type: float
    default: 10.0
  budget:
    description: Seconds that everything together may take. Requests that are under way then are given up.
    type: float
    default: 120.0
  max_body:
    description: Bytes of an answer. A request whose answer is larger is given up and has failed. Sitemaps and OpenAPI
      documents have limits of their own.
    type: int
    default: 8388608
  hit_header:
    description: Header by which an answer says whether a cache has given it, for example V(X-Cache-Status),
      V(CF-Cache-Status), V(X-Cache) or V(Age). Without it there is no hit ratio.
    type: str
  hit_pattern:
    description: Regular expression (Python) that is found in O(hit_header) when a cache has answered. For V(Age) use
      V(^[1-9]).
    type: str
    default: (?i)\b(hit|stale|updating|revalidated)\b
  second_pass:
    description: How many URLs, drawn from those that were answered well, are asked for once more after the list is at
      its end, to see what the first pass was good for; 0 to 10000. V(0) means none.
    type: int
    default: 100
  until:
    description: What the second pass has to show for the instance to be warm.
    type: dict
    suboptions:
      hit_pct:
        description:
          - Share of its answers, in percent, that come from the cache. Needs O(hit_header).
          - Where this is the only target and the last O(failed_window) answers of the first pass reach it, the cache is
            warm already, and the rest of the list is not asked for.
        type: float
      second_pass_p95_ms:
        description: Milliseconds that the 95th percentile of its answers takes at most.
        type: float
  max_failed_pct:
    description: Share of the last O(failed_window) requests, in percent, that may fail. An answer of 4xx or 5xx, none
      in O(timeout), one above O(max_body) and a redirect that is not followed count as failed. At the end it holds for
      all requests together.
    type: float
    default: 20.0
  failed_window:
    description: How many requests these are. With fewer it is not stopped early.
    type: int
    default: 50
  gone_after:
    description: Requests in a row whose connection is refused or lost, after which the instance counts as gone.
    type: int
    default: 10
  policy:
    description: Whether the task fails when the instance is not warm. With V(best_effort) it ends well, with
      RV(warm=false), RV(reason) and a warning. Options that make no sense fail it either way.
    type: str
    choices: [required, best_effort]
    default: required
"""

EXAMPLES = r"""
- name: Warm the new instance before it gets traffic
  sluice.release.cache_warm:
    url: https://shop.example.com
    address: 127.0.0.1:3002
    hit_header: X-Cache-Status
    sources:
      - urls: [/, /deals, "/api/deals?limit=50"]
      - access_log: /var/log/nginx/access.log*
        top: 2000
        per_endpoint: 20
      - sitemap: /sitemap.xml
    concurrency: 16
    budget: 60
    until:
      hit_pct: 95
      second_pass_p95_ms: 800
  register: warming

- name: Warm what can be warmed, gently, and go on in any case
  sluice.release.cache_warm:
    url: https://api.example.com
    address: 10.0.0.12:8080
    headers:
      Accept-Encoding: gzip
    secret_headers:
      Authorization: "Bearer {{ vault_warm_token }}"
    sources:
      - openapi: /openapi.json
      - keys: /srv/shop/shared/warm.jsonl
    rate: 50
    exclude: ["^/api/reports/"]
    policy: best_effort
"""

RETURN = r"""
warm:
  description: Whether the instance is warm. V(false) in check mode.
  returned: when the options make sense
  type: bool
  sample: true
stopped:
  description: Why it stopped, V(complete), V(target), V(budget), V(failing), V(gone) or V(nothing).
  returned: when something was to be sent
  type: str
  sample: target
reason:
  description: The same in one line.
  returned: when something was to be sent
  type: str
  sample: 1998 of 2000 requests were answered well (2 status_4xx), and the second pass has met its target
planned:
  description: Requests that would be sent at most, by the sources that lie on the host.
  returned: in check mode
  type: int
  sample: 2000
done:
  description: Requests of the first pass that have ended. A redirect that was followed is part of its request.
  returned: when something was to be sent
  type: int
  sample: 2000
ok:
  description: Those that were answered well.
  returned: when something was to be sent
  type: int
  sample: 1998
failed_requests:
  description: Those that were not.
  returned: when something was to be sent
  type: int
  sample: 2
errors:
  description: Failures by kind (refused, reset, timeout, tls, dns, too_large, status_4xx, status_5xx, elsewhere,
    redirects, excluded, invalid, other).
  returned: when something was to be sent
  type: dict
  sample: {status_4xx: 2}
failures:
  description: The first ten failures. Values of the query that may be secrets are not shown.
  returned: when something was to be sent
  type: list
  elements: dict
  contains:
    path:
      description: Path, as the source has it.
      type: str
      returned: always
      sample: /api/deals/17
    kind:
      description: Kind, as in RV(errors).
      type: str
      returned: always
      sample: status_4xx
    reason:
      description: What happened, in words.
      type: str
      returned: always
      sample: it answered 404
bytes:
  description: Bytes of all bodies of the first pass.
  returned: when something was to be sent
  type: int
  sample: 8000000
seconds:
  description: How long everything took.
  returned: when something was to be sent
  type: float
  sample: 3.214
rate:
  description: Requests a second in the first pass.
  returned: when something was to be sent
  type: float
  sample: 640.2
hit_pct:
  description: Share of answers from the cache in percent, of the second pass or, where there was none, the first. Null
    when no answer has said it.
  returned: when something was to be sent
  type: float
  sample: 100.0
first_pass:
  description: Answer times of the first pass. Only good answers count.
  returned: when something was to be sent
  type: dict
  contains:
    requests:
      description: Good answers.
      type: int
      returned: always
    failed:
      description: Requests that failed.
      type: int
      returned: always
    p50_ms:
      description: Median, milliseconds. Null without good answers.
      type: float
      returned: always
    p95_ms:
      description: 95th percentile, milliseconds.
      type: float
      returned: always
    p99_ms:
      description: 99th percentile, milliseconds.
      type: float
      returned: always
    mean_ms:
      description: Mean, milliseconds.
      type: float
      returned: always
    max_ms:
      description: The slowest, milliseconds.
      type: float
      returned: always
    hit_pct:
      description: Share of answers from the cache in percent. Null when none has said it.
      type: float
      returned: always
second_pass:
  description: The same of the second pass. Null without one.
  returned: when something was to be sent
  type: dict
  contains:
    requests:
      description: Good answers.
      type: int
      returned: always
    failed:
      description: Requests that failed.
      type: int
      returned: always
    p50_ms:
      description: Median, milliseconds. Null without good answers.
      type: float
      returned: always
    p95_ms:
      description: 95th percentile, milliseconds.
      type: float
      returned: always
    p99_ms:
      description: 99th percentile, milliseconds.
      type: float
      returned: always
    mean_ms:
      description: Mean, milliseconds.
      type: float
      returned: always
    max_ms:
      description: The slowest, milliseconds.
      type: float
      returned: always
    hit_pct:
      description: Share of answers from the cache in percent. Null when none has said it.
      type: float
      returned: always
endpoints:
  description: Mean times of the same requests in both passes, by endpoint, at most 50, those with the most requests
    first. Empty without a second pass.
  returned: when something was to be sent
  type: list
  elements: dict
  contains:
    endpoint:
      description: Path with what looks like an identifier replaced by C({id}), and the names of the query.
      type: str
      returned: always
      sample: /api/deals/{id}
    requests:
      description: How many they are.
      type: int
      returned: always
      sample: 40
    cold_ms:
      description: Their mean in the first pass, milliseconds.
      type: float
      returned: always
      sample: 812.4
    warm_ms:
      description: Their mean in the second pass, milliseconds.
      type: float
      returned: always
      sample: 31.7
samples:
  description: How the first pass went over time, at most 200 rows.
  returned: when something was to be sent
  type: list
  elements: dict
  contains:
    second:
      description: End of the stretch of time, in seconds since the start.
      type: float
      returned: always
      sample: 0.25
    done:
      description: Requests until then.
      type: int
      returned: always
      sample: 160
    failed:
      description: Those of them that have failed.
      type: int
      returned: always
      sample: 0
    rate:
      description: Requests a second in this stretch.
      type: float
      returned: always
      sample: 640.0
    p95_ms:
      description: 95th percentile of the good answers in this stretch, milliseconds. Null without any.
      type: float
      returned: always
      sample: 45.2
    hit_pct:
      description: Share of the answers of this stretch from the cache in percent. Null when none has said it.
      type: float
      returned: always
      sample: 2.5
sources:
  description: What came of each source, in the order of O(sources). With RV(stopped) other than V(complete) and
    V(target), not all of it may have been read.
  returned: when the options make sense
  type: list
  elements: dict
  contains:
    source:
      description: Its kind and path.
      type: str
      returned: always
      sample: access_log /var/log/nginx/access.log*
    urls:
      description: Requests that it gave.
      type: int
      returned: always
      sample: 1000
    duplicates:
      description: Those that it named a second time, or that an earlier source had named.
      type: int
      returned: always
      sample: 12
    left_out:
      description: Entries that are not asked for.
      type: int
      returned: always
      sample: 3
    cut:
      description: Why it was not read to its end. Null when it was, or when it was stopped.
      type: str
      returned: always
    problem:
      description: Why it could not be read. Null when it could.
      type: str
      returned: always
left_out:
  description: "Entries of the sources that are not asked for, by reason: V(bad) is no URL or no line of the format,
    V(elsewhere) belongs to another origin, V(excluded) is excluded, V(secret) holds a secret, V(method) and V(status)
    are lines of a log that do not count, V(no_example) is an operation that says too little."
  returned: when the options make sense
  type: dict
  sample: {elsewhere: 1, method: 812}
left_out_first:
  description: The first ten of them, but for V(method) and V(status).
  returned: when the options make sense
  type: list
  elements: dict
  contains:
    source:
      description: Its source.
      type: str
      returned: always
      sample: file /srv/shop/urls.txt
    where:
      description: Where in the source.
      type: str
      returned: always
      sample: line 17
    text:
      description: The entry, shortened, without what looks like a secret.
      type: str
      returned: always
      sample: https://other.example.com/
    why:
      description: Reason, as in RV(left_out).
      type: str
      returned: always
      sample: elsewhere
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils.warm._http_options import WARM_SPEC, read
from ansible_collections.sluice.release.plugins.module_utils.warm._http_warm import warm


def warm_instance(params: dict[str, Any], *, warn: Callable[[str], None], check_mode: bool) -> dict[str, Any]:
    """Warm the instance; SluiceError with the result where it is required and has failed."""
    require("warm a cache", ["pycurl"])
    return warm(read(params), report=Progress(params["progress"]).update, warn=warn, check_mode=check_mode)


def main() -> None:
    module = AnsibleModule(argument_spec={**WARM_SPEC, **PROGRESS}, supports_check_mode=True)
    run(module, lambda params: warm_instance(params, warn=module.warn, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
