# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups, scores, waivers, and what is kept of a pass."""

from __future__ import annotations

import json
import os
import stat
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.preflight import _cache, _waivers
from ansible_collections.sluice.release.plugins.module_utils.preflight._checks import (
    KINDS,
    check_spec,
    group_of,
    problems,
    run_checks,
    spec,
)
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding
from ansible_collections.sluice.release.plugins.module_utils.preflight._score import GROUPS, result

TODAY = date(2026, 11, 22)


def check(**given: Any) -> dict[str, Any]:
    return {name: option.get("default") for name, option in check_spec().items()} | given


def params(*checks: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {name: option.get("default") for name, option in spec().items()} | {"checks": list(checks)} | given


def scored(*outcomes: tuple[str, bool], **given: Any) -> dict[str, Any]:
    """The result of checks, each given as group and whether it passed; they are named a, b, c and so on."""
    checks = [check(type="file", name="abcdefgh"[place], group=group) for place, (group, _ok) in enumerate(outcomes)]
    return result(checks, [Finding(ok, "found") for _group, ok in outcomes], today=TODAY, **given)


def waiver(**given: Any) -> dict[str, Any]:
    return {"item": "a", "person": "Ada", "reason": "known", "until": "2026-12-31"} | given


@pytest.mark.parametrize(
    ("outcomes", "passed", "score"),
    [
        ([(True, False, 1), (True, False, 1)], True, 100),
        ([(True, False, 3), (False, False, 1)], False, 75),
        ([(True, False, 3), (False, True, 1)], True, 75),
        ([(False, True, 0)], True, 100),
    ],
)
def test_score_within_a_group(outcomes: list[tuple[bool, bool, float]], passed: bool, score: float) -> None:
    checks = [
        check(type="file", name="x", group="x", optional=optional, weight=weight) for _ok, optional, weight in outcomes
    ]
    found = result(checks, [Finding(ok, "") for ok, _optional, _weight in outcomes])
    assert (found["passed"], found["score"]) == (passed, score)


@pytest.mark.parametrize(
    ("outcomes", "weights", "score"),
    [
        # Groups count alike, however many checks they have.
        ([("redis", True), ("code", False), ("code", True), ("code", True)], {}, 83.3),
        ([("redis", True), ("code", False)], {}, 50),
        ([("redis", True), ("code", False)], {"redis": 3}, 75),
        ([("redis", True), ("code", False)], {"code": 0}, 100),
        ([("redis", False), ("code", True)], {"code": 0}, 0),
        ([(name, True) for name in GROUPS], {}, 100),
        ([(name, name != "cache") for name in GROUPS], {}, 85.7),
    ],
)
def test_score_over_groups(outcomes: list[tuple[str, bool]], weights: dict[str, float], score: float) -> None:
    found = scored(*outcomes, group_weights=weights)
    assert found["score"] == score
    assert found["passed"] is all(ok for _name, ok in outcomes)


def test_a_group_has_its_evidence() -> None:
    found = scored(("code", True), ("people", True), ("redis", False), ("code", False))
    assert [group["name"] for group in found["groups"]] == ["redis", "code", "people"]
    redis, code, people = found["groups"]
    assert code == {
        "name": "code",
        "passed": False,
        "score": 50.0,
        "weight": 1.0,
        "checks": ["a", "d"],
        "failed": ["d"],
        "waived": [],
        "message": "d: found",
    }
    assert (redis["passed"], people["passed"], people["message"]) == (False, True, "b: found")


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("variables", "environment"),
        ("postgres", "database"),
        ("redis", "redis"),
        ("writable", "filesystem"),
        ("mail", "notification"),
        ("git", "code"),
        ("audit", "security"),
        ("alert_rules", "monitoring"),
        ("contacts", "people"),
    ],
)
def test_the_group_of_a_type(kind: str, group: str) -> None:
    assert group_of(check(type=kind)) == group
    assert group_of(check(type=kind, group="rate_limiting")) == "rate_limiting"


