# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the option proxy to a route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.proxy import _act, _options
from ansible_collections.sluice.release.plugins.module_utils.proxy._flag import FlagRoute
from ansible_collections.sluice.release.plugins.module_utils.proxy._haproxy import HaproxyRoute
from ansible_collections.sluice.release.plugins.module_utils.proxy._nginx import NginxRoute
from ansible_collections.sluice.release.plugins.module_utils.proxy._route import Route, other

HAPROXY = {"type": "haproxy", "socket": "/run/haproxy/admin.sock", "backend": "shop"}
NGINX = {"type": "nginx", "path": "/etc/nginx/shop.conf", "content": "server {port};", "reload": ["true"]}
FLAG = {"type": "nginx", "flag": "/etc/nginx/shop.second"}


def build(proxy: dict[str, Any], ports: tuple[int, ...] = (3001, 3011), instances: int = 1) -> Route:
    return _options.from_options(proxy, ports, instances, SubprocessRunner())


@pytest.mark.parametrize(("proxy", "kind"), [(HAPROXY, HaproxyRoute), (NGINX, NginxRoute), (FLAG, FlagRoute)])
def test_each_type_has_its_route(proxy: dict[str, Any], kind: type) -> None:
    assert isinstance(build(proxy), kind)


@pytest.mark.parametrize(
    ("servers", "instances", "names"),
    [
        ([["blue"], ["green"]], 1, [["blue"], ["green"]]),
        ([["blue"], ["green"]], 2, [["blue1", "blue2"], ["green1", "green2"]]),
        ([["a", "b"], ["c", "d"]], 2, [["a", "b"], ["c", "d"]]),
    ],
)
def test_names_of_servers(servers: list[list[str]], instances: int, names: list[list[str]]) -> None:
    assert _options.server_names(servers, instances) == names


@pytest.mark.parametrize(
    ("proxy", "ports", "instances", "cause"),
    [
        (HAPROXY, (3001,), 1, "ports: it has to name two different ports"),
        (HAPROXY, (3001, 3001), 1, "ports: it has to name two different ports"),
        (HAPROXY, (3001, 3002), 2, "ports: with 2 instances the slots at 3001 and 3002 overlap"),
        (HAPROXY, (3001, 3011), 0, "instances: it is 0"),
        ({**HAPROXY, "servers": [["blue"]]}, (3001, 3011), 1, "names 1 slots instead of two"),
        ({**HAPROXY, "servers": [["a", "b"], ["c", "d"]]}, (3001, 3011), 3, "with 3 instances a slot needs"),
        ({**HAPROXY, "servers": [["a"], ["a"]]}, (3001, 3011), 1, "it names a server twice"),
        # The socket takes several commands in a line.
        ({**HAPROXY, "servers": [["a; shutdown"], ["b"]]}, (3001, 3011), 1, "'a; shutdown' is no name of HAProxy's"),
        ({**HAPROXY, "backend": "a b"}, (3001, 3011), 1, "'a b' is no name of HAProxy's"),
        ({**NGINX, "content": "server;"}, (3001, 3011), 1, "its content has neither {port} nor {servers}"),
    ],
)
def test_what_cannot_work_is_refused(proxy: dict[str, Any], ports: tuple[int, ...], instances: int, cause: str) -> None:
    with pytest.raises(SluiceError) as raised:
        build(proxy, ports, instances)
    assert cause in str(raised.value)


@pytest.mark.parametrize(("to", "port"), [("3001", 3001), ("3011", 3011), ("blue", 3001), ("green", 3011)])
def test_a_slot_has_a_port_and_names(to: str, port: int) -> None:
    assert _act.slot_of(to, (3001, 3011), [["blue"], ["green"]]) == port


def test_a_slot_that_is_not_there_is_named() -> None:
    with pytest.raises(SluiceError, match="Cannot move traffic to red: there are 3001, 3011, blue, green"):
        _act.slot_of("red", (3001, 3011), [["blue"], ["green"]])
    with pytest.raises(SluiceError, match="the slots have the ports 3001 and 3011"):
        other((3001, 3011), 3002)


def test_a_flag_is_there_while_the_second_slot_serves(tmp_path: Path) -> None:
    directory = Path(tmp_path)
    for parent in (directory, *directory.parents):
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o001)
    flag = directory / "second"
    route = build({"type": "nginx", "flag": str(flag), "settle": 0.0})
    assert (route.live(), route.points_at(3001)) == (3001, True)
    before = route.snapshot()
    route.point(3011)
    route.point(3011)
    assert (flag.read_text(), route.live(), route.points_at(3011)) == ("3011\n", 3011, True)
    assert [server["state"] for server in route.describe()] == ["drain", "ready"]
    route.restore(before)
    route.point(3001)
    assert not flag.exists()
    with pytest.raises(SluiceError, match="a file is there or not"):
        route.weigh(3011, 10)


def test_a_flag_that_nginx_cannot_see_is_refused(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    with pytest.raises(SluiceError, match=f"nginx's workers may not look into {hidden}"):
        build({"type": "nginx", "flag": str(hidden / "second")}).point(3011)
    with pytest.raises(SluiceError, match="No such file or directory"):
        build({"type": "nginx", "flag": str(tmp_path / "none" / "second")}).point(3011)
