# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of ports, certificates and disks, without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Measure
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds import _certificate, _disk, _port

PORT: dict[str, Any] = {"type": "port", "port": 5432}
CERTIFICATE: dict[str, Any] = {"type": "certificate", "host": "example.com"}
DAYS = {**CERTIFICATE, "value": "days_left", "crit": 7}
DISK: dict[str, Any] = {"type": "disk", "path": "/srv", "value": "free_pct", "crit": 10}
MeasureOf = Callable[..., Measure]

OPEN = _port.Answer(0.002)
REFUSED = _port.Answer(0.001, "connection refused")
UNKNOWN = _port.Answer(0.001, "its host name is not known (x)", known=False)

NAMES = (("DNS", "example.com"), ("DNS", "*.example.com"), ("IP Address", "127.0.0.1"))
COVERED = "example.com, *.example.com, 127.0.0.1"
GOOD = _certificate.Answer(days_left=40, names=NAMES)
EXPIRED = _certificate.Answer(fault="expired", why="has expired since 2026-11-20", days_left=-2, names=NAMES)
FOREIGN = _certificate.Answer(fault="untrusted", why="is not trusted (self-signed certificate)")
UPPER = _certificate.Answer(fault="expired", why="is expired, or one above it is (x)", names=NAMES)
NO_TLS = _certificate.Answer(error="connection refused")

ROOM = _disk.Room(used=60 << 20, usable=20 << 20, inodes=1000, free_inodes=400)


@pytest.mark.parametrize(
    ("raw", "answer", "value", "good", "note"),
    [
        (PORT, OPEN, "open", True, ""),
        (PORT, REFUSED, "closed", False, "could not be reached (connection refused)"),
        (PORT, UNKNOWN, None, None, "could not be reached (its host name is not known (x))"),
        ({**PORT, "expect": "closed"}, REFUSED, "closed", True, ""),
        ({**PORT, "expect": "closed"}, OPEN, "open", False, "was open instead of closed"),
        ({**PORT, "expect": "closed"}, UNKNOWN, None, None, "could not be reached (its host name is not known (x))"),
        ({**PORT, "value": "latency_ms", "crit": 5}, OPEN, 2.0, None, ""),
        ({**PORT, "value": "latency_ms", "crit": 5}, REFUSED, None, None, "could not be reached (connection refused)"),
        (CERTIFICATE, GOOD, "trusted", True, ""),
        (CERTIFICATE, EXPIRED, "expired", False, "shows a certificate that has expired since 2026-11-20"),
        (CERTIFICATE, FOREIGN, "untrusted", False, "shows a certificate that is not trusted (self-signed certificate)"),
        (CERTIFICATE, NO_TLS, None, None, "showed no certificate (connection refused)"),
        ({**CERTIFICATE, "names": ["api.example.com", "127.0.0.1"]}, GOOD, "trusted", True, ""),
        (
            {**CERTIFICATE, "names": ["a.b.example.com", "example.org"]}, GOOD, "wrong name", False,
            f"shows a certificate that does not cover a.b.example.com, example.org, but {COVERED}",
        ),
        (DAYS, GOOD, 40, None, ""),
        (DAYS, EXPIRED, -2, None, ""),
        (DAYS, FOREIGN, None, None, "shows a certificate that is not trusted (self-signed certificate)"),
        (DAYS, UPPER, None, None, "shows a certificate that is expired, or one above it is (x)"),
        (
            {**DAYS, "server_name": "example.org"}, GOOD, None, None,
            f"shows a certificate that does not cover example.org, but {COVERED}",
        ),
        (DISK, ROOM, 25, None, ""),
        ({**DISK, "value": "free_mb"}, ROOM, 20, None, ""),
        ({**DISK, "value": "used_pct"}, ROOM, 75, None, ""),
        ({**DISK, "value": "free_inodes"}, ROOM, 400, None, ""),
        ({**DISK, "value": "used_inodes_pct"}, ROOM, 60, None, ""),
        ({**DISK, "value": "free_inodes"}, _disk.Room(1, 1), None, None, "the file system of /srv does not count that"),
        (DISK, _disk.Room(error="cannot be looked at (x)"), None, None, "/srv cannot be looked at (x)"),
    ],
)  # fmt: skip
def test_one_look(
    measure: MeasureOf, raw: dict[str, Any], answer: Any, value: Any, good: bool | None, note: str
) -> None:
    sample = measure(raw).sample(0.0, answer)
    assert sample is not None
    assert (sample.value, sample.good, sample.note) == (value, good, note)


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("example.com", True),
        ("EXAMPLE.com.", True),
        ("api.example.com", True),
        ("a.b.example.com", False),
        ("xexample.com", False),
        ("com", False),
        ("127.0.0.1", True),
        ("127.0.0.2", False),
    ],
)
def test_names_that_a_certificate_covers(name: str, covered: bool) -> None:
    assert _certificate.covers(NAMES, name) is covered


def test_a_wildcard_covers_no_top_level_domain() -> None:
    assert not _certificate.covers((("DNS", "*.com"),), "example.com")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"type": "port"}, "it has no port"),
        ({**PORT, "port": 0}, "port is 0, which is no TCP port"),
        ({**PORT, "crit": 1}, "crit cannot go with value=open"),
        ({**PORT, "value": "latency_ms"}, "it has no limit"),
        ({**PORT, "value": "latency"}, "did you mean latency_ms?"),
        ({"type": "certificate"}, "it has no host"),
        ({**CERTIFICATE, "port": 70000}, "port is 70000"),
        ({**CERTIFICATE, "warn": 30}, "warn cannot go with value=trusted"),
        ({**DAYS, "warn": 5}, "warn 5 lies past crit 7 (the bad side is below)"),
        ({**DISK, "path": None}, "it has no path"),
        ({**DISK, "value": None}, "it has no value, which is one of free_mb"),
        ({**DISK, "host": "h"}, "host does not belong to type disk"),
    ],
)
def test_what_makes_no_sense_is_refused(refused: Callable[..., str], raw: dict[str, Any], problem: str) -> None:
    assert problem in refused(raw)


@pytest.mark.parametrize(
    ("raw", "unit", "direction"),
    [
        ({**PORT, "value": "latency_ms", "crit": 1}, "ms", "above"),
        (DAYS, "days", "below"),
        (DISK, "%", "below"),
        ({**DISK, "value": "free_mb"}, "MB", "below"),
        ({**DISK, "value": "used_pct"}, "%", "above"),
    ],
)
def test_units_and_directions(
    checks: Callable[..., list[Check]], raw: dict[str, Any], unit: str, direction: str
) -> None:
    (check,) = checks(raw)
    assert (check.unit, check.limits.direction) == (unit, direction)


def test_defaults_of_places(checks: Callable[..., list[Check]]) -> None:
    port, certificate = (check.target for check in checks(PORT, CERTIFICATE))
    assert port == _port.Port("127.0.0.1", 5432)
    assert certificate == _certificate.Handshake("example.com", 443, "example.com")


def test_a_real_disk(tmp_path: Path) -> None:
    room = _disk.Place(str(tmp_path)).ask()
    assert room.used > 0 < room.usable
    assert _disk.Place(str(tmp_path / "none")).ask().error == "cannot be looked at (No such file or directory)"
