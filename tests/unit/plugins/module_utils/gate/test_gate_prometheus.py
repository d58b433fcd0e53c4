# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters across resets, restarts and clusters; quantiles of histograms."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.gate._model import Series
from ansible_collections.sluice.release.plugins.module_utils.gate._prometheus import (
    CounterLog,
    Quantile,
    UnreadableError,
    exposes,
    gauge,
    looks_like_exposition,
    matches,
    parse,
    quantile,
)

PAGE = """
# HELP http_requests_total All requests.
# TYPE http_requests_total counter
http_requests_total{method="GET",status="200"} 90
http_requests_total{method="GET",status="500"} 8
http_requests_total{method="POST",status="503"} 2
# TYPE errors_total counter
# TYPE heap_bytes gauge
heap_bytes 12.5
weird{text="a \\"quoted\\" \\\\ value, with } and {",x="1"} 3
process_start_time_seconds 1000
nothing NaN
"""

REQUESTS = "http_requests_total"


def page(ok: float, bad: float | None = None, start: float = 1000) -> dict:
    text = f'{REQUESTS}{{status="200"}} {ok}\nprocess_start_time_seconds {start}\n'
    if bad is not None:
        text += f'{REQUESTS}{{status="500"}} {bad}\n'
    return parse(text, [REQUESTS, "process_start_time_seconds"])


def test_parse_takes_only_what_is_asked_for() -> None:
    assert parse(PAGE, ["heap_bytes"]) == {("heap_bytes", ()): 12.5}
    assert len(parse(PAGE, [REQUESTS])) == 3
    assert parse(PAGE, ["weird"]) == {("weird", (("text", 'a "quoted" \\ value, with } and {'), ("x", "1"))): 3}
    assert parse(PAGE, ["http_requests"]) == parse(PAGE, [REQUESTS])


@pytest.mark.parametrize(
    ("line", "value"),
    [("m 5", 5), ("  m\t5 ", 5), ("m 5 1700000000000", 5), ("m{} 5\r", 5), ("m -1.5e3", -1500),
     ("m +Inf", float("inf")), ('m{a="b c"} 5', 5), ('m {a="}"} 5', 5)],
)  # fmt: skip
def test_parse_reads_what_the_format_allows(line: str, value: float) -> None:
    assert list(parse(f"# HELP m Not m 7\nmore_m 7\n{line}\nmm 7\n", ["m"]).values()) == [value]


@pytest.mark.parametrize("text", ['m{a="b" 1', "m one", 'm{a=b"} 1', "m 1 2 3", 'm{a="b"}', "m "])
def test_parse_says_when_a_line_is_malformed(text: str) -> None:
    with pytest.raises(UnreadableError):
        parse(text, ["m"])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (PAGE, True), ("up 1", True), ('up{a="b"} NaN', True), ("# TYPE a counter\n", True),
        ("", False), ("<html><body>Not here</body></html>", False), ('{"status": "ok"}', False), ("Not found", False),
    ],
)  # fmt: skip
def test_looks_like_exposition(text: str, answer: bool) -> None:
    assert looks_like_exposition(text) is answer


def test_a_declared_metric_without_series_is_known() -> None:
    assert exposes(PAGE, "errors_total")
    assert exposes(PAGE, REQUESTS)
    assert not exposes(PAGE, "http_requests")
    assert not exposes(PAGE, "errors")


@pytest.mark.parametrize(
    ("matchers", "answer"),
    [
        ({}, True), ({"status": "500"}, True), ({"status": "50"}, False), ({"status": "~5.."}, True),
        ({"status": "~5"}, False), ({"status": "!500"}, False), ({"status": "!200"}, True), ({"status": "!~4.."}, True),
        ({"status": "!~5.."}, False), ({"absent": ""}, True), ({"absent": "x"}, False),
        ({"status": "500", "method": "PUT"}, False),
    ],
)  # fmt: skip
def test_label_matchers(matchers: dict[str, str], answer: bool) -> None:
    assert matches({"status": "500", "method": "GET"}, matchers) is answer


@pytest.mark.parametrize(
    ("series", "value"),
    [
        (Series("heap_bytes"), 12.5),
        (Series(REQUESTS), 100),
        (Series(REQUESTS, {"status": "~5.."}), 10),
        (Series("nothing"), None),
        (Series("absent"), None),
    ],
)
def test_gauge(series: Series, value: float | None) -> None:
    assert gauge(parse(PAGE, [series.metric]), series) == value


def grown(log: CounterLog, now: float, window: float = 100, since: float = 0) -> float | None:
    increase = log.increase(now, window, since)
    return increase.total if increase else None


def test_one_scrape_is_nothing_to_compare() -> None:
    log = CounterLog(Series(REQUESTS))
    log.add(0, page(100))
    assert log.increase(0, 10) is None


@pytest.mark.parametrize(
    ("values", "growth"),
    [
        ([100, 110, 130], 30),
        ([100, 110, 5, 15], 25),  # reset in the middle: 10 before, then 5 and 10 after
        ([100, 0, 0], 0),
        ([100, 100], 0),
        ([5, 3, 1], 4),  # two resets in a row
    ],
)
def test_growth_across_resets(values: list[float], growth: float) -> None:
    log = CounterLog(Series(REQUESTS))
    for t, value in enumerate(values):
        log.add(t, page(value))
    assert grown(log, len(values) - 1) == growth


def test_the_window_slides_and_never_reaches_before_the_grace() -> None:
    log = CounterLog(Series(REQUESTS))
    for t in range(11):
        log.add(t, page(t * t))
        last = log.increase(t, 3, since=8 if t >= 8 else 0)
    assert last is not None
    assert (last.total, last.seconds) == (100 - 64, 2)
    log.add(11, page(121))
    assert grown(log, 11, window=3) == 121 - 64


