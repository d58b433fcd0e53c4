# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What do npm audit and Trivy know against the dependencies? Judged by the CVSS score of each advisory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import CommandRunner, tail
from ansible_collections.sluice.release.plugins.module_utils.preflight import _command
from ansible_collections.sluice.release.plugins.module_utils.preflight._model import Finding, Kind, Params

_MAX_CVSS = 7.0
# The upper end of each severity (CVSS 3.1, section 5): an advisory without a score may be as bad as its severity says.
_WORST = {"critical": 10.0, "high": 8.9, "medium": 6.9, "moderate": 6.9, "low": 3.9, "info": 0.0, "none": 0.0}
_UNKNOWN = 10.0
_SHOWN = 5


class Advisory(NamedTuple):
    """One weakness of one package."""

    package: str
    name: str
    severity: str
    score: float | None
    """CVSS, from 0 to 10; None: nobody has given one."""

    @property
    def weight(self) -> float:
        """The score, or the worst that the severity stands for."""
        return _WORST.get(self.severity, _UNKNOWN) if self.score is None else self.score

    def __str__(self) -> str:
        score = f"CVSS {self.score:g}" if self.score is not None else f"{self.severity}, without a CVSS score"
        return f"{self.package} ({self.name}, {score})"


def read(report: Any) -> list[Advisory]:
    """The advisories of a report of npm (6 and later) or Trivy. ValueError when it is neither, or tells of an error."""
    report = report if isinstance(report, dict) else {}
    # First of all: an audit that could not be made must not look like a clean one.
    if report.get("error"):
        error = report["error"]
        said = (error.get("summary") or error.get("code")) if isinstance(error, dict) else error
        raise ValueError(f"the audit failed: {said or report.get('message') or 'no reason given'}")
    if isinstance(report.get("vulnerabilities"), dict):
        found = _npm(report["vulnerabilities"])
    elif isinstance(report.get("advisories"), dict):
        found = _npm6(report["advisories"])
    elif "SchemaVersion" in report:
        found = _trivy(report.get("Results") or [])
    else:
        raise ValueError("it is no report of npm audit or Trivy")
    return sorted(set(found), key=lambda advisory: (-advisory.weight, advisory))


def _number(value: Any) -> float | None:
    # npm writes 0 where there is no score.
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 else None


def _npm(packages: Mapping[str, Any]) -> Iterator[Advisory]:
    for package in packages.values():
        for cause in package.get("via") or []:
            # A text names the package that the weakness comes from, which is in the report itself.
            if isinstance(cause, dict):
                yield Advisory(
                    str(cause.get("name") or package.get("name") or ""),
                    str(cause.get("url") or cause.get("source") or "").rpartition("/")[2],
                    str(cause.get("severity") or package.get("severity") or "unknown").lower(),
                    _number((cause.get("cvss") or {}).get("score")),
                )


def _npm6(advisories: Mapping[str, Any]) -> Iterator[Advisory]:
    for number, advisory in advisories.items():
        yield Advisory(
            str(advisory.get("module_name") or ""),
            str(advisory.get("github_advisory_id") or number),
            str(advisory.get("severity") or "unknown").lower(),
            _number((advisory.get("cvss") or {}).get("score")),
        )


def _trivy(results: list[Any]) -> Iterator[Advisory]:
    for result in results:
        for weakness in result.get("Vulnerabilities") or []:
            sources = [source for source in (weakness.get("CVSS") or {}).values() if isinstance(source, dict)]
            scores: list[float] = []
            # The newest version of CVSS that anybody has scored; of several sources the worst.
            for version in ("V40Score", "V3Score", "V2Score"):
                scores = scores or [score for score in (_number(source.get(version)) for source in sources) if score]
            yield Advisory(
                str(weakness.get("PkgName") or ""),
                str(weakness.get("VulnerabilityID") or ""),
                str(weakness.get("Severity") or "unknown").lower(),
                max(scores) if scores else None,
            )
        # What its other scanners find has a severity and no score.
        for other in (*(result.get("Secrets") or []), *(result.get("Misconfigurations") or [])):
            if other.get("Status", "FAIL") == "FAIL":
                name = str(other.get("RuleID") or other.get("ID") or "")
                yield Advisory(
                    str(result.get("Target") or ""), name, str(other.get("Severity") or "unknown").lower(), None
                )


def judge(advisories: list[Advisory], most: float, absent: list[str]) -> Finding:
    """Judge the advisories: none above ``most``, and none at all against the packages ``absent``."""
    bad = [advisory for advisory in advisories if advisory.weight > most or advisory.package in absent]
    worst = max((advisory.weight for advisory in advisories), default=0.0)
    value = {"advisories": len(advisories), "above": len(bad), "worst": worst, "max_cvss": most}
    if not bad:
        count = len(advisories)
        return Finding(
            True, f"{count} advisor{'y is' if count == 1 else 'ies are'} known, none above CVSS {most:g}", value
        )
    shown = ", ".join(map(str, bad[:_SHOWN])) + (", ..." if len(bad) > _SHOWN else "")
    return Finding(False, f"{len(bad)} advisor{'ies are' if len(bad) > 1 else 'y is'} too grave: {shown}", value)


def look(params: Params, runner: CommandRunner | None = None) -> Finding:
    try:
        if params["argv"]:
            # Its exit status only repeats what the report says, and by another limit.
            done = _command.execute(params, runner)
            where, text = f"the output of {_command.name_of(params)}", done.stdout
            if not text.strip():
                return Finding(
                    False, f"{where} is empty; it said: {tail(done.stderr, 3) or 'nothing'}", {"rc": done.rc}
                )
        else:
            where = params["path"]
            with open(where, encoding="utf-8") as stream:
                text = stream.read()
        advisories = read(json.loads(text))
    except SluiceError as error:
        return Finding(False, f"{_command.name_of(params)} cannot be run: {error.cause}")
    except json.JSONDecodeError as error:
        return Finding(False, f"{where} is no JSON ({error})")
    except OSError as error:
        return Finding(False, f"{where} cannot be read ({error.strerror})")
    except ValueError as error:
        return Finding(False, f"{where} cannot be judged: {error}")
    return judge(advisories, _MAX_CVSS if params["max_cvss"] is None else params["max_cvss"], params["absent"] or [])


KIND = Kind(
    options={
        **_command.PROGRAM,
        "path": {"type": "path"},
        "max_cvss": {"type": "float"},
        "absent": {"type": "list", "elements": "str"},
    },
    look=look,
    one_of=("argv", "path"),
    group="security",
    cacheable=True,
)
