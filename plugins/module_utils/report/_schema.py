# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

try:
    from jsonschema import Draft202012Validator

    HAS_JSONSCHEMA = True
except ImportError:
    HAS_JSONSCHEMA = False


def _either_null(*types: str, **more: Any) -> dict[str, Any]:
    return {"type": [*types, "null"], **more}


def _object(required: str, properties: dict[str, Any], description: str, *, nullable: bool = False) -> dict[str, Any]:
    """Return the schema of an object. Further keys are welcome: a later version adds some, none is ever renamed."""
    return {
        "description": description,
        "type": ["object", "null"] if nullable else "object",
        "required": required.split(),
        "properties": properties,
    }


_SECONDS = {"type": "number", "minimum": 0}
_MAYBE_SECONDS = _either_null("number", minimum=0)
_COUNT = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}
_MAYBE_TEXT = _either_null("string")
_TIME = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$",
}
_VERDICT = {"enum": ["green", "yellow", "red", "pending"]}
_LIMIT = _either_null("number", "string", "boolean")

_STAGE = _object(
    "name host outcome seconds budget_seconds",
    {
        "name": _TEXT,
        "host": _TEXT,
        "outcome": {"enum": ["succeeded", "failed", "unfinished"]},
        "seconds": _either_null("number", minimum=0, description="null for a stage that a killed run left open"),
        "budget_seconds": _MAYBE_SECONDS,
        "started": _TIME,
        "reason": _TEXT,
    },
    "One stage on one host, in the order of their starts",
)

_STEP = _object(
    "name outcome",
    {
        "name": _TEXT,
        "method": _TEXT,
        "path": {"description": "As the profile writes it, with its variables in braces", **_TEXT},
        "outcome": {"enum": ["passed", "failed", "skipped"]},
        "status": {"description": "Of the last answer; null without one", **_either_null("integer")},
        "ms": {"description": "Milliseconds that the last answer took", **_MAYBE_SECONDS},
        "attempts": _COUNT,
        "statuses": {"description": "Answers by status", "type": "object", "additionalProperties": _COUNT},
        "failures": {"description": "What was expected and what was found", "type": "array", "items": _TEXT},
        "reason": {"description": "Why it was skipped", **_TEXT},
    },
    "One request of a flow and what came of it",
)

_GATE = _object(
    "check verdict value threshold samples",
    {
        "check": _TEXT,
        "verdict": _VERDICT,
        "value": {"description": "The last value; null without data", "type": ["number", "string", "boolean", "null"]},
        "threshold": {"description": "The bound that the value is held against", **_LIMIT},
        "samples": _COUNT,
        "unit": _MAYBE_TEXT,
        "reason": _TEXT,
        "host": _TEXT,
        "stage": _TEXT,
        "started": _TIME,
        "seconds": {"description": "When the verdict stood, in the seconds of the series", **_MAYBE_SECONDS},
        "target": _LIMIT,
        "warn": _LIMIT,
        "crit": _LIMIT,
        "direction": {"enum": ["above", "below", "equals", "state"]},
        "sustained": _SECONDS,
        "series": {
            "description": "Pairs of seconds since the start of the window and the value",
            "type": "array",
            "items": {"type": "array", "minItems": 2, "prefixItems": [{"type": "number"}]},
        },
        "optional": {"description": "Whether it could only cost score", "type": "boolean"},
        "tags": {"type": "array", "items": _TEXT},
        "steps": {"description": "Of a flow, in order", "type": "array", "items": _STEP},
        "found": {"description": "What was counted", "type": "object"},
    },
    "One check of a gate on one host, with its evidence",
)

_WINDOW = _object(
    "host window until every of done late missed held state verdict",
    {
        "host": _TEXT,
        "window": _TEXT,
        "from": _SECONDS,
        "until": {"description": "In seconds since the switch", **_SECONDS},
        "every": _SECONDS,
        "of": {"description": "How many ticks it has", **_COUNT},
        "done": _COUNT,
        "late": _COUNT,
        "missed": _COUNT,
        "held": {"description": "Ticks that a run of the application has held back", **_COUNT},
        "state": {"enum": ["ahead", "open", "over"]},
        "verdict": {"description": "The worst so far; null before its first tick", "enum": [*_VERDICT["enum"], None]},
    },
    "One window of the watch on one host",
)

_LOSS = _object(
    "table what rows_now rows_in_backup rows_lost",
    {
        "table": _TEXT,
        "what": {"enum": ["rows", "content", "table", "unreadable"]},
        "rows_now": _either_null("integer", minimum=0),
        "rows_in_backup": _COUNT,
        "rows_lost": _either_null("integer", minimum=0),
        "rows_changed": _either_null("integer", minimum=0),
        "newest": {"description": "The newest time in every column that holds times", "type": "array"},
    },
    "What one table has lost, or would have lost",
)

