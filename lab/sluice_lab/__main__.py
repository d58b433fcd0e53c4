# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command line: up, down, status, clean, releases, load, demo."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys

from . import releases, services
from .errors import LabError
from .lab import Lab


async def run_load(base_url: str, rate: float, seconds: float | None) -> int:
    """Send load until `seconds` are over or a signal comes; print the tally as JSON."""
    from .load import Tally, run

    stopped, tally = asyncio.Event(), Tally()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if seconds is not None:
        loop.call_later(seconds, stopped.set)
    await run(base_url, rate, stopped, tally)
    print(json.dumps(tally.as_dict()))
    return 0 if tally.failed == 0 else 1


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="sluice_lab", description="The embedded lab.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start PostgreSQL, Valkey and PM2, build the releases")
    commands.add_parser("down", help="stop them, keep everything")
    commands.add_parser("clean", help="stop them and remove .lab")
    commands.add_parser("status", help="say what runs; exit status 1 unless all do")
    commands.add_parser("releases", help="list the sample application's releases")
    commands.add_parser("demo", help="play the story of three deploys")
    load = commands.add_parser("load", help="send requests by the clock, print a tally as JSON")
    load.add_argument("--url", help="default: the lab's application")
    load.add_argument("--rate", type=float, default=50, help="requests a second (default 50)")
    load.add_argument("--seconds", type=float, help="default: until SIGINT or SIGTERM")
    return parser.parse_args()


def act(arguments: argparse.Namespace, lab: Lab) -> int:
    """Do what the command line asks for; return the exit status."""
    match arguments.command:
        case "up":
            services.up(lab)
        case "down":
            services.down(lab)
        case "clean":
            services.down(lab)
            lab.remove()
        case "status":
            return 0 if services.status(lab) else 1
        case "releases":
            for release in releases.catalogue(lab.project / "lab" / "releases").values():
                print(f"{release.version}  {release.story}")
        case "load":
            url = arguments.url or f"http://127.0.0.1:{lab.facts().app_port}"
            return asyncio.run(run_load(url, arguments.rate, arguments.seconds))
        case "demo":
            from .demo import tell

            return asyncio.run(tell(lab))
    return 0


def main() -> int:
    """Run one command; an error is one line on standard error and exit status 1."""
    try:
        return act(parse(), Lab())
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. What was begun is left as it is; the same command goes on from there.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
