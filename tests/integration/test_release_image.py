# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_image with a real engine and a real registry, and release_retention with the images it keeps."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import needs
import pytest
import yaml
from sluice_lab.lab import free_ports

from ansible_collections.sluice.release.plugins.modules import release_image, release_retention

if TYPE_CHECKING:
    from tests.integration.conftest import RunModule

ROOT = Path(__file__).parents[2]

CONFIG = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {home}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: test, path: {home}/htpasswd}}}}
"""
PASSWORD = "r3gistry-s3cret"
ACCOUNTS = "keeper:$2y$05$abcdefghijklmnopqrstuu6OqpOlHvlj6/FusCKt4MM6zYkdzMrPq\n"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=120)
    return done.stdout.strip()


@dataclass
class Registry:
    """Debian's registry, which asks for a password."""

    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["docker-registry", "serve", str(self.home / "config.yml")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(f"http://{self.host}/", timeout=5).close()
            except OSError:
                assert self.process.poll() is None
                assert time.monotonic() < deadline, "the registry does not answer"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.process = None


@pytest.fixture(scope="module")
def the_registry(
    tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None], lack: Callable[[str], None]
) -> Iterator[Registry]:
    need("docker-registry")
    try:
        needs.start_docker()
    except (needs.SetupError, needs.UnavailableError) as error:
        lack(str(error))
    home = tmp_path_factory.mktemp("registry")
    (port,) = free_ports(1)
    (home / "config.yml").write_text(CONFIG.format(home=home, port=port))
    (home / "htpasswd").write_text(ACCOUNTS)
    registry = Registry(home, port)
    yield registry
    registry.stop()


@pytest.fixture
def registry(the_registry: Registry) -> Registry:
    if the_registry.process is None:
        the_registry.start()
    return the_registry


@dataclass
class Host:
    """One application on the engine of this machine, under names of its own."""

    home: Path
    registry: Registry
    run_module: RunModule
    name: str = field(default_factory=lambda: f"test-{secrets.token_hex(4)}")

    @property
    def image(self) -> str:
        return f"{self.registry.host}/{self.name}/web"

    def source(self, **files: str) -> dict[str, str]:
        path = self.home / "source"
        shutil.rmtree(path, ignore_errors=True)
        wanted = {"Dockerfile": 'FROM scratch\nARG WHAT\nCOPY app /app\nCMD ["/app"]\n', "app": self.name, **files}
        for name, content in wanted.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(content)
        return {"type": "directory", "path": str(path)}

    def bring(self, version: str = "1.0.0", *, check: bool = False, **options: Any) -> dict[str, Any]:
        account = {"host": self.registry.host, "username": "keeper", "password": PASSWORD}
        built = [{"service": "web", "image": f"{self.image}:{{version}}", "build": {}, "push": True}]
        common = {
            "application": self.name,
            "version": version,
            "root": str(self.home / "root"),
            "state_dir": str(self.home / "state"),
            "images": built,
            "registries": [account],
        }
        result = self.run_module(release_image.main, check=check, **{**common, **options})
        assert PASSWORD not in json.dumps({**result, "invocation": None})
        return result

    def names(self) -> list[str]:
        """Every name that the engine has of this application, by tag or by digest."""
        lines = docker(
            "images", "--digests", "--format", "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}"
        ).split()
        return sorted({line for line in lines if self.name in line and "<none>" not in line})

    def releases(self) -> list[str]:
        path = self.home / "root" / "releases"
        return sorted(one.name for one in path.iterdir()) if path.is_dir() else []

    def clear(self) -> None:
        ids = docker("ps", "--all", "--quiet", "--filter", f"label={self.name}").split()
        for arguments in (["rm", "--force", *ids], ["rmi", "--force", *self.names()]):
            if len(arguments) > 2:
                docker(*arguments)


@pytest.fixture
def host(tmp_path: Path, registry: Registry, run_module: RunModule) -> Iterator[Host]:
    host = Host(tmp_path, registry, run_module)
    yield host
    host.clear()


