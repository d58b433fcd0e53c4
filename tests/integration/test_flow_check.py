# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""flow_check against a real HTTP server: an application with sessions and data, and everything that goes wrong."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.sluice.release.plugins.modules import flow_check

TOKEN = "s3ss10n-0f-4-pr0b3"
PASSWORD = "corr3ct-h0rse"

Answer = tuple[int, dict[str, str], bytes]


class Application(ThreadingHTTPServer):
    """Sessions by cookie, items by JSON, a limit, late deliveries, and pages that misbehave."""

    daemon_threads = True
    limit = 6

    def __init__(self) -> None:
        self.items: dict[int, dict[str, Any]] = {}
        self.count: Counter[str] = Counter()
        self.asked: list[str] = []
        self.released = threading.Event()
        application = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                application.asked.append(f"{self.command} {self.path}")
                status, headers, content = application.answer(self, body)
                self.send_response(status)
                for name, value in headers.items():
                    # One key may stand for several cookies.
                    for one in value.split("\n"):
                        self.send_header(name, one)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_TRACE = answer  # noqa: N815

            def log_message(self, *_arguments: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_arguments: object) -> None:
        """A client that hangs up is part of the tests and worth no traceback."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> Answer:
        path, _, query = request.path.partition("?")
        head, _, rest = path.removeprefix("/").partition("/")
        self.count[path] += 1
        page: Callable[[BaseHTTPRequestHandler, bytes, str, str], Answer] | None = getattr(self, f"page_{head}", None)
        if page is None:
            return as_json(404, {"error": "not found"})
        return page(request, body, rest, query)

    def user(self, request: BaseHTTPRequestHandler) -> str | None:
        cookie = SimpleCookie(request.headers.get("Cookie") or "").get("session")
        return "probe" if cookie is not None and cookie.value == TOKEN else None

    def page_login(self, _request: Any, body: bytes, _rest: str, _query: str) -> Answer:
        given = json.loads(body)
        if given.get("password") != PASSWORD:
            return as_json(401, {"error": f"not the password: {given.get('password')}"})
        cookies = f"session={TOKEN}; Path=/; httponly; SameSite=Lax; Secure\nseen=1; Path=/"
        return as_json(200, {"user": "probe", "token": TOKEN}, {"Set-Cookie": cookies})

    def page_session(self, request: BaseHTTPRequestHandler, _body: bytes, _rest: str, _query: str) -> Answer:
        user = self.user(request)
        return as_json(200, {"user": user}) if user else as_json(401, {"error": "no session"})

    def page_logout(self, _request: Any, _body: bytes, _rest: str, _query: str) -> Answer:
        return 204, {"Set-Cookie": "session=; Path=/; Max-Age=0"}, b""

    def page_items(self, request: BaseHTTPRequestHandler, body: bytes, rest: str, query: str) -> Answer:
        if request.command == "POST":
            number = 41 + len(self.items)
            self.items[number] = json.loads(body) | {"id": number, "created": time.monotonic()}
            return as_json(201, self.items[number], {"Location": f"/items/{number}"})
        if rest:
            if int(rest) not in self.items:
                return as_json(404, {"error": "no such item"})
            if request.command == "DELETE":
                del self.items[int(rest)]
                return 204, {}, b""
            item = self.items[int(rest)]
            return as_json(200, item | {"delivered": time.monotonic() - item["created"] > 0.3})
        found = [item for item in self.items.values() if parse_qs(query).get("q", [""])[0] in item["title"]]
        return as_json(200, {"items": found, "total": len(found)})

    def page_limited(self, _request: Any, _body: bytes, _rest: str, _query: str) -> Answer:
        over = self.count["/limited"] > self.limit
        return as_json(429 if over else 200, {})

    def page_hang(self, _request: Any, _body: bytes, _rest: str, _query: str) -> Answer:
        self.released.wait(10)
        return as_json(200, {})

    def page_big(self, _request: Any, _body: bytes, _rest: str, _query: str) -> Answer:
        return 200, {}, b"x" * 10_000_000

    def page_drip(self, request: BaseHTTPRequestHandler, _body: bytes, _rest: str, _query: str) -> Answer:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.released.wait(0.05):
            request.wfile.write(b"X-More: to come\r\n")
        return as_json(200, {})

    def page_text(self, _request: Any, _body: bytes, _rest: str, _query: str) -> Answer:
        return 200, {"Content-Type": "application/json"}, b'{"user": "pro'

    def page_circle(self, request: BaseHTTPRequestHandler, _body: bytes, rest: str, _query: str) -> Answer:
        return 302, {"Location": "/circle/b" if rest == "a" else "/circle/a"}, b""

    def page_far(self, _request: Any, _body: bytes, rest: str, _query: str) -> Answer:
        return 302, {"Location": f"/far/{int(rest or 0) + 1}"}, b""

    def page_out(self, _request: Any, _body: bytes, _rest: str, _query: str) -> Answer:
        return 302, {"Location": "http://other.example/x"}, b""

    def page_home(self, _request: Any, _body: bytes, _rest: str, query: str) -> Answer:
        text = f'<h1>Home</h1><script src="/static/main.js"></script> you asked for {query}'
        good = {
            "Content-Type": "text/html",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'unsafe-inline'",
        }
        return 200, good, text.encode()

    def page_static(self, _request: Any, _body: bytes, _rest: str, _query: str) -> Answer:
        return 200, {"Content-Type": "text/javascript"}, b'const key = "AKIAIOSFODNN7EXAMPLE"'

    def page_broken(self, request: BaseHTTPRequestHandler, _body: bytes, _rest: str, _query: str) -> Answer:
        trace = b"Error: boom\n    at handler (/srv/app/dist/main.js:10:5)"
        headers = {
            "X-Powered-By": "Express",
            "Access-Control-Allow-Origin": request.headers.get("Origin") or "*",
            "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'",
        }
        return (404 if request.command == "GET" else 200), headers, trace

    def page_shared(self, request: BaseHTTPRequestHandler, _body: bytes, _rest: str, _query: str) -> Answer:
        origin = request.headers.get("Origin") or ""
        allowed = {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": "GET, PUT"}
        return as_json(200, {}, allowed if origin == "https://app.example" else {})


def as_json(status: int, content: Any, headers: dict[str, str] | None = None) -> Answer:
    return status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(content).encode()


@pytest.fixture
def app() -> Iterator[Application]:
    with Application() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.released.set()
        server.shutdown()


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(app: Application, run_module: Any) -> Run:
    def check(*flows: dict[str, Any], **options: Any) -> dict[str, Any]:
        result: dict[str, Any] = run_module(
            flow_check.main, **{"base_url": app.url, "flows": list(flows), "timeout": 2, **options}
        )
        # Whatever it was asked, what it was told in confidence is nowhere in its answer.
        assert TOKEN not in json.dumps(result)
        assert PASSWORD not in json.dumps(result)
        assert result.get("changed", False) is False
        return result

    return check


def flow(*steps: dict[str, Any], name: str = "flow", **options: Any) -> dict[str, Any]:
    return {"name": name, "steps": list(steps), **options}


LOGIN = {
    "name": "log in",
    "method": "POST",
    "path": "/login",
    "json": {"user": "probe", "password": "{password}"},
    "expect": {
        "status": [200],
        "cookies": [{"name": "session", "secure": True, "http_only": True, "same_site": ["Lax"]}, {"name": "seen"}],
    },
    "capture": [{"name": "token", "query": "token"}, {"name": "user", "query": "user", "secret": False}],
}
LOGOUT = {
    "name": "log out",
    "method": "POST",
    "path": "/logout",
    "always": True,
    "expect": {"cookies": [{"name": "session", "absent": True}]},
}
KNOWN = {"secret_variables": {"password": PASSWORD}}


def test_a_session_begins_lasts_and_ends(run: Run) -> None:
    result = run(
        flow(
            {"name": "nobody yet", "path": "/session", "expect": {"status": [401]}},
            LOGIN,
            {"name": "still", "path": "/session", "expect": {"json": [{"query": "user", "equals": "{user}"}]}},
            LOGOUT,
            {"name": "nobody any more", "path": "/session", "expect": {"status": [401]}},
            **KNOWN,
        )
    )
    assert (result["verdict"], result["score"], result["samples"]) == ("green", 100.0, 5)
    steps = result["gates"][0]["steps"]
    assert [(step["name"], step["status"], step["outcome"]) for step in steps] == [
        ("nobody yet", 401, "passed"),
        ("log in", 200, "passed"),
        ("still", 200, "passed"),
        ("log out", 204, "passed"),
        ("nobody any more", 401, "passed"),
    ]


def test_what_was_created_is_found_delivered_in_time_and_deleted(run: Run, app: Application) -> None:
    item = {"name": "item", "query": "id", "secret": False}
    result = run(
        flow(
            {
                "name": "create",
                "method": "POST",
                "path": "/items",
                "json": {"title": "a/b {unique} ü", "owner": {"name": "{who}"}},
                "expect": {"status": [201], "headers": [{"name": "location", "matches": "^/items/\\d+$"}]},
                "capture": [item, {"name": "place", "header": "Location"}, {"name": "title", "query": "title"}],
            },
            {"name": "read", "path": "{place}", "expect": {"json": [{"query": "owner.name", "equals": "me"}]}},
            {"path": "/items?q={title}", "expect": {"json": [{"query": "items[].id", "equals": ["{item}"]}]}},
            {"path": "/items/{item}", "expect": {"json": [{"query": "delivered", "equals": True}]}, "within": 5,
             "interval": 0.1},
            {"name": "delete", "method": "DELETE", "path": "/items/{item}", "always": True},
            {"path": "/items/{item}", "expect": {"status": [404], "json": [{"query": "error", "matches": "^no such"}]}},
            variables={"who": "me"},
        )
    )  # fmt: skip
    assert result["verdict"] == "green", result["gates"]
    waited = result["gates"][0]["steps"][3]
    assert waited["attempts"] > 1
    assert waited["statuses"] == {"200": waited["attempts"]}
    assert app.items == {}
    assert any(asked.startswith("GET /items?q=a%2Fb%20") for asked in app.asked)


def test_a_flow_that_fails_still_cleans_up_and_says_what_it_found(run: Run, app: Application) -> None:
    create = {
        "name": "create",
        "method": "POST",
        "path": "/items",
        "json": {"title": "t"},
        "expect": {"status": [201]},
        "capture": [{"name": "item", "query": "id"}],
    }
    delete = {"name": "delete", "method": "DELETE", "path": "/items/{item}", "always": True}
    wrong = {"name": "read", "path": "/items/{item}", "expect": {"json": [{"query": "title", "equals": "other"}]}}
    result = run(flow(create, wrong, {"name": "never", "path": "/session"}, delete, name="items"))
    assert result["failed"]
    assert result["verdict"] == "red"
    assert result["msg"] == (
        "Cannot pass the flows: 1 of 1 flow is red: items failed in step read: expected title to be other, found t."
    )
    assert [step["outcome"] for step in result["gates"][0]["steps"]] == ["passed", "failed", "skipped", "passed"]
    assert app.items == {}


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ({"path": "/hang", "timeout": 0.3}, "expected status 2xx, found no answer: no answer within 0.3 s"),
        ({"path": "/drip", "timeout": 0.3}, "expected status 2xx, found no answer: no answer within 0.3 s"),
        ({"path": "/big"}, "found no answer: its answer is larger than 8 MB"),
        ({"path": "http://127.0.0.1:1/"}, "found no answer: connection refused"),
        ({"path": "/text", "expect": {"json": [{"query": "user"}]}}, "found a body that is no JSON"),
        ({"path": "/circle/a", "follow": True}, "found it redirects in a circle, to /circle/a"),
        ({"path": "/far", "follow": True}, "found it redirects more than 5 times"),
        ({"path": "/out", "follow": True}, "found it redirects out of the site, to http://other.example/x"),
        ({"path": "http://nobody.invalid/"}, "its host name is not known"),
        ({"path": "/session"}, 'expected status 2xx, found 401 ({"error": "no session"})'),
        ({"path": "/items", "expect": {"json": [{"query": "length(total)"}]}}, "does not fit"),
        ({"path": "/items", "expect": {"max_ms": 0.001}}, "expected an answer within 0.001 ms, found one after"),
        ({"path": "/items", "capture": [{"name": "id", "query": "id"}]}, "expected query id for {id}, found nothing"),
        ({"path": "/items/7", "within": 0.3, "interval": 0.1}, "expected status 2xx within 0.3 s, found 404"),
        ({"method": "POST", "path": "/login", "json": {"password": "{password}!"}}, "found 401"),
    ],
)
def test_whatever_goes_wrong_ends_in_a_finding(run: Run, step: dict[str, Any], found: str) -> None:
    result = run(flow({"name": "it", **step}, **KNOWN))
    assert result["msg"].startswith("Cannot pass the flows: 1 of 1 flow is red: flow failed in step it: expected ")
    assert found in result["msg"]


def test_flows_run_side_by_side_and_nobody_waits_past_the_deadline(run: Run) -> None:
    hanging = [flow({"path": "/hang", "timeout": 30}, {"path": "/hang", "always": True, "timeout": 0.2}, name=name)
               for name in "abc"]  # fmt: skip
    started = time.monotonic()
    result = run(*hanging, flow(LOGIN, name="well", **KNOWN), deadline=0.6)
    assert time.monotonic() - started < 1.6
    assert [gate["verdict"] for gate in result["gates"]] == ["red", "red", "red", "green"]
    assert result["score"] == 25.0


def test_a_limit_is_seen_from_both_sides(run: Run, app: Application) -> None:
    allowed = {"set": "rate_limit", "name": "allowed", "paths": ["/limited"], "count": 5}
    enforced = {"set": "rate_limit", "name": "enforced", "paths": ["/limited"], "probe": "enforced", "limit": 6}
    result = run(security=[allowed, enforced])
    assert [gate["verdict"] for gate in result["gates"]] == ["green", "green"], result["gates"]
    assert result["gates"][1]["steps"][0]["statuses"] == {"200": 1, "429": 6}
    blocked = run(security=[allowed])
    assert "found 429" in blocked["msg"]
    assert "expected at most 0 of 5 answers with status 429, found 5" in blocked["msg"]
    app.limit = 1000
    assert "expected status 429, found 200 ({}) (answer 7 of 7)" in run(security=[enforced])["msg"]


GOOD = [
    {"set": "headers", "paths": ["/home"]},
    {"set": "hsts", "paths": ["/home"], "include_subdomains": True},
    {"set": "csp", "paths": ["/home"], "directives": {"default-src": ["'self'"], "script-src": []}},
    {
        "set": "cookies",
        "cookies": ["session"],
        "request": {"method": "POST", "path": "/login", "json": {"password": "{password}"}},
        "logout": {"method": "POST", "path": "/logout"},
        **KNOWN,
    },
    {"set": "cors", "paths": ["/shared"], "allow_origins": ["https://app.example"], "method": "PUT"},
    {"set": "errors", "requests": [{"path": "/items/7"}]},
    {"set": "methods", "methods": ["TRACE"], "paths": ["/nothing"]},
    {"set": "csrf", "requests": [{"method": "POST", "path": "/login", "json": {"password": "x"}}]},
    {"set": "sql_injection", "requests": [{"path": "/items?q={probe}"}],
     "unchanged": {"path": "/items", "query": "total"}},
    {"set": "xss", "requests": [{"path": "/items?q={probe}"}]},
    {"set": "secrets", "paths": ["/home"]},
]  # fmt: skip


def test_an_application_that_is_safe_passes_every_set(run: Run) -> None:
    result = run(security=GOOD)
    assert {gate["check"]: gate["reason"] for gate in result["gates"] if gate["verdict"] != "green"} == {}
    assert len(result["gates"]) == len(GOOD)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"set": "headers", "paths": ["/broken"]}, "expected no header X-Powered-By, found Express"),
        ({"set": "hsts", "paths": ["/shared"]}, "expected header Strict-Transport-Security, found none"),
        ({"set": "hsts", "paths": ["/home"], "min_age": 31536001}, "to be at least 3.1536e+07, found max-age=31536000"),
        ({"set": "csp", "paths": ["/broken"]}, "not to match script-src 'unsafe-inline'"),
        ({"set": "cors", "paths": ["/broken"]}, "not to match http://malicious.com, found http://malicious.com"),
        ({"set": "cors", "paths": ["/shared"], "allow_origins": ["https://new.example"]}, "header Access-Control"),
        ({"set": "errors", "paths": ["/broken"]}, "expected a body without a stack trace of Node.js, found it"),
        ({"set": "methods", "paths": ["/items"], "methods": ["OPTIONS"]}, "expected status 4xx or 501, found 200"),
        ({"set": "csrf", "requests": [{"method": "POST", "path": "/items", "json": {"title": "x"}}]}, "found 201"),
        ({"set": "secrets", "paths": ["/home"], "assets": ['src="([^"]+)"']}, "without an access key of AWS, found it"),
        ({"set": "cookies", "cookies": ["seen"], "request": {"method": "POST", "path": "/login",
          "json": {"password": "{password}"}}, **KNOWN}, "expected cookie seen with Secure, found it without"),
        ({"set": "sql_injection", "requests": [{"method": "POST", "path": "/items", "json": {"title": "{probe}"}}],
          "unchanged": {"path": "/items", "query": "total"}}, "expected total to be {sluice_before}, found 5"),
    ],
)  # fmt: skip
def test_what_is_not_safe_is_found(run: Run, given: dict[str, Any], found: str) -> None:
    result = run(security=[given])
    assert found in result["msg"]
    assert "AKIA" not in json.dumps(result)


def test_markup_that_comes_back_as_it_was_sent_is_found(run: Run, app: Application) -> None:
    app.page_home = lambda request, *_rest: (  # type: ignore[method-assign]
        200,
        {"Content-Type": "text/html"},
        parse_qs(urlsplit(request.path).query)["q"][0].encode(),
    )
    result = run(security=[{"set": "xss", "requests": [{"path": "/home?q={probe}"}]}])
    assert "expected a body without the probe unescaped, found it" in result["msg"]


def test_plain_http_is_refused_or_redirected(run: Run, app: Application) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert run(security=[{"set": "https", "url": closed, "paths": ["/home"]}])["verdict"] == "green"
    served = run(security=[{"set": "https", "url": f"{app.url}/home", "paths": ["/home"]}])
    assert "step plain HTTP: expected status 301 or 302" in served["msg"]
    stays = run(security=[{"set": "https", "url": f"{app.url}/out", "paths": ["/home"]}])
    assert "expected header Location to match https, found http://other.example/x" in stays["msg"]


def test_an_optional_flow_costs_score_until_the_pass_mark(run: Run) -> None:
    bad = flow({"path": "/nothing"}, name="extra", optional=True)
    good = flow({"path": "/items"}, name="core", weight=4)
    result = run(good, bad)
    assert (result["verdict"], result["score"]) == ("yellow", 80.0)
    assert run(good, bad, min_score=80)["verdict"] == "yellow"
    refused = run(good, bad, min_score=81)
    assert refused["msg"].endswith("red: the flows scored 80, at least 81 is needed.")
    kept = run(good, bad, min_score=81, fail_on_red=False)
    assert (kept["verdict"], kept["gates"][-1]["value"]) == ("red", 80.0)


def test_only_what_has_the_tag_runs(run: Run, app: Application) -> None:
    old = flow({"path": "/items"}, name="old client", tags=["compatibility"], headers={"X-Client": "1.0"})
    result = run(old, flow({"path": "/nothing"}, name="other"), tags=["compatibility"])
    assert [gate["check"] for gate in result["gates"]] == ["old client"]
    assert app.asked == ["GET /items"]


def test_check_mode_validates_and_sends_nothing(run: Run, app: Application) -> None:
    result = run(flow(LOGIN, **KNOWN), check=True)
    assert (result["verdict"], result["score"], result["samples"]) == ("pending", None, 0)
    assert result["gates"][0]["steps"][0]["outcome"] == "skipped"
    refused = run(flow({"path": "/items/{item}"}), check=True)
    assert "uses {item}, which no variable and no earlier capture sets" in refused["msg"]
    assert app.asked == []


def test_checks_are_measured_once_before_the_flows_and_count_with_them(run: Run, app: Application) -> None:
    def check(name: str, path: str) -> dict[str, Any]:
        return {"name": name, "type": "http", "url": f"{app.url}{path}", "expect_status": [200]}

    result = run(flow({"path": "/items"}, name="items"), checks=[check("home", "/items")])
    assert [(gate["check"], gate["verdict"]) for gate in result["gates"]] == [("home", "green"), ("items", "green")]
    assert app.asked == ["GET /items", "GET /items"]
    red = run(flow({"path": "/items"}, name="items"), checks=[check("lost", "/nothing")])
    assert red["failed"] is True
    assert [(gate["check"], gate["verdict"]) for gate in red["gates"]] == [("lost", "red"), ("items", "green")]
    assert run(checks=[check("home", "/items")])["score"] == 100
    app.asked.clear()
    assert run(checks=[check("home", "/items")], check=True)["verdict"] == "pending"
    assert "name home is used more than once" in run(checks=[check("home", "/"), check("home", "/")], check=True)["msg"]
    assert app.asked == []
    assert "Cannot use the flows" in run()["msg"]
