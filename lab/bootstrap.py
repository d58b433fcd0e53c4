# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the lab's command line in the project's virtual environment, which is made or brought up to date first.

Needs Python 3.11 or newer with its venv module, and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
VENV = PROJECT / ".venv"
REQUIREMENTS = PROJECT / "requirements" / "lab.txt"
# Holds the digest of the requirements that were installed last.
MARKER = VENV / ".lab-requirements"
# These need the standard library only, so that a lab whose virtual environment is gone can still be stopped.
WITHOUT_PACKAGES = ("down", "clean", "status")


def fail(message: str) -> None:
    """End with one line on standard error."""
    sys.exit(message)


def ensure_venv() -> Path:
    """Return the interpreter of a virtual environment in which exactly the locked packages are installed."""
    python = VENV / "bin" / "python"
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what a too old Python meets first
        version = sys.version.split()[0]
        fail(f"Cannot make the lab: Python {version} is too old. Run `make demo PYTHON=<python3.11 or newer>`.")
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if python.exists() and MARKER.exists() and MARKER.read_text() == wanted:
        return python
    if not python.exists():
        print("Making the virtual environment .venv", flush=True)
        make = [sys.executable, "-m", "venv", str(VENV)]
        if subprocess.run(make, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            shutil.rmtree(VENV, ignore_errors=True)
            fail(f"Cannot make .venv: {sys.executable} has no venv or ensurepip. Debian has them in python3-venv.")
    print("Installing requirements/lab.txt", flush=True)
    install = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(REQUIREMENTS)]
    if subprocess.run([str(python), "-m", "pip", *install], check=False).returncode != 0:
        fail("Cannot install requirements/lab.txt: pip failed, see above. Check the network and run the command again.")
    MARKER.write_text(wanted)
    return python


def main() -> None:
    """Replace this process with the lab's command line."""
    needs_packages = not sys.argv[1:2] or sys.argv[1] not in WITHOUT_PACKAGES
    python = ensure_venv() if needs_packages else Path(sys.executable)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "lab")}
    os.execve(python, [str(python), "-m", "sluice_lab", *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
