# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast cache_warm asks for 20,000 small URLs, against wrk with as many connections on the same core.

nginx serves 20,000 files of 400 bytes on loopback, on a core of its own where there are two; both clients have one
thread and the other core, and ask for one file after the other. They take turns. wrk only counts; cache_warm reads its
list, leaves out duplicates and what is unsafe, judges redirects, and keeps times.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice_lab.lab import free_ports

from benchmarks import modules

FILES, BYTES = 20_000, 400
CONNECTIONS = 16
# Seconds that wrk asks: for about as many requests as a few lists.
SECONDS = 3
MANY = 200_000
PATIENCE = 30.0

CONFIG = """
daemon off; pid {home}/nginx.pid; error_log {home}/error.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 10000000; client_body_temp_path {home}; proxy_temp_path {home};
  fastcgi_temp_path {home}; uwsgi_temp_path {home}; scgi_temp_path {home};
  server {{ listen 127.0.0.1:{port}; root {home}/www; }}
}}
"""

# One path after the other, as in the list.
LUA = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", "/p/" .. (number % {files}))
end
"""


@dataclass(frozen=True)
class Cores:
    """Words before a command that keep it on its core; none where there is only one."""

    client: list[str]
    server: list[str]

    @staticmethod
    def of_this_machine() -> Cores:
        known = sorted(os.sched_getaffinity(0))
        if len(known) < 2:
            return Cores([], [])
        return Cores(*(["taskset", "--cpu-list", str(core)] for core in known[:2]))


@contextlib.contextmanager
def nginx(home: Path, cores: Cores) -> Iterator[str]:
    """Serve the files; the address."""
    (port,) = free_ports(1)
    (home / "www" / "p").mkdir(parents=True)
    for number in range(FILES):
        (home / "www" / "p" / str(number)).write_bytes(b"x" * BYTES)
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(user + CONFIG.format(home=home, port=port))
    words = [*cores.server, "nginx", "-c", str(home / "nginx.conf"), "-e", str(home / "error.log")]
    process = subprocess.Popen(words)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("Cannot measure: nginx does not start.") from None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def wrk(home: Path, url: str, cores: Cores) -> float:
    """Requests a second of wrk."""
    script = home / "paths.lua"
    script.write_text(LUA.format(files=FILES))
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "-s", str(script), url]
    done = subprocess.run([*cores.client, *words], capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"Cannot measure: wrk was not answered well.\n{done.stdout}")
    return float(found[1])


def warm(home: Path, url: str, cores: Cores, urls: int) -> dict[str, Any]:
    """One call of the module, in a process of its own as Ansible starts it."""
    listed = home / f"list{urls}"
    if not listed.exists():
        # More URLs than files differ in their query, which nginx does not look at.
        listed.write_text("".join(f"/p/{n % FILES}{f'?{n // FILES}' if n >= FILES else ''}\n" for n in range(urls)))
    arguments = {
        "url": url,
        "sources": [{"file": str(listed)}],
        "concurrency": CONNECTIONS,
        "max_urls": urls,
        "second_pass": 0,
        "budget": 600,
        "progress": str(home / "told"),
    }
    words, environment = modules.command("cache_warm")
    begun = time.monotonic()
    done = subprocess.run(
        [*cores.client, *words],
        env=environment,
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=False,
    )
    whole = time.monotonic() - begun
    found = modules.read(done.stdout, done.stderr)
    if found.result.get("ok") != urls:
        raise SystemExit(f"Cannot measure: not everything was answered well.\n{found.result.get('reason')}")
    return {
        "rate": found.result["rate"],
        "rate_of_the_whole": round(urls / whole, 1),
        "cpu_seconds": round(found.usage.cpu, 2),
        "peak_mib": round(found.usage.peak_kib / 1024, 1),
    }


def version(*words: str) -> str:
    """What a program says of its version."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def measure(rounds: int) -> dict[str, Any]:
    """Measure by turns, and memory once more with ten times as many URLs."""
    import pycurl

    for program in ("wrk", "nginx", "taskset"):
        if shutil.which(program) is None:
            raise SystemExit(f"Cannot measure: there is no {program}. Install it from the distribution.")
    home = Path(tempfile.mkdtemp(prefix="sluice-warm-"))
    cores, load = Cores.of_this_machine(), round(os.getloadavg()[0], 1)
    try:
        with nginx(home, cores) as url:
            # The files come into memory.
            warm(home, url, cores, FILES)
            runs = []
            for number in range(rounds):
                # Nobody always comes first.
                found: dict[str, Any] = {}
                for turn in (("wrk", "warm"), ("warm", "wrk"))[number % 2]:
                    if turn == "wrk":
                        found["wrk"] = wrk(home, url, cores)
                    else:
                        found.update(warm(home, url, cores, FILES))
                runs.append(found)
            many = warm(home, url, cores, MANY)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return {
        "load_before": load,
        "cores": 2 if cores.client else 1,
        "connections": CONNECTIONS,
        "versions": {"wrk": version("wrk", "-v"), "nginx": version("nginx", "-v"), "pycurl": pycurl.version},
        "runs": runs,
        "many": {"urls": MANY, **many},
    }


def render(found: Mapping[str, Any]) -> list[str]:
    """Return the results as lines of a page for people."""
    runs = found["runs"]

    def median(name: str) -> float:
        return float(statistics.median(run[name] for run in runs))

    def row(name: str, of: Mapping[str, Any]) -> str:
        return f"| {name} | {of['rate']:.0f} | {of['rate_of_the_whole']:.0f} | {of['peak_mib']:.1f} MiB |"

    ratio = statistics.median(run["rate"] / run["wrk"] for run in runs)
    lowest = min(run["rate"] / run["wrk"] for run in runs)
    where = "nginx on one core, the client on another" if found["cores"] > 1 else "all on one core"
    many = found["many"]
    return [
        "",
        "## Warming over HTTP",
        "",
        f"{FILES} files of {BYTES} bytes, {found['connections']} connections, {where}; {len(runs)} rounds by turns.",
        *(f"- {text}" for text in found["versions"].values()),
        f"- load of the machine before: {found['load_before']}",
        "",
        "| client | requests a second (median) | with the start of Python | peak memory |",
        "| --- | --- | --- | --- |",
        f"| wrk -t1 -c{found['connections']} | {median('wrk'):.0f} | | |",
        row("cache_warm", {name: median(name) for name in ("rate", "rate_of_the_whole", "peak_mib")}),
        row(f"cache_warm, {many['urls']} URLs", many),
        "",
        f"- **{ratio:.2f}** times the rate of wrk (median of the rounds; the lowest {lowest:.2f}), from the first",
        "  request to the last answer; what reads the list and keeps the times is part of it",
    ]
