#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_retention
short_description: Remove releases and config versions that nobody will go back to
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Removes directories below C(<root>/releases) and C(<root>/config), as the journal of the application decides.
  - Keeps what serves, the last known good release, the good one before it, what an open release names, and the newest
    good ones. A failed release never counts, so that a row of failures cannot push a good one out.
  - Never goes by a file's time. Also keeps what the link C(current) points at and what a process runs in, whatever the
    journal says.
  - Removes what a killed build has left, unless a release is under way that may be building it.
  - With a release that M(sluice.release.release_image) has made, the names go under which the host keeps its images. It
    stays while a container uses one of them and nothing else names that image.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
options:
  root:
    description: The application's directory.
    type: path
    required: true
  state_dir:
    description: State directory of the application, with its journal.
    type: path
    required: true
  keep:
    description: How many good releases stay, the current one among them. At least one.
    type: int
    default: 5
seealso:
  - module: sluice.release.release_artifact
  - module: sluice.release.release_config
  - module: sluice.release.release_image
"""

EXAMPLES = r"""
- name: Keep what a rollback can need
  sluice.release.release_retention:
    root: /srv/dealradarus
    state_dir: /var/lib/sluice/dealradarus
    keep: 5
"""

RETURN = r"""
removed:
  description: What was removed; in check mode what would be.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(release) or V(config).
      type: str
      sample: release
    name:
      description: Name of the directory.
      type: str
      sample: 1.0.0-8c1d77aa02f4
    why:
      description: Why it could go.
      type: str
      sample: older than the last 5 that were good
kept:
  description: What stays, with the same keys.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: release
      name: 1.1.0-3f2a9c51b7de
      why: current
"""

import contextlib
import os
import shutil
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import host_lock
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.artifact._build import MARKER
from ansible_collections.sluice.release.plugins.module_utils.artifact._images import Names, forget
from ansible_collections.sluice.release.plugins.module_utils.config._versions import FILE
from ansible_collections.sluice.release.plugins.module_utils.journal import _state, _store
from ansible_collections.sluice.release.plugins.module_utils.switch._retention import (
    ARTIFACT,
    CONFIG,
    Found,
    Verdict,
    decide,
)

# Directory, the file that makes an entry complete, and the link beside it that names the live one.
PLACES = {ARTIFACT: ("releases", MARKER, "current"), CONFIG: ("config", FILE, os.path.join("config", "current"))}


def working_directories() -> dict[str, str]:
    """Return pid by directory for every process that this user can see."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else []):
        # A process may end meanwhile, or be another user's.
        with contextlib.suppress(OSError):
            found[os.readlink(f"/proc/{pid}/cwd")] = pid
    return found


def survey(root: str) -> list[Found]:
    """Return the directories of releases and config versions, by name."""
    running = working_directories()
    found = []
    for kind, (directory, marker, link) in PLACES.items():
        parent = os.path.join(root, directory)
        live = os.path.realpath(os.path.join(root, link))
        for name in sorted(os.listdir(parent)) if os.path.isdir(parent) else []:
            path = os.path.join(parent, name)
            if os.path.islink(path) or not os.path.isdir(path) or (kind == CONFIG and not name.isdigit()):
                continue
            real = os.path.realpath(path)
            inside = [pid for cwd, pid in running.items() if cwd == real or cwd.startswith(real + os.sep)]
            why = f"{link} points at it" if real == live else f"process {inside[0]} runs in it" if inside else ""
            found.append(Found(kind, name, os.path.isfile(os.path.join(path, marker)), why))
    return found


def connect() -> Names:
    """Return the engine of this host. Its library is only needed, and only loaded, where there are images."""
    from ansible_collections.sluice.release.plugins.module_utils.artifact._image_engine import ImageEngine

    return ImageEngine(patience=120.0)


def remove(path: str, marker: str) -> str:
    """Remove a directory so that a kill in the middle leaves one that is known to be incomplete; why not, if not."""
    in_use = forget(path, connect)
    if in_use:
        return in_use
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(path, marker))
        shutil.rmtree(path)
    except OSError as error:
        raise SluiceError(
            f"remove {path}", f"{error.filename}: {error.strerror}", "Correct its owner, or remove it by hand"
        ) from error
    return ""


def retain(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Decide by the journal, and remove."""
    if params["keep"] < 1:
        raise SluiceError("use the options of release_retention", f"keep is {params['keep']}", "Keep at least 1")
    alone = (
        contextlib.nullcontext() if check_mode else host_lock(params["state_dir"], "remove releases that nobody needs")
    )
    with alone:
        verdicts = decide(survey(params["root"]), _state.derive(_store.read(params["state_dir"])), params["keep"])
        for number, verdict in enumerate(verdicts if not check_mode else []):
            if not verdict.kept:
                directory, marker, _link = PLACES[verdict.found.kind]
                in_use = remove(os.path.join(params["root"], directory, verdict.found.name), marker)
                if in_use:
                    verdicts[number] = Verdict(verdict.found, True, in_use)
    told = [
        (verdict.kept, {"kind": verdict.found.kind, "name": verdict.found.name, "why": verdict.why})
        for verdict in verdicts
    ]
    removed = [entry for kept, entry in told if not kept]
    kept = [entry for kept, entry in told if kept]
    names = [f"{entry['kind']} {entry['name']}" for _kept, entry in told]
    after = [f"{entry['kind']} {entry['name']}" for entry in kept]
    return {
        "changed": bool(removed),
        "removed": removed,
        "kept": kept,
        "diff": {"before": {"directories": names}, "after": {"directories": after}},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "state_dir": {"type": "path", "required": True},
            "keep": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    run(module, lambda params: retain(params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
