# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests need before they can run: the virtual environment, the built collection, a Docker engine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements" / "dev.txt"
S3_VENV = ROOT / "build" / "s3"
S3_REQUIREMENTS = ROOT / "requirements" / "s3.txt"
CHECKOUT = ROOT / "build" / "checkout"
COLLECTIONS = ROOT / "build" / "collections"
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")

# Never part of a checkout, whatever .gitignore says; only asked when there is no git.
IGNORED = {
    ".git",
    ".lab",
    ".venv",
    "build",
    ".ansible",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "node_modules",
}
NOW, NEXT, KEYRING = "bookworm", "trixie", "/usr/share/keyrings/debian-archive-keyring.gpg"
DOCKER_PACKAGES = ("docker.io", "debootstrap", "iproute2", "iptables")


class SetupError(Exception):
    """Something that the tests need cannot be had."""


class UnavailableError(Exception):
    """Something that the tests need cannot be had, and it is no fault of the project: a developer's machine."""


def call(*command: str, timeout: float = 600.0, cwd: Path = ROOT) -> str:
    """Standard output of a command; SetupError with the end of what it said when it fails."""
    try:
        done = subprocess.run(
            command, cwd=cwd, timeout=timeout, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"Cannot run {command[0]}: {error}.") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise SetupError(f"Cannot run {' '.join(command)}: exit status {done.returncode}.\n{said}")
    return done.stdout


def make_venv() -> None:
    """Make .venv from the locked requirements when it is missing or the lock changed."""
    _make_venv(VENV, REQUIREMENTS)


def make_s3_venv() -> Path:
    """Make the environment of a host that copies to S3, with an S3 for it; path of its interpreter."""
    # botocore is large, and little of it is imported.
    _make_venv(S3_VENV, S3_REQUIREMENTS, "--no-compile")
    return S3_VENV / "bin" / "python"


def _make_venv(venv: Path, requirements: Path, *more: str) -> None:
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = venv / ".requirements.sha256"
    if stamp.exists() and stamp.read_text().strip() == wanted:
        return
    name = venv.relative_to(ROOT)
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:2]))
        raise SetupError(
            f"Cannot make {name}: this is Python {found}. The lock is made for 3.11: run make PYTHON=python3.11."
        )
    print(f"Installing requirements/{requirements.name} into {name} ...", flush=True)
    if not (venv / "bin" / "pip").exists():
        call(sys.executable, "-m", "venv", str(venv))
    install = ["install", "--quiet", "--require-hashes", *more, "-r", str(requirements)]
    call(str(venv / "bin" / "pip"), *install, timeout=1800)
    stamp.write_text(f"{wanted}\n")


def project_files() -> list[str]:
    """Paths of the project's files, tracked or new, without what .gitignore names."""
    try:
        listed = call("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        # A file that was deleted is listed until the deletion is committed.
        return sorted({name for name in listed.split("\0") if name and os.path.lexists(ROOT / name)})
    except SetupError:
        found: list[str] = []
        for folder, names, files in os.walk(ROOT):
            names[:] = [name for name in names if name not in IGNORED]
            # os.walk counts a link to a directory among the directories.
            links = [name for name in names if (Path(folder) / name).is_symlink()]
            found += [str((Path(folder) / name).relative_to(ROOT)) for name in files + links]
        return sorted(found)


def copy_checkout(target: Path = CHECKOUT) -> Path:
    """A clean copy of the project, as a fresh clone would be: what it lacks here, a user lacks too."""
    shutil.rmtree(target, ignore_errors=True)
    for name in project_files():
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, destination, follow_symlinks=False)
    return target


def build_artifact(target: Path, source: Path = CHECKOUT) -> Path:
    """Build the collection from a clean copy, made at source; path of the tarball in the target directory."""
    copy_checkout(source)
    target.mkdir(parents=True, exist_ok=True)
    galaxy = str(VENV / "bin" / "ansible-galaxy")
    call(galaxy, "collection", "build", "--force", "--output-path", str(target), cwd=source)
    return next(target.glob("sluice-release-*.tar.gz"))


def install_collection(artifact: Path, target: Path) -> None:
    """Install an artifact into a directory of collections."""
    galaxy = str(VENV / "bin" / "ansible-galaxy")
    call(galaxy, "collection", "install", "--offline", "--no-deps", "--force", "-p", str(target), str(artifact))


def install_artifact() -> None:
    """Build the collection and install the artifact into build/collections, as ansible-test wants it."""
    dist = ROOT / "build" / "dist"
    for directory in (COLLECTIONS, dist):
        shutil.rmtree(directory, ignore_errors=True)
    install_collection(build_artifact(dist), COLLECTIONS)
    installed = COLLECTIONS / "ansible_collections" / "sluice" / "release"
    shutil.copytree(ROOT / "tests" / "sanity", installed / "tests" / "sanity")
    if shutil.which("git"):
        # A repository of its own: the files of a directory that the project's ignores would count as none.
        call("git", "init", "--quiet", cwd=installed)


