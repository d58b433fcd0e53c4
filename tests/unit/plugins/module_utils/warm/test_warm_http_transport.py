# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What errors of libcurl and statuses are called, and which authorities are trusted."""

from __future__ import annotations

import ssl
from pathlib import Path

import pycurl
import pytest

from ansible_collections.sluice.release.plugins.module_utils.warm._http_transport import (
    authorities,
    kind_of,
    reason_of,
    status_of,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._model import Limits

LIMITS = Limits(
    budget=60, timeout=2.5, concurrency=8, rate=0, max_body=1000, max_failed_pct=20, failed_window=10, gone_after=5,
    max_urls=1000,
)  # fmt: skip


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (pycurl.E_COULDNT_CONNECT, "refused"),
        (pycurl.E_COULDNT_RESOLVE_HOST, "dns"),
        (pycurl.E_OPERATION_TIMEDOUT, "timeout"),
        (pycurl.E_GOT_NOTHING, "reset"),
        (pycurl.E_RECV_ERROR, "reset"),
        (pycurl.E_SEND_ERROR, "reset"),
        (pycurl.E_PARTIAL_FILE, "reset"),
        (pycurl.E_WRITE_ERROR, "too_large"),
        (pycurl.E_FILESIZE_EXCEEDED, "too_large"),
        (pycurl.E_SSL_CONNECT_ERROR, "tls"),
        (pycurl.E_PEER_FAILED_VERIFICATION, "tls"),
        (pycurl.E_SSL_CACERT_BADFILE, "tls"),
        (pycurl.E_URL_MALFORMAT, "invalid"),
        (pycurl.E_UNSUPPORTED_PROTOCOL, "invalid"),
        (pycurl.E_OUT_OF_MEMORY, "other"),
        (9999, "other"),
    ],
)
def test_kinds(code: int, kind: str) -> None:
    assert kind_of(code) == kind


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("timeout", "no whole answer within 2.5 s"),
        ("too_large", "its answer is larger than 1000 bytes"),
        ("refused", "connection refused"),
        ("reset", "the connection was closed before the answer was whole"),
        ("tls", "what libcurl says"),
    ],
)
def test_reasons(kind: str, reason: str) -> None:
    assert reason_of(kind, " what libcurl says\n", LIMITS) == reason


def test_an_error_without_words_has_some() -> None:
    assert reason_of("tls", "its name is \udcff", LIMITS) == "its name is ?"
    assert reason_of("other", "", LIMITS) == "it failed"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, None), (204, None), (304, None), (399, None), (400, "status_4xx"), (429, "status_4xx"), (503, "status_5xx")],
)
def test_statuses(status: int, kind: str | None) -> None:
    assert status_of(status) == kind


def test_the_authorities_are_those_that_python_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert authorities("/given.pem") == {"CAINFO": "/given.pem"}
    trusted = tmp_path / "trusted.pem"
    trusted.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    assert ssl.get_default_verify_paths().cafile == str(trusted)
    assert authorities(None) == {"CAINFO": str(trusted)}
