# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

# From best to worst. `pending` is a breach that has not lasted long enough: worse than a warning, not yet red.
VERDICTS = ("green", "yellow", "pending", "red")


def worst(verdicts: Iterable[str | None]) -> str | None:
    """Return the worst of some verdicts, None when there is none. An unknown word counts as red."""
    known = [verdict if verdict in VERDICTS else "red" for verdict in verdicts if verdict is not None]
    return max(known, key=VERDICTS.index, default=None)


def number_text(value: float) -> str:
    """Return a number in at most four digits, as a person would say it: 38.2, 0.004, 12,500."""
    if not math.isfinite(value):
        return str(value)
    magnitude = abs(value)
    if magnitude >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    if magnitude >= 10:
        return f"{value:.1f}".removesuffix(".0")
    if magnitude >= 1:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:.3g}"


def seconds_text(seconds: float | None) -> str:
    """Return a duration in the unit that a person would use: 40 ms, 9.8 s, 4 min 10 s, 2 h 5 min."""
    if seconds is None:
        return "unknown"
    if seconds < 0.095:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def budget_text(seconds: float) -> str:
    """Return a budget, which is a round number: 60 s, 300 s, 30 min."""
    return f"{seconds:g} s" if seconds <= 600 or seconds % 60 else seconds_text(seconds)


def bytes_text(count: float) -> str:
    """Return a size in decimal units: 812 B, 1.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def count_text(count: int, one: str, many: str | None = None) -> str:
    """Return `1 host`, `2 hosts`, `1,200 requests`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def lost(probe: Mapping[str, Any]) -> int:
    """Return how many requests failed though something served: before that nothing could answer."""
    return int(probe["failed"]) - int(probe.get("unserved") or 0)


