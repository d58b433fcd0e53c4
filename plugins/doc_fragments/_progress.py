# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # The option that goes with PROGRESS of module_utils/_argspec.py
    DOCUMENTATION = r"""
options:
  progress:
    description:
      - File in which the module says how far it has come.
      - Private. The action plugin of this collection sets it; leave it alone in playbooks.
    type: path
"""
