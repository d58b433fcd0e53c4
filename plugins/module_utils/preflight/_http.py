# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Does what belongs to the application answer: dashboards, the error tracker, the log aggregator, a third party?"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.sluice.release.plugins.module_utils._http import Response, fetch
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params


def judge(host: str, answer: Response, statuses: list[int], match: str | None, max_latency_ms: float | None) -> Finding:
    """Judge one answer; ``host`` is all that is shown of the URL, whose path and query may be a secret."""
    latency = answer.seconds * 1000
    value: dict[str, Any] = {"status": answer.status, "latency_ms": round(latency, 1)}
    if answer.error:
        return Finding(False, f"{host} does not answer: {answer.error}", value)
    if answer.status not in statuses:
        return Finding(False, f"{host} answered with status {answer.status}", value)
    if match and not re.search(match, answer.body.decode(errors="replace")):
        return Finding(False, f"the answer of {host} does not match {match}", value)
    if max_latency_ms is not None and latency > max_latency_ms:
        return Finding(False, f"{host} took {latency:.0f} ms, at most {max_latency_ms:g} ms are allowed", value)
    return Finding(True, f"{host} answered with status {answer.status} in {latency:.0f} ms", value)


def look(params: Params) -> Finding:
    url, match = params["url"], params["match"]
    try:
        re.compile(match or "")
        parts = urlsplit(url)
        host = parts.hostname or ""
        host += f":{parts.port}" if parts.port else ""
    except re.error as error:
        return Finding(False, f"its match is no regular expression ({error})")
    except ValueError:
        return Finding(False, "its url cannot be read")
    headers = {str(name): str(text) for name, text in (params["secret_headers"] or {}).items()}
    answer = fetch(url, headers=headers, timeout=params["timeout"])
    if answer.error:
        answer = answer._replace(error=redact(answer.error, [url]))
    return judge(host or "its url", answer, params["statuses"] or [200], match, params["max_latency_ms"])


KIND = Kind(
    options={
        "url": {"type": "str", "no_log": True},
        "secret_headers": {"type": "dict", "no_log": True},
        "statuses": {"type": "list", "elements": "int"},
        "match": {"type": "str"},
        "max_latency_ms": {"type": "float"},
    },
    look=look,
    required=("url",),
    group="monitoring",
)
