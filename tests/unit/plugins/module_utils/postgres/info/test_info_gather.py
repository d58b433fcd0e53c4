# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which subjects are gathered, and what becomes of those that the server refuses."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres.info import _gather
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._gather import (
    ALWAYS,
    KEYS,
    SUBJECTS,
    ask,
    choose,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import (
    Answer,
    Migrations,
    Options,
    Question,
    Tenants,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import (
    LookingSession,
    UnreadableError,
)

TOLD = Options(
    migrations=Migrations("t", "name", None, [], None, ".*"),
    tenants=Tenants(schemas=".*", role=None),
)
EVERYTHING = list(SUBJECTS)
UNTOLD = [name for name in EVERYTHING if name not in ("migrations", "tenants")]


@pytest.mark.parametrize(
    ("gather", "options", "subjects"),
    [
        (["all"], TOLD, EVERYTHING),
        (["all"], Options(), UNTOLD),
        ([], Options(), UNTOLD),
        (["latency"], TOLD, ["server", "latency"]),
        (["locks", "latency"], TOLD, ["server", "latency", "locks"]),
        (["!size", "!statements"], Options(), [name for name in UNTOLD if name not in ("size", "statements")]),
        (["all", "!tenants"], TOLD, [name for name in EVERYTHING if name != "tenants"]),
        (["!all"], TOLD, ["server"]),
        (["!server", "latency"], TOLD, ["server", "latency"]),
        (["latency", "!latency"], TOLD, ["server"]),
    ],
)
def test_choose(gather: list[str], options: Options, subjects: list[str]) -> None:
    assert choose(gather, options) == subjects


@pytest.mark.parametrize(
    ("gather", "message"),
    [
        (["latency", "lokcs"], "Cannot gather lokcs: there is no such subject. Name some of all, server, "),
        (["!lokcs"], "Cannot gather lokcs: there is no such subject. "),
        (["tenants"], "Cannot gather tenants: option tenants does not say what to look at. Set tenants."),
        (["migrations"], "Cannot gather migrations: option migrations does not say what to look at. Set migrations."),
    ],
)
def test_what_cannot_be_gathered(gather: list[str], message: str) -> None:
    with pytest.raises(SluiceError) as error:
        choose(gather, Options())
    assert str(error.value).startswith(message)


def test_every_key_has_one_subject() -> None:
    keys = [key for questions in SUBJECTS.values() for question in questions for key in question.keys]
    assert len(keys) == len(set(keys)) == len(KEYS)
    assert ALWAYS in SUBJECTS
    # Ansible's own, and what goes with every result.
    assert not set(keys) & {"changed", "failed", "msg", "gathered", "unreadable", "diff", "warnings"}


def test_what_is_refused_is_null_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object) -> Answer:
        raise UnreadableError("permission denied for function f")

    questions = (
        Question(("a", "b"), refused),
        Question(("c",), lambda _session, _options: Answer({"c": 1})),
        Question(("d", "e"), lambda _session, _options: Answer({"d": None, "e": 2}, {"d": "hidden"})),
    )
    monkeypatch.setattr(_gather, "SUBJECTS", {"server": questions})
    assert ask(cast("LookingSession", None), ["server"], Options()) == {
        "a": None,
        "b": None,
        "c": 1,
        "d": None,
        "e": 2,
        "gathered": ["server"],
        "unreadable": {
            "a": "permission denied for function f",
            "b": "permission denied for function f",
            "d": "hidden",
        },
    }


def test_the_documentation_has_every_key() -> None:
    import yaml

    from ansible_collections.sluice.release.plugins.modules import pg_info

    documented: dict[str, Any] = yaml.safe_load(pg_info.RETURN)
    assert set(documented) == {*KEYS, "gathered", "unreadable"}
    for key, subject in KEYS.items():
        condition = "always" if subject == ALWAYS else f"when V({subject}) is gathered"
        assert documented[key]["returned"] == condition, key
