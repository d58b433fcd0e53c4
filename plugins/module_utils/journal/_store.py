# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How the journal lies on disk: one segment a release, every line chained to the one before it, sealed at its end.

``<state dir>/journal/<NNNNNN>-<release>.jsonl``: one canonical JSON entry a line, then one line that names the last
entry. A segment is written whole to another name, synced and renamed, so a crash at any moment leaves the old or the
new one. The chain runs over all segments; the seal shows that the end of a segment was cut off.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import (
    TEMPORARY_PREFIX,
    exclusive,
    fsync_directory,
    write_atomic,
)
from ansible_collections.sluice.release.plugins.module_utils.journal._entry import Entry, Event, Moment

_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_SEGMENT = re.compile(rf"(\d{{6,}})-({_RELEASE.pattern})\.jsonl")


def now() -> Moment:
    """Return this moment by the clocks of this machine."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            boot = stream.read(8)
    except OSError:
        boot = ""
    return Moment(utc_text(), round(time.monotonic(), 3), boot)


def journal_dir(state_dir: str) -> str:
    """Return the directory of the segments."""
    return os.path.join(state_dir, "journal")


@contextlib.contextmanager
def writing(state_dir: str, what: str) -> Iterator[None]:
    """Be the only one who changes the journal or the lock while the body runs. Makes the directory when missing.

    Held for milliseconds; the lock of a whole release is lock.json, see ``_lock``.
    """
    try:
        os.makedirs(state_dir, mode=0o700, exist_ok=True)
    except OSError as error:
        raise SluiceError(f"make the state directory {state_dir}", error.strerror or str(error)) from error
    with exclusive(os.path.join(state_dir, "state.lock"), what):
        yield


def read(state_dir: str) -> list[Entry]:
    """Return all entries, oldest first. SluiceError when anything in the journal is not as it was written."""
    directory = journal_dir(state_dir)
    entries: list[Entry] = []
    for number, (segment, release) in enumerate(_segments(directory), start=1):
        path = os.path.join(directory, segment)
        if not segment.startswith(f"{number:06d}-"):
            _distrust(path, f"segment {number:06d} is missing before it")
        _read_segment(path, release, entries)
    return entries


def append(state_dir: str, entries: Sequence[Entry], events: Sequence[Event]) -> list[Entry]:
    """Write the events after ``entries`` (what ``read`` returned, under the same ``writing``); return them chained.

    All events must belong to one release: the newest one, or a new one. SluiceError when the file cannot be written;
    then nothing has changed.
    """
    added = chain(entries, events)
    if not added:
        return []
    release = added[0]["release"]
    if not _RELEASE.fullmatch(release):
        raise SluiceError(
            f"record release {release!r}", "its name must be letters, digits and ._+- and begin with one of the first"
        )
    directory = journal_dir(state_dir)
    path = os.path.join(directory, _segment_name(entries, release))
    segment = [entry for entry in entries if entry["release"] == release] + added
    lines = [canonical(entry) for entry in segment] + [canonical(_seal(segment[-1]))]
    try:
        if not os.path.isdir(directory):
            os.mkdir(directory, 0o700)
            fsync_directory(state_dir)
        _remove_leftovers(directory)
        write_atomic(path, "\n".join(lines) + "\n", 0o600)
    except OSError as error:
        raise SluiceError(f"write the journal {path}", error.strerror or str(error), "Nothing was recorded") from error
    return added


def chain(entries: Sequence[Entry], events: Sequence[Event]) -> list[Entry]:
    """Return the events as entries that follow ``entries``: numbered, and each holding the hash of the one before."""
    previous = entries[-1]["hash"] if entries else ""
    added: list[Entry] = []
    for seq, event in enumerate(events, start=len(entries) + 1):
        entry = {**event, "seq": seq, "previous": previous}
        entry["hash"] = previous = _digest(entry)
        added.append(entry)
    return added


def canonical(value: Mapping[str, Any]) -> str:
    """Return the one JSON text of a value: sorted, without spaces, ASCII, on one line."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(entry: Mapping[str, Any]) -> str:
    hashed = {key: value for key, value in entry.items() if key != "hash"}
    return hashlib.sha256(canonical(hashed).encode()).hexdigest()


def _seal(last: Mapping[str, Any]) -> dict[str, Any]:
    return {"end": last["seq"], "head": last["hash"]}


def _segments(directory: str) -> list[tuple[str, str]]:
    """Return the segments' file names and releases in order."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SluiceError(f"read the journal {directory}", error.strerror or str(error)) from error
    found = [(match, name) for name in names for match in [_SEGMENT.fullmatch(name)] if match]
    return [(name, match[2]) for match, name in sorted(found, key=lambda pair: int(pair[0][1]))]


def _segment_name(entries: Sequence[Entry], release: str) -> str:
    releases = list(dict.fromkeys(entry["release"] for entry in entries))
    if release not in releases:
        return f"{len(releases) + 1:06d}-{release}.jsonl"
    if release != releases[-1]:
        raise SluiceError(f"write into release {release}", f"release {releases[-1]} has begun since")
    return f"{len(releases):06d}-{release}.jsonl"


def _read_segment(path: str, release: str, entries: list[Entry]) -> None:
    """Append the segment's entries, each of them checked, to ``entries``."""
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise SluiceError(f"read the journal {path}", error.strerror or str(error)) from error
    lines = content.split(b"\n")
    # A whole segment has an entry, a seal, and a line feed after it.
    if len(lines) < 3 or lines[-1]:
        _distrust(path, "its end is missing")
    for number, line in enumerate(lines[:-2], start=1):
        entry = _parse(path, number, line)
        if entry.get("hash") != _digest(entry):
            _distrust(path, f"line {number} was changed")
        if entry.get("previous") != (entries[-1]["hash"] if entries else "") or entry.get("seq") != len(entries) + 1:
            _distrust(path, f"line {number} does not follow the one before it")
        if entry.get("release") != release or (entry.get("event") == "opened") != (number == 1):
            _distrust(path, f"line {number} does not belong there")
        entries.append(entry)
    if _parse(path, len(lines) - 1, lines[-2]) != _seal(entries[-1]):
        _distrust(path, "its end is missing")


def _parse(path: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict) or canonical(value).encode() != line:
        _distrust(path, f"line {number} is not what was written")
    return value


def _distrust(path: str, cause: str) -> NoReturn:
    raise SluiceError(
        f"trust the journal {path}",
        cause,
        f"Something other than this collection changed it. Put the file back, or move {os.path.dirname(path)} away: "
        "the next release then begins a new journal and knows no version to go back to",
    )


def _remove_leftovers(directory: str) -> None:
    """Remove what a writer that was killed has left behind; the caller is the only writer."""
    for name in os.listdir(directory):
        if name.startswith(TEMPORARY_PREFIX):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, name))
