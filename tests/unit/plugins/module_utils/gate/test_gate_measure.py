# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From answers to samples, for every type of check."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.gate._kinds import KINDS
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Limits, Measure, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate._schema import CHECK_SPEC
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds import _postgres
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._postgres import Answer
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._request import Request

TARGET = Request("http://127.0.0.1/")


def answer(body: str = "", status: int = 200, ms: float = 10, error: str | None = None) -> Response:
    return Response(0 if error else status, {}, body.encode(), ms / 1000, error, "refused" if error else None)


def measure(kind: str, limits: Limits | None = None, **options: Any) -> Measure:
    """What measures a check whose own options are these; the common ones come to the check itself."""
    raw = {name: option.get("default") for name, option in CHECK_SPEC.items()}
    raw.update(options)
    begin = KINDS[kind].begin(raw)
    common = {name: raw[name] for name in ("scale", "window", "min_events")}
    return begin(Check("it", kind, TARGET, limits or Limits(crit=5), begin, **common), 1000.0)


def only(kind: str, response: Response | Answer, limits: Limits | None = None, **options: Any) -> Sample:
    sample = measure(kind, limits, **options).sample(0.0, response)
    assert sample is not None
    return sample


REFUSED = answer(error="connection refused")
BODY = {"expect_body": {"query": "release.version", "equals": "1.1.0"}}


@pytest.mark.parametrize(
    ("response", "options", "value", "good", "note"),
    [
        (answer(), {}, 200, True, ""),
        (answer(status=503), {}, 503, False, "answered 503 instead of 200"),
        (answer(status=204), {"expect_status": (200, 204)}, 204, True, ""),
        (answer(status=302), {"expect_status": (200, 204)}, 302, False, "answered 302 instead of 200, 204"),
        (REFUSED, {}, 0, False, "got no usable answer (connection refused)"),
        (answer('{"release": {"version": "1.1.0"}}'), BODY, 200, True, ""),
        (
            answer('{"release": {"version": "1.0.0"}}'), BODY, 200, False,
            "answered 200, but release.version was 1.0.0 instead of 1.1.0",
        ),
        (answer("{}"), BODY, 200, False, "answered 200, but release.version was null instead of 1.1.0"),
        (answer("<html>"), BODY, 200, False, "answered 200, but its answer is no JSON"),
        (answer("[" * 100_000), BODY, 200, False, "answered 200, but its answer is no JSON"),
        (answer('{"ok": true}'), {"expect_body": {"query": "ok", "equals": True}}, 200, True, ""),
        (answer('{"n": 3}'), {"expect_body": {"query": "n", "equals": 3}}, 200, True, ""),
    ],
)  # fmt: skip
def test_http_status(response: Response, options: dict[str, Any], value: int, good: bool, note: str) -> None:
    sample = only("http", response, Limits(), **options)
    assert (sample.value, sample.good, sample.note) == (value, good, note)


def test_http_latency_is_that_of_expected_answers() -> None:
    assert only("http", answer(ms=42), measure="latency_ms").value == pytest.approx(42)
    failed = only("http", answer(status=500, ms=1), measure="latency_ms")
    assert (failed.value, failed.note) == (None, "answered 500 instead of 200")
    assert only("http", REFUSED, measure="latency_ms").value is None


@pytest.mark.parametrize(
    ("what", "value"), [("p50", 10), ("p95", 19), ("p99", 20), ("availability_pct", 100 * 20 / 25)]
)
def test_http_over_a_window(what: str, value: float) -> None:
    it = measure("http", measure=what, window=1000)
    for number in range(20):
        sample = it.sample(number, answer(ms=number + 1))
    for number in range(5):
        sample = it.sample(20 + number, answer(status=500, ms=9999))
    assert sample is not None
    assert sample.value == pytest.approx(value)


