# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is PRIVATE to the collection.

"""From the options of release_image to what it works with, and all that can be refused at once."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.artifact import _images
from ansible_collections.sluice.release.plugins.module_utils.artifact._image_engine import ImageEngine
from ansible_collections.sluice.release.plugins.module_utils.artifact._image_release import Maker, Request
from ansible_collections.sluice.release.plugins.module_utils.artifact._images import Build, Wanted
from ansible_collections.sluice.release.plugins.module_utils.artifact._options import (
    COMMON,
    SOURCE,
    environment,
    source,
)

_TEXT: dict[str, t.Any] = {"type": "str", "required": True}
_ARGV: dict[str, t.Any] = {"type": "list", "elements": "str", "default": []}

_BUILD: dict[str, t.Any] = {
    "context": {"type": "str", "default": "."},
    "dockerfile": {"type": "str", "default": "Dockerfile"},
    "target": {"type": "str"},
    "arguments": {"type": "dict", "default": {}},
    "command": _ARGV,
}

SPEC: dict[str, t.Any] = {
    **COMMON,
    "application": _TEXT,
    "images": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "service": _TEXT,
            "image": _TEXT,
            "build": {"type": "dict", "options": _BUILD},
            "push": {"type": "bool", "default": False},
        },
    },
    "mutable_tags": {"type": "str", "choices": ["allow", "refuse"], "default": "refuse"},
    "source": SOURCE,
    "include": _ARGV,
    "registries": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"host": _TEXT, "username": _TEXT, "password": {**_TEXT, "no_log": True}},
    },
    "scan": _ARGV,
    "smoke": _ARGV,
    "docker_host": {"type": "str"},
}


def maker(params: t.Mapping[str, t.Any], *, write: bool) -> Maker:
    """Return who brings the images. SluiceError for what can never work, before anything is asked for."""
    runner = SubprocessRunner(account["password"] for account in params["registries"])
    images = tuple(_wanted(options, params["version"]) for options in params["images"])
    services = [image.service for image in images]
    twice = sorted({service for service in services if services.count(service) > 1})
    if not images or twice:
        problem = f"{', '.join(twice)} is named twice" if twice else "images is empty"
        raise SluiceError("use the options of release_image", problem, "Correct artifact_images")
    request = Request(
        application=params["application"],
        version=params["version"],
        releases=os.path.join(params["root"], "releases"),
        images=images,
        include=tuple(_below(name) for name in params["include"]),
        floating=params["mutable_tags"] == "allow",
        scan=tuple(params["scan"]),
        smoke=tuple(params["smoke"]),
        environment=environment(params),
        timeout=params["timeout"],
    )
    accounts = {
        account["host"]: {"username": account["username"], "password": account["password"]}
        for account in params["registries"]
    }
    needs_source = bool(request.include) or any(image.build for image in images)
    if needs_source and not params["source"]:
        raise SluiceError("use the options of release_image", "there is no source", "Set artifact_source")
    return Maker(
        request,
        ImageEngine(params["docker_host"], params["timeout"], accounts),
        runner,
        source(params, runner, write=write) if needs_source else None,
        Progress(params["progress"]).update,
    )


def _wanted(options: t.Mapping[str, t.Any], version: str) -> Wanted:
    reference = _images.reference(options["image"].replace("{version}", version))
    build = options["build"]
    if build is None:
        return Wanted(options["service"], reference)
    if reference.digest or not reference.tag:
        raise SluiceError(
            f"build the image of {options['service']}",
            f"{options['image']} is no name with a tag",
            "Name it by a tag, such as {version}; its digest is what comes out",
        )
    made = Build(
        _below(build["context"]),
        _below(build["dockerfile"]),
        build["target"],
        build["arguments"],
        tuple(build["command"]),
    )
    return Wanted(options["service"], reference, made, options["push"])


def _below(name: str) -> str:
    """Return the path, if it stays below the source."""
    path = os.path.normpath(name)
    if os.path.isabs(path) or path.split(os.sep)[0] == "..":
        raise SluiceError(f"take {name} from the source", "that is not below it", "Name a path of the source")
    return path
