# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One backup that is complete, proven, encrypted and copied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://app1"]

BACKUPS = "/var/lib/sluice/molecule/backups"
COPIES = "/var/lib/sluice/copies"
KEY = "/var/lib/sluice/age.key"


@pytest.fixture
def backup_id(host: Host) -> str:
    # The lock of the directory lies in it too.
    (name,) = [entry for entry in host.file(BACKUPS).listdir() if entry != "host.lock"]
    return name


@pytest.mark.parametrize("place", [BACKUPS, COPIES])
def test_the_set_is_whole_and_encrypted_in_both_places(host: Host, backup_id: str, place: str) -> None:
    assert [entry for entry in host.file(place).listdir() if entry != "host.lock"] == [backup_id]
    path = f"{place}/{backup_id}"
    manifest = json.loads(host.file(f"{path}/manifest.json").content_string)
    assert manifest["tables"]["public.orders"]["rows"] == 1000
    assert manifest["encryption"] == {"tool": "age", "recipients": [host.check_output("age-keygen -y %s", KEY)]}
    assert set(manifest["files"]) == {"database.dump.age", "globals.sql.age"}
    for name, listed in manifest["files"].items():
        file = host.file(f"{path}/{name}")
        content = file.content
        assert content.startswith(b"age-encryption.org/v1")
        assert (len(content), hashlib.sha256(content).hexdigest()) == (listed["bytes"], listed["sha256"])
        assert file.mode == 0o600
    assert host.file(path).mode == 0o700
    assert "molecule-db-secret" not in json.dumps(manifest)
    # The key opens it, and inside is what pg_dump wrote.
    opened = host.check_output("age --decrypt --identity %s %s/database.dump.age | head -c 5", KEY, path)
    assert opened == "PGDMP"


@pytest.mark.parametrize("place", [BACKUPS, COPIES])
def test_it_was_proven_by_a_restore(host: Host, backup_id: str, place: str) -> None:
    note = json.loads(host.file(f"{place}/{backup_id}/verified.json").content_string)
    assert (note["verified"], note["level"], note["differences"]) == (True, "restore", [])


def test_the_evidence_names_the_copy_and_says_that_it_is_verified(evidence: Callable[[str], Any]) -> None:
    backup = evidence("backup")["backup"]
    assert (backup["verified"], backup["level"], backup["encryption"]["tool"]) == (True, "restore", "age")
    (copy,) = backup["copies"]
    assert copy["to"] == f"{COPIES}/{backup['id']}"
    assert (copy["way"], copy["verified"], copy["copied"]) == ("directory", True, True)
    assert copy["bytes"] == backup["bytes"]


def test_nothing_in_plain_text_is_left(host: Host) -> None:
    assert host.check_output("find /var/lib/sluice /tmp -name 'database.dump' -o -name '*.partial'") == ""


def test_the_scratch_database_of_the_proof_is_gone(host: Host) -> None:
    names = host.check_output("su postgres -c \"psql -Atc 'SELECT datname FROM pg_database ORDER BY 1'\"")
    assert names.split() == ["app", "postgres", "template0", "template1"]