@pytest.mark.parametrize(
    ("until", "ok", "passed", "waived", "message"),
    [
        ("2026-12-31", False, True, True, "found; waived by Ada until 2026-12-31: known"),
        ("2026-11-22", False, True, True, "found; waived by Ada until 2026-11-22: known"),
        ("2026-11-21", False, False, False,
         "found; the waiver by Ada has ended on 2026-11-21, renew it or take it away"),
        # Also where nothing needs it any more: a person has to close what a person has let pass.
        ("2026-11-21", True, False, False,
         "found; the waiver by Ada has ended on 2026-11-21, renew it or take it away"),
        ("2026-12-31", True, True, False, "found"),
    ],
)  # fmt: skip
def test_waiver(until: str, ok: bool, passed: bool, waived: bool, message: str) -> None:
    found = scored(("code", ok), ("redis", True), waivers=[waiver(until=until)])
    first = found["checks"][0]
    assert (found["passed"], first["waived"], first["message"]) == (passed, waived, message)
    assert first["waiver"] == {"person": "Ada", "reason": "known", "until": until}
    assert found["checks"][1]["waiver"] is None
    whole = ok and passed
    assert first["passed"] is whole
    assert found["score"] == (100 if whole else 50), "what is waived costs its score"
    assert found["score_with_waived"] == (100 if passed else 50)


def test_an_expired_waiver_of_an_optional_check_blocks() -> None:
    checks = [check(type="file", name="a", group="x", optional=True)]
    assert result(checks, [Finding(False, "")], today=TODAY)["passed"]
    assert not result(checks, [Finding(False, "")], waivers=[waiver(until="2026-01-01")], today=TODAY)["passed"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"item": "b"}, "the waiver of b names no check"),
        ({"person": " "}, "the waiver of a has no person"),
        ({"reason": ""}, "the waiver of a has no reason"),
        ({"until": "soon"}, "the waiver of a ends on soon, which is no date such as 2026-12-31"),
        ({"until": "2026-02-30"}, "the waiver of a ends on 2026-02-30, which is no date such as 2026-12-31"),
    ],
)
def test_a_waiver_that_makes_no_sense(given: dict[str, Any], problem: str) -> None:
    assert list(_waivers.problems([waiver(**given)], {"a"})) == [problem]
    with pytest.raises(SluiceError, match="Cannot use the preflight checks"):
        run_checks(params(check(type="file", name="a", path="/"), waivers=[waiver(**given)]))


def test_waivers_of_the_same_check() -> None:
    assert list(_waivers.problems([waiver(), waiver()], {"a"})) == ["a is waived more than once"]


@pytest.mark.parametrize(
    ("weights", "problem"),
    [({"cash": 1}, "group_weights names cash, a group without a check"),
     ({"filesystem": -1}, "the weight of group filesystem must be 0 or more"),
     ({"filesystem": "much"}, "the weight of group filesystem must be 0 or more")],
)  # fmt: skip
def test_group_weights_that_make_no_sense(weights: dict[str, Any], problem: str) -> None:
    with pytest.raises(SluiceError, match=problem):
        run_checks(params(check(type="file", path="/"), group_weights=weights))


# --- what is kept ----------------------------------------------------------------------------------------------------


def build(tmp_path: Path, **given: Any) -> dict[str, Any]:
    """A check of a build that notes each of its runs."""
    script = 'echo run >> "$0"; test ! -e "$0.bad"'
    argv = ["sh", "-c", script, str(tmp_path / "log")]
    return check(**{"type": "command", "name": "the build!", "argv": argv, "cache_key": "abc123"} | given)


def runs(tmp_path: Path) -> int:
    path = tmp_path / "log"
    return len(path.read_text().splitlines()) if path.exists() else 0


