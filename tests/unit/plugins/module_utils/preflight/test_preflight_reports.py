# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is judged in the reports and the output of tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._runner import Completed
from ansible_collections.sluice.release.plugins.module_utils.preflight import _audit, _command, _coverage, _type_errors
from ansible_collections.sluice.release.plugins.module_utils.preflight._checks import check_spec


def check(**given: Any) -> dict[str, Any]:
    return {name: option.get("default") for name, option in check_spec().items()} | given


def shell(script: str, **given: Any) -> dict[str, Any]:
    return check(argv=["sh", "-c", script], **given)


# --- output of commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "asked", "passed", "message"),
    [
        ("echo done", {"match": "(?i)warning"}, True, "sh ended well; 0 lines of sh match (?i)warning"),
        ("echo '(!) Warning: big'; echo WARNING", {"match": "(?i)warning"}, False,
         "2 lines of sh match (?i)warning, 0 may; the first: (!) Warning: big"),
        ("echo warning >&2", {"match": "warning", "max_matches": 1}, True,
         "sh ended well; 1 line of sh matches warning"),
        ("echo warning; exit 2", {"match": "error"}, False, "sh ended with status 2 and said: warning"),
        ("echo error; exit 2", {"match": "error"}, False,
         "sh ended with status 2 and said: error; 1 line of sh matches error, 0 may; the first: error"),
        ("echo score 40; echo score 93.5/100", {"number": r"score ([\d.]+)", "min_number": 90}, True,
         "sh ended well; sh says 93.5"),
        ("echo score 80", {"number": r"score ([\d.]+)", "min_number": 90}, False,
         "sh says 80, at least 90 is needed"),
        ("echo score 80", {"number": r"score ([\d.]+)"}, True, "sh ended well; sh says 80"),
        ("echo score 80; exit 1", {"number": r"score ([\d.]+)", "min_number": 90}, False,
         "sh ended with status 1 and said: score 80; sh says 80, at least 90 is needed"),
        ("echo good", {"number": "score (.+)"}, False, "sh shows no number where score (.+) looks for one"),
        ("echo score good", {"number": "score (.+)"}, False, "sh shows no number where score (.+) looks for one"),
        ("true", {"match": "*"}, False, "its match is no regular expression (nothing to repeat at position 0)"),
    ],
)  # fmt: skip
def test_output_of_a_command(script: str, asked: dict[str, Any], passed: bool, message: str) -> None:
    finding = _command.look(shell(script, type="command", **asked))
    assert (finding.passed, finding.message) == (passed, message)


def test_the_evidence_of_a_command_is_whole() -> None:
    finding = _command.look(shell("echo score 80; exit 1", type="command", number="score (.+)", match="x"))
    assert finding.value.items() >= {"rc": 1, "number": 80.0, "matches": 0, "max_matches": 0}.items()


# --- coverage --------------------------------------------------------------------------------------------------------


def counts(total: int, covered: int) -> dict[str, Any]:
    one = {"total": total, "covered": covered, "skipped": 0, "pct": 0}
    return {"lines": one, "statements": one, "functions": one, "branches": {**one, "covered": covered - 1}}


SUMMARY = json.dumps(
    {
        "total": counts(100, 99),  # is counted anew, for files may be chosen
        "/home/ci/app/server/pay/card.js": counts(50, 45),
        "/home/ci/app/server/mail.js": counts(50, 36),
    }
)
LCOV = """\
TN:
SF:server/pay/card.js
FNF:4
FNH:3
DA:1,5
LF:50
LH:45
BRF:10
BRH:2
end_of_record
SF:server/mail.js
LF:50
LH:36
end_of_record
"""


@pytest.mark.parametrize("report", [SUMMARY, LCOV], ids=["istanbul", "lcov"])
@pytest.mark.parametrize(
    ("asked", "passed", "message"),
    [
        ({}, True, "81 of 100 lines are covered (81.00 %)"),
        ({"min_pct": 81.0}, False, "only 81 of 100 lines are covered (81.00 %), more than 81 % must be"),
        ({"include": ["server/pay/*"], "min_pct": 89.0}, True, "45 of 50 lines are covered (90.00 %)"),
        ({"include": ["*/mail.js"]}, False, "only 36 of 50 lines are covered (72.00 %), more than 80 % must be"),
        ({"include": ["client/*"]}, False, "no lines of client/* are counted, so nothing is proven"),
    ],
)
def test_coverage(tmp_path: Path, report: str, asked: dict[str, Any], passed: bool, message: str) -> None:
    (tmp_path / "report").write_text(report)
    finding = _coverage.look(check(type="coverage", path="report", chdir=str(tmp_path), **asked))
    assert (finding.passed, finding.message) == (passed, message)


