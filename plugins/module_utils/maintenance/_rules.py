# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a proxy has to know once, so that a mode is set and cleared afterwards without a reload. Pure: text out.

Both proxies compare the time themselves at each request: a mode ends by itself, whoever has died since.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

HEADER = "X-Maintenance"
# nginx cannot compare numbers, but it can look whether a file is there. The mode lasts while there is one that is named
# as a block of time is that has the present second in it: the first digits of the seconds since 1970.
BLOCKS = (10_000, 100, 1)

_PATH = re.compile(r"/[A-Za-z0-9._~%/-]*")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_LONGEST = 20


@dataclass(frozen=True)
class Rules:
    """What passes, who passes, and how it is said. ``retry_after`` in seconds."""

    name: str
    directory: str
    """nginx: where the files of the mode lie. HAProxy: the map's file."""
    probes: Sequence[str]
    allow: Sequence[str]
    api_paths: Sequence[str]
    endpoint: str
    retry_after: int

    @property
    def word(self) -> str:
        """The name as it can be a part of a variable's. For nginx none may be longer than some forty letters."""
        plain = re.sub(r"\W", "_", self.name)
        if len(plain) > _LONGEST:
            plain = f"{plain[: _LONGEST - 7]}_{hashlib.sha256(self.name.encode()).hexdigest()[:6]}"
        return f"sluice_{plain}"


def from_options(params: Mapping[str, Any], directory: str) -> Rules:
    """Return the rules that the options ask for. SluiceError for what a proxy would misunderstand."""
    if not _NAME.fullmatch(params["name"]):
        raise _wrong("name", f"{params['name']!r} has more in it than letters, digits, dots and dashes")
    for option in ("probes", "api_paths"):
        for path in params[option]:
            _check_path(option, path)
    _check_path("endpoint", params["endpoint"])
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]+", directory):
        raise _wrong("proxy", f"{directory!r} is no plain path")
    if params["retry_after"] < 1:
        raise _wrong("retry_after", "it has to be a second at least")
    allow = [_network(address) for address in params["allow"]]
    return Rules(
        params["name"], directory, params["probes"], allow, params["api_paths"], params["endpoint"],
        params["retry_after"],
    )  # fmt: skip


def _check_path(option: str, path: str) -> None:
    if not _PATH.fullmatch(path):
        raise _wrong(option, f"{path!r} is no path that begins with a slash")


def _network(address: str) -> str:
    try:
        return str(ipaddress.ip_network(address, strict=False))
    except ValueError as error:
        raise _wrong("allow", str(error)) from error


def _wrong(option: str, cause: str) -> SluiceError:
    return SluiceError(f"use the option {option}", cause, "Correct the profile")


