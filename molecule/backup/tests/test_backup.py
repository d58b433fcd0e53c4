# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One backup that is complete, proven and private; on the first host only, since the hosts share a database."""

from __future__ import annotations

import hashlib
import json

from testinfra.host import Host

BACKUPS = "/var/lib/sluice/molecule/backups"


def test_the_first_host_has_one_verified_backup(host: Host) -> None:
    if host.check_output("hostname") != "app1":
        assert not host.file(BACKUPS).exists or host.file(BACKUPS).listdir() == []
        return
    # The lock of the directory lies in it too.
    (name,) = [entry for entry in host.file(BACKUPS).listdir() if entry != "host.lock"]
    manifest = json.loads(host.file(f"{BACKUPS}/{name}/manifest.json").content_string)
    assert manifest["tables"]["public.orders"]["rows"] == 1000
    assert json.loads(host.file(f"{BACKUPS}/{name}/verified.json").content_string)["verified"]

    dump = host.file(f"{BACKUPS}/{name}/database.dump")
    listed = manifest["files"]["database.dump"]
    assert dump.size == listed["bytes"]
    assert hashlib.sha256(dump.content).hexdigest() == listed["sha256"]
    assert (dump.mode, host.file(f"{BACKUPS}/{name}").mode) == (0o600, 0o700)
    assert "molecule-db-secret" not in json.dumps(manifest)


def test_the_scratch_database_of_the_proof_is_gone(host: Host) -> None:
    names = host.check_output("su postgres -c \"psql -Atc 'SELECT datname FROM pg_database ORDER BY 1'\"")
    assert names.split() == ["app", "postgres", "template0", "template1"]
