# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks of the application's processes: restarts, memory and its growth, processor time, age."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.sluice.release.plugins.module_utils import _proc
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner, tail
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample, seconds
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._growth import Growth
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    EXPECT,
    VALUE,
    WINDOW,
    Begin,
    Kind,
    Raw,
    found_sample,
    one_line,
    state_sample,
    value_problems,
)
from ansible_collections.sluice.release.plugins.module_utils.preflight._port import pm2_pids
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2 import Pm2

_MB = 1024 * 1024

_VALUES = (
    "running", "instances", "restarts", "restarts_total", "memory_mb", "memory_largest_mb", "memory_growth_mb_per_h",
    "cpu_pct", "uptime_seconds",
)  # fmt: skip

_UNITS = {"_mb": "MB", "_mb_per_h": "MB/h", "_pct": "%", "_seconds": "s"}

# Over less than this, in seconds, memory goes up and down for reasons of its own.
LEAST_GROWTH_WINDOW = 60.0

_SOURCES = ("process", "pid_file", "systemd_unit")


@dataclass(frozen=True)
class Root:
    """One instance of the application as its manager knows it."""

    key: str
    """Of the manager: it outlives restarts."""
    pid: int
    """0: it does not run."""
    restarts: int | None = None
    """As the manager counts them. None: nobody counts."""
    status: str = "running"


@dataclass(frozen=True)
class Instance:
    """One instance of the application at one moment. It is all of its processes: itself and those below it."""

    key: str
    status: str
    restarts: int | None
    members: tuple[_proc.Process, ...] = ()
    """Itself first; empty when it does not run."""
    age: float = 0.0

    @property
    def memory(self) -> float:
        """MB of all of them; what they share counts for each."""
        return sum(member.memory for member in self.members) / _MB

    @property
    def identity(self) -> tuple[int, int] | None:
        """What changes when it is started anew."""
        return (self.members[0].pid, self.members[0].started) if self.members else None


@dataclass(frozen=True)
class Answer:
    """The instances of the application, or why they are not known."""

    instances: tuple[Instance, ...] = ()
    error: str = ""

    @property
    def alive(self) -> list[Instance]:
        return [instance for instance in self.instances if instance.members]


@dataclass
class _Listed:
    """What PM2 has listed, and what was true of its processes then."""

    state: object = None
    roots: tuple[Root, ...] = ()


@dataclass(frozen=True)
class Processes:
    """The processes under one name. Checks of one name share a look at them."""

    process: str | None = None
    """As PM2 names it."""
    pm2_home: str = ""
    path_prepend: tuple[str, ...] = ()
    pid_file: str | None = None
    unit: str | None = None
    timeout: float = 5.0
    _listed: _Listed = field(default_factory=_Listed, compare=False, repr=False)

    def ask(self) -> Answer:
        """Look once. Whatever is wrong with the processes or their manager never raises."""
        try:
            roots = self._of_pm2() if self.process else self._of_systemd() if self.unit else self._of_file()
            processes = {one.pid: one for one in _proc.processes()}
        except SluiceError as error:
            return Answer(error=one_line(error.cause))
        except OSError as error:
            return Answer(error=f"{error.filename or 'the processes'} cannot be read ({error.strerror})")
        return Answer(tuple(self._instance(root, processes) for root in roots))

    @staticmethod
    def _instance(root: Root, processes: Mapping[int, _proc.Process]) -> Instance:
        members = tuple(_proc.family(root.pid, processes))
        status = root.status if members or root.status != "running" else "not running"
        return Instance(root.key, status, root.restarts, members, _proc.age(members[0]) if members else 0.0)

    def _of_file(self) -> tuple[Root, ...]:
        path = str(self.pid_file)
        try:
            with open(path, encoding="ascii") as stream:
                return (Root(path, int(stream.read().strip())),)
        except FileNotFoundError:
            return (Root(path, 0, status="not running, for there is no pid file"),)
        except ValueError as error:
            raise SluiceError(f"read {path}", f"{path} holds no pid") from error

    def _of_systemd(self) -> tuple[Root, ...]:
        argv = ["systemctl", "show", "--property=LoadState,ActiveState,MainPID,NRestarts", "--", str(self.unit)]
        done = SubprocessRunner()(argv, env={"LC_ALL": "C"}, timeout=self.timeout)
        if done.rc != 0:
            raise SluiceError("ask systemd", tail(done.stderr, 1) or f"systemctl ended with {done.rc}")
        return (unit_root(str(self.unit), done.stdout),)

    def _of_pm2(self) -> tuple[Root, ...]:
        # Asking PM2 costs half a second of processor time. What it would say changes only when a process comes or
        # goes, and that can be seen for next to nothing.
        name, listed = str(self.process), self._listed
        daemon, pids = pm2_pids(self.pm2_home, name)
        alive = all(os.path.isdir(f"/proc/{root.pid}") for root in listed.roots if root.pid)
        state = (daemon, tuple(pids))
        if listed.state != state or not listed.roots or not alive:
            listed.roots = self._list(name)
            listed.state = state
        return listed.roots

    def _list(self, name: str) -> tuple[Root, ...]:
        path = os.pathsep.join([*self.path_prepend, os.environ.get("PATH", os.defpath)])
        pm2 = Pm2(
            SubprocessRunner(base_env={}),
            home=self.pm2_home,
            user_home=os.path.expanduser("~"),
            path=path,
            patience=self.timeout,
        )
        if not pm2.running():
            raise SluiceError("list the processes", f"the PM2 daemon of {self.pm2_home} does not run")
        found = pm2.processes(name)
        if not found:
            raise SluiceError("list the processes", f"PM2 has no process {name}")
        words = {"online": "running"}
        return tuple(
            Root(f"pm2 {it.id}", it.pid if it.alive else 0, it.restarts, words.get(it.status, it.status))
            for it in found
        )


