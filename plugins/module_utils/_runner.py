# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, NamedTuple, Protocol
from urllib.parse import quote, quote_plus, unquote, urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

REDACTED = "********"

# How long a process group may take to end by itself after SIGTERM, in seconds.
KILL_GRACE = 3.0

# Seconds between two looks at how much a program has written, where that is limited.
_LOOK = 0.05

# user:password@ of any URL. The user may be empty (redis://:password@host).
_URL_PASSWORD = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s:/?#@]*:)([^\s/@]+)(@)")


# What runs now, perhaps for a thread that nobody waits for any more.
_alive: set[subprocess.Popen[bytes]] = set()


@atexit.register
def _end_alive() -> None:
    """Leave no program running alone when this process ends before it."""
    for process in tuple(_alive):
        end_process_group(process, grace=0.5)


class Completed(NamedTuple):
    """What a finished process left behind. ``seconds`` is its wall time."""

    rc: int
    stdout: str
    stderr: str
    seconds: float


class CommandRunner(Protocol):
    """Runs one program to its end."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
    ) -> Completed: ...


def secret_forms(secrets: Iterable[str]) -> list[str]:
    """Return every spelling under which the secrets can show up in text, longest first.

    A secret that is a URL is also known by its password alone, for servers and drivers quote just that.
    """
    forms: set[str] = set()
    for secret in secrets:
        plain = {secret}
        if "://" in secret:
            try:
                password = urlsplit(secret).password
            except ValueError:
                password = None
            if password:
                plain |= {password, unquote(password)}
        for form in plain:
            forms |= {
                form,
                quote(form, safe=""),
                quote(form),
                quote_plus(form),
                json.dumps(form)[1:-1],
                repr(form)[1:-1],
            }
            # Inside single quotes a shell spells a quote differently.
            forms.add(shlex.quote(form).strip("'"))
    return sorted((form for form in forms if form), key=lambda form: (-len(form), form))


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with every secret, and the password of every URL, replaced by ``********``."""
    for form in secret_forms(secrets):
        text = text.replace(form, REDACTED)
    return _URL_PASSWORD.sub(rf"\g<1>{REDACTED}\g<3>", text)


def tail(text: str, lines: int = 20) -> str:
    """Return the last lines of the text: what an error shows of a long output."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


class SubprocessRunner:
    """Runs programs without a shell, each in a process group of its own; their output comes back redacted.

    ``secrets`` are the values that no output may show. The environment of a process is ``base_env`` (default: the
    environment of this one) and on top of it the ``env`` of the call. A program that writes more than ``max_output``
    bytes is ended, and SluiceError raised.
    """

    def __init__(
        self,
        secrets: Iterable[str] = (),
        base_env: Mapping[str, str] | None = None,
        max_output: int | None = None,
    ) -> None:
        self.secrets = tuple(secrets)
        self.max_output = max_output
        self.base_env = dict(os.environ if base_env is None else base_env)

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """Run ``argv`` to its end and return what it left; a non-zero exit status is no error here.

        ``timeout`` in seconds: then the whole process group is ended and SluiceError raised, with what was seen in
        its fields ``stdout``, ``stderr`` and ``seconds``. SluiceError as well when the program cannot be started.
        """
        started = time.monotonic()
        # Files, not pipes: a daemon that the program leaves behind may keep them open without keeping us waiting.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as feed:
            if stdin is not None:
                feed.write(stdin.encode())
                feed.seek(0)
            process = self._start(argv, cwd, {**self.base_env, **(env or {})}, out, err, feed)
            _alive.add(process)
            try:
                self._wait(process, self._name(argv), timeout, (out, err))
            except subprocess.TimeoutExpired as late:
                end_process_group(process)
                seconds = time.monotonic() - started
                stdout, stderr = self._text(out), self._text(err)
                seen = tail(stderr, 5) or tail(stdout, 5) or "nothing"
                raise SluiceError(
                    f"finish {self._name(argv)}",
                    f"it was ended after {seconds:.1f} s (limit {timeout:g} s); the last it wrote was: {seen}",
                    stdout=stdout,
                    stderr=stderr,
                    seconds=round(seconds, 3),
                ) from late
            except BaseException:
                # Whatever stops us (a signal, an interrupt) must not leave the program running alone.
                end_process_group(process)
                raise
            finally:
                _alive.discard(process)
            return Completed(process.returncode, self._text(out), self._text(err), time.monotonic() - started)

    def _wait(
        self, process: subprocess.Popen[bytes], name: str, timeout: float | None, streams: Sequence[IO[bytes]]
    ) -> None:
        """Wait for the program's end. Raises subprocess.TimeoutExpired, and SluiceError when it writes too much."""
        if self.max_output is None:
            process.wait(timeout)
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        ended = False
        while not ended:
            left = _LOOK if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(name, timeout or 0.0)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(_LOOK, left))
                ended = True
            if max(os.fstat(stream.fileno()).st_size for stream in streams) > self.max_output:
                raise SluiceError(f"run {name}", f"it wrote more than {self.max_output / 1024**2:g} MB")

    def _start(
        self,
        argv: Sequence[str],
        cwd: str | None,
        env: Mapping[str, str],
        out: IO[bytes],
        err: IO[bytes],
        feed: IO[bytes],
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                list(argv), cwd=cwd, env=env, stdin=feed, stdout=out, stderr=err, start_new_session=True
            )
        except FileNotFoundError as error:
            if cwd is not None and not os.path.isdir(cwd):
                raise SluiceError(f"run {self._name(argv)}", f"the directory {cwd} does not exist") from error
            raise SluiceError(
                f"run {self._name(argv)}",
                "there is no such program",
                f"Install it, or add its directory to the path, which is {env.get('PATH', '')}",
            ) from error
        except OSError as error:
            raise SluiceError(f"run {self._name(argv)}", error.strerror or str(error)) from error

    def _name(self, argv: Sequence[str]) -> str:
        """The program's name alone: its arguments are nobody's business in a message."""
        return redact(str(argv[0]), self.secrets)

    def _text(self, stream: IO[bytes]) -> str:
        stream.seek(0)
        return redact(stream.read().decode(errors="replace"), self.secrets)


def end_process_group(process: subprocess.Popen[bytes], grace: float = KILL_GRACE) -> None:
    """End the process and everything in its group: SIGTERM, then SIGKILL after ``grace`` seconds."""
    for number, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            continue
    # The leader may have gone at the first signal while one of its children did not listen.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
