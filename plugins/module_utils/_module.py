# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def run(module: AnsibleModule, function: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Call ``function`` with the module's parameters and leave the module with its result.

    This is the only place that turns an error into a failed task. The fields of a SluiceError become keys of the
    failure, so that it carries the same evidence as a success would.
    """
    try:
        result = function(module.params)
    except SluiceError as error:
        # The cause belongs to the error: Ansible adds it to the traceback when a person asks for tracebacks.
        fields = {key: value for key, value in error.fields.items() if key not in ("msg", "exception", "failed")}
        if _was_fenced(error):
            fields["fenced"] = True
        module.fail_json(msg=str(error), **fields)
    module.exit_json(**result)


def _was_fenced(error: BaseException | None) -> bool:
    """Return whether a lost lock is behind the error, however often others have wrapped it."""
    while error is not None:
        if isinstance(error, SluiceError) and error.fields.get("fenced"):
            return True
        error = error.__cause__
    return False
