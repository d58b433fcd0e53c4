# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load generator: that it keeps its clock, uses both kinds of connection, and counts what fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from sluice_lab.load import Answer, Connections, Tally, load


@asynccontextmanager
async def server(answer: object) -> AsyncIterator[str]:
    """An HTTP server that answers everything by `answer`, on a free port."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)  # type: ignore[arg-type]
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    finally:
        await runner.cleanup()


async def send(url: str, enough: asyncio.Event, rate: float = 200) -> Tally:
    async with load(url, rate) as tally:
        await asyncio.wait_for(enough.wait(), 10)
    return tally


def test_requests_leave_by_the_clock_on_new_and_on_kept_connections() -> None:
    async def play() -> tuple[Tally, list[tuple[object, str]]]:
        seen: list[tuple[object, str]] = []
        enough = asyncio.Event()

        async def answer(request: web.Request) -> web.Response:
            seen.append((request.transport, request.headers.get("Connection", "")))
            if len(seen) >= 40:
                enough.set()
            # Slower than the clock: a closed loop would have got nowhere near 40 requests in the time.
            await asyncio.sleep(0.1)
            return web.json_response({})

        async with server(answer) as url:
            return await send(url, enough), seen

    tally, seen = asyncio.run(play())
    assert tally.sent == len(seen) >= 40
    assert tally.failed == 0
    assert tally.seconds < 40 * 0.1
    closing = [transport for transport, connection in seen if connection == "close"]
    kept = [transport for transport, connection in seen if connection != "close"]
    assert abs(len(closing) - len(kept)) <= 1
    assert len(set(map(id, kept))) < len(kept), "kept connections are used again"


def test_errors_are_counted_by_kind() -> None:
    async def play() -> Tally:
        count = 0
        enough = asyncio.Event()

        async def answer(request: web.Request) -> web.Response:
            nonlocal count
            count += 1
            if count >= 30:
                enough.set()
            if count % 10 == 1:
                request.transport.close()  # type: ignore[union-attr]
            return web.json_response({}, status=500 if count % 10 == 2 else 200)

        async with server(answer) as url:
            return await send(url, enough)

    tally = asyncio.run(play())
    assert tally.answered_badly >= 3
    assert tally.lost >= 3
    assert tally.failed == tally.answered_badly + tally.lost == sum(tally.errors.values())
    assert tally.errors["http 500"] == tally.answered_badly


def test_a_server_that_is_gone_costs_every_request() -> None:
    async def play() -> Tally:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response()

        async with server(answer) as url:
            gone = url
        async with load(gone, 100) as tally:
            while tally.sent < 5:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.01)
        return tally

    tally = asyncio.run(play())
    assert tally.failed == tally.lost == tally.sent >= 5


@pytest.mark.parametrize(("q", "expected"), [(0.5, 3.0), (0.95, 5.0), (0.0, 1.0), (1.0, 5.0)])
def test_quantiles_of_the_answer_times(q: float, expected: float) -> None:
    assert Tally(milliseconds=[5.0, 1.0, 4.0, 2.0, 3.0]).quantile_ms(q) == expected


@pytest.mark.parametrize(("connections", "closing"), [("kept", 0), ("new", 10)])
def test_the_kind_of_connection_can_be_chosen_and_every_answer_is_shown(connections: Connections, closing: int) -> None:
    async def play() -> tuple[list[Answer], list[str]]:
        answers: list[Answer] = []
        headers: list[str] = []
        enough = asyncio.Event()

        async def answer(request: web.Request) -> web.Response:
            headers.append(request.headers.get("Connection", ""))
            if len(headers) >= 10:
                enough.set()
            return web.json_response({"path": request.path}, status=500 if len(headers) == 1 else 200)

        async with server(answer) as url:
            mix = [("GET", "/version")]
            async with load(url, 200, mix=mix, connections=connections, look=answers.append):
                await asyncio.wait_for(enough.wait(), 10)
        return answers, headers

    answers, headers = asyncio.run(play())
    assert headers[:10].count("close") == closing
    assert len(answers) == len(headers)
    assert {one.body for one in answers} == {b'{"path": "/version"}'}
    assert [one.error for one in answers].count("http 500") == 1
    assert all(one.started < one.ended for one in answers)


def test_visitors_come_from_every_address_by_turns() -> None:
    addresses = ["127.0.1.1", "127.0.1.2", "127.0.1.3"]

    async def play() -> list[tuple[str | None, str]]:
        seen: list[tuple[str | None, str]] = []
        enough = asyncio.Event()

        async def answer(request: web.Request) -> web.Response:
            seen.append((request.remote, request.headers.get("Connection", "")))
            if len(seen) >= 60:
                enough.set()
            return web.json_response({})

        async with server(answer) as url:
            async with load(url, 200, addresses=addresses):
                await asyncio.wait_for(enough.wait(), 10)
            return seen

    seen = asyncio.run(play())
    for kind in ("close", ""):
        assert {address for address, connection in seen if connection == kind} == {
            "127.0.1.1",
            "127.0.1.2",
            "127.0.1.3",
        }
