# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

"""The page of a report in a real browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ansible_collections.sluice.release.plugins.module_utils.report._build import build_report
from ansible_collections.sluice.release.plugins.module_utils.report._html import render_html

if TYPE_CHECKING:
    from tests.integration.conftest import Lack

FIXTURES = Path(__file__).parents[1] / "fixtures" / "release_report"
BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, lack: Lack) -> Path:
    if BROWSER is None:
        lack("no chromium on this machine: the page was not looked at")
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_html(build_report(**json.loads((FIXTURES / "rolled_back.json").read_text()))))
    return path


def browse(page: Path, tmp_path: Path, *options: str) -> str:
    """Open the page in a browser that knows nothing yet; return what it prints."""
    argv = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    argv += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,2000", *options, page.as_uri()]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def test_the_browser_reads_it_as_it_was_meant(page: Path, tmp_path: Path) -> None:
    dom = browse(page, tmp_path, "--dump-dom")
    assert '<header class="banner red" data-outcome="rolled_back">' in dom
    assert 'data-verdict="red">verdict red</span>' in dom
    for section in ("error", "rollback", "backup", "timeline", "requests", "gates", "checks", "stages", "preflight"):
        assert f'id="{section}"' in dom
    # The timeline, the strip of requests and four metrics, each with a name for those who do not see it.
    assert len(re.findall(r'<svg [^>]*role="img"', dom)) == 6
    assert re.search(r"<text [^>]*>red at 9.8 s</text>", dom)
    assert "<strong>1.1.0</strong> in 4.1 s" in dom
    assert "<dd>/mnt/vault/dealradarus/20261122T013002Z: verified, 1.2 MB, in 0.1 s" in dom


def test_light_and_dark_are_drawn_and_differ(page: Path, tmp_path: Path) -> None:
    light, dark = tmp_path / "light.png", tmp_path / "dark.png"
    browse(page, tmp_path, f"--screenshot={light}", "--blink-settings=preferredColorScheme=1")
    browse(page, tmp_path, f"--screenshot={dark}", "--blink-settings=preferredColorScheme=0")
    assert corner(light) == (244, 246, 249)
    assert corner(dark) == (16, 20, 26)


def corner(picture: Path) -> tuple[int, ...]:
    """Return the colour of the page around its cards."""
    from matplotlib.image import imread

    pixel = imread(picture)[5, 5]
    return tuple(round(float(channel) * 255) for channel in pixel[:3])


def test_it_can_be_printed(page: Path, tmp_path: Path) -> None:
    pdf = tmp_path / "report.pdf"
    browse(page, tmp_path, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 4
