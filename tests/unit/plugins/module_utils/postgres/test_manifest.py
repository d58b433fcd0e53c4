# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: one spelling, and every changed byte is found."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres._digest import (
    Content,
    Inventory,
    SequenceState,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres._manifest import Manifest, SetFile, parse_manifest

MANIFEST = Manifest(
    id="20261122T013000Z",
    created="2026-11-22T01:30:00+00:00",
    release="20261122T013000Z-1.1.0",
    database="shop",
    properties={"owner": "app", "encoding": "UTF8", "settings": [["", "work_mem", "64MB"]]},
    database_bytes=8_000_000,
    server_version="18.6",
    tool_version="18.6",
    format="custom",
    compression="gzip:6",
    files={"database.dump": SetFile(1234, "0" * 64)},
    lsn="0/16B3748",
    seconds=1.5,
    inventory=Inventory(
        tables={'public."Größe"': Content(3, "-11")},
        sequences={"public.s": SequenceState(4, 1, False)},
        objects={"TABLE public.orders": "aa"},
        extensions={"plpgsql": "1.0"},
    ),
)


DIRECTORY = replace(
    MANIFEST,
    format="directory",
    compression="none",
    files={
        "database/toc.dat": SetFile(2000, "1" * 64),
        "database/3501.dat": SetFile(0, "2" * 64),
        "globals.sql": SetFile(5, "3" * 64),
    },
    schemas=("public", "tenant_a"),
    patterns={"include": ["public", "tenant_*"], "exclude": ["tenant_b"]},
    role_passwords=False,
)


def with_file(name: str, sha256: str = "0" * 64) -> bytes:
    return replace(MANIFEST, files={**MANIFEST.files, name: SetFile(1, sha256)}).render()


def test_what_is_written_is_read() -> None:
    data = MANIFEST.render()
    assert parse_manifest(data, MANIFEST.id) == MANIFEST
    assert json.loads(data)["verified"] is None
    assert MANIFEST.tool_major == 18
    assert (MANIFEST.archive, MANIFEST.size) == ("database.dump", 1234)


def test_a_set_of_several_files() -> None:
    assert parse_manifest(DIRECTORY.render(), DIRECTORY.id) == DIRECTORY
    assert (DIRECTORY.archive, DIRECTORY.size) == ("database", 2005)
    assert DIRECTORY.subject != MANIFEST.subject == replace(MANIFEST, id="other", lsn="0/1").subject
    # What `sha256sum` says to its own output.
    listing = "".join(
        f"{digit * 64}  {name}\n"
        for digit, name in (
            ("2", "database/3501.dat"),
            ("1", "database/toc.dat"),
            ("3", "globals.sql"),
        )
    )
    assert DIRECTORY.sha256 == hashlib.sha256(listing.encode()).hexdigest()


def test_it_holds_what_was_promised() -> None:
    content = json.loads(MANIFEST.render())
    promised = (
        "schema id created database server_version tool_version format compression files bytes sha256 tables sequences"
        " lsn seconds extensions properties schemas role_passwords"
    )
    assert set(promised.split()) | {"schema_fingerprint", "verified"} <= content.keys()
    assert content["tables"] == {'public."Größe"': {"rows": 3, "digest": "-11"}}


def test_every_flipped_byte_is_found() -> None:
    data = MANIFEST.render()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << random.Random(position).randrange(8)
        with pytest.raises(SluiceError, match=rf"^Cannot trust backup {MANIFEST.id}: its manifest "):
            parse_manifest(bytes(damaged), MANIFEST.id)


@pytest.mark.parametrize("length", [0, 1, 100, -2, -1])
def test_a_truncated_one_is_found(length: int) -> None:
    with pytest.raises(SluiceError, match="its manifest"):
        parse_manifest(MANIFEST.render()[:length], MANIFEST.id)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'{"schema": 1}', "has schema 1, and this version reads schema 2"),
        (b'{"schema": 2}', "lacks or misspells a value"),
        (MANIFEST.render() + b"\n", "has been changed since it was written"),
        (with_file("../../etc/passwd"), "lacks or misspells a value (files: ../../etc/passwd)"),
        (with_file("/etc/passwd"), "lacks or misspells a value (files: /etc/passwd)"),
        (with_file("database.dump/../x"), "lacks or misspells a value (files: database.dump/../x)"),
        (with_file("globals.sql", "0"), "lacks or misspells a value (sha256 of globals.sql)"),
        (replace(MANIFEST, files={}).render(), "lacks or misspells a value (files: no archive)"),
        (replace(MANIFEST, id="other").render(), "belongs to backup other"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, cause: str) -> None:
    with pytest.raises(SluiceError) as refused:
        parse_manifest(data, MANIFEST.id)
    assert cause in str(refused.value)
