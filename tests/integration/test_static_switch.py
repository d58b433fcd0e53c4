# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""static_switch behind a document root of a real nginx."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sluice_lab.lab import free_ports

from ansible_collections.sluice.release.plugins.modules import static_switch

if TYPE_CHECKING:
    from tests.integration.conftest import RunModule

CONFIG = """
daemon off; master_process off; pid {home}/nginx.pid; error_log {home}/error.log;
events {{}}
http {{
  access_log off; client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home};
  uwsgi_temp_path {home}; scgi_temp_path {home};
  types {{ text/html html; text/javascript js; }}
  server {{
    listen 127.0.0.1:{port};
    root {home}/www;
    location / {{ try_files $uri $uri/ /index.html; add_header Cache-Control no-cache; }}
    location /assets/ {{ try_files $uri =404; add_header Cache-Control "{assets}"; }}
  }}
}}
"""
IMMUTABLE = "public, max-age=31536000, immutable"

# Hashes as Vite makes them, one a release.
HASHES = {"1.0.0": "BvQ3kXy1", "1.1.0": "C7rT9pQ2", "1.2.0": "Dk4LmN83", "1.3.0": "E5xYzW94"}


def make(root: Path, version: str, **more: str) -> Path:
    """A frontend as a build leaves it; the path of the release directory."""
    release = root / "releases" / f"{version}-{HASHES[version].lower()}"
    files = {
        "index.html": f'<script type="module" src="/assets/index-{HASHES[version]}.js"></script>',
        f"assets/index-{HASHES[version]}.js": f"console.log('{version}')",
        "sw.js": f"// {version}",
        "version.json": f'{{"version": "{version}"}}',
        **more,
    }
    for name, content in files.items():
        path = release / "dist" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return release


