# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, tail
from ansible_collections.sluice.release.plugins.module_utils.postgres._client import Connect, DatabaseError
from ansible_collections.sluice.release.plugins.module_utils.postgres._dump import mebibytes
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl

_DOING = "start a throw-away server"
_PREFIX = "sluice-scratch-"
_LOCK, _DATA, _LOG = "lock", "data", "server.log"
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")

# Nobody connects to it but us, over a socket in a directory that nobody else may enter; so the port is but a name.
_PORT = "5432"
_SUPERUSER = "sluice"

# Longest path that a socket's address holds, see unix(7).
_SOCKET_BYTES = 107

# Seconds for it to start, and to stop.
_START, _STOP = 60.0, 15.0

# The data is thrown away: durability would only cost time.
_SETTINGS = {
    "listen_addresses": "",
    "port": _PORT,
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "autovacuum": "off",
    "maintenance_work_mem": "128MB",
    "max_connections": "40",
}


@dataclass(frozen=True)
class Throwaway:
    """What a person says of a throw-away server. ``path`` holds its data; default: the system's temporary directory."""

    user: Optional[str] = None
    path: Optional[str] = None
    bin_path: Optional[str] = None


def find_server(least: int, bin_path: Optional[str], runner: CommandRunner) -> str:
    """Return the directory of a server's programs, of the oldest major version that is at least ``least``."""
    if bin_path:
        places = [bin_path]
    else:
        on_path = shutil.which("postgres")
        places = [os.path.dirname(on_path)] if on_path else []
        places += sorted(place for pattern in _PLACES for place in glob.glob(pattern))
    found: dict[int, str] = {}
    for place in places:
        if all(os.access(os.path.join(place, name), os.X_OK) for name in ("initdb", "postgres")):
            version = _VERSION.search(runner([os.path.join(place, "postgres"), "--version"], timeout=20).stdout)
            if version:
                found.setdefault(int(version[1]), place)
    fitting = sorted(major for major in found if major >= least)
    if not fitting:
        seen = ", ".join(f"{major} in {place}" for major, place in sorted(found.items())) or "none"
        raise SluiceError(
            _DOING,
            f"it needs initdb and postgres of version {least} or newer; found: {seen}"
            + (f" (only {bin_path} was looked at)" if bin_path else ""),
            f"Install postgresql-{least}, or set bin_path to a directory that has them",
        )
    return found[fitting[0]]


