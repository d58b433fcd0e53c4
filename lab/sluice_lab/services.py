# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's servers as one: up, down, status."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from . import binaries, releases
from .errors import LabError
from .lab import Facts, Lab
from .pm2 import Pm2
from .postgres import Postgres
from .valkey import Valkey


class Service(Protocol):
    """A server of the lab."""

    @property
    def name(self) -> str: ...

    @property
    def pid(self) -> int | None: ...

    @property
    def address(self) -> str: ...

    def start(self) -> bool: ...

    def stop(self) -> bool: ...


def services(lab: Lab, facts: Facts) -> Sequence[Service]:
    """Return the servers in the order in which they start."""
    return (Postgres(lab, facts), Valkey(lab, facts), Pm2(lab))


@contextmanager
def alone(lab: Lab) -> Iterator[None]:
    """Keep a second `make lab` or `make demo` out while this one changes the servers."""
    with (lab.state / "lab.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError("change the lab", "another run is starting or stopping it", "Wait for its end") from error
        yield


def up(lab: Lab) -> Facts:
    """Bring up every server and build every release, saying what was done and in how many seconds."""
    facts = lab.prepare()
    with alone(lab):
        binaries.lay_out(lab)
        for service in services(lab, facts):
            began = time.monotonic()
            started = service.start()
            said = f"started in {time.monotonic() - began:.1f} s" if started else "running"
            print(f"  {service.name:<12} {said:<18} pid {service.pid}  {service.address}", flush=True)
        source = lab.project / "lab"
        built = releases.build_all(source / "app", source / "releases", lab.releases)
        print(f"  {'releases':<12} {f'{len(built)} built' if built else 'up to date':<18} {lab.releases}", flush=True)
    return facts


def down(lab: Lab) -> None:
    """Stop every server, the last started first."""
    # The facts are written before anything starts: without them nothing runs.
    if not lab.facts_file.exists():
        print("  no lab here")
        return
    with alone(lab):
        for service in reversed(services(lab, lab.facts())):
            print(f"  {service.name:<12} {'stopped' if service.stop() else 'was not running'}", flush=True)


def status(lab: Lab) -> bool:
    """Print how each server is; return whether all run."""
    running = True
    for service in services(lab, lab.facts()):
        pid = service.pid
        running = running and pid is not None
        print(f"  {service.name:<12} {f'running, pid {pid}' if pid else 'not running':<18} {service.address}")
    return running
