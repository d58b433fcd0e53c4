# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import (
    Content,
    Inventory,
    SequenceState,
    fingerprint,
)

SCHEMA = 1
FILE = "manifest.json"
DUMP = "database.dump"

_TEXTS = ("id", "created", "release", "database", "server_version", "tool_version", "file", "sha256", "lsn", "checksum")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """What a backup is and what must be in it. Written last, so its presence says that the backup is whole."""

    id: str
    created: str
    """UTC, ISO 8601 with seconds."""
    release: str
    """Release that it was made for, or empty."""
    database: str
    properties: Mapping[str, Any]
    """Owner, encoding, locale, settings and grants of the database itself; no dump of one database holds them."""
    database_bytes: int
    server_version: str
    tool_version: str
    file: str
    size: int
    """Of the file, in bytes."""
    sha256: str
    lsn: str
    """Write-ahead log position of the snapshot."""
    seconds: float
    inventory: Inventory

    @property
    def tool_major(self) -> int:
        """Major version of the pg_dump that made it."""
        return int(re.sub(r"\D.*", "", self.tool_version))

    def render(self) -> bytes:
        """The one and only spelling of this manifest, its own checksum included."""
        inventory = self.inventory
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "id": self.id,
            "created": self.created,
            "release": self.release,
            "database": self.database,
            "properties": dict(self.properties),
            "database_bytes": self.database_bytes,
            "server_version": self.server_version,
            "tool_version": self.tool_version,
            "file": self.file,
            "bytes": self.size,
            "sha256": self.sha256,
            "lsn": self.lsn,
            "seconds": self.seconds,
            "tables": {name: asdict(table) for name, table in inventory.tables.items()},
            "large_objects": asdict(inventory.large_objects),
            "sequences": {name: asdict(sequence) for name, sequence in inventory.sequences.items()},
            "objects": dict(inventory.objects),
            "schema_fingerprint": fingerprint(inventory.objects),
            "extensions": dict(inventory.extensions),
            # Whoever verifies it writes that beside it: this file never changes.
            "verified": None,
        }
        content["checksum"] = hashlib.sha256(_canonical(content)).hexdigest()
        return _canonical(content)


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def parse_manifest(data: bytes, backup_id: str) -> Manifest:
    """Read a manifest; one changed byte anywhere is an error.

    Raises SluiceError that names the backup and what is wrong.
    """

    def damaged(cause: str) -> SluiceError:
        return SluiceError(f"trust backup {backup_id}", f"its manifest {cause}", "Use another backup")

    try:
        content = json.loads(data)
    except ValueError:
        raise damaged("is not JSON") from None
    if not isinstance(content, dict):
        raise damaged("is not a JSON object")
    if content.get("schema") != SCHEMA:
        raise damaged(f"has schema {content.get('schema')!r}, and this version reads schema {SCHEMA}")
    try:
        manifest = _build(content)
        spelled = manifest.render()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(f"lacks or misspells a value ({error})") from None
    # Every byte counts, the checksum's own and the white space included.
    if spelled != data:
        raise damaged("has been changed since it was written")
    if manifest.id != backup_id:
        raise damaged(f"belongs to backup {manifest.id}")
    return manifest


def _build(content: Mapping[str, Any]) -> Manifest:
    for key in _TEXTS:
        if not isinstance(content[key], str):
            raise TypeError(key)
    for key in ("bytes", "database_bytes"):
        if not isinstance(content[key], int) or content[key] < 0:
            raise TypeError(key)
    if not _SHA256.fullmatch(content["sha256"]):
        raise ValueError("sha256")
    if not content["tool_version"][:1].isdigit():
        raise ValueError("tool_version")
    # It is joined to a path.
    if "/" in content["file"] or content["file"] in ("", ".", ".."):
        raise ValueError("file")
    inventory = Inventory(
        tables={name: Content(**table) for name, table in content["tables"].items()},
        large_objects=Content(**content["large_objects"]),
        sequences={name: SequenceState(**sequence) for name, sequence in content["sequences"].items()},
        objects=content["objects"],
        extensions=content["extensions"],
    )
    return Manifest(
        id=content["id"],
        created=content["created"],
        release=content["release"],
        database=content["database"],
        properties=content["properties"],
        database_bytes=content["database_bytes"],
        server_version=content["server_version"],
        tool_version=content["tool_version"],
        file=content["file"],
        size=content["bytes"],
        sha256=content["sha256"],
        lsn=content["lsn"],
        seconds=content["seconds"],
        inventory=inventory,
    )
