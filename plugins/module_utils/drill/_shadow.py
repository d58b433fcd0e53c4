# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Is a shadow far enough from the application that it stands beside? Pure; no message holds a value of the profile.

A shadow is the application a second time on the same host. Whatever it would share with the one that serves, it could
break: so everything is compared that a process, a database, a cache or a proxy is found by.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import SHADOW

# Drivers that can have one: what they run is found by one name, and they need no proxy.
DRIVERS = ("pm2", "process")

View = Mapping[str, Any]


def check(live: View, shadow: View) -> None:
    """Let a drill begin at a shadow only when it can reach nothing that serves. SluiceError naming all that it could.

    Each view: ``driver application root state_dir port ports base_url process pm2_home processes ecosystem socket proxy
    front_proxy database_url redis_url environment asks``, as the profile has them; ``asks`` is what is asked of it.
    """
    driver = str(live.get("driver"))
    if driver not in DRIVERS:
        raise SluiceError(
            "drill at a shadow",
            f"driver {driver} has none yet, only {' and '.join(DRIVERS)} have",
            "Drill on a copy of the environment, with rollback_drill_place: here",
        )
    found = list(dict.fromkeys(problems(live, shadow)))
    if found:
        raise SluiceError(
            "drill at a shadow",
            f"it could touch what serves: {'; '.join(found)}",
            "Give it its own in rollback_drill_shadow",
            problems=found,
        )


def problems(live: View, shadow: View) -> Iterator[str]:
    """Yield everything by which the shadow could reach the application."""
    yield from _places(live, shadow)
    yield from _processes(live, shadow)
    yield from _ports(live, shadow)
    yield from _proxies(live, shadow)
    yield from _database(live, shadow)
    yield from _environment(live, shadow)


def _places(live: View, shadow: View) -> Iterator[str]:
    for mine in ("root", "state_dir"):
        own = _path(shadow.get(mine))
        for theirs in ("root", "state_dir"):
            other = _path(live.get(theirs))
            if own == other:
                yield f"its sluice_{mine} is the application's sluice_{theirs}"
            elif _within(own, other) or _within(other, own):
                yield f"its sluice_{mine} and the application's sluice_{theirs} lie within each other"


def _processes(live: View, shadow: View) -> Iterator[str]:
    # Driver process calls what it runs by the application's name.
    name, option = ("process", "sluice_pm2_process") if live.get("driver") == "pm2" else ("application",) * 2
    option = option if option.startswith("sluice_") else f"sluice_{option}"
    if shadow.get(name) == live.get(name):
        yield f"its {option} is the application's"
    both = _names(live.get("processes")) & _names(shadow.get("processes"))
    if both:
        yield f"its switch_processes has {', '.join(sorted(both))} as well"
    if shadow.get("ecosystem"):
        yield "its processes are named by the ecosystem file of the release, as the application's are"
    if shadow.get("socket") and shadow.get("socket") == live.get("socket"):
        yield "its switch_socket is the application's"


def _ports(live: View, shadow: View) -> Iterator[str]:
    taken = _numbers(live)
    if _number(shadow.get("port")) in taken:
        yield "its sluice_port is one of the application's"
    if {_number(port) for port in shadow.get("ports") or ()} & taken:
        yield "its switch_ports has one of the application's"
    if _address(shadow.get("base_url")) == _address(live.get("base_url")):
        yield "its sluice_base_url is the application's"
    elif _url_port(shadow.get("base_url")) in taken:
        yield "its sluice_base_url has a port of the application"
    base = str(live.get("base_url") or "").rstrip("/")
    if base and re.search(re.escape(base) + r"(?![0-9A-Za-z.:-])", str(shadow.get("asks"))):
        yield "its checks or its probe ask the application, whose address they name without sluice_base_url"


def _proxies(live: View, shadow: View) -> Iterator[str]:
    if shadow.get("front_proxy"):
        yield "it stands in switch_front_proxy"
    if shadow.get("maintenance_proxy"):
        yield "it stands in maintenance_proxy"
    if set(_leaves(shadow.get("proxy"))) & {one for one in _leaves(live.get("proxy")) if "/" in one}:
        yield "its switch_proxy is the application's"


