# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Capture:
    """What a step takes out of its answer for the steps that follow."""

    name: str
    source: str
    """Where it is: query (JMESPath), header, cookie or regex."""
    expression: str
    secret: bool = True
    """Whether the value is kept out of everything that is shown."""


@dataclass(frozen=True)
class Step:
    """One request, what is expected of its answer, and what is taken out of it."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str]
    secret_headers: Mapping[str, str]
    body: Any
    """None, or what is sent: a text, the fields of a form, or anything that JSON knows."""
    body_type: str
    """none, text, form or json."""
    follow: bool
    expect: Mapping[str, Any]
    captures: tuple[Capture, ...] = ()
    repeat: int = 1
    within: float = 0.0
    """Seconds in which the expectations may come true; 0: at once."""
    interval: float = 1.0
    always: bool = False
    timeout: float = 5.0


@dataclass(frozen=True)
class Flow:
    """Steps that one client takes in order, with the cookies that it collects on the way."""

    name: str
    steps: tuple[Step, ...]
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    secret_variables: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    kind: str = "flow"
    """`flow`, or the name of the security set that it was made from."""
    weight: float = 1.0
    optional: bool = False
    alone: bool = False
    validate_certs: bool = True
    deadline: float = 60.0
    """Seconds for all steps but those that always run; each of these has its own timeout on top."""
