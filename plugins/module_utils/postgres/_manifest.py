# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import (
    Content,
    Inventory,
    SequenceState,
    fingerprint,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._encryption import Encryption, parse_encryption

SCHEMA = 2
FILE = "manifest.json"
GLOBALS = "globals.sql"

# Name of the archive in its set, by format: a file, or a directory with a file for each table.
ARCHIVES = {"custom": "database.dump", "directory": "database"}

_TEXTS = (
    "id",
    "created",
    "release",
    "database",
    "server_version",
    "tool_version",
    "format",
    "compression",
    "lsn",
    "checksum",
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SetFile:
    """A file of a set: its size in bytes and its checksum."""

    size: int
    sha256: str


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
    format: str
    """``custom`` or ``directory``, as pg_dump calls them."""
    compression: str
    """``gzip:6``, ``zstd:3``, ``none``: method and level."""
    files: Mapping[str, SetFile]
    """Every file of the set but this one, by its name relative to the directory of the set."""
    lsn: str
    """Write-ahead log position of the snapshot."""
    seconds: float
    inventory: Inventory
    schemas: Optional[tuple[str, ...]] = None
    """The schemas that the set holds; None when it holds the whole database."""
    patterns: Optional[Mapping[str, list[str]]] = None
    """How these were chosen: ``include`` and ``exclude``, glob patterns; None when it holds the whole database."""
    origin: Optional[Mapping[str, str]] = None
    """System, database and snapshot that it is of, where that is known: what tells rows that were written since."""
    role_passwords: Optional[bool] = None
    """Whether the roles beside the archive have their passwords; None when there are no roles beside it."""
    encryption: Optional[Encryption] = None
    """With what all files but this one are encrypted; None when they are not."""
    sorted_as: Optional[str] = None
    """A time like ``created`` to sort it by instead, where a backup that was there before bears no earlier one."""

    @property
    def subject(self) -> str:
        """What it is a set of. Sets of other databases, or of other tenants in one, may lie beside it."""
        return subject(self.database, self.patterns)

    @property
    def archive(self) -> str:
        """Name of the archive's file or directory in the set."""
        return ARCHIVES[self.format]

    @property
    def size(self) -> int:
        """Of all files together, in bytes."""
        return sum(file.size for file in self.files.values())

    @property
    def sha256(self) -> str:
        """Checksum over all files: that of the list that ``sha256sum`` prints of them, in the order of their names."""
        lines = (f"{file.sha256}  {name}\n" for name, file in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

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
            "format": self.format,
            "compression": self.compression,
            "files": {name: {"bytes": file.size, "sha256": file.sha256} for name, file in self.files.items()},
            "bytes": self.size,
            "sha256": self.sha256,
            "schemas": None if self.schemas is None else list(self.schemas),
            "patterns": None if self.patterns is None else dict(self.patterns),
            "role_passwords": self.role_passwords,
            "encryption": None if self.encryption is None else self.encryption.as_dict(),
            "lsn": self.lsn,
            "origin": None if self.origin is None else dict(self.origin),
            "seconds": self.seconds,
            "tables": {name: asdict(table) for name, table in inventory.tables.items()},
            "large_objects": asdict(inventory.large_objects),
            "large_object_digests": dict(inventory.large_object_digests),
            "sequences": {name: asdict(sequence) for name, sequence in inventory.sequences.items()},
            "objects": dict(inventory.objects),
            "schema_fingerprint": fingerprint(inventory.objects),
            "extensions": dict(inventory.extensions),
            # Whoever verifies it writes that beside it: this file never changes.
            "verified": None,
        }
        if self.sorted_as is not None:
            content["sorted_as"] = self.sorted_as
        content["checksum"] = hashlib.sha256(_canonical(content)).hexdigest()
        return _canonical(content)


def schema_patterns(schemas: Sequence[str], exclude_schemas: Sequence[str]) -> Optional[dict[str, list[str]]]:
    """Return how schemas are chosen, as the manifest has it; None for the whole database."""
    if not schemas and not exclude_schemas:
        return None
    return {"include": list(schemas), "exclude": list(exclude_schemas)}


def subject(database: str, patterns: Optional[Mapping[str, list[str]]]) -> str:
    """Return what a set is of: the same for all sets of which a later one takes the place of an earlier one."""
    return json.dumps([database, patterns], sort_keys=True)


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
    if not isinstance(content.get("sorted_as"), (str, type(None))):
        raise TypeError("sorted_as")
    _check_count(content["database_bytes"], "database_bytes")
    if not content["tool_version"][:1].isdigit():
        raise ValueError("tool_version")
    if content["format"] not in ARCHIVES:
        raise ValueError("format")
    encryption = parse_encryption(content["encryption"])
    suffix = "" if encryption is None else encryption.suffix
    inventory = Inventory(
        tables={name: Content(**table) for name, table in content["tables"].items()},
        large_objects=Content(**content["large_objects"]),
        sequences={name: SequenceState(**sequence) for name, sequence in content["sequences"].items()},
        objects=content["objects"],
        extensions=content["extensions"],
        large_object_digests=content["large_object_digests"],
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
        format=content["format"],
        compression=content["compression"],
        files=_files(content["files"], ARCHIVES[content["format"]], suffix),
        lsn=content["lsn"],
        seconds=content["seconds"],
        inventory=inventory,
        schemas=None if content["schemas"] is None else tuple(content["schemas"]),
        origin=content["origin"],
        patterns=content["patterns"],
        role_passwords=content["role_passwords"],
        encryption=encryption,
        sorted_as=content.get("sorted_as"),
    )


def _files(content: Mapping[str, Any], archive: str, suffix: str) -> dict[str, SetFile]:
    files = {}
    for name, file in content.items():
        # It is joined to a path.
        if name.startswith("/") or not set(name.split("/")).isdisjoint(("", ".", "..")):
            raise ValueError(f"files: {name}")
        _check_count(file["bytes"], f"bytes of {name}")
        if not _SHA256.fullmatch(file["sha256"]):
            raise ValueError(f"sha256 of {name}")
        files[name] = SetFile(file["bytes"], file["sha256"])
        if not name.endswith(suffix):
            raise ValueError(f"files: {name} is not encrypted")
    if not any(name.split("/")[0] in (archive, archive + suffix) for name in files):
        raise ValueError("files: no archive")
    return files


def _check_count(value: Any, key: str) -> None:
    if not isinstance(value, int) or value < 0:
        raise TypeError(key)
