# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kubernetes for the tests: KUBECONFIG, or what SLUICE_KUBERNETES brings up."""

from __future__ import annotations

import fcntl
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from k8s_site import ROOT, Site

_numbers = itertools.count()

# What the images do that are built for these tests; server.js knows the words.
IMAGES = (
    "1.0.0",
    "1.1.0",
    "1.2.0=never-ready",
    "1.3.0=crash",
    "1.4.0=crash-after-ready",
    "1.5.0=wrong-version",
    "1.7.0=hang",
)


@pytest.fixture(scope="session")
def kubeconfig(
    container_app: Callable[..., None], lack: Callable[[str], None], need: Callable[[str], None]
) -> Iterator[str]:
    """A cluster that can run images of the local engine, left as it was found."""
    given, tool = os.environ.get("KUBECONFIG"), os.environ.get("SLUICE_KUBERNETES")
    if not given and not tool:
        lack("no Kubernetes: neither KUBECONFIG nor SLUICE_KUBERNETES is set")
    container_app(*IMAGES)
    if given:
        need("kubectl")
        yield given
        return
    assert tool
    lock = ROOT / "build" / "kubernetes.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        # Who made it first may still be at it; then this does nothing.
        fcntl.flock(file, fcntl.LOCK_EX)
        subprocess.run([tool, "build"], check=True, stdout=subprocess.DEVNULL, timeout=1800)
    ran = subprocess.run([tool, "status"], capture_output=True, check=False).returncode == 0
    done = subprocess.run([tool, "up"], check=True, capture_output=True, text=True, timeout=180)
    yield done.stdout.strip().splitlines()[-1]
    if not ran:
        subprocess.run([tool, "down"], check=False, capture_output=True, timeout=120)


@pytest.fixture
def site(tmp_path: Path, kubeconfig: str) -> Iterator[Site]:
    """An application that does not run yet, in a namespace of its own."""
    namespace = f"sluice-{os.getpid()}-{next(_numbers)}"
    site = Site(tmp_path, kubeconfig, namespace)
    site.kubectl("create", "namespace", namespace)
    site.config()
    yield site
    site.kubectl("delete", "namespace", namespace, "--wait=false")
