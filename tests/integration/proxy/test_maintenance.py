# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The maintenance mode at a real nginx and a real HAProxy, set and cleared under load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from proxies import PATIENCE, RATE, Site, free_ports, nginx, until, worker_pids
from sluice_lab.load import load

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._http import Response, fetch
from ansible_collections.sluice.release.plugins.module_utils.maintenance import _haproxy, _rules
from ansible_collections.sluice.release.plugins.modules import maintenance_mode

HTML, ANYTHING = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, {"Accept": "*/*"}

NGINX = """
  keepalive_timeout 60s;
  include {root}/mode/http*.conf;
  upstream shop {{ server 127.0.0.1:{ports[0]}; keepalive 8; }}
  server {{ listen 127.0.0.1:{front}; include {root}/mode/server*.conf; error_page 500 502 503 504 /50x.html;
    location / {{ proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ''; }} }}
"""

HAPROXY = """
global
  stats socket {root}/admin.sock mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:{front}
{rules}  default_backend shop
backend shop
  server one 127.0.0.1:{port}
"""


class Front:
    """A proxy with one application behind it, and the module with the options that fit it."""

    def __init__(self, site: Site, proxy: dict[str, Any]) -> None:
        self.site = site
        self.options: dict[str, Any] = {
            "name": "shop-with-quite-a-long-name.example", "state": "set", "mode": "block", "minutes": 30,
            "announcement": "A <new> database.", "page": None, "retry_after": 77,
            "probes": ["/health"], "allow": [], "api_paths": ["/api/"],
            "endpoint": "/maintenance.json", "url": site.base_url, "validate_certs": True,
            "proxy": {"test": [], "reload": [], "pid": None, "path": None, "socket": None, "map": None, "timeout": 3.0,
                      **proxy},
        }  # fmt: skip

    def run(self, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        return maintenance_mode.act({**self.options, **options}, check_mode=check_mode)

    def get(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> Response:
        return fetch(self.site.base_url + path, headers=headers or ANYTHING, method=method)

    def told(self) -> dict[str, Any]:
        return dict(json.loads(self.get("/maintenance.json").body))


@contextlib.contextmanager
def application(port: int) -> Iterator[None]:
    """Let an application answer at the port, in a process of its own."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def serve(stop: asyncio.Event) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        ready.set()
        await stop.wait()
        await runner.cleanup()

    ready, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(stop)))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)


@pytest.fixture
def at_nginx(site: Site, lack: Callable[[str], None]) -> Iterator[Front]:
    if shutil.which("nginx") is None:
        lack("nginx")
    with application(site.ports[0]):
        for _ in nginx(site, NGINX):
            keys = ("type", "test", "reload", "pid")
            yield Front(site, {**{key: site.proxy[key] for key in keys}, "path": str(site.root / "mode")})


@pytest.fixture
def at_haproxy(site: Site, lack: Callable[[str], None]) -> Iterator[Front]:
    if shutil.which("haproxy") is None:
        lack("haproxy")
    front = Front(site, {"type": "haproxy", "socket": f"{site.root}/admin.sock", "map": f"{site.root}/shop.map"})
    start_haproxy(front, [])
    with application(site.ports[0]):
        yield front
    stop_haproxy(site)


def start_haproxy(front: Front, allow: list[str]) -> None:
    """Start HAProxy with the lines that the module asks for."""
    site = front.site
    front.options["allow"] = allow
    rules = _rules.haproxy_frontend(_rules.from_options(front.options, f"{site.root}/shop.map"))
    (site.root / "shop.map").touch()
    (site.root / "haproxy.cfg").write_text(
        HAPROXY.format(root=site.root, front=site.front, port=site.ports[0], rules=rules)
    )
    with (site.root / "log").open("wb") as log:
        site.process = subprocess.Popen(["haproxy", "-W", "-f", site.root / "haproxy.cfg"], stdout=log, stderr=log)
    until((site.root / "admin.sock").exists, (site.root / "log").read_text())


def stop_haproxy(site: Site) -> None:
    assert site.process
    site.process.send_signal(signal.SIGTERM)
    site.process.wait(PATIENCE)
    (site.root / "admin.sock").unlink(missing_ok=True)


@pytest.fixture(params=["nginx", "haproxy"])
def front(request: pytest.FixtureRequest) -> Front:
    found: Front = request.getfixturevalue(f"at_{request.param}")
    return found


def allow_loopback(front: Front) -> None:
    """Let everything from this machine pass, as the configuration of each proxy says it."""
    if front.options["proxy"]["type"] == "haproxy":
        stop_haproxy(front.site)
        start_haproxy(front, ["127.0.0.0/8"])
    else:
        front.options["allow"] = ["127.0.0.0/8"]


def test_a_block_turns_away_whom_it_should_and_nobody_else(front: Front) -> None:
    checked = front.run(check_mode=True)
    assert (checked["changed"], checked["mode"], front.get("/").status) == (True, "block", 200)
    done = front.run()
    assert (done["changed"], done["mode"], done["previous"]["mode"]) == (True, "block", "off")
    assert 1790 < done["seconds_left"] <= 1800

    page, answer, api = front.get("/", HTML), front.get("/x?y=1"), front.get("/api/deals", HTML)
    for response in (page, answer, api, front.get("/order", method="POST"), front.get("/", HTML, method="HEAD")):
        assert (response.status, response.headers["retry-after"]) == (503, "77")
        assert (response.headers["cache-control"], response.headers["x-maintenance"]) == ("no-store", "block")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "A &lt;new&gt; database." in page.body.decode()
    for response in (answer, api, front.get("/order", method="POST")):
        assert response.headers["content-type"].startswith("application/json")
        assert json.loads(response.body) == {
            "error": "maintenance", "message": "A <new> database.", "until": done["until"], "retry_after": 77,
        }  # fmt: skip
    assert front.get("/health").status == 200
    assert front.get("/health/x").status == 503
    assert front.get("/.sluice/shop-with-quite-a-long-name.example/page.html").status in (404, 503)
    assert front.told() == {key: done[key] for key in ("mode", "message", "since", "until")}

    again = front.run()
    assert (again["changed"], again["until"]) == (False, done["until"])
    assert front.run(state="read", mode="notice")["mode"] == "block"
    assert front.run(state="cleared")["changed"]
    assert not front.run(state="cleared")["changed"]
    assert (front.get("/", HTML).status, front.told()) == (200, {"mode": "off"})
    assert "x-maintenance" not in front.get("/").headers


def test_allowed_sources_pass(front: Front) -> None:
    allow_loopback(front)
    assert front.run()["changed"]
    assert (front.get("/", HTML).status, front.told()["mode"]) == (200, "block")
    assert front.get("/").headers["x-maintenance"] == "block"


def test_a_mode_ends_by_itself(front: Front) -> None:
    done = front.run(minutes=3 / 60)
    assert front.get("/").status == 503
    until(lambda: front.get("/").status == 200, "the block does not end")
    assert abs(time.time() - parse_utc(done["until"])) < 1.2
    assert (front.run(state="read")["mode"], front.told()) == ("off", {"mode": "off"})
    # What is over is off: there is nothing to clear.
    assert not front.run(state="cleared")["changed"]
    assert front.run()["changed"]
    assert front.get("/").status == 503


def test_notice_and_off_lose_no_request(front: Front) -> None:
    # Laid down ahead of time, so that nothing is reloaded later.
    front.run(state="cleared")

    async def scenario() -> Any:
        async with load(front.site.base_url, RATE) as tally:
            while tally.sent < 1.5 * RATE:
                await asyncio.to_thread(front.run, mode="notice", announcement=f"After {tally.sent} requests.")
                assert (await asyncio.to_thread(front.get, "/")).headers["x-maintenance"] == "notice"
                await asyncio.to_thread(front.run, state="cleared")
        return tally

    tally = asyncio.run(scenario())
    assert (tally.failed, dict(tally.errors)) == (0, {})


def test_nginx_that_refuses_the_rules_is_as_it_was(at_nginx: Front) -> None:
    root = at_nginx.site.root
    at_nginx.run(mode="notice")
    told, workers = at_nginx.told(), worker_pids(at_nginx.site)
    files = {path: path.read_text() for path in (root / "mode").glob("*.conf")}
    config = root / "nginx.conf"
    good = config.read_text()
    # Somebody is in the middle of an edit.
    config.write_text(good.replace("keepalive 8;", "keepalive eight;"))
    with pytest.raises(SluiceError, match=r"Cannot teach nginx the maintenance mode: nginx exited with 1: .*eight"):
        at_nginx.run(retry_after=5)
    assert {path: path.read_text() for path in (root / "mode").glob("*.conf")} == files
    assert (at_nginx.told(), worker_pids(at_nginx.site)) == (told, workers)
    # The rules are the same, so nothing has to be read, and a broken file is in nobody's way.
    assert at_nginx.run()["mode"] == "block"
    config.write_text(good)


def test_a_mode_that_the_proxy_does_not_show_is_put_back(at_nginx: Front, tmp_path: Path) -> None:
    at_nginx.run(mode="notice")
    told = at_nginx.told()
    options: dict[str, Any] = {
        "url": f"http://127.0.0.1:{free_ports(1)[0]}",
        "proxy": {**at_nginx.options["proxy"], "timeout": 0.3},
    }
    with pytest.raises(
        SluiceError, match=r"Cannot set the maintenance mode of shop-.*: .* does not say so after 0\.3 s"
    ):
        at_nginx.run(**options)
    assert at_nginx.told() == told
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    with pytest.raises(SluiceError, match="nginx's workers may not look into"):
        at_nginx.run(proxy={**at_nginx.options["proxy"], "path": str(hidden / "mode")})


def test_haproxy_keeps_the_mode_over_a_reload_and_a_refusal(
    at_haproxy: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = at_haproxy.site.root
    at_haproxy.run()
    told, text = at_haproxy.told(), (root / "shop.map").read_text()
    # More than HAProxy takes, so that it refuses a map of which it was told the beginning.
    monkeypatch.setattr(_haproxy, "_ROOM", 1_000_000)
    (tmp_path / "page").write_text("x" * 40_000)
    with pytest.raises(SluiceError, match=r"Cannot set the maintenance mode of shop-.*: HAProxy "):
        at_haproxy.run(mode="notice", page=str(tmp_path / "page"))
    assert (at_haproxy.told(), (root / "shop.map").read_text()) == (told, text)
    stop_haproxy(at_haproxy.site)
    start_haproxy(at_haproxy, [])
    until(lambda: at_haproxy.get("/").status == 503, "the mode is forgotten")
    assert (at_haproxy.told(), at_haproxy.run()["changed"]) == (told, False)


def test_haproxy_without_the_rules_is_told_which(at_haproxy: Front) -> None:
    with pytest.raises(SluiceError, match="HAProxy does not know the map /nowhere") as caught:
        at_haproxy.run(proxy={**at_haproxy.options["proxy"], "map": "/nowhere"})
    assert "http-request return status 503" in caught.value.fields["rules"]["frontend"]
