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
from ansible_collections.sluice.release.plugins.module_utils.journal import _store

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


def told(holder: Mapping[str, Any] | None) -> str:
    """Return in one sentence, without its final period, who holds the lock."""
    if holder is None:
        return "nobody holds the lock"
    for_what = f" for {holder['reason']}" if holder.get("reason") else ""
    since = f"since {holder['acquired']} until {holder['expires']}"
    return f"{holder['owner'] or holder['token']} holds the lock{for_what}, {since}"


def refused(name: str, holder: Mapping[str, Any]) -> SluiceError:
    """Return the error for a claim that is refused."""
    for_what = f" for {holder['reason']}" if holder.get("reason") else ""
    return SluiceError(
        f"take the lock of {name}",
        f"{holder['owner']} holds it{for_what}, since {holder['acquired']} until {holder['expires']}",
        # Without a run it is a person's.
        "Wait for it, or run recover.yml, which takes it over"
        if holder.get("run")
        else "Ask them, or release it with lock.yml -e lock_state=released",
        locked=True,
        holder=dict(holder),
    )


def lost(doing: str, holder: Mapping[str, Any] | None, state_dir: str, token: str) -> SluiceError:
    """Return the error for whoever held the lock by ``token`` and does not any more; ``holder`` has it, None: nobody.

    Who has taken it over may have ended since. Then the journal says who that was.
    """
    if holder is not None:
        remedy = "The other run decides about this release now"
        return SluiceError(doing, _taken_by(holder), remedy, fenced=True, holder=dict(holder))
    remedy = "Nothing more is moved. Run status.yml to see what serves now"
    successor = _successor(state_dir, token)
    if successor is None:
        return SluiceError(doing, "its lock is gone: a person has released it, or it was removed", remedy, fenced=True)
    return SluiceError(doing, f"{_taken_by(successor)}, and that run has ended", remedy, fenced=True)


def _taken_by(who: Mapping[str, Any]) -> str:
    why = f" ({who['reason']})" if who.get("reason") else ""
    return f"the lock was taken over by {who['owner']} at {who['acquired']}{why}"


def _successor(state_dir: str, token: str) -> Mapping[str, Any] | None:
    """Return the first run after the one of ``token``, as the journal knows it."""
    try:
        opened = [entry for entry in _store.read(state_dir) if entry["event"] == "opened"]
    except SluiceError:
        return None
    numbers = [number for number, entry in enumerate(opened) if entry["release"] == token]
    if not numbers or numbers[0] + 1 == len(opened):
        return None
    entry = opened[numbers[0] + 1]
    reason = ": ".join(filter(None, [str(entry["data"].get("kind") or "release"), entry.get("reason")]))
    return {"owner": entry["data"].get("operator") or "another", "acquired": entry["time"], "reason": reason}


def fence(state_dir: str, release: str, token: str, ttl: float, now: float) -> None:
    """Make sure that the lock is still held by ``token``, and renew it. SluiceError when it is another's or gone."""
    holder = read_lock(state_dir)
    if holder is None or not is_mine(holder, token):
        raise lost(f"go on with release {release}", holder, state_dir, token)
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


def release(state_dir: str, token: str) -> bool:
    """Give the lock back if ``token`` holds it. Returns whether nobody holds it now."""
    holder = read_lock(state_dir)
    if holder is not None and is_mine(holder, token):
        remove_lock(state_dir)
        holder = None
    return holder is None
