# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which images belong to a release, as its directory says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.artifact._image_file import FILE, Recorded, read, render


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read(str(tmp_path)) == {}
    full = {"image": "registry/api@sha256:a", "kept": "sluice/shop/api:1", "digest": "sha256:a", "tag": None, "size": 7}
    (tmp_path / FILE).write_text(render({"api": full, "web": {"image": "web:1"}}))
    found = read(str(tmp_path))
    assert found == {
        "api": Recorded("registry/api@sha256:a", "sluice/shop/api:1", "sha256:a"),
        "web": Recorded("web:1"),
    }
    assert [one.local for one in found.values()] == ["sluice/shop/api:1", "web:1"]


@pytest.mark.parametrize("text", ["", "[]", '{"api": {}}', '{"api": 7}'])
def test_what_no_one_can_read(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SluiceError, match="it does not name one image for each service"):
        read(str(tmp_path))
