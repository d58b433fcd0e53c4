# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A library that a host lacks, or has too old, is said in a sentence before anything is done."""

from __future__ import annotations

import importlib.metadata

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require


def test_one_that_is_missing() -> None:
    with pytest.raises(SluiceError, match=r"Cannot look: .* of this host has no nothing_of_that_name\. Let role"):
        require("look", ["redis", "nothing_of_that_name"])


@pytest.mark.parametrize("found", ["5.3.0", "5.3", "5.10.1", "8.1.0"])
def test_one_that_is_new_enough(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: found)
    require("look", ["redis"], {"redis": "5.3"})


@pytest.mark.parametrize("found", ["4.3.4", "5.2.9"])
def test_one_that_is_too_old(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: found)
    with pytest.raises(SluiceError, match=rf"this host has redis {found}, and 5\.3 is needed\. .*'redis>=5\.3'"):
        require("look", ["redis"], {"redis": "5.3"})
