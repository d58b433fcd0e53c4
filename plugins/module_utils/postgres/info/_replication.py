# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""How far the copies are behind: those of this server, and this server if it is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ansible_collections.sluice.release.plugins.module_utils.postgres.info._model import (
    Answer,
    Options,
    Question,
    rounded,
)
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._session import LookingSession

# A standby may have standbys of its own. pg_basebackup is shown here too while it copies.
_STANDBYS = """
SELECT s.application_name, s.state, s.sync_state,
    pg_wal_lsn_diff(w.lsn, COALESCE(s.replay_lsn, s.flush_lsn, s.sent_lsn))::bigint,
    extract(epoch FROM COALESCE(s.replay_lag, s.flush_lag))::float8
FROM pg_stat_replication s, (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS lsn
) w
WHERE s.state IS DISTINCT FROM 'backup' ORDER BY 1
"""

_OWN = """
SELECT pg_is_in_recovery(), pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::bigint,
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8,
    EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL)
"""

_SLOTS = """
SELECT slot_name, slot_type, active, wal_status,
    pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
        restart_lsn)::bigint,
    {inactive}
FROM pg_replication_slots ORDER BY 1
"""

_UNSEEN = "standbys are only named to a user without pg_monitor; grant it to the user"


def own_lag_seconds(lag_bytes: Optional[int], since_last: Optional[float], is_receiving: bool) -> Optional[float]:
    """Return how far a standby is behind, in seconds.

    Without new transactions the last one becomes ever older: no lag, when everything received is replayed. But
    without anybody to receive from, nobody knows what there is.
    """
    if is_receiving and lag_bytes is not None and lag_bytes <= 0:
        return 0.0
    return since_last


def standby(row: Sequence[Any]) -> dict[str, Any]:
    """One standby as it is returned. The server measures no time for one that has all and gets nothing new."""
    name, state, sync_state, lag_bytes, lag_seconds = row
    if lag_seconds is None and lag_bytes is not None and lag_bytes <= 0:
        lag_seconds = 0.0
    return {
        "name": name,
        "state": state,
        "sync_state": sync_state,
        "lag_bytes": None if lag_bytes is None else max(0, lag_bytes),
        "lag_seconds": rounded(lag_seconds),
    }


def _worst(numbers: Sequence[Optional[float]]) -> Optional[float]:
    """Return the largest; None when there is none, or when one is not known."""
    known = [number for number in numbers if number is not None]
    return max(known) if known and len(known) == len(numbers) else None


def _replication(session: LookingSession, _options: Options) -> Answer:
    [(in_recovery, own_bytes, since_last, is_receiving)] = session.rows(_OWN)
    found = session.rows(_STANDBYS)
    standbys = [standby(row) for row in found]
    lags: list[Optional[float]] = [row["lag_bytes"] for row in standbys]
    seconds: list[Optional[float]] = [row["lag_seconds"] for row in standbys]
    if in_recovery:
        lags.append(own_bytes)
        seconds.append(rounded(own_lag_seconds(own_bytes, since_last, is_receiving)))
    unseen = any(row["state"] is None for row in standbys)
    numbers = {"replication_lag_bytes": _worst(lags), "replication_lag_seconds": _worst(seconds)}
    return Answer(
        {
            "replication_role": "standby" if in_recovery else "primary",
            "replication_receiving": is_receiving if in_recovery else None,
            "replication_standbys": standbys,
            "replication_standbys_count": len(standbys),
            **numbers,
        },
        dict.fromkeys((key for key in numbers if numbers[key] is None), _UNSEEN) if unseen else {},
    )


def _slots(session: LookingSession, _options: Options) -> Answer:
    inactive = (
        "extract(epoch FROM clock_timestamp() - inactive_since)::float8"
        if session.has("slot_inactive_since")
        else "NULL::float8"
    )
    slots = [
        {
            "name": name,
            "type": kind,
            "active": active,
            "wal_status": status,
            "retained_bytes": retained,
            "inactive_seconds": rounded(seconds),
        }
        for name, kind, active, status, retained, seconds in session.rows(_SLOTS.format(inactive=inactive))
    ]
    return Answer(
        {
            "replication_slots": slots,
            "replication_slots_inactive_count": sum(not slot["active"] for slot in slots),
            "replication_slots_retained_bytes": max((slot["retained_bytes"] or 0 for slot in slots), default=0),
        }
    )


REPLICATION = (
    Question(
        (
            "replication_role",
            "replication_receiving",
            "replication_standbys",
            "replication_standbys_count",
            "replication_lag_bytes",
            "replication_lag_seconds",
        ),
        _replication,
    ),
    Question(("replication_slots", "replication_slots_inactive_count", "replication_slots_retained_bytes"), _slots),
)