def test_http_window_forgets_and_leaves_out_the_grace() -> None:
    it = measure("http", Limits(crit=50, direction="below", grace=5), measure="availability_pct", window=3)
    values = []
    for t in range(10):
        sample = it.sample(t, answer(status=500 if t in (4, 6) else 200))
        assert sample is not None
        values.append(sample.value)
    assert values[4] == pytest.approx(200 / 3)
    assert values[5] == 100, "the bad one at 4 s was in the grace"
    assert values[6] == 50
    assert values[9] == 100


def test_http_too_few_in_the_window_is_no_data() -> None:
    it = measure("http", measure="p95", window=5, min_events=3)
    samples = [it.sample(t, answer(status=500 if t < 2 else 200)) for t in range(5)]
    assert [sample and sample.value for sample in samples][:4] == [None] * 4
    assert samples[0] is not None
    assert samples[0].note == "0 of at least 3 requests in the last 5 s; answered 500 instead of 200"
    assert samples[4] is not None
    assert samples[4].value == pytest.approx(10)


@pytest.mark.parametrize(
    ("body", "value", "note"),
    [
        ('{"cache": {"hit": 81.5}}', 81.5, ""),
        ('{"cache": {"hit": "81.5"}}', 81.5, ""),
        ('{"cache": {"hit": true}}', 1, ""),
        ('{"cache": {"hit": "high"}}', None, "cache.hit is high, which is no number"),
        ('{"cache": {"hit": NaN}}', None, "cache.hit is NaN, which is no number"),
        ('{"cache": {"hit": [1]}}', None, "cache.hit is [1], which is no number"),
        ('{"cache": {}}', None, "its answer has no cache.hit"),
        ("gone", None, "its answer is no JSON"),
    ],
)
def test_json_number(body: str, value: float | None, note: str) -> None:
    sample = only("json", answer(body), query="cache.hit")
    assert (sample.value, sample.note) == (value, note)


def test_json_scale_status_and_errors() -> None:
    assert only("json", answer('{"s": 1.5}'), query="s", scale=1000).value == 1500
    assert only("json", answer("{}", status=503), query="s").note == "answered 503 instead of 200"
    assert only("json", REFUSED, query="s").note == "got no usable answer (connection refused)"
    sample = only("json", answer('{"s": 1}'), query="length(s)")
    assert sample.value is None
    assert sample.note.startswith("length(s) cannot be evaluated")


@pytest.mark.parametrize(
    ("body", "value", "good", "note"),
    [
        ('{"db": "up"}', "up", True, ""),
        ('{"db": "down"}', "down", False, "was down instead of up"),
        ('{"db": null}', None, None, "its answer has no db"),
    ],
)
def test_json_state(body: str, value: str | None, good: bool | None, note: str) -> None:
    sample = only("json", answer(body), Limits(expect="up"), query="db")
    assert (sample.value, sample.good, sample.note) == (value, good, note)


def test_json_state_as_json_spells_it() -> None:
    assert only("json", answer('{"ok": true}'), Limits(expect="true"), query="ok").good
    assert only("json", answer('{"n": 1}'), Limits(expect="1"), query="n").good


def requests(ok: float, bad: float | None = None) -> Response:
    text = f'# TYPE r_total counter\nr_total{{status="200"}} {ok}\n'
    return answer(text + (f'r_total{{status="500"}} {bad}\n' if bad is not None else ""))


BAD = {"metric": "r_total", "labels": {"status": "~5.."}}
ALL: dict[str, Any] = {"metric": "r_total", "labels": {}}


def test_ratio_is_in_percent_and_its_first_scrape_no_sample() -> None:
    it = measure("prometheus", over=ALL, aggregate="ratio", **BAD)
    assert it.sample(0, requests(1000)) is None
    samples = [it.sample(1, requests(1090, 10)), it.sample(2, requests(1190, 10)), it.sample(3, REFUSED)]
    assert [sample and sample.value for sample in samples] == [10, 5, None]