@dataclass
class Site:
    """A document root that nginx serves."""

    home: Path
    url: str
    run_module: RunModule

    def switch(self, version: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        (path,) = (self.home / "releases").glob(f"{version}-*")
        ready = {"url": self.url, "version": version, "version_url": "/version.json", "interval": 0.01, "timeout": 0.5}
        ready |= options.pop("ready", {})
        return self.call(release=path.name, path=str(path), ready=ready, check=check, **options)

    def call(self, **options: Any) -> dict[str, Any]:
        common = {"name": "shop", "link": str(self.home / "www"), "state_dir": str(self.home / "state")}
        return self.run_module(static_switch.main, **{**common, **options})

    def get(self, path: str = "") -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""

    def serves(self) -> str:
        """The version whose page and files are served, whole."""
        status, page = self.get()
        assert status == 200
        (version,) = [version for version, hash_ in HASHES.items() if hash_ in page]
        assert self.get(f"assets/index-{HASHES[version]}.js") == (200, f"console.log('{version}')")
        return version

    def trees(self) -> list[str]:
        return sorted(os.listdir(self.home / "www.releases"))


@pytest.fixture
def serve(tmp_path: Path, need: Callable[[str], None], run_module: RunModule) -> Iterator[Callable[..., Site]]:
    need("nginx")
    processes: list[subprocess.Popen[bytes]] = []

    def start(assets: str = IMMUTABLE) -> Site:
        (port,) = free_ports(1)
        config = tmp_path / "nginx.conf"
        config.write_text("user root;" * (os.geteuid() == 0) + CONFIG.format(home=tmp_path, port=port, assets=assets))
        process = subprocess.Popen(["nginx", "-c", config, "-e", tmp_path / "error.log"], stderr=subprocess.DEVNULL)
        processes.append(process)
        site = Site(tmp_path, f"http://127.0.0.1:{port}/", run_module)
        deadline = time.monotonic() + 10
        while True:
            try:
                site.get()
            except OSError:
                assert process.poll() is None, (tmp_path / "error.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return site

    yield start
    for process in processes:
        process.terminate()
        process.wait()


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve()


def test_check_do_repeat(site: Site) -> None:
    make(site.home, "1.0.0")
    checked = site.switch("1.0.0", check=True)
    assert (checked["changed"], checked["previous"], checked["current"]) == (True, None, "1.0.0-bvq3kxy1")
    assert not (site.home / "www").exists()
    done = site.switch("1.0.0")
    assert done.keys() == checked.keys()
    assert done["files"] == checked["files"] == {"published": 4, "unchanged": 0, "removed": 0, "bytes": 111}
    assert done["diff"] == checked["diff"]
    assert site.serves() == "1.0.0"
    (instance,) = done["instances"]
    assert (instance["ready"], instance["files"], instance["release"]) == (True, 3, "1.0.0-bvq3kxy1")
    assert done["findings"] == []
    before = site.trees()
    again = site.switch("1.0.0")
    assert again["changed"] is False
    assert again["diff"]["before"] == again["diff"]["after"]
    assert site.trees() == before


@pytest.mark.parametrize(("state", "current"), [("active", "1.1.0-x"), ("staged", "1.0.0-bvq3kxy1")])
def test_check_mode_foretells_a_release_that_is_not_built_yet(site: Site, state: str, current: str) -> None:
    make(site.home, "1.0.0")
    site.switch("1.0.0")
    ready = {"url": site.url, "version": "1.1.0"}
    path = str(site.home / "releases" / "1.1.0-x")
    checked = site.call(release="1.1.0-x", path=path, ready=ready, state=state, check=True)
    assert (checked["changed"], checked["previous"], checked["current"]) == (True, "1.0.0-bvq3kxy1", current)
    assert "does not exist" in site.call(release="1.1.0-x", path=path, ready=ready, state=state)["msg"]


def test_an_open_page_finds_its_files_after_the_switch_and_after_the_rollback(site: Site) -> None:
    make(site.home, "1.0.0", **{"old.html": "old", "images/logo.png": "1"})
    make(site.home, "1.1.0", **{"images/logo.png": "2"})
    site.switch("1.0.0")
    done = site.switch("1.1.0")
    assert (done["previous"], done["current"], done["kept"]) == ("1.0.0-bvq3kxy1", "1.1.0-c7rt9pq2", ["1.0.0-bvq3kxy1"])
    assert done["diff"]["after"]["files"] == [
        "assets/index-C7rT9pQ2.js",
        "images/logo.png",
        "index.html",
        "sw.js",
        "version.json",
    ]
    assert site.serves() == "1.1.0"
    assert site.get("assets/index-BvQ3kXy1.js")[0] == 200
    assert site.get("images/logo.png") == (200, "2")
    assert site.get("old.html")[1] != "old"
    # Not a byte more on the disk than the two releases have.
    assert os.stat(site.home / "www" / "index.html").st_nlink > 1
    back = site.switch("1.0.0")
    assert back["changed"]
    assert site.serves() == "1.0.0"
    assert site.get("assets/index-C7rT9pQ2.js")[0] == 200
    assert site.get("old.html") == (200, "old")


def test_files_of_an_old_version_go_with_its_retention(site: Site) -> None:
    for version in HASHES:
        make(site.home, version)
        done = site.switch(version, keep={"releases": 1, "days": 0})
        # The artifact of an old version may be gone before its files are.
        shutil.rmtree(next((site.home / "releases").glob(f"{version}-*")))
    assert done["kept"] == ["1.2.0-dk4lmn83"]
    assert [one["release"] for one in done["retired"]] == ["1.1.0-c7rt9pq2"]
    assert done["files"]["removed"] == 1
    found = {version: site.get(f"assets/index-{hash_}.js")[0] for version, hash_ in HASHES.items()}
    assert found == {"1.0.0": 404, "1.1.0": 404, "1.2.0": 200, "1.3.0": 200}
    assert len(site.trees()) == 2


@pytest.mark.parametrize(
    ("ready", "said"),
    [
        ({"version": "9.9.9"}, "reports version 1.1.0 instead of 9.9.9"),
        ({"version_url": "/assets/none.json"}, "has no version file"),
        ({"version_url": "/sw.js"}, "that is no JSON"),
        ({"status": [204]}, "answers with HTTP 200"),
        ({"url": "http://127.0.0.1:1/"}, "does not answer: connection refused"),
    ],
)
def test_what_is_not_served_goes_back(site: Site, ready: dict[str, Any], said: str) -> None:
    make(site.home, "1.0.0")
    make(site.home, "1.1.0")
    site.switch("1.0.0")
    before = os.readlink(site.home / "www"), site.trees()
    result = site.switch("1.1.0", ready=ready)
    assert result["msg"].startswith("Cannot publish release 1.1.0-c7rt9pq2: ")
    assert said in result["msg"]
    assert result["msg"].endswith("What served before serves again.")
    assert (result["changed"], result["current"]) == (False, "1.0.0-bvq3kxy1")
    assert result["instances"][0]["ready"] is False
    assert site.serves() == "1.0.0"
    assert (os.readlink(site.home / "www"), site.trees()) == before


def test_a_server_with_another_root_is_found_out(site: Site) -> None:
    make(site.home, "1.0.0")
    make(site.home, "1.1.0")
    site.switch("1.0.0")
    result = site.switch("1.1.0", link=str(site.home / "elsewhere"))
    assert "does not refer to assets/index-C7rT9pQ2.js of 1.1.0-c7rt9pq2" in result["msg"]
    assert "it refers to assets/index-BvQ3kXy1.js instead" in result["msg"]
    assert not os.path.lexists(site.home / "elsewhere")


def test_a_page_without_its_files_is_refused(site: Site) -> None:
    make(site.home, "1.0.0")
    site.switch("1.0.0")
    (make(site.home, "1.1.0") / "dist" / "assets" / "index-C7rT9pQ2.js").unlink()
    assert "index.html loads assets/index-C7rT9pQ2.js" in site.switch("1.1.0")["msg"]
    assert site.serves() == "1.0.0"


def test_a_first_release_that_is_not_served_leaves_nothing(site: Site) -> None:
    make(site.home, "1.0.0")
    assert site.switch("1.0.0", ready={"version": "2"})["failed"]
    assert not os.path.lexists(site.home / "www")
    assert site.trees() == []


def test_a_disk_that_is_full_is_said(site: Site, small_disk: Callable[[Path], Callable[[], None]]) -> None:
    fill = small_disk(site.home / "www.releases")
    make(site.home, "1.0.0")
    make(site.home, "1.1.0", **{"large.txt": "x" * 2**20})
    site.switch("1.0.0")
    before = site.trees()
    result = site.switch("1.1.0")
    assert "No space left on device" in result["msg"]
    assert (result["failed"], site.trees(), site.serves()) == (True, before, "1.0.0")
    fill()
    assert "No space left on device" in site.switch("1.1.0")["msg"]
    assert site.serves() == "1.0.0"


def test_a_file_that_changed_under_its_hashed_name_is_refused(site: Site) -> None:
    make(site.home, "1.0.0")
    site.switch("1.0.0")
    make(site.home, "1.1.0", **{"assets/index-BvQ3kXy1.js": "other"})
    result = site.switch("1.1.0")
    assert "assets/index-BvQ3kXy1.js differs from the file of that name of release 1.0.0-bvq3kxy1" in result["msg"]
    assert site.serves() == "1.0.0"


def test_what_a_killed_run_has_left_is_finished_or_removed(site: Site) -> None:
    make(site.home, "1.0.0")
    make(site.home, "1.1.0")
    site.switch("1.0.0")
    for name in ("1.1.0-x.partial", "1.1.0-c7rt9pq2-000000000000"):
        (site.home / "www.releases" / name / "tree").mkdir(parents=True)
    assert site.switch("1.1.0")["changed"]
    assert site.serves() == "1.1.0"
    assert len(site.trees()) == 2


def test_a_damaged_tree_is_laid_anew(site: Site) -> None:
    make(site.home, "1.0.0")
    site.switch("1.0.0")
    (site.home / "www" / "sw.js").unlink()
    for _time in range(2):
        done = site.switch("1.0.0")
        assert done["changed"]
        assert (done["files"]["published"], done["files"]["unchanged"]) == (1, 3)
        assert site.switch("1.0.0")["changed"] is False
        (site.home / "www" / "sw.js").unlink()


def test_files_that_were_there_before_stay_for_their_browsers(site: Site) -> None:
    by_hand = make(site.home, "1.0.0") / "dist"
    (site.home / "www").symlink_to(by_hand)
    make(site.home, "1.1.0")
    done = site.switch("1.1.0")
    assert (done["previous"], done["kept"]) == ("unknown", ["unknown"])
    assert site.get("assets/index-BvQ3kXy1.js")[0] == 200
    (site.home / "www").unlink()
    (site.home / "www").mkdir()
    assert "exists and is not a symbolic link" in site.switch("1.1.0")["msg"]


def test_staged_files_are_there_before_the_page(site: Site) -> None:
    make(site.home, "1.0.0")
    make(site.home, "1.1.0")
    site.switch("1.0.0")
    (path,) = (site.home / "releases").glob("1.1.0-*")
    options = {"release": path.name, "path": str(path), "state": "staged"}
    checked = site.call(**options, check=True)
    done = site.call(**options)
    assert checked["changed"]
    assert done["changed"]
    assert done["current"] == "1.0.0-bvq3kxy1"
    assert done["files"]["published"] == 1
    assert site.serves() == "1.0.0"
    assert site.get("sw.js")[1] == "// 1.0.0"
    assert site.get("assets/index-C7rT9pQ2.js")[0] == 200
    assert site.call(**options)["changed"] is False
    assert site.switch("1.1.0")["changed"]
    assert site.serves() == "1.1.0"
    # What serves is staged already.
    assert site.call(**options)["changed"] is False


def test_nothing_is_served_and_nothing_is_left(site: Site) -> None:
    make(site.home, "1.0.0")
    site.switch("1.0.0")
    assert site.call(state="stopped", check=True)["changed"]
    assert site.serves() == "1.0.0"
    assert site.call(state="stopped")["previous"] == "1.0.0-bvq3kxy1"
    assert site.get()[0] in (403, 404, 500)
    assert site.call(state="stopped")["changed"] is False
    site.switch("1.0.0")
    assert site.call(state="absent")["changed"]
    assert not (site.home / "www.releases").exists()
    assert site.call(state="absent")["changed"] is False


def test_headers_that_keep_the_wrong_files_are_found(serve: Callable[..., Site]) -> None:
    site = serve("max-age=60")
    make(site.home, "1.0.0")
    done = site.switch("1.0.0")
    (finding,) = done["findings"]
    assert "assets/index-BvQ3kXy1.js" in finding
    assert "60 s, and it could be a year" in finding
    make(site.home, "1.1.0")
    result = site.switch("1.1.0", proof={"caching": "fail"})
    assert "it could be a year" in result["msg"]
    assert site.serves() == "1.0.0"
    assert site.switch("1.1.0", proof={"caching": "ignore"})["findings"] == []


def test_every_edge_has_to_serve_it_in_time(site: Site) -> None:
    make(site.home, "1.0.0")
    edges = {"urls": [site.url, "http://127.0.0.1:1/"], "timeout": 0.1}
    result = site.switch("1.0.0", proof=edges)
    assert "http://127.0.0.1:1/ does not answer: connection refused" in result["msg"]
    assert [instance["ready"] for instance in result["instances"]] == [True, True, False]
    assert not os.path.lexists(site.home / "www")
    assert len(site.switch("1.0.0", proof={"urls": [f"{site.url}index.html"]})["instances"]) == 2


def test_no_request_is_lost(site: Site) -> None:
    """A browser opens the page and then asks for what it refers to, all the while."""
    for version in HASHES:
        make(site.home, version)
    site.switch("1.0.0")
    failed: list[str] = []
    opened = 0
    ended = threading.Event()

    def browse() -> None:
        nonlocal opened
        while not ended.is_set():
            status, page = site.get()
            name = page.partition('src="/')[2].partition('"')[0]
            if status != 200 or site.get(name)[0] != 200:
                failed.append(name or str(status))
            opened += 1

    browser = threading.Thread(target=browse)
    browser.start()
    try:
        for _round in range(3):
            for version in HASHES:
                site.switch(version)
    finally:
        ended.set()
        browser.join()
    assert opened > 20
    assert failed == []
