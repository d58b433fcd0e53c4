# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of mail, code, certificates, alert rules and people decide, without a server."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._clock import parse_utc
from ansible_collections.sluice.release.plugins.module_utils._http import Response
from ansible_collections.sluice.release.plugins.module_utils.preflight import (
    _alert_rules,
    _attestations,
    _certificate,
    _contacts,
    _git,
    _http,
    _mail,
    _package_version,
)
from ansible_collections.sluice.release.plugins.module_utils.preflight._checks import check_spec
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding


def check(**given: Any) -> dict[str, Any]:
    return {name: option.get("default") for name, option in check_spec().items()} | given


# --- mail ------------------------------------------------------------------------------------------------------------

MAIL = {"SMTP_HOST": "smtp.example.com", "SMTP_USER": "app", "SMTP_PASS": "geheim", "EMAIL_ENABLED": "true"}


@pytest.mark.parametrize(
    ("change", "switch", "passed", "message"),
    [
        ({}, None, True, "mail goes through smtp.example.com as app"),
        ({}, "EMAIL_ENABLED", True, "mail goes through smtp.example.com as app"),
        ({"EMAIL_ENABLED": True}, "EMAIL_ENABLED", True, "mail goes through smtp.example.com as app"),
        ({"EMAIL_ENABLED": "YES"}, "EMAIL_ENABLED", True, "mail goes through smtp.example.com as app"),
        ({"EMAIL_ENABLED": "false"}, None, True, "mail goes through smtp.example.com as app"),
        ({"EMAIL_ENABLED": "false"}, "EMAIL_ENABLED", False, "mail is switched off (EMAIL_ENABLED is false)"),
        ({}, "MAIL_ON", False, "mail is switched off (MAIL_ON is missing)"),
        ({"SMTP_USER": " "}, None, False, "SMTP_USER is missing or empty"),
        ({"SMTP_HOST": "", "SMTP_USER": None}, "MAIL_ON", False,
         "SMTP_HOST and SMTP_USER are missing or empty; mail is switched off (MAIL_ON is missing)"),
        ({"SMTP_HOST": "smtp://u:geheim@h"}, None, True, "mail goes through smtp://u:********@h as app"),
    ],
)  # fmt: skip
def test_mail(change: dict[str, Any], switch: str | None, passed: bool, message: str) -> None:
    finding = _mail.judge({**MAIL, **change}, "SMTP_HOST", "SMTP_USER", switch)
    assert (finding.passed, finding.message) == (passed, message)
    assert finding.value["configured"] is not message.startswith("SMTP")
    assert "geheim" not in str(finding)


@pytest.mark.parametrize(
    ("given", "values", "port"),
    [
        ({}, {}, 587),
        ({"tls": "implicit"}, {}, 465),
        ({}, {"SMTP_PORT": "2525"}, 2525),
        ({"port": 25}, {"SMTP_PORT": "2525"}, 25),
        ({}, {"SMTP_PORT": "smtp"}, None),
        ({}, {"SMTP_PORT": 70000}, None),
    ],
)
def test_the_port_of_the_mail_server(given: dict[str, Any], values: dict[str, Any], port: int | None) -> None:
    if port is None:
        asked = check(type="mail", connect=True, values=json.dumps({**MAIL, **values}), **given)
        assert _mail.look(asked).message == "SMTP_PORT is no port"
    else:
        assert _mail.port_of(check(type="mail", **given), values) == port


# --- git -------------------------------------------------------------------------------------------------------------

COMMIT = "3f2a9c1b77d0" + "0" * 28
HEAD = f"# branch.oid {COMMIT}\0# branch.head main\0# branch.upstream origin/main\0# branch.ab +0 -0\0"
CHANGED = "1 .M N... 100644 100644 100644 aaa bbb a file\0"
RENAMED = "2 R. N... 100644 100644 100644 aaa bbb R100 new name\0old name\0"
UNMERGED = "u UU N... 100644 100644 100644 100644 a b c both\0"
REFS = "refs/heads/main\nrefs/remotes/origin/release/v2.0.0\nrefs/tags/v2.0.0\n"


def test_what_git_says_is_read() -> None:
    tree = _git.read(HEAD + CHANGED + RENAMED + UNMERGED + "? new file\0", REFS)
    assert tree.changes == ["a file", "new name", "both", "new file"]
    assert (tree.commit, tree.branch) == (COMMIT, "main")
    assert tree.refs == REFS.split()


DETACHED = HEAD.replace("head main", "head (detached)")


