#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_preload
short_description: Load keys into a Redis or Valkey before it gets traffic
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Loads a snapshot of M(sluice.release.redis_snapshot), the keys of another running server, a file of commands, or a
    file of JSON lines.
  - What is hot is never evicted for it. Memory and evictions are watched behind every batch; it stops before memory
    reaches O(max_memory_pct), and at the first eviction since it began.
  - What is on the server is not overwritten, unless O(existing=replace).
  - A file is read to its end before anything of it is sent. One that is cut or has a bad line is refused as a whole.
  - About as quick as C(redis-cli --pipe). Memory does not grow with the number of keys.
  - How it ended is one of few words, RV(stopped). Unless it is V(complete), the task fails, or under
    O(policy=best_effort) warns.
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
    details: With O(existing=keep) a second run finds the keys and writes none of them. With V(replace) it writes them
      again.
options:
  snapshot:
    description:
      - File of M(sluice.release.redis_snapshot). Keys end when they would have ended; what has ended is left out.
      - A server may refuse the payloads of a newer one. That is counted in RV(failures).
    type: path
  from_url:
    description:
      - URL of another running server, whose keys are copied with their times to live, without a file. O(patterns),
        O(exclude), O(max_keys), O(max_bytes) and O(max_value_bytes) say which.
      - The certificates of O(url) hold for it too.
    type: str
  from_username:
    description: User of O(from_url), where it names none.
    type: str
  from_password:
    description: The user's password, where O(from_url) has none.
    type: str
  commands:
    description:
      - File of commands, in the protocol of Redis or one on each line, as C(redis-cli --pipe) takes it.
      - Only writes that do the same when they come twice are taken, C(SET), C(SETNX), C(SETEX), C(PSETEX), C(SETRANGE),
        C(SETBIT), C(HSET), C(HMSET), C(HSETNX), C(HEXPIREAT), C(HPEXPIREAT), C(SADD), C(ZADD), C(GEOADD), C(PFADD),
        C(RESTORE), C(EXPIRE), C(PEXPIRE), C(EXPIREAT), C(PEXPIREAT) and C(PERSIST). Any other is refused by its line,
        before anything was sent.
      - With O(existing=keep) the commands of one key should stand near each other. It is remembered for some 16000 keys
        whether they were there before. A key that is set more than once keeps any one of its values.
      - The quickest is a file of C(SET) with a key and a value alone, or of C(SET) with C(EX) or the like alone, in the
        protocol of Redis.
    type: path
  keys:
    description:
      - File of JSON lines, an object on each, with C(key); C(value); C(type), which is V(string), V(list), V(set),
        V(zset) or V(hash), by default V(string); and C(ttl) in seconds from now on, or C(expires_at) as a Unix time.
      - The value of a list or set is an array, that of a hash or zset an object (of a zset from member to score).
      - A key is written as a whole.
    type: path
  existing:
    description:
      - V(keep) leaves a key alone that the server has. What is in use there is newer than what is loaded.
      - V(replace) overwrites it. Commands are then sent as they are, so that C(HSET) adds to a hash.
    type: str
    choices: [keep, replace]
    default: keep
  batch:
    description: Number of commands that are sent together, while the server works on those before them.
    type: int
    default: 5000
  rate:
    description: Number of keys that are sent in a second at most. By default as many as the server takes.
    type: float
  budget:
    description: Seconds that it may take, with reading the source.
    type: float
    default: 300.0
  max_memory_pct:
    description:
      - Percent of C(maxmemory) that may be used. It stops before they are.
      - Where the server has no C(maxmemory), percent of the machine's memory.
    type: float
    default: 90.0
  errors_max:
    description: Number of keys that may fail. With so many it stops.
    type: int
    default: 100
  policy:
    description:
      - V(required) fails when it does not come to the end of its source, with the result in the failure.
      - V(best_effort) warns then, and returns RV(warm=false).
    type: str
    choices: [required, best_effort]
    default: required
seealso:
  - module: sluice.release.redis_snapshot
