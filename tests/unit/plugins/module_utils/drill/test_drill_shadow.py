# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shadow must not share with the application, as a table."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.drill import _shadow

DATABASE = "postgresql://shop:secret@127.0.0.1:5432/shop"
LIVE: dict[str, Any] = {
    "driver": "pm2",
    "application": "shop",
    "root": "/srv/shop",
    "state_dir": "/var/lib/sluice/shop",
    "port": 3001,
    "ports": [],
    "base_url": "http://127.0.0.1:3001",
    "process": "shop-backend",
    "processes": [],
    "ecosystem": "",
    "socket": "",
    "proxy": {},
    "front_proxy": {},
    "maintenance_proxy": {},
    "database_url": DATABASE,
    "redis_url": "redis://:secret@127.0.0.1:6379/0",
    "environment": {"PORT": "3001", "DATABASE_URL": DATABASE, "NODE_ENV": "production"},
    "asks": '[{"url": "http://127.0.0.1:3001/ready"}]',
}
SHADOW: dict[str, Any] = {
    **LIVE,
    "application": "shop-shadow",
    "root": "/srv/shop-shadow",
    "state_dir": "/var/lib/sluice/shop-shadow",
    "port": 3101,
    "base_url": "http://127.0.0.1:3101",
    "process": "shop-backend-shadow",
    "database_url": f"{DATABASE}__shadow",
    "redis_url": "redis://:secret@127.0.0.1:6379/1",
    "environment": {"PORT": "3101", "DATABASE_URL": f"{DATABASE}__shadow", "NODE_ENV": "production"},
    "asks": '[{"url": "http://127.0.0.1:3101/ready"}]',
}


def env(**variables: Any) -> dict[str, Any]:
    return {"environment": {**SHADOW["environment"], **variables}}


def test_one_that_shares_nothing() -> None:
    _shadow.check(LIVE, SHADOW)
    _shadow.check({**LIVE, "driver": "process"}, {**SHADOW, "driver": "process"})
    # An application without a database has none to lose.
    _shadow.check({**LIVE, "database_url": "", "environment": {}}, {**SHADOW, "database_url": ""})


@pytest.mark.parametrize(
    ("live", "shadow", "problem"),
    [
        ({}, {"root": "/srv/shop"}, "its sluice_root is the application's sluice_root"),
        ({}, {"root": "/srv/shop/./"}, "its sluice_root is the application's sluice_root"),
        ({}, {"root": "/srv/shop/shadow"}, "its sluice_root and the application's sluice_root lie within each other"),
        ({}, {"state_dir": "/srv"}, "its sluice_state_dir and the application's sluice_root lie within each other"),
        ({}, {"state_dir": "/var/lib/sluice/shop"}, "its sluice_state_dir is the application's sluice_state_dir"),
        ({}, {"process": "shop-backend"}, "its sluice_pm2_process is the application's"),
        ({"driver": "process"}, {"application": "shop"}, "its sluice_application is the application's"),
        ({"processes": [{"name": "web"}, {"name": "jobs"}]}, {"processes": [{"name": "jobs"}]},
         "its switch_processes has jobs as well"),
        ({"ecosystem": "e.js"}, {"ecosystem": "e.js"}, "its processes are named by the ecosystem file of the release"),
        ({"socket": "/run/s"}, {"socket": "/run/s"}, "its switch_socket is the application's"),
        ({}, {"port": "3001"}, "its sluice_port is one of the application's"),
        ({"ports": [3002, 3003]}, {"port": 3003}, "its sluice_port is one of the application's"),
        ({"ports": [3002, 3003]}, {"ports": [3103, 3002]}, "its switch_ports has one of the application's"),
        ({}, {"base_url": "http://127.0.0.1:3001"}, "its sluice_base_url is the application's"),
        ({}, {"base_url": "http://shadow.example.com:3001"}, "its sluice_base_url has a port of the application"),
        ({}, {"asks": LIVE["asks"]}, "its checks or its probe ask the application"),
        ({}, {"front_proxy": {"hosts": ["lb"]}}, "it stands in switch_front_proxy"),
        ({}, {"maintenance_proxy": {"path": "/x"}}, "it stands in maintenance_proxy"),
        ({"proxy": {"type": "nginx", "path": "/etc/nginx/up"}}, {"proxy": {"type": "nginx", "path": "/etc/nginx/up"}},
         "its switch_proxy is the application's"),
        ({}, {"database_url": DATABASE}, "its database is the application's"),
        # Another way to say the same.
        ({}, {"database_url": "postgres://admin@localhost/shop"}, "its database is the application's"),
        ({}, {"database_url": f"{DATABASE}2"}, "its database is not called shop__shadow"),
        ({}, {"database_url": ""}, "its database is not called shop__shadow"),
        ({}, env(DATABASE_URL=DATABASE), "DATABASE_URL of its environment names the application's database"),
        ({}, env(PGDATABASE="shop"), "PGDATABASE of its environment is the application's database"),
        ({}, env(CACHE="redis://127.0.0.1"), "CACHE of its environment names the application's Redis database"),
        ({}, env(PORT=3001), "PORT of its environment is a port of the application"),
        ({}, env(UPLOADS="/srv/shop/uploads"), "UPLOADS of its environment names a directory of the application"),
    ],
)  # fmt: skip
def test_what_it_must_not_share(live: dict[str, Any], shadow: dict[str, Any], problem: str) -> None:
    with pytest.raises(SluiceError) as told:
        _shadow.check({**LIVE, **live}, {**SHADOW, "driver": live.get("driver", "pm2"), **shadow})
    assert [said for said in told.value.fields["problems"] if said.startswith(problem)], told.value.fields
    assert str(told.value).startswith("Cannot drill at a shadow: it could touch what serves: ")
    assert not re.search("secret|5432|127", str(told.value))


def test_an_address_that_only_begins_alike_is_another() -> None:
    assert not list(_shadow.problems(LIVE, {**SHADOW, "asks": '["http://127.0.0.1:30010/ready"]'}))


@pytest.mark.parametrize("driver", ["docker", "compose", "kubernetes", "static"])
def test_a_driver_that_has_none_is_named_with_what_to_do(driver: str) -> None:
    with pytest.raises(SluiceError, match=rf"driver {driver} has none yet, .* rollback_drill_place: here"):
        _shadow.check({**LIVE, "driver": driver}, SHADOW)


@pytest.mark.parametrize(
    ("url", "name"),
    [(DATABASE, "shop"), ("postgresql+psycopg://h/a%20b", "a b"), ("mysql://h/shop", None), (None, None)],
)
def test_the_name_of_a_database(url: str | None, name: str | None) -> None:
    assert _shadow.database_name(url) == name