def provide_get_pip() -> None:
    """Lay a stand-in for ansible-test's get-pip where it looks, if it could not download it.

    ansible-test fetches the script from a server of its own, which is not reachable everywhere PyPI is. The script is
    to install one version of pip into a fresh virtual environment; ensurepip and PyPI do the same.
    """
    site = VENV / "lib" / "python3.11" / "site-packages"
    source = (site / "ansible_test" / "_internal" / "python_requirements.py").read_text()
    version = re.search(r"\bpip='([\d.]+)'", source)
    if version is None:
        return
    cached = Path("~/.ansible/test/cache").expanduser() / f"get_pip_{version[1].replace('.', '_')}.py"
    if cached.exists():
        return
    url = f"https://ci-files.testing.ansible.com/ansible-test/get-pip-{version[1]}.py"
    try:
        with urllib.request.urlopen(url, timeout=10):
            return
    except (urllib.error.URLError, OSError) as error:
        print(f"Using a stand-in for {url}: {error}", flush=True)
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.write_text(
        "import subprocess, sys\n"
        "wanted = [word for word in sys.argv[1:] if word not in ('--no-setuptools', '--no-wheel')]\n"
        "subprocess.run([sys.executable, '-m', 'ensurepip'], check=True, stdout=subprocess.DEVNULL)\n"
        "sys.exit(subprocess.run([sys.executable, '-m', 'pip', 'install', *wanted]).returncode)\n"
    )


def _answers(*command: str) -> bool:
    try:
        call(*command, timeout=30)
    except SetupError:
        return False
    return True


def compose_plugin() -> list[str] | None:
    """The command of Compose version 2, as root fetched from the next Debian where this machine has none; else None."""
    if _answers("docker", "compose", "version"):
        return ["docker", "compose"]
    home = ROOT / "build" / "compose"
    program = home / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-compose"
    if not program.exists() and os.geteuid() == 0 and shutil.which("apt-get"):
        with contextlib.suppress(SetupError, OSError):
            _fetch_next_debian("docker-compose", home)
    return [str(program)] if program.exists() and _answers(str(program), "version") else None


def _fetch_next_debian(package: str, home: Path) -> None:
    """Unpack a package of Debian 13 into a directory. It comes from where apt of this machine gets its own."""
    listed = call("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages")
    sites = [words[0] for words in map(str.split, listed.splitlines()) if words[1:] == [NOW]]
    if not sites:
        raise SetupError(f"Cannot fetch {package}: apt of this machine knows no Debian {NOW}.")
    for name in ("lists/partial", "cache/archives/partial"):
        (home / name).mkdir(parents=True, exist_ok=True)
    (home / "source.list").write_text(f"deb [signed-by={KEYRING}] {sites[0]} {NEXT} main\n")
    settings = {
        "Dir::Etc::SourceList": home / "source.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": home / "lists",
        "Dir::Cache": home / "cache",
        "APT::Sandbox::User": "root",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    call("apt-get", *options, "update", cwd=home)
    call("apt-get", *options, "download", package, cwd=home)
    archive = next(home.glob(f"{package}_*.deb"))
    call("dpkg", "-x", str(archive), str(home))
    for leftover in ("lists", "cache"):
        shutil.rmtree(home / leftover)
    archive.unlink()


def docker_answers() -> bool:
    return _answers("docker", "info")


def start_docker() -> None:
    """See to a running Docker engine: as root it is installed and started. In CI it has to be there."""
    if docker_answers():
        return
    failure = UnavailableError if not IN_CI else SetupError
    if os.geteuid() != 0:
        raise failure("Cannot start Docker: that takes root. Start the engine, or run the tests as root.")
    if not shutil.which("dockerd"):
        if not shutil.which("apt-get"):
            raise failure("Cannot install Docker: apt-get is missing. Install a Docker engine.")
        call("apt-get", "update", timeout=300)
        call(
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
            "-y",
            "--no-install-recommends",
            *DOCKER_PACKAGES,
        )
        if docker_answers():
            return
    log = ROOT / "build" / "dockerd.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("w") as output:
        # It outlives the tests: the next run finds image and engine.
        engine = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and engine.poll() is None:
        if docker_answers():
            return
        time.sleep(0.5)
    said = "\n".join(log.read_text().splitlines()[-10:])
    raise failure(f"Cannot start Docker: dockerd did not answer within 60 s. Its last words:\n{said}")