def moments(now: int, until: int) -> list[str]:
    """Return the names of the files with which nginx tells the time: all blocks from now on that end by ``until``.

    Large blocks come first and begin before ``now``, which is as good; the rest is told in smaller ones, exactly.
    """
    names, begin = [], now - now % BLOCKS[0]
    for size in BLOCKS:
        end = until - until % size
        names += [str(start // size) for start in range(begin, end, size)]
        begin = max(begin, end)
    return names


# --- nginx -----------------------------------------------------------------------------------------------------------


def nginx_http(rules: Rules) -> str:
    """Return what belongs into section ``http``."""
    word = rules.word
    lines = ["# Written by Sluice. It belongs into section http; the file server.conf beside it into section server."]
    for size in BLOCKS:
        digits = r"\d" * (len(str(size)) - 1)
        # The name in the expression may not be long, and is used up at once, so that all have the same.
        lines.append(
            f"map $msec ${word}_by{size} {{ volatile; default none;"
            f' "~^(?<sluice_begins>\\d+){digits}\\." $sluice_begins; }}'
        )
    allowed = "".join(f" {network} 1;" for network in rules.allow)
    lines.append(f"geo ${word}_allowed {{ default 0;{allowed} }}")
    # A browser says that it takes HTML; programs take anything.
    lines.append(f'map "$request_uri $http_accept" ${word}_page {{ default {_inside(rules)}answer.json;')
    lines += [f'  "~^{_literal(path)}" {_inside(rules)}answer.json;' for path in rules.api_paths]
    lines.append(f'  "~^\\S+ .*text/html" {_inside(rules)}page.html; }}')
    lines.append(f'map ${word} ${word}_header {{ volatile; default ""; ~^on-block block; ~^on notice; }}')
    return "\n".join(lines) + "\n"


def nginx_server(rules: Rules) -> str:
    """Return what belongs into section ``server``."""
    word, live, shown = f"${rules.word}", f"{rules.directory}/live", f"{rules.directory}/shown"
    inside = _inside(rules)
    passing = "|".join([*(f"{_literal(path)}$" for path in (rules.endpoint, *rules.probes)), _literal(inside)])
    lines = ["# Written by Sluice. It belongs into section server; the file http.conf beside it into section http."]
    lines.append(f"set {word} off;")
    lines += [f"if (-f {live}/{word}_by{size}) {{ set {word} on; }}" for size in BLOCKS]
    lines += [
        f'if (-f {live}/block) {{ set {word} "{word}-block"; }}',
        f'if ({word}_allowed) {{ set {word} "{word}-allowed"; }}',
        f'if ($uri ~ "^(?:{passing})") {{ set {word} "{word}-passes"; }}',
        f"if ({word} = on-block) {{ rewrite ^ {inside}blocked last; }}",
        f"add_header {HEADER} {word}_header always;",
        # The code is nobody's, so that no page of the application's own is taken for it.
        f"location = {inside}blocked {{ internal; error_page 598 =503 {word}_page; return 598; }}",
        f"location {inside} {{",
        f"  internal; alias {shown}/; charset utf-8; types {{ text/html html; application/json json; }}",
        f"  add_header Retry-After {rules.retry_after} always; add_header Cache-Control no-store always;",
        f"  add_header Vary Accept always; add_header {HEADER} block always;",
        "}",
        f"location = {inside}state.json {{",
        f"  internal; alias {shown}/state.json; default_type application/json; types {{ }}",
        "  add_header Cache-Control no-store always; add_header Access-Control-Allow-Origin * always;",
        "}",
        f"location = {rules.endpoint} {{",
        f"  if ({word} ~ ^on) {{ rewrite ^ {inside}state.json last; }}",
        "  default_type application/json;",
        "  add_header Cache-Control no-store always; add_header Access-Control-Allow-Origin * always;",
        '  return 200 \'{"mode": "off"}\';',
        "}",
    ]
    return "\n".join(lines) + "\n"


def _inside(rules: Rules) -> str:
    """Return where nginx finds the answers; nobody can ask for it from outside."""
    return f"/.sluice/{rules.name}/"


def _literal(path: str) -> str:
    """Return the path as a regular expression for itself, with nothing in it that nginx's own quoting knows."""
    return path.replace(".", "[.]")


# --- HAProxy ---------------------------------------------------------------------------------------------------------


def haproxy_frontend(rules: Rules) -> str:
    """Return what belongs into the frontend. HAProxy has no file of its own for it, so a person puts it there."""
    word, path = rules.word, rules.directory
    value = f"map_str({path},)"
    lines = [
        f"  # Sluice: maintenance mode of {rules.name}. It lasts while the map says so, and until the time in it.",
        f"  http-request set-var(txn.{word}_now) date()",
        f"  http-request set-var(txn.{word}_left) str(until),map_str({path},0),sub(txn.{word}_now)",
        f"  http-request set-var(txn.{word}_mode) str(mode),map_str({path},off)",
        f"  acl {word}_on var(txn.{word}_left) -m int gt 0",
        f"  acl {word}_block var(txn.{word}_mode) -m str block",
        f"  acl {word}_asked path {rules.endpoint}",
        f"  acl {word}_passes path {' '.join([rules.endpoint, *rules.probes])}",
        *([f"  acl {word}_passes src {' '.join(rules.allow)}"] if rules.allow else []),
        *([f"  acl {word}_api path_beg {' '.join(rules.api_paths)}"] if rules.api_paths else []),
        f"  acl {word}_html req.hdr(accept) -m sub text/html",
    ]
    told = "content-type application/json hdr Cache-Control no-store hdr Access-Control-Allow-Origin *"
    lines += [
        f'  http-request return status 200 {told} lf-string "%[str(state),{value}]" if {word}_asked {word}_on',
        f'  http-request return status 200 {told} string \'{{"mode": "off"}}\' if {word}_asked',
    ]
    blocked = f"hdr Retry-After {rules.retry_after} hdr Cache-Control no-store hdr Vary Accept"
    when = f"if {word}_on {word}_block !{word}_passes"
    people = f"{when} {word}_html" + (f" !{word}_api" if rules.api_paths else "")
    page = f'content-type "text/html; charset=utf-8" {blocked} lf-string "%[str(page),{value}]"'
    answer = f'content-type application/json {blocked} lf-string "%[str(answer),{value}]"'
    lines += [
        f"  http-request return status 503 {page} {people}",
        f"  http-request return status 503 {answer} {when}",
        f"  http-after-response set-header {HEADER} %[var(txn.{word}_mode)] if {word}_on",
    ]
    return "\n".join(lines) + "\n"
