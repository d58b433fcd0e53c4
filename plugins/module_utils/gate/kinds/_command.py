# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Checks by a program of their own: how it ends, or what its JSON says."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner, redact, tail
from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Sample
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import (
    EXPECT,
    Begin,
    Kind,
    NotFoundError,
    Raw,
    found_sample,
    jmespath_problems,
    one_line,
    search,
)

MAX_OUTPUT = 8 * 1024 * 1024
"""Bytes that a program may write: a report of an audit has room in it, and a host's memory and disk are kept."""

# Of clocks of file systems, in seconds.
_CLOCK_STEP = 2.0


@dataclass(frozen=True)
class Answer:
    """How a program ended and what it wrote, or why it did not."""

    rc: int = -1
    output: bytes = b""
    said: str = ""
    """The end of what it wrote for people."""
    error: str = ""


@dataclass(frozen=True)
class Program:
    """One run of a program, without a shell. Checks with equal programs share its answers."""

    argv: tuple[str, ...]
    chdir: str | None = None
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    path_prepend: tuple[str, ...] = ()
    output_file: str | None = None
    timeout: float = 5.0

    def ask(self) -> Answer:
        """Run it to its end, or end it and all that it has started when its time is over. Never raises."""
        path = os.pathsep.join([*self.path_prepend, os.environ.get("PATH", os.defpath)])
        runner = SubprocessRunner(self.secrets, max_output=MAX_OUTPUT)
        begun = time.time()
        try:
            done = runner(
                # `env` looks the program up by the PATH that it is given; we ourselves have another.
                ["/usr/bin/env", "--", *self.argv] if os.sep not in self.argv[0] else self.argv,
                cwd=self.chdir,
                env={"PATH": path, **dict(self.environment)},
                timeout=self.timeout,
            )
            output = self._written(begun) if self.output_file else done.stdout.encode()
        except SluiceError as error:
            return Answer(error=one_line(error.cause))
        said = tail(done.stderr, 3) or tail(done.stdout, 3)
        return Answer(done.rc, output, one_line(said)[:200])

    def _written(self, begun: float) -> bytes:
        """What it has left in its file. What an earlier run left there is no answer."""
        path = os.path.join(self.chdir or "", str(self.output_file))
        try:
            with open(path, "rb") as stream:
                status = os.fstat(stream.fileno())
                if status.st_mtime < begun - _CLOCK_STEP:
                    raise SluiceError("read its output", f"it has not written {path} anew")
                if status.st_size > MAX_OUTPUT:
                    raise SluiceError("read its output", f"{path} is larger than {MAX_OUTPUT // 1024**2} MB")
                return redact(stream.read().decode(errors="replace"), self.secrets).encode()
        except OSError as error:
            raise SluiceError("read its output", f"{path} cannot be read ({error.strerror})") from error


class _Command:
    def __init__(self, check: Check, query: str | None, statuses: tuple[int, ...]) -> None:
        self.check, self.query, self.statuses = check, query, statuses

    def sample(self, t: float, answer: Answer) -> Sample:
        fault = self._fault(answer)
        if self.query is None:
            # A program that cannot be run or ended is wrong, not missing data: it is what was asked about.
            return Sample(t, float(answer.rc), fault, good=not fault)
        if fault:
            return Sample(t, None, fault)
        try:
            found = search(self.query, answer.output)
        except NotFoundError as error:
            return Sample(t, None, str(error).replace("its answer", "its output", 1))
        if found is None:
            return Sample(t, None, f"its output has no {self.query}")
        return found_sample(self.check, t, found, self.query)

    def _fault(self, answer: Answer) -> str:
        if answer.error:
            return f"could not be run to its end ({answer.error})"
        if answer.rc not in self.statuses:
            said = f" and said: {answer.said}" if answer.said else ""
            return f"ended with status {answer.rc} instead of {', '.join(map(str, self.statuses))}{said}"
        return ""


def _problems(raw: Raw, _gate: Raw) -> Iterator[str]:
    if not raw["argv"] or not raw["argv"][0]:
        yield "it has no argv, the program and its arguments"
    if not raw["rc"]:
        yield "rc is empty"
    if raw["query"]:
        yield from jmespath_problems("query", raw["query"])
    elif raw["output_file"]:
        yield "output_file needs a query that reads it"


def _target(raw: Raw, _gate: Raw) -> Program:
    secret = {str(name): str(value) for name, value in (raw["secret_environment"] or {}).items()}
    return Program(
        argv=tuple(raw["argv"]),
        chdir=raw["chdir"],
        environment=(*_pairs(raw["environment"]), *secret.items()),
        secrets=tuple(filter(None, secret.values())),
        path_prepend=tuple(raw["path_prepend"]),
        output_file=raw["output_file"],
        timeout=raw["timeout"],
    )


def _pairs(variables: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in (variables or {}).items())


def _begin(raw: Raw) -> Begin:
    query, statuses = raw["query"], tuple(raw["rc"])
    return lambda check, _begun: _Command(check, query, statuses)


KIND = Kind(
    options={
        **EXPECT,
        "argv": {"type": "list", "elements": "str"},
        "chdir": {"type": "path"},
        "environment": {"type": "dict", "default": {}},
        "secret_environment": {"type": "dict", "no_log": True},
        "path_prepend": {"type": "list", "elements": "path", "default": []},
        "rc": {"type": "list", "elements": "int", "default": [0]},
        "output_file": {"type": "path"},
        "query": {"type": "str"},
    },
    target=_target,
    begin=_begin,
    problems=_problems,
    state=lambda raw: None if raw["query"] else ", ".join(map(str, raw["rc"])),
    stated_by="a command without a query",
    libraries=lambda raw: {"jmespath"} if raw["query"] else set(),
)