@pytest.mark.parametrize(
    ("status", "asked", "passed", "message"),
    [
        (HEAD, {}, True, "/x is clean at 3f2a9c1b77d0 on main, tagged v2.0.0"),
        (HEAD, {"branch": "main", "tag": "v2.0.0", "commit": "3F2A9C"}, True,
         "/x is clean at 3f2a9c1b77d0 on main, tagged v2.0.0"),
        (HEAD + CHANGED, {}, False, "/x: 1 path is not as committed (a file)"),
        (HEAD + "".join(f"? {n}\0" for n in range(7)), {}, False,
         "/x: 7 paths are not as committed (0, 1, 2, 3, 4, ...)"),
        (HEAD, {"branch": "release/v2.0.0"}, False, "/x: it is on branch main, not on release/v2.0.0"),
        (DETACHED, {"branch": "release/v2.0.0"}, True, "/x is clean at 3f2a9c1b77d0, tagged v2.0.0"),
        (DETACHED, {"branch": "main"}, True, "/x is clean at 3f2a9c1b77d0, tagged v2.0.0"),
        (DETACHED, {"branch": "other"}, False, "/x: it is on no branch, not on other"),
        (HEAD, {"tag": "v2"}, False, "/x: its commit 3f2a9c1b77d0 does not bear the tag v2"),
        (HEAD, {"commit": "abc"}, False, "/x: it is at commit 3f2a9c1b77d0, not at abc"),
        (HEAD + CHANGED, {"branch": "x"}, False,
         "/x: 1 path is not as committed (a file); it is on branch main, not on x"),
    ],
)  # fmt: skip
def test_git(status: str, asked: dict[str, str], passed: bool, message: str) -> None:
    given = check(type="git", **asked)
    finding = _git.judge("/x", _git.read(status, REFS), given["branch"], given["tag"], given["commit"])
    assert (finding.passed, finding.message) == (passed, message)


# --- versions of packages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packages", "asked", "passed", "message"),
    [
        ({"": "2.0.0", "web": "2.0.0"}, {}, True, "2 package.json name version 2.0.0"),
        ({"": "2.0.0"}, {"version": "v2.0.0"}, True, "1 package.json names version 2.0.0"),
        ({"": "2.0.0", "web": "1.9.0"}, {}, False,
         "the versions differ: package.json has 2.0.0, web/package.json has 1.9.0"),
        ({"": "2.0.0", "web": "1.9.0"}, {"version": "2.0.0"}, False,
         "the version is not 2.0.0 everywhere: web/package.json has 1.9.0"),
        ({"": "2.0.0", "web/node_modules/x": "1", ".cache/y": "2"}, {}, True, "1 package.json names version 2.0.0"),
        ({"": "2.0.0", "test/fixture": "1"}, {"exclude": ["test"]}, True, "1 package.json names version 2.0.0"),
        ({"": "2.0.0", "web": "1"}, {"files": ["package.json"]}, True, "1 package.json names version 2.0.0"),
        ({"": "2.0.0", "web": None}, {}, False, "web/package.json of {root} names no version"),
        ({}, {}, False, "{root} holds no package.json"),
        ({"": "1"}, {"files": ["x/package.json"]}, False,
         "x/package.json of {root} cannot be read (No such file or directory)"),
    ],
)  # fmt: skip
def test_package_version(
    tmp_path: Path, packages: dict[str, str | None], asked: dict[str, Any], passed: bool, message: str
) -> None:
    for directory, version in packages.items():
        (tmp_path / directory).mkdir(parents=True, exist_ok=True)
        content = {"name": "x"} | ({"version": version} if version else {})
        (tmp_path / directory / "package.json").write_text(json.dumps(content))
    finding = _package_version.look(check(type="package_version", path=str(tmp_path), **asked))
    assert (finding.passed, finding.message) == (passed, message.format(root=tmp_path))


def test_package_version_of_nothing_and_of_rubbish(tmp_path: Path) -> None:
    given = check(type="package_version", path=str(tmp_path))
    (tmp_path / "package.json").write_text("[]")
    assert "names no version" in _package_version.look(given).message
    (tmp_path / "package.json").write_text("{")
    assert "cannot be read" in _package_version.look(given).message
    assert _package_version.look({**given, "path": "/no/such"}).message == "/no/such is no directory"


# --- certificates ----------------------------------------------------------------------------------------------------

NOW = parse_utc("2026-11-22T00:00:00.000Z")
CERTIFICATE = {
    "notAfter": "Dec 27 12:00:00 2026 GMT",
    "issuer": ((("countryName", "XX"),), (("organizationName", "Example CA"),), (("commonName", "R1"),)),
    "subjectAltName": (("DNS", "example.com"), ("DNS", "*.example.com"), ("IP Address", "192.0.2.1"), ("URI", "x")),
}


