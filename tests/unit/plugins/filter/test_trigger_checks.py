# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.sluice.release.plugins.filter.trigger_checks import FilterModule


def test_only_the_checks_of_triggers_own() -> None:
    own = {"name": "teapot", "type": "http"}
    triggers = [{"name": "a", "check": "ready"}, {"name": "b", "check": own}, {"name": "c", "declared": True}]
    assert FilterModule().filters()["trigger_checks"](triggers) == [own]
