# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What a person has confirmed, and what there is to confirm. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

LATEST = "latest"

_YES = frozenset(("true", "yes", "y", "on", "1"))
_NO = frozenset(("false", "no", "n", "off", "0", "none", ""))

# Tables that a message names, those with the most rows to lose first.
_NAMED = 12


@dataclass(frozen=True)
class Word:
    """What a person wants: this backup, and whether they have said so knowing what is lost."""

    backup_id: str
    confirmed: bool


def take_word(wanted: str, said: Any) -> Word:
    """Read a confirmation: yes, no, or the id of the backup that it is about.

    ``wanted``: the backup that is asked for, or ``latest``. An id is the stronger word: who confirms one and asks for
    the latest gets the one whose losses they have seen. SluiceError when two different backups are named.
    """
    text = str(said).strip()
    if text.lower() in _NO:
        return Word(wanted, False)
    if text.lower() in _YES:
        return Word(wanted, True)
    if wanted in (LATEST, text):
        return Word(text, True)
    raise SluiceError(
        f"restore backup {wanted}",
        f"it is backup {text} that was confirmed",
        f"Look at what backup {wanted} would lose, then name it both times",
    )


def loss_text(loss: Mapping[str, Any]) -> str:
    """Return in words what one table loses, as pg_restore counts it."""
    table, now, lost = loss["table"], loss.get("rows_now"), loss.get("rows_lost")
    if loss["what"] == "unreadable" or now is None:
        return f"{table} cannot be read, so nobody knows"
    if loss["what"] == "table":
        words = [f"{table} as a whole, with {_rows(now)}"]
    elif lost:
        words = [f"{table} {_rows(lost)} of {now:,}"]
    else:
        words = [f"{table} other content, with {_rows(now)} now and {loss.get('rows_in_backup') or 0:,} in the backup"]
    if loss.get("rows_changed"):
        words.append(f"{loss['rows_changed']:,} written or changed since")
    newest = max((one["time"] for one in loss.get("newest") or []), default=None)
    return ", ".join([*words, *([f"the newest of {newest}"] if newest else [])])


def losses_text(losses: Sequence[Mapping[str, Any]], named: int = _NAMED) -> str:
    """Return in words what a restore loses, table by table, the worst first; '' for nothing."""
    ordered = sorted(losses, key=lambda loss: (-(loss.get("rows_lost") or 0), -(loss.get("rows_changed") or 0)))
    words = [loss_text(loss) for loss in ordered[:named]]
    more = len(ordered) - named
    return "; ".join([*words, *([f"and {more} more tables"] if more > 0 else [])])


def restore_command(playbook: str, inventories: Sequence[str], limit: Optional[str], backup_id: str) -> str:
    """Return the command that restores the backup whose losses were shown, and no other."""
    words = ["ansible-playbook", playbook]
    for inventory in inventories:
        words += ["-i", inventory]
    if limit:
        words += ["-l", limit]
    return shlex.join([*words, "-e", f"backup_id={backup_id}", "-e", f"confirm_restore={backup_id}"])


def plan_text(preview: Mapping[str, Any], seconds: Optional[float]) -> str:
    """Return in one sentence what a restore would do, without its final period.

    ``preview``: the result of pg_restore in check mode. ``seconds``: how long the proof of this backup took.
    """
    restored = preview["restored"]
    lost = losses_text(preview.get("losses") or [])
    cost = f"it loses {lost}" if lost else "nothing was written since"
    known = f", restored in {seconds:.0f} s when it was proven last" if seconds else ""
    return (
        f"backup {restored['backup_id']} of {restored['created']}{known},"
        f" would take the place of database {restored['database']}, and {cost}"
    )


def refusal(application: str, preview: Mapping[str, Any], seconds: Optional[float], command: str) -> SluiceError:
    """Return the error for a restore that nobody has confirmed: what would be lost, and how to confirm it."""
    return SluiceError(
        f"restore the database of {application}",
        f"nobody has confirmed it. {_capital(plan_text(preview, seconds))}. Nothing has changed",
        f"Run {command} to restore it",
        restore={
            "restored": dict(preview["restored"]),
            "replaced": preview.get("replaced"),
            "losses": list(preview.get("losses") or []),
            "confirmed": False,
        },
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
