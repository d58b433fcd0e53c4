# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.utils.display import Display

from ansible_collections.sluice.release.plugins.callback.stages import _BottomLine

ERASE = "\r\033[K"


def test_line_makes_way_for_messages_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    bottom = _BottomLine(display)
    try:
        bottom.show("gate")
        bottom.show("gate")
        display.display("a message")
        # From an action plugin that waits: in place of the line, and then the line again.
        display.display("\r\033[K12 of 30 s", newline=False, screen_only=True)
        display.display("\r\033[K", newline=False, screen_only=True)
    finally:
        bottom.remove()
    display.display("after")
    expected = [f"{ERASE}gate", f"{ERASE}a message\n", f"{ERASE}gate", f"{ERASE}12 of 30 s", f"{ERASE}gate", ERASE]
    assert capsys.readouterr().out == "".join(expected) + "after\n"


def test_removing_it_restores_the_display(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    bottom = _BottomLine(display)
    bottom.remove()
    bottom.remove()
    assert "display" not in vars(display)
    assert capsys.readouterr().out == ""
