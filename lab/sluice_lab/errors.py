# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the lab."""

from __future__ import annotations


class LabError(Exception):
    """Something that stops the lab: what could not be done, why, and what the user can do about it."""

    def __init__(self, verb_and_thing: str, cause: str, remedy: str = "") -> None:
        sentences = [f"Cannot {verb_and_thing}: {cause}".rstrip("."), remedy.rstrip(".")]
        super().__init__(" ".join(f"{sentence}." for sentence in sentences if sentence))
