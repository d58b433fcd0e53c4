# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a flow must not show: what it was given as a secret, what it captured, and what looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._runner import REDACTED, redact
from ansible_collections.sluice.release.plugins.module_utils.flow._template import text_of

SHOWN = 160
"""Characters of an answer that a finding shows at most."""

# An answer that is not the expected one may hold a secret that nobody has captured.
_WORD = r"token|secret|passw|pwd|authori|cookie|session|jwt|api_?key|credential|csrf|nonce|otp"
_NAMED = rf"""(["']?[\w.-]*(?:{_WORD})[\w.-]*["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|[^\s,;&}}\]]+)"""
_LIKELY = (
    (re.compile(r"\b(Bearer|Basic)\s+[^\s,;\"']+", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(_NAMED, re.IGNORECASE), rf"\1{REDACTED}"),
    # What begins like the header of a JSON Web Token.
    (re.compile(r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"), REDACTED),
)


class Secrets:
    """The secrets of one flow; they grow while it runs."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._known: set[str] = set()
        for value in values:
            self.add(value)

    def add(self, value: Any) -> None:
        """From now on neither the value nor, where it has parts, any text in it is shown."""
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, (list, tuple)):
            for part in value:
                self.add(part)
        elif value is not None and not isinstance(value, bool):
            self._known.add(text_of(value))

    def clean(self, text: str) -> str:
        """The text on one line without secrets, cut to what a finding shows."""
        # The secrets go first: a cut one would no longer be found.
        text = redact(text[:100_000], self._known)
        for pattern, instead in _LIKELY:
            text = pattern.sub(instead, text)
        text = " ".join(text.split())
        return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
