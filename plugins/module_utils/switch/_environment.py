# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The environment of an application as a config version has it, and what of it no line may show."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

_SECRET_NAME = re.compile(r"PASS|PWD|SECRET|TOKEN|KEY|CREDENTIAL|AUTH|SALT|URL|URI|DSN|PRIVATE", re.IGNORECASE)
_SECRET_LENGTH = 3
_ANY_LENGTH = 6


def is_to_come(params: Mapping[str, Any], check_mode: bool) -> bool:
    """Whether check mode asks about a release that the run before it would have built: there is no file to read yet."""
    return check_mode and params["path"] is not None and not os.path.isdir(params["path"])


def read_environment(path: str | None, to_come: bool = False) -> dict[str, str]:
    """Read the environment of the workers; no file, no variables."""
    if path is None or (to_come and not os.path.exists(path)):
        return {}
    try:
        with open(path, encoding="utf-8") as stream:
            environment = json.load(stream)
    except OSError as error:
        raise SluiceError(f"read the configuration {path}", error.strerror or str(error)) from error
    except ValueError as error:
        # Its text is not shown: it quotes the file, and there are secrets in that.
        raise SluiceError(f"read the configuration {path}", "it is not JSON", "Render it again") from error
    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        raise SluiceError(f"read the configuration {path}", "it is not one flat object of strings", "Render it again")
    return environment


def secrets(environment: Mapping[str, str]) -> list[str]:
    """Return the values that no log line may show.

    Which variable is a secret is not known here. So every value of some length counts, whatever its name: a log line
    may lose a harmless word, but must not show a password. Of a value of several lines, such as a key, a log may hold
    each by itself.
    """
    hidden = []
    for name, value in environment.items():
        least = _SECRET_LENGTH if _SECRET_NAME.search(name) else _ANY_LENGTH
        lines = [line.strip() for line in value.splitlines()] if "\n" in value else []
        hidden += [text for text in dict.fromkeys([value, *lines]) if len(text) >= least]
    return hidden


def search_path(prepend: list[str], inherited: str) -> str:
    """Return the PATH: the named directories first, each once."""
    return os.pathsep.join(dict.fromkeys([*prepend, *inherited.split(os.pathsep)]))


def user_home() -> str:
    """The home of the user that this runs as: PM2 and npm look there for their settings."""
    return os.path.expanduser("~")