def test_coverage_of_other_things_than_lines(tmp_path: Path) -> None:
    (tmp_path / "report").write_text(LCOV)
    given = check(type="coverage", path=str(tmp_path / "report"))
    assert _coverage.look({**given, "metric": "functions"}).value["pct"] == 75
    assert _coverage.look({**given, "metric": "branches"}).value["pct"] == 20
    assert "no statements are counted" in _coverage.look({**given, "metric": "statements"}).message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it holds neither a summary of Istanbul nor records of lcov"),
        ("{", "cannot be judged: "),
        ('{"a.js": {"s": {}}}', "it is no summary of Istanbul (reporter json-summary); a.js has no counts"),
    ],
)  # fmt: skip
def test_what_is_no_report_of_coverage(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "report").write_text(content)
    finding = _coverage.look(check(type="coverage", path=str(tmp_path / "report")))
    assert not finding.passed
    assert message in finding.message


def test_the_tests_write_the_report_first(tmp_path: Path) -> None:
    (tmp_path / "summary").write_text(SUMMARY)
    given = shell("cp summary report", type="coverage", path="report", chdir=str(tmp_path))
    assert _coverage.look(given).passed
    broken = _coverage.look({**given, "argv": ["sh", "-c", "echo 3 tests failed >&2; exit 1"]})
    assert (broken.passed, broken.message) == (False, "sh ended with status 1 and said: 3 tests failed")
    missing = _coverage.look({**given, "argv": None, "path": "nothing"})
    assert (
        missing.message
        == f"{tmp_path}/nothing cannot be read (No such file or directory); let the tests write it first"
    )


# --- type errors -----------------------------------------------------------------------------------------------------

TSC = """\
src/app.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.
  The expected type comes from property 'error TS1: x'
src/app.ts(9,1): error TS2304: Cannot find name 'foo'.
test/a.ts(1,1): error TS7006: Parameter 'x' implicitly has an 'any' type.
"""
PRETTY = (
    "\x1b[96msrc/app.ts\x1b[0m:\x1b[93m3\x1b[0m:\x1b[93m7\x1b[0m - \x1b[91merror\x1b[0m\x1b[90m TS2322: \x1b[0mType\n\n"
    "Found 1 error in src/app.ts:3\n"
)


@pytest.mark.parametrize(
    ("done", "budget", "passed", "message"),
    [
        (Completed(0, "", "", 1), 0, True, "0 type errors, 0 may be"),
        (Completed(2, TSC, "", 1), 0, False, "3 type errors, 0 may be; the first: TS2322 in src/app.ts"),
        (Completed(2, TSC, "", 1), 3, True, "3 type errors, 3 may be"),
        (Completed(1, PRETTY, "", 1), 0, False, "1 type error, 0 may be; the first: TS2322 in src/app.ts"),
        (Completed(1, "error TS18003: No inputs were found in config file.\n", "", 1), 0, False,
         "1 type error, 0 may be; the first: TS18003 in no file"),
        (Completed(127, "", "npx: not found", 1), 80, False,
         "tsc ended with status 127 without a type error and said: npx: not found"),
    ],
)  # fmt: skip
def test_type_errors(done: Completed, budget: int, passed: bool, message: str) -> None:
    finding = _type_errors.judge("tsc", done, budget)
    assert (finding.passed, finding.message) == (passed, message)


def test_type_errors_of_a_compiler_and_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text(TSC)
    ran = _type_errors.look(shell("cat out; exit 2", type="type_errors", chdir=str(tmp_path), budget=80))
    assert (ran.passed, ran.value["errors"], ran.value["files"]) == (True, 3, 2)
    kept = _type_errors.look(check(type="type_errors", path=str(tmp_path / "out")))
    assert (kept.passed, kept.value["errors"]) == (False, 3)


# --- audits ----------------------------------------------------------------------------------------------------------


def npm(**advisories: Any) -> dict[str, Any]:
    """A report of npm 7 or later, of packages with severity and score."""
    return {
        "auditReportVersion": 2,
        "vulnerabilities": {
            name: {
                "name": name,
                "severity": severity,
                "via": [
                    {"source": 1, "name": name, "url": f"https://github.com/advisories/GHSA-{name}",
                     "severity": severity, "cvss": {"score": score, "vectorString": None}},
                    "another-package",
                ],
            }
            for name, (severity, score) in advisories.items()
        },
    }  # fmt: skip


def trivy(*weaknesses: dict[str, Any]) -> dict[str, Any]:
    return {"SchemaVersion": 2, "Results": [{"Target": "app", "Vulnerabilities": list(weaknesses)}, {"Target": "os"}]}