def test_check_do_repeat(host: Host) -> None:
    source = host.source(**{"compose.yaml": "services: {}\n", "k8s/web.yaml": "kind: Deployment\n"})
    options: dict[str, Any] = {
        "source": source,
        "include": ["compose.yaml", "k8s"],
        "smoke": ["docker", "image", "inspect", "{image}"],
    }
    checked = host.bring(check=True, **options)
    assert (checked["changed"], checked["images"]) == (True, {})
    assert (host.names(), host.releases()) == ([], [])
    done = host.bring(**options)
    assert done.keys() == checked.keys()
    artifact, (image,) = done["artifact"], done["images"].values()
    kept = f"sluice/{host.name}/web:{artifact['id']}"
    assert image["kept"] == kept
    assert image["image"] == f"{host.image}@{image['digest']}"
    assert json.loads(docker("image", "inspect", kept))[0]["RepoDigests"] == [image["image"]]
    path = Path(artifact["path"])
    assert json.loads((path / "images.json").read_text()) == done["images"]
    assert json.loads((path / ".sluice-artifact.json").read_text())["checksum"] == artifact["checksum"]
    assert (path / "k8s" / "web.yaml").is_file()
    assert done["pinned"] == [{"service": "web", "image": image["image"]}]
    # Neither built nor asked for again.
    host.registry.stop()
    again = host.bring(**options)
    assert (again["changed"], again["artifact"]) == (False, artifact)
    assert host.releases() == [artifact["id"]]


def test_another_host_gets_the_same_image_by_its_digest(host: Host) -> None:
    first = host.bring(source=host.source())
    docker("rmi", "--force", *host.names())
    there: dict[str, Any] = {"root": str(host.home / "other"), "state_dir": str(host.home / "other-state")}
    checked = host.bring(images=first["pinned"], check=True, **there)
    second = host.bring(images=first["pinned"], **there)
    assert checked["artifact"] == second["artifact"]
    assert second["artifact"]["checksum"] == first["artifact"]["checksum"]
    assert second["artifact"]["id"] == first["artifact"]["id"]
    assert second["images"]["web"]["digest"] == first["images"]["web"]["digest"]
    assert host.bring(images=first["pinned"], **there)["changed"] is False
    # The first host asks nobody who built it.
    docker("rmi", "--force", *host.names())
    repaired = host.bring(source=host.source())
    assert (repaired["changed"], repaired["artifact"]["id"]) == (True, first["artifact"]["id"])


def test_a_tag_that_moves_is_refused_or_followed(host: Host) -> None:
    latest = [{"service": "web", "image": f"{host.image}:latest"}]
    refused = host.bring(images=latest)
    assert refused["msg"].startswith(f"Cannot release {host.image}:latest: such a tag is moved")
    digests = []
    for content in ("1", "2"):
        built = [{"service": "web", "image": f"{host.image}:latest", "build": {}, "push": True}]
        made = host.bring(images=built, source=host.source(app=content), mutable_tags="allow")
        assert made["changed"]
        digests.append(made["images"]["web"]["digest"])
        pulled = host.bring(images=latest, mutable_tags="allow", root=str(host.home / "other"))
        assert pulled["changed"]
        assert pulled["images"]["web"]["digest"] == digests[-1]
        assert host.bring(images=latest, mutable_tags="allow", root=str(host.home / "other"))["changed"] is False
    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scan": ["sh", "-c", "echo CVE-2026-1 in {image}; exit 1"]}, "Cannot scan the image"),
        ({"smoke": ["false"]}, "false exited with 1: it said nothing"),
        ({"files": {"Dockerfile": "FROM scratch\nCOPY missing /app\n"}}, "Cannot build the image"),
        ({"files": {"Dockerfile": "FROM {host}/nobody/base:1\n"}}, "Cannot build the image"),
        ({"build": {"dockerfile": "Other"}}, "the source has no Other"),
        ({"build": {"context": "../.."}}, "that is not below it"),
        ({"build": {"command": ["sh", "-c", "echo no {image}; exit 3"]}}, "sh exited with 3: no "),
        ({"include": ["compose.yaml"]}, "the source has no compose.yaml"),
        ({"registries": []}, "does not accept the credentials"),
        ({"image": "127.0.0.1:1/nobody/web:1.0.0"}, "the registry 127.0.0.1:1 does not answer"),
        ({"docker_host": "tcp://127.0.0.1:1"}, "Cannot ask Docker at tcp://127.0.0.1:1: nothing listens there"),
    ],
)
def test_a_failure_leaves_nothing(host: Host, options: dict[str, Any], said: str) -> None:
    files = {name: text.replace("{host}", host.registry.host) for name, text in options.pop("files", {}).items()}
    image = {"service": "web", "image": options.pop("image", f"{host.image}:{{version}}")}
    image |= {"build": options.pop("build", {}), "push": True}
    result = host.bring(source=host.source(**files), images=[image], **options)
    assert result["failed"]
    assert said in result["msg"]
    assert (host.names(), host.releases()) == ([], [])
    assert docker("images", "--quiet", "127.0.0.1:1/nobody/web") == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("{image}:9.9.9", "does not have it"),
        ("{image}:1.0.0@sha256:" + "0" * 64, "does not have it"),
        ("{image}@sha256:12", "its digest is not sha256: and 64 digits"),
        ("Not An Image", "that is no name of an image"),
    ],
)
def test_an_image_that_is_not_there_is_told(host: Host, name: str, said: str) -> None:
    host.bring(source=host.source())
    before = host.names(), host.releases()
    result = host.bring("2.0.0", images=[{"service": "web", "image": name.format(image=host.image)}])
    assert said in result["msg"]
    assert (host.names(), host.releases()) == before