def unit_root(unit: str, text: str) -> Root:
    """Read what `systemctl show` printed. SluiceError when there is no such unit."""
    told = dict(line.partition("=")[::2] for line in text.splitlines())
    if told.get("LoadState") == "not-found":
        raise SluiceError("ask systemd", f"systemd has no unit {unit}")
    active = told.get("ActiveState", "unknown")
    status = "running" if active == "active" else active
    restarts = told.get("NRestarts", "")
    return Root(unit, int(told.get("MainPID") or 0), int(restarts) if restarts.isdigit() else None, status)


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """The slope of the line that lies nearest to the points by least squares. None: they have no extent.

    statistics.linear_regression does the same from Python 3.10 on.
    """
    mean_x = sum(x for x, _y in points) / len(points)
    mean_y = sum(y for _x, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _y in points)
    if not spread:
        return None
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


class _Process:
    """A check whose value one look yields."""

    def __init__(self, check: Check, value: str) -> None:
        self.check, self.value = check, value

    def sample(self, t: float, answer: Answer) -> Sample | None:
        if answer.error:
            return Sample(t, None, f"is not known ({answer.error})")
        if self.value == "running":
            return self._state(t, answer)
        if self.value == "instances":
            return found_sample(self.check, t, len(answer.alive), "instances")
        if self.value == "restarts_total":
            counts = [instance.restarts for instance in answer.instances if instance.restarts is not None]
            return (
                Sample(t, sum(counts) * self.check.scale) if counts else Sample(t, None, "nobody counts its restarts")
            )
        if not answer.alive and self.value != "restarts":
            return Sample(t, None, "does not run")
        return self.measured(t, answer)

    def measured(self, t: float, answer: Answer) -> Sample | None:
        """The sample of a look at something that runs."""
        number = {
            "memory_mb": lambda: sum(instance.memory for instance in answer.alive),
            "memory_largest_mb": lambda: max(instance.memory for instance in answer.alive),
            "uptime_seconds": lambda: min(instance.age for instance in answer.alive),
        }[self.value]()
        return Sample(t, number * self.check.scale)

    def _state(self, t: float, answer: Answer) -> Sample:
        wrong = sorted({instance.status for instance in answer.instances if instance.status != "running"})
        few = f"{len(answer.alive)} of {len(answer.instances)} instances run"
        return state_sample(self.check, t, " and ".join(wrong) or "running", f"is {', '.join(wrong)}; {few}")


class _Restarts(_Process):
    """Restarts since the gate began: as the manager counts them, or as they can be seen, whichever is more."""

    def __init__(self, check: Check, value: str) -> None:
        super().__init__(check, value)
        self._counted, self._seen = Growth(check.limits.grace), Growth(check.limits.grace)
        self._identities: dict[str, tuple[int, int]] = {}
        self._changes: dict[str, float] = {}

    def measured(self, t: float, answer: Answer) -> Sample | None:
        for instance in answer.instances:
            before, now = self._identities.get(instance.key), instance.identity
            changed = before is not None and now is not None and before != now
            self._changes[instance.key] = self._changes.get(instance.key, 0.0) + changed
            if now:
                self._identities[instance.key] = now
        counts = {it.key: float(it.restarts) for it in answer.instances if it.restarts is not None}
        counted, seen = self._counted.add(t, counts), self._seen.add(t, self._changes)
        if counted is None or seen is None:
            return None
        return Sample(t, max(counted, seen) * self.check.scale)


