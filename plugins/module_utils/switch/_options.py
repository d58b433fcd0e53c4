# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the options of pm2_switch to what the switch works with, and all that can be refused before anything moved."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.switch import _pm2, _ready, _upstream
from ansible_collections.sluice.release.plugins.module_utils.switch._switch import Request, World

# A worker that is told to end gets this many seconds more than it should need.
_KILL_MARGIN = 2.0

_SECRET_NAME = re.compile(r"PASS|PWD|SECRET|TOKEN|KEY|CREDENTIAL|AUTH|SALT|URL|URI|DSN|PRIVATE", re.IGNORECASE)
_SECRET_LENGTH = 3
_ANY_LENGTH = 6


def is_to_come(params: Mapping[str, Any], check_mode: bool) -> bool:
    """Whether check mode asks about a release that the run before it would have built: there is no file to read yet."""
    return check_mode and params["path"] is not None and not os.path.isdir(params["path"])


def read_environment(path: str | None, to_come: bool = False) -> dict[str, str]:
    """Read the environment of the workers; no file, no variables."""
    if path is None or (to_come and not os.path.exists(path)):
        return {}
    try:
        with open(path, encoding="utf-8") as stream:
            environment = json.load(stream)
    except OSError as error:
        raise SluiceError(f"read the configuration {path}", error.strerror or str(error)) from error
    except ValueError as error:
        # Its text is not shown: it quotes the file, and there are secrets in that.
        raise SluiceError(f"read the configuration {path}", "it is not JSON", "Render it again") from error
    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        raise SluiceError(f"read the configuration {path}", "it is not one flat object of strings", "Render it again")
    return environment


def secrets(environment: Mapping[str, str]) -> list[str]:
    """Return the values that no log line may show.

    Which variable is a secret is not known here. So every value of some length counts, whatever its name: a log line
    may lose a harmless word, but must not show a password.
    """
    return [
        value
        for name, value in environment.items()
        if len(value) >= (_SECRET_LENGTH if _SECRET_NAME.search(name) else _ANY_LENGTH)
    ]


def search_path(prepend: list[str], inherited: str) -> str:
    """Return the PATH: the named directories first, each once."""
    return os.pathsep.join(dict.fromkeys([*prepend, *inherited.split(os.pathsep)]))


def user_home() -> str:
    """The home of the user that this runs as: PM2 and npm look there for their settings."""
    return os.path.expanduser("~")


def world(params: Mapping[str, Any], check_mode: bool = False, warn: Callable[[str], object] = str) -> World:
    """Return what the switch acts on; ``warn`` takes what a person should know after a success as well."""
    _pm2.check_name(params["name"])
    environment = read_environment(params["config"], is_to_come(params, check_mode))
    path = search_path(params["path_prepend"], os.environ.get("PATH", os.defpath))
    hidden = secrets(environment)
    return World(
        pm2=_pm2.Pm2(
            # Not a byte of our own environment: the daemon would keep it, and hand it to every application.
            SubprocessRunner(base_env={}),
            home=os.path.abspath(params["pm2_home"]),
            user_home=user_home(),
            path=path,
            executable=params["pm2"],
            secrets=hidden,
            variables=[params["port_variable"]],
        ),
        runner=SubprocessRunner(hidden, base_env={**os.environ, "PATH": path}),
        say=Progress(params["progress"]).update,
        warn=warn,
    )


def request(params: Mapping[str, Any], check_mode: bool = False) -> Request:
    """Return what shall serve. SluiceError for what can never work."""
    for option in ("release", "path", "script", "ready"):
        # An explicit null counts as given for Ansible.
        if not params[option]:
            raise SluiceError("use the options of pm2_switch", f"{option} is empty", "Correct the profile")
    to_come = is_to_come(params, check_mode)
    environment = read_environment(params["config"], to_come)
    _pm2.check_environment(environment)
    fork = params["exec_mode"] == "fork"
    upstream = _upstream.Upstream(**params["upstream"]) if fork else None
    wanted = Request(
        name=params["name"],
        release=params["release"],
        path=os.path.abspath(params["path"]),
        script=params["script"],
        environment=environment,
        ready=_ready.from_options(params["ready"]),
        exec_mode=params["exec_mode"],
        instances=params["instances"],
        ports=tuple(params["ports"]) if fork else (),
        port_variable=params["port_variable"],
        upstream=upstream,
        node_args=tuple(params["node_args"]),
        wait_ready=params["wait_ready"],
        listen_timeout=params["listen_timeout"],
        drain_timeout=params["drain_timeout"],
        kill_timeout=_kill_timeout(params["drain_timeout"], params["kill_timeout"]),
        link=params["link"],
        save=params["save"],
    )
    _check_numbers(wanted)
    if not to_come:
        _pm2.check_script(wanted.entry)
    for port in wanted.ports or (None,):
        _ready.check(wanted.ready if port is None else wanted.ready.at_port(port))
    if upstream:
        _upstream.render(upstream.content, wanted.ports[0])
    return wanted


def _kill_timeout(drain: float, kill: float | None) -> float:
    if kill is None:
        return drain + _KILL_MARGIN
    if kill < drain:
        raise SluiceError(
            "use the options of pm2_switch",
            f"kill_timeout ({kill:g} s) is shorter than drain_timeout ({drain:g} s), so requests would be cut off",
            "Raise kill_timeout or lower drain_timeout",
        )
    return kill


def _check_numbers(wanted: Request) -> None:
    problem = ""
    if wanted.instances < 1:
        problem = f"instances is {wanted.instances}; use state stopped to run none"
    elif wanted.exec_mode == "fork" and wanted.instances != 1:
        problem = f"instances is {wanted.instances}, and in fork mode only one worker can have the port"
    elif wanted.exec_mode == "fork" and len(set(wanted.ports)) != 2:
        problem = "ports has to name two different ports"
    elif wanted.ready.successes < 1:
        problem = "ready.successes is less than 1"
    if problem:
        raise SluiceError("use the options of pm2_switch", problem, "Correct the profile")
