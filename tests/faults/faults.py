# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults: each a class that strikes, and mends what it has done when the run has ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import needs
from sluice_lab import services
from sluice_lab.lab import clean_environment
from sluice_lab.postgres import Postgres
from sluice_lab.processes import command_line
from sluice_lab.valkey import Valkey
from world import World, kill_controller, pids, wait_for

HOUR = 3600


class Fault(ABC):
    """What happens to a run of a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def environment(self) -> Mapping[str, str]:
        """What the run must be started with, so that the fault can strike."""
        return {}

    @abstractmethod
    def strike(self, process: subprocess.Popen[str] | None) -> None:
        """Let it happen; `process` is the run, None before it has begun."""

    def mend(self) -> None:  # noqa: B027 - most faults leave nothing that would have to be mended
        """Put the world back in order, as the operator of the machine would."""


class ControllerKilled(Fault):
    def strike(self, process: subprocess.Popen[str] | None) -> None:
        assert process is not None, "a run that has not begun cannot be killed"
        kill_controller(process)


class PowerCut(Fault):
    """Nothing gets to write anything any more. What is on the disk stays, also what a power cut would have lost."""

    def strike(self, process: subprocess.Popen[str] | None) -> None:
        assert process is not None, "a run that has not begun cannot be killed"
        # Stopped first: nothing may see that something else has died.
        victims = everything(self.world)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        process.wait()
        assert wait_for(lambda: not everything(self.world)), "everything is dead"
        # A machine that boots has no process of before it; here each stays, dead, until the first process has seen it.
        assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in victims), 60), "the dead are gone"

    def mend(self) -> None:
        """Boot: the servers start, and PM2 starts what it was told to remember, as its unit does."""
        services.up(self.world.lab)
        pm2(self.world, "resurrect")


class ServerDown(Fault):
    def __init__(self, world: World, server: type[Postgres | Valkey]) -> None:
        super().__init__(world)
        self.server = server(world.lab, world.facts)

    def strike(self, process: subprocess.Popen[str] | None) -> None:
        assert self.server.stop(), f"{self.server.name} was running"

    def mend(self) -> None:
        self.server.start()


class DiskFull(Fault):
    @property
    def filler(self) -> Path:
        return self.world.directory / "filler"

    def strike(self, process: subprocess.Popen[str] | None) -> None:
        assert os.path.ismount(self.world.directory), "the file system is one of its own"
        with self.filler.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(2**20))

    def mend(self) -> None:
        self.filler.unlink()
        services.up(self.world.lab)


class SourceGone(Fault):
    @property
    def away(self) -> Path:
        return self.world.lab.releases.with_name("releases.away")

    def strike(self, process: subprocess.Popen[str] | None) -> None:
        self.world.lab.releases.rename(self.away)

    def mend(self) -> None:
        self.away.rename(self.world.lab.releases)


class SecondOperator(Fault):
    """Somebody else deploys, and is refused: what they would do is known to be on its way."""

    def strike(self, process: subprocess.Popen[str] | None) -> None:
        other = "1.0.0" if self.world.serving() == "1.1.0" else "1.1.0"
        run = self.world.deploy(other)
        if self.world.entries()[-1]["event"] == "closed" and run.status == 0:
            return  # The first run had ended before the second asked for the lock.
        assert run.status != 0, run.output
        assert "Cannot take the lock" in run.said, run.output


class ClockJump(Fault):
    """The clock of every program of the run; a namespace for it does not exist, so a small library stands between."""

    @property
    def jump(self) -> Path:
        return self.world.directory / "tmp" / "clock-jump"

    def environment(self) -> Mapping[str, str]:
        self.jump.write_text("0")
        return {"LD_PRELOAD": str(clock_library()), "CLOCK_JUMP": str(self.jump)}

    def strike(self, process: subprocess.Popen[str] | None) -> None:
        # In one step: a reader never sees half of the number.
        fresh = self.jump.with_suffix(".new")
        fresh.write_text(str(HOUR))
        fresh.replace(self.jump)


def fault(name: str, world: World) -> Fault:
    """Return the fault of a name in the table."""
    if name in ("database", "redis"):
        return ServerDown(world, {"database": Postgres, "redis": Valkey}[name])
    kinds: Mapping[str, type[Fault]] = {
        "controller": ControllerKilled,
        "power": PowerCut,
        "disk": DiskFull,
        "source": SourceGone,
        "operator": SecondOperator,
        "clock": ClockJump,
    }
    return kinds[name](world)


def clock_library() -> Path:
    """Return the library that shifts the clock, compiled when its source is new."""
    source = Path(__file__).with_name("clock.c")
    library = needs.ROOT / "build" / "clock.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        compiler = next((name for name in ("tcc", "cc") if shutil.which(name)), None)
        if compiler is None:
            raise needs.SetupError("Cannot make the clock jump: there is no C compiler. Install tcc.")
        library.parent.mkdir(exist_ok=True)
        needs.call(compiler, "-shared", "-o", str(library), str(source), "-ldl")
    return library


def everything(world: World) -> list[int]:
    """Return the processes of the host: those that have its home or its directories, and their children."""
    mine = str(world.directory).encode()
    found = []
    for pid in pids():
        if pid == os.getpid() or not command_line(pid):
            continue
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
            if mine in words or Path(f"/proc/{pid}/cwd").readlink().is_relative_to(world.directory):
                found.append(pid)
    return found


def pm2(world: World, *words: str) -> None:
    """Run PM2 of the lab."""
    subprocess.run(
        [str(world.lab.bin / "pm2"), *words],
        env=clean_environment(world.lab),
        cwd=world.lab.state,
        check=True,
        capture_output=True,
    )