def prove(tmp_path: Path, given: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
    (found,) = run_checks(params(given, state_dir=str(tmp_path / "state")), check_mode)["checks"]
    return dict(found)


def test_a_pass_is_kept_for_its_key(tmp_path: Path) -> None:
    first = prove(tmp_path, build(tmp_path))
    assert (first["cached"], first["message"]) == (False, "sh ended well")
    again = prove(tmp_path, build(tmp_path))
    assert again["cached"]
    assert again["message"].startswith("sh ended well (passed for abc123 at 20")
    assert again["message"].endswith(", from the cache)")
    assert again["value"] == first["value"]
    assert runs(tmp_path) == 1
    assert not prove(tmp_path, build(tmp_path, cache_key="def456"))["cached"]
    assert not prove(tmp_path, build(tmp_path, match="warning"))["cached"], "another question was asked"
    assert runs(tmp_path) == 3
    assert not prove(tmp_path, build(tmp_path, cache_key=""))["cached"]
    (kept,) = (tmp_path / "state" / "preflight").iterdir()
    assert kept.name.startswith("the-build-")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_failure_is_never_kept(tmp_path: Path) -> None:
    (tmp_path / "log.bad").touch()
    assert not prove(tmp_path, build(tmp_path))["passed"]
    assert not (tmp_path / "state").exists()
    (tmp_path / "log.bad").unlink()
    assert prove(tmp_path, build(tmp_path))["passed"]
    assert runs(tmp_path) == 2


def test_check_mode_keeps_nothing_and_uses_what_is_kept(tmp_path: Path) -> None:
    assert prove(tmp_path, build(tmp_path), check_mode=True)["passed"]
    assert not (tmp_path / "state").exists()
    prove(tmp_path, build(tmp_path))
    assert prove(tmp_path, build(tmp_path), check_mode=True)["cached"]


@pytest.mark.parametrize(
    ("content", "days", "hours", "counts"),
    [
        ({}, None, 1, True),
        ({}, None, 24 * 7 + 1, False),
        ({}, 1.0, 23, True),
        ({}, 1.0, 25, False),
        ({}, None, -1, False),
        ({"at": "yesterday"}, None, 1, False),
        ({"value": None}, None, 1, False),
    ],
)
def test_how_long_a_pass_counts(
    tmp_path: Path, content: dict[str, Any], days: float | None, hours: float, counts: bool
) -> None:
    given, kind = check(type="command", argv=["x"], cache_key="k", cache_days=days), KINDS["command"]
    _cache.keep(str(tmp_path), "x", kind, given, Finding(True, "good"))
    path = Path(_cache.path_of(str(tmp_path), "x"))
    kept = json.loads(path.read_text()) | content
    path.write_text(json.dumps(kept))
    now = 0.0 if "at" in content else parse_utc(kept["at"]) + hours * 3600
    assert bool(_cache.recall(str(tmp_path), "x", kind, given, now)) is counts


def test_half_a_file_is_no_pass(tmp_path: Path) -> None:
    given, kind = check(type="command", argv=["x"], cache_key="k"), KINDS["command"]
    _cache.keep(str(tmp_path), "x", kind, given, Finding(True, "good"))
    path = Path(_cache.path_of(str(tmp_path), "x"))
    path.write_text(path.read_text()[:40])
    assert _cache.recall(str(tmp_path), "x", kind, given) is None


def test_secrets_are_in_no_file_and_no_fingerprint(tmp_path: Path) -> None:
    one, two = (check(type="redis", url=f"redis://:{word}@h/0") for word in ("geheim-1", "geheim-2"))
    assert _cache.fingerprint(KINDS["redis"], one) == _cache.fingerprint(KINDS["redis"], two)


def test_a_pass_that_cannot_be_kept_is_a_pass(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    assert prove(tmp_path, build(tmp_path))["passed"]
    assert os.path.isfile(tmp_path / "state")


@pytest.mark.parametrize(
    ("given", "state_dir", "problem"),
    [
        ({"type": "port", "port": 1, "cache_key": "k"}, "/s",
         "port: what a check of type port finds may change at any time, so cache_key is no use"),
        ({"type": "command", "argv": ["x"], "cache_key": "k"}, None,
         "command: cache_key needs state_dir, the directory to keep passes in"),
        ({"type": "command", "argv": ["x"], "cache_days": 0}, "/s", "command: cache_days must be above 0"),
        ({"type": "command", "argv": []}, None, "command: its argv is empty"),
    ],
)  # fmt: skip
def test_a_cache_that_makes_no_sense(given: dict[str, Any], state_dir: str | None, problem: str) -> None:
    assert list(problems([check(**given)], state_dir)) == [problem]
