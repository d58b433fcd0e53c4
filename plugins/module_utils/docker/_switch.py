# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One call of docker_switch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.docker import _options
from ansible_collections.sluice.release.plugins.module_utils.docker._engine import Engine
from ansible_collections.sluice.release.plugins.module_utils.docker._image import Image
from ansible_collections.sluice.release.plugins.module_utils.docker._runtime import DockerRuntime
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import acting
from ansible_collections.sluice.release.plugins.module_utils.switch._blue_green import BlueGreen, end


def switch(params: Mapping[str, Any], *, check_mode: bool, warn: Callable[[str], object]) -> dict[str, Any]:
    """Bring the application to the wanted state."""
    engine = Engine(params["docker_host"])
    alone = acting(params["state_dir"], params["token"], f"switch {params['name']}", check_mode=check_mode)
    with alone:
        if params["state"] == "active":
            return _activate(engine, params, check_mode, warn)
        world = _options.world(params, _options.runtime(params, engine), warn=warn)
        return end(world, absent=params["state"] == "absent", check_mode=check_mode)


def _activate(
    engine: Engine, params: Mapping[str, Any], check_mode: bool, warn: Callable[[str], object]
) -> dict[str, Any]:
    wanted, hidden = _options.wanted(params, engine, check_mode)
    request = _options.request(params, wanted.mark)
    runtime = _options.runtime(params, engine, wanted, hidden)
    world = _options.world(params, runtime, hidden=hidden, warn=warn)
    try:
        result = BlueGreen(request, world, check_mode).run()
    except SluiceError as problem:
        problem.fields["image"] = wanted.image(0).entry()
        raise
    # Beside what waits the old ones run.
    image = wanted.image(0) if check_mode or request.staged else _running(runtime, wanted.image(0))
    return {**result, "image": image.entry()}


def _running(runtime: DockerRuntime, wanted: Image) -> Image:
    """Return the image that the containers really run. SluiceError when it is not the wanted one."""
    found = runtime.images()
    if found != [wanted.id]:
        raise SluiceError(
            f"trust the switch of {runtime.name}",
            f"its containers run {' and '.join(found) or 'no image'} instead of {wanted.id}",
            "See who else starts containers with its labels",
        )
    return wanted
