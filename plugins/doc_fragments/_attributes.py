# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # Standard documentation fragment
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Will return details on what has changed, or would change in C(check_mode), when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run changes nothing.
    support: full
"""

    # For modules that change nothing: sluice.release._attributes.info
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
    details: This module changes nothing.
  diff_mode:
    description: Will return details on what has changed, or would change in C(check_mode), when in diff mode.
    support: N/A
    details: This module changes nothing.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run changes nothing.
    support: full
    details: This module changes nothing.
"""

    # For modules that make something new at every call, such as a backup: sluice.release._attributes.not_idempotent
    NOT_IDEMPOTENT = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Will return details on what has changed, or would change in C(check_mode), when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run changes nothing.
    support: none
    details: Every call makes something new.
"""

    # For every module: sluice.release._attributes.action_group
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/sluice.release.all) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - sluice.release.all
"""

    # For modules that run through the action plugin sluice.release.run_module: sluice.release._attributes.action_plugin
    ACTION_PLUGIN = r"""
options: {}
attributes:
  action:
    description: Has a corresponding action plugin, so that some of its work is done on the controller.
    support: full
"""
