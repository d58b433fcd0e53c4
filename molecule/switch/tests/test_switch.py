# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two workers of the version serve, each from the release directory, and the links lead there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

ROOT = "/srv/molecule"


def test_the_version_serves(answer: Callable[[str], Any]) -> None:
    assert answer("/version")["version"] == "1.0.0"
    assert answer("/ready")["database"]


def test_every_worker_runs_in_the_release_directory(host: Host, workers: list[dict[str, Any]]) -> None:
    assert [worker["pm2_env"]["status"] for worker in workers] == ["online", "online"]
    release = host.check_output("readlink --canonicalize %s/current", ROOT)
    assert release.startswith(f"{ROOT}/releases/1.0.0-")
    for worker in workers:
        assert host.check_output("readlink /proc/%s/cwd", str(worker["pid"])) == release
        assert worker["pm2_env"]["restart_time"] == 0


def test_the_second_run_restarted_nothing(workers: list[dict[str, Any]]) -> None:
    # PM2 numbers what it starts: another pair of workers would be 2 and 3.
    assert sorted(worker["pm_id"] for worker in workers) == [0, 1]


def test_no_secret_is_in_an_argument_list(host: Host) -> None:
    assert "molecule-db-secret" not in host.check_output("ps -eo args")


def test_the_frontend_is_published_whole(host: Host) -> None:
    served = host.check_output("readlink --canonicalize /srv/molecule/frontend/www")
    assert served.startswith("/srv/molecule/frontend/www.releases/1.0.0-")
    page = host.check_output("curl --fail --silent --show-error http://127.0.0.1:8090/")
    assert page == '<script type="module" src="/index-BvQ3kXyz.js"></script>'
    headers = host.check_output("curl --fail --silent --head http://127.0.0.1:8090/index-BvQ3kXyz.js")
    assert "Cache-Control: public, max-age=31536000, immutable" in headers
    # What marks an artifact is nothing that a browser may see.
    assert host.file(f"{served}/index.html").exists
    assert not host.file(f"{served}/.sluice-artifact.json").exists
