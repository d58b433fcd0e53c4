# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""health_gate against a real HTTP server whose behaviour changes while it is watched."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg2
import pytest

from ansible_collections.sluice.release.plugins.module_utils.gate.kinds import _postgres
from ansible_collections.sluice.release.plugins.modules import health_gate


class Application(ThreadingHTTPServer):
    """An application under a test's control: each path has a function from seconds since the start to an answer."""

    daemon_threads = True

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[float], tuple[int, bytes]]] = {}
        self.begun = time.monotonic()
        self.asked: list[str] = []
        application = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                application.asked.append(self.path)
                status, body = application.pages[self.path](time.monotonic() - application.begun)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_arguments: object) -> None:
        """A client that hangs up is part of the tests and worth no traceback."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def page(self, path: str, answer: Callable[[float], tuple[int, bytes]]) -> str:
        """Serve a path from now on; time begins anew."""
        self.pages[path] = answer
        self.begun = time.monotonic()
        return self.url(path)


@pytest.fixture
def app() -> Iterator[Application]:
    with Application() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def gate(run_module: Any) -> Callable[..., dict[str, Any]]:
    def run(*checks: dict[str, Any], **options: Any) -> dict[str, Any]:
        defaults = {"interval": 0.1}
        result: dict[str, Any] = run_module(health_gate.main, checks=list(checks), **{**defaults, **options})
        assert result.get("changed", False) is False
        return result

    return run


def between(begin: float, end: float) -> Callable[[float], tuple[int, bytes]]:
    """A health page that is broken for a while."""
    return lambda t: (503, b'{"db": "down"}') if begin <= t < end else (200, b'{"db": "up"}')


def counters(rate: Callable[[float], tuple[float, float]], step: float = 0.01) -> Callable[[float], tuple[int, bytes]]:
    """A /metrics page: `rate` says at every moment how many good and bad requests a second are served."""

    def answer(t: float) -> tuple[int, bytes]:
        ticks = [rate(number * step) for number in range(int(t / step))]
        good, bad = (sum(values) * step for values in zip(*ticks, strict=True)) if ticks else (0, 0)
        text = f'# TYPE r_total counter\nr_total{{status="200"}} {good + 1000}\nr_total{{status="500"}} {bad}\n'
        return 200, text.encode()

    return answer


def health(url: str, **options: Any) -> dict[str, Any]:
    return {"name": "health", "type": "http", "url": url, **options}


def errors(url: str, **options: Any) -> dict[str, Any]:
    return {
        "name": "error_rate_pct",
        "type": "prometheus",
        "url": url,
        "metric": "r_total",
        "labels": {"status": "~5.."},
        "aggregate": "ratio",
        "over": {"metric": "r_total"},
        "window": 0.5,
        "warn": 2,
        "crit": 5,
        **options,
    }


def test_all_is_well(app: Application, gate: Callable[..., dict[str, Any]]) -> None:
    result = gate(
        health(app.page("/health", between(0, 0))),
        errors(app.page("/metrics", counters(lambda _t: (100, 0)))),
        {"name": "db", "type": "json", "url": app.url("/health"), "query": "db", "expect": "up"},
        duration=1,
    )
    assert (result["verdict"], result["score"], result["breaches"]) == ("green", 100, [])
    health_samples, error_samples, state_samples = (gate["samples"] for gate in result["gates"])
    # A busy machine skips ticks, but the first scrape of a ratio is never a sample.
    assert 6 <= error_samples + 1 == state_samples <= 11
    assert 6 <= health_samples <= 11
    assert 1 <= result["seconds"] < 2
    assert "failed" not in result


def test_one_look(app: Application, gate: Callable[..., dict[str, Any]]) -> None:
    result = gate(health(app.page("/health", between(0, 9))))
    assert result["failed"]
    assert result["msg"] == (
        "Cannot pass the gate: 1 of 1 check is red: health answered 503 instead of 200 at the first look."
    )
    assert (result["verdict"], result["samples"], len(app.asked)) == ("red", 1, 1)
    pending = gate(health(app.url("/health"), sustained=5))
    assert pending["verdict"] == "pending"
    assert "failed" not in pending


def test_error_rate_turns_bad_in_the_window(app: Application, gate: Callable[..., dict[str, Any]]) -> None:
    url = app.page("/metrics", counters(lambda t: (100, 0) if t < 0.6 else (50, 50)))
    result = gate(errors(url, sustained=0.5), duration=20)
    assert result["failed"]
    (judged,) = result["gates"]
    assert judged["verdict"] == "red"
    assert 5 <= judged["value"] <= 51
    assert judged["reason"].startswith("error_rate_pct was ")
    assert judged["reason"].endswith(" (sustained limit 0.5 s)")
    assert result["breaches"][0]["red"]
    assert result["seconds"] < 3, "stop_on_red ends it long before the window does"


def test_a_breach_that_heals_is_yellow(app: Application, gate: Callable[..., dict[str, Any]]) -> None:
    result = gate(health(app.page("/health", between(0.3, 0.6)), sustained=1), duration=1.5)
    assert result["verdict"] == "yellow"
    assert result["gates"][0]["reason"].endswith("and recovered")
    assert result["breaches"][0]["ended"] == pytest.approx(0.6, abs=0.2)


@pytest.mark.parametrize(("heals", "verdict"), [(1.3, "yellow"), (99, "red")])
def test_a_pending_breach_is_watched_past_the_window(
    app: Application, gate: Callable[..., dict[str, Any]], heals: float, verdict: str
) -> None:
    result = gate(health(app.page("/health", between(0.8, heals)), sustained=1), duration=1, fail_on_red=False)
    assert result["verdict"] == verdict
    assert 1 < result["seconds"] < 2.5
    assert "failed" not in result


def test_grace_leaves_the_warm_up_out(app: Application, gate: Callable[..., dict[str, Any]]) -> None:
    url = app.page("/health", between(0, 0.35))
    result = gate(health(url), {**health(url), "name": "strict", "grace": 0}, duration=1, grace=0.5, stop_on_red=False)
    assert {gate["check"]: gate["verdict"] for gate in result["gates"]} == {"health": "green", "strict": "red"}
    assert result["gates"][0]["series"][0][1] == 0, "the warm-up is shown all the same"


def test_readiness_needs_successes_in_a_row_and_then_waits_no_longer(
    app: Application, gate: Callable[..., dict[str, Any]]
) -> None:
    flaky = itertools.chain([503, 200, 200, 503], itertools.repeat(200))
    result = gate(health(app.page("/ready", lambda _t: (next(flaky), b"")), successes=3), duration=30)
    assert result["verdict"] == "green"
    assert len(app.asked) == 7
    assert result["seconds"] < 3
    never = gate(health(app.page("/never", lambda _t: (503, b"")), successes=3), duration=0.5)
    assert "was good 0 times in a row, 3 are needed; the last bad answer: answered 503 instead of 200" in never["msg"]


def test_counters_begin_anew_in_the_middle(app: Application, gate: Callable[..., dict[str, Any]]) -> None:
    def restarted(t: float) -> tuple[int, bytes]:
        good = 5000 + 100 * t if t < 0.6 else 100 * (t - 0.6)
        return 200, f'r_total{{status="200"}} {good}\nr_total{{status="500"}} {good / 100}\n'.encode()

    result = gate(errors(app.page("/metrics", restarted), window=10), duration=1.2)
    (judged,) = result["gates"]
    assert judged["verdict"] == "green"
    assert judged["worst"] == pytest.approx(100 / 101, abs=0.05), "1 % before, across and after the restart"
    assert judged["no_data"] == 0


def test_quantile_of_a_histogram(app: Application, gate: Callable[..., dict[str, Any]]) -> None:
    def slowing(t: float) -> tuple[int, bytes]:
        fast, slow = 100 * min(t, 0.5), 100 * max(0.0, t - 0.5)
        rows = {"0.1": fast, "1": fast, "2.5": fast + slow, "+Inf": fast + slow}
        return 200, "".join(f'd_seconds_bucket{{le="{le}"}} {count}\n' for le, count in rows.items()).encode()

    p95 = {
        "name": "p95", "type": "prometheus", "url": app.page("/metrics", slowing), "metric": "d_seconds",
        "aggregate": "quantile", "scale": 1000, "unit": "ms", "window": 0.5, "warn": 500, "crit": 1000,
    }  # fmt: skip
    result = gate(p95, duration=5)
    assert result["verdict"] == "red"
    assert 1000 <= result["gates"][0]["value"] <= 2500
    assert result["gates"][0]["series"][0][1] < 100


@pytest.mark.parametrize(("policy", "verdict"), [("fail", "red"), ("hold", "pending"), ("pass", "green")])
def test_no_data_policies_on_a_dead_port(
    app: Application, gate: Callable[..., dict[str, Any]], policy: str, verdict: str
) -> None:
    dead = errors("http://127.0.0.1:1/metrics", on_no_data=policy)
    result = gate(dead, health(app.page("/health", between(0, 0))), duration=0.5, fail_on_red=False)
    judged = result["gates"][0]
    assert judged["verdict"] == verdict
    assert judged["value"] is None
    assert "got no usable answer (connection refused)" in judged["reason"]


def test_a_gate_that_could_not_be_decided(gate: Callable[..., dict[str, Any]]) -> None:
    silent = health("http://127.0.0.1:1/", measure="latency_ms", crit=5, on_no_data="hold")
    assert gate(silent, duration=0.2)["verdict"] == "pending"
    stopped = gate(silent, duration=0.2, fail_on_pending=True)
    assert (stopped["failed"], stopped["verdict"]) == (True, "pending")
    assert "1 of 1 check is pending: health had 0 of at least 1 samples with data" in stopped["msg"]


def test_a_server_that_never_answers_is_bounded_by_its_timeout(
    app: Application, gate: Callable[..., dict[str, Any]]
) -> None:
    wait = threading.Event()

    def never(_t: float) -> tuple[int, bytes]:
        wait.wait(20)
        return 200, b""

    stuck = {**errors(app.page("/stuck", never), timeout=0.4, sustained=0.6), "name": "stuck"}
    result = gate(stuck, health(app.page("/health", between(0, 0))), duration=1, stop_on_red=False, fail_on_red=False)
    wait.set()
    by_name = {gate["check"]: gate for gate in result["gates"]}
    assert by_name["health"]["samples"] >= 7, "a stuck check holds nobody up"
    assert by_name["stuck"]["no_data"] >= 2
    assert "no answer within 0.4 s" in by_name["stuck"]["reason"]
    assert result["verdict"] == "red"
    assert result["seconds"] < 2.5


def test_forty_megabytes_are_no_data(app: Application, gate: Callable[..., dict[str, Any]]) -> None:
    url = app.page("/metrics", lambda _t: (200, b"r_total 1\n" * 4_000_000))
    result = gate(errors(url), duration=0.3, interval=0.3)
    assert result["failed"]
    assert "had no data" in result["msg"]
    assert "its answer is larger than 8 MB" in result["msg"]


def test_checks_of_one_page_share_its_scrapes(app: Application, gate: Callable[..., dict[str, Any]]) -> None:
    url = app.page("/metrics", counters(lambda _t: (100, 0)))
    rate = {"name": "rate", "type": "prometheus", "url": url, "metric": "r_total", "aggregate": "rate", "warn": 1e6}
    result = gate(errors(url), rate, duration=0.5)
    assert len(app.asked) == result["gates"][0]["samples"] + 1 == result["gates"][1]["samples"] + 1
    assert result["gates"][1]["value"] == pytest.approx(100, rel=0.3)
    assert result["gates"][1]["unit"] == "/s"


def test_the_version_that_answers_is_the_one_expected(app: Application, gate: Callable[..., dict[str, Any]]) -> None:
    url = app.page("/version", lambda _t: (200, json.dumps({"version": "1.0.0"}).encode()))
    result = gate(health(url, expect_body={"query": "version", "equals": "1.1.0"}))
    assert "health answered 200, but version was 1.0.0 instead of 1.1.0" in result["msg"]


def test_secret_headers_reach_the_server_and_nobody_else(
    app: Application, gate: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    result = gate(health(app.page("/health", between(0, 9)), secret_headers={"Authorization": "Bearer geheim-123"}))
    assert "geheim-123" not in json.dumps(result)


def test_progress_is_told(app: Application, gate: Callable[..., dict[str, Any]], tmp_path: Any) -> None:
    gate(health(app.page("/health", between(0, 0))), duration=1.2, progress=str(tmp_path / "progress.json"))
    told = json.loads((tmp_path / "progress.json").read_text())
    assert told["line"] == "green: health 200"
    assert told["total"] == 1.2


def test_a_gate_without_checks_is_refused(gate: Callable[..., dict[str, Any]]) -> None:
    result = gate()
    assert result["msg"].startswith("Cannot use the checks of this gate: there is none")


def test_unknown_keys_are_refused(gate: Callable[..., dict[str, Any]]) -> None:
    assert "crti" in gate(health("http://127.0.0.1:1/", crti=5))["msg"]


def sockets() -> int:
    """How many this process has open, those of the application in it among them."""
    links = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
    return sum(link.startswith("socket:") for link in links)


def test_the_clock_does_not_drift_and_nothing_stays_open(
    app: Application, gate: Callable[..., dict[str, Any]], postgres: Any
) -> None:
    asked: list[float] = []

    def slow(_t: float) -> tuple[int, bytes]:
        # A clock that waits an interval after each answer would be a second late at the end.
        asked.append(time.monotonic())
        time.sleep(0.03)
        return 200, b'{"db": "up"}'

    app.page("/metrics", counters(lambda _t: (100, 0)))
    before = sockets(), threading.active_count()
    result = gate(
        health(app.page("/slow", slow)),
        errors(app.url("/metrics")),
        {"name": "db", "type": "json", "url": app.page("/health", between(0, 0)), "query": "db", "expect": "up"},
        database(postgres, "connections_used_ratio", crit=1),
        duration=3,
    )
    times = [t for t, _value in result["gates"][0]["series"]]
    assert times == sorted(set(times))
    assert [round(t * 10) / 10 for t in times] == times
    # What is asked for beyond the window, while another target is slow, may have no sample yet.
    late = [moment - asked[0] - t for moment, t in zip(asked, times, strict=False)]
    third = len(late) // 3
    # The least late of many: a busy machine delays some, a drift delays all.
    assert abs(min(late[-third:]) - min(late[:third])) < 0.05
    deadline = time.monotonic() + 5
    while (sockets() > before[0] or threading.active_count() > before[1]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (sockets() <= before[0], threading.active_count() <= before[1]) == (True, True)


def database(postgres: Any, value: str, **options: Any) -> dict[str, Any]:
    return {"name": value, "type": "postgres", "database_url": postgres.url, "value": value, **options}


def test_a_database(gate: Callable[..., dict[str, Any]], postgres: Any) -> None:
    checks = [
        database(postgres, "connections_used_ratio", warn=0.8, crit=1),
        database(postgres, "latency_p50_ms", crit=5000),
        database(postgres, "in_recovery", expect=False),
        database(postgres, "blocked_sessions_count", crit=1),
    ]
    result = gate(*checks, duration=0.5)
    assert (result["verdict"], result["score"]) == ("green", 100), result
    ratio, latency, standby, _blocked = result["gates"]
    assert 0 <= ratio["value"] < 0.8
    assert (0 < latency["value"] < 5000, latency["unit"]) == (True, "ms")
    assert (standby["value"], standby["samples"] >= 2) == ("false", True)
    assert postgres.password not in json.dumps({key: value for key, value in result.items() if key != "invocation"})


def test_a_database_that_turns_bad(gate: Callable[..., dict[str, Any]], postgres: Any) -> None:
    with contextlib.closing(psycopg2.connect(postgres.url)) as idle, idle.cursor() as cursor:
        cursor.execute("SELECT 1")
        result = gate(database(postgres, "connections_idle_in_transaction", crit=1))
    assert result["failed"]
    assert "connections_idle_in_transaction was 1, critical at or above 1" in result["msg"]


def test_a_database_that_does_not_answer_or_say(gate: Callable[..., dict[str, Any]], postgres: Any) -> None:
    gone = {**database(postgres, "connections_used", crit=1), "database_url": "postgresql://u:geheim@127.0.0.1:1/x"}
    result = gate(gone, database(postgres, "replication_lag_seconds", crit=1), stop_on_red=False)
    assert result["failed"]
    assert "could not look at the database (Connection refused" in result["msg"]
    assert "replication_lag_seconds is not known (there is none)" in result["msg"]
    assert "geheim" not in json.dumps({key: value for key, value in result.items() if key != "invocation"})
    held = gate(database(postgres, "replication_lag_seconds", crit=1, on_no_data="pass"))
    assert held["verdict"] == "green"


class Watcher(threading.Thread):
    """Writes down which sessions look at a database, and ends the first one when it has been seen a few times."""

    def __init__(self, url: str, *, kills: bool) -> None:
        super().__init__(daemon=True)
        self.url, self.kills = url, kills
        self.seen: list[int] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self.over.wait(0.02):
            self.seen += self.look()
            if self.kills and len(self.seen) >= 5:
                self.kills = False
                self.ask("SELECT pg_terminate_backend(%s)", self.seen[0])

    def look(self) -> list[int]:
        return self.ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'sluice_info'")

    def ask(self, sql: str, *arguments: int) -> list[int]:
        with contextlib.closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, arguments)
            return [number for (number,) in cursor.fetchall()]

    def sessions(self) -> int:
        """How many there have been; ends the watch."""
        self.over.set()
        self.join()
        deadline = time.monotonic() + 5
        while (left := self.look()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert left == []
        return len(set(self.seen))


@pytest.mark.parametrize(
    ("kills", "kept", "sessions"),
    [
        pytest.param(False, 15, 1, id="kept"),
        pytest.param(True, 15, 2, id="ended-by-somebody"),
        pytest.param(False, 0.3, 3, id="too-old"),
    ],
)
def test_the_session_with_a_database(
    gate: Callable[..., dict[str, Any]],
    postgres: Any,
    monkeypatch: pytest.MonkeyPatch,
    kills: bool,
    kept: float,
    sessions: int,
) -> None:
    monkeypatch.setattr(_postgres, "KEPT", kept)
    watcher = Watcher(postgres.url, kills=kills)
    watcher.start()
    result = gate(database(postgres, "connections_used", crit=5000), duration=1, interval=0.05)
    seen = watcher.sessions()
    [judged] = result["gates"]
    assert (judged["verdict"], judged["no_data"]) == ("green", 0)
    assert seen == sessions if sessions < 3 else seen >= sessions


def test_who_measures_connecting_connects_at_every_look(gate: Callable[..., dict[str, Any]], postgres: Any) -> None:
    result = gate(database(postgres, "connect_ms", crit=5000), duration=0.3)
    assert len({value for _t, value in result["gates"][0]["series"]}) > 1
