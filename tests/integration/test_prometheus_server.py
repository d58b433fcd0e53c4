# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate computes, asks and exports, beside a real Prometheus server on the same data."""

from __future__ import annotations

import contextlib
import json
import math
import random
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import GATE_SPEC, read
from ansible_collections.sluice.release.plugins.module_utils.rules._export import Setting, Watched, watched
from ansible_collections.sluice.release.plugins.modules import gate_rules_info, health_gate

BASE = 1_700_000_000
"""The Unix time of the first sample of the data that is laid into the server's storage."""

STEP, TICKS, WINDOW = 5, 41, 60
"""Seconds between two samples, number of samples, and seconds that rates look back."""

TIMES = [number * STEP for number in range(TICKS)]

BOUNDS = ["0.1", "0.25", "0.5", "1", "2.5", "+Inf"]

LIVE = 0.25
"""Seconds between two scrapes, and between two evaluations of the rules."""


# --- Generated data


def counter(chance: random.Random) -> list[float]:
    """A counter that grows at a rate of its own, with pauses, jumps and new beginnings."""
    value, values = chance.choice([3.0, 1e3, 1e9]) * (1 + chance.random()), []
    pace, resets = chance.choice([0, 1, 20, 3000]), chance.choice([0, 0, 0.03, 0.2])
    for _time in TIMES:
        if chance.random() < resets:
            value = 0
        value += chance.choice([0, 1, 1, 1, 7]) * (pace * chance.random() if pace < 5 else int(pace * chance.random()))
        values.append(value)
    return values


def histogram(chance: random.Random) -> dict[str, list[float]]:
    """The buckets of a histogram; they begin anew together, as a process does."""
    shape, busy = [chance.random() ** 3 for _bound in BOUNDS], chance.choice([0, 1, 50])
    resets = chance.choice([0, 0, 0.05])
    counts = dict.fromkeys(BOUNDS, 0.0)
    values: dict[str, list[float]] = {bound: [] for bound in BOUNDS}
    for _time in TIMES:
        if chance.random() < resets:
            counts = dict.fromkeys(BOUNDS, 0.0)
        new = 0
        for bound, share in zip(BOUNDS, shape, strict=True):
            new += int(busy * share * 2 * chance.random())
            counts[bound] += new
            values[bound].append(counts[bound] + 5)
    return values


@dataclass(frozen=True)
class Case:
    """Series of one label `case`, by name and further labels."""

    name: str
    type: str
    series: dict[str, list[float]]

    def page(self, tick: int) -> Response:
        """What the application would have shown at this tick."""
        lines = [f"# TYPE {self.type}", *(f"{name} {values[tick]!r}" for name, values in self.series.items())]
        return Response(200, {}, "\n".join([*lines, ""]).encode(), 0.01)


def cases() -> list[Case]:
    chance = random.Random(20261122)
    found = []
    for number in range(40):
        labels = [f'case="c{number}",status="{status}"' for status in ("200", "404", "500")]
        series = {f"r_total{{{pair}}}": counter(chance) for pair in labels}
        found.append(Case(f"c{number}", "r_total counter", series))
    for number in range(20):
        buckets = histogram(chance)
        series = {f'd_bucket{{case="h{number}",le="{bound}"}}': values for bound, values in buckets.items()}
        series[f'd_count{{case="h{number}"}}'] = buckets["+Inf"]
        found.append(Case(f"h{number}", "d histogram", series))
    return found


CASES = cases()


def openmetrics() -> str:
    """All of it as promtool takes it."""
    lines = []
    for family, type_ in (("r", "counter"), ("d", "histogram")):
        lines.append(f"# TYPE {family} {type_}")
        lines += [
            f"{name} {value!r} {BASE + t}"
            for case in CASES
            for name, values in case.series.items()
            if name.startswith(family)
            for t, value in zip(TIMES, values, strict=True)
        ]
    return "\n".join([*lines, "# EOF", ""])


# --- The server, and an application that it scrapes


class Exporter(ThreadingHTTPServer):
    """An application with one metric, and the moments at which it was asked for it."""

    daemon_threads = True
    value = 0.0

    def __init__(self) -> None:
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"# TYPE load gauge\nload {exporter.value}\n".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_arguments: object) -> None:
        """A server that hangs up, because it has no more time or ends, is worth no traceback."""


@dataclass(frozen=True)
class Server:
    url: str
    exporter: Exporter
    rules: Path

    def ask(self, path: str, **form: Any) -> Any:
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(form)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            document = json.load(answer)
        assert document["status"] == "success"
        return document["data"]

    def values(self, query: str, begin: float, end: float) -> dict[float, float]:
        """Values of the one series of a query by seconds since BASE; a series that is not there has none."""
        result = self.ask("query_range", query=query, start=BASE + begin, end=BASE + end, step=STEP)["result"]
        assert len(result) <= 1
        return {float(t) - BASE: float(value) for one in result for t, value in one["values"]}


