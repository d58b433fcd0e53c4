# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One call of compose_switch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.compose import _options
from ansible_collections.sluice.release.plugins.module_utils.compose._command import Compose
from ansible_collections.sluice.release.plugins.module_utils.compose._render import PROJECT
from ansible_collections.sluice.release.plugins.module_utils.compose._rest import Rest
from ansible_collections.sluice.release.plugins.module_utils.docker._engine import Engine
from ansible_collections.sluice.release.plugins.module_utils.docker._runtime import DockerRuntime
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import acting
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green import BlueGreen, Request, World, end

_SIDES = ("a", "b")


def switch(params: Mapping[str, Any], *, check_mode: bool, warn: Callable[[str], object]) -> dict[str, Any]:
    """Bring the application to the wanted state."""
    engine = Engine(params["docker_host"])
    alone = acting(params["state_dir"], params["token"], f"switch {params['name']}", check_mode=check_mode)
    with alone:
        if params["state"] == "active":
            return _activate(engine, params, check_mode, warn)
        return _end(engine, params, check_mode, warn)


def _activate(
    engine: Engine, params: Mapping[str, Any], check_mode: bool, warn: Callable[[str], object]
) -> dict[str, Any]:
    _options.check(params)
    compose = _options.command(params, check_mode)
    project = _options.project(params, engine, compose, check_mode)
    request = _options.request(params, project)
    directory = os.path.join(params["state_dir"], "compose")
    rest = _rest(engine, compose, params, warn, directory)
    rest.content, rest.secrets = project.rest, project.hidden
    runtime = DockerRuntime(
        engine,
        params["name"],
        params["drain_timeout"],
        _options.wanted(params, project, compose, directory),
        keep=params["keep"],
        secrets=project.hidden,
    )
    routes = _options.routes(params, project)
    world = World(runtime=runtime, route=routes, say=_options.say(params), warn=warn)
    todo = rest.todo()
    images = {service: image.entry() for service, image in sorted(project.images.items())}
    try:
        if not check_mode:
            runtime.check()
            os.makedirs(directory, mode=0o700, exist_ok=True)
            _make_volumes(engine, params["name"], project.volumes)
            rest.bring(todo)
            if routes is not None and request.slots is not None and routes.divided():
                warn("A run was killed while it moved one proxy after the other; the others follow the first now.")
                routes.point(routes.live() or request.slots.ports[0])
        result = BlueGreen(request, world, check_mode).run()
    except SluiceError as problem:
        # Where old ones have ended already, the new ones are what there is.
        if not problem.fields.get("retired"):
            _put_back(rest, warn)
        problem.fields.update(images=images, rest=todo)
        if "instances" in problem.fields:
            problem.fields["instances"] = _with_services(problem.fields["instances"], request)
        raise
    diff = result["diff"]
    if todo:
        diff = {side: {**state, "rest": _named(todo, side)} for side, state in diff.items()}
    return {
        **result,
        "changed": result["changed"] or bool(todo),
        "instances": _with_services(result["instances"], request),
        "images": images,
        "rest": todo,
        "diff": diff,
    }


def _with_services(instances: Sequence[Mapping[str, Any]], request: Request) -> list[dict[str, Any]]:
    return [{**one, "service": request.slots.kind(one["port"]) if request.slots else ""} for one in instances]


def _named(todo: list[dict[str, str]], side: str) -> list[str]:
    return [f"{one['service']} {one['was'] if side == 'before' else 'as wanted'}" for one in todo]


def _put_back(rest: Rest, warn: Callable[[str], object]) -> None:
    try:
        rest.undo()
    except SluiceError as problem:
        warn(str(problem))


def _make_volumes(engine: Engine, name: str, volumes: Mapping[str, str]) -> None:
    """Make the volumes that both slots use: to each of them they are somebody else's."""
    for key, real in volumes.items():
        if not engine.has_volume(real):
            engine.create_volume(real, {PROJECT: name, "com.docker.compose.volume": key})


def _rest(
    engine: Engine, compose: Compose, params: Mapping[str, Any], warn: Callable[[str], object], directory: str
) -> Rest:
    return Rest(
        host=engine,
        command=compose,
        project=params["name"],
        directory=directory,
        timeout=params["ready"]["timeout"] if params["ready"] else 30.0,
        drain_timeout=params["drain_timeout"],
        say=_options.say(params),
        warn=warn,
    )


def _end(engine: Engine, params: Mapping[str, Any], check_mode: bool, warn: Callable[[str], object]) -> dict[str, Any]:
    absent = params["state"] == "absent"
    runtime = DockerRuntime(engine, params["name"], params["drain_timeout"])
    world = World(runtime=runtime, say=_options.say(params), warn=warn)
    directory = os.path.join(params["state_dir"] or "", "compose")
    rest = _rest(engine, _options.command(params), params, warn, directory)
    result = end(world, absent=absent, check_mode=check_mode)
    ended = rest.would_end(absent=absent) if check_mode else rest.end(absent=absent)
    if absent and not check_mode:
        rest.clear()
        for side in _SIDES:
            engine.remove_networks(f"{PROJECT}={params['name']}-{side}")
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(directory, f"{params['name']}-{side}.json"))
    return {**result, "changed": result["changed"] or bool(ended), "rest": [{"service": one} for one in ended]}
