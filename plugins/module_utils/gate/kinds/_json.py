# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks that read a number or a state from a JSON answer."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    EXPECT,
    Begin,
    Kind,
    NotFoundError,
    Raw,
    found_sample,
    jmespath_problems,
    search,
)
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._request import (
    OPTIONS,
    misanswered,
    request_of,
    request_problems,
)


class _Json:
    def __init__(self, check: Check, query: str, statuses: tuple[int, ...]) -> None:
        self.check, self.query, self.statuses = check, query, statuses

    def sample(self, t: float, answer: Response) -> Sample:
        # A health page that answers 503 still says in its body what is wrong: the status is for expect_status.
        fault = misanswered(answer, self.statuses)
        if fault:
            return Sample(t, None, fault)
        try:
            found = search(self.query, answer.body)
        except NotFoundError as error:
            return Sample(t, None, str(error))
        if found is None:
            return Sample(t, None, f"its answer has no {self.query}")
        return found_sample(self.check, t, found, self.query)


def _problems(raw: Raw, _gate: Raw) -> Iterator[str]:
    yield from request_problems(raw)
    if raw["query"]:
        yield from jmespath_problems("query", raw["query"])
    else:
        yield "it has no query (JMESPath)"


def _begin(raw: Raw) -> Begin:
    query, statuses = raw["query"], tuple(raw["expect_status"])
    return lambda check, _begun: _Json(check, query, statuses)


KIND = Kind(
    options={**OPTIONS, **EXPECT, "query": {"type": "str"}},
    target=lambda raw, _gate: request_of(raw),
    begin=_begin,
    problems=_problems,
    libraries=lambda _raw: {"jmespath"},
)
