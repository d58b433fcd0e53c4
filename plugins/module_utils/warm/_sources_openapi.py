# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The paths of an API by its OpenAPI document: what it says enough of to be asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import IO, Any, Optional, Union
from urllib.parse import quote, urlencode, urlsplit

from ansible_collections.sluice.release.plugins.module_utils.flow._exchange import origin
from ansible_collections.sluice.release.plugins.module_utils.warm._http_paths import Refused
from ansible_collections.sluice.release.plugins.module_utils.warm._model import Request
from ansible_collections.sluice.release.plugins.module_utils.warm._sources_common import (
    AGAIN,
    NO_EXAMPLE,
    READ_BEFORE,
    Item,
    Notes,
    SourceError,
    World,
    open_lines,
)

LARGEST = 8 * 1024 * 1024
"""Bytes of a document."""

MOST_EACH = 20
"""URLs of one operation: several examples of several parameters multiply."""

_DEEPEST = 10
"""References that lead to references."""

PART = 0.25
"""Part of the time that a look at YAML may take: reading it takes some three times as long as that."""

_LOOK = 1000
"""Parts of YAML between two looks at the clock."""

_DEEPEST_YAML = 100
"""Values of a document that lie in each other."""

Document = Mapping[str, Any]


@dataclass(frozen=True)
class OpenApi:
    """An OpenAPI 3 or Swagger 2 document, in JSON or YAML: a file of the host, or a path below the origin."""

    path: str
    is_remote: bool

    @property
    def name(self) -> str:
        return f"{'openapi' if self.is_remote else 'openapi_file'} {self.path}"

    def size(self) -> Optional[int]:
        return None

    def read(self, world: World, notes: Notes) -> Iterator[Item]:
        yield READ_BEFORE
        with self._open(world) as stream:
            try:
                content = stream.read(LARGEST + 1)
            except (OSError, EOFError) as error:
                raise SourceError(str(error)) from error
        if len(content) > LARGEST:
            raise SourceError(f"it is larger than {LARGEST // 1024**2} MB")
        document = parse(content, lambda: world.overdue(PART))
        prefix = base_path(document, world.door.origin)
        for template, found in operations(document):
            # Several examples of an operation are several requests.
            if isinstance(found, str):
                if notes.leave_out(NO_EXAMPLE, template, f"GET {template}: {found}"):
                    yield AGAIN
                continue
            for text in found:
                path = world.door.admit(prefix + text)
                if not isinstance(path, Refused):
                    yield Request(path)
                elif notes.leave_out(path, template, text):
                    yield AGAIN

    def _open(self, world: World) -> IO[bytes]:
        if not self.is_remote:
            return open_lines(self.path)
        if world.fetch is None:
            raise SourceError("nothing is sent in check mode")
        return world.fetch(world.door.document(self.path), LARGEST)