# What was restored of a backup, in earnest or as a test.
_RESTORED = {
    "backup_id": _TEXT,
    "created": {"description": "The time that the data is of", **_TEXT},
    "host": _TEXT,
    "bytes": _COUNT,
    "tables": _COUNT,
    "rows": _COUNT,
    "bytes_per_second": {"description": "Bytes of the backup restored per second", **_COUNT},
}

_COPY = _object(
    "to verified",
    {
        "to": {"description": "Where the copy is, without any secret", **_TEXT},
        "way": {"enum": ["directory", "rsync", "s3"]},
        "verified": {"description": "Whether every file of it was read again there", "type": "boolean"},
        "copied": {"description": "false for one that was there already", "type": "boolean"},
        "files": _COUNT,
        "bytes": _COUNT,
        "seconds": _SECONDS,
        "bytes_per_second": {"description": "Bytes copied and read again per second", **_COUNT},
    },
    "A copy of the backup in a second place",
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:sluice:release-report:1",
    "title": "Release report",
    "description": "What one release did, on all its hosts. Keys are added by later versions, never renamed.",
    "type": "object",
    "required": [
        *("release_id", "application", "environment", "from", "to", "outcome", "verdict", "started", "seconds"),
        *("stages", "gates", "requests", "backup", "rollback"),
    ],
    "properties": {
        "release_id": {"type": "string", "pattern": r"^\d{8}T\d{6}Z-.+$"},
        "kind": {
            "enum": ["deploy", "rollback", "rollback_drill", "recover", "backup", "restore", "drill", "emergency"]
        },
        "application": _TEXT,
        "environment": _TEXT,
        "operator": _MAYBE_TEXT,
        "reason": {"description": "What it was asked for; null where nobody has said", **_MAYBE_TEXT},
        "from": {"description": "The version that served before; null at the first release", **_MAYBE_TEXT},
        "to": _TEXT,
        "outcome": {"enum": ["succeeded", "rolled_back", "failed", "unchanged"]},
        "verdict": {
            "description": "The worst of the gates; red when the release did not last; null when nothing was measured",
            "enum": [*_VERDICT["enum"], None],
        },
        "started": _TIME,
        "ended": _TIME,
        "seconds": _SECONDS,
        "stages": {"type": "array", "items": _STAGE},
        "gates": {"type": "array", "items": _GATE},
        "requests": _object(
            "sent failed longest_gap_ms",
            {
                "sent": _COUNT,
                "failed": _COUNT,
                "unserved": {"description": "Those of failed that were sent when nothing had ever served", **_COUNT},
                "longest_gap_ms": {"type": "number", "minimum": 0},
                "errors": {"type": "object", "additionalProperties": _COUNT},
                "series": {
                    "description": "Per second: the second, good answers, failed requests, and those of unserved",
                    "type": "array",
                    "items": {"type": "array", "minItems": 3, "items": {"type": "number"}},
                },
            },
            "What a prober was answered while the release ran; null without one",
            nullable=True,
        ),
        "backup": _object(
            "id verified",
            {
                "id": _MAYBE_TEXT,
                "verified": {"type": "boolean"},
                "level": {"description": "How it was verified", **_TEXT},
                "host": _TEXT,
                "path": _TEXT,
                "bytes": _COUNT,
                "sha256": _TEXT,
                "tables": _COUNT,
                "rows": _COUNT,
                "seconds": _SECONDS,
                "bytes_per_second": {"description": "Bytes of the backup written per second", **_COUNT},
                "verify_seconds": {"description": "How long the proof took", **_SECONDS},
                "verify_bytes_per_second": {"description": "Bytes of the backup proven per second", **_COUNT},
                "copies": {"type": "array", "items": _COPY},
            },
            "The backup that this release made; null without one",
            nullable=True,
        ),
        "restore": _object(
            "backup_id database replaced confirmed losses",
            {
                **_RESTORED,
                "database": _TEXT,
                "replaced": {"description": "Name under which the replaced database is kept", **_MAYBE_TEXT},
                "confirmed": {
                    "description": "false when it was refused, for nobody had confirmed it",
                    "type": "boolean",
                },
                "losses": {"type": "array", "items": _LOSS},
                "rows_lost": _COUNT,
                "seconds": _SECONDS,
            },
            "The database that a backup has replaced, or would have replaced; null without one",
            nullable=True,
        ),
        "drill": _object(
            "backup_id verified seconds",
            {
                **_RESTORED,
                "age_hours": {"type": "number"},
                "verified": {"type": "boolean"},
                "level": _TEXT,
                "differences": {"type": "array", "items": {"type": "object"}},
                "seconds": {"description": "How long a restore is expected to take", **_MAYBE_SECONDS},
            },
            "The backup that was restored as a test; null without one",
            nullable=True,
        ),
        "rollback_drill": _object(
            "place met levels",
            {
                "place": {"description": "Where: the application itself, or a shadow", "enum": ["here", "shadow"]},
                "met": {"description": "Whether every level was carried through within its budget", "type": "boolean"},
                "levels": {
                    "type": "array",
                    "items": _object(
                        "level seconds budget_seconds steps missed",
                        {
                            "level": {"enum": [1, 2, 3]},
                            "to": {"description": "The version that it led to", **_MAYBE_TEXT},
                            "seconds": {"description": "null when it was not carried through", **_MAYBE_SECONDS},
                            "budget_seconds": _MAYBE_SECONDS,
                            "steps": {"type": "object", "additionalProperties": _SECONDS},
                            "missed": {"description": "Why it was missed; null when it was not", **_MAYBE_TEXT},
                        },
                        "One level of a rollback",
                    ),
                },
            },
            "How long the levels of a rollback took in a drill; null without one",
            nullable=True,
        ),
        "migration": _object(
            "host pending_before",
            {
                "host": _TEXT,
                "pending_before": {"type": "array", "items": _TEXT},
                "pending_after": {"type": "array", "items": _TEXT},
                "applied": {"type": "array", "items": _TEXT},
                "reverted": {"type": "array", "items": _TEXT},
                "seconds": _SECONDS,
                "blocking": {"description": "Whom it blocked, and who blocked it", "type": "object"},
                "rows": {"description": "Rows of the tables before and after", "type": "object"},
                "not_reverted": {"description": "Why a rollback restored a backup instead", **_TEXT},
            },
            "What the migration did, or what a rollback took back; null where none was run",
            nullable=True,
        ),
        "warming": {
            "description": "Each warming of a cache, in its order",
            "type": "array",
            "items": _object(
                "host kind warm stopped reason seconds",
                {
                    "host": _TEXT,
                    "kind": {"description": "By requests, or by keys that were loaded", "enum": ["http", "keys"]},
                    "address": {"description": "Whom it asked", **_TEXT},
                    "warm": {"description": "Whether it has reached what was asked for", "type": "boolean"},
                    "stopped": _MAYBE_TEXT,
                    "reason": _MAYBE_TEXT,
                    "seconds": _MAYBE_SECONDS,
                    "done": {"description": "Requests of the first pass", **_COUNT},
                    "failed": _COUNT,
                    "written": {"description": "Keys that were loaded", **_COUNT},
                    "kept": {"description": "Keys that were there", **_COUNT},
                    "expired": {"description": "Keys that had ended", **_COUNT},
                    "rate": {"description": "Requests or keys a second", "type": "number"},
                    "bytes": _COUNT,
                    "hit_pct": {"description": "Percent of answers out of the cache", "type": "number"},
                    "first_pass_p95_ms": {"description": "What the first visitors would have waited", "type": "number"},
                    "second_pass_p95_ms": {"description": "What they wait, now that it is warm", "type": "number"},
                    "series": {
                        "description": "Rows of second and 95th percentile in milliseconds, of the first pass",
                        "type": "array",
                        "items": {"type": "array", "items": {"type": "number"}},
                    },
                },
                "One warming",
            ),
        },
        "settings": _object(
            "action undo active changes",
            {
                "action": {"description": "The toggles, or restart", **_TEXT},
                "undo": {"description": "Whether they were taken back", "type": "boolean"},
                "active": {"description": "The toggles that are on afterwards", "type": "array", "items": _TEXT},
                "changes": {
                    "type": "array",
                    "items": _object(
                        "name was is",
                        {
                            "name": _TEXT,
                            "was": {"description": "null where it was not set; secrets are masked", **_MAYBE_TEXT},
                            "is": {"description": "null where it is not set any more", **_MAYBE_TEXT},
                        },
                        "One variable of the application",
                    ),
                },
            },
            "What an emergency action has changed; null without one",
            nullable=True,
        ),
        "maintenance": {
            "description": "Each change of the maintenance mode that the proxies were told, oldest first",
            "type": "array",
            "items": _object(
                "host time mode until reason",
                {
                    "host": _TEXT,
                    "time": _TIME,
                    "mode": {"enum": ["off", "block", "notice"]},
                    "until": {"description": "When the mode ends by itself", **_MAYBE_TEXT},
                    "reason": _MAYBE_TEXT,
                },
                "A change of the mode",
            ),
        },
        "watch": _object(
            "start verdict outcome windows findings",
            {
                "start": {"description": "The switch that its times count from", **_TIME},
                "verdict": {
                    "description": "The worst so far; null before the first tick",
                    "enum": [*_VERDICT["enum"], None],
                },
                "outcome": {"enum": ["passed", "failed", "superseded", "rolled_back", None]},
                "reason": _MAYBE_TEXT,
                "crashes": _COUNT,
                "windows": {"type": "array", "items": _WINDOW},
                "ticks": {
                    "type": "array",
                    "items": _object(
                        "host time window number of late verdict",
                        {
                            "host": _TEXT,
                            "time": _TIME,
                            "window": _TEXT,
                            "number": _COUNT,
                            "of": _COUNT,
                            "late": {"type": "boolean"},
                            "verdict": _VERDICT,
                        },
                        "One tick of one window on one host",
                    ),
                },
                "findings": {
                    "type": "array",
                    "items": _object(
                        "host time kind verdict text",
                        {
                            "host": _TEXT,
                            "time": _TIME,
                            "kind": {"enum": ["gate", "late", "missed", "clock", "crash", "down"]},
                            "verdict": _VERDICT,
                            "text": _TEXT,
                            "window": _MAYBE_TEXT,
                            "trigger": {"description": "Whether it is a reason to go back", "type": "boolean"},
                            "check": {"description": "The check that it is of, where it is one", **_MAYBE_TEXT},
                            "policy": {"description": "What its window says of rollbacks", **_MAYBE_TEXT},
                        },
                        "What a tick has found that a person should know",
                    ),
                },
                "decisions": {"description": "What was done about red verdicts", "type": "array"},
            },
            "The watch after the release; null without one",
            nullable=True,
        ),
        "triggers": {
            "description": "What has spoken against the release, and what was done about it",
            "type": "array",
            "items": _object(
                "time source trigger action reason",
                {
                    "time": _TIME,
                    "source": {"enum": ["gate", "watch", "alert", "declared"]},
                    "trigger": _TEXT,
                    "level": _MAYBE_TEXT,
                    "action": {"enum": ["rollback", "ask", "record"]},
                    "reason": _TEXT,
                    "why": {"description": "Why it is no rollback", **_MAYBE_TEXT},
                    "command": {"description": "What a person was asked to run", **_MAYBE_TEXT},
                },
                "A trigger that has fired",
            ),
        },
        "rollback": _object(
            "level to seconds",
            {
                "level": {"type": "integer", "minimum": 0, "maximum": 3},
                "to": _MAYBE_TEXT,
                "seconds": _MAYBE_SECONDS,
                "budget_seconds": _MAYBE_SECONDS,
                "artifact": _MAYBE_TEXT,
                "reason": _MAYBE_TEXT,
                "verified": {"type": "boolean"},
                "hosts": {"type": "array", "items": _TEXT},
            },
            "The way back; null when there was none",
            nullable=True,
        ),
        "error": _object(
            "stage host message",
            {"stage": _MAYBE_TEXT, "host": _MAYBE_TEXT, "message": _TEXT},
            "The first failure; null when there was none",
            nullable=True,
        ),
        "preflight": {
            "type": "array",
            "items": _object(
                "host checks",
                {"host": _TEXT, "groups": {"type": "array"}, "checks": {"type": "array"}},
                "The checks of one host",
            ),
        },
        "hosts": {
            "type": "array",
            "items": _object(
                "host outcome",
                {
                    "host": _TEXT,
                    "outcome": {
                        "enum": ["succeeded", "rolled_back", "failed", "unchanged", "unfinished", "unreachable"]
                    },
                    "from": _MAYBE_TEXT,
                    "moved": {"description": "Whether the switch was entered", "type": "boolean"},
                    "journal_head": _MAYBE_TEXT,
                },
                "What one host says",
            ),
        },
        "journal_head": {"type": "object", "additionalProperties": _MAYBE_TEXT},
        "issues": {"description": "What is worth knowing beside the outcome", "type": "array", "items": _TEXT},
    },
}


def violations(report: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a report, as `path: what`, in the order of the paths. Needs jsonschema."""
    errors = sorted(Draft202012Validator(SCHEMA).iter_errors(report), key=lambda error: list(map(str, error.path)))
    return [f"{error.json_path.removeprefix('$.')}: {error.message}" for error in errors]
