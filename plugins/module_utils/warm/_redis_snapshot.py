# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""A snapshot of the hot keys of a Redis in a file."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._clock import utc_text
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_file import Snapshot, Writer, check_snapshot
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_link import (
    Access,
    GoneError,
    Store,
    open_store,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_read import Found, Reader, Selection


@dataclass(frozen=True)
class SnapshotOptions:
    """What is taken, and where it goes."""

    access: Access
    path: str
    selection: Selection
    budget: float = 300.0
    max_age: float = 0.0

    @property
    def doing(self) -> str:
        return f"take a snapshot of {self.access.name}"


def take_snapshot(options: SnapshotOptions, progress: Progress, check_mode: bool) -> dict[str, Any]:
    """Write the file, unless one is there that is young enough; in check mode only count."""
    begun = time.monotonic()
    young = _young_one(options)
    if young is not None:
        return _of_file(young)
    with open_store(options.access, options.doing) as store:
        reader = Reader(store, options.selection, begun + options.budget, options.doing)
        try:
            if check_mode:
                return {**_facts(options.path, _header(store)), **_empty(), "changed": True, "keys": reader.count()}
            return {**_write(options, store, reader, progress), "seconds": round(time.monotonic() - begun, 3)}
        except GoneError as error:
            raise SluiceError(
                options.doing, str(error), "See that the server runs, and that this host reaches it"
            ) from error
        except OSError as error:
            raise SluiceError(
                f"write {options.path}", error.strerror or str(error), "Give a path where there is room"
            ) from error


def _young_one(options: SnapshotOptions) -> Snapshot | None:
    if options.max_age <= 0 or not os.path.exists(options.path):
        return None
    try:
        found = check_snapshot(options.path, options.doing)
    except SluiceError:
        # What is no whole snapshot is replaced.
        return None
    age = time.time() - float(found.header.get("created_at", 0))
    return found if 0 <= age <= options.max_age else None


def _write(options: SnapshotOptions, store: Store, reader: Reader, progress: Progress) -> dict[str, Any]:
    header = _header(store)
    os.makedirs(os.path.dirname(os.path.abspath(options.path)), mode=0o700, exist_ok=True)
    with Writer(options.path, header) as writer:
        for entries in reader.entries():
            for entry in entries:
                writer.add(entry)
            progress.update(f"{writer.keys} keys", writer.keys, options.selection.max_keys)
        sha256 = writer.finish()
        return {
            **_facts(options.path, header),
            **_of_found(reader.found),
            "changed": True,
            "keys": writer.keys,
            "bytes": writer.bytes,
            "sha256": sha256,
        }


def _header(store: Store) -> dict[str, Any]:
    return {
        "created": utc_text(),
        "created_at": round(time.time(), 3),
        "server": store.product,
        "nodes": len(store.links),
        "maxmemory_policy": store.info.get("maxmemory_policy", ""),
    }


def _facts(path: str, header: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": path, **{name: header.get(name) for name in ("created", "server", "nodes")}}


def _of_found(found: Found) -> dict[str, Any]:
    return {"order": found.order, "stopped": found.stopped, "large": found.large, "types": dict(found.kinds)}


def _empty() -> dict[str, Any]:
    return {**_of_found(Found()), "order": None, "bytes": None, "sha256": None, "seconds": 0.0}


def _of_file(found: Snapshot) -> dict[str, Any]:
    return {
        **_facts(found.path, found.header),
        **_empty(),
        "changed": False,
        "keys": found.keys,
        "bytes": found.bytes,
        "sha256": found.sha256,
        "stopped": None,
    }
