# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose command in both versions, and the options of compose_switch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import Completed
from ansible_collections.sluice.release.plugins.module_utils.compose import _options
from ansible_collections.sluice.release.plugins.module_utils.compose._command import find
from ansible_collections.sluice.release.plugins.module_utils.compose._options import ServiceSlots
from ansible_collections.sluice.release.plugins.module_utils.compose._render import Slot, stands
from ansible_collections.sluice.release.plugins.module_utils.switch._ready import Ready


@dataclass
class Runner:
    """Answers by the first word that is not an option."""

    versions: Mapping[str, str]
    out: str = "{}"
    rc: int = 0
    argv: list[list[str]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float | None = None,
    ) -> Completed:
        program = argv[0]
        if program not in self.versions:
            raise SluiceError(f"run {program}", "there is no such program")
        if argv[-1] == "--short":
            return Completed(0, f"{self.versions[program]}\n", "", 0.1)
        self.argv.append(list(argv))
        self.env = dict(env or {})
        return Completed(self.rc, self.out, "ERROR: network inside not found" if self.rc else "", 0.1)


def test_version_2_is_asked_for_first_and_version_1_will_do() -> None:
    assert find(Runner({"docker": "v2.26.1", "docker-compose": "1.29.2"}), None, {}).argv == ("docker", "compose")
    assert find(Runner({"docker": "", "docker-compose": "1.29.2"}), None, {}).argv == ("docker-compose",)
    assert find(Runner({"/opt/compose": "2.1"}), ["/opt/compose"], {}).version == "2.1"
    with pytest.raises(SluiceError, match="docker compose and docker-compose did not answer"):
        find(Runner({}), None, {})


@pytest.mark.parametrize(
    ("version", "out", "form"),
    [
        ("2.26.1", '{"services": {"api": {}}, "version": "3.9"}', ["--format", "json"]),
        ("1.29.2", "services: {api: {}}", []),
    ],
)
def test_a_project_is_read_and_its_values_are_no_arguments(version: str, out: str, form: list[str]) -> None:
    runner = Runner({"compose": version}, out)
    compose = find(runner, ["compose"], {"PATH": "/bin"})
    values = {"TOKEN": "s3cret", "PATH": "/evil"}
    assert compose.config("/srv", ["a.yml", "b.yml"], "shop", values) == {"services": {"api": {}}}
    files = ["-f", "/srv/a.yml", "-f", "/srv/b.yml"]
    assert runner.argv == [["compose", "--project-directory", "/srv", "-p", "shop", *files, "config", *form]]
    assert runner.env == {"TOKEN": "s3cret", "PATH": "/bin"}


def test_what_it_refuses_is_told() -> None:
    compose = find(Runner({"compose": "2.1"}), ["compose"], {})
    with pytest.raises(SluiceError, match="it has no services"):
        compose.config("/srv", ["a.yml"], "shop", {})
    compose = find(Runner({"compose": "2.1"}, rc=1), ["compose"], {})
    with pytest.raises(SluiceError, match="there is no network inside"):
        compose.create("shop-a", "/srv/a.json", "api-3001")


def options(**service: Any) -> dict[str, Any]:
    ready = {"url": "http://127.0.0.1:{port}/ready", "version": "1", "status": [200]}
    one = {"name": "api", "port": 1, "ports": [3001, 3002], "instances": 1, "address": "", "ready": None, "proxy": None}
    values = {"name": "shop", "release": "1", "path": "/srv", "ready": ready, "state_dir": "/var", "hold": 1.0}
    values["staged"] = False
    return {**values, "link": None, "progress": None, "services": [{**one, **service}]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"release": ""}, "release is empty"),
        ({"name": "Shop"}, "can be no project's"),
        ({"services": []}, "services is"),
    ],
)
def test_options_that_can_never_work(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SluiceError, match=said):
        _options.check({**options(), **changed})


def project(*slots: Slot) -> _options.Project:
    return _options.Project(stands(slots), "m", {}, None, {}, {})


def test_every_service_proves_itself_in_its_own_way() -> None:
    wanted = _options.request(
        options(ready={"url": "http://127.0.0.1:{port}/up", "timeout": "7"}), project(Slot("api", 1, (3001, 3002)))
    )
    proof = wanted.ready.at_port(3002)
    assert isinstance(proof, Ready)
    assert (proof.url, proof.timeout, proof.version) == ("http://127.0.0.1:3002/up", 7.0, "1")
    with pytest.raises(SluiceError, match=r"services, api: .*uri"):
        _options.request(options(ready={"uri": "x"}), project(Slot("api", 1, (3001, 3002))))
    with pytest.raises(SluiceError, match=r"services, api: .*type"):
        _options.routes(options(proxy={"socket": "x"}), project(Slot("api", 1, (3001, 3002))))


def test_where_the_instances_of_several_services_listen() -> None:
    every = stands([Slot("api", 1, (3001, 3002)), Slot("web", 1, (8001, 8011), 2)])
    slots = ServiceSlots((3001, 3002), 3, every)
    slots.check()
    assert [slots.at(3002, number) for number in range(3)] == [3002, 8011, 8012]
    assert [slots.base(port) for port in (3001, 8002, 8012, 9, None)] == [3001, 3001, 3002, None, None]
    with pytest.raises(SluiceError, match="more than one instance would have the port 3002"):
        ServiceSlots((3001, 3002), 2, stands([Slot("api", 1, (3001, 3002), 2)])).check()
