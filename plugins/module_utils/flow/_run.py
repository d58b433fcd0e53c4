# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Runs flows side by side, each step by step, and says what each found."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._http import Fetch, Response
from ansible_collections.sluice.release.plugins.module_utils._http import fetch as http_fetch
from ansible_collections.sluice.release.plugins.module_utils.flow._cookies import Jar
from ansible_collections.sluice.release.plugins.module_utils.flow._exchange import exchange, request
from ansible_collections.sluice.release.plugins.module_utils.flow._expect import (
    Answer,
    Finding,
    check,
    status_fits,
    take,
)
from ansible_collections.sluice.release.plugins.module_utils.flow._model import Flow, Step
from ansible_collections.sluice.release.plugins.module_utils.flow._score import gate
from ansible_collections.sluice.release.plugins.module_utils.flow._secrets import Secrets
from ansible_collections.sluice.release.plugins.module_utils.flow._template import names_in

SIDE_BY_SIDE = 8
"""Flows that run at once at most: a verification is no load test."""

_SLACK = 2.0
"""Seconds beyond its own bounds after which a flow is given up."""

Report = Callable[[str, float, float], None]


def run_flows(
    flows: Sequence[Flow], deadline: float, *, fetch: Fetch = http_fetch, report: Report | None = None
) -> list[dict[str, Any]]:
    """Run all flows and return a gate of each, in their order. `deadline`: seconds for all of them together."""
    ends = time.monotonic() + deadline
    runs = [FlowRun(flow, ends, fetch) for flow in flows]
    done = 0

    def tell() -> None:
        if report:
            report("flows", float(done), float(len(runs)))

    tell()
    # What must run alone, such as a probe that uses up a limit, runs after all the others.
    groups = [[run for run in runs if not run.flow.alone], *([run] for run in runs if run.flow.alone)]
    for group in groups:
        places = threading.Semaphore(SIDE_BY_SIDE)
        threads = [threading.Thread(target=run.run, args=(places,), daemon=True) for run in group]
        for thread in threads:
            thread.start()
        for run, thread in zip(group, threads):
            # Every request bounds itself; this is for what nobody has thought of.
            thread.join(max(0.0, ends - time.monotonic()) + run.cleanup + _SLACK)
            done += 1
            tell()
    return [run.gate() for run in runs]


