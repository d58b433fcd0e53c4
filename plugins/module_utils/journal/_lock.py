# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Who may release: the lock of an application on one host, ``<state dir>/lock.json``.

It is held by a token (the release id) for a run of ansible-playbook, is renewed by every entry of the journal, and
expires. ``decide`` is the whole rule, and pure; the functions under it read and write the file and must run under
``_store.writing``.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc, utc_text
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import fsync_directory

Holder = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """What a caller wants: the lock for ``ttl`` seconds. ``run`` is filled in by the action plugin."""

    token: str
    owner: str
    run: Mapping[str, Any] = field(default_factory=dict)
    ttl: float = 900.0
    takeover: str = "dead"
    reason: str = ""
    dead_token: str | None = None


@dataclass(frozen=True)
class Decision:
    """``action`` is acquire, renew, take_over or refuse; ``why`` says what made a takeover possible."""

    action: str
    why: str = ""


def is_mine(holder: Mapping[str, Any], token: str, run: Mapping[str, Any] | None = None) -> bool:
    """Return whether a claimant holds the lock. Two runs that chose the same token are still two."""
    return bool(holder.get("token") == token and (not run or not holder.get("run") or holder["run"] == dict(run)))


def has_expired(holder: Mapping[str, Any], now: float) -> bool:
    """Return whether nobody has renewed the lock in time. ``now`` in seconds since the epoch."""
    return parse_utc(holder["expires"]) <= now


def decide(holder: Mapping[str, Any] | None, claim: Claim, now: float) -> Decision:
    """Return what a claim leads to."""
    if holder is None:
        return Decision("acquire")
    if is_mine(holder, claim.token, claim.run):
        return Decision("renew")
    if claim.takeover == "always":
        return Decision("take_over", "it was asked for")
    if claim.takeover == "never":
        return Decision("refuse")
    if has_expired(holder, now):
        return Decision("take_over", f"it expired at {holder['expires']}")
    if claim.dead_token is not None and claim.dead_token == holder["token"]:
        return Decision("take_over", "the run that held it has ended")
    return Decision("refuse")


def hold(claim: Claim, previous: Mapping[str, Any] | None, now: float) -> Holder:
    """Return the holder that a granted claim makes; ``previous`` when it renews its own."""
    moment = utc_text(now)
    return {
        "token": claim.token,
        "owner": claim.owner,
        "run": dict(claim.run),
        "acquired": previous["acquired"] if previous else moment,
        "heartbeat": moment,
        "expires": utc_text(now + claim.ttl),
        "reason": claim.reason or (previous["reason"] if previous else ""),
    }


def refused(name: str, holder: Mapping[str, Any]) -> SluiceError:
    """Return the error for a claim that is refused."""
    for_what = f" for {holder['reason']}" if holder.get("reason") else ""
    return SluiceError(
        f"take the lock of {name}",
        f"{holder['owner']} holds it{for_what}, since {holder['acquired']} until {holder['expires']}",
        "Wait for it, or run recover.yml, which takes it over",
        locked=True,
        holder=dict(holder),
    )


def fence(state_dir: str, release: str, token: str, ttl: float, now: float, *, write: bool = True) -> None:
    """Make sure that the lock is still held by ``token``, and renew it. SluiceError when it is another's or gone."""
    holder = read_lock(state_dir)
    if holder is None:
        raise SluiceError(f"go on with release {release}", "its lock is gone", "Run recover.yml", fenced=True)
    if not is_mine(holder, token):
        raise SluiceError(
            f"go on with release {release}",
            f"the lock was taken over by {holder['owner']} at {holder['acquired']}",
            "The other run decides about this release now",
            fenced=True,
            holder=holder,
        )
    if write:
        write_lock(state_dir, {**holder, "heartbeat": utc_text(now), "expires": utc_text(now + ttl)})


def lock_path(state_dir: str) -> str:
    """Return the path of the lock file."""
    return os.path.join(state_dir, "lock.json")


def read_lock(state_dir: str) -> Holder | None:
    """Return who holds the lock, or None. SluiceError when the file is not ours."""
    path = lock_path(state_dir)
    try:
        with open(path, encoding="utf-8") as stream:
            holder = json.load(stream)
        parse_utc(holder["expires"])
        return {key: holder[key] for key in ("token", "owner", "run", "acquired", "heartbeat", "expires", "reason")}
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SluiceError(f"read the lock {path}", error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SluiceError(
            f"read the lock {path}",
            "something other than this collection wrote it",
            "Make sure that no release is running, and remove it",
        ) from error


def write_lock(state_dir: str, holder: Mapping[str, Any], *, new: bool = False) -> None:
    """Write the lock file whole and durably. ``new``: SluiceError instead of replacing one that is there."""
    path = lock_path(state_dir)
    # One writer at a time, so a fixed name serves, and a writer that was killed leaves no litter.
    temporary = f"{path}.new"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(json.dumps(holder, sort_keys=True, indent=1) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        if new:
            os.link(temporary, path)  # fails when the name is taken, whatever the guard around us is worth
            os.unlink(temporary)
        else:
            os.replace(temporary, path)
        fsync_directory(state_dir)
    except FileExistsError as error:
        raise SluiceError(f"take the lock {path}", "another run took it at this moment", "Try again") from error
    except OSError as error:
        raise SluiceError(f"write the lock {path}", error.strerror or str(error)) from error


def remove_lock(state_dir: str) -> None:
    """Remove the lock file durably. The caller has made sure that it is its own."""
    try:
        os.unlink(lock_path(state_dir))
    except OSError as error:
        raise SluiceError(f"remove the lock {lock_path(state_dir)}", error.strerror or str(error)) from error
    fsync_directory(state_dir)
