# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal and the lock under kill -9, torn files and writers at the same time, with real processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal import _advance, _lock, _state, _store

CONTEXT = multiprocessing.get_context("fork")
KILLS = 40


def record(state_dir: str, state: str, release: str, **more: Any) -> None:
    with _store.writing(state_dir, "test"):
        entries = _store.read(state_dir)
        request = _advance.Request(state, release, **more)
        _store.append(state_dir, entries, _advance.advance(entries, request, _store.now()))


def release_after_release(state_dir: str, round_: int, acknowledge: Any) -> None:
    """Write releases until killed; say after every event that it was written."""
    for number in range(10_000):
        release = f"r{round_}-{number}"
        for state, more in (
            ("opened", {"data": {"kind": "deploy", "filler": "x" * 2000}}),
            ("entered", {"stage": "preflight"}),
            ("entered", {"stage": "switch", "data": {"artifact": {"id": release}}}),
            ("closed", {"outcome": "succeeded"}),
        ):
            record(state_dir, state, release, **more)
            acknowledge.send((release, state, more.get("stage")))


def test_a_writer_killed_at_any_moment_leaves_what_it_had_acknowledged(tmp_path: Path) -> None:
    state_dir, rng = str(tmp_path), random.Random(20261122)
    written = 0
    for round_ in range(KILLS):
        here, there = CONTEXT.Pipe(duplex=False)
        writer = CONTEXT.Process(target=release_after_release, args=(state_dir, round_, there))
        writer.start()
        there.close()
        here.recv()  # it has begun to write
        time.sleep(rng.uniform(0, 0.02))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        last = None
        try:
            while True:
                last = here.recv()
        except EOFError:
            pass
        entries = _store.read(state_dir)
        assert len(entries) > written
        written = len(entries)
        if last is not None:
            release, state, stage = last
            assert any((e["release"], e["event"], e["stage"]) == (release, state, stage) for e in entries)
        # The next run finds what is open, ends it, and goes on.
        opened = _state.derive(entries)["open"]
        if opened is not None:
            record(state_dir, "closed", opened["release"], outcome="failed")
        assert _state.derive(_store.read(state_dir))["open"] is None
        leftovers = [name for name in os.listdir(tmp_path / "journal") if not name.endswith(".jsonl")]
        assert opened is None or leftovers == []


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A state directory with one finished and one open release."""
    for release in ("r1", "r2"):
        record(str(tmp_path), "opened", release, data={"kind": "deploy"})
        record(str(tmp_path), "entered", release, stage="switch", data={"artifact": {"id": release}})
        if release == "r1":
            record(str(tmp_path), "closed", release, outcome="succeeded")
    return tmp_path


@pytest.mark.parametrize("segment", ["000001-r1.jsonl", "000002-r2.jsonl"])
def test_a_segment_cut_off_at_any_byte_is_not_trusted(journal: Path, segment: str) -> None:
    path = journal / "journal" / segment
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(SluiceError, match="Cannot trust the journal"):
            _store.read(str(journal))
    path.write_bytes(content)
    assert len(_store.read(str(journal))) == 6


def test_a_segment_with_any_other_byte_is_not_trusted(journal: Path) -> None:
    path = journal / "journal/000002-r2.jsonl"
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x01
        path.write_bytes(bytes(changed))
        with pytest.raises(SluiceError, match="Cannot trust the journal"):
            _store.read(str(journal))


def test_a_temporary_file_of_any_length_is_no_obstacle(journal: Path) -> None:
    content = (journal / "journal/000002-r2.jsonl").read_bytes()
    before = _store.read(str(journal))
    leftover = journal / "journal/.sluice-tmp-dead"
    for length in range(0, len(content), 37):
        leftover.write_bytes(content[:length])
        assert _store.read(str(journal)) == before
    record(str(journal), "noted", "r2", name="alive")
    assert not leftover.exists()


def at_once(functions: list[Callable[[], None]]) -> None:
    """Run the functions in processes of their own, begun at the same moment; all must succeed."""
    barrier = CONTEXT.Barrier(len(functions))

    def begin(function: Callable[[], None]) -> None:
        barrier.wait(30)
        function()

    processes = [CONTEXT.Process(target=begin, args=(function,)) for function in functions]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * len(functions)


def test_two_writers_at_once_lose_nothing(journal: Path) -> None:
    def write(who: int) -> None:
        for number in range(25):
            record(str(journal), "noted", "r2", name=f"writer {who}", data={"number": number})

    at_once([lambda who=who: write(who) for who in range(2)])  # type: ignore[misc]
    notes = [entry for entry in _store.read(str(journal)) if entry["event"] == "noted"]
    for who in range(2):
        assert [e["data"]["number"] for e in notes if e["name"] == f"writer {who}"] == list(range(25))


def test_a_reader_beside_a_writer_always_sees_a_whole_journal(journal: Path) -> None:
    stop = CONTEXT.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            record(str(journal), "noted", "r2", name="n", data={"number": number})

    writer = CONTEXT.Process(target=write)
    writer.start()
    try:
        counts: list[int] = []
        while len(set(counts)) < 20:
            counts.append(len(_store.read(str(journal))))
    finally:
        stop.set()
        writer.join(10)
    assert counts == sorted(counts)
    assert writer.exitcode == 0


def test_of_many_claims_at_once_one_is_granted(tmp_path: Path) -> None:
    granted = CONTEXT.Queue()

    def claim(token: str) -> None:
        with _store.writing(str(tmp_path), "test"):
            wanted, now = _lock.Claim(token, token), time.time()
            decision = _lock.decide(_lock.read_lock(str(tmp_path)), wanted, now)
            if decision.action == "acquire":
                _lock.write_lock(str(tmp_path), _lock.hold(wanted, None, now), new=True)
                granted.put(token)

    at_once([lambda who=who: claim(f"run {who}") for who in range(6)])  # type: ignore[misc]
    holder = _lock.read_lock(str(tmp_path))
    assert holder is not None
    assert granted.get(timeout=10) == holder["token"]
    assert granted.empty()
