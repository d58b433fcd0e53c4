# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Named sets of security checks, as data: each becomes the steps of a flow, so that it runs and reports like one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Raw = Mapping[str, Any]

HEADERS: dict[str, str] = {
    "X-Content-Type-Options": r"(?i)^nosniff$",
    "X-Frame-Options": r"(?i)^(deny|sameorigin)$",
    "Referrer-Policy": r"(?i)^(no-referrer|same-origin|strict-origin|strict-origin-when-cross-origin)$",
}
"""What Helmet and its like send. `headers` expects them unless a profile says otherwise."""

TELLTALES: tuple[str, ...] = ("X-Powered-By", "X-AspNet-Version", "X-Runtime")
"""Headers that tell an attacker what to try."""

YEAR_HALF = 15552000
"""Seconds of HSTS that are the least: 180 days, as Helmet has long sent and the preload lists begin to accept."""

INTERNALS: tuple[str, ...] = (
    r"(?#a stack trace of Node.js)\n?\s*at [^\n]{1,200}[\\/(][\w.@\\/-]+\.[cm]?[jt]s:\d+:\d+",
    r"(?#a Python traceback)Traceback \(most recent call last\)",
    r"(?#a stack trace of Java)\bat [\w.$]+\([\w$]+\.java:\d+\)",
    r"(?#a stack trace of PHP)(?:Fatal error|Warning|Notice)</b>?:.{1,200} on line ",
    r"(?#a path of the server)(?:/(?:home|srv|opt|root|usr|var)/[\w.-]+/|[A-Z]:\\\\?[\w.-]+\\)[\w./\\-]+",
    r"(?#a path of a package)node_modules/",
    (
        r"(?#an error of the database)SQLSTATE|syntax error at or near|ORA-\d{5}|SQLITE_ERROR|PG::\w+Error"
        r"|You have an error in your SQL"
    ),
    r"(?#a statement of SQL)\b(?:SELECT\b.{1,200}\bFROM|INSERT INTO|UPDATE\b.{1,80}\bSET|DELETE FROM)\b",
    r"(?#the address of a server)\b(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN)\b",
)
"""What an error message shows of the inside."""