def list_text(items: Iterable[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    words = list(items)
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def figures(done: Mapping[str, Any]) -> list[str]:
    """Return how much it was, how long it took and how fast it was, as far as that is known."""
    words = [bytes_text(done["bytes"])] if done.get("bytes") is not None else []
    if done.get("seconds") is not None:
        words.append(f"in {seconds_text(done['seconds'])}")
    if done.get("bytes_per_second"):
        words.append(f"{bytes_text(done['bytes_per_second'])}/s")
    if done.get("verify_seconds") is not None:
        words.append(f"proven in {seconds_text(done['verify_seconds'])}")
    return words


def copy_text(copy: Mapping[str, Any]) -> str:
    """Return what is known of a copy of a backup: `verified, 4.0 MB, in 2.0 s, 2.0 MB/s`."""
    there = ["there before"] if copy.get("copied") is False else []
    return ", ".join(["verified" if copy["verified"] else "NOT verified", *there, *figures(copy)])


def still_pending(migration: Mapping[str, Any]) -> list[str]:
    """Return the migrations that were not applied, without those that were taken back."""
    return [name for name in migration.get("pending_after") or [] if name not in (migration.get("reverted") or [])]


def value_text(value: Any, unit: str | None = None) -> str:
    """Return a measured value with its unit; `no data` for None."""
    if value is None:
        return "no data"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{number_text(value)} {unit}" if unit else number_text(value)


def limits(gate: Mapping[str, Any]) -> dict[str, float]:
    """Return the numeric thresholds of a gate by name, out of `target`, `warn` and `crit`, in this order."""
    found = {}
    for name in ("target", "warn", "crit"):
        value = gate.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found[name] = float(value)
    return found


def threshold_text(gate: Mapping[str, Any]) -> str:
    """Return the bound that matters for the verdict of a gate: `critical at or above 5 % for 3 s`, `expected ready`.

    '' for a gate without any bound.
    """
    if gate.get("direction") == "state":
        return f"expected {gate.get('threshold')}"
    bounds, unit = limits(gate), gate.get("unit")
    side = {"below": "below", "equals": "at"}.get(str(gate.get("direction")), "above")
    from_side = side if side == "at" else f"at or {side}"
    if "crit" in bounds and gate.get("verdict") != "yellow":
        sustained = gate.get("sustained") or 0
        lasting = f" for {budget_text(sustained)}" if sustained else ""
        return f"critical {from_side} {value_text(bounds['crit'], unit)}{lasting}"
    for name, word in (("warn", "warning"), ("crit", "critical"), ("target", "off target")):
        if name in bounds:
            return f"{word} {from_side if name == 'crit' else side} {value_text(bounds[name], unit)}"
    return f"threshold {value_text(gate['threshold'], unit)}" if gate.get("threshold") is not None else ""


def gate_text(gate: Mapping[str, Any]) -> str:
    """Return one gate in words: its own reason, or `error_rate_pct 38.2 %, critical at or above 5 % for 3 s`."""
    if gate.get("reason"):
        return str(gate["reason"])
    parts = [f"{gate.get('check')} {value_text(gate.get('value'), gate.get('unit'))}", threshold_text(gate)]
    return ", ".join(part for part in parts if part)


# Kinds of runs that leave the application as it is.
_OF_THE_DATABASE = ("backup", "restore", "drill")


def _database_headline(report: Mapping[str, Any]) -> str:
    """Return the outcome of a backup, a restore or a drill in one sentence, without its final period."""
    kind, error = report["kind"], report.get("error") or {}
    backup, restore, drill = (report.get(key) or {} for key in ("backup", "restore", "drill"))
    if report["outcome"] == "failed":
        if restore.get("confirmed") is False:
            return f"The restore of backup {restore['backup_id']} was refused, for nobody has confirmed what it loses"
        return f"The {kind} failed" + (f" in stage {error['stage']}" if error.get("stage") else "")
    if kind == "backup":
        proof = "and the backup is verified" if backup.get("verified") else "and the backup is NOT verified"
        return f"The database is backed up, {proof}"
    if kind == "restore":
        lost = count_text(restore.get("rows_lost") or 0, "row")
        return f"The database is as it was in backup {restore.get('backup_id')}; {lost} of what came later went with it"
    return (
        f"Backup {drill.get('backup_id')} was restored as a test in {seconds_text(drill.get('seconds'))}, and it holds"
    )


def loss_words(loss: Mapping[str, Any]) -> str:
    """Return what became of a table in a restore: `12 of 512 rows`, `other content`, `the whole table`."""
    what, now = loss.get("what"), loss.get("rows_now")
    if what == "unreadable" or now is None:
        return "unknown, it could not be read"
    if what == "table":
        return f"the whole table, {count_text(now, 'row')}"
    if loss.get("rows_lost"):
        return f"{loss['rows_lost']:,} of {count_text(now, 'row')}"
    return "other content"


def newest_text(loss: Mapping[str, Any]) -> str:
    """Return the newest time in a table; '' when no column holds times."""
    return max((str(one.get("time")) for one in loss.get("newest") or []), default="")


def _drill_headline(report: Mapping[str, Any]) -> str:
    """Return the outcome of a drill of the rollbacks in one sentence, without its final period."""
    drill = report.get("rollback_drill") or {}
    if report["outcome"] == "failed" or not drill:
        error = report.get("error") or {}
        return "The drill failed" + (f" in stage {error['stage']}" if error.get("stage") else "")
    levels = list_text([f"level {one['level']} in {seconds_text(one['seconds'])}" for one in drill["levels"]])
    met = "within its budget" if len(drill["levels"]) == 1 else "each within its budget"
    return f"Drilled {levels}, {met if drill['met'] else 'NOT within the budgets'}; {report['to']} serves as before"


def _emergency_headline(report: Mapping[str, Any], where: str) -> str:
    """Return the outcome of an emergency action that was carried out in one sentence, without its final period."""
    settings = report.get("settings") or {}
    on = list_text(list(settings.get("active") or []))
    with_what = f"with {on} on" if on else "with the settings of its release"
    done = f"{settings.get('action', 'The action')} was {'taken back' if settings.get('undo') else 'carried out'}"
    return f"{done}; {report['to'] or 'the application'} serves{where} {with_what}"


def warming_text(one: Mapping[str, Any]) -> str:
    """Return what one warming has done, in words."""
    if one["kind"] == "keys":
        counts = [f"{count_text(one.get('written') or 0, 'key')} loaded"]
        counts += [f"{one[name]:,} {name}" for name in ("kept", "expired", "failed") if one.get(name)]
    else:
        counts = [f"{count_text(one.get('done') or 0, 'request')} to {one.get('address') or 'the host'}"]
        counts += [f"{one['failed']:,} failed"] if one.get("failed") else []
        if one.get("first_pass_p95_ms") is not None and one.get("second_pass_p95_ms") is not None:
            first, second = (number_text(one[f"{name}_pass_p95_ms"]) for name in ("first", "second"))
            counts.append(f"p95 from {first} to {second} ms")
        counts += [f"{number_text(one['hit_pct'])} % from the cache"] if one.get("hit_pct") is not None else []
    counts += [f"in {seconds_text(one['seconds'])}"] if one.get("seconds") is not None else []
    why = "" if one["warm"] else f"; NOT warm: {one.get('reason') or one.get('stopped') or 'no reason is known'}"
    return ", ".join(counts) + why


def maintenance_text(change: Mapping[str, Any]) -> str:
    """Return what the proxies were told, in words."""
    told = {"off": "requests are let in", "block": "requests are turned away", "notice": "visitors are told"}
    text = told.get(str(change["mode"]), str(change["mode"]))
    text += f" until {change['until']}" if change.get("until") and change["mode"] != "off" else ""
    return text + (f" ({change['reason']})" if change.get("reason") else "")


def headline(report: Mapping[str, Any]) -> str:
    """Return the outcome of a release in one sentence, without its final period."""
    to, outcome = report["to"], report["outcome"]
    hosts = [host["host"] for host in report.get("hosts", [])]
    where = f" on {count_text(len(hosts), 'host')}" if len(hosts) > 1 else ""
    if report.get("kind") in _OF_THE_DATABASE and outcome in ("succeeded", "failed"):
        return _database_headline(report)
    if report.get("kind") == "rollback_drill":
        return _drill_headline(report)
    if report.get("kind") == "emergency" and outcome == "succeeded":
        return _emergency_headline(report, where)
    if outcome == "succeeded":
        return f"{to} serves{where}"
    if outcome == "unchanged":
        return f"{to} was already running{where}; nothing was changed"
    if outcome == "rolled_back":
        rollback = report.get("rollback") or {}
        back = rollback.get("to") or report.get("from")
        again = f"{back} serves again" if back else "what served before serves again"
        took = f"; the way back took {seconds_text(rollback['seconds'])}" if rollback.get("seconds") is not None else ""
        return f"{to} was taken back{where}, {again}{took}"
    error = report.get("error") or {}
    on = f" on {error['host']}" if len(hosts) > 1 and error.get("host") else ""
    stage = f" in stage {error['stage']}{on}" if error.get("stage") else ""
    # Only what is known for certain: an unreachable host may have moved.
    stayed = report.get("from") and all(host.get("moved") is False for host in report.get("hosts") or [{}])
    # Where a rollback was going is known once it is there.
    what = f"release of {to}" if to else str(report.get("kind") or "release").replace("_", " ")
    return f"The {what} failed{stage}" + (f"; nothing was moved, {report['from']} still serves" if stayed else "")