def test_an_image_of_this_host_needs_no_registry(host: Host) -> None:
    host.registry.stop()
    local = [{"service": "web", "image": f"{host.name}:{{version}}", "build": {"arguments": {"WHAT": 1}}}]
    done = host.bring(images=local, source=host.source())
    image = done["images"]["web"]
    assert image["digest"] == image["id"]
    assert image["image"] == image["kept"]
    assert host.bring(images=local, source=host.source())["changed"] is False
    pulled = [{"service": "web", "image": f"{host.name}:1.0.0"}]
    assert host.bring(images=pulled, root=str(host.home / "other"))["artifact"]["id"] == done["artifact"]["id"]


def test_what_a_killed_run_has_left_is_made_anew(host: Host) -> None:
    done = host.bring(source=host.source())
    (Path(done["artifact"]["path"]) / ".sluice-artifact.json").unlink()
    again = host.bring(source=host.source())
    assert (again["changed"], again["artifact"]) == (True, done["artifact"])


def test_images_go_with_the_releases_that_retention_lets_go(host: Host) -> None:
    made = [host.bring(f"{number}.0.0", source=host.source(app=str(number))) for number in (1, 2)]
    first, second = (one["artifact"]["id"] for one in made)
    ids = [docker("image", "inspect", "--format", "{{.Id}}", one["images"]["web"]["kept"]) for one in made]
    docker("create", "--label", host.name, made[1]["images"]["web"]["kept"])
    options: dict[str, Any] = {"root": str(host.home / "root"), "state_dir": str(host.home / "state"), "keep": 1}
    checked = host.run_module(release_retention.main, check=True, **options)
    assert [one["name"] for one in checked["removed"]] == [first, second]
    done = host.run_module(release_retention.main, **options)
    assert [one["name"] for one in done["removed"]] == [first]
    (kept,) = [one for one in done["kept"] if one["name"] == second]
    assert "uses its image" in cast("str", kept["why"])
    assert docker("images", "--quiet", "--no-trunc").split().count(ids[0]) == 0
    assert ids[1] in docker("images", "--quiet", "--no-trunc").split()
    assert host.releases() == [second]
    # Whole: the switch looks for it by its digest.
    assert made[1]["images"]["web"]["image"] in host.names()


def test_role_artifact_builds_once_for_all_hosts(host: Host, tmp_path: Path) -> None:
    source = host.source(**{"compose.yaml": "services: {}\n"})
    hosts = {
        name: {"sluice_root": str(tmp_path / name), "sluice_state_dir": str(tmp_path / f"{name}-state")}
        for name in "ab"
    }
    image = {"service": "web", "image": f"{host.image}:{{version}}", "build": {}, "push": True}
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "sluice_application": host.name,
        "sluice_env": {"NODE_ENV": "production"},
        "artifact_source": source,
        "artifact_images": [image],
        "artifact_include": ["compose.yaml"],
        "artifact_registries": [{"host": host.registry.host, "username": "keeper", "password": PASSWORD}],
        "artifact_smoke": ["sh", "-c", f"echo {{service}} >> {tmp_path}/tried"],
    }
    plan = {
        "sluice_plan": {"release_id": "r", "version": "1.0.0"},
        "sluice_journal": {"current": None},
        "cacheable": True,
    }
    tasks: list[dict[str, Any]] = [
        {"ansible.builtin.set_fact": plan},
        {"ansible.builtin.include_role": {"name": "sluice.release.artifact"}},
        {"sluice.release.release_barrier": {"stage": "switch"}},
    ]
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": variables}}))
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    (tmp_path / "ansible.cfg").touch()
    own = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    ours = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "hosts.yml", "play.yml", "-vvv"],
        cwd=tmp_path,
        env={**own, **ours, "ANSIBLE_ASYNC_DIR": str(tmp_path / "async")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    releases = [next((tmp_path / name / "releases").iterdir()) for name in "ab"]
    assert releases[0].name == releases[1].name
    listed = [json.loads((release / "images.json").read_text()) for release in releases]
    assert listed[0]["web"]["digest"] == listed[1]["web"]["digest"] != listed[0]["web"]["id"]
    assert (releases[1] / "compose.yaml").is_file()
    assert (tmp_path / "tried").read_text().split() == ["web"]