def test_a_grace_that_ends_between_two_scrapes_leaves_out_what_grew_before_it() -> None:
    log = CounterLog(Series(REQUESTS))
    for t, value in enumerate([0, 0, 0, 500]):
        log.add(t, page(value))
    assert log.increase(3, 10, since=2.5) is None, "some of it was in the grace, nobody knows how much"
    log.add(4, page(507))
    assert grown(log, 4, window=10, since=2.5) == 7


def test_the_first_error_is_an_increase() -> None:
    log = CounterLog(Series(REQUESTS, {"status": "500"}))
    log.add(0, page(100))
    log.add(1, page(110))
    log.add(2, page(120, bad=7))
    assert grown(log, 2) == 7


def test_workers_that_take_turns_are_told_apart() -> None:
    log = CounterLog(Series(REQUESTS))
    for t, (start, value) in enumerate([(1, 1000), (2, 10), (1, 1005), (2, 12), (1, 1006), (2, 12)]):
        log.add(t, page(value, start=start))
    assert grown(log, 5) == 5 + 2 + 1


def test_a_process_born_in_the_window_counts_from_zero() -> None:
    log = CounterLog(Series(REQUESTS))
    log.add(0, page(1000, start=1), begun=500.0)
    log.add(1, page(40, start=501), begun=500.0)
    assert grown(log, 1) == 40
    log.add(2, page(900, start=499), begun=500.0)
    assert grown(log, 2) == 40, "an older one behind the same URL does not"


def test_workers_on_one_page_come_and_go() -> None:
    def scrape(**workers: tuple[float, float]) -> dict:
        rows = [
            f'process_start_time_seconds{{worker="{name}"}} {start}\n{REQUESTS}{{worker="{name}"}} {value}\n'
            for name, (start, value) in workers.items()
        ]
        return parse("".join(rows), [REQUESTS, "process_start_time_seconds"])

    log = CounterLog(Series(REQUESTS))
    log.add(0, scrape(a=(100, 1000), b=(110, 2000)), begun=500.0)
    log.add(1, scrape(a=(100, 1003)), begun=500.0)
    log.add(2, scrape(a=(100, 1004), b=(110, 2010)), begun=500.0)
    log.add(3, scrape(b=(110, 2010), c=(502, 7)), begun=500.0)
    assert grown(log, 3) == 3 + 1 + 10 + 7


def test_a_new_worker_counts_from_zero_without_start_times_too() -> None:
    log = CounterLog(Series(REQUESTS))
    log.add(0, parse(f'{REQUESTS}{{worker="1"}} 1000', [REQUESTS]))
    log.add(1, parse(f'{REQUESTS}{{worker="1"}} 1001\n{REQUESTS}{{worker="2"}} 5', [REQUESTS]))
    log.add(2, parse(f'{REQUESTS}{{worker="2"}} 9', [REQUESTS]))
    assert grown(log, 2) == 1 + 5 + 4


def test_a_number_that_is_none_is_left_out() -> None:
    log = CounterLog(Series(REQUESTS))
    log.add(0, page(10))
    log.add(1, page(float("nan")))
    log.add(2, page(14))
    assert grown(log, 2) == 4


@pytest.mark.parametrize(
    ("q", "buckets", "expected"),
    [
        # 100 requests: 50 within 0.1, 90 within 0.5, all within 1.
        (0.5, {"0.1": 50, "0.5": 90, "1": 100, "+Inf": 100}, Quantile(0.1, False)),
        (0.9, {"0.1": 50, "0.5": 90, "1": 100, "+Inf": 100}, Quantile(0.5, False)),
        (0.95, {"0.1": 50, "0.5": 90, "1": 100, "+Inf": 100}, Quantile(0.75, False)),
        (0.25, {"0.1": 50, "0.5": 90, "1": 100, "+Inf": 100}, Quantile(0.05, False)),
        (1.0, {"0.1": 50, "0.5": 90, "1": 100, "+Inf": 100}, Quantile(1.0, False)),
        (0.99, {"0.1": 50, "0.5": 90, "1": 95, "+Inf": 100}, Quantile(1.0, True)),
        (0.5, {"0.1": 0, "+Inf": 10}, Quantile(0.1, True)),
        (0.5, {"0.1": 10, "0.2": 8, "+Inf": 10}, Quantile(0.05, False)),  # a torn scrape
        (0.95, {"0.1": 0, "+Inf": 0}, None),
        (0.95, {"0.1": 5}, None),
        (0.95, {}, None),
    ],
)
def test_quantile(q: float, buckets: dict[str, float], expected: Quantile | None) -> None:
    found = quantile(q, buckets)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.value == pytest.approx(expected.value)
        assert found.beyond is expected.beyond


def test_histogram_quantile_across_a_reset() -> None:
    def scrape(fast: int, everything: int) -> dict:
        text = f'd_bucket{{le="0.1"}} {fast}\nd_bucket{{le="1"}} {everything}\nd_bucket{{le="+Inf"}} {everything}\n'
        return parse(text, ["d"])

    log = CounterLog(Series("d"), suffix="_bucket")
    log.add(0, scrape(1000, 1000))
    log.add(1, scrape(1010, 1010))
    log.add(2, scrape(0, 10))  # restarted, and slow since
    increase = log.increase(2, 10)
    assert increase is not None
    assert increase.by_le == {"0.1": 10, "1": 20, "+Inf": 20}
    found = quantile(0.75, increase.by_le)
    assert found is not None
    assert found.value == pytest.approx(0.55)
