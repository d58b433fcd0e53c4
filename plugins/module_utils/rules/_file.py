# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rules out of a rule file. Every complaint names its line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.rules._model import Found, Rule, seconds_of

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node

_RULE = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}


def read_file(text: str, name: str) -> Found:
    """The rules of a Prometheus rule file, or of a PrometheusRule of Kubernetes.

    ``name``: what the text is called in messages. Raises SluiceError with the line of the first thing that is wrong.
    """
    import yaml  # the module has made sure that it is there

    reader = _Reader(name)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        reader.refuse(line, f"it is no YAML ({error.problem})")
    except (yaml.YAMLError, RecursionError) as error:
        reader.refuse(0, f"it is no YAML ({str(error).splitlines()[0]})")
    return reader.read(root)


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name

    def refuse(self, where: Node | int, what: str) -> NoReturn:
        line = where if isinstance(where, int) else where.start_mark.line
        raise SluiceError(
            f"read the alerting rules of {self.name}",
            f"line {line + 1}: {what}",
            "Let promtool check rules look at it",
        )

    def read(self, root: Node | None) -> Found:
        if root is None:
            self.refuse(0, "it is empty")
        top = self.mapping(root, "a rule file")
        if "spec" in top:
            top = self.mapping(top["spec"], "spec")
        if "groups" not in top:
            self.refuse(root, "it has no groups")
        rules: list[Rule] = []
        recording = 0
        for group in self.items(top["groups"], "groups"):
            fields = self.mapping(group, "a group")
            if "name" not in fields:
                self.refuse(group, "a group has no name")
            name = self.text(fields["name"], "name")
            for node in self.items(fields["rules"], "rules") if "rules" in fields else ():
                rule = self.rule(node, name)
                if rule is None:
                    recording += 1
                else:
                    rules.append(rule)
        return Found(rules, recording)

    def rule(self, node: Node, group: str) -> Rule | None:
        """One rule. None: it is a recording rule."""
        fields = self.mapping(node, "a rule")
        for field in fields:
            if field not in _RULE:
                self.refuse(fields[field], f"a rule has no field {field}")
        if ("alert" in fields) == ("record" in fields):
            self.refuse(node, "a rule needs either alert or record")
        if "expr" not in fields or not self.text(fields["expr"], "expr").strip():
            self.refuse(node, "a rule has no expr")
        if "record" in fields:
            return None
        alert = self.text(fields["alert"], "alert")
        if not alert:
            self.refuse(fields["alert"], "alert is empty")
        return Rule(
            alert=alert,
            expr=self.text(fields["expr"], "expr").strip(),
            group=group,
            sustained=self.duration(fields, "for"),
            recover=self.duration(fields, "keep_firing_for"),
            labels=self.texts(fields, "labels"),
            annotations=self.texts(fields, "annotations"),
            line=node.start_mark.line + 1,
        )

    def mapping(self, node: Node, what: str) -> dict[str, Node]:
        from yaml.nodes import MappingNode

        if not isinstance(node, MappingNode):
            self.refuse(node, f"{what} must be a mapping")
        return dict(self.pairs(node))

    def pairs(self, node: MappingNode) -> Iterator[tuple[str, Node]]:
        seen: set[str] = set()
        for key, value in node.value:
            name = self.text(key, "a key")
            if name in seen:
                self.refuse(key, f"{name} is given twice")
            seen.add(name)
            yield name, value

    def items(self, node: Node, what: str) -> list[Node]:
        from yaml.nodes import SequenceNode

        if isinstance(node, SequenceNode):
            return list(node.value)
        if node.tag == "tag:yaml.org,2002:null":
            return []
        return self.refuse(node, f"{what} must be a list")

    def text(self, node: Node, what: str) -> str:
        from yaml.nodes import ScalarNode

        if not isinstance(node, ScalarNode):
            self.refuse(node, f"{what} must be a text")
        # As it is written: a threshold 1.0 or a label true is no text to YAML, but it is to Prometheus.
        return "" if node.tag == "tag:yaml.org,2002:null" else str(node.value)

    def texts(self, fields: dict[str, Node], name: str) -> dict[str, str]:
        if name not in fields or fields[name].tag == "tag:yaml.org,2002:null":
            return {}
        return {key: self.text(value, f"{name}.{key}") for key, value in self.mapping(fields[name], name).items()}

    def duration(self, fields: dict[str, Node], name: str) -> float:
        if name not in fields:
            return 0.0
        text = self.text(fields[name], name)
        try:
            return seconds_of(text)
        except ValueError:
            self.refuse(fields[name], f"{name} is {text or 'empty'}, which is no duration such as 5m or 1h30m")
