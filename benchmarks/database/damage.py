# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways in which the files of a backup go bad: each changes them for certain, and is the same for the same seed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

BLOCK = 4096


def _choose(files: list[Path], chance: random.Random) -> Path:
    """Choose a file by its size: every byte is as likely as any other."""
    return chance.choices(files, [file.stat().st_size for file in files])[0]


def flip(files: list[Path], chance: random.Random) -> None:
    """Change a single bit."""
    file = _choose(files, chance)
    where = chance.randrange(file.stat().st_size)
    with file.open("r+b") as stream:
        stream.seek(where)
        byte = stream.read(1)[0]
        stream.seek(where)
        stream.write(bytes([byte ^ 1 << chance.randrange(8)]))


def truncate(files: list[Path], chance: random.Random) -> None:
    """Cut the end off."""
    file = _choose(files, chance)
    with file.open("r+b") as stream:
        stream.truncate(chance.randrange(file.stat().st_size))


def zero(files: list[Path], chance: random.Random) -> None:
    """Zero a block of 4 KiB, or what there is of it, as a bad sector or a lost write does."""
    while True:
        file = _choose(files, chance)
        data = file.read_bytes()
        start = chance.randrange(-(-len(data) // BLOCK)) * BLOCK
        block = data[start : start + BLOCK]
        if block.strip(b"\0"):
            file.write_bytes(data[:start] + bytes(len(block)) + data[start + BLOCK :])
            return


def swap(files: list[Path], chance: random.Random, later: list[Path]) -> None:
    """Exchange two files, or take one of another moment: both are whole in themselves."""
    if len(files) > 2 and chance.random() < 0.5:
        first, second = chance.sample([file for file in files if file.name != "toc.dat"], 2)
        first_data, second_data = first.read_bytes(), second.read_bytes()
        if first_data != second_data:
            first.write_bytes(second_data)
            second.write_bytes(first_data)
            return
    known = {file.name: file for file in later}
    file = chance.choice([file for file in files if file.read_bytes() != known[file.name].read_bytes()])
    shutil.copyfile(known[file.name], file)


Damage = Callable[[list[Path], random.Random], None]

# How often each is done, over all sets together.
COUNTS = {"bit flips": 500, "truncations": 100, "zeroed blocks": 50, "swapped files": 20}
