# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rules from wherever they are, by the options that the module and the lookup share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils.rules._file import read_file
from ansible_collections.sluice.release.plugins.module_utils.rules._import import Wishes, to_checks
from ansible_collections.sluice.release.plugins.module_utils.rules._model import Found
from ansible_collections.sluice.release.plugins.module_utils.rules._server import read_server


def imported(options: Mapping[str, Any]) -> dict[str, Any]:
    """The rules as checks, with where they come from and what was left out. Raises SluiceError."""
    from_text = options["path"] is not None or options["content"] is not None
    require("read alerting rules", {"promql_parser", "yaml"} if from_text else {"promql_parser"})
    wishes = Wishes.of(options)
    found = _found(options)
    checks, origins, left_out = to_checks(found.rules, wishes)
    return {"checks": checks, "origins": origins, "left_out": left_out, "recording_rules": found.recording}


def _found(options: Mapping[str, Any]) -> Found:
    path = options["path"]
    if options["content"] is not None:
        return read_file(options["content"], "the content")
    if path is None:
        headers = {**options["headers"], **(options["secret_headers"] or {})}
        return read_server(
            options["url"],
            headers={str(name): str(value) for name, value in headers.items()},
            timeout=options["timeout"],
            validate_certs=options["validate_certs"],
        )
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SluiceError(f"read the alerting rules of {path}", cause) from error
    return read_file(text, path)
