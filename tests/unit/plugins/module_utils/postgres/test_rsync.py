# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rsync is told, and what is made of its answers."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils.postgres import _rsync


@pytest.mark.parametrize(
    ("to", "remote"),
    [
        ("/mnt/backup", False),
        ("copies", False),
        ("./odd:name", False),
        ("/mnt/a:b", False),
        ("vault:/srv", True),
        ("backup@vault:srv", True),
        ("vault::module/path", True),
        ("rsync://vault/module", True),
        ("[::1]:/srv", True),
    ],
)
def test_another_host_is_told_from_a_directory(to: str, remote: bool) -> None:
    assert _rsync.is_remote(to) is remote


def test_rsync_sees_the_files_of_a_set_alone() -> None:
    assert _rsync.filters(["database/toc.dat", "database/1.dat.gz", "od[d*"]) == [
        "--include=/database",
        "--include=/database/**",
        r"--include=/od\[d\*",
        r"--include=/od\[d\*/**",
        "--exclude=*",
    ]


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("", {}),
        (".d..t...... ./\ncd+++++++++ database/\n", {}),
        ("<f+++++++++ globals.sql\n", {"globals.sql": "globals.sql is missing"}),
        ("<fcst...... database.dump\n", {"database.dump": "the checksum of database.dump is not that of the backup"}),
        ("<fc........ a b\n", {"a b": "the checksum of a b is not that of the backup"}),
        (".f..t...... database.dump\n", {}),
        ("*deleting   database/1.dat\n", {"database/1.dat": "database/1.dat does not belong to it"}),
    ],
)
def test_what_a_dry_run_would_change(output: str, found: dict[str, str]) -> None:
    assert _rsync.changes(output) == found