"""

EXAMPLES = r"""
- name: Warm the new cache with what was hot in the old one
  sluice.release.redis_preload:
    url: "{{ sluice_redis_url }}"
    snapshot: /var/lib/sluice/dealradarus/cache.snapshot

- name: Copy from the old server, gently, and go on if it does not work
  sluice.release.redis_preload:
    url: redis://10.0.0.12:6379/0
    from_url: redis://10.0.0.11:6379/0
    exclude: ["session:*"]
    max_keys: 200000
    rate: 20000
    budget: 60
    policy: best_effort

- name: Load what the application has prepared
  sluice.release.redis_preload:
    url: "{{ sluice_redis_url }}"
    commands: /srv/app/current/warm.resp
"""

RETURN = r"""
stopped:
  description:
    - How it ended. V(complete) when the source was at its end.
    - V(budget) when the time was over; V(memory) when more would have crossed O(max_memory_pct); V(evictions) when the
      server has evicted keys since it began; V(refused) when the server's memory was full; V(gone) when the server does
      not answer, from the beginning or half-way; V(errors) when the source is of no use, or too many keys failed.
  returned: when the options make sense
  type: str
  sample: complete
warm:
  description: Whether RV(stopped) is V(complete).
  returned: when the options make sense
  type: bool
reason:
  description: The same in a sentence.
  returned: when the options make sense
  type: str
  sample: the source is at its end, 100000 keys were written
keys:
  description: Number of keys, commands or lines of the source, or of the keys that it may take at most; null when it is
    not known.
  returned: when the options make sense
  type: int
written:
  description: Number of keys that were written.
  returned: when the options make sense
  type: int
kept:
  description: Number of keys that the server had, and that were left alone.
  returned: when the options make sense
  type: int
expired:
  description: Number of keys of the source that had ended, and were left out.
  returned: when the options make sense
  type: int
errors:
  description: Number of keys that the server refused.
  returned: when the options make sense
  type: int
unanswered:
  description: Number of keys that were on their way when the server went.
  returned: when the options make sense
  type: int
failures:
  description: Why keys failed.
  returned: when the options make sense
  type: list
  elements: dict
  contains:
    cause:
      description: A word for it, such as V(version), V(type), V(permission), V(moved) or V(other).
      type: str
    reason:
      description: The same in a sentence.
      type: str
    count:
      description: Number of keys.
      type: int
large:
  description: Number of keys of O(from_url) that were left out because of O(max_value_bytes).
  returned: when the options make sense
  type: int
bytes:
  description: Bytes that were sent.
  returned: when the options make sense
  type: int
seconds:
  description: Seconds that it took, with reading the source.
  returned: when the options make sense
  type: float
rate:
  description: Keys that were written in a second.
  returned: when the options make sense
  type: float
  sample: 412000.0
evicted_before:
  description: Number of keys that the server had evicted since it started, when the preload began; of a cluster, all
    primaries together. Null when the server was not reached, like the four below.
  returned: when the options make sense
  type: int
evicted_after:
  description: The same at the end.
  returned: when the options make sense
  type: int
used_memory_before:
  description: Bytes that the server used when the preload began.
  returned: when the options make sense
  type: int
used_memory_after:
  description: The same at the end.
  returned: when the options make sense
  type: int
maxmemory:
  description: Bytes that the server may use; V(0) for no such limit.
  returned: when the options make sense
  type: int
server:
  description: The server and its version.
  returned: when the options make sense
  type: str
  sample: redis 7.0.15
nodes:
  description: Number of its nodes that have keys, 1 without a cluster.
  returned: when the options make sense
  type: int
"""


from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_entry import ACCESS, PRELOAD, SELECTION
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_preload import Means, options_of, preload

SOURCES = ("snapshot", "from_url", "commands", "keys")


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ACCESS, **SELECTION, **PRELOAD, **PROGRESS},
        mutually_exclusive=[SOURCES],
        required_one_of=[SOURCES],
        supports_check_mode=True,
    )
    means = Means(Progress(module.params["progress"]), module.warn, module.check_mode)
    run(module, lambda params: preload(options_of(params), means))


if __name__ == "__main__":
    main()
