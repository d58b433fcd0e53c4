#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_snapshot
short_description: Write the hot keys of a Redis or Valkey to a file, to warm another one with
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Writes each key with its type, its payload (C(DUMP)) and the moment at which it ends, so that times to live are
    exact however long the file lies. M(sluice.release.redis_preload) loads it.
  - Only C(SCAN) looks for keys, so that the server goes on answering others meanwhile; a key that is written, made or
    removed while the snapshot is taken may be in it or not. It is for caches, and is no backup.
  - The file appears whole or not at all, only its owner may read it, and it ends with the number of keys and a
    checksum. Values are in the file alone, in no result, difference or message.
  - Memory does not grow with the number of keys.
  - Reading does not make a key hot where the server has C(CLIENT NO-TOUCH) (Redis 7.2, Valkey). An older one counts
    the keys that are taken as used at that moment.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
  - sluice.release._redis
  - sluice.release._redis.selection
attributes:
  diff_mode:
    support: none
    details: What it would show are data of customers.
  idempotent:
    support: partial
    details: With O(max_age), a file that is young enough is left alone. Without it, every run takes a new snapshot.
options:
  path:
    description: The file. Its directory is made when it is missing. A file that is there is replaced at the end.
    type: path
    required: true
  keys:
    description: Names of the keys that are taken, instead of looking for them by O(patterns).
    type: list
    elements: str
    default: []
  budget:
    description: Seconds that it may take. Then the file is finished with the keys that it has.
    type: float
    default: 300.0
  max_age:
    description:
      - Seconds. A whole snapshot at O(path) that is not older is left alone and returned, whatever it was taken of.
      - With V(0) there is always a new one.
    type: float
    default: 0.0
seealso:
  - module: sluice.release.redis_preload
"""

EXAMPLES = r"""
- name: Keep the hundred thousand hottest keys, but no sessions
  sluice.release.redis_snapshot:
    url: "{{ sluice_redis_url }}"
    path: /var/lib/sluice/dealradarus/cache.snapshot
    exclude: ["session:*", "lock:*"]
    max_keys: 100000

- name: Take a snapshot of a cluster over TLS, in a minute at most
  sluice.release.redis_snapshot:
    url: "rediss://warmer:{{ secret }}@cache-1.example.com:6379"
    ca_path: /etc/ssl/certs/internal.pem
    path: /var/lib/sluice/shop/cache.snapshot
    budget: 60
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
keys:
  description: Number of keys in it; in check mode the number that it would take.
  returned: success
  type: int
  sample: 100000
bytes:
  description: Size of the file; null in check mode.
  returned: success
  type: int
sha256:
  description: Checksum that stands at its end; null in check mode.
  returned: success
  type: str
types:
  description: Number of keys by type; empty when the file was left alone, and in check mode.
  returned: success
  type: dict
  sample: {string: 91000, hash: 9000}
large:
  description: Number of keys that were left out because of O(max_value_bytes).
  returned: success
  type: int
order:
  description: By what the hottest keys were found, V(freq) or V(idle); V(none) when all were taken, or when the server
    does not tell. Null when nothing was read.
  returned: success
  type: str
stopped:
  description: Why it ended, V(complete), V(max_keys), V(max_bytes) or V(budget). Null when the file was left alone.
  returned: success
  type: str
  sample: complete
created:
  description: When the snapshot was begun.
  returned: success
  type: str
  sample: '2026-11-22T01:30:00.000Z'
server:
  description: The server that it was taken of, and its version.
  returned: success
  type: str
  sample: valkey 9.1.2
nodes:
  description: Number of its nodes that have keys, 1 without a cluster.
  returned: success
  type: int
seconds:
  description: Seconds that it took.
  returned: success
  type: float
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_entry import (
    ACCESS,
    LIBRARIES,
    SELECTION,
    access_of,
    see_that_positive,
    selection_of,
)
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_snapshot import SnapshotOptions, take_snapshot


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ACCESS,
            **SELECTION,
            **PROGRESS,
            "path": {"type": "path", "required": True},
            "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "budget": {"type": "float", "default": 300.0},
            "max_age": {"type": "float", "default": 0.0},
        },
        supports_check_mode=True,
    )
    run(module, lambda params: take_snapshot(_options(params), Progress(params["progress"]), module.check_mode))


def _options(params: dict[str, Any]) -> SnapshotOptions:
    doing = "take a snapshot"
    require(doing, LIBRARIES, LIBRARIES)
    see_that_positive(doing, params, ("budget", "timeout", "max_keys", "max_bytes", "max_value_bytes"))
    selection = selection_of(params, params["keys"])
    return SnapshotOptions(access_of(params), params["path"], selection, params["budget"], params["max_age"])


if __name__ == "__main__":
    main()