def test_ratio_without_traffic_is_no_data() -> None:
    it = measure("prometheus", over=ALL, aggregate="ratio", min_events=20, **BAD)
    it.sample(0, requests(1000, 5))
    quiet, few = it.sample(1, requests(1000, 5)), it.sample(2, requests(1010, 7))
    assert quiet is not None
    assert (quiet.value, quiet.note) == (None, "0 of at least 20 requests in the last 10 s")
    assert few is not None
    assert few.value is None


def test_ratio_across_a_reset_in_the_middle() -> None:
    it = measure("prometheus", over=ALL, aggregate="ratio", window=100, **BAD)
    values = [it.sample(t, requests(*page)) for t, page in enumerate([(1000, 50), (1090, 60), (45, 5), (95, 5)])]
    # (90, 10), then a restart with (45, 5), then (50, 0): 15 errors of 200 requests.
    assert values[3] is not None
    assert values[3].value == pytest.approx(7.5)


def test_rate_is_per_second() -> None:
    it = measure("prometheus", aggregate="rate", window=4, **ALL)
    for t in range(0, 11, 2):
        sample = it.sample(t, requests(t * 30))
    assert sample is not None
    assert sample.value == pytest.approx(30)


def test_a_window_begins_anew_after_the_grace() -> None:
    it = measure("prometheus", Limits(crit=5, grace=3), over=ALL, aggregate="ratio", window=100, **BAD)
    pages = [(0, 0), (0, 100), (0, 200), (0, 300), (100, 300), (200, 300)]
    values = [it.sample(t, requests(*page)) for t, page in enumerate(pages)]
    assert [sample and sample.value for sample in values] == [None, 100, 100, None, 0, 0]
    assert values[3] is None, "at the end of the grace there is nothing to compare yet"


def test_a_misspelt_metric_is_no_zero() -> None:
    it = measure("prometheus", metric="errors_total", aggregate="rate")
    sample = it.sample(0, requests(1))
    assert sample is not None
    assert (sample.value, sample.note) == (None, "its answer has no metric errors_total")


def test_a_labelled_metric_that_has_not_occurred_is_zero() -> None:
    it = measure("prometheus", metric="errors_total", over=ALL, aggregate="ratio")
    text = "# TYPE errors_total counter\n# TYPE r_total counter\nr_total {}\n"
    assert it.sample(0, answer(text.format(0))) is None
    sample = it.sample(1, answer(text.format(10)))
    assert sample is not None
    assert sample.value == 0


def histogram(fast: int, everything: int) -> Response:
    rows = [("0.1", fast), ("1", everything if fast else 0), ("+Inf", everything)]
    return answer("# TYPE d histogram\n" + "".join(f'd_bucket{{le="{le}"}} {n}\n' for le, n in rows))


def test_quantile_with_scale() -> None:
    it = measure("prometheus", Limits(crit=1000), metric="d", aggregate="quantile", quantile=0.5, scale=1000)
    assert it.sample(0, histogram(100, 100)) is None
    sample = it.sample(1, histogram(110, 110))
    assert sample is not None
    assert sample.value == pytest.approx(50)


@pytest.mark.parametrize(("crit", "value"), [(1000, 1000), (900, 1000), (2000, None)])
def test_a_quantile_beyond_the_buckets_passes_no_limit_above_them(crit: float, value: float | None) -> None:
    limits = Limits(crit=crit)
    it = measure("prometheus", limits, metric="d", aggregate="quantile", quantile=0.5, scale=1000)
    it.sample(0, answer('d_bucket{le="1"} 0\nd_bucket{le="+Inf"} 0\n'))
    sample = it.sample(1, answer('d_bucket{le="1"} 0\nd_bucket{le="+Inf"} 50\n'))
    assert sample is not None
    assert sample.value == value
    assert ("beyond the highest bucket" in sample.note) is (value is None)