def weakness(severity: str = "HIGH", **sources: Any) -> dict[str, Any]:
    return {"VulnerabilityID": "CVE-1", "PkgName": "libx", "Severity": severity, "CVSS": sources}


NPM6 = {"advisories": {"788": {"module_name": "js-yaml", "severity": "high", "title": "Code Injection"}}}


@pytest.mark.parametrize(
    ("report", "passed", "message"),
    [
        (npm(), True, "0 advisories are known, none above CVSS 7"),
        (npm(ws=("high", 7.0)), True, "1 advisory is known, none above CVSS 7"),
        (npm(ws=("high", 7.5), qs=("low", 3.1)), False, "1 advisory is too grave: ws (GHSA-ws, CVSS 7.5)"),
        (npm(a=("critical", 9.8), b=("high", 8.1)), False,
         "2 advisories are too grave: a (GHSA-a, CVSS 9.8), b (GHSA-b, CVSS 8.1)"),
        # npm writes 0 where it knows no score: then the severity speaks, at its worst.
        (npm(ws=("high", 0)), False, "1 advisory is too grave: ws (GHSA-ws, high, without a CVSS score)"),
        (npm(ws=("moderate", 0)), True, "1 advisory is known, none above CVSS 7"),
        (NPM6, False, "1 advisory is too grave: js-yaml (788, high, without a CVSS score)"),
        ({"advisories": {}}, True, "0 advisories are known, none above CVSS 7"),
        (trivy(), True, "0 advisories are known, none above CVSS 7"),
        (trivy(weakness(nvd={"V3Score": 9.8, "V2Score": 5}, ghsa={"V3Score": 6.5})), False,
         "1 advisory is too grave: libx (CVE-1, CVSS 9.8)"),
        (trivy(weakness(nvd={"V2Score": 9.0}, ghsa={"V3Score": 6.5})), True,
         "1 advisory is known, none above CVSS 7"),
        (trivy(weakness("UNKNOWN")), False, "1 advisory is too grave: libx (CVE-1, unknown, without a CVSS score)"),
        (trivy(weakness("MEDIUM")), True, "1 advisory is known, none above CVSS 7"),
        ({"SchemaVersion": 2, "Results": [{"Target": ".env", "Secrets": [
            {"RuleID": "aws-key", "Severity": "CRITICAL"}]}]},
         False, "1 advisory is too grave: .env (aws-key, critical, without a CVSS score)"),
        ({"SchemaVersion": 2, "Results": [{"Target": "k8s", "Misconfigurations": [
            {"ID": "KSV011", "Severity": "HIGH", "Status": "PASS"}, {"ID": "KSV012", "Severity": "LOW"}]}]},
         True, "1 advisory is known, none above CVSS 7"),
    ],
)  # fmt: skip
def test_audit(report: dict[str, Any], passed: bool, message: str) -> None:
    finding = _audit.judge(_audit.read(report), 7.0, [])
    assert (finding.passed, finding.message) == (passed, message)


def test_a_package_that_must_stay_clean() -> None:
    advisories = _audit.read(npm(**{"js-yaml": ("low", 2.0)}))
    assert _audit.judge(advisories, 7.0, []).passed
    assert _audit.judge(advisories, 7.0, ["js-yaml"]).message.endswith("js-yaml (GHSA-js-yaml, CVSS 2)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the output of sh is empty; it said: oops"),
        ("{", "the output of sh is no JSON"),
        ("[]", "the output of sh cannot be judged: it is no report of npm audit or Trivy"),
        ("{}", "the output of sh cannot be judged: it is no report of npm audit or Trivy"),
        ('{"error": {"code": "ENOLOCK", "summary": "This command requires an existing lockfile."}}',
         "the audit failed: This command requires an existing lockfile."),
        # What npm prints when the registry cannot be asked.
        ('{"message": "request failed", "error": {"summary": "", "detail": ""}, "vulnerabilities": {}}',
         "the audit failed: request failed"),
    ],
)  # fmt: skip
def test_an_audit_that_was_not_made_is_not_clean(text: str, message: str) -> None:
    finding = _audit.look(shell(f"printf '%s' '{text}'; echo oops >&2; exit 1", type="audit"))
    assert not finding.passed
    assert message in finding.message


def test_an_audit_by_command_and_by_file(tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text(json.dumps(npm(ws=("high", 7.5))))
    for given in (
        check(type="audit", path=str(tmp_path / "audit.json")),
        shell("cat audit.json; exit 1", type="audit", chdir=str(tmp_path)),
    ):
        assert _audit.look(given).value == {"advisories": 1, "above": 1, "worst": 7.5, "max_cvss": 7.0}
        assert _audit.look({**given, "max_cvss": 7.5}).passed
    assert "cannot be read" in _audit.look(check(type="audit", path="/no/such")).message
