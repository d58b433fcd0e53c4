# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role backup as ansible-playbook runs it: encrypted, proven, copied to another directory and to a real S3 server."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import needs
import pytest
import yaml

from ansible_collections.sluice.release.plugins.module_utils.report._database import Found, backup_of

if TYPE_CHECKING:
    from tests.integration.postgres.conftest import Shop

ROOT = Path(__file__).parents[3]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")

# moto's S3 server, with a disk that changes a bit of every large object below corrupt/.
S3_SERVER = """
import io, sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

application = DomainDispatcherApplication(create_backend_app)

def server(environ, start_response):
    if environ["REQUEST_METHOD"] == "PUT" and "/corrupt/" in environ["PATH_INFO"]:
        body = bytearray(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        if len(body) > 10000:
            body[len(body) // 2] ^= 1
        environ["wsgi.input"] = io.BytesIO(body)
        # Or the client, given its checksum back, would find it; not every server keeps that.
        for name in [name for name in environ if "CHECKSUM" in name]:
            del environ[name]
    return application(environ, start_response)

run_simple("127.0.0.1", int(sys.argv[1]), server, threaded=True)
"""

PLAN = {"ansible.builtin.set_fact": {"sluice_plan": {"release_id": "20261122T013000Z-1.1.0"}, "cacheable": True}}


@pytest.fixture(scope="module")
def s3_python() -> Path:
    try:
        return needs.make_s3_venv()
    except needs.SetupError as error:
        if needs.IN_CI:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def s3(s3_python: Path) -> Iterator[str]:
    """URL of a bucket in an S3 server of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([s3_python, "-c", S3_SERVER, str(port)], stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/backups"
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=5).close()
                break
            except urllib.error.URLError:
                assert process.poll() is None
                assert time.monotonic() < deadline, "the S3 server does not answer"
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def fetch(url: str) -> bytes:
    # The server wants to see that somebody has signed it, and does not look closer.
    signed = "AWS4-HMAC-SHA256 Credential=keeper/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": signed}), timeout=10) as response:
        content: bytes = response.read()
        return content


def objects(bucket: str) -> dict[str, bytes]:
    keys = re.findall(r"<Key>([^<]*)</Key>", fetch(f"{bucket}?list-type=2").decode())
    return {key: fetch(f"{bucket}/{key}") for key in keys}


def play(path: Path, python: Path, *tasks: dict[str, Any], **variables: Any) -> tuple[int, str]:
    inventory = {"all": {"hosts": {"db1": {"ansible_connection": "local", "ansible_python_interpreter": str(python)}}}}
    (path / "hosts.yml").write_text(yaml.safe_dump(inventory))
    content = [{"hosts": "all", "gather_facts": False, "vars": variables, "tasks": list(tasks)}]
    (path / "play.yml").write_text(yaml.safe_dump(content, sort_keys=False))
    (path / "ansible.cfg").touch()
    own = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "AWS_"))}
    ours = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_ASYNC_DIR": str(path / "async"),
        "ANSIBLE_CONFIG": str(path / "ansible.cfg"),
        "ANSIBLE_INJECT_FACT_VARS": "false",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        [PLAYBOOK, "-i", "hosts.yml", "play.yml"],
        cwd=path,
        env={**own, **ours},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_an_encrypted_backup_is_copied_to_two_places(
    shop: Shop, s3: str, s3_python: Path, tmp_path: Path, need: Callable[[str], None]
) -> None:
    need("age")
    key = tmp_path / "key"
    made = subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True, text=True)
    (recipient,) = re.findall(r"age1\w+", made.stderr)
    copies = tmp_path / "copies"
    s3_options = {
        "backup_s3_bucket": "backups",
        "backup_s3_region": "us-east-1",
        "backup_s3_endpoint_url": s3.rpartition("/")[0],
        "backup_s3_access_key": "keeper",
        "backup_s3_secret_key": "s3-s3cret",
    }
    options = {
        **s3_options,
        "backup_path": str(shop.path),
        "backup_database_url": shop.url,
        "backup_bin": shop.server.bin_path,
        "backup_free_mb": 1,
        "backup_verify": "archive",
        "backup_encryption": "age",
        "backup_recipients": [recipient],
        "backup_identity": str(key),
        "backup_copy_to": str(copies),
        "backup_s3_prefix": "shop",
    }
    role = {"ansible.builtin.include_role": {"name": "sluice.release.backup"}}
    kept = {"content": "{{ backup_evidence }}", "dest": str(tmp_path / "evidence.json"), "mode": "0600"}
    rc, output = play(tmp_path, s3_python, PLAN, role, {"ansible.builtin.copy": kept}, **options)
    assert rc == 0, output
    assert shop.server.password not in output
    assert "s3-s3cret" not in output

    (backup_id,) = shop.what_looks_like_a_backup()
    manifest = shop.manifest(backup_id)
    assert manifest["encryption"] == {"tool": "age", "recipients": [recipient]}
    there = objects(s3)
    assert set(there) == {f"shop/{backup_id}/{name}" for name in (*manifest["files"], "manifest.json")}
    for name, file in manifest["files"].items():
        assert hashlib.sha256(there[f"shop/{backup_id}/{name}"]).hexdigest() == file["sha256"]
    assert json.loads(there[f"shop/{backup_id}/manifest.json"]) == manifest
    assert shop.verify(path=str(copies), identity=str(key))["verified"] is True
    assert list(shop.path.glob(".*")) == []

    evidence = json.loads((tmp_path / "evidence.json").read_text())
    told = backup_of([Found("db1", "backup", evidence)])
    assert told is not None
    size = sum(file["bytes"] for file in manifest["files"].values())
    assert [(copy["way"], copy["to"], copy["verified"], copy["bytes"]) for copy in told["copies"]] == [
        ("directory", str(copies / backup_id), True, size),
        ("s3", f"s3://backups/shop/{backup_id}", True, size),
    ]
    assert all(copy["seconds"] > 0 and copy["files"] == len(manifest["files"]) for copy in told["copies"])

    # The same set on a disk that loses a bit: no manifest, no backup.
    known = {"__backup_made": {"backup": {"id": backup_id, "path": str(shop.path / backup_id)}}}
    again = {"name": "sluice.release.backup", "tasks_from": "s3.yml"}
    task = {"ansible.builtin.include_role": again, "vars": known}
    rc, output = play(tmp_path, s3_python, PLAN, task, **{**options, "backup_s3_prefix": "corrupt"})
    assert rc != 0
    assert re.search(rf"Cannot trust backup {backup_id}: .*database\.dump\.age", output), output
    assert f"corrupt/{backup_id}/manifest.json" not in objects(s3)
    assert list(shop.path.glob(".*")) == []