def until(attempt: Callable[[], Any], seconds: float = 30) -> Any:
    """What the attempt returns, as soon as it is anything."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            found = attempt()
            if found:
                return found
        time.sleep(0.05)
    raise AssertionError(f"nothing within {seconds:g} s")


ALERT = {"name": "load", "type": "promql", "query": "load", "crit": 5, "sustained": 1.0}


@pytest.fixture(scope="module")
def server(need: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prometheus with the generated data in its storage, which also scrapes an application four times a second."""
    need("prometheus")
    need("promtool")
    home = tmp_path_factory.mktemp("prometheus")
    (home / "data.om").write_text(openmetrics())
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(home / "data.om"), str(home / "data")]
    subprocess.run(blocks, check=True, capture_output=True, text=True)
    with Exporter() as exporter, contextlib.ExitStack() as stack:
        threading.Thread(target=exporter.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        stack.callback(exporter.shutdown)
        rule = {"alert": "load", "expr": "load >= 5", "for": "1s", "labels": {"severity": "critical"}}
        rules = home / "rules.yml"
        rules.write_text(yaml.safe_dump({"groups": [{"name": "live", "rules": [rule]}]}))
        config = {
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"},
            "rule_files": [str(rules)],
            "scrape_configs": [
                {"job_name": "app", "static_configs": [{"targets": [f"127.0.0.1:{exporter.server_port}"]}]}
            ],
        }
        (home / "prometheus.yml").write_text(yaml.safe_dump(config))
        yield stack.enter_context(_running(home, exporter, rules))


@contextlib.contextmanager
def _running(home: Path, exporter: Exporter, rules: Path) -> Iterator[Server]:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as probe:
        port = probe.server_port
    arguments = {
        "config.file": home / "prometheus.yml",
        "storage.tsdb.path": home / "data",
        "storage.tsdb.retention.time": "50y",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    command = ["setpriv", "--pdeathsig", "TERM", "prometheus", *(f"--{name}={is_}" for name, is_ in arguments.items())]
    log = home / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        found = Server(f"http://127.0.0.1:{port}", exporter, rules)
        try:
            until(lambda: found.ask("query", query="1"))
        except AssertionError:
            pytest.fail(f"Prometheus did not start\n{log.read_text(errors='replace')}")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=15)


# --- Rates, ratios and quantiles


def validated(**options: Any) -> dict[str, Any]:
    check = {"name": "it", "crit": 1e-9, **options}
    found = ArgumentSpecValidator(GATE_SPEC).validate({"checks": [check], "duration": 3600})
    assert not found.error_messages
    return dict(found.validated_parameters)


def measured(case: Case, params: dict[str, Any]) -> dict[float, float | None]:
    """What the gate makes of the pages of a case, by time."""
    check: Check = read(params)[0][0]
    measure = check.begin(check, BASE)
    found = {t: measure.sample(t, case.page(tick)) for tick, t in enumerate(TIMES)}
    return {t: sample.value for t, sample in found.items() if sample is not None}  # type: ignore[misc]


METRIC = {"type": "prometheus", "url": "http://127.0.0.1/", "window": WINDOW}
RATE = {**METRIC, "metric": "r_total", "aggregate": "rate"}
RATIO = {
    **METRIC,
    "metric": "r_total",
    "aggregate": "ratio",
    "labels": {"status": "~5.."},
    "over": {"metric": "r_total"},
}
QUANTILES = [{**METRIC, "metric": "d", "aggregate": "quantile", "quantile": q} for q in (0.5, 0.95, 0.99)]


@pytest.mark.parametrize(
    ("kind", "checks"), [("c", [RATE, RATIO]), ("h", QUANTILES)], ids=["rate-and-ratio", "histogram-quantile"]
)
def test_the_gate_computes_what_prometheus_computes(server: Server, kind: str, checks: list[dict[str, Any]]) -> None:
    """Both sides look at the same samples: a window that begins a millisecond before one and ends at another.

    With a sample at each end nothing is extrapolated. Within a window that begins between two samples the gate counts
    what was measured, and Prometheus estimates what was not.
    """
    compared = unknown = 0
    for case in CASES:
        if not case.name.startswith(kind):
            continue
        for options in checks:
            params = validated(**options)
            setting = Setting("g", matchers={"case": case.name}, least_window=WINDOW + 0.001)
            exported = watched(params["checks"][0], setting)
            assert isinstance(exported, Watched)
            theirs = server.values(exported.query, WINDOW, TIMES[-1])
            ours = measured(case, params)
            for t in TIMES[WINDOW // STEP :]:
                value, known = ours[t], theirs.get(t, math.nan)
                where = f"{case.name}, {options['aggregate']}, at {t} s"
                if value is None:
                    assert math.isnan(known), where
                    unknown += 1
                else:
                    # They count the millisecond as well, where a counter begins at zero.
                    assert value == pytest.approx(known, rel=5e-5, abs=1e-9), where
                    compared += 1
    assert compared > 1000
    # Without requests there is no share of them, and without observations no quantile, for either.
    assert unknown > 20


# --- What a server says


def test_a_gate_is_red_when_the_server_fires(server: Server, run_module: Any) -> None:
    """The same in real time: a gate and the rule of a server that both look four times a second."""
    server.exporter.value = 0
    # A server that has just started takes some seconds until its first scrape.
    until(lambda: server.ask("query", query="load == 0")["result"])
    begun = time.time()
    threading.Timer(1.0, lambda: setattr(server.exporter, "value", 9)).start()
    result = run_module(
        health_gate.main, checks=[{**ALERT, "url": server.url}], duration=10, interval=LIVE, fail_on_red=False
    )
    red = begun + result["seconds"]
    assert result["verdict"] == "red"
    assert result["gates"][0]["reason"].startswith("load was 9, critical at or above 5, for 1 s")

    def fired() -> float | None:
        found = server.ask("query", query='ALERTS{alertname="load", alertstate="firing"}[20s]')["result"]
        return float(found[0]["values"][0][0]) if found else None

    # Each looks when its turn comes: the gate within one interval of the rule, and starting it took a moment.
    assert until(fired, 5) == pytest.approx(red, abs=2 * LIVE)
    server.exporter.value = 0


TWO = 'label_replace(vector(2), "x", "y", "", "")'


@pytest.mark.parametrize(
    ("options", "verdict", "reason"),
    [
        ({"query": "vector(3)", "crit": 5}, "green", "it was 3 (worst 3, critical at or above 5)"),
        ({"query": "scalar(vector(7))", "crit": 5}, "red", "it was 7, critical at or above 5, at the first look"),
        ({"query": f"vector(1) or {TWO}", "crit": 2}, "red", "it was 2, critical at or above 2, at the first look"),
        ({"query": f"vector(1) or {TWO}", "crit": 5, "series": "sum"}, "green", "it was 3"),
        ({"query": f"vector(1) or {TWO}", "crit": 5, "series": "count"}, "green", "it was 2"),
        ({"query": "nothing", "crit": 5, "empty": "good"}, "green", "it is well: its query has no result"),
        ({"query": "nothing", "crit": 5}, "red", "it had no data at the first look: its query has no result"),
        ({"query": "nothing", "expect": "empty"}, "green", "it was empty in all of 1 samples"),
        ({"query": "up{job='app'} == 1", "expect": "empty"}, "red", 'it found up{instance="127.0.0.1:'),
        ({"query": "vector(0) / 0", "crit": 5}, "red", "it had no data at the first look: its query yields nan"),
        ({"query": "vector(1) / 0", "crit": 5}, "red", "it had no data at the first look: its query yields inf"),
        ({"query": "up[5m]", "crit": 5}, "red", "it had no data at the first look: its query yields a matrix"),
        ({"query": "sum(", "crit": 5}, "red", "it had no data at the first look: answered 400: invalid parameter"),
        ({"query": " or ".join(["up"] * 800), "crit": 5}, "green", "it was 1"),
    ],
)  # fmt: skip
def test_an_instant_query(server: Server, run_module: Any, options: dict[str, Any], verdict: str, reason: str) -> None:
    until(lambda: server.ask("query", query="up == 1")["result"])
    check = {"name": "it", "type": "promql", "url": server.url, **options}
    gate = run_module(health_gate.main, checks=[check], fail_on_red=False)["gates"][0]
    assert gate["verdict"] == verdict
    assert gate["reason"].startswith(reason)


def test_a_server_that_is_gone(run_module: Any) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as probe:
        url = f"http://127.0.0.1:{probe.server_port}"
    check = {"name": "it", "type": "promql", "url": url, "query": "up", "crit": 5, "empty": "good"}
    gate = run_module(health_gate.main, checks=[check], fail_on_red=False)["gates"][0]
    assert (gate["verdict"], gate["no_data"]) == ("red", 1)


def test_a_server_tells_what_its_file_tells(server: Server, run_module: Any) -> None:
    told = run_module(gate_rules_info.main, url=server.url)
    from_file = run_module(gate_rules_info.main, url=server.url, path=str(server.rules))
    from_text = run_module(gate_rules_info.main, url=server.url, content=server.rules.read_text())
    assert told["checks"] == from_file["checks"] == from_text["checks"]
    assert told["checks"] == [{**ALERT, "url": server.url, "direction": "above", "crit": 5.0, "empty": "good"}]
    assert (told["origins"][0]["lines"], from_file["origins"][0]["lines"]) == ([], [4])
    # What was read is a gate as it stands.
    until(lambda: server.ask("query", query="load == 0")["result"])
    gate = run_module(health_gate.main, checks=told["checks"])
    assert gate["verdict"] == "green"
