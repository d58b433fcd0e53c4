# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of PM2's messages."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.switch._messages import pack, take


def test_the_form_is_the_one_of_amp() -> None:
    # What amp-message 0.1.2 of npm makes of ["ab", {"x": [1]}], but for the space that JSON may have.
    assert pack("ab", {"x": [1]}) == b"\x12\x00\x00\x00\x04s:ab\x00\x00\x00\x0cj:" + b'{"x": [1]}'


def test_messages_are_taken_whole_wherever_the_stream_is_cut() -> None:
    stream = pack("a", {"n": 1}) + pack("process:event", {"x": [1]}) + pack("b", None)
    whole = take(bytearray(stream))
    assert whole == [["a", {"n": 1}], ["process:event", {"x": [1]}], ["b", None]]
    for cut in range(len(stream)):
        buffer = bytearray(stream[:cut])
        first = take(buffer)
        buffer += stream[cut:]
        assert first + take(buffer) == whole
        assert not buffer


def test_another_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="no message"):
        take(bytearray(b"HTTP/1.1 200 OK\r\n"))