def _database(live: View, shadow: View) -> Iterator[str]:
    if not live.get("database_url"):
        return
    wanted = str(database_name(live["database_url"])) + SHADOW
    if _database_of(shadow.get("database_url")) == _database_of(live["database_url"]):
        yield "its database is the application's (sluice_database_url, sluice_migration_url)"
    elif database_name(shadow.get("database_url")) != wanted:
        yield f"its database is not called {wanted}, the only one that a drill makes and drops"


def _environment(live: View, shadow: View) -> Iterator[str]:
    database, cache = _database_of(live.get("database_url")), _cache_of(live.get("redis_url"))
    name, ports = database_name(live.get("database_url")), {str(port) for port in _numbers(live)}
    for variable, value in sorted((shadow.get("environment") or {}).items()):
        text = str(value)
        if database and _database_of(text) == database:
            yield f"{variable} of its environment names the application's database"
        elif variable == "PGDATABASE" and text == name:
            yield "PGDATABASE of its environment is the application's database"
        elif cache and _cache_of(text) == cache:
            yield f"{variable} of its environment names the application's Redis database"
        elif text in ports:
            yield f"{variable} of its environment is a port of the application"
        elif _is_within_text(text, live):
            yield f"{variable} of its environment names a directory of the application"


def _is_within_text(text: str, live: View) -> bool:
    if not text.startswith("/"):
        return False
    return any(
        _path(text) == _path(live[key]) or _within(_path(text), _path(live[key])) for key in ("root", "state_dir")
    )


# --- what things are found by ----------------------------------------------------------------------------------------


def _path(value: Any) -> str:
    return os.path.normpath(str(value or "/"))


def _within(inner: str, outer: str) -> bool:
    return inner.startswith(outer.rstrip("/") + "/")


def _names(processes: Any) -> set[str]:
    return {str(one.get("name")) for one in processes or () if isinstance(one, Mapping)}


def _number(value: Any) -> Optional[int]:
    return int(value) if str(value).isdigit() else None


def _numbers(view: View) -> set[int]:
    """Every port that the application answers on."""
    found = {_number(view.get("port")), *map(_number, view.get("ports") or ()), _url_port(view.get("base_url"))}
    return {port for port in found if port is not None}


def _url_port(url: Any) -> Optional[int]:
    parts = urlsplit(str(url or ""))
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _address(url: Any) -> tuple[Optional[str], Optional[int]]:
    return urlsplit(str(url or "")).hostname, _url_port(url)


def _database_of(url: Any) -> Optional[tuple[str, int, str]]:
    """Return server and database of a URL of PostgreSQL; None for anything else."""
    parts = _parts(url, ("postgres", "postgresql"))
    if parts is None:
        return None
    return _host(parts.hostname), parts.port or 5432, unquote(parts.path.lstrip("/"))


def database_name(url: Any) -> Optional[str]:
    """Return the name of the database in a URL of PostgreSQL; None for anything else."""
    found = _database_of(url)
    return found[2] if found else None


def _cache_of(url: Any) -> Optional[tuple[str, int, str]]:
    """Return server and database of a URL of Redis; None for anything else."""
    parts = _parts(url, ("redis", "rediss"))
    if parts is None:
        return None
    return _host(parts.hostname), parts.port or 6379, parts.path.strip("/") or "0"


def _parts(url: Any, schemes: Iterable[str]) -> Any:
    try:
        parts = urlsplit(str(url or ""))
        parts.port  # noqa: B018 - an address without a number for a port is none
    except ValueError:
        return None
    return parts if parts.scheme.partition("+")[0] in schemes else None


def _host(name: Optional[str]) -> str:
    # The ways to say this machine.
    return "localhost" if name in (None, "", "localhost", "127.0.0.1", "::1") else str(name)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _leaves(one)
    elif value is not None:
        yield str(value)
