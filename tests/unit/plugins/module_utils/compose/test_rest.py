# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a project is not switched: brought about, awaited, and put back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.compose._render import DEFINITION
from ansible_collections.sluice.release.plugins.module_utils.compose._rest import Rest, is_up, state


def container(definition: str = "d", policy: str = "always", **status: Any) -> dict[str, Any]:
    return {
        "Id": "1",
        "Config": {"Labels": {DEFINITION: definition, "com.docker.compose.service": "db"}},
        "HostConfig": {"RestartPolicy": {"Name": policy}},
        "State": {"Status": "running", "Running": True, **status},
    }


ENDED: dict[str, Any] = {"Status": "exited", "Running": False}


@pytest.mark.parametrize(
    ("found", "was", "up"),
    [
        (None, "missing", (False, "it has no container")),
        (container(), "as wanted", (True, "")),
        (container("other"), "changed", (True, "")),
        (container(**ENDED, ExitCode=1), "ended", (False, "it ended with 1")),
        (container(**ENDED, ExitCode=0), "ended", (False, "it ended with 0")),
        (container(policy="no", **ENDED, ExitCode=0), "as wanted", (True, "")),
        (container(policy="no", **ENDED, ExitCode=2), "ended", (False, "it ended with 2")),
        (container(Restarting=True, ExitCode=3), "as wanted", (False, "it ended with 3")),
        (container(Health={"Status": "starting"}), "as wanted", (False, "")),
        (container(Health={"Status": "healthy"}), "as wanted", (True, "")),
        (container(Health={"Status": "unhealthy"}), "as wanted", (False, "its health check fails")),
        (container(Status="created", Running=False), "ended", (False, "")),
    ],
)
def test_how_a_service_stands(found: dict[str, Any] | None, was: str, up: tuple[bool, str]) -> None:
    assert (state(found, "d"), is_up(found)) == (was, up)


@dataclass
class Host:
    """An engine and a compose command in memory."""

    found: list[dict[str, Any]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    after: dict[str, Any] = field(default_factory=dict)
    time: float = 0.0

    def containers(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        return list(self.found)

    def log(self, container: str, lines: int, *, errors: bool) -> str:
        return "Error: no s3cret\n" if errors else ""

    def stop(self, name: str, seconds: float) -> None:
        self.done.append(f"stop {name}")
        for one in self.found:
            one["State"].update(ENDED)

    def remove(self, name: str) -> None:
        self.done.append(f"remove {name}")
        self.found.clear()

    def remove_networks(self, label: str) -> None:
        self.done.append(f"remove networks {label}")

    def up(self, project: str, file: str, services: Sequence[str]) -> None:
        wanted = json.loads(Path(file).read_text())["services"]["db"]["labels"][DEFINITION]
        self.done.append(f"up {' '.join(services)} as {wanted}")
        self.found = [container(wanted, **self.after)]

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def rest(self, directory: Path, definition: str = "d") -> Rest:
        return Rest(
            host=self,
            command=self,
            project="shop",
            directory=str(directory),
            content={"services": {"db": {"labels": {DEFINITION: definition}}}},
            secrets=["s3cret"],
            warn=lambda text: self.warnings.append(str(text)),
            now=lambda: self.time,
            sleep=self.sleep,
        )


def test_a_first_start_a_change_and_the_way_back(tmp_path: Path) -> None:
    host = Host()
    first = host.rest(tmp_path)
    assert first.todo() == [{"service": "db", "was": "missing"}]
    first.bring(first.todo())
    assert (host.rest(tmp_path).todo(), host.warnings) == ([], [])
    second = host.rest(tmp_path, "e")
    second.bring(second.todo())
    assert "Service db is recreated" in host.warnings[0]
    second.undo()
    second.undo()
    assert host.done == ["up db as d", "up db as e", "up db as d"]
    assert (tmp_path / "shop.json").stat().st_mode & 0o777 == 0o600
    # What was not there before is not there afterwards.
    first.undo()
    assert host.done[3:] == ["stop 1", "remove 1"]


def test_one_that_others_have_made_cannot_be_put_back(tmp_path: Path) -> None:
    host = Host(found=[container("by hand")])
    it = host.rest(tmp_path)
    it.bring(it.todo())
    it.undo()
    assert "There is no earlier definition to put back: db" in host.warnings[1]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({**ENDED, "ExitCode": 1}, r"it ended with 1; its log says: Error: no \*{8}\."),
        ({"Health": {"Status": "starting"}}, "it is not healthy after 30 s"),
    ],
)
def test_all_of_it_has_to_run(tmp_path: Path, after: dict[str, Any], said: str) -> None:
    host = Host(after=after)
    it = host.rest(tmp_path)
    with pytest.raises(SluiceError, match=said) as caught:
        it.bring(it.todo())
    assert caught.value.fields["logs"] == [{"id": "db", "lines": ["Error: no ********"]}]


def test_an_end(tmp_path: Path) -> None:
    host = Host(found=[container()])
    it = host.rest(tmp_path)
    assert (it.would_end(absent=False), it.end(absent=False), it.end(absent=False)) == (["db"], ["db"], [])
    assert (it.would_end(absent=True), it.end(absent=True), it.end(absent=True)) == (["db"], ["db"], [])
    it.clear()
    assert host.done == ["stop 1", "stop 1", "remove 1", "remove networks com.docker.compose.project=shop"]


def test_a_project_of_stateless_services_alone_needs_nothing(tmp_path: Path) -> None:
    host = Host()
    it = host.rest(tmp_path)
    it.content = {"services": {}}
    it.bring(it.todo())
    assert host.done == []
