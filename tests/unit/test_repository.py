# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guard tests: what has to agree between the files of the repository, so that nobody has to remember it."""

from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ansible_collections.sluice.release.plugins.action.release_plan import FACTS
from ansible_collections.sluice.release.plugins.module_utils.journal._fleet import check_keys

ROOT = Path(__file__).resolve().parents[2]
FARM = ROOT / "collections" / "ansible_collections" / "sluice" / "release"

# What a collection consists of; everything else at the top level belongs to the project and stays out of the artifact.
CONTENT = {"extensions", "galaxy.yml", "meta", "playbooks", "plugins", "roles"}
SHIPPED = CONTENT | {
    "CHANGELOG.rst",
    "CONTRIBUTING.md",
    "COPYING",
    "README.md",
    "changelogs",
    "docs",
    "requirements.yml",
}

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.stem


def tracked_top_level() -> set[str]:
    """Names at the top level that are, or will be, in the repository."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return {line.partition("/")[0] for line in listed.stdout.splitlines()}


# --- The symlink farm


def test_the_farm_holds_the_whole_collection() -> None:
    # A tool that ran in it may have left a cache, which .gitignore names.
    assert {path.name for path in FARM.iterdir() if not path.name.startswith(".")} == CONTENT


@pytest.mark.parametrize("name", sorted(CONTENT))
def test_a_link_of_the_farm_is_relative_and_leads_to_the_root(name: str) -> None:
    link = FARM / name
    assert link.is_symlink(), "a clone with core.symlinks=false has text files here"
    assert not link.readlink().is_absolute()
    assert link.resolve() == ROOT / name


# --- Roles


def variables_of(tasks: Any) -> set[str]:
    """The variables that tasks set, in blocks as well: what is registered, and facts."""
    names: set[str] = set()
    for task in tasks or []:
        names |= {task["register"]} if "register" in task else set()
        names |= set(task.get("ansible.builtin.set_fact") or {}) - {"cacheable"}
        for part in ("block", "rescue", "always"):
            names |= variables_of(task.get(part))
    return names


def test_no_variable_of_a_role_reads_like_a_misspelt_option() -> None:
    """A host keeps what a task has registered, and the next run in the same play would refuse its profile for it."""
    known = [name for role in ROLES for name in spec_options(role)]
    set_by_tasks = {name for path in (ROOT / "roles").glob("*/tasks/*.yml") for name in variables_of(load(path))}
    assert len(set_by_tasks) > 20
    check_keys(set_by_tasks, [*known, *FACTS])


def test_a_truth_is_understood_from_the_command_line_too() -> None:
    """`-e status_strict=true` and a survey of AWX give text, which is true whatever it says, or no condition at all."""
    truths = {name for role in ROLES for name, option in spec_options(role).items() if option["kind"]["type"] == "bool"}
    named = re.compile(rf"\b({'|'.join(sorted(truths))})\b(?! *\| *bool\b| *:)")
    # What is handed on whole is converted by the module that it is for, or by the option that it becomes.
    whole = re.compile(r'^ *\w+: "\{\{ \w+ \}\}"$')
    files = [*(ROOT / "roles").glob("*/tasks/*.yml"), *(ROOT / "roles").glob("*/templates/*.j2")]
    lines = [(path, line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(truths) > 5
    assert [(path.name, line) for path, line in lines if named.search(line) and not whole.match(line)] == []


def spec_options(role: str) -> dict[str, dict[str, Any]]:
    """The options of all entry points, by name; an option that several have is the same in each.

    Only entry point main can require one: the others are called by other roles, which know what to pass.
    """
    options: dict[str, dict[str, Any]] = {}
    for entry, spec in load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"].items():
        for name, option in (spec.get("options") or {}).items():
            kind = {key: option.get(key) for key in ("type", "elements", "choices", "default")}
            assert kind == options.get(name, {}).get("kind", kind), f"{name} differs in entry point {entry}"
            known = options.setdefault(name, {"kind": kind, "entries": {}})
            known["entries"][entry] = bool(option.get("required"))
            if "default" in option:
                known["default"] = option["default"]
    return options


@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_of_a_role_are_its_argument_specs(role: str) -> None:
    text = (ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8")
    defaults: dict[str, Any] = yaml.safe_load(text) or {}
    commented = set(re.findall(r"^# ?([a-z][a-z0-9_]*):", text, flags=re.MULTILINE))
    # Variables of the whole profile have one home, the inventory: no role has a default for them.
    own = {name: option for name, option in spec_options(role).items() if name.startswith(f"{role}_")}

    required = {name for name, option in own.items() if any(option["entries"].values())}
    assert set(defaults) == set(own) - required
    to_list = {name for name in required if own[name]["entries"].get("main")}
    assert to_list <= commented, "a required variable is listed in the defaults, commented out"
    written = {name: option["default"] for name, option in own.items() if "default" in option}
    assert written == {name: defaults[name] for name in written if name in defaults}


@pytest.mark.parametrize("role", ROLES)
def test_an_option_has_the_prefix_of_its_role_or_of_the_profile(role: str) -> None:
    strange = {name for name in spec_options(role) if not name.startswith((f"{role}_", "sluice_", "release_"))}
    assert strange == set()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_complete(role: str) -> None:
    for name in ("README.md", "defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml"):
        assert (ROOT / "roles" / role / name).is_file(), name
    assert "main" in load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_a_scenario(role: str) -> None:
    scenarios = [
        path.parent
        for pattern in (f"molecule/{role}/molecule.yml", f"molecule/{role}_*/molecule.yml")
        for path in ROOT.glob(pattern)
    ]
    assert scenarios, f"molecule/{role}/ is missing"
    for scenario in scenarios:
        assert list(scenario.glob("tests/test_*.py")), f"{scenario.name} asserts nothing"


# --- Playbooks


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=name_of)
def test_a_playbook_has_a_shim_at_the_root(playbook: Path) -> None:
    assert "-" not in playbook.name, "a dash in the file name ends the playbook's FQCN"
    plays = load(ROOT / playbook.name)
    assert [play["ansible.builtin.import_playbook"] for play in plays] == [f"playbooks/{playbook.name}"]


def test_a_shim_has_a_playbook() -> None:
    shims = {path.name for path in ROOT.glob("*.yml") if "import_playbook" in path.read_text(encoding="utf-8")}
    assert shims == {path.name for path in PLAYBOOKS}


# --- Modules


def test_the_action_group_holds_every_module() -> None:
    group = load(ROOT / "meta" / "runtime.yml")["action_groups"]["all"]
    assert sorted(group) == [path.stem for path in MODULES]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_runs_through_an_action_plugin(module: Path) -> None:
    routing = load(ROOT / "meta" / "runtime.yml")["plugin_routing"]["modules"]
    own = ROOT / "plugins" / "action" / module.name
    assert own.is_file() or routing[module.stem]["action_plugin"] == "sluice.release.run_module"


def test_no_route_leads_nowhere() -> None:
    routing = load(ROOT / "meta" / "runtime.yml")["plugin_routing"]["modules"]
    assert set(routing) <= {path.stem for path in MODULES}


@pytest.fixture(scope="module")
def driven() -> str:
    """The tests that run modules: in this process, through Ansible, or on real servers."""
    places = ("tests/unit/plugins/modules", "tests/unit/plugins/action", "tests/integration")
    return "\n".join(path.read_text(encoding="utf-8") for place in places for path in (ROOT / place).rglob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_is_run_by_a_test(module: Path, driven: str) -> None:
    assert re.search(rf"\b{module.stem}\b", driven)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_is_thin(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    mains = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    documents_an_action = (ROOT / "plugins" / "action" / module.name).is_file()
    assert len(mains) == 1 or documents_an_action
    for main in mains:
        assert (main.end_lineno or 0) - main.lineno + 1 <= 25


# --- The artifact


def test_everything_that_is_no_content_stays_out_of_the_artifact() -> None:
    ignored = load(ROOT / "galaxy.yml")["build_ignore"]
    leaks = {
        name for name in tracked_top_level() - SHIPPED if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)
    }
    assert leaks == set()


@pytest.mark.parametrize(
    "name", [".ansible", ".git", ".lab", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv", "build"]
)
def test_what_tools_leave_behind_stays_out_of_the_artifact(name: str) -> None:
    # ansible-galaxy leaves out .git by itself.
    assert name == ".git" or name in load(ROOT / "galaxy.yml")["build_ignore"]


def test_the_collection_and_the_project_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == load(ROOT / "galaxy.yml")["version"]


# --- Requirements


def locked(name: str) -> dict[str, str]:
    """Versions by canonical name; every requirement of a lock is pinned and hashed."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entries = re.findall(r"^([A-Za-z0-9_.\[\]-]+)==(\S+)[^\n]*\\\n\s+--hash=sha256:", text, flags=re.MULTILINE)
    assert len(entries) == len(re.findall(r"^[A-Za-z0-9]", text, flags=re.MULTILINE)), f"{name}: no hash"
    return {canonicalize_name(package.partition("[")[0]): version for package, version in entries}


@pytest.mark.parametrize(("lock", "extras"), [("lab.txt", ["host", "lab"]), ("dev.txt", ["host", "lab", "dev"])])
def test_a_lock_fits_the_project(lock: str, extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    versions = locked(lock)
    for requirement in map(Requirement, direct):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in {lock}: lock again"
        assert requirement.specifier.contains(version), f"{lock} has {requirement.name} {version}, not {requirement}"


def test_the_lock_of_what_copies_to_s3_fits_its_group() -> None:
    group = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["s3"]
    versions = locked("s3.txt")
    for requirement in map(Requirement, group):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_the_locks_agree() -> None:
    lab, dev = locked("lab.txt"), locked("dev.txt")
    assert lab == {name: dev.get(name) for name in lab}
