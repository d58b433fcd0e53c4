# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a mode is set anew, what it says, and how nginx tells the time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.maintenance import _haproxy, _mode, _rules
from ansible_collections.sluice.release.plugins.module_utils.maintenance._mode import Mode

NOW = 1_763_855_123
HALF_AN_HOUR = Mode("block", NOW, NOW + 1800, "soon")
OPTIONS: dict[str, Any] = {
    "name": "shop",
    "probes": ["/health"],
    "allow": ["10.0.0.1/8", "::1"],
    "api_paths": ["/api/"],
    "endpoint": "/maintenance.json",
    "retry_after": 60,
}


@pytest.mark.parametrize(
    ("mode", "message", "minutes", "later", "expected"),
    [
        pytest.param("block", "soon", 30, 0, HALF_AN_HOUR, id="the same changes nothing"),
        pytest.param("block", "soon", 30, 900, HALF_AN_HOUR, id="nor when half of it is over"),
        pytest.param("block", "soon", 30, 901, Mode("block", NOW, NOW + 901 + 1800, "soon"), id="then it is renewed"),
        pytest.param("block", "soon", 90, 0, Mode("block", NOW, NOW + 5400, "soon"), id="a longer one is another"),
        pytest.param("block", "soon", 5, 0, HALF_AN_HOUR, id="a shorter one is not"),
        pytest.param("notice", "soon", 30, 9, Mode("notice", NOW + 9, NOW + 1809, "soon"), id="another mode"),
        pytest.param("block", "now", 30, 9, Mode("block", NOW + 9, NOW + 1809, "now"), id="another message"),
        pytest.param("block", "soon", 30, 1800, Mode("block", NOW + 1800, NOW + 3600, "soon"), id="one that is over"),
    ],
)
def test_a_mode_is_set_anew_when_the_one_that_is_set_will_not_do(
    mode: str, message: str, minutes: float, later: int, expected: Mode
) -> None:
    assert _mode.wanted(mode, minutes, message, HALF_AN_HOUR, NOW + later) == expected


@pytest.mark.parametrize("minutes", [0, -1, 44_641])
def test_a_time_that_is_none_is_refused(minutes: float) -> None:
    with pytest.raises(SluiceError, match=f"Cannot set the maintenance mode: {minutes} minutes"):
        _mode.wanted("block", minutes, "", None, NOW)


@pytest.mark.parametrize(
    ("later", "mode", "left"), [(0, "block", 1800), (1799, "block", 1), (1800, "off", 0), (9999, "off", 0)]
)
def test_a_mode_that_is_over_is_off(later: int, mode: str, left: int) -> None:
    shown = _mode.describe(HALF_AN_HOUR, NOW + later)
    assert (shown["mode"], shown["seconds_left"], shown["until"]) == (mode, left, "2025-11-23T00:15:23.000Z")


def test_what_is_told_can_be_read_again() -> None:
    assert _mode.read(_mode.dumps(HALF_AN_HOUR.public())) == HALF_AN_HOUR
    assert [_mode.read(text) for text in (None, "", "{}", "[]", '{"mode": 1}')] == [None] * 5


@pytest.mark.parametrize(
    ("told", "mode", "agrees"),
    [
        ({"mode": "off"}, None, True),
        (HALF_AN_HOUR.public(), HALF_AN_HOUR, True),
        (HALF_AN_HOUR.public(), None, False),
        ({"mode": "off"}, HALF_AN_HOUR, False),
        (Mode("notice", NOW, NOW + 1800, "").public(), HALF_AN_HOUR, False),
        (["off"], None, False),
    ],
)
def test_the_answer_of_a_proxy_proves_a_mode(told: object, mode: Mode | None, agrees: bool) -> None:
    assert _mode.agrees(told, mode) is agrees


def test_a_page_is_one_line_without_anything_that_a_message_could_bring() -> None:
    text = _mode.page(Mode("block", NOW, NOW + 60, "<script>\nalert(1)</script>"))
    assert "\n" not in text
    assert "&lt;script&gt; alert(1)" in text
    assert (
        _mode.page(HALF_AN_HOUR, "<p>{message}</p>\n <b>{until}</b>") == "<p>soon</p> <b>2025-11-23T00:15:23.000Z</b>"
    )
    assert json.loads(_mode.answer(HALF_AN_HOUR, 60))["retry_after"] == 60


# --- nginx tells the time by files


