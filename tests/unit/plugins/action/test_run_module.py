# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugin knows of the connection that it was given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.connection.local import Connection as Local
from ansible_mitogen.connection import Connection as Mitogen

from ansible_collections.sluice.release.plugins.action import run_module


@pytest.mark.parametrize(("base", "expected"), [(Local, False), (Mitogen, True)])
def test_a_connection_of_mitogen_is_known(base: type[Any], expected: bool) -> None:
    # As Ansible's loader names a plugin, wherever its file is.
    kind = type("Connection", (base,), {"__module__": "ansible.plugins.connection.some", "__init__": lambda self: None})
    kind.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    action = SimpleNamespace(_connection=kind())
    assert run_module.ActionModule._through_mitogen(action) is expected
