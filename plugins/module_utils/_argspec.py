# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from typing import Any

# Pieces that several modules share. Each is a value: spread it into an argument_spec.

# The state directory of an application on this host; see the fragment sluice.release._attributes.
STATE_PATH: dict[str, Any] = {"path": {"type": "path", "required": True}}

# Set by the action plugin alone; see module_utils/_progress.py and the fragment sluice.release._progress.
PROGRESS: dict[str, Any] = {"progress": {"type": "path"}}