def parse(content: bytes, overdue: Callable[[], bool] = lambda: False) -> Document:
    """The document. SourceError when it is none, or when it takes too long to read."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = _yaml(content, overdue)
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise SourceError("it is no OpenAPI document: it has no paths")
    return document


def _yaml(content: bytes, overdue: Callable[[], bool]) -> Any:
    try:
        import yaml
    except ImportError:
        raise SourceError("it is no JSON, and this Python has no PyYAML to read anything else") from None
    # The loader in C, where there is one; both make nothing but plain values.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        # The loader in C goes down with the process where things lie too deep in each other; its parser does not.
        for number, event in enumerate(yaml.parse(content, Loader=loader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST_YAML:
                raise SourceError("it is no JSON, and as YAML its parts lie too deep in each other")
            if number % _LOOK == 0 and overdue():
                raise SourceError("it takes too long to read as YAML")
        return yaml.load(content, Loader=loader)  # noqa: S506 - it is a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        text = " ".join(str(error).split())[:120]
        raise SourceError(f"it is neither JSON nor YAML ({text})") from error


def base_path(document: Document, base: str) -> str:
    """What its paths begin with: by the server that is this origin, or else by the first one."""
    if isinstance(document.get("basePath"), str):
        return str(document["basePath"]).rstrip("/")
    found = []
    for url in [str(one.get("url") or "") for one in _dicts(document.get("servers"))]:
        try:
            path = urlsplit(url).path.rstrip("/")
            if not urlsplit(url).netloc or origin(url) == origin(base):
                return path
            found.append(path)
        except ValueError:
            continue
    # A variable in braces has no value here.
    return found[0] if found and "{" not in found[0] else ""


def operations(document: Document) -> Iterator[tuple[str, Union[str, list[str]]]]:
    """The path of every GET with the URLs that it has examples for, or what it says too little of."""
    for template, item in document["paths"].items():
        item = _resolved(document, item)
        if not isinstance(template, str) or not isinstance(item, dict) or not isinstance(item.get("get"), dict):
            continue
        if not template.startswith("/"):
            continue
        yield (
            template,
            urls(document, template, [*_dicts(item.get("parameters")), *_dicts(item["get"].get("parameters"))]),
        )


def urls(document: Document, template: str, given: Sequence[Mapping[str, Any]]) -> Union[str, list[str]]:
    """The URLs of one operation; in words, what is missing where there is none."""
    # Those of the operation come last and replace those of the path.
    parameters: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in given:
        parameter = _resolved(document, one)
        if isinstance(parameter, dict) and isinstance(parameter.get("name"), str):
            parameters[str(parameter.get("in")), parameter["name"]] = parameter
    chosen: list[list[tuple[str, str, str]]] = []
    for (place, name), parameter in parameters.items():
        if place not in ("path", "query") and parameter.get("required"):
            return f"it requires {name} in a {place}"
        if place == "path" or (place == "query" and parameter.get("required")):
            values = examples(document, parameter)
            if not values:
                return f"{name} has no example"
            chosen.append([(place, name, value) for value in values])
    found = []
    for choice in islice(product(*chosen), MOST_EACH):
        path, query = template, []
        for place, name, value in choice:
            if place == "path":
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
            else:
                query.append((name, value))
        if "{" in path:
            return f"{path.partition('{')[2].partition('}')[0]} is no parameter of it"
        found.append(f"{path}?{urlencode(query)}" if query else path)
    return found


def examples(document: Document, parameter: Mapping[str, Any]) -> list[str]:
    """Values that a parameter is known to take: its examples, or else its default, or else all that it allows."""
    schema = _resolved(document, parameter.get("schema"))
    schema = schema if isinstance(schema, dict) else {}
    for holder in (parameter, schema):
        for found in (_plain([holder.get("example")]), _many(document, holder.get("examples"))):
            if found:
                return found
    for holder in (parameter, schema):
        found = _plain([holder.get("default")]) or _plain(_list(holder.get("enum")))
        if found:
            return found
    return []


def _many(document: Document, given: Any) -> list[str]:
    """Of ``examples``: a list of values in a schema, named objects with a value in a parameter."""
    if isinstance(given, dict):
        resolved = [_resolved(document, one) for one in islice(given.values(), MOST_EACH)]
        return _plain([one.get("value") for one in resolved if isinstance(one, dict)])
    return _plain(_list(given))


def _plain(values: Sequence[Any]) -> list[str]:
    """Values as text; what is no single value cannot stand in a path."""
    found = []
    for value in values[:MOST_EACH]:
        if isinstance(value, bool):
            found.append(str(value).lower())
        elif isinstance(value, (str, int, float)) and value != "":
            found.append(str(value))
    return found


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _dicts(given: Any) -> list[dict[str, Any]]:
    return [one for one in _list(given) if isinstance(one, dict)]


def _resolved(document: Document, node: Any) -> Any:
    """What a reference inside the document leads to; None where it leads nowhere."""
    for _step in range(_DEEPEST):
        if not isinstance(node, dict) or not isinstance(node.get("$ref"), str):
            return node
        node = _at(document, node["$ref"])
    return None


def _at(document: Document, reference: str) -> Optional[Any]:
    if not reference.startswith("#/"):
        return None
    found: Any = document
    for part in reference[2:].split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        found = found.get(part) if isinstance(found, dict) else None
    return found
