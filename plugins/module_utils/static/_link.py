# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Publishing by a link: the document root is a link, and moving it is one step.

It leads to a directory that holds all that shall be served: the files of the release and, hard-linked, what older
versions had besides. So there is no moment at which a page is there without its files, and none at which the files of
an open page are gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._files import replace_link, sha256_file, write_atomic
from ansible_collections.sluice.release.plugins.module_utils.static import _ledger
from ansible_collections.sluice.release.plugins.module_utils.static._ledger import Edition, Ledger, Published
from ansible_collections.sluice.release.plugins.module_utils.static._place import Changes
from ansible_collections.sluice.release.plugins.module_utils.static._tree import Rules, Tree

_LEDGER = "ledger.json"
_TREE = "tree"
_PARTIAL = ".partial"
# What a file system says that cannot link, or will not: then the file is copied.
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.ENOTSUP)


@dataclass
class LinkPlace:
    """The link ``link``; what it may lead to lies below ``store``."""

    link: str
    store: str
    rules: Rules
    # What plan has found out.
    _tree: Tree | None = None
    _wanted: Ledger = field(default_factory=Ledger)
    _before: str | None = None
    _after: str = ""

    @property
    def id(self) -> str:
        """Name the place, for a person."""
        return self.link

    # -- looking -------------------------------------------------------------------------------------------------------

    def look(self) -> Ledger:
        """Return what is published; a directory that was put there by other means counts as one edition."""
        target = _target(self.link)
        if target is None:
            return Ledger()
        path = os.path.join(os.path.dirname(self.link), target)
        try:
            with open(os.path.join(os.path.dirname(path), _LEDGER), encoding="utf-8") as stream:
                return _ledger.parse(stream.read(), stream.name)
        except FileNotFoundError:
            return self._adopt(path)
        except OSError as error:
            raise SluiceError(f"read {error.filename}", error.strerror or str(error)) from error

    def _adopt(self, path: str) -> Ledger:
        if not os.path.isdir(path):
            return Ledger()
        files = {}
        for directory, _names, names in os.walk(path):
            for name in names:
                full = os.path.join(directory, name)
                relative = os.path.relpath(full, path).replace(os.sep, "/")
                if not self.rules.excluded(relative) and os.path.isfile(full):
                    kind = self.rules.kind(relative)
                    files[relative] = Published(kind, os.path.getsize(full), sha256_file(full))
        return Ledger(_ledger.UNKNOWN, (Edition(_ledger.UNKNOWN, files),))

    def plan(self, tree: Tree, before: Ledger, after: Ledger) -> Changes:
        """Return what publishing would change, and choose the directory that it would use."""
        self._tree, self._wanted = tree, after
        self._before = _target(self.link)
        wanted, there = after.served(), before.served()
        same = set()
        if self._before is not None:
            served = os.path.join(os.path.dirname(self.link), self._before)
            ours = _ours(after, tree)
            same = {name for name, file in wanted.items() if _same(served, name, file, ours.get(name))}
        name = os.path.join(self.store, f"{after.current or 'nothing'}-{_ledger.mark(after)}")
        places = [self._place(name), self._place(f"{name}.again")]
        complete = set(wanted) == same
        if self._before in places and not complete:
            # Damaged since: what serves is never mended in place.
            places.remove(self._before)
        self._after = self._before if self._before in places else places[0]
        return Changes(
            publish=tuple(sorted(set(wanted) - same)),
            remove=tuple(sorted(set(there) - set(wanted))),
            unchanged=len(same),
            size=sum(file.size for name, file in wanted.items() if name not in same),
            move=self._after != self._before,
        )

    def _place(self, directory: str) -> str:
        """Return what the link to a directory of the store says."""
        return os.path.relpath(os.path.join(directory, _TREE), os.path.dirname(self.link))

    def _directory(self, target: str) -> str:
        return os.path.dirname(os.path.normpath(os.path.join(os.path.dirname(self.link), target)))

    # -- acting --------------------------------------------------------------------------------------------------------

    def publish(self) -> None:
        """Lay all that shall be served into a directory of its own, beside what serves."""
        self._clear((self._before,))
        directory = self._directory(self._after)
        partial = f"{directory}{_PARTIAL}"
        try:
            os.makedirs(os.path.join(partial, _TREE), mode=0o755)
            self._lay(os.path.join(partial, _TREE))
            write_atomic(os.path.join(partial, _LEDGER), _ledger.render(self._wanted), 0o644)
            os.rename(partial, directory)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise SluiceError(
                f"lay {directory}", f"{error.strerror or error}", "What served still does; make room and run again"
            ) from error

    def _lay(self, target: str) -> None:
        served = os.path.realpath(self.link)
        ours = _ours(self._wanted, self._tree) if self._tree else {}
        made = {target}
        for name in self._wanted.served():
            destination = os.path.join(target, name)
            parent = os.path.dirname(destination)
            if parent not in made:
                os.makedirs(parent, mode=0o755, exist_ok=True)
                made.add(parent)
            try:
                _link_or_copy(ours.get(name) or os.path.join(served, name), destination)
            except FileNotFoundError:
                # A file of an old version that somebody has removed is no reason to hold a release up.
                if name in ours:
                    raise

    def move(self) -> None:
        """Let the link lead there."""
        replace_link(self.link, self._after)

    def undo(self) -> None:
        """Let the link lead where it led, and remove what was laid."""
        if self._before is not None:
            replace_link(self.link, self._before)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.link)
        self._clear((self._before,))

    def tidy(self) -> None:
        """Remove what nothing leads to any more, but for the directory that served before."""
        self._clear((self._before, self._after))

    def end(self, *, absent: bool) -> None:
        """Serve nothing; with ``absent`` keep nothing either."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.link)
        if absent:
            self._clear(())
            # Not empty: somebody keeps something of his own there.
            with contextlib.suppress(OSError):
                os.rmdir(self.store)

    def refresh(self) -> bool:
        """Return that there is no cache to tell."""
        return False

    def evidence(self) -> dict[str, Any]:
        """Return that no cache was told."""
        return {"invalidation": None}

    def _clear(self, keep: Iterable[str | None]) -> None:
        """Remove every directory of the store but those that the targets of a link name."""
        stay = {os.path.realpath(self._directory(target)) for target in keep if target}
        with contextlib.suppress(FileNotFoundError), os.scandir(self.store) as entries:
            for entry in entries:
                if os.path.realpath(entry.path) not in stay and entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)


def _ours(after: Ledger, tree: Tree) -> dict[str, str]:
    """Return what comes from the tree, by name: all of it once it serves, before that what is new."""
    current = after.edition(after.current)
    older = set(current.files) if current and after.current != tree.release else set()
    return {name: tree.files[name].source for name in after.served() if name in tree.files and name not in older}


def _same(served: str, name: str, file: Published, source: str | None) -> bool:
    path = os.path.join(served, name)
    try:
        status = os.stat(path)
    except OSError:
        return False
    if status.st_size != file.size:
        return False
    if source is None:
        return True
    original = os.stat(source)
    return (status.st_dev, status.st_ino) == (original.st_dev, original.st_ino) or sha256_file(path) == file.sha256


def _link_or_copy(source: str, destination: str) -> None:
    if os.path.islink(source):
        # Of a directory that others have put there.
        source = os.path.realpath(source)
    try:
        os.link(source, destination)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, destination)
        os.chmod(destination, 0o644)


def _target(link: str) -> str | None:
    """Return where the link leads. SluiceError when something else is there."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SluiceError(
            f"publish at {link}", "it exists and is not a symbolic link", "Move it out of the way"
        ) from error
