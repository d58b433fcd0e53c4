# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from typing import Any


def _sentence(text: str) -> str:
    """Return the text with surrounding space removed and exactly one final period ('' stays '')."""
    text = text.strip()
    if not text:
        return ""
    # A question or an exclamation already ends its sentence.
    if text.endswith(("?", "!")):
        return text
    return f"{text.rstrip('. ')}."


class SluiceError(Exception):
    """The one error of this collection: what could not be done, why, and what a person can do about it.

    ``str()`` gives ``Cannot <verb> <the named thing>: <cause>. <remedy>``.
    ``fields`` are structured evidence, or the part of the result that was reached; the module adds them to its
    failure, so they must hold no secret.
    """

    def __init__(self, verb_and_thing: str, cause: str, remedy: str = "", **fields: Any) -> None:
        self.verb_and_thing = verb_and_thing.strip()
        self.cause = cause.strip()
        self.remedy = remedy.strip()
        self.fields: dict[str, Any] = fields
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The whole sentence, as a person reads it."""
        sentences = [_sentence(f"Cannot {self.verb_and_thing}: {self.cause}"), _sentence(self.remedy)]
        return " ".join(sentence for sentence in sentences if sentence)

    def __str__(self) -> str:
        return self.message
