# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx, moved under load, with a reload and without one."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from proxies import Site, moves, until, worker_pids

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.proxy import _options, _workers


def test_nginx_moves_without_a_reload_and_loses_nothing(flag_site: Site) -> None:
    tally = asyncio.run(moves(flag_site, 4))
    assert (tally.failed, dict(tally.errors)) == (0, {})


def test_nginx_moves_and_waits_for_its_old_workers(nginx_site: Site) -> None:
    tally = asyncio.run(moves(nginx_site, 4))
    assert (tally.failed, dict(tally.errors)) == (0, {})


def test_nginx_shares_the_traffic_as_it_is_weighed(nginx_site: Site) -> None:
    first, second = nginx_site.ports
    canary = nginx_site.run(to=str(second), weight=25)
    assert (canary["previous"], canary["current"]) == (str(first), str(first))
    assert [server["weight"] for server in canary["servers"]] == [75, 25]
    assert not nginx_site.run(to=str(second), weight=25)["changed"]
    assert nginx_site.run(to=str(second))["current"] == str(second)


@pytest.mark.parametrize("check_mode", [True, False])
def test_nginx_refuses_a_broken_configuration_and_nothing_changes(nginx_site: Site, check_mode: bool) -> None:
    first, second = nginx_site.ports
    path = Path(nginx_site.proxy["path"])
    before, workers = path.read_text(), worker_pids(nginx_site)
    if check_mode:
        assert nginx_site.run(check_mode=True, to=str(second))["changed"]
    else:
        with pytest.raises(
            SluiceError, match=rf"Cannot point the proxy at port {second}: nginx exited with 1: .*bogus"
        ):
            nginx_site.run(to=str(second), proxy={"content": "upstream shop { bogus {port}; }"})
    assert (path.read_text(), worker_pids(nginx_site)) == (before, workers)
    assert nginx_site.route().live() == first


def test_nginx_that_does_not_carry_the_reload_out_is_found(nginx_site: Site) -> None:
    first, second = nginx_site.ports
    before = Path(nginx_site.proxy["path"]).read_text()
    # The command succeeds, and nothing happens: what a reload does whose configuration fails only then.
    with pytest.raises(SluiceError, match=r"nginx has started no worker with the new configuration in 0\.3 s"):
        nginx_site.run(to=str(second), proxy={"reload": ["true"], "timeout": 0.3})
    assert Path(nginx_site.proxy["path"]).read_text() == before
    assert nginx_site.route().points_at(first)


@pytest.mark.parametrize("reloaded", [False, True])
def test_nginx_tells_which_slot_serves_after_a_run_that_was_killed(nginx_site: Site, reloaded: bool) -> None:
    first, second = nginx_site.ports
    killed = threading.Event()

    class Killed(BaseException):
        pass

    def runner(argv: Any, **options: Any) -> Any:
        if argv[-1] == "reload":
            if reloaded:
                workers = set(worker_pids(nginx_site))
                SubprocessRunner()(argv, **options)
                until(lambda: set(worker_pids(nginx_site)) - workers, "nginx is not reloaded")
                until(lambda: not _workers.alive(workers), "the old workers do not end")
            killed.set()
            raise Killed
        return SubprocessRunner()(argv, **options)

    route = _options.from_options(nginx_site.proxy, nginx_site.ports, 1, runner)
    # Nobody puts back what a killed run has left.
    route._put_back = lambda *_: None  # type: ignore[attr-defined]
    with pytest.raises(Killed):
        route.point(second)
    assert killed.is_set()
    fresh = nginx_site.route()
    assert fresh.live() == (second if reloaded else first)
    assert not fresh.points_at(second)
    assert nginx_site.run(to=str(second))["changed"]
    assert nginx_site.route().points_at(second)
