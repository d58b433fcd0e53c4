# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rules out of a running server, by its HTTP API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._http import Fetch, Response, fetch
from ansible_collections.sluice.release.plugins.module_utils.rules._model import Found, Rule


def read_server(
    url: str,
    *,
    headers: Mapping[str, str],
    timeout: float,
    validate_certs: bool,
    send: Fetch = fetch,
) -> Found:
    """The rules that a Prometheus server has loaded. Raises SluiceError when it does not tell them."""
    address = f"{url.rstrip('/')}/api/v1/rules"
    answer = send(address, headers=headers, timeout=timeout, validate_certs=validate_certs, follow=True)
    try:
        groups = data_of(answer)["groups"]
        rules = [(group["name"], rule) for group in groups for rule in group["rules"]]
        alerting = [_rule(group, rule) for group, rule in rules if rule["type"] == "alerting"]
    except (KeyError, TypeError, ValueError) as error:
        cause = f"its answer has no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        remedy = "See that it is a Prometheus server, and that the headers let it answer"
        raise SluiceError(f"read the alerting rules of {url}", cause, remedy) from error
    return Found(alerting, len(rules) - len(alerting))


def data_of(answer: Response) -> Any:
    """What the API of Prometheus returns. Raises ValueError, with the server's own words when it refuses."""
    if answer.error:
        raise ValueError(answer.error)
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = {}
    if isinstance(document, dict) and document.get("status") == "success":
        return document["data"]
    said = document.get("error") if isinstance(document, dict) else None
    raise ValueError(f"it answered {answer.status}" + (f" ({said})" if said else ", and not as Prometheus does"))


def _rule(group: str, rule: Mapping[str, Any]) -> Rule:
    return Rule(
        alert=str(rule["name"]),
        expr=str(rule["query"]),
        group=group,
        sustained=float(rule.get("duration") or 0),
        recover=float(rule.get("keepFiringFor") or 0),
        labels={str(name): str(value) for name, value in (rule.get("labels") or {}).items()},
        annotations={str(name): str(value) for name, value in (rule.get("annotations") or {}).items()},
    )
