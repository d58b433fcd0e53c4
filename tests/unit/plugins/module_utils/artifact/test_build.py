# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An artifact is complete or not there."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.artifact._build import (
    MARKER,
    Request,
    Step,
    ensure,
    read_marker,
)
from ansible_collections.sluice.release.plugins.module_utils.artifact._source import (
    ArchiveSource,
    DirectorySource,
    GitSource,
)

BUILD = Step("build", ("sh", "-c", "mkdir dist && cp main.js dist/main.js"))


def make_tree(path: Path, version: str = "1.0.0") -> Path:
    path.mkdir(parents=True)
    (path / "package.json").write_text(json.dumps({"version": version}))
    (path / "main.js").write_text("// main")
    (path / "node_modules").mkdir()
    (path / "node_modules" / "left.js").write_text("// of the working copy")
    return path


def request(tmp_path: Path, *steps: Step, **changes: object) -> Request:
    values: dict[str, object] = {"version": "1.0.0", "releases": str(tmp_path / "releases"), "steps": steps}
    return Request(**{**values, **changes})  # type: ignore[arg-type]


def test_a_build_is_complete_and_a_second_one_changes_nothing(tmp_path: Path) -> None:
    source = DirectorySource(str(make_tree(tmp_path / "source")))
    wanted = request(tmp_path, BUILD, entry="dist/main.js")
    first = ensure(wanted, source, SubprocessRunner(), write=True)
    artifact = Path(first["artifact"]["path"])
    assert first["changed"] is True
    assert artifact.name == f"1.0.0-{first['artifact']['checksum'][:12]}"
    assert read_marker(str(artifact)) == first["artifact"]
    assert not (artifact / "node_modules").exists(), "what belongs to a working copy is left out"
    second = ensure(wanted, source, SubprocessRunner(), write=True)
    assert second == {**first, "changed": False, "diff": second["diff"]}


def test_check_mode_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    source = DirectorySource(str(make_tree(tmp_path / "source")))
    checked = ensure(request(tmp_path, BUILD), source, SubprocessRunner(), write=False)
    assert not (tmp_path / "releases").exists()
    assert checked == ensure(request(tmp_path, BUILD), source, SubprocessRunner(), write=True)


def test_the_rest_of_a_killed_build_is_built_again(tmp_path: Path) -> None:
    source = DirectorySource(str(make_tree(tmp_path / "source")))
    wanted = request(tmp_path, BUILD)
    path = Path(ensure(wanted, source, SubprocessRunner(), write=True)["artifact"]["path"])
    (path / MARKER).unlink()
    (path / "half").write_text("of a killed build")
    assert ensure(wanted, source, SubprocessRunner(), write=True)["changed"] is True
    assert not (path / "half").exists()


@pytest.mark.parametrize(
    ("step", "changes", "said"),
    [
        (Step("build", ("sh", "-c", "echo no space >&2; exit 3")), {}, r"Cannot build version 1.0.0: .*exited with 3"),
        (BUILD, {"entry": "dist/app.js"}, "the entry file dist/app.js is not there"),
        (BUILD, {"version": "2.0.0"}, r"its package.json says 1.0.0"),
    ],
    ids=["command fails", "entry missing", "another version"],
)
def test_a_failed_build_leaves_nothing(tmp_path: Path, step: Step, changes: dict[str, object], said: str) -> None:
    source = DirectorySource(str(make_tree(tmp_path / "source")))
    with pytest.raises(SluiceError, match=said):
        ensure(request(tmp_path, step, **changes), source, SubprocessRunner(), write=True)
    assert list((tmp_path / "releases").iterdir()) == []


def test_an_unknown_version_names_the_directory(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match=r"Cannot read the source .*9\.9\.9 does not exist.* Check release_version"):
        DirectorySource(str(tmp_path / "9.9.9")).identity()


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_is_laid_without_its_top_directory(tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"source.{kind}"
    if kind == "tar":
        with tarfile.open(file, "w:gz") as archive:
            member = tarfile.TarInfo("package/main.js")
            member.size = 3
            archive.addfile(member, io.BytesIO(b"one"))
    else:
        with zipfile.ZipFile(file, "w") as zipped:
            zipped.writestr("package/main.js", "one")
    (tmp_path / "out").mkdir()
    ArchiveSource(str(file)).lay(str(tmp_path / "out"))
    assert (tmp_path / "out" / "main.js").read_text() == "one"


def test_an_archive_that_would_leave_its_directory_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "evil.tar"
    with tarfile.open(file, "w") as archive:
        member = tarfile.TarInfo("../evil.js")
        archive.addfile(member, io.BytesIO(b""))
    (tmp_path / "out").mkdir()
    with pytest.raises(SluiceError, match="Cannot unpack the archive"):
        ArchiveSource(str(file)).lay(str(tmp_path / "out"))
    assert not (tmp_path / "evil.js").exists()


def test_an_archive_with_another_checksum_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"data")
    with pytest.raises(SluiceError, match=r"Cannot trust the archive .* expected abc"):
        ArchiveSource(str(tmp_path / "a.tar"), "abc").identity()


def git(*arguments: str, cwd: Path) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(name="repository")
def _repository(tmp_path: Path) -> Path:
    tree = make_tree(tmp_path / "repository")
    git("init", "--quiet", cwd=tree)
    git("add", "main.js", "package.json", cwd=tree)
    git("commit", "--quiet", "-m", "one", cwd=tree)
    git("tag", "v1.0.0", cwd=tree)
    (tree / "main.js").write_text("// later")
    git("commit", "--quiet", "-am", "two", cwd=tree)
    return tree


def test_a_git_tag_is_laid_as_it_was_tagged(tmp_path: Path, repository: Path) -> None:
    source = GitSource(str(repository), "v1.0.0", str(tmp_path / "mirror.git"), SubprocessRunner())
    assert source.identity().checksum == git("rev-parse", "v1.0.0", cwd=repository)
    (tmp_path / "out").mkdir()
    source.lay(str(tmp_path / "out"))
    assert (tmp_path / "out" / "main.js").read_text() == "// main"
    assert not list((tmp_path / "out").glob(".sluice*"))


def test_check_mode_reads_a_repository_without_a_mirror(tmp_path: Path, repository: Path) -> None:
    source = GitSource(str(repository), "v1.0.0", str(tmp_path / "mirror.git"), SubprocessRunner(), write=False)
    assert source.identity().checksum == git("rev-parse", "v1.0.0", cwd=repository)
    assert not (tmp_path / "mirror.git").exists()


def test_an_unknown_ref_is_named(tmp_path: Path, repository: Path) -> None:
    source = GitSource(str(repository), "v9", str(tmp_path / "mirror.git"), SubprocessRunner())
    with pytest.raises(SluiceError, match=r"Cannot find v9 in the repository .*no such tag, branch or commit"):
        source.identity()