def test_quantile_without_observations_is_no_data() -> None:
    it = measure("prometheus", metric="d", aggregate="quantile")
    it.sample(0, histogram(5, 5))
    sample = it.sample(1, histogram(5, 5))
    assert sample is not None
    assert (sample.value, sample.note) == (None, "0 of at least 1 requests in the last 10 s")


@pytest.mark.parametrize(
    ("response", "value", "note"),
    [
        (answer("g 4\n"), 8, ""),
        (answer('g{a="1"} 4\ng{a="2"} 1\n'), 10, ""),
        (answer("g NaN\n"), None, "its answer has no number for g"),
        (answer("h 1\n"), None, "its answer has no number for g"),
        (answer("<html></html>"), None, "answered without Prometheus metrics"),
        (answer(""), None, "answered without Prometheus metrics"),
        (answer("g one\n# TYPE h gauge\n"), None, "its metrics cannot be read"),
        (answer("g 1", status=500), None, "answered 500 instead of 200"),
        (REFUSED, None, "got no usable answer (connection refused)"),
    ],
)
def test_gauge(response: Response, value: float | None, note: str) -> None:
    sample = only("prometheus", response, metric="g", scale=2)
    assert sample.value == value
    assert sample.note.startswith(note)


LOOK = {"used": 3, "ratio": 0.5, "standby": False, "lag": None, "role": "primary", "list": [], "unreadable": {}}


@pytest.mark.parametrize(
    ("key", "limits", "value", "note"),
    [
        ("used", Limits(crit=5), 3, ""),
        ("ratio", Limits(crit=5), 0.5, ""),
        ("standby", Limits(expect="false"), "false", ""),
        ("standby", Limits(expect="true"), "false", "was false instead of true"),
        ("role", Limits(expect="primary"), "primary", ""),
        ("lag", Limits(crit=5), None, "lag is not known (there is none)"),
        ("lag", Limits(expect="x"), None, "lag is not known (there is none)"),
        ("standby", Limits(crit=5), None, "standby is no number"),
        ("list", Limits(crit=5), None, "list is no number"),
    ],
)
def test_postgres(key: str, limits: Limits, value: object, note: str) -> None:
    sample = only("postgres", Answer(LOOK), limits, value=key)
    assert (sample.value, sample.note) == (value, note)


class FrozenSession:
    """A session with a server that has stopped to answer: only who cuts the line ends the wait."""

    opened: ClassVar[list[FrozenSession]] = []

    def __init__(self, *_where: object, **_how: object) -> None:
        self.line, self.closed = threading.Event(), threading.Event()
        self.opened.append(self)

    def cut(self) -> None:
        self.line.set()

    def close(self) -> None:
        self.closed.set()


def lost(session: FrozenSession, *_what: object) -> None:
    session.line.wait(20)
    raise SluiceError("query it", "the connection was lost")


def test_a_frozen_database_is_no_data_in_time_and_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrozenSession, "opened", [])
    monkeypatch.setattr(_postgres, "LookingSession", FrozenSession)
    monkeypatch.setattr(_postgres, "ask", lost)
    look = _postgres.Look("postgresql://u@127.0.0.1/x", ("connections",), timeout=0.05)
    assert look.ask().error == "no answer within 0.05 s"
    [session] = FrozenSession.opened
    assert session.closed.wait(5)
    assert FrozenSession.opened == [session]


def test_postgres_that_does_not_say() -> None:
    hidden = only("postgres", Answer({**LOOK, "unreadable": {"lag": "grant pg_monitor"}}), value="lag")
    assert (hidden.value, hidden.note) == (None, "lag is not known (grant pg_monitor)")
    refused = only("postgres", Answer({}, "connection refused"), value="used")
    assert (refused.value, refused.note) == (None, "could not look at the database (connection refused)")
    assert only("postgres", Answer(LOOK), value="ratio", scale=100).value == 50
