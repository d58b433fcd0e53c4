# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded lab and its application for real: servers, migrations, endpoints, a switch, the bad releases."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests
import yaml
from sluice_lab import services
from sluice_lab.lab import Lab, clean_environment, free_ports
from sluice_lab.load import Tally, load
from sluice_lab.processes import command_line, wait_until
from sluice_lab.site import Site as BuiltSite

from ansible_collections.sluice.release.plugins.modules import flow_check
from benchmarks import detection

ROOT = Path(__file__).resolve().parents[2]
FIRST, SECOND = "1760000000000_create-deals", "1761000000000_add-discount"
PROCESS = "lab-test"


class Site(BuiltSite):
    """A lab that runs, with releases built as a deploy would build them, and PM2."""

    def processes(self) -> dict[int, int]:
        """What PM2 runs: its number of a worker -> pid."""
        return {process["pm_id"]: process["pid"] for process in json.loads(self.run("1.0.0", "pm2", "jlist"))}

    def start(self, version: str) -> None:
        """Start two cluster workers of a version beside those that run, and wait until both serve."""
        options = ["-f", "-s", "-i", "2", "--name", PROCESS, "--wait-ready", "--kill-timeout", "8000"]
        self.run(version, "pm2", "start", "dist/main.js", *options)
        started = set(self.processes().values())

        def serving() -> bool:
            try:
                return started == {worker["pid"] for worker in self.get("/metrics/dashboard")["workers"]}
            except requests.ConnectionError:
                return False

        # PM2's own waiting ends after three seconds, whether they are ready or not.
        assert wait_until(serving, 30), f"{version} does not serve"

    def get(self, path: str) -> Any:
        response = requests.get(self.url + path, timeout=5)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    base = tmp_path_factory.mktemp("lab")
    lab = Lab(state=base / "lab")
    try:
        facts = services.up(lab)
        site = Site(lab, facts, base / "built")
        site.build()
        yield site
    finally:
        services.down(lab)


@pytest.fixture(scope="module")
def migrated(site: Site) -> Site:
    site.run("1.1.0", "npm", "run", "--silent", "migrate")
    return site


@pytest.fixture(scope="module")
def running(migrated: Site) -> Site:
    """Two workers of 1.0.0. A test that switches to another release switches back."""
    migrated.start("1.0.0")
    return migrated


# --- The servers