def test_what_a_certificate_says() -> None:
    assert _certificate.summary(CERTIFICATE, NOW) == {
        "days_left": 35.5,
        "expires": "2026-12-27T12:00:00.000Z",
        "issuer": "Example CA",
        "names": ["example.com", "*.example.com", "192.0.2.1"],
    }


@pytest.mark.parametrize(
    ("days", "wrong", "passed", "message"),
    [
        ({"a": 31, "b": 90.5}, {}, True, "2 domains have a certificate for another 31 days"),
        ({"a": 30}, {}, False, "a: its certificate is good for another 30 days, more than 30 are needed"),
        ({"a": -2}, {"b": "connection refused"}, False,
         "b: connection refused; a: its certificate is good for another -2 days, more than 30 are needed"),
    ],
)  # fmt: skip
def test_certificate(days: dict[str, float], wrong: dict[str, str], passed: bool, message: str) -> None:
    finding = _certificate.judge({name: {"days_left": left} for name, left in days.items()}, wrong, 30)
    assert (finding.passed, finding.message) == (passed, message)
    assert set(finding.value["domains"]) == {*days, *wrong}


@pytest.mark.parametrize(
    ("domain", "port", "expected"),
    [("a.b", None, ("a.b", 443)), ("a.b", 8443, ("a.b", 8443)), ("a.b:1", 8443, ("a.b", 1)), (" a ", None, ("a", 443))],
)
def test_a_domain_with_a_port(domain: str, port: int | None, expected: tuple[str, int]) -> None:
    assert _certificate.split(domain, port) == expected


@pytest.mark.parametrize("domain", ["", ":443", "a.b:https", "a.b:0"])
def test_what_is_no_domain(domain: str) -> None:
    finding = _certificate.look(check(type="certificate", domains=[domain]))
    assert (finding.passed, finding.message) == (False, f"{domain}: it must be a name, or name:port")


# --- alert rules -----------------------------------------------------------------------------------------------------

RULE = {
    "type": "alerting",
    "name": "HighErrorRate",
    "query": 'sum(rate(errors_total{job="x"}[5m])) > 0.01',
    "duration": 300,
    "labels": {"severity": "critical"},
    "health": "ok",
}


@pytest.mark.parametrize(
    ("change", "want", "passed", "message"),
    [
        ({}, {}, True, "1 alert rule is in place"),
        ({}, {"expr": "> 0.01", "for": "5m", "severity": "critical"}, True, "1 alert rule is in place"),
        ({}, {"expr": 'rate( errors_total{job="x"} [5m] ))>0.01'}, True, "1 alert rule is in place"),
        ({}, {"for": "300"}, True, "1 alert rule is in place"),
        ({"name": "Other"}, {}, False, "HighErrorRate is missing"),
        ({}, {"expr": "> 0.05"}, False,
         'HighErrorRate: its expression is sum(rate(errors_total{job="x"}[5m])) > 0.01, without > 0.05'),
        ({}, {"for": "10m"}, False, "HighErrorRate: it fires after 300 s, not after 10m"),
        ({"duration": 0}, {"for": "1m30s"}, False, "HighErrorRate: it fires after 0 s, not after 1m30s"),
        ({}, {"severity": "page"}, False, "HighErrorRate: its severity is critical, not page"),
        ({"labels": {}}, {"severity": "page"}, False, "HighErrorRate: its severity is not set, not page"),
        ({"health": "err", "lastError": "bad"}, {}, False, "HighErrorRate: it cannot be evaluated (bad)"),
        ({"health": "unknown"}, {}, True, "1 alert rule is in place"),
    ],
)  # fmt: skip
def test_alert_rule(change: dict[str, Any], want: dict[str, str], passed: bool, message: str) -> None:
    wanted = {"name": "HighErrorRate", "expr": None, "for": None, "severity": None} | want
    finding = _alert_rules.judge([{**RULE, **change}], [wanted])
    assert (finding.passed, finding.message) == (passed, message)


def test_one_good_rule_of_a_name_is_enough() -> None:
    wanted = [{"name": "HighErrorRate", "expr": None, "for": "5m", "severity": None}]
    assert _alert_rules.judge([{**RULE, "duration": 60}, RULE], wanted).passed
    assert not _alert_rules.judge([], wanted).passed


def test_recording_rules_are_no_alerts() -> None:
    assert _alert_rules.alerts({"groups": [{"rules": [RULE, {**RULE, "type": "recording"}]}, {"rules": None}]}) == [
        RULE
    ]
    assert _alert_rules.alerts({}) == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 300), ("1h30m", 5400), ("90", 90), ("500ms", 0.5), ("0", 0), ("1d", 86400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert _alert_rules.seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["five minutes", "5x", "m5", "5 m"])
