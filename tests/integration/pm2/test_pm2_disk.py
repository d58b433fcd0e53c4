# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that fills up under PM2 and under the state of the application."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pm2_site import Site


def test_a_switch_needs_no_disk_and_what_needs_one_says_so(
    site: Site, small_disk: Callable[[Path], Callable[[], None]]
) -> None:
    fill = [small_disk(site.home), small_disk(site.root / "state")]
    assert not (done := site.switch(site.release("1.0.0"))).failed, done.values
    for one in fill:
        one()
    second = site.release("1.1.0")
    done = site.switch(second, hold=0.3)
    assert not done.failed, done.values
    assert (site.releases(), site.ask()["version"]) == (["1.1.0"], "1.1.0")
    done = site.switch(second, save=True)
    assert (
        f"Cannot save the PM2 process list: pm2 exited with 1: the disk that {site.home} is on is full" in done["msg"]
    )
    assert (site.releases(), site.ask()["version"]) == (["1.1.0"], "1.1.0")
