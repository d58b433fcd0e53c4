# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What every type of check is made of, and what several of them share."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils.gate._model import Check, Measure, Sample, Target

Raw = Mapping[str, Any]
"""The parameters of a check or of the whole gate, as Ansible has validated them."""


Begin = Callable[[Check, float], Measure]
"""Makes what turns answers into samples; called with the Unix time (s) at which the gate begins."""


def _no_problems(_raw: Raw, _gate: Raw) -> Iterator[str]:
    return iter(())


@dataclass(frozen=True)
class Kind:
    """One type of check. All but ``options`` and ``problems`` are asked about checks without problems only."""

    options: Mapping[str, Mapping[str, Any]]
    """The options that it knows beside the common ones, as Ansible specifies options."""
    target: Callable[[Raw, Raw], Target]
    """What is asked, from the parameters of a check and of its gate."""
    begin: Callable[[Raw], Begin]
    problems: Callable[[Raw, Raw], Iterator[str]] = _no_problems
    """Everything about its own options that makes no sense. They say `it` for the check."""
    unit: Callable[[Raw], str] = lambda _raw: ""
    direction: Callable[[Raw], str] = lambda _raw: "above"
    """The bad side of limits when a check does not say it."""
    state: Callable[[Raw], str | None] = lambda _raw: None
    """In words, the one right state of a check that knows only right and wrong; None where it has limits."""
    stated_by: str = "its type"
    """What makes it such a check, in messages."""
    two_looks: Callable[[Raw], str] = lambda _raw: ""
    """What needs two looks at the target, so that the gate must last; empty where one is enough."""
    libraries: Callable[[Raw], set[str]] = lambda _raw: set()
    """Beyond the standard one."""


EXPECT: dict[str, dict[str, Any]] = {"expect": {"type": "str"}}
WINDOW: dict[str, dict[str, Any]] = {
    "window": {"type": "float", "default": 10.0},
    "min_events": {"type": "int", "default": 1},
}


VALUE: dict[str, dict[str, Any]] = {"value": {"type": "str"}}


def value_problems(raw: Raw, known: Collection[str]) -> Iterator[str]:
    """Yield why the option ``value`` does not say what is measured."""
    if not raw["value"]:
        yield f"it has no value, which is one of {', '.join(known)}"
    elif raw["value"] not in known:
        near = difflib.get_close_matches(raw["value"], known, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
        yield f"its value is {raw['value']}, which type {raw['type']} does not know{hint}"


def word(value: object) -> str:
    """YAML's true and false as JSON and Prometheus spell them."""
    text = str(value)
    return text.lower() if text in ("True", "False") else text


def text_of(value: Any) -> str:
    """A JSON value in the words that a profile would use for it."""
    return value if isinstance(value, str) else json.dumps(value)


def short(text: str) -> str:
    """As much of a text as a message has room for."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def one_line(text: str) -> str:
    """The cause of an error as a part of a message."""
    return " ".join(text.split()).rstrip(".")


def number_of(value: Any) -> float | None:
    """The finite number that a value is, or is the text of."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def found_sample(check: Check, t: float, found: Any, what: str) -> Sample:
    """The sample of a value that was found: a state where the check expects one, else a number.

    ``what``: by which the value goes in messages.
    """
    if check.limits.expect is not None:
        text = text_of(found)
        good = text == check.limits.expect
        return Sample(t, text, "" if good else f"was {short(text)} instead of {check.limits.expect}", good)
    number = number_of(found)
    if number is None:
        return Sample(t, None, f"{what} is {short(text_of(found))}, which is no number")
    return Sample(t, number * check.scale)


def state_sample(check: Check, t: float, state: str, why: str = "") -> Sample:
    """The sample of a state, of a check that knows only right and wrong.

    ``why``: what was wrong, in words that follow the check's name.
    """
    good = state == check.state
    return Sample(t, state, "" if good else why or f"was {short(state)} instead of {check.state}", good)


def jmespath_problems(option: str, expression: str) -> Iterator[str]:
    """Yield why an expression cannot be compiled."""
    import jmespath  # the module has made sure that it is there
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        yield f"{option} is no JMESPath expression ({str(error).splitlines()[0]})"


class NotFoundError(Exception):
    """An answer does not hold what a check looks for. Its text says why."""


def document_of(text: bytes) -> Any:
    """The JSON of an answer. Raises NotFoundError when it is none."""
    try:
        return json.loads(text.decode("utf-8", "strict"))
    except (ValueError, RecursionError) as error:
        raise NotFoundError("its answer is no JSON") from error


def search(expression: str, text: bytes) -> Any:
    """What a JMESPath expression finds in JSON. Raises NotFoundError, with the reason, when it cannot be evaluated."""
    import jmespath  # the module has made sure that it is there
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.search(expression, document_of(text))
    except JMESPathError as error:
        raise NotFoundError(f"{expression} cannot be evaluated ({short(str(error))})") from error
