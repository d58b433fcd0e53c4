# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""An alerting rule as a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

TARGET, UNIT = "sluice_target", "sluice_unit"
"""Annotations for what a check says and Prometheus has no place for."""


@dataclass(frozen=True)
class Rule:
    """One alerting rule of Prometheus. All times in seconds."""

    alert: str
    expr: str
    group: str
    sustained: float = 0.0
    """How long every evaluation has to yield a series before it fires: `for`."""
    recover: float = 0.0
    """How long it still fires after that: `keep_firing_for`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    line: int | None = None
    """Where its text begins. None: it came from a server."""


class Found(NamedTuple):
    """The rules of a file or a server."""

    rules: list[Rule]
    recording: int
    """How many recording rules there were. They decide nothing by themselves."""


def seconds_of(duration: str) -> float:
    """The seconds of a duration as Prometheus spells it, such as 1h30m. Raises ValueError."""
    import promql_parser  # the module has made sure that it is there

    if re.fullmatch("0(ms|[ywdhms])?", duration):
        return 0.0
    if duration.isdecimal():
        # The library takes it for seconds; Prometheus does not take it at all.
        raise ValueError(duration)
    parsed: timedelta = promql_parser.parse_duration(duration)
    return parsed.total_seconds()


def duration_of(seconds: float) -> str:
    """Seconds as Prometheus spells them. Prometheus knows nothing smaller than a millisecond."""
    import promql_parser  # the module has made sure that it is there

    return str(promql_parser.display_duration(timedelta(milliseconds=round(seconds * 1000)))) if seconds else "0s"