class _MemoryGrowth(_Process):
    def __init__(self, check: Check, value: str) -> None:
        super().__init__(check, value)
        self._seen: deque[tuple[float, float]] = deque()
        self._who: set[tuple[int, int] | None] = set()

    def measured(self, t: float, answer: Answer) -> Sample | None:
        check = self.check
        who = {instance.identity for instance in answer.alive}
        # Another process has another memory, and a warm-up fills it: neither is growth.
        if who != self._who:
            self._who = who
            self._seen.clear()
        if t < check.limits.grace:
            return None
        self._seen.append((t, sum(instance.memory for instance in answer.alive)))
        while self._seen[0][0] < t - check.window:
            self._seen.popleft()
        # A look may come a little late, so the window counts as full at nine tenths.
        full = t - self._seen[0][0] >= 0.9 * check.window
        found = slope(self._seen) if full and len(self._seen) > 2 else None
        return None if found is None else Sample(t, found * 3600 * check.scale)


class _Cpu(_Process):
    def __init__(self, check: Check, value: str) -> None:
        super().__init__(check, value)
        self._seen: deque[tuple[float, dict[tuple[int, int], float]]] = deque()

    def measured(self, t: float, answer: Answer) -> Sample | None:
        check = self.check
        used = {(it.pid, it.started): it.cpu for instance in answer.alive for it in instance.members}
        self._seen.append((t, used))
        grace = check.limits.grace
        # The look that the window begins at stays, to be compared with. It never lies in a warm-up that is over.
        while len(self._seen) > 1 and (self._seen[1][0] <= t - check.window or self._seen[0][0] < grace <= t):
            self._seen.popleft()
        began, before = self._seen[0]
        if t <= began:
            return None
        # All that a process used which was not there before, it has used since.
        spent = sum(cpu - before.get(who, 0.0) for who, cpu in used.items())
        return Sample(t, 100.0 * max(0.0, spent) / (t - began) * check.scale)


_MEASURES: dict[str, Callable[[Check, str], _Process]] = {
    "restarts": _Restarts,
    "memory_growth_mb_per_h": _MemoryGrowth,
    "cpu_pct": _Cpu,
}


def _problems(raw: Raw, gate: Raw) -> Iterator[str]:
    given = [option for option in _SOURCES if raw[option]]
    if len(given) != 1:
        yield f"it needs one of {', '.join(_SOURCES)}" + (f", not {' and '.join(given)}" if given else "")
    for option in ("pm2_home", "path_prepend"):
        if raw[option] and not raw["process"]:
            yield f"{option} goes with process"
    yield from value_problems(raw, _VALUES)
    if raw["value"] == "restarts_total" and raw["pid_file"]:
        yield "nobody counts the restarts behind a pid_file; use restarts"
    if raw["value"] == "memory_growth_mb_per_h":
        judged = gate["duration"] - (gate["grace"] if raw["grace"] is None else raw["grace"])
        if raw["window"] < LEAST_GROWTH_WINDOW:
            yield f"growth of memory means nothing within {seconds(raw['window'])}; set window to at least 60"
        elif raw["window"] > judged:
            yield f"its window of {seconds(raw['window'])} is longer than the {seconds(judged)} that are judged"


def _target(raw: Raw, _gate: Raw) -> Processes:
    if not raw["process"]:
        return Processes(pid_file=raw["pid_file"], unit=raw["systemd_unit"], timeout=raw["timeout"])
    # Where PM2 itself looks when nobody tells it.
    home = raw["pm2_home"] or os.environ.get("PM2_HOME") or os.path.expanduser("~/.pm2")
    return Processes(raw["process"], home, tuple(raw["path_prepend"]), timeout=raw["timeout"])


def _begin(raw: Raw) -> Begin:
    value = raw["value"]
    return lambda check, _begun: _MEASURES.get(value, _Process)(check, value)


def _two_looks(raw: Raw) -> str:
    return str(raw["value"]) if raw["value"] in _MEASURES else ""


KIND = Kind(
    options={
        **VALUE,
        **WINDOW,
        **EXPECT,
        "systemd_unit": {"type": "str"},
        "process": {"type": "str"},
        "pm2_home": {"type": "path"},
        "path_prepend": {"type": "list", "elements": "path", "default": []},
        "pid_file": {"type": "path"},
    },
    target=_target,
    begin=_begin,
    problems=_problems,
    unit=lambda raw: next((unit for ending, unit in _UNITS.items() if raw["value"].endswith(ending)), ""),
    direction=lambda raw: "below" if raw["value"] in ("instances", "uptime_seconds") else "above",
    state=lambda raw: "running" if raw["value"] == "running" else None,
    stated_by="value=running",
    two_looks=_two_looks,
)
