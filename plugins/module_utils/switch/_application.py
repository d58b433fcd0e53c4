# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""All workers of an application under PM2 as one unit: none is moved before every new one has proven itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.switch import _blue_green, _switch
from ansible_collections.sluice.release.plugins.module_utils.switch._options import Kind, Place
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2_fork import Forks, Listing, Watch
from ansible_collections.sluice.release.plugins.module_utils.switch._pm2_logs import Logs


def switch(
    kinds: Sequence[Kind],
    application: str,
    where: Place,
    *,
    link: str | None,
    hold: float,
    save: bool,
    check_mode: bool,
    staged: bool = False,
) -> dict[str, Any]:
    """Bring it about. Each kind starts and proves its workers, then lets the next one, and only then moves.

    ``staged`` starts and proves those that wait at ports of their own; what has none is left for the move.
    """
    results: dict[int, dict[str, Any]] = {}
    if staged and all(kind.slots is None for kind in kinds):
        raise _blue_green.shared_address(application, kinds[0].worker.release)

    def run(number: int) -> None:
        if number < len(kinds) and staged and kinds[number].slots is None:
            run(number + 1)
        elif number < len(kinds):
            results[number] = _one(
                kinds[number],
                where,
                # The link is moved with the first of them, which moves last: when all are proven.
                link if number == 0 else None,
                hold,
                check_mode,
                lambda: run(number + 1),
                staged,
            )

    try:
        run(0)
    except SluiceError as problem:
        for key in ("instances", "retired", "logs"):
            problem.fields[key] = [_numbered(one) for one in problem.fields.get(key, [])]
        raise
    parts = [results[number] for number in sorted(results)]
    result = _together(parts)
    if staged:
        return result
    gone = where.pm2.others(application, [kind.worker.name for kind in kinds])
    for name in sorted({process.name for process in gone}) if not check_mode else ():
        ended = _switch.end(name, _world(where), absent=True)
        result["retired"] += ended["retired"]
    result["changed"] = result["changed"] or bool(gone)
    stale = save and _is_unsaved(kinds, where, result["changed"])
    if stale and not check_mode:
        where.pm2.save()
    if stale:
        result["diff"]["after"]["saved"] = True
    return {**result, "changed": result["changed"] or stale}


def end(
    names: Sequence[str], application: str, where: Place, *, absent: bool, save: bool, check_mode: bool
) -> dict[str, Any]:
    """End the workers of all these names, and of others that were started for the application."""
    others = sorted({process.name for process in where.pm2.others(application, names)})
    every = [*names, *others]
    stale = save and absent and any(where.pm2.saved(name) for name in every)
    result = _together([_switch.end(name, _world(where), absent=absent, check_mode=check_mode) for name in every])
    if save and (result["changed"] or stale) and not check_mode:
        where.pm2.save()
    return {**result, "changed": result["changed"] or stale}


def _one(
    kind: Kind,
    where: Place,
    link: str | None,
    hold: float,
    check_mode: bool,
    proceed: Callable[[], object],
    staged: bool,
) -> dict[str, Any]:
    logs = _logs(where, kind)
    listing = Listing(where.pm2, kind.worker.name)
    watch = Watch(kind.upness, listing, logs, kind.worker) if kind.upness else None
    if kind.worker.exec_mode == "cluster":
        world = _world(where, logs, proceed)
        world = world if watch is None else _switch.World(**{**world.__dict__, "look": watch.look})
        return _switch.Switch(_switch.Request(kind.worker, kind.ready, kind.instances, link), world, check_mode).run()
    forks = Forks(listing, logs, kind.worker)
    try:
        blue_green = _blue_green.World(forks, kind.route, say=where.say, warn=where.warn, proceed=proceed)
        if watch:
            blue_green = _blue_green.World(**{**blue_green.__dict__, "look": watch.look})
        wanted = _blue_green.Request(
            name=kind.worker.name,
            release=kind.worker.release,
            mark=kind.worker.mark,
            ready=kind.ready,
            instances=kind.instances,
            slots=kind.slots,
            hold=hold,
            path=kind.worker.path,
            link=link,
            staged=staged,
        )
        result = _blue_green.BlueGreen(wanted, blue_green, check_mode).run()
        # PM2 lists what has ended until it is told to forget it.
        if forks.dead() and not staged:
            result["changed"] = True
            if not check_mode:
                forks.prune(kind.worker.release)
        return result
    finally:
        forks.close()


def _logs(where: Place, kind: Kind) -> Logs:
    files = (kind.worker.out_file, kind.worker.error_file)
    return Logs(where.pm2.home, where.hidden, {os.path.dirname(path) for path in files if path})


def _world(where: Place, logs: Logs | None = None, proceed: Callable[[], object] = lambda: None) -> _switch.World:
    logs = logs or Logs(where.pm2.home, where.hidden)
    return _switch.World(where.pm2, logs, say=where.say, warn=where.warn, proceed=proceed)


def _is_unsaved(kinds: Sequence[Kind], where: Place, changed: bool) -> bool:
    return changed or any(
        where.pm2.saved(kind.worker.name)
        != sorted(((kind.worker.mark, str(number)) for number in range(kind.instances)), key=str)
        for kind in kinds
    )


def _together(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one result of several. The first part tells of the application."""
    first = parts[0]
    both = {key: [_numbered(one) for part in parts for one in part[key]] for key in ("instances", "retired")}
    diff = {side: dict(first["diff"][side]) for side in ("before", "after")}
    for side, state in diff.items():
        state["instances"] = [text for part in parts for text in part["diff"][side]["instances"]]
    return {
        **first,
        **both,
        "previous": next((part["previous"] for part in parts if part["previous"]), None),
        "changed": any(part["changed"] for part in parts),
        "duration": max(part["duration"] for part in parts),
        "diff": diff,
    }


def _numbered(entry: Mapping[str, Any]) -> dict[str, Any]:
    number = entry["id"]
    return {**entry, "id": int(number) if isinstance(number, str) and number.isdigit() else number}
