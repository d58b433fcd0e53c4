# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Config versions: immutable renderings of an application's environment, numbered from 1.

A rendering is one flat JSON object of strings, ``<root>/config/<n>/env.json``. The same content is the same version,
so that a release that goes back finds the version that it had, and a second run makes none.
"""

from __future__ import annotations

import json
import os
import re
import typing as t

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import write_atomic
from ansible_collections.sluice.release.plugins.module_utils._runner import REDACTED

FILE = "env.json"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def render(variables: t.Mapping[str, t.Any], secrets: t.Mapping[str, t.Any]) -> str:
    """Return the content of a config version: variables and secrets as one sorted JSON object of strings."""
    twice = sorted(set(variables) & set(secrets))
    if twice:
        raise SluiceError(
            "render the configuration",
            f"{', '.join(twice)} stands in sluice_env and in sluice_secrets",
            "Keep it in one of them",
        )
    both = {**variables, **secrets}
    for name, value in both.items():
        if not _NAME.match(name):
            raise SluiceError(
                "render the configuration", f"{name!r} is no name of an environment variable", "Rename it in sluice_env"
            )
        if isinstance(value, (dict, list)):
            raise SluiceError(
                "render the configuration",
                f"{name} is a {type(value).__name__}, and an environment variable is text",
                "Write it as text, for example as JSON in quotes",
            )
    return json.dumps({name: _text(value) for name, value in both.items()}, indent=2, sort_keys=True) + "\n"


def lay(versions: t.Mapping[int, str], base: int, content: str) -> str:
    """Return the content of the version `base` with that of `content` laid on it."""
    if base not in versions:
        raise SluiceError(
            "render the configuration",
            f"config version {base}, which the live one was made from, is not there any more",
            "Deploy, which renders it from the profile",
        )
    return json.dumps({**json.loads(versions[base]), **json.loads(content)}, indent=2, sort_keys=True) + "\n"


def names(content: str) -> list[str]:
    """Return the names of the variables."""
    return sorted(json.loads(content))


def changes(before: str | None, after: str, plain: t.Collection[str]) -> list[dict[str, t.Any]]:
    """Return what differs between two contents, `None` being no value; only those of `plain` names are shown."""
    was: dict[str, str] = json.loads(before or "{}")
    now: dict[str, str] = json.loads(after)

    def shown(name: str, values: t.Mapping[str, str]) -> str | None:
        return values.get(name) if name in plain or name not in values else REDACTED

    return [
        {"name": name, "was": shown(name, was), "is": shown(name, now)}
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    ]


def _text(value: t.Any) -> str:
    """Spell a YAML value as an application's author expects to read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def read_versions(path: str) -> dict[int, str]:
    """Return number and content of every config version below `path`; what is half-written is none."""
    versions = {}
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return {}
    for name in names:
        if name.isdigit():
            try:
                with open(os.path.join(path, name, FILE), encoding="utf-8") as stream:
                    versions[int(name)] = stream.read()
            except FileNotFoundError:
                continue
    return versions


def choose(versions: t.Mapping[int, str], content: str) -> tuple[int, bool]:
    """Return the version for a content and whether it is new: the newest with that content, or the next number."""
    same = [number for number, text in versions.items() if text == content]
    if same:
        return max(same), False
    return max(versions, default=0) + 1, True


def write_version(path: str, number: int, content: str) -> None:
    """Write a version; secrets are in it, so nobody else reads it."""
    directory = os.path.join(path, str(number))
    os.makedirs(directory, mode=0o700, exist_ok=True)
    os.chmod(directory, 0o700)
    write_atomic(os.path.join(directory, FILE), content, 0o600)


def describe(content: str | None, plain: t.Collection[str], other: str | None) -> dict[str, str]:
    """Return a content for a diff: values of `plain` names as they are, every other value masked.

    A masked value that differs from the other side's says so without saying what it is.
    """
    if content is None:
        return {}
    values: dict[str, str] = json.loads(content)
    others: dict[str, str] = json.loads(other) if other else {}
    return {name: _shown(name, value, plain, others) for name, value in sorted(values.items())}


def _shown(name: str, value: str, plain: t.Collection[str], others: t.Mapping[str, str]) -> str:
    if name in plain:
        return value
    return REDACTED if others.get(name, value) == value else f"{REDACTED} (differs)"
