# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.sluice.release.plugins.modules import release_report

FIXTURES = Path(__file__).parents[3] / "fixtures" / "release_report"
RELEASE = "20261122T013000Z-1.1.0"


class Report:
    """Runs the module on a recorded release and returns its result."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, name: str, *, check: bool = False, **more: Any) -> dict[str, Any]:
        arguments = {**json.loads((FIXTURES / f"{name}.json").read_text()), **more, "_ansible_check_mode": check}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            release_report.main()
        return dict(json.loads(self.capsys.readouterr().out))


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    return Report(capsys)


def test_writes_three_files_once(report: Report, tmp_path: Path) -> None:
    dest = tmp_path / "state" / "reports"
    first = report("unchanged", dest=str(dest))
    assert first["changed"]
    assert sorted(path.name for path in dest.iterdir()) == [f"{RELEASE}.{suffix}" for suffix in ("html", "json", "md")]
    assert all(path.stat().st_mode & 0o777 == 0o640 for path in dest.iterdir())
    assert json.loads(Path(first["files"]["json"]).read_text()) == first["report"]
    assert Path(first["files"]["html"]).read_text() == first["html"]
    assert set(first["diff"]["before"].values()) == {"absent"}
    second = report("unchanged", dest=str(dest))
    assert (second["changed"], second["diff"]) == (False, {"before": {}, "after": {}})
    assert set(second) == set(first)


@pytest.mark.parametrize(
    ("name", "due"), [("succeeded", False), ("unchanged", False), ("failed", False), ("rolled_back", True)]
)
def test_a_post_mortem_is_begun_where_something_went_wrong(
    report: Report, tmp_path: Path, name: str, due: bool
) -> None:
    result = report(name, dest=str(tmp_path))
    file = tmp_path / f"{result['report']['release_id']}.post-mortem.md"
    assert (bool(result["post_mortem"]), file.exists(), bool(result["files"]["post_mortem"])) == (due, due, due)
    assert not due or file.read_text() == result["post_mortem"]


def test_check_mode_says_the_same_and_writes_nothing(report: Report, tmp_path: Path) -> None:
    result = report("unchanged", check=True, dest=str(tmp_path / "reports"))
    assert (result["changed"], result["files"]["json"]) == (True, str(tmp_path / "reports" / f"{RELEASE}.json"))
    assert list(tmp_path.iterdir()) == []


def test_without_dest_nothing_is_written(report: Report) -> None:
    result = report("unchanged")
    assert (result["changed"], result["files"]) == (
        False,
        {"json": None, "markdown": None, "html": None, "post_mortem": None},
    )
    assert result["report"]["outcome"] == "unchanged"
    assert result["markdown"].startswith("# dealradarus 1.1.0: unchanged")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"release": "20990101T000000Z-9"},
            (
                "Cannot report on release 20990101T000000Z-9: no journal holds an entry of it. "
                "Ask for a release that report.yml lists."
            ),
        ),
        (
            {"dest": "/proc/nowhere"},
            f"Cannot write the report of {RELEASE}: No such file or directory (/proc/nowhere).",
        ),
    ],
)
def test_errors(report: Report, more: dict[str, Any], message: str) -> None:
    result = report("unchanged", **more)
    assert (result["failed"], result["msg"]) == (True, message)


def test_a_journal_that_leads_to_nonsense_is_an_error_that_keeps_the_report(report: Report) -> None:
    entries = json.loads((FIXTURES / "unchanged.json").read_text())["hosts"][0]["entries"]
    entries[-1]["outcome"] = "succeeded"
    entries[2]["seconds"] = -3
    result = report("unchanged", hosts=[{"host": "app1", "entries": entries}])
    assert result["msg"].startswith(
        f"Cannot report on release {RELEASE}: the journal led to an invalid report (stages[0].seconds: -3 is less than"
    )
    assert result["report"]["outcome"] == "succeeded"


@pytest.mark.parametrize(
    ("flag", "warning"),
    [("HAS_JSONSCHEMA", "The report was not validated: "), ("HAS_MATPLOTLIB", "The page has no charts: ")],
)
def test_a_missing_library_is_a_warning(
    report: Report, monkeypatch: pytest.MonkeyPatch, flag: str, warning: str
) -> None:
    monkeypatch.setattr(release_report, flag, False)
    # Where a warning goes from here depends on what else this process has imported of Ansible.
    warnings: list[str] = []
    monkeypatch.setattr(release_report.AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    result = report("unchanged")
    assert result["report"]["outcome"] == "unchanged"
    assert [text.startswith(warning) for text in warnings] == [True]