def test_a_second_start_leaves_the_servers_alone(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    before = [service.pid for service in services.services(site.lab, site.facts)]
    assert services.up(site.lab) == site.facts
    assert [service.pid for service in services.services(site.lab, site.facts)] == before
    assert None not in before
    assert services.status(site.lab)
    assert capsys.readouterr().out.count("running") == 6


def test_no_server_shows_a_password_or_runs_postgresql_as_root(site: Site) -> None:
    secrets = [value for name, value in vars(site.facts).items() if "password" in name or "secret" in name]
    for service in services.services(site.lab, site.facts):
        assert service.pid is not None
        assert command_line(service.pid)
        assert not any(secret in command_line(service.pid) for secret in secrets)
        environment = Path(f"/proc/{service.pid}/environ").read_text(errors="replace")
        assert not any(secret in environment for secret in secrets)


def test_the_database_asks_for_its_password(site: Site) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(site.database_url.replace(site.facts.database_password, "wrong"))


def test_the_application_may_make_scratch_databases_and_is_no_superuser(site: Site) -> None:
    connection = psycopg2.connect(site.database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolcreatedb, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (True, False)
    connection.close()


# --- Migrations


def test_migrations_go_up_and_back(site: Site) -> None:
    def status(version: str) -> list[str]:
        return site.run(version, "npm", "run", "--silent", "migrate:status").splitlines()

    def npm(version: str, script: str) -> list[str]:
        return site.run(version, "npm", "run", "--silent", script).splitlines()

    assert status("1.1.0") == [f"pending {FIRST}", f"pending {SECOND}"]
    assert npm("1.0.0", "migrate") == [f"applied {FIRST}"]
    assert status("1.1.0") == [f"applied {FIRST}", f"pending {SECOND}"]
    assert npm("1.1.0", "migrate") == [f"applied {SECOND}"]
    assert npm("1.1.0", "migrate") == []
    assert npm("1.0.0", "migrate") == [], "an older release lives with the newer schema"
    assert npm("1.1.0", "migrate:revert") == [f"reverted {SECOND}"]
    assert status("1.1.0") == [f"applied {FIRST}", f"pending {SECOND}"]


def test_a_migration_without_a_database_says_so(site: Site) -> None:
    environment = {name: value for name, value in site.environment.items() if name != "DATABASE_URL"}
    command = [str(site.lab.bin / "npm"), "run", "--silent", "migrate:status"]
    done = subprocess.run(
        command, cwd=site.built / "1.0.0", env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stderr.startswith("Cannot migrate: the environment variable DATABASE_URL is not set")


# --- The application


def test_the_endpoints_answer(running: Site) -> None:
    assert running.get("/")["version"] == "1.0.0"
    assert running.get("/health")["status"] == "ok"
    assert running.get("/ready")["checks"] == {"database": True, "redis": True}
    assert {"version", "release", "pid", "instance"} <= set(running.get("/version"))
    assert {running.get("/version")["pid"] for _ in range(20)} == {
        worker["pid"] for worker in running.get("/metrics/dashboard")["workers"]
    }
    assert requests.get(f"{running.url}/nothing", timeout=5).status_code == 404


def test_deals_are_listed_made_changed_and_removed(running: Site) -> None:
    url = f"{running.url}/api/deals"
    page = running.get("/api/deals?limit=3&offset=2")
    assert [item["id"] for item in page["items"]] == ["3", "4", "5"]
    total = page["total"]
    made = requests.post(url, json={"title": "Chair", "merchant": "M", "price_cents": 995}, timeout=5)
    assert made.status_code == 201
    one = running.url + made.headers["Location"]
    assert running.get("/api/deals?limit=3&offset=2")["total"] == total + 1, "a write empties the cache"
    changed = requests.put(one, json={"title": "Table", "merchant": "M", "price_cents": 1}, timeout=5)
    assert (changed.status_code, changed.json()["title"]) == (200, "Table")
    assert requests.delete(one, timeout=5).status_code == 204
    assert requests.get(one, timeout=5).status_code == requests.delete(one, timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/deals?limit=0", None),
        ("GET", "/api/deals?limit=101", None),
        ("GET", "/api/deals/x", None),
        ("POST", "/api/deals", {"title": "", "merchant": "M", "price_cents": 1}),
        ("POST", "/api/deals", {"title": "T", "merchant": "M", "price_cents": -1}),
        ("POST", "/api/login", {"user": 1}),
    ],
)
def test_bad_input_is_refused(running: Site, method: str, path: str, body: dict[str, Any] | None) -> None:
    answer = requests.request(method, running.url + path, json=body, timeout=5)
    assert answer.status_code == 400
    assert "must be" in answer.json()["error"]


def test_a_session_ends_when_it_is_ended(running: Site) -> None:
    with requests.Session() as browser:
        assert browser.get(f"{running.url}/api/session", timeout=5).status_code == 401
        login = browser.post(f"{running.url}/api/login", json={"user": "ann"}, timeout=5)
        assert "HttpOnly" in login.headers["Set-Cookie"]
        assert browser.get(f"{running.url}/api/session", timeout=5).json()["user"] == "ann"
        cookie = browser.cookies["session"] or ""
        assert browser.post(f"{running.url}/api/logout", timeout=5).status_code == 204
    again = requests.get(f"{running.url}/api/session", cookies={"session": cookie}, timeout=5)
    assert again.status_code == 401, "whoever kept the cookie"


def test_the_flows_and_sets_of_the_profile_hold(running: Site, run_module: Any) -> None:
    profile = yaml.safe_load((ROOT / "inventories/lab/group_vars/lab/profile.yml").read_text(encoding="utf-8"))
    before = running.get("/api/deals?limit=1&offset=0")["total"]
    result = run_module(
        flow_check.main,
        base_url=running.url,
        flows=profile["verify_flows"],
        security=profile["verify_security"],
        fail_on_red=False,
    )
    assert {gate["check"]: gate["reason"] for gate in result["gates"] if gate["verdict"] != "green"} == {}
    assert result["score"] == 100
    assert running.get("/api/deals?limit=1&offset=0")["total"] == before, "a flow leaves nothing behind"


def counted(text: str) -> dict[str, float]:
    """Answers 404 to PUT, which one test alone asks for, by worker, out of a scrape."""
    pattern = re.compile(r'http_requests_total\{method="PUT",.*status="404",worker="(\d+)".*\} (\d+)')
    return {worker: float(value) for worker, value in pattern.findall(text)}


def test_every_worker_answers_for_all_of_them(running: Site) -> None:
    scrapes: list[dict[str, float]] = []

    def scrape() -> float:
        scrapes.append(counted(requests.get(f"{running.url}/metrics/prometheus", timeout=5).text))
        return sum(scrapes[-1].values())

    for _ in range(20):
        deal: dict[str, Any] = {"title": "T", "merchant": "M", "price_cents": 1}
        assert requests.put(f"{running.url}/api/deals/999999999", json=deal, timeout=5).status_code == 404
    assert wait_until(lambda: scrape() == 20, 5), f"20 requests, but the last scrape shows {scrapes[-1]}"
    assert len(scrapes[-1]) == 2, "both workers took part"
    for earlier, later in itertools.pairwise(scrapes):
        assert all(later.get(worker, 0) >= value for worker, value in earlier.items()), "a counter never goes backwards"


def test_the_dashboard_and_the_cache_show_numbers(running: Site) -> None:
    # More than the misses of all that has asked before.
    for _ in range(100):
        running.get("/api/deals?limit=7")
    running_cache = running.get("/metrics/cache")
    assert running_cache["connected"] is True
    assert running_cache["hit_ratio_pct"] > 50
    assert running_cache["used_memory_bytes"] > 0
    overview = running.get("/metrics/dashboard")["overview"]
    assert (overview["workers"], overview["error_rate_pct"]) == (2, 0)
    assert 0 < overview["p95_ms"] < 1000


# --- Switching


def switch(site: Site, version: str) -> None:
    """Start a version beside the one that runs, then end the old workers one after the other."""
    old = site.processes()
    site.start(version)
    for number in old:
        site.run(version, "pm2", "-s", "delete", str(number))


def test_a_switch_under_load_loses_no_request_and_no_session(running: Site) -> None:
    async def play(browser: requests.Session) -> Tally:
        async with load(running.url, 50) as tally:
            for version in ("1.1.0", "1.0.0"):
                await asyncio.to_thread(switch, running, version)
                workers = running.get("/metrics/dashboard")["workers"]
                assert [worker["version"] for worker in workers] == [version] * 2, "who has left is no longer counted"
                assert browser.get(f"{running.url}/api/session", timeout=5).json()["user"] == "ann"
        return tally

    with requests.Session() as browser:
        browser.post(f"{running.url}/api/login", json={"user": "ann"}, timeout=5)
        tally = asyncio.run(play(browser))
    assert tally.sent > 100
    assert dict(tally.errors) == {}


@contextmanager
def alone(site: Site, version: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """One process of a version without PM2, on a port of its own."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [site.lab.bin / "node", "--max-old-space-size=96", "dist/main.js"],
        cwd=site.built / version,
        env={**site.environment, "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.communicate()


def listening(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "listens on" in line, line


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_request_under_way_is_answered_before_the_process_ends(migrated: Site, sign: signal.Signals) -> None:
    async def play(url: str, process: subprocess.Popen[str]) -> requests.Response:
        # 1.6.0 takes 1.2 seconds for an answer: it is under way when the signal comes.
        request = asyncio.create_task(asyncio.to_thread(requests.get, f"{url}/api/deals", timeout=5))
        await asyncio.sleep(0.4)
        process.send_signal(sign)
        ready = await asyncio.to_thread(requests.get, f"{url}/ready", timeout=5)
        assert (ready.status_code, ready.json()["draining"]) == (503, True), "a proxy is told to go elsewhere"
        return await request

    with alone(migrated, "1.6.0") as (url, process):
        listening(process)
        answer = asyncio.run(play(url, process))
        assert answer.status_code == 200
        assert answer.headers["Connection"] == "close"
        assert process.wait(10) == 0


# --- The bad releases


def statuses(url: str, count: int) -> list[int]:
    return [requests.get(f"{url}/api/deals", timeout=5).status_code for _ in range(count)]


def turns_bad(url: str, process: subprocess.Popen[str]) -> None:
    listening(process)
    assert statuses(url, 10) == [200] * 10
    assert wait_until(lambda: 500 in statuses(url, 5), 10)
    assert statuses(url, 50).count(500) == 20, "two of five"
    assert requests.get(f"{url}/health", timeout=5).status_code == 200


def never_ready(url: str, process: subprocess.Popen[str]) -> None:
    listening(process)
    assert requests.get(f"{url}/ready", timeout=5).status_code == 503
    assert requests.get(f"{url}/health", timeout=5).status_code == 200


def crashes(_url: str, process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=10)
    assert process.returncode != 0
    assert "Cannot start" in output


def leaks(url: str, process: subprocess.Popen[str]) -> None:
    listening(process)

    def resident_mb() -> float:
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    before = resident_mb()
    assert statuses(url, 200) == [200] * 200
    assert resident_mb() - before > 40


def slow(url: str, process: subprocess.Popen[str]) -> None:
    listening(process)
    began = time.monotonic()
    assert statuses(url, 1) == [200]
    assert time.monotonic() - began > 1


@pytest.mark.parametrize(
    ("version", "shows"),
    [("1.2.0", turns_bad), ("1.3.0", never_ready), ("1.4.0", crashes), ("1.5.0", leaks), ("1.6.0", slow)],
)
def test_a_bad_release_is_bad_in_its_own_way(
    migrated: Site, version: str, shows: Callable[[str, subprocess.Popen[str]], None]
) -> None:
    with alone(migrated, version) as (url, process):
        shows(url, process)


@pytest.mark.parametrize(("version", "duration", "verdict"), [("1.6.0", 20, "red"), ("1.1.0", 4, "green")])
def test_a_gate_finds_a_bad_release_under_load_and_no_good_one(
    migrated: Site, version: str, duration: float, verdict: str
) -> None:
    (port,) = free_ports(1)
    found = asyncio.run(detection.watch(migrated.at(port), version, duration))
    assert found["verdict"] == verdict, found
    assert found["requests"] > 3 * detection.RATE
    if verdict == "red":
        assert found["because"] == ["p95_ms"]
        # By how much at the most is measured without other tests beside it.
        assert found["red_after_seconds"] <= detection.LIMIT + 1


def test_without_its_environment_the_application_names_what_it_lacks(site: Site) -> None:
    node = [str(site.lab.bin / "node"), "dist/main.js"]
    environment = clean_environment(site.lab)
    done = subprocess.run(node, cwd=site.built / "1.0.0", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "the environment lacks PORT, DATABASE_URL, REDIS_URL, JWT_SECRET" in done.stderr


# --- The end (last: it stops what the others need)


def test_stopping_ends_everything_and_removing_leaves_nothing(running: Site) -> None:
    pids = [service.pid for service in services.services(running.lab, running.facts)]
    ours = [*filter(None, pids), *running.processes().values()]
    assert len(ours) == 5
    assert all(command_line(pid) for pid in ours)
    services.down(running.lab)
    assert not any(command_line(pid) for pid in ours)
    running.lab.remove()
    assert not running.lab.state.exists()
