# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of docker_switch to what it works with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.docker import _options


class Engine:
    """An engine that has every image."""

    def __init__(self) -> None:
        self.made: list[tuple[str, dict[str, Any], tuple[str, ...]]] = []

    def image(self, reference: str) -> dict[str, Any]:
        return {"Id": f"sha256:{reference}", "RepoDigests": []}

    def create(self, name: str, config: dict[str, Any], networks: tuple[str, ...]) -> None:
        self.made.append((name, config, networks))


def options(path: Path | str, **changed: Any) -> dict[str, Any]:
    container = {"port": 3000, **changed.pop("container", {})}
    given = {
        "name": "shop",
        "release": "1.0-a",
        "path": str(path),
        "image": "shop:1",
        "ports": [3001, 3011],
        "container": container,
        "ready": {"url": "http://127.0.0.1:{port}/", "version": "1.0"},
        **changed,
    }
    result = ArgumentSpecValidator(_options.OPTIONS).validate(given)
    assert result.error_messages == []
    found: dict[str, Any] = result.validated_parameters
    return found


def wanted(params: dict[str, Any], engine: Engine | None = None) -> Any:
    return _options.wanted(params, engine or Engine())[0]  # type: ignore[arg-type]


def test_a_container_of_every_option(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    container = {
        "memory": "1.5G",
        "cpus": 2,
        "networks": ["inside", "outside"],
        "volumes": [f"{tmp_path}:/data", "uploads:/u"],
        "secrets": [{"source": str(secret), "target": "/run/token"}],
        "healthcheck": {"test": ["true"], "interval": 2},
        "extra_hosts": {"db": "10.0.0.1"},
    }
    engine = Engine()
    found, hidden = _options.wanted(options(tmp_path, container=container, instances=2), engine)  # type: ignore[arg-type]
    assert (hidden, found.networks) == (["s3cret"], ("inside", "outside"))
    assert found.places == [(0, 3001), (1, 3002), (0, 3011), (1, 3012)]
    found.make(_options.Place("shop", "1.0-a", found.mark, 1, 3002))
    name, config, joined = engine.made[0]
    host = config["HostConfig"]
    assert (name, joined, host["NetworkMode"]) == ("shop-1.0-a-3002", ("outside",), "inside")
    assert (host["Memory"], host["NanoCpus"], host["ExtraHosts"]) == (3 << 29, 2_000_000_000, ["db:10.0.0.1"])
    assert host["Mounts"] == [{"Type": "bind", "Source": str(secret), "Target": "/run/token", "ReadOnly": True}]
    assert config["Healthcheck"] == {"Test": ["CMD", "true"], "Interval": 2_000_000_000}


def test_what_makes_containers_interchangeable(tmp_path: Path) -> None:
    mark = wanted(options(tmp_path)).mark
    assert wanted(options(tmp_path, instances=3, ports=[1, 9], keep=4)).mark == mark
    config = tmp_path / "env.json"
    config.write_text('{"A": "1"}')
    secret = tmp_path / "token"
    secret.touch(0o600)
    others: list[dict[str, Any]] = [
        {"image": "shop:2"},
        {"release": "1.0-b"},
        {"config": str(config)},
        {"container": {"memory": "1G"}},
        {"container": {"secrets": [{"source": str(secret), "target": "/t"}]}},
    ]
    marks = {wanted(options(tmp_path, **changed)).mark for changed in others}
    secret.write_text("new")
    marks.add(wanted(options(tmp_path, **others[-1])).mark)
    assert len(marks | {mark}) == len(others) + 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"release": ""}, "release is empty"),
        ({"name": "-shop"}, "can be no container's"),
        ({"ports": [1]}, "ports has to name two different ports"),
        ({"instances": 0}, "use state stopped to run none"),
        ({"container": {"memory": "much"}}, "container.memory much is no size"),
        ({"container": {"networks": ["host", "x"]}}, "host cannot be joined to others"),
        ({"container": {"volumes": ["/nowhere:/x"]}}, "needs /nowhere, and there is no such file"),
        ({"container": {"secrets": [{"source": "/nowhere", "target": "/x"}]}}, "/nowhere: No such file"),
        ({"container": {"secrets": [{"source": "/etc/hostname", "target": "/x"}]}}, "everybody on the host can read"),
        ({"container": {"secrets": [{"source": "/etc", "target": "/x"}]}}, "/etc is no file"),
    ],
)
def test_what_can_never_work(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SluiceError, match=said):
        wanted(options(tmp_path, **changed))


def test_check_mode_knows_a_release_that_is_not_there_yet(tmp_path: Path) -> None:
    params = options(tmp_path / "nowhere", image=None)
    found = _options.wanted(params, Engine(), check_mode=True)[0]  # type: ignore[arg-type]
    assert found.image(0).id == ""
    with pytest.raises(SluiceError, match="names none"):
        wanted(params)