@pytest.mark.parametrize("seconds", [1, 60, 1800, 10_000, 86_400, 31 * 86_400])
@pytest.mark.parametrize("now", [NOW, NOW - NOW % 10_000, NOW - NOW % 10_000 - 1])
def test_the_files_of_the_time_are_there_until_the_end_and_no_second_longer(now: int, seconds: int) -> None:
    names = set(_rules.moments(now, now + seconds))

    def lasts(second: int) -> bool:
        return any(str(second // size) in names for size in _rules.BLOCKS)

    end = now + seconds
    step = max(1, seconds // 500)
    assert all(lasts(second) for second in [*range(now, end, step), end - 1])
    assert not any(lasts(end + more) for more in (*range(200), 9_999, 10_000, 99_999))
    assert len(names) < 500


# --- the rules


@pytest.mark.parametrize(
    ("option", "value", "cause"),
    [
        ("name", "a b", "'a b' has more in it than letters"),
        ("probes", ["health"], "'health' is no path that begins with a slash"),
        ("probes", ['/"; return 200'], "is no path"),
        ("api_paths", ["/a b"], "is no path"),
        ("endpoint", "", "is no path"),
        ("allow", ["10.0.0.300"], "10.0.0.300"),
        ("retry_after", 0, "a second at least"),
    ],
)
def test_what_a_proxy_would_misunderstand_is_refused(option: str, value: object, cause: str) -> None:
    with pytest.raises(SluiceError, match=cause) as caught:
        _rules.from_options({**OPTIONS, option: value}, "/etc/nginx/shop")
    assert f"option {option}:" in str(caught.value)


@pytest.mark.parametrize("directory", ["/etc/a b", "relative", '/etc/";'])
def test_a_place_that_a_proxy_would_misunderstand_is_refused(directory: str) -> None:
    with pytest.raises(SluiceError, match="is no plain path"):
        _rules.from_options(OPTIONS, directory)


def test_a_name_is_made_fit_for_a_variable_and_a_network_for_a_list() -> None:
    rules = _rules.from_options({**OPTIONS, "name": "my-shop.eu"}, "/etc/nginx/shop")
    assert (rules.word, list(rules.allow)) == ("sluice_my_shop_eu", ["10.0.0.0/8", "::1/128"])
    long = [_rules.from_options({**OPTIONS, "name": name * 9}, "/etc/nginx").word for name in ("shop-a.", "shop-b.")]
    assert long == ["sluice_shop_a_shop_a_3810ed", "sluice_shop_b_shop_b_069854"]


# --- HAProxy's map


def test_a_map_is_read_as_it_is_written() -> None:
    values = _haproxy.entries(HALF_AN_HOUR, 60, None)
    shown = "".join(f"0x55d0 {line}\n" for line in _haproxy.lines(values).splitlines())
    assert _haproxy.parse(shown) == values
    assert _haproxy.entries(None, 60, None) == {}
    assert _haproxy.parse("") == {}


class Socket:
    """HAProxy's socket with one map; it refuses what begins with ``refuses``."""

    def __init__(self, refuses: str = "nothing") -> None:
        self.refuses = refuses
        self.asked: list[str] = []

    def __call__(self, command: str) -> str:
        self.asked.append(command)
        if command.startswith(self.refuses):
            return "Permission denied"
        return "New version created: 7" if command.startswith("prepare") else ""


@pytest.mark.parametrize("refuses", ["prepare", "add", "commit"])
def test_a_map_that_cannot_be_changed_is_as_it_was(tmp_path: Any, refuses: str) -> None:
    path = tmp_path / "shop.map"
    path.write_text("mode notice\n")
    proxy = _haproxy.Haproxy(_rules.from_options(OPTIONS, str(path)), Socket(refuses))
    with pytest.raises(SluiceError, match="refused to change the map"):
        proxy.put(HALF_AN_HOUR, None, NOW)
    assert path.read_text() == "mode notice\n"


def test_a_map_is_replaced_in_one_step(tmp_path: Any) -> None:
    path, socket = tmp_path / "shop.map", Socket()
    _haproxy.Haproxy(_rules.from_options(OPTIONS, str(path)), socket).put(HALF_AN_HOUR, None, NOW)
    assert [command.split(" ")[0] for command in socket.asked] == ["prepare", "add", "commit"]
    assert socket.asked[1].startswith(f"add map @7 {path} <<\nmode block\nuntil {NOW + 1800}\n")
    assert path.read_text() == _haproxy.lines(_haproxy.entries(HALF_AN_HOUR, 60, None))


def test_a_page_that_haproxy_has_no_room_for_is_refused(tmp_path: Any) -> None:
    proxy = _haproxy.Haproxy(_rules.from_options(OPTIONS, str(tmp_path / "shop.map")), Socket())
    with pytest.raises(SluiceError, match="its page is too long for HAProxy"):
        proxy.put(HALF_AN_HOUR, "x" * 20_000, NOW)
