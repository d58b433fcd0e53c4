# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on tenants: everything by which one reaches another, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import Tenants
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._tenants import (
    Facts,
    breaches,
    matching,
    owners,
    path_names,
    search_path_of,
    verdict,
)

APART = Facts(schemas=["t_a", "t_b"], owned={"a": frozenset(["t_a"]), "b": frozenset(["t_b"])})
NO_ROLES = Facts(schemas=["t_a", "t_b"], owned={})


@pytest.mark.parametrize(
    "facts",
    [
        APART,
        NO_ROLES,
        # A view that everybody who reads it may read, and one that no tenant reads.
        replace(APART, views=[("public", "v", "t_a", "deals", ["a"]), ("admin", "v", "t_b", "deals", [])]),
        # A role of the operators that may become any tenant is none of them.
        replace(APART, paths={("", True): '"$user", public', ("a", True): "t_a, public", ("c", False): "t_a, t_b"}),
        replace(NO_ROLES, views=[("public", "v", "t_a", "deals", [])]),
    ],
)
def test_tenants_that_are_apart(facts: Facts) -> None:
    assert list(breaches(facts)) == []
    found = verdict(facts)
    assert (found.values["tenants_isolated"], found.values["tenants_breaches_count"]) == (True, 0)
    assert found.unreadable == {}


@pytest.mark.parametrize(
    ("change", "kinds", "detail"),
    [
        ({"grants": [("a", "t_b", True, False, 0, None)]}, ["schema"], "a has USAGE on schema t_b"),
        ({"grants": [("a", "t_b", True, True, 0, None)]}, ["schema", "schema"], "a has CREATE on schema t_b"),
        ({"grants": [("a", "t_b", False, False, 1, "deals")]}, ["table"], "a has rights on t_b.deals"),
        ({"grants": [("a", "t_b", False, False, 3, "deals")]}, ["table"], "a has rights on t_b.deals and 2 more"),
        ({"memberships": [("a", "b")]}, ["membership"], "a is a member of b, who owns t_b"),
        (
            {"superusers": frozenset(["a"]), "grants": [("a", "t_b", True, True, 9, "x")], "memberships": [("a", "b")]},
            ["superuser"],
            "a is a superuser, who reads everything",
        ),
        (
            {"foreign_keys": [("t_a", "deals", "fk", "t_b", "users")]},
            ["foreign_key"],
            "foreign key fk of t_a.deals points to t_b.users",
        ),
        ({"views": [("t_a", "v", "t_b", "deals", [])]}, ["view"], "view t_a.v reads t_b.deals"),
        ({"views": [("public", "v", "t_b", "deals", ["a", "b"])]}, ["view"], "view public.v shows t_b.deals to a"),
        ({"paths": {("a", False): "t_a, t_b"}}, ["search_path"], "search_path of a names t_b"),
        ({"paths": {("", True): "t_b, public"}}, ["search_path"], "search_path of a names t_b"),
    ],
)
def test_a_breach(change: dict[str, Any], kinds: list[str], detail: str) -> None:
    found = list(breaches(replace(APART, **change)))
    assert [breach["kind"] for breach in found] == kinds
    assert detail in [breach["detail"] for breach in found]
    assert {key: type(value) for key, value in found[0].items() if key != "role"} == dict.fromkeys(
        ("kind", "schema", "object", "detail"), str
    )
    answer = verdict(replace(APART, **change))
    assert (answer.values["tenants_isolated"], answer.unreadable) == (False, {})


def test_without_roles_a_view_of_several_tenants_and_a_path_for_everybody_are_breaches() -> None:
    united = replace(NO_ROLES, views=[("public", "v", name, "deals", []) for name in ("t_a", "t_b")])
    assert [breach["detail"] for breach in breaches(united)] == ["view public.v reads 2 tenants: t_a, t_b"]
    common = replace(NO_ROLES, paths={("", True): "t_a"})
    assert [breach["detail"] for breach in breaches(common)] == ["search_path of the whole database names t_a"]


def test_a_role_may_have_several_schemas() -> None:
    facts = replace(
        APART,
        owned={"a": frozenset(["t_a", "t_b"]), "b": frozenset(["t_b"])},
        memberships=[("a", "b")],
        paths={("a", True): "t_a, t_b"},
        views=[("public", "v", "t_b", "deals", ["a"])],
    )
    assert list(breaches(facts)) == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(schemas=[], owned={}), "no schema matches tenants.schemas"),
        (replace(APART, owned={"a": frozenset(["t_a"])}, missing_roles=["b"]), "there is no role b"),
    ],
)
def test_what_was_not_looked_at_is_not_proven(facts: Facts, reason: str) -> None:
    found = verdict(facts)
    assert found.values["tenants_isolated"] is None
    assert found.unreadable == {"tenants_breaches_count": reason, "tenants_isolated": reason}


def test_a_breach_is_one_even_when_a_role_is_missing() -> None:
    facts = replace(APART, missing_roles=["c"], memberships=[("a", "b")])
    assert verdict(facts).values["tenants_isolated"] is False


def test_the_most_particular_path_holds() -> None:
    paths = {("a", True): "x", ("a", False): "y", ("", True): "z"}
    assert search_path_of("a", paths) == "x"
    assert search_path_of("a", {key: paths[key] for key in paths if key != ("a", True)}) == "y"
    assert search_path_of("b", paths) == "z"
    assert search_path_of("b", {}) == '"$user", public'
    assert path_names('"$user", public, "T B"', "a") == ["a", "public", "T B"]


def test_the_schemas_of_tenants() -> None:
    names = ["tenant_a", "tenant_b", "my_tenant_c", "public"]
    assert matching(names, "tenant_(.+)") == {"tenant_a": "a", "tenant_b": "b"}
    assert matching(names, "tenant_.+") == {"tenant_a": "tenant_a", "tenant_b": "tenant_b"}
    with pytest.raises(SluiceError, match=r"^Cannot use tenants\.schemas: it is no regular expression"):
        matching(names, "(")


def test_the_roles_of_tenants() -> None:
    tenants = {"tenant_a": "a", "tenant_b": "b"}
    assert owners(Tenants(schemas="", role="{tenant}_app"), tenants) == {
        "a_app": frozenset(["tenant_a"]),
        "b_app": frozenset(["tenant_b"]),
    }
    assert owners(
        Tenants(schemas="", role="{schema}", pairs=[("both", "tenant_a"), ("both", "tenant_b")]), tenants
    ) == {
        "tenant_a": frozenset(["tenant_a"]),
        "tenant_b": frozenset(["tenant_b"]),
        "both": frozenset(["tenant_a", "tenant_b"]),
    }
    with pytest.raises(SluiceError, match=r"^Cannot use the pair of x and public: tenants\.schemas matches no such"):
        owners(Tenants(schemas="", role=None, pairs=[("x", "public")]), tenants)
