# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.process import _program, _unit
from ansible_collections.sluice.release.plugins.module_utils.process._program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    directory = tmp_path / "50% off"
    directory.mkdir()
    run = directory / "run"
    run.write_text("")
    run.chmod(0o755)
    return Program(
        name="shop",
        release="1.0.0-ab",
        mark="0123456789abcdef",
        path=str(directory),
        command=["./run", "--price", "$5 at 10%", 'say "no"', "back\\slash"],
        environment={"SECRET": "never in a unit"},
        user="root",
        search_path=_program.SYSTEM_PATH,
        drain_timeout=8,
    )


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_a_unit_says_all_that_makes_an_instance(program: Program) -> None:
    text = _unit.service(_unit.Service(program, 1, "/state/50%.env", 3001))
    assert "never in a unit" not in text
    assert [
        line for line in lines(text) if line.startswith(("ExecStart", "Working", "EnvironmentFile", "Timeout"))
    ] == [
        f"WorkingDirectory={program.path.replace('%', '%%')}",
        "EnvironmentFile=/state/50%%.env",
        f'ExecStart="{program.path.replace("%", "%%")}/run" "--price" "$$5 at 10%%" "say \\"no\\"" "back\\\\slash"',
        "TimeoutStopSec=10",
    ]
    assert 'Environment="SLUICE_PORT=3001"' in lines(text)
    assert "Sockets" not in text


def test_properties_have_the_last_word(program: Program) -> None:
    properties = {"MemoryMax": "1G", "PrivateTmp": False, "ReadWritePaths": ["/a", "/b"]}
    found = lines(_unit.service(_unit.Service(program, 0, "/e", 3000, properties=properties)))
    assert [line for line in found if line.startswith(("Memory", "PrivateTmp", "ReadWrite"))] == [
        "PrivateTmp=no",
        "MemoryMax=1G",
        "ReadWritePaths=/a",
        "ReadWritePaths=/b",
    ]


def test_a_process_that_inherits_a_socket_does_not_block_it(program: Program) -> None:
    found = lines(_unit.service(_unit.Service(program, 0, "/e", None, "shop.socket")))
    assert {"Sockets=shop.socket", "NonBlocking=yes"} <= set(found)


@pytest.mark.parametrize(
    "properties", [{"ExecStart": "/bin/true"}, {"User": "root"}, {"no": 1}, {"Nice": "1\nUser=root"}, {"A": ["x\ny"]}]
)
def test_properties_that_no_unit_may_have(properties: dict[str, Any]) -> None:
    with pytest.raises(SluiceError, match="Cannot set"):
        _unit.check_properties(properties)


@pytest.mark.parametrize(
    ("address", "port"), [("127.0.0.1:3000", 3000), ("3000", 3000), ("[::1]:80", 80), ("/run/shop.sock", None)]
)
def test_the_socket_and_its_port(address: str, port: int | None) -> None:
    text = _unit.socket("shop", address, "shop@0-a.service")
    assert _unit.listens_at(text) == port
    other = _unit.led_to(text, r"shop@0-b\x2d.service")
    assert lines(other) == [line.replace("@0-a.", r"@0-b\x2d.") for line in lines(text)]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", '"plain"'),
        ('a "b" $c `d` \\e', '"a \\"b\\" \\$c \\`d\\` \\\\e"'),
        ("100% # no comment ; 'quoted'", "\"100% # no comment ; 'quoted'\""),
        ("two\nlines\n", '"two\nlines\n"'),
        ("", '""'),
    ],
)
def test_values_are_quoted_as_systemd_reads_them(value: str, written: str) -> None:
    assert _unit.environment_file({"X": value}) == f"X={written}\n"


SHOWN = """Id=shop@3001.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
MainPID=310
NRestarts=2
ExecMainStatus=0
Environment=SLUICE_APPLICATION=shop SLUICE_RELEASE=1.0.0-ab SLUICE_MARK=0123 SLUICE_INSTANCE=1 SLUICE_PORT=3001
UnitFileState=enabled

Id=shop.service
ActiveState=failed
SubState=failed
Result=exit-code
MainPID=0
NRestarts=0
ExecMainStatus=203
Environment="A=b c"

Id=shop@3001.service
ActiveState=active
"""


def test_what_systemd_tells() -> None:
    shown = _unit.parse(SHOWN.rpartition("\n\n")[0])
    assert [one["Id"] for one in shown] == ["shop@3001.service", "shop.service"]
    assert len(_unit.parse(SHOWN)) == 2
    ours, foreign = map(_unit.instance, shown)
    assert (ours.number, ours.port, ours.release, ours.mark) == (1, 3001, "1.0.0-ab", "0123")
    assert (ours.alive, ours.pid, ours.restarts, ours.status) == (True, 310, 2, "active (running)")
    assert (foreign.release, foreign.mark, foreign.port, foreign.pid) == (None, None, None, None)
    assert (foreign.alive, foreign.status) == (False, "failed (failed), exit-code 203")


@pytest.mark.parametrize(
    ("span", "seconds"), [("10s", 10), ("1min 30s", 90), ("1h 500ms", 3600.5), ("infinity", 90), ("", 90)]
)
def test_a_span_of_time(span: str, seconds: float) -> None:
    assert _unit.seconds(span) == seconds


@pytest.mark.parametrize("name", ["shop@1", "../shop", "", "a b", "-a", "shop/x"])
def test_a_name_that_no_unit_can_have(name: str) -> None:
    with pytest.raises(SluiceError, match="Cannot use the name"):
        _program.check_name(name)


@pytest.mark.parametrize(
    ("variables", "named"), [({"a-b": "v"}, "a-b"), ({"X": "a\0b"}, "X"), ({"SLUICE_MARK": "m"}, "SLUICE_MARK")]
)
def test_variables_that_would_not_arrive(variables: dict[str, str], named: str) -> None:
    with pytest.raises(SluiceError, match=named):
        _program.check_environment(variables)


def test_our_variables_have_the_last_word(program: Program) -> None:
    changed = Program(**{**program.__dict__, "environment": {"PORT": "1", "PATH": "/own"}})
    variables = changed.variables(0, 3000)
    assert (variables["PORT"], variables["PATH"]) == ("3000", "/own")
