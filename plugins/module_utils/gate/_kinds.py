# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""All types of checks by their names."""

from __future__ import annotations

from ansible_collections.sluice.release.plugins.module_utils.gate.kinds import (
    _certificate,
    _command,
    _disk,
    _http,
    _json,
    _log,
    _port,
    _postgres,
    _process,
    _prometheus,
    _promql,
    _redis,
)
from ansible_collections.sluice.release.plugins.module_utils.gate.kinds._kind import Kind

KINDS: dict[str, Kind] = {
    "http": _http.KIND,
    "prometheus": _prometheus.KIND,
    "promql": _promql.KIND,
    "json": _json.KIND,
    "postgres": _postgres.KIND,
    "redis": _redis.KIND,
    "port": _port.KIND,
    "certificate": _certificate.KIND,
    "disk": _disk.KIND,
    "process": _process.KIND,
    "log": _log.KIND,
    "command": _command.KIND,
}
