#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_migrate
short_description: Apply or take back an application's database migrations
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Works with any migration tool that can print what is pending. It is asked before and after, and its command runs
    only when something is pending.
  - A command that ends well and leaves something pending is a failure. So is one that does not end within O(budget);
    its whole process group is ended then.
  - The commands run in the environment of the config version and without a shell. What they print comes back with
    secrets blackened.
  - On PostgreSQL a migration cannot queue for long behind a lock, where it would hold up everybody who comes after it.
    Its sessions get O(lock_timeout) and O(statement_timeout) through E(PGOPTIONS), and while it runs a session of this
    module looks every second for whom it blocks, and who blocks it. It warns, and after O(blocked_max) it has the
    server end the migration.
  - libpq (psql, psycopg, Ruby's pg, PHP) and node-postgres heed E(PGOPTIONS), and E(PGAPPNAME), by which the sessions
    are known. When a tool does not, the module says that it could not watch.
  - Two of these modules never run at once on a host, not even when one of them was left behind by a controller that is
    gone.
extends_documentation_fragment:
  - sluice.release._attributes
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
attributes:
  check_mode:
    support: full
    details: The status command runs in check mode, too; it must not change anything.
options:
  state:
    description:
      - V(applied) applies all pending migrations.
      - V(reverted) takes back O(migrations), or runs O(revert) once without them.
    type: str
    choices: [applied, reverted]
    default: applied
  status:
    description: Command that prints what is pending, as a list of program and arguments.
    type: list
    elements: str
    required: true
  command:
    description: Command that applies everything that is pending. Required for O(state=applied).
    type: list
    elements: str
    default: []
  revert:
    description:
      - Command that takes migrations back. Required for O(state=reverted).
      - It is run as often as it takes until all O(migrations) are pending again.
    type: list
    elements: str
    default: []
  migrations:
    description: Names of the migrations to take back, as RV(applied) of the run that applied them.
    type: list
    elements: str
    default: []
  pending_pattern:
    description:
      - Regular expression that is found in every line of the status output that names a pending migration.
      - The name is group C(name), else the first group, else the whole line.
    type: str
    required: true
  none_pattern:
    description:
      - Regular expression that is found in a line of the status output when nothing is pending.
      - With it, an output that matches neither pattern is a failure and not an empty list.
    type: str
  status_rc:
    description:
      - Exit statuses of the status command that are no failure.
      - Another one than 0 counts only when a pending migration was named.
    type: list
    elements: int
    default: [0]
  chdir:
    description: Directory in which the commands run, usually that of the release.
    type: path
    required: true
  config:
    description: File with the environment variables, a flat JSON object of strings.
    type: path
  database_url:
    description:
      - URL of the database, past any pooler of connections. The commands find it in O(url_variable).
      - By default the variable E(DIRECT_DATABASE_URL) of O(config), or else E(DATABASE_URL).
      - Locks are watched only where it is a URL of PostgreSQL.
    type: str
  url_variable:
    description: Environment variable in which the commands look for the URL.
    type: str
    default: DATABASE_URL
  lock_timeout:
    description:
      - Seconds that a statement of the migration may wait for a lock before it gives up. V(0) leaves it as it is.
      - Some poolers refuse a connection with E(PGOPTIONS). Without a direct URL, set it and O(statement_timeout) to
        V(0).
    type: float
    default: 5.0
  statement_timeout:
    description:
      - Seconds that a statement of the migration may take. V(0) leaves it as it is.
      - By default O(budget), so that the server ends what outlives its client.
    type: float
  blocked_max:
    description:
      - Seconds that other sessions may wait for the migration, or it for them, before it is ended. With V(0) it is only
        warned of.
    type: float
    default: 30.0
  count_rows_mb:
    description:
      - Up to this size of all tables together, in megabytes, their rows are counted before and after. V(0) is never.
    type: float
    default: 500.0
  path_prepend:
    description: Directories to search for programs before E(PATH).
    type: list
    elements: path
    default: []
  budget:
    description: Seconds that everything together may take.
    type: float
    default: 600.0
  state_dir:
    description: State directory of the application, where the lock of this host lies.
    type: path
    required: true
  token:
    description:
      - Migrate only while the lock of M(sluice.release.release_lock) in O(state_dir) is held by this token.
      - Not looked at in check mode, in which no lock is taken.
    type: str
"""

EXAMPLES = r"""
- name: Apply the migrations of the new release
  sluice.release.release_migrate:
    status: [npx, node-pg-migrate, up, --dry-run]
    command: [npx, node-pg-migrate, up]
    pending_pattern: '^### MIGRATION (?P<name>\S+) \(UP\) ###'
    none_pattern: '^No migrations to run'
    chdir: /srv/dealradarus/releases/1.1.0-0123456789ab
    config: /srv/dealradarus/config/7/env.json
    path_prepend: [/opt/node/bin]
    database_url: "{{ vault_direct_database_url }}"
    budget: 300
    lock_timeout: 3
    state_dir: /var/lib/sluice/dealradarus
  register: migrate

- name: Take them back
  sluice.release.release_migrate:
    state: reverted
    status: [npx, node-pg-migrate, up, --dry-run]
    revert: [npx, node-pg-migrate, down]
    migrations: "{{ migrate.applied }}"
    pending_pattern: '^### MIGRATION (?P<name>\S+) \(UP\) ###'
    chdir: /srv/dealradarus/releases/1.1.0-0123456789ab
    config: /srv/dealradarus/config/7/env.json
    state_dir: /var/lib/sluice/dealradarus
"""

RETURN = r"""
pending_before:
  description:
    - What was pending.
    - Null in check mode when O(chdir) is still to be built, since only the release can say what it brings.
  returned: success, and failure after the command was begun
  type: list
  elements: str
  sample: [1732200000000_add-watchlists]
pending_after:
  description:
    - What is pending now; in check mode, what would be.
    - Null when the command failed and the tool could not say afterwards.
  returned: success, and failure after the command was begun
  type: list
  elements: str
applied:
  description: What was pending and is no more.
  returned: success, and failure after the command was begun
  type: list
  elements: str
reverted:
  description: What was not pending and is now.
  returned: success, and failure after the command was begun
  type: list
  elements: str
output:
  description: The last lines that the command printed, secrets blackened.
  returned: success, and failure after the command was begun
  type: list
  elements: str
rc:
  description: Exit status of the command.
  returned: when the command failed
  type: int
blocking:
  description: What was seen of locks while the command ran; null without a PostgreSQL to watch.
  returned: success, and failure after the command was begun
  type: dict
  contains:
    watched:
      description: Whether a session of the migration was seen at all; a quick one is gone before the first look.
      type: bool
    aborted:
      description: Whether the migration was ended because of a lock.
      type: bool
    seconds:
      description: For how many seconds without a break it blocked others, or was blocked.
      type: float
    sessions:
      description: Whom it met, with C(pid), C(user), C(application), C(state), C(waits_for) (V(migration) for one that
        waited for it, V(session) for one that it waited for) and C(seconds).
      type: list
      elements: dict
rows:
  description:
    - Rows before and after, of all tables (C(before), C(after)) and of those where the number is another (C(changed)).
    - Null where they were not counted. Others write meanwhile, so this is evidence and no verdict.
  returned: success, and failure after the command was begun
  type: dict
  contains:
    tables_before: {description: Number of tables before., type: int}
    tables_after: {description: Number of tables after., type: int}
    before: {description: Rows of all tables before., type: int}
    after: {description: Rows of all tables after., type: int}
    changed:
      description: C(table), C(before) and C(after); null for a table that is not there.
      type: list
      elements: dict
seconds:
  description: Seconds that it took.
  returned: success, and failure after the command was begun
  type: float
"""

import os
from collections.abc import Mapping
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils._runner import SubprocessRunner
from ansible_collections.sluice.release.plugins.module_utils.migrate._migrate import MigrateOptions, Migrator
from ansible_collections.sluice.release.plugins.module_utils.migrate._pending import read_environment, secret_values
from ansible_collections.sluice.release.plugins.module_utils.migrate._session import choose_url, is_postgres
from ansible_collections.sluice.release.plugins.module_utils.postgres._url import DatabaseUrl, parse_url

COMMAND = {"type": "list", "elements": "str"}
OPTIONS = {
    "state": {"type": "str", "choices": ["applied", "reverted"], "default": "applied"},
    "status": {**COMMAND, "required": True},
    "command": {**COMMAND, "default": []},
    "revert": {**COMMAND, "default": []},
    "migrations": {"type": "list", "elements": "str", "default": []},
    "pending_pattern": {"type": "str", "required": True},
    "none_pattern": {"type": "str"},
    "status_rc": {"type": "list", "elements": "int", "default": [0]},
    "chdir": {"type": "path", "required": True},
    "path_prepend": {"type": "list", "elements": "path", "default": []},
    "budget": {"type": "float", "default": 600.0},
    "state_dir": {"type": "path", "required": True},
    "lock_timeout": {"type": "float", "default": 5.0},
    "statement_timeout": {"type": "float"},
    "blocked_max": {"type": "float", "default": 30.0},
    "count_rows_mb": {"type": "float", "default": 500.0},
    "token": {"type": "str", "no_log": False},
}
# What becomes part of the environment of the commands.
ENVIRONMENT = {
    "config": {"type": "path"},
    "database_url": {"type": "str", "no_log": True},
    "url_variable": {"type": "str", "default": "DATABASE_URL"},
}
ACTS = {"applied": "command", "reverted": "revert"}


NOTHING_DONE: dict[str, Any] = {
    "applied": [],
    "reverted": [],
    "output": [],
    "blocking": None,
    "rows": None,
    "seconds": 0.0,
    "diff": {"before": {}, "after": {}},
}


def migrate(module: AnsibleModule, params: Mapping[str, Any]) -> dict[str, Any]:
    act = ACTS[params["state"]]
    for option in ("status", act):
        if not params[option]:
            raise SluiceError("migrate the database", f"the option {option} is empty", "Name the tool's command")
    if module.check_mode and not os.path.isdir(params["chdir"]):
        # Check mode of a whole release comes here with a release directory that nobody has built.
        return {"changed": False, "pending_before": None, "pending_after": None, **NOTHING_DONE}
    environment = read_environment_of(params["config"])
    url = choose_url(params["database_url"], environment)
    if url:
        environment[params["url_variable"]] = url
    options = MigrateOptions(**{name: params[name] for name in OPTIONS})
    return Migrator(
        options,
        environment,
        SubprocessRunner([*secret_values(environment), *filter(None, [url])]),
        Progress(params["progress"]),
        module.warn,
        module.check_mode,
        watched_url(url, options, module),
    ).run()


def watched_url(url: Optional[str], options: MigrateOptions, module: AnsibleModule) -> Optional[DatabaseUrl]:
    """The database whose locks are watched; None where there is none that has locks of this kind."""
    if not url or not is_postgres(url):
        return None
    parsed = parse_url(url)
    if options.lock_timeout and "options" in dict(parsed.parameters):
        module.warn("The URL of the database has options of its own, so that libpq does not heed PGOPTIONS.")
    return parsed


def read_environment_of(path: str | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        with open(path, encoding="utf-8") as stream:
            return read_environment(stream.read(), path)
    except OSError as error:
        raise SluiceError(f"read {path}", error.strerror or str(error)) from error


def main() -> None:
    module = AnsibleModule(
        argument_spec={**OPTIONS, **ENVIRONMENT, **PROGRESS},
        supports_check_mode=True,
    )
    run(module, lambda params: migrate(module, params))


if __name__ == "__main__":
    main()
