# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a page must be like in a browser, and what it was like: options, and verdicts. Nothing here opens a browser."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.flow._score import gate
from ansible_collections.sluice.release.plugins.module_utils.gate._model import show

PAGE_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "path": {"type": "str", "default": "/"},
    "expect_status": {"type": "list", "elements": "int", "default": [200]},
    "selector": {"type": "str"},
    "max_console_errors": {"type": "int", "default": 0},
    "ignore_console": {"type": "list", "elements": "str", "default": []},
    "lcp_ms": {"type": "float"},
    "fcp_ms": {"type": "float"},
    "load_ms": {"type": "float"},
    "cls": {"type": "float"},
    "widths": {"type": "list", "elements": "int", "default": [1280]},
    "visits": {"type": "int", "default": 1},
    "optional": {"type": "bool", "default": False},
    "weight": {"type": "float", "default": 1.0},
}

VITALS = {"lcp_ms": "ms", "fcp_ms": "ms", "load_ms": "ms", "cls": ""}
"""What is measured of a page, with its unit."""

_NAMED = 3


@dataclass(frozen=True)
class Page:
    """One page and what it must be like."""

    name: str
    url: str
    statuses: tuple[int, ...]
    selector: str | None
    max_console_errors: int
    ignored: tuple[str, ...]
    limits: Mapping[str, float]
    widths: tuple[int, ...]
    visits: int
    optional: bool
    weight: float


@dataclass(frozen=True)
class Visit:
    """What one visit with one width of the window saw."""

    width: int
    status: int = 0
    fault: str = ""
    """Why nothing else is known; empty when the page was loaded."""
    found: bool = True
    """Whether what the selector names was visible."""
    console: tuple[str, ...] = ()
    """Errors of the console and of scripts."""
    vitals: Mapping[str, float | None] | None = None


def read_pages(base_url: str, raw: Sequence[Mapping[str, Any]]) -> list[Page]:
    """Turn the module's options into pages. SluiceError that lists everything that makes no sense."""
    found = [problem for page in raw for problem in _problems(base_url, page)]
    names = [page["name"] for page in raw]
    found += [f"the name {name} is used more than once" for name in sorted(set(names)) if names.count(name) > 1]
    if not raw:
        # A check of nothing would let everything through.
        found.append("there is none, so nothing would be seen")
    if found:
        raise SluiceError("use the pages", "; ".join(found), "Correct them in the profile")
    return [
        Page(
            name=page["name"],
            url=urljoin(base_url, page["path"]),
            statuses=tuple(page["expect_status"]),
            selector=page["selector"],
            max_console_errors=page["max_console_errors"],
            ignored=tuple(page["ignore_console"]),
            limits={name: page[name] for name in VITALS if page[name] is not None},
            widths=tuple(page["widths"]),
            visits=page["visits"],
            optional=page["optional"],
            weight=page["weight"],
        )
        for page in raw
    ]


def _problems(base_url: str, page: Mapping[str, Any]) -> Iterator[str]:
    name = page["name"]
    parts, base = urlsplit(urljoin(base_url, page["path"])), urlsplit(base_url)
    if base.scheme not in ("http", "https") or not base.hostname:
        yield "base_url must be http://host... or https://host..."
    elif (parts.scheme, parts.netloc) != (base.scheme, base.netloc):
        yield f"{name}: its path leads to another origin"
    for pattern in page["ignore_console"]:
        try:
            re.compile(pattern)
        except re.error as error:
            yield f"{name}: {pattern} of ignore_console is no regular expression ({error})"
    for option, least in (("visits", 1), ("max_console_errors", 0), ("weight", 0), *((vital, 0) for vital in VITALS)):
        if page[option] is not None and not page[option] >= least:
            yield f"{name}: {option} is {page[option]:g}, it must be {least} or more"
    if not page["widths"] or min(page["widths"]) < 200:
        yield f"{name}: widths must be given, each of 200 pixels or more"
    if not page["expect_status"]:
        yield f"{name}: expect_status is empty"


def judge(page: Page, visits: Sequence[Visit]) -> dict[str, Any]:
    """Return the page as a judged check: every width must hold; of several visits the median counts."""
    faults = [fault for width in page.widths for fault in _faults(page, [v for v in visits if v.width == width])]
    medians = {vital: _median(visits, vital) for vital in VITALS}
    seen = ", ".join(f"{vital} {show(value, VITALS[vital])}" for vital, value in medians.items() if value is not None)
    return gate(
        page.name,
        not faults,
        kind="browser",
        reason=f"{page.name}: {'; '.join(dict.fromkeys(faults)) or seen or 'was shown'}",
        optional=page.optional,
        weight=page.weight,
        samples=len(visits),
        vitals=medians,
    )


def _faults(page: Page, visits: Sequence[Visit]) -> Iterator[str]:
    at = f" at {visits[0].width} px" if len(page.widths) > 1 else ""
    for visit in visits:
        if visit.fault:
            yield visit.fault + at
        elif visit.status not in page.statuses:
            yield f"answered {visit.status} instead of {', '.join(map(str, page.statuses))}{at}"
        elif not visit.found:
            yield f"{page.selector} was not visible{at}"
        errors = [text for text in visit.console if not any(re.search(pattern, text) for pattern in page.ignored)]
        if len(errors) > page.max_console_errors:
            shown = " | ".join(error[:120] for error in errors[:_NAMED])
            yield f"{len(errors)} errors in the console, {page.max_console_errors} are allowed{at}: {shown}"
    for vital, limit in page.limits.items():
        value = _median(visits, vital)
        if value is None and not any(visit.fault for visit in visits):
            yield f"{vital} could not be measured{at}"
        elif value is not None and value > limit:
            yield f"{vital} was {show(value, VITALS[vital])}, at most {show(limit, VITALS[vital])} is allowed{at}"


def _median(visits: Sequence[Visit], vital: str) -> float | None:
    values = [value for visit in visits if visit.vitals and (value := visit.vitals.get(vital)) is not None]
    return statistics.median(values) if values else None