@contextlib.contextmanager
def throwaway_server(
    wanted: Throwaway, least: int, needed_bytes: int, connect: Connect, runner: CommandRunner
) -> Iterator[DatabaseUrl]:
    """Run a server of our own as long as the block lasts, and give the URL of its superuser.

    It listens on a Unix socket in a directory of mode 0700, and that directory is all that there is of it. It dies with
    this process; the directory that a killed process leaves is removed by the next one. ``least``: its oldest major
    version. ``needed_bytes``: what will be restored into it. Raises SluiceError.
    """
    bin_path = find_server(least, wanted.bin_path, runner)
    user, prefix = _identity(wanted.user)
    place = os.path.abspath(wanted.path or tempfile.gettempdir())
    if not os.path.isdir(place):
        raise SluiceError(_DOING, f"{place} is no directory", "Correct scratch_path")
    remove_leftovers(place)
    _check_space(place, needed_bytes)
    home = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
    try:
        # As long as we live the lock says that the directory is in use.
        with open(os.path.join(home, _LOCK), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.write("in use\n")
            lock.flush()
            if user:
                shutil.chown(home, user.pw_uid, user.pw_gid)
            _initialise(bin_path, home, prefix, runner)
            with _running(bin_path, home, prefix, connect) as url:
                yield url
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _identity(name: Optional[str]) -> tuple[Optional[pwd.struct_passwd], list[str]]:
    """Return the user that the server runs as (None: ours), and the command that becomes that user."""
    setpriv = shutil.which("setpriv")
    # So that the server ends with us, whatever ends us.
    dies = [setpriv, "--pdeathsig", "QUIT"] if setpriv else []
    me = os.geteuid()
    if name is None:
        if me == 0:
            raise SluiceError(
                _DOING,
                "PostgreSQL refuses to run as root",
                "Set scratch_user to a user without privileges, such as postgres",
            )
        return None, dies
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise SluiceError(_DOING, f"there is no user {name}", "Correct scratch_user") from None
    if user.pw_uid == me and me != 0:
        return None, dies
    if user.pw_uid == 0:
        raise SluiceError(_DOING, "PostgreSQL refuses to run as root", "Set scratch_user to a user without privileges")
    if me != 0:
        raise SluiceError(_DOING, f"only root may run it as {name}", "Leave scratch_user out, or use become")
    if not setpriv:
        raise SluiceError(_DOING, "there is no program setpriv to change the user with", "Install util-linux")
    return user, [*dies, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _check_space(place: str, needed: int) -> None:
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    if free < needed:
        raise SluiceError(
            _DOING,
            f"{place} has {mebibytes(free)} free, and the data needs {mebibytes(needed)}",
            "Free space, or set scratch_path to a directory that has it",
        )


def _initialise(bin_path: str, home: str, prefix: Sequence[str], runner: CommandRunner) -> None:
    if len(os.fsencode(f"{home}/.s.PGSQL.{_PORT}")) > _SOCKET_BYTES:
        raise SluiceError(_DOING, f"{home} is too long a path for a Unix socket", "Set scratch_path to a shorter one")
    initdb = [
        os.path.join(bin_path, "initdb"),
        f"--pgdata={os.path.join(home, _DATA)}",
        f"--username={_SUPERUSER}",
        # Whoever can reach the socket could read the files as well.
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]
    done = runner([*prefix, *initdb], cwd="/", env={"LC_ALL": "C"}, timeout=_START)
    if done.rc != 0:
        raise SluiceError(
            _DOING, f"initdb ended with status {done.rc} and said: {tail(done.stderr, 3) or tail(done.stdout, 3)}"
        )


@contextlib.contextmanager
def _running(bin_path: str, home: str, prefix: Sequence[str], connect: Connect) -> Iterator[DatabaseUrl]:
    log = os.path.join(home, _LOG)
    settings = {**_SETTINGS, "unix_socket_directories": home}
    argv = [*prefix, os.path.join(bin_path, "postgres"), "-D", os.path.join(home, _DATA)]
    argv += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with open(log, "wb") as out:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd="/",
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,
        )
    try:
        url = DatabaseUrl(host=home, port=_PORT, user=_SUPERUSER, database="postgres")
        _await(url, process, log, connect)
        yield url
    finally:
        # SIGQUIT: at once, for nothing in it is worth a checkpoint.
        for number in (signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP)
                break


def _await(url: DatabaseUrl, process: subprocess.Popen[bytes], log: str, connect: Connect) -> None:
    deadline = time.monotonic() + _START
    while True:
        try:
            with connect(url):
                return
        except DatabaseError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                with open(log, encoding="utf-8", errors="replace") as stream:
                    said = tail(stream.read(), 3)
                raise SluiceError(_DOING, f"it does not answer ({error.cause}); it said: {said}") from error
        time.sleep(0.05)


def remove_leftovers(place: str) -> None:
    """Stop the servers of killed runs and remove what they left."""
    for lock in glob.glob(os.path.join(glob.escape(place), _PREFIX + "*", _LOCK)):
        home = os.path.dirname(lock)
        # One of another user, or one that is in use, is none of our business.
        with contextlib.suppress(OSError), open(lock, encoding="ascii") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # An empty one is about to be locked.
            if stream.read(1):
                _end_server(home)
                shutil.rmtree(home, ignore_errors=True)


def _end_server(home: str) -> None:
    """End the server of a directory, if it still runs."""
    with contextlib.suppress(OSError, ValueError):
        data = os.path.join(home, _DATA)
        with open(os.path.join(data, "postmaster.pid"), encoding="ascii") as stream:
            pid = int(stream.readline())
        deadline = time.monotonic() + _STOP
        # The number may belong to another process by now; a server works in its data directory.
        while os.path.realpath(os.readlink(f"/proc/{pid}/cwd")) == os.path.realpath(data):
            os.kill(pid, signal.SIGQUIT if time.monotonic() < deadline else signal.SIGKILL)
            time.sleep(0.05)