class FlowRun:
    """One flow on its way: its variables, its cookies, and what its steps have found so far."""

    def __init__(self, flow: Flow, ends: float, fetch: Fetch) -> None:
        self.flow = flow
        self.cleanup = sum(step.timeout for step in flow.steps if step.always)
        self._ends = ends
        self._fetch = fetch
        self._jar = Jar()
        self._variables: dict[str, Any] = {
            "unique": secrets.token_hex(6),
            **flow.variables,
            **flow.secret_variables,
        }
        hidden = [flow.secret_headers, flow.secret_variables, *(step.secret_headers for step in flow.steps)]
        self._secrets = Secrets(hidden)
        self._steps: list[dict[str, Any]] = []
        self._findings: list[list[Finding]] = []
        self._seconds = 0.0
        self._finished = False

    def run(self, places: threading.Semaphore) -> None:
        """Take every step; after a failure only those that always run."""
        with places:
            started = time.monotonic()
            self._ends = min(self._ends, started + self.flow.deadline)
            failed = False
            for step in self.flow.steps:
                if failed and not step.always:
                    self._note(step, "skipped", [], reason="an earlier step failed")
                else:
                    failed = not self._take(step) or failed
            self._seconds = time.monotonic() - started
            self._finished = True

    def _take(self, step: Step) -> bool:
        """Take one step and note what came of it; whether it is as expected."""
        missing = sorted(_needs(self.flow, step) - set(self._variables))
        if missing:
            # The step that should have captured it has failed and says so; there is nothing to clean up.
            self._note(step, "skipped", [], reason=f"{', '.join(missing)} was never captured")
            return True
        ends = time.monotonic() + step.timeout if step.always else self._ends
        statuses: Counter[str] = Counter()
        attempts, answer, findings = 0, None, list[Finding]()
        try:
            if step.within > 0:
                attempts, answer, findings = self._until(step, ends, statuses)
            else:
                attempts, answer, findings = self._times(step, ends, statuses)
            if answer is not None:
                findings += self._capture(step, answer)
        except ValueError as error:
            findings = [Finding("a request that can be sent", str(error))]
        except Exception as error:  # noqa: BLE001 - whatever a server comes up with ends in a finding
            findings = [Finding("an answer that can be judged", f"{type(error).__name__}: {error}")]
        more: dict[str, Any] = {"attempts": attempts}
        if attempts > 1:
            more["statuses"] = dict(sorted(statuses.items()))
        if answer is not None:
            more |= {"status": answer.response.status or None, "ms": round(answer.response.seconds * 1000, 1)}
        self._note(step, "failed" if findings else "passed", findings, **more)
        return not findings

    def _until(self, step: Step, ends: float, statuses: Counter[str]) -> tuple[int, Answer, list[Finding]]:
        """Ask again until the answer is as expected, or the time is over."""
        started = time.monotonic()
        limit = min(started + step.within, ends)
        attempts = 0
        while True:
            answer = self._send(step, limit, statuses)
            attempts += 1
            findings = check(step.expect, answer, self._variables)
            if not findings or time.monotonic() + step.interval >= limit:
                break
            time.sleep(step.interval)
        if findings:
            waited = time.monotonic() - started
            findings = [
                Finding(f"{one.expected} within {step.within:g} s", f"{one.found} after {waited:.1f} s")
                for one in findings
            ]
        return attempts, answer, findings

    def _times(self, step: Step, ends: float, statuses: Counter[str]) -> tuple[int, Answer, list[Finding]]:
        """Ask as often as the step repeats, and hold every answer against what is expected.

        The first that is not so is named. After a failed connection nobody asks again.
        """
        findings: list[Finding] = []
        attempts = 0
        last_words = step.expect.get("last_status")
        while True:
            answer = self._send(step, ends, statuses)
            attempts += 1
            last = attempts == step.repeat
            expect = step.expect
            if last and last_words:
                expect = {**expect, "status": last_words}
            found = check(expect, answer, self._variables)
            if found and not findings:
                of = f" (answer {attempts} of {step.repeat})" if step.repeat > 1 else ""
                findings = [Finding(one.expected, f"{one.found}{of}") for one in found]
            if last or answer.response.error:
                break
        return attempts, answer, findings + _count_findings(step, statuses)

    def _send(self, step: Step, ends: float, statuses: Counter[str]) -> Answer:
        sent = request(self.flow, step, self._variables)
        begun = time.monotonic()
        if begun >= ends:
            late = Response(0, {}, b"", 0.0, f"the {self.flow.deadline:g} s of the flow are over", "deadline")
            return Answer(late, {}, self._jar.value)
        answer = exchange(
            sent,
            self._jar,
            fetch=self._fetch,
            follow=step.follow,
            remaining=lambda: min(begun + step.timeout, ends) - time.monotonic(),
            validate_certs=self.flow.validate_certs,
        )
        # What a cookie holds is as good as a password, asked for or not.
        self._secrets.add(self._jar.values())
        statuses[str(answer.response.status) if not answer.response.error else str(answer.response.kind)] += 1
        return answer

    def _capture(self, step: Step, answer: Answer) -> list[Finding]:
        findings = []
        for capture in step.captures:
            value = take(capture, answer, self._variables)
            if value is None:
                findings.append(Finding(f"{capture.source} {capture.expression} for {{{capture.name}}}", "nothing"))
                continue
            self._variables[capture.name] = value
            if capture.secret:
                self._secrets.add(value)
        return [] if answer.response.error else findings

    def _note(self, step: Step, outcome: str, findings: list[Finding], **more: Any) -> None:
        entry = {"name": step.name, "method": step.method, "path": step.path, "outcome": outcome}
        self._findings.append(findings)
        self._steps.append({**entry, "status": None, "ms": None, "attempts": 0, **more})

    def gate(self) -> dict[str, Any]:
        """What the flow found, without secrets: they are all known only now."""
        steps = []
        # A copy: the thread of a flow that was given up may still be writing.
        for step, findings in list(zip(self._steps, self._findings)):
            failures = [f"expected {one.expected}, found {self._secrets.clean(one.found)}" for one in findings]
            steps.append({**step, "failures": failures})
        bad = next((step for step in steps if step["outcome"] == "failed"), None)
        passed = self._finished and bad is None
        name, total = self.flow.name, len(self.flow.steps)
        if bad is not None:
            reason = f"{name} failed in step {bad['name']}: {'; '.join(bad['failures'])}"
        elif not self._finished:
            reason = f"{name} did not end: step {len(steps) + 1} of {total} did not come back in time"
        else:
            reason = f"{name}: {total} of {total} step{'s' * (total != 1)} passed"
        return gate(
            name,
            passed,
            kind=self.flow.kind,
            reason=reason,
            optional=self.flow.optional,
            weight=self.flow.weight,
            samples=sum(step["attempts"] for step in steps),
            seconds=round(self._seconds, 3),
            tags=list(self.flow.tags),
            steps=steps,
        )


def _needs(flow: Flow, step: Step) -> set[str]:
    """The variables that a step, or what is expected of it, asks for."""
    sent = (step.path, step.headers, step.secret_headers, step.body, flow.headers, flow.secret_headers)
    looked_for = (step.expect, [capture.expression for capture in step.captures])
    return set().union(*map(names_in, sent + looked_for))


def _count_findings(step: Step, statuses: Counter[str]) -> list[Finding]:
    findings = []
    for item in step.expect.get("counts") or ():
        words = item["status"]
        count = sum(n for status, n in statuses.items() if status.isdigit() and _named(words, int(status)))
        low, high = item.get("min"), item.get("max")
        what = " or ".join(words)
        if low is not None and count < low:
            findings.append(Finding(f"at least {low} of {step.repeat} answers with status {what}", str(count)))
        if high is not None and count > high:
            findings.append(Finding(f"at most {high} of {step.repeat} answers with status {what}", str(count)))
    return findings


def _named(words: Sequence[str], status: int) -> bool:
    return status_fits(words, Response(status, {}, b"", 0.0))