def test_what_is_no_duration(text: str) -> None:
    rule = {"name": "A", "expr": None, "for": text, "severity": None}
    finding = _alert_rules.look(check(type="alert_rules", url="http://127.0.0.1:1", rules=[rule]))
    assert finding == Finding(False, f"for of A: {text} is no duration such as 5m")


# --- people ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "fields", "passed", "message"),
    [
        ({"lead": "Ada", "dba": {"name": "Grace"}}, ["name"], True, "2 of 2 contacts are named"),
        ({"lead": "Ada", "dba": ""}, ["name"], False, "nobody is named, or not in full, for dba"),
        ({"lead": None}, ["name"], False, "nobody is named, or not in full, for lead, dba"),
        ({"lead": {"name": "Ada", "phone": 1}, "dba": {"name": "Grace", "phone": " "}}, ["name", "phone"], False,
         "nobody is named, or not in full, for dba (phone)"),
        ({"lead": "Ada", "dba": {}}, ["name", "phone"], False,
         "nobody is named, or not in full, for lead (phone), dba"),
    ],
)  # fmt: skip
def test_contacts(people: dict[str, Any], fields: list[str], passed: bool, message: str) -> None:
    finding = _contacts.judge(people, ["lead", "dba"], fields)
    assert (finding.passed, finding.message) == (passed, message)
    asked = check(type="contacts", people=people, required=["lead", "dba"], fields=fields)
    assert _contacts.look(asked) == finding


@pytest.mark.parametrize(
    ("attested", "most", "fault"),
    [
        ({"by": "Ada", "on": "2026-11-01"}, None, None),
        ({"by": "Ada", "on": "2026-11-01"}, 21, None),
        ({"by": "Ada", "on": "2026-10-31"}, 21, "2026-10-31 is 22 days ago, at most 21 may be"),
        ({"by": "Ada", "on": "2026-11-23"}, None, None),
        ({"by": "Ada", "on": "2026-12-24"}, None, "2026-12-24 is yet to come"),
        ({"by": "Ada", "on": "last week"}, None, "it does not say on which day"),
        ({"by": "Ada"}, None, "it does not say on which day"),
        ({"by": " ", "on": "2026-11-01"}, None, "it does not say by whom"),
        ("Ada", None, "it does not say by whom"),
        ({}, None, "nobody has vouched for it"),
        (None, None, "nobody has vouched for it"),
    ],
)
def test_attestation(attested: Any, most: float | None, fault: str | None) -> None:
    assert _attestations.fault(attested, date(2026, 11, 22), most) == fault
    finding = _attestations.judge({"owasp review": attested}, ["owasp review"], date(2026, 11, 22), most)
    assert finding.passed is (fault is None)
    assert finding.message == (f"owasp review: {fault}" if fault else "1 of 1 items are vouched for by Ada")


# --- what answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "match", "passed", "message"),
    [
        (Response(200, {}, b"database: ok", 0.05), None, True, "grafana answered with status 200 in 50 ms"),
        (Response(200, {}, b"database: ok", 0.05), "ok$", True, "grafana answered with status 200 in 50 ms"),
        (Response(200, {}, b"database: ok", 0.05), "failed", False, "the answer of grafana does not match failed"),
        (Response(503, {}, b"", 0.05), None, False, "grafana answered with status 503"),
        (Response(200, {}, b"", 1.5), None, False, "grafana took 1500 ms, at most 1000 ms are allowed"),
        (Response(0, {}, b"", 0.0, "connection refused", "refused"), None, False,
         "grafana does not answer: connection refused"),
    ],
)  # fmt: skip
def test_http(answer: Response, match: str | None, passed: bool, message: str) -> None:
    finding = _http.judge("grafana", answer, [200], match, 1000)
    assert (finding.passed, finding.message) == (passed, message)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"url": "http://u:geheim@127.0.0.1:1/geheim?key=geheim"}, "127.0.0.1:1 does not answer: connection refused"),
        ({"url": "geheim"}, "its url does not answer: its URL cannot be used "),
        ({"url": "http://[geheim"}, "its url cannot be read"),
        ({"url": "http://127.0.0.1:1", "match": "*"}, "its match is no regular expression (nothing to repeat "),
    ],
)
def test_http_that_cannot_be_asked(given: dict[str, str], message: str) -> None:
    finding = _http.look(check(type="http", **given))
    assert not finding.passed
    assert finding.message.startswith(message)
    assert "geheim" not in str(finding)
