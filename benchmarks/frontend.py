# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that open pages of a frontend miss while it is switched and taken back, against what else is done.

A visitor opens the page, and loads a further part of it a second later, as single-page applications do. Visitors come
by the clock, 200 requests a second in all, over kept connections and over new ones. The others: a link that is moved to
the new release directory, and rsync into the document root.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sluice_lab.lab import free_ports

from ansible_collections.sluice.release.plugins.module_utils.static import _link, _publish, _tree
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Ready

# Requests a second: half of them pages, half of them parts.
RATE = 200
# Seconds that a visitor looks at a page before its part is loaded, and that visitors come before and after each move.
THINK, SETTLE = 1.0, 1.5
FILES = 200
VERSIONS = {"1.0.0": "BvQ3kXy1", "1.1.0": "C7rT9pQ2"}

CONFIG = """
daemon off; pid {home}/nginx.pid; error_log {home}/error.log; worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home};
  uwsgi_temp_path {home}; scgi_temp_path {home}; types {{ text/html html; text/javascript js; }}
  server {{ listen 127.0.0.1:{port} reuseport backlog=1024; root {home}/www; }}
}}
"""


@dataclass
class Seen:
    """What visitors asked for, and what they did not get."""

    pages: int = 0
    parts: int = 0
    failed: dict[str, int] = field(default_factory=dict)

    def fail(self, what: str) -> None:
        self.failed[what] = self.failed.get(what, 0) + 1


def build(home: Path) -> None:
    """Lay two releases, of as many files as a middling frontend has."""
    for version, mark in VERSIONS.items():
        tree = home / "releases" / version / "dist"
        (tree / "assets").mkdir(parents=True)
        for number in range(FILES):
            (tree / "assets" / f"part{number}-{mark}.js").write_text(os.urandom(2000).hex())
        (tree / "index.html").write_text(f'<script src="/assets/part0-{mark}.js"></script>')


@contextlib.contextmanager
def nginx(home: Path) -> Iterator[str]:
    """Serve the document root; the address."""
    (port,) = free_ports(1)
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(user + CONFIG.format(home=home, port=port))
    process = subprocess.Popen(["nginx", "-c", home / "nginx.conf", "-e", home / "error.log"])
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


@contextlib.asynccontextmanager
async def visitors(url: str, *, keep_alive: bool) -> AsyncIterator[Seen]:
    """Let visitors come while the body runs."""
    seen = Seen()
    connector = aiohttp.TCPConnector(limit=0, force_close=not keep_alive)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(5)) as session:

        async def get(path: str) -> str | None:
            try:
                async with session.get(f"{url}{path}") as answer:
                    text = await answer.text()
                    return text if answer.status == 200 else None
            except (aiohttp.ClientError, TimeoutError):
                return None

        async def visit(number: int) -> None:
            seen.pages += 1
            page = await get("")
            mark = next((mark for mark in VERSIONS.values() if page and mark in page), None)
            if mark is None:
                seen.fail("page")
                return
            await asyncio.sleep(THINK)
            seen.parts += 1
            if await get(f"assets/part{number % FILES}-{mark}.js") is None:
                seen.fail("part")

        async def come() -> None:
            began, visits = time.monotonic(), set()
            for number in range(1_000_000):
                await asyncio.sleep(max(0.0, began + number * 2 / RATE - time.monotonic()))
                visit_ = asyncio.create_task(visit(number))
                visits.add(visit_)
                visit_.add_done_callback(visits.discard)

        coming = asyncio.create_task(come())
        try:
            yield seen
        finally:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await coming
            await asyncio.sleep(THINK + 0.5)


def sluice(home: Path, url: str, version: str) -> None:
    """Publish with static_switch, proof included."""
    rules = _tree.Rules()
    place = _link.LinkPlace(str(home / "www"), str(home / "www.releases"), rules)
    request = _publish.Request(
        "shop", version, str(home / "releases" / version / "dist"), Ready(url, version), rules, caching="ignore"
    )
    _publish.Switch(request, _publish.World(place)).run()


def relink(home: Path, _url: str, version: str) -> None:
    """Move a link to the release directory, as deployers with release directories do."""
    subprocess.run(["ln", "-sfn", home / "releases" / version / "dist", home / "next"], check=True)
    subprocess.run(["mv", "-T", home / "next", home / "www"], check=True)


def rsync(home: Path, _url: str, version: str) -> None:
    """Copy into the document root and remove what is not there any more."""
    source = f"{home}/releases/{version}/dist/"
    subprocess.run(["rsync", "-a", "--checksum", "--delete", source, f"{home}/www/"], check=True)


WAYS: Mapping[str, Callable[[Path, str, str], None]] = {
    "static_switch": sluice,
    "a link to the release": relink,
    "rsync --delete": rsync,
}


async def switch_and_back(way: str, *, keep_alive: bool) -> dict[str, Any]:
    """Go from one version to the other and back, with visitors all the while."""
    home = Path(tempfile.mkdtemp(prefix="sluice-frontend-"))
    try:
        build(home)
        with nginx(home) as url:
            await asyncio.sleep(0.3)
            await asyncio.to_thread(WAYS[way], home, url, "1.0.0")
            seconds = []
            async with visitors(url, keep_alive=keep_alive) as seen:
                for version in ("1.1.0", "1.0.0"):
                    await asyncio.sleep(SETTLE)
                    began = time.monotonic()
                    await asyncio.to_thread(WAYS[way], home, url, version)
                    seconds.append(time.monotonic() - began)
                await asyncio.sleep(SETTLE)
            asked = seen.pages + seen.parts
            return {"asked": asked, "failed": seen.failed, "lost": sum(seen.failed.values()), "seconds": seconds}
    finally:
        shutil.rmtree(home, ignore_errors=True)


def measure(rounds: int) -> dict[str, Any]:
    """Measure every way as often, by turns."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS:
            runs[way].append(asyncio.run(switch_and_back(way, keep_alive=number % 2 == 0)))
    return {"rate": RATE, "think": THINK, "files": FILES, "runs": runs}


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    lines = [
        "",
        "## A frontend",
        "",
        f"{found['files']} files behind nginx, {found['rate']} requests a second: pages, and {found['think']:g} s",
        "later a further file of the version that the page was of. A switch and its rollback; connections are kept and",
        "new by turns.",
        "",
        "| way | runs | requests | lost | seconds, proof included |",
        "| --- | --- | --- | --- | --- |",
    ]
    for way, runs in found["runs"].items():
        seconds = statistics.median(second for run in runs for second in run["seconds"])
        asked, lost = sum(run["asked"] for run in runs), sum(run["lost"] for run in runs)
        lines.append(f"| {way} | {len(runs)} | {asked} | **{lost}** | {seconds:.2f} |")
    return lines
