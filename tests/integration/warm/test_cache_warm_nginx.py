# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cache_warm against nginx with a cache in front of an application, and a shared proxy that it must not go through."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sluice_lab.lab import free_ports
from warm_site import NAME, Instance, Warm, certificate

PATIENCE = 30.0

# Only the public name leads to the cache; a visitor of another name, or of none, is sent away.
CONFIG = """
{user}
worker_processes 1; daemon off; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/f;
  uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
  proxy_cache_path {root}/cache keys_zone=pages:1m;
  ssl_certificate {root}/{name}.pem; ssl_certificate_key {root}/{name}.pem;
  log_format plain '$host $request_uri';
  server {{ listen 127.0.0.1:{own} ssl default_server; ssl_reject_handshake on; }}
  server {{
    listen 127.0.0.1:{own} ssl; server_name {name}; access_log {root}/own.log plain;
    location / {{
      proxy_pass {upstream}; proxy_cache pages; proxy_cache_valid 200 10m; proxy_set_header Host $host;
      add_header X-Cache-Status $upstream_cache_status;
    }}
  }}
  server {{
    listen 127.0.0.1:{shared} ssl; access_log {root}/shared.log plain;
    location / {{ proxy_pass https://127.0.0.1:{own}; }}
  }}
}}
"""


@dataclass(frozen=True)
class Site:
    root: Path
    own: int
    """Port of the instance."""
    shared: int
    """Port of the shared proxy: the one that the public URL leads to."""

    def log(self, name: str, lines: int = 0) -> list[str]:
        """What a log says, once it has as many lines: nginx writes one after the answer."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = (self.root / f"{name}.log").read_text().splitlines()
            if len(found) >= lines:
                return found
            assert time.monotonic() < deadline, f"{name}.log has {len(found)} of {lines} lines"
            time.sleep(0.01)


@pytest.fixture
def site(instance: Instance, need: Callable[[str], None]) -> Iterator[Site]:
    need("nginx")
    # Open to the workers of nginx.
    root = Path(tempfile.mkdtemp(prefix="warm-"))
    root.chmod(0o755)
    own, shared = free_ports(2)
    certificate(root)
    user = "user root;" if os.geteuid() == 0 else ""
    values = {"root": root, "own": own, "shared": shared, "name": NAME, "upstream": instance.url, "user": user}
    (root / "nginx.conf").write_text(CONFIG.format(**values))
    with (root / "output").open("wb") as out:
        process = subprocess.Popen(["nginx", "-c", root / "nginx.conf"], stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", own), 1).close()
                break
            except OSError:
                assert process.poll() is None, (root / "output").read_text()
                assert time.monotonic() < deadline, "nginx does not listen"
                time.sleep(0.02)
        yield Site(root, own, shared)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE)
        shutil.rmtree(root, ignore_errors=True)


def test_the_cache_of_the_instance_is_warm_and_the_shared_proxy_saw_nothing(
    warm: Warm, instance: Instance, site: Site
) -> None:
    paths = [f"/deals/{number}" for number in range(40)]
    options = {
        "url": f"https://{NAME}:{site.shared}",
        "address": f"127.0.0.1:{site.own}",
        "ca_file": str(site.root / f"{NAME}.pem"),
        "hit_header": "X-Cache-Status",
        "until": {"hit_pct": 100},
        "second_pass": 40,
    }
    result = warm(*paths, **options)
    assert (result["stopped"], result["warm"], result["failed_requests"]) == ("target", True, 0)
    assert (result["first_pass"]["hit_pct"], result["second_pass"]["hit_pct"]) == (0.0, 100.0)
    assert sorted(instance.paths) == sorted(paths), "the application was asked once for each"
    assert {headers["Host"] for _path, headers in instance.asked} == {NAME}
    assert len(site.log("own", lines=80)) == 80
    assert set(site.log("own")) == {f"{NAME} {path}" for path in paths}
    assert site.log("shared") == []

    again = warm(*paths, **options)
    assert again["first_pass"]["hit_pct"] == 100.0
    assert len(instance.asked) == 40

    # Its log would have shown it.
    through = {**options, "address": f"127.0.0.1:{site.shared}", "policy": "best_effort"}
    warm(*paths[:2], **through)
    assert site.log("shared", lines=2)