CREDENTIALS: tuple[str, ...] = (
    r"(?#a private key)-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----",
    r"(?#an access key of AWS)\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"(?#a key of Stripe)\b[sr]k_live_[0-9a-zA-Z]{16,}",
    r"(?#a token of GitHub)\b(?:gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{22,})",
    r"(?#a token of GitLab)\bglpat-[0-9A-Za-z_-]{20,}",
    r"(?#a token of Slack)\bxox[abeoprs]-[0-9A-Za-z-]{10,}",
    r"(?#a key of SendGrid)\bSG\.[\w-]{22}\.[\w-]{43}",
    (
        r"(?#a URL with a password)\b(?:postgres(?:ql)?|mysql|mongodb(?:\+srv)?|rediss?|amqps?|https?)://"
        r"[^\s:/?#@\"']*:[^\s/@\"']+@"
    ),
    (
        r"(?#an assigned secret)(?i:\b(?:jwt_secret|secret_key|client_secret|aws_secret_access_key|db_password"
        r"|database_url|redis_url))[\"']?\s*[:=]\s*[\"'][^\"'\s]{6,}"
    ),
)
"""What must not lie in anything that a browser is given."""

SQL_PROBES: tuple[str, ...] = (
    "'",
    "' OR '1'='1' --",
    "1 OR 1=1",
    "' UNION SELECT NULL --",
    "'; SELECT pg_sleep(5) --",
)
"""None of them writes: an application that does obey them must not be harmed by the question."""

SQL_SLEEP_MS = 4000.0
"""An answer that took longer has slept as the fifth probe tells it to."""

XSS_PROBES: tuple[str, ...] = ("<script>sluice({unique})</script>", '"><img src=x onerror=sluice({unique})>')

NO_SERVER_ERROR = ["2xx", "3xx", "4xx"]


@dataclass(frozen=True)
class Set:
    """One named set: how it becomes steps, and which parameters it knows."""

    steps: Callable[[Raw], Iterator[dict[str, Any]]]
    parameters: tuple[str, ...]
    required: tuple[str, ...] = ()
    alone: bool = False


def _paths(given: Raw, *otherwise: str) -> Sequence[str]:
    return given.get("paths") or otherwise


def _of(request: Raw) -> dict[str, Any]:
    """A request of the profile as the beginning of a step."""
    return {key: value for key, value in request.items() if value is not None}


def _word(request: Raw) -> str:
    return f"{request.get('method') or 'GET'} {request['path']}"


def _login(given: Raw) -> Iterator[dict[str, Any]]:
    if given.get("login"):
        yield {**_of(given["login"]), "name": "log in", "expect": {"status": ["2xx", "3xx"]}}


def _headers(given: Raw) -> Iterator[dict[str, Any]]:
    require = HEADERS if given.get("require") is None else given["require"]
    forbid = TELLTALES if given.get("forbid") is None else given["forbid"]
    for path in _paths(given, "/"):
        wanted = [{"name": name, **({"matches": str(value)} if value else {})} for name, value in require.items()]
        wanted += [{"name": name, "absent": True} for name in forbid]
        yield {
            "name": f"headers of {path}",
            "path": path,
            "expect": {"status": ["2xx", "3xx", "4xx"], "headers": wanted},
        }


def _hsts(given: Raw) -> Iterator[dict[str, Any]]:
    age = YEAR_HALF if given.get("min_age") is None else given["min_age"]
    name = "Strict-Transport-Security"
    for path in _paths(given, "/"):
        wanted: list[dict[str, Any]] = [{"name": name, "matches": r"(?#max-age)(?i:max-age)=\"?(\d+)", "min": age}]
        if given.get("include_subdomains"):
            wanted.append({"name": name, "matches": r"(?i:includeSubDomains)"})
        yield {"name": f"HSTS of {path}", "path": path, "expect": {"status": NO_SERVER_ERROR, "headers": wanted}}


def _directive(name: str, source: str = "") -> str:
    """A regular expression for a directive of a policy, with one of its sources where one is named."""
    begin = rf"(?:^|[;,])\s*(?i:{re.escape(name)})"
    if not source:
        return rf"(?#directive {name}){begin}(?=[\s;,]|$)"
    return rf"(?#{name} {source.replace(')', '')}){begin}\s(?:[^;,]*\s)?{re.escape(source)}(?=[\s;,]|$)"


def _csp(given: Raw) -> Iterator[dict[str, Any]]:
    name = "Content-Security-Policy-Report-Only" if given.get("report_only") else "Content-Security-Policy"
    default = {"default-src": [], "script-src": []} if given.get("directives") is None else given["directives"]
    unsafe = {word: ["'unsafe-inline'", "'unsafe-eval'", "*"] for word in ("default-src", "script-src")}
    forbidden = unsafe if given.get("forbid_sources") is None else given["forbid_sources"]
    wanted: list[dict[str, Any]] = [{"name": name}]
    for directive, sources in default.items():
        wanted += [{"name": name, "matches": _directive(directive, source)} for source in sources or [""]]
    for directive, sources in forbidden.items():
        wanted += [{"name": name, "not_matches": _directive(directive, source)} for source in sources]
    for path in _paths(given, "/"):
        yield {"name": f"CSP of {path}", "path": path, "expect": {"status": NO_SERVER_ERROR, "headers": wanted}}


def _cookies(given: Raw) -> Iterator[dict[str, Any]]:
    flags = {
        "secure": given.get("secure", True) is not False,
        "http_only": given.get("http_only", True) is not False,
        "same_site": ["lax", "strict"] if given.get("same_site") is None else given["same_site"],
    }
    wanted = [{"name": name, **flags} for name in given["cookies"]]
    request = given["request"]
    yield {**_of(request), "name": f"cookies of {_word(request)}", "expect": {"cookies": wanted}}
    if given.get("logout"):
        # A probe should not leave a session behind.
        yield {**_of(given["logout"]), "name": "log out", "always": True, "expect": {"status": NO_SERVER_ERROR}}


def _cors(given: Raw) -> Iterator[dict[str, Any]]:
    foreign, method = given.get("origin") or "http://malicious.com", given.get("method") or "POST"
    allow = "Access-Control-Allow-Origin"
    not_foreign = [
        {"name": allow, "optional": True, "not_matches": rf"(?#{foreign})^(?:\*|{re.escape(foreign)}|null)$"}
    ]
    asks = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"}
    for path in _paths(given, "/"):
        for what, verb, extra in (("request", "GET", {}), ("preflight", "OPTIONS", asks)):
            yield {
                "name": f"{what} of a foreign origin for {path}",
                "method": verb,
                "path": path,
                "headers": {"Origin": foreign, **extra},
                "expect": {"status": NO_SERVER_ERROR, "headers": not_foreign},
            }
        for origin in given.get("allow_origins") or ():
            same = [{"name": allow, "equals": origin}]
            lets = [{"name": "Access-Control-Allow-Methods", "matches": rf"(?#{method})(?i:\b{method}\b|\*)"}]
            # Methods that any form may send need no permission, and servers may leave them out.
            lets = [] if method in ("GET", "HEAD", "POST") else lets
            for what, verb, extra, more in (("request", "GET", {}, []), ("preflight", "OPTIONS", asks, lets)):
                yield {
                    "name": f"{what} of {origin} for {path}",
                    "method": verb,
                    "path": path,
                    "headers": {"Origin": origin, **extra},
                    "expect": {"status": ["2xx"] if verb == "OPTIONS" else NO_SERVER_ERROR, "headers": same + more},
                }


def _https(given: Raw) -> Iterator[dict[str, Any]]:
    secure = [{"name": "Location", "optional": True, "matches": r"(?#https)^(?i:https)://"}]
    for path in _paths(given, "/"):
        yield {"name": f"{path} by HTTPS", "path": path, "expect": {"status": ["2xx", "3xx", "401", "403"]}}
    yield {
        "name": "plain HTTP",
        "path": given["url"],
        # A redirect that stays on plain HTTP fails by its header.
        "expect": {"status": ["301", "302", "303", "307", "308", "4xx", "refused"], "headers": secure},
    }


def _errors(given: Raw) -> Iterator[dict[str, Any]]:
    hidden = [*INTERNALS, *(given.get("patterns") or ())]
    for path in _paths(given, "/sluice-{unique}"):
        yield {"name": f"error of {path}", "path": path, "expect": {"status": ["4xx"], "not_contains": hidden}}
    for request in given.get("requests") or ():
        expect = {"status": ["4xx"], "not_contains": hidden}
        yield {**_of(request), "name": f"malformed {_word(request)}", "expect": expect}


def _rate_limit(given: Raw) -> Iterator[dict[str, Any]]:
    request = given.get("request") or {"path": _paths(given, "/")[0]}
    if given.get("probe") == "enforced":
        yield {
            **_of(request),
            "name": f"one more than {given['limit']} of {_word(request)}",
            "repeat": given["limit"] + 1,
            # Others may have used a part of the limit before.
            "expect": {"status": [*(given.get("status") or ["2xx"]), "429"], "last_status": ["429"]},
        }
    else:
        count = given.get("count") or 5
        yield {
            **_of(request),
            "name": f"{count} of {_word(request)}",
            "repeat": count,
            "expect": {"status": given.get("status") or ["2xx"], "counts": [{"status": ["429"], "max": 0}]},
        }


def _methods(given: Raw) -> Iterator[dict[str, Any]]:
    for path in _paths(given, "/"):
        for method in given.get("methods") or ["TRACE"]:
            yield {"name": f"{method} {path}", "method": method, "path": path, "expect": {"status": ["4xx", "501"]}}


def _csrf(given: Raw) -> Iterator[dict[str, Any]]:
    yield from _login(given)
    foreign = given.get("origin") or "http://malicious.com"
    for request in given["requests"]:
        headers = {**(request.get("headers") or {}), "Origin": foreign, "Sec-Fetch-Site": "cross-site"}
        expect = {"status": given.get("status") or ["400", "401", "403", "419", "422"]}
        yield {**_of(request), "name": f"{_word(request)} without a token", "headers": headers, "expect": expect}


def _probed(given: Raw, probe: str, words: str, expect: Raw) -> Iterator[dict[str, Any]]:
    """Each request with the probe in the place of {probe}; in an address it is encoded."""
    for request in given["requests"]:
        step = {key: _with_probe(value, probe) for key, value in _of(request).items() if key != "path"}
        path = request["path"].replace("{probe}", quote(probe, safe="{}"))
        yield {**step, "path": path, "name": f"{words} in {_word(request)}", "expect": dict(expect)}


def _with_probe(value: Any, probe: str) -> Any:
    if isinstance(value, str):
        return value.replace("{probe}", probe)
    if isinstance(value, Mapping):
        return {name: _with_probe(part, probe) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_probe(part, probe) for part in value]
    return value


def _sql(given: Raw) -> Iterator[dict[str, Any]]:
    yield from _login(given)
    unchanged = given.get("unchanged")
    if unchanged:
        capture = [{"name": "sluice_before", "query": unchanged["query"], "secret": False}]
        yield {"name": f"{unchanged['query']} before", "path": unchanged["path"], "capture": capture}
    status = given.get("status") or NO_SERVER_ERROR
    for number, probe in enumerate(given.get("probes") or SQL_PROBES, 1):
        expect = {"status": status, "not_contains": list(INTERNALS), "max_ms": SQL_SLEEP_MS}
        yield from _probed(given, probe, f"SQL probe {number}", expect)
    if unchanged:
        expect = {"json": [{"query": unchanged["query"], "equals": "{sluice_before}"}]}
        yield {"name": f"{unchanged['query']} after", "path": unchanged["path"], "expect": expect}


def _xss(given: Raw) -> Iterator[dict[str, Any]]:
    yield from _login(given)
    for number, probe in enumerate(given.get("probes") or XSS_PROBES, 1):
        raw = re.escape(probe).replace(r"\{unique\}", "{unique}")
        # JSON is no page: no browser looks for markup in it as long as it is declared as what it is.
        expect = {"status": NO_SERVER_ERROR, "not_contains_unless_json": [f"(?#the probe unescaped){raw}"]}
        yield from _probed(given, probe, f"XSS probe {number}", expect)


def _secrets(given: Raw) -> Iterator[dict[str, Any]]:
    hidden = [*CREDENTIALS, *(given.get("patterns") or ())]
    for number, path in enumerate(_paths(given, "/"), 1):
        assets = [
            {"name": f"sluice_asset_{number}_{index}", "regex": regex, "secret": False}
            for index, regex in enumerate(given.get("assets") or (), 1)
        ]
        expect = {"not_contains": hidden}
        yield {"name": f"secrets in {path}", "path": path, "capture": assets, "expect": expect}
        for asset in assets:
            name = f"secrets in an asset of {path}"
            yield {"name": f"{name} ({asset['regex']})", "path": f"{{{asset['name']}}}", "expect": expect}


SETS: dict[str, Set] = {
    "headers": Set(_headers, ("paths", "require", "forbid")),
    "hsts": Set(_hsts, ("paths", "min_age", "include_subdomains")),
    "csp": Set(_csp, ("paths", "directives", "forbid_sources", "report_only")),
    "cookies": Set(
        _cookies, ("request", "logout", "cookies", "secure", "http_only", "same_site"), ("request", "cookies")
    ),
    "cors": Set(_cors, ("paths", "origin", "allow_origins", "method")),
    "https": Set(_https, ("paths", "url"), ("url",)),
    "errors": Set(_errors, ("paths", "requests", "patterns")),
    "rate_limit": Set(_rate_limit, ("paths", "request", "probe", "count", "limit", "status"), alone=True),
    "methods": Set(_methods, ("paths", "methods")),
    "csrf": Set(_csrf, ("login", "requests", "origin", "status"), ("requests",)),
    "sql_injection": Set(_sql, ("login", "requests", "probes", "unchanged", "status"), ("requests",)),
    "xss": Set(_xss, ("login", "requests", "probes"), ("requests",)),
    "secrets": Set(_secrets, ("paths", "assets", "patterns")),
}


def problems(given: Raw) -> Iterator[str]:
    """What about the parameters of one set makes no sense; its steps are looked at as those of any flow."""
    name = given["set"]
    known = SETS[name]
    present = {key for key in SECURITY_SPEC if key not in COMMON and given.get(key) not in (None, [], {})}
    for parameter in sorted(present - set(known.parameters)):
        yield f"{parameter} does not belong to set {name}"
    for parameter in known.required:
        if parameter not in present:
            yield f"set {name} needs {parameter}"
    if name == "rate_limit":
        if (given.get("probe") == "enforced") != (given.get("limit") is not None):
            yield "limit and probe=enforced go together"
        if given.get("probe") == "enforced" and given.get("count") is not None:
            yield "count belongs to probe=allowed"
    if name in ("sql_injection", "xss"):
        for request in given.get("requests") or ():
            if "{probe}" not in str(dict(request)):
                yield f"{_word(request)} has no place for {{probe}}"


def expand(given: Raw) -> dict[str, Any]:
    """The flow that a set becomes, in the form in which a profile would write it."""
    known = SETS[given["set"]]
    return {
        **{key: given[key] for key in COMMON if key in given and key != "set"},
        "name": given.get("name") or f"security: {given['set']}",
        "kind": given["set"],
        "alone": known.alone,
        "steps": list(known.steps(given)),
    }


REQUEST_SPEC: dict[str, Any] = {
    "method": {"type": "str", "default": "GET"},
    "path": {"type": "str", "required": True},
    "headers": {"type": "dict"},
    "secret_headers": {"type": "dict", "no_log": True},
    "json": {"type": "raw"},
    "form": {"type": "dict"},
    "body": {"type": "str"},
}

_REQUEST: dict[str, Any] = {"type": "dict", "options": REQUEST_SPEC}
_WORDS: dict[str, Any] = {"type": "list", "elements": "str"}

COMMON: dict[str, Any] = {
    "set": {"type": "str", "required": True, "choices": list(SETS)},
    "name": {"type": "str"},
    "tags": _WORDS,
    "weight": {"type": "float", "default": 1.0},
    "optional": {"type": "bool", "default": False},
    "base_url": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "secret_variables": {"type": "dict", "no_log": True},
}

SECURITY_SPEC: dict[str, Any] = {
    **COMMON,
    "paths": _WORDS,
    "request": _REQUEST,
    "requests": {"type": "list", "elements": "dict", "options": REQUEST_SPEC},
    "login": _REQUEST,
    "logout": _REQUEST,
    "require": {"type": "dict"},
    "forbid": _WORDS,
    "min_age": {"type": "int"},
    "include_subdomains": {"type": "bool"},
    "directives": {"type": "dict"},
    "forbid_sources": {"type": "dict"},
    "report_only": {"type": "bool"},
    "cookies": _WORDS,
    "secure": {"type": "bool"},
    "http_only": {"type": "bool"},
    "same_site": _WORDS,
    "origin": {"type": "str"},
    "allow_origins": _WORDS,
    "method": {"type": "str"},
    "url": {"type": "str"},
    "patterns": _WORDS,
    "probe": {"type": "str", "choices": ["allowed", "enforced"]},
    "count": {"type": "int"},
    "limit": {"type": "int"},
    "status": _WORDS,
    "methods": _WORDS,
    "probes": _WORDS,
    "unchanged": {
        "type": "dict",
        "options": {"path": {"type": "str", "required": True}, "query": {"type": "str", "required": True}},
    },
    "assets": _WORDS,
}
