# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.utils.display import Display

from ansible_collections.sluice.release.plugins.callback.stages import _Bottom
from ansible_collections.sluice.release.plugins.plugin_utils._live import pack

ERASE = "\r\033[K"
ABOVE = "\033[1A\033[K"


def test_line_makes_way_for_messages_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    bottom = _Bottom(display)
    try:
        bottom.show("gate")
        bottom.show("gate")
        display.display("a message")
        # From an action plugin that waits: in place of the line, and then the line again.
        display.display(pack("app1", ["12 of 30 s"]), newline=False, screen_only=True)
        display.display(pack("app1", []), newline=False, screen_only=True)
    finally:
        bottom.remove()
    display.display("after")
    expected = [f"{ERASE}gate", f"{ERASE}a message\n", f"{ERASE}gate", f"{ERASE}12 of 30 s", f"{ERASE}gate", ERASE]
    assert capsys.readouterr().out == "".join(expected) + "after\n"


def test_blocks_of_several_hosts_are_erased_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    bottom = _Bottom(display)
    try:
        for host, lines in (("app1", ["one", "  check"]), ("app2", ["two"]), ("app1", ["one more"]), ("app1", [])):
            display.display(pack(host, lines), newline=False, screen_only=True)
        display.display("a message")
    finally:
        bottom.remove()
    expected = [
        f"{ERASE}one\n  check",
        f"{ERASE}{ABOVE}one\n  check\ntwo",
        f"{ERASE}{ABOVE}{ABOVE}one more\ntwo",
        f"{ERASE}{ABOVE}two",
        f"{ERASE}a message\n",
        f"{ERASE}two",
        ERASE,
    ]
    assert capsys.readouterr().out == "".join(expected)


def test_removing_it_restores_the_display(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    bottom = _Bottom(display)
    bottom.remove()
    bottom.remove()
    assert "display" not in vars(display)
    assert capsys.readouterr().out == ""
