#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_info
short_description: Look at a PostgreSQL database without being in anybody's way
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Measures and counts what decides whether a release may begin or has gone well, and returns flat keys, named with
    their units. It judges little; comparing is for those who gather.
  - Every query runs in a read-only transaction of its own, for at most O(statement_timeout). Nothing is set for the
    session, so that nothing stays behind in a pooler's connections. No table is locked or opened, but for reading
    the one of O(migrations), and that is given up after a second if somebody has locked it.
  - What the server refuses is null, and RV(unreadable) says why; the task does not fail for it. Without membership
    in C(pg_monitor) the sessions of other roles are counted, but may not be looked into.
  - The session of the module itself is in no number.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
requirements:
  - PostgreSQL 14 or newer
  - psycopg2
options:
  database_url:
    description: URL of the database, with user and password.
    type: str
    required: true
  gather:
    description:
      - Subjects to look at. With V(!) before it a subject is left out; with nothing but such, all others are
        gathered. V(server) always is.
      - The subjects are V(server), V(latency), V(size), V(objects) (tables, indexes, columns), V(indexes) (invalid
        ones), V(connections), V(slow) (running queries), V(statements) (pg_stat_statements), V(locks), V(prepared)
        (transactions), V(replication), V(migrations), V(tenants), V(wraparound), V(extensions) and V(all).
      - V(migrations) and V(tenants) need the option of their name, and are left out of V(all) without it.
    type: list
    elements: str
    default: [all]
  statement_timeout:
    description: Seconds that one query may take. What takes longer is unreadable.
    type: float
    default: 5.0
  connect_timeout:
    description: Seconds to connect and log in. The URL may say otherwise.
    type: float
    default: 10.0
  samples:
    description: How often C(SELECT 1) is timed, for V(latency).
    type: int
    default: 5
  schemas:
    description: Only these schemas are counted, for V(objects). By default all but the server's own.
    type: list
    elements: str
  expected:
    description: Numbers that there should be, for V(objects).
    type: dict
    default: {}
    suboptions:
      tables:
        description: Number of tables, partitions included.
        type: int
      indexes:
        description: Number of indexes.
        type: int
      secondary_indexes:
        description: Number of indexes that no constraint made.
        type: int
  required:
    description:
      - What has to be there, for V(objects). Names are spelled as the server keeps them, with quotes around a part
        that holds a dot.
    type: dict
    default: {}
    suboptions:
      tables:
        description: Tables and views, as C(schema.table).
        type: list
        elements: str
      columns:
        description: Columns, as C(schema.table.column).
        type: list
        elements: str
      indexes:
        description: Indexes, as C(schema.index).
        type: list
        elements: str
  slow_seconds:
    description: Seconds from which a running query is slow.
    type: float
    default: 1.0
  top:
    description: Longest list of queries, sessions, locks or tables that is returned. Counts are never cut.
    type: int
    default: 10
  baseline_size_bytes:
    description: Size of the database at an earlier time, RV(database_size_bytes), for its growth since.
    type: int
  pool_size:
    description: Connections that the application's own pools may open altogether.
    type: int
  pool_role:
    description: Role of the application. By default the user of O(database_url).
    type: str
  migrations:
    description:
      - Where the applied migrations are recorded. Without O(migrations.expected) and O(migrations.directory) there is
        nothing to compare them with.
    type: dict
    suboptions:
      table:
        description: Table, as C(schema.table), or in schema C(public).
        type: str
        required: true
      column:
        description: Its column with the name of the migration.
        type: str
        default: name
      success_column:
        description: Its column that is false, 0 or null for a migration that did not succeed, such as C(finished_at)
          of Prisma or C(success) of Flyway.
        type: str
      expected:
        description: Names that are expected.
        type: list
        elements: str
      directory:
        description: Directory on the host whose entries are expected, such as C(migrations) of a release.
        type: path
      pattern:
        description:
          - Regular expression that an entry, or a name, matches as a whole when it is a migration. Its first group
            is compared, on both sides.
          - By default something that begins with a digit, C(V) and a digit, or C(R__). C(.sql), C(.up.sql), C(.js) and
            the like are left off, and C(.down.sql) is none.
        type: str
        default: '(?!.*\.down\.)((?:[VB]?\d|R__).*?)(?:\.up)?(?:\.[A-Za-z]{2,4})?'
  tenants:
    description:
      - Which schemas belong to tenants, and to which roles. A tenant's role may reach nothing of another tenant
        through rights on schema, tables or columns, whether granted to it, to everybody, or inherited; by membership;
        by foreign keys; by views, through other views too; or by its search path.
      - What a function with C(SECURITY DEFINER) shows is not seen.
    type: dict
    suboptions:
      schemas:
        description: Regular expression that matches the name of a tenant's schema as a whole. Its first group, if
          there is one, is the name of the tenant.
        type: str
        required: true
      role:
        description: Name of the role of a tenant, with C({tenant}) or C({schema}) in it.
        type: str
      pairs:
        description: More roles with the schema that is their own.
        type: list
        elements: dict
        suboptions:
          role:
            description: Name of the role.
            type: str
            required: true
          schema:
            description: Its schema.
            type: str
            required: true
seealso:
  - module: sluice.release.health_gate
  - module: sluice.release.preflight_check
"""

EXAMPLES = r"""
- name: Look how quickly the database answers
  sluice.release.pg_info:
    database_url: "{{ sluice_database_url }}"
    gather: [latency]

- name: Look at everything before the release
  sluice.release.pg_info:
    database_url: "{{ sluice_database_url }}"
    expected: {tables: 19, secondary_indexes: 55}
    required:
      columns: [public.deals.price, public.deals.currency]
    pool_size: 20
    migrations:
      table: public.pgmigrations
      directory: /srv/dealradarus/current/migrations
    tenants:
      schemas: tenant_(.+)
      role: "{tenant}_app"
  register: database

- name: See that the tenants are apart
  ansible.builtin.assert:
    that: database.tenants_isolated
    fail_msg: "{{ database.tenants_breaches }}"
"""

RETURN = r"""
database: {type: str, returned: always, sample: shop,
  description: Name of the database.}
user: {type: str, returned: always, sample: sluice,
  description: Role that looked.}
server_version: {type: str, returned: always, sample: "15.18",
  description: Version of the server.}
server_version_num: {type: int, returned: always, sample: 150018,
  description: The same as one number.}
in_recovery: {type: bool, returned: always, sample: false,
  description: "Whether the server is a standby, which cannot be written to."}
server_started: {type: str, returned: always, sample: "2026-11-22T01:30:00.000Z",
  description: "When the server was started, in UTC."}
uptime_seconds: {type: float, returned: always, sample: 86400.0,
  description: Seconds since then.}
encoding: {type: str, returned: always, sample: UTF8,
  description: Encoding of the database.}
locale_collate: {type: str, returned: always, sample: C.UTF-8,
  description: Locale that text is sorted by.}
locale_ctype: {type: str, returned: always, sample: C.UTF-8,
  description: Locale that characters are classified by.}
locale_provider: {type: str, returned: always, sample: libc,
  description: "V(libc), V(icu) or V(builtin)."}
sees_all_sessions: {type: bool, returned: always, sample: true,
  description: "Whether the role may look into the sessions of other roles, as members of C(pg_monitor) may."}
collation_version_matches: {type: bool, returned: always, sample: true,
  description: "Whether text sorts as it did when the database was made. If not, its indexes may miss rows. Null
    before PostgreSQL 15 and for locales without versions."}
connect_ms: {type: float, returned: when V(latency) is gathered, sample: 8.4,
  description: Milliseconds to connect and log in.}
latency_p50_ms: {type: float, returned: when V(latency) is gathered, sample: 0.4,
  description: Median of the milliseconds that C(SELECT 1) took.}
latency_max_ms: {type: float, returned: when V(latency) is gathered, sample: 1.1,
  description: The longest of them.}
latency_samples_ms: {type: list, elements: float, returned: when V(latency) is gathered, sample: [1.1, 0.4, 0.3],
  description: All of them.}
database_size_bytes: {type: int, returned: when V(size) is gathered, sample: 7839079,
  description: Size of the database on the server's disk.}
database_growth_bytes: {type: int, returned: when V(size) is gathered, sample: 8192,
  description: By how much that is more than O(baseline_size_bytes). Null without it.}
database_growth_ratio: {type: float, returned: when V(size) is gathered, sample: 0.001,
  description: The same as a share of O(baseline_size_bytes).}
largest_tables: {type: list, elements: dict, returned: when V(size) is gathered,
  sample: [{table: public.orders, size_bytes: 1048576, rows: 9000, dead_ratio: 0.02}],
  description: "The O(top) largest tables by the server's statistics, with C(table), C(size_bytes) (without indexes),
    C(rows) and C(dead_ratio), the share of rows that wait for vacuum."}
tables_count: {type: int, returned: when V(objects) is gathered, sample: 19,
  description: "Tables, partitions included, outside the server's own schemas."}
indexes_count: {type: int, returned: when V(objects) is gathered, sample: 55,
  description: Indexes.}
indexes_secondary_count: {type: int, returned: when V(objects) is gathered, sample: 30,
  description: "Indexes that no primary key, unique or exclusion constraint made."}
tables_by_schema: {type: dict, returned: when V(objects) is gathered, sample: {public: 19},
  description: Schema to number of tables.}
indexes_by_schema: {type: dict, returned: when V(objects) is gathered, sample: {public: 55},
  description: Schema to number of indexes.}
counts_as_expected: {type: bool, returned: when V(objects) is gathered, sample: true,
  description: Whether the numbers are those of O(expected). Null without it.}
counts_different: {type: dict, returned: when V(objects) is gathered, sample: {tables: {expected: 19, found: 18}},
  description: "Those that are not, with C(expected) and C(found)."}
tables_missing: {type: list, elements: str, returned: when V(objects) is gathered, sample: [],
  description: Those of O(required.tables) that are not there.}
columns_missing: {type: list, elements: str, returned: when V(objects) is gathered, sample: [public.orders.note],
  description: Those of O(required.columns) that are not there.}
indexes_missing: {type: list, elements: str, returned: when V(objects) is gathered, sample: [],
  description: Those of O(required.indexes) that are not there.}
required_missing_count: {type: int, returned: when V(objects) is gathered, sample: 1,
  description: All of them together. Null without O(required).}
indexes_invalid: {type: list, elements: dict, returned: when V(indexes) is gathered,
  sample: [{index: public.orders_idx, table: public.orders, building: false}],
  description: "Indexes that queries do not use, with C(index), C(table) and whether one is C(building) at this
    moment."}
indexes_invalid_count: {type: int, returned: when V(indexes) is gathered, sample: 1,
  description: Those that are not being built.}
connections_max: {type: int, returned: when V(connections) is gathered, sample: 100,
  description: The server's C(max_connections).}
connections_reserved: {type: int, returned: when V(connections) is gathered, sample: 3,
  description: Those of them that are kept for privileged roles.}
connections_limit: {type: int, returned: when V(connections) is gathered, sample: 97,
  description: Those that are left for everybody.}
connections_used: {type: int, returned: when V(connections) is gathered, sample: 12,
  description: Sessions of clients in all databases.}
connections_free: {type: int, returned: when V(connections) is gathered, sample: 85,
  description: RV(connections_limit) without RV(connections_used).}
connections_used_ratio: {type: float, returned: when V(connections) is gathered, sample: 0.1237,
  description: RV(connections_used) as a share of RV(connections_limit).}
connections_by_state: {type: dict, returned: when V(connections) is gathered, sample: {active: 2, idle: 10},
  description: State to number of sessions; V(hidden) are those that may not be looked into.}
connections_active: {type: int, returned: when V(connections) is gathered, sample: 2,
  description: Sessions that run a query. Null when some are hidden.}
connections_idle: {type: int, returned: when V(connections) is gathered, sample: 10,
  description: Sessions that wait for a query. Null when some are hidden.}
connections_idle_in_transaction: {type: int, returned: when V(connections) is gathered, sample: 0,
  description: Sessions that wait within a transaction. Null when some are hidden.}
connections_idle_in_transaction_max_seconds: {type: float, returned: when V(connections) is gathered, sample: 0.0,
  description: The longest that one of these has waited. Null when some sessions are hidden.}
connections_database_used: {type: int, returned: when V(connections) is gathered, sample: 10,
  description: Sessions in this database.}
connections_database_limit: {type: int, returned: when V(connections) is gathered, sample: 50,
  description: The database's own limit. Null without one.}
connections_database_used_ratio: {type: float, returned: when V(connections) is gathered, sample: 0.2,
  description: The former as a share of the latter.}
connections_role: {type: str, returned: when V(connections) is gathered, sample: shop,
  description: "The role that is meant next, O(pool_role) or the user."}
connections_role_used: {type: int, returned: when V(connections) is gathered, sample: 10,
  description: Sessions of this role in all databases.}
connections_role_limit: {type: int, returned: when V(connections) is gathered, sample: 20,
  description: The role's own limit. Null without one.}
connections_role_used_ratio: {type: float, returned: when V(connections) is gathered, sample: 0.5,
  description: The former as a share of the latter.}
pool_used: {type: int, returned: when V(connections) is gathered, sample: 10,
  description: Sessions of this role in this database.}
pool_size: {type: int, returned: when V(connections) is gathered, sample: 20,
  description: O(pool_size).}
pool_used_ratio: {type: float, returned: when V(connections) is gathered, sample: 0.5,
  description: The former as a share of the latter.}
connections_tightest: {type: str, returned: when V(connections) is gathered, sample: role,
  description: "The nearest limit, one of V(server), V(database), V(role) and V(pool)."}
connections_tightest_ratio: {type: float, returned: when V(connections) is gathered, sample: 0.5,
  description: How far it is used.}
slow_queries: {type: list, elements: dict, returned: when V(slow) is gathered,
  sample: [{pid: 4711, user: shop, application: api, seconds: 3.2, wait: null, query: "SELECT * FROM orders WHERE id =
    ?"}],
  description: "The O(top) longest queries of clients in this database that have run for O(slow_seconds) or longer, as
    far as they may be seen, with C(pid), C(user), C(application), C(seconds), C(wait) and C(query), which is
    shortened and has C(?) in place of every literal."}
slow_queries_count: {type: int, returned: when V(slow) is gathered, sample: 1,
  description: How many there are. Null when sessions are hidden.}
longest_query_seconds: {type: float, returned: when V(slow) is gathered, sample: 3.2,
  description: How long the longest query has run; 0 without any. Null when sessions are hidden.}
longest_transaction_seconds: {type: float, returned: when V(slow) is gathered, sample: 3.2,
  description: How long the longest transaction has lasted; 0 without any. Null when sessions are hidden.}
sessions_hidden: {type: int, returned: when V(slow) is gathered, sample: 0,
  description: Sessions in this database that the role may not look into.}
statements: {type: list, elements: dict, returned: when V(statements) is gathered,
  sample: [{query: "SELECT * FROM orders WHERE id = $1", calls: 12, mean_ms: 2.1, max_ms: 9.9, total_ms: 25.2, rows:
    12}],
  description: "The O(top) statements of this database with the longest mean time by pg_stat_statements, with
    C(query), C(calls), C(mean_ms), C(max_ms), C(total_ms) and C(rows). Null without the extension. A query that may
    not be seen is null."}
statements_slowest_mean_ms: {type: float, returned: when V(statements) is gathered, sample: 2.1,
  description: The longest mean time.}
blocked_sessions: {type: list, elements: dict, returned: when V(locks) is gathered, sample: [],
  description: "The O(top) sessions of this database that have waited longest for a lock, with C(pid), C(user),
    C(application), C(seconds), C(locktype), C(mode), C(relation), C(query), and in C(blocked_by) those who block
    them, each with C(pid), C(user), C(application), C(state), C(transaction_seconds) and C(query). Before PostgreSQL
    14, C(seconds) are those of the whole query."}
blocked_sessions_count: {type: int, returned: when V(locks) is gathered, sample: 0,
  description: How many wait for a lock.}
blocked_longest_seconds: {type: float, returned: when V(locks) is gathered, sample: 0.0,
  description: How long the first of them has waited; 0 without any. Null when a waiting session is hidden.}
table_locks: {type: list, elements: dict, returned: when V(locks) is gathered, sample: [],
  description: "Locks on tables of this database that keep at least writers out, with C(table), C(mode), C(pid),
    C(user), C(application) and C(transaction_seconds); at most O(top)."}
table_locks_count: {type: int, returned: when V(locks) is gathered, sample: 0,
  description: How many there are.}
prepared_transactions: {type: list, elements: dict, returned: when V(prepared) is gathered, sample: [],
  description: "The O(top) oldest prepared transactions of the server, with C(gid), C(owner), C(database) and
    C(seconds)."}
prepared_transactions_count: {type: int, returned: when V(prepared) is gathered, sample: 0,
  description: How many there are.}
prepared_transactions_oldest_seconds: {type: float, returned: when V(prepared) is gathered, sample: 0.0,
  description: How long ago the oldest was prepared; 0 without any.}
replication_role: {type: str, returned: when V(replication) is gathered, sample: primary,
  description: V(primary) or V(standby).}
replication_receiving: {type: bool, returned: when V(replication) is gathered,
  description: Whether a standby is connected to what it copies. Null on a primary.}
replication_standbys: {type: list, elements: dict, returned: when V(replication) is gathered,
  sample: [{name: db2, state: streaming, sync_state: async, lag_bytes: 0, lag_seconds: 0.0}],
  description: "Who copies from this server, with C(name), C(state), C(sync_state), C(lag_bytes) and C(lag_seconds)."}
replication_standbys_count: {type: int, returned: when V(replication) is gathered, sample: 1,
  description: How many they are.}
replication_lag_bytes: {type: int, returned: when V(replication) is gathered, sample: 0,
  description: "How much the slowest of them, or this standby itself, has yet to replay. Null without a copy."}
replication_lag_seconds: {type: float, returned: when V(replication) is gathered, sample: 0.0,
  description: The same in seconds.}
replication_slots: {type: list, elements: dict, returned: when V(replication) is gathered, sample: [],
  description: "Replication slots with C(name), C(type), C(active), C(wal_status), C(retained_bytes) and, since
    PostgreSQL 17, C(inactive_seconds)."}
replication_slots_inactive_count: {type: int, returned: when V(replication) is gathered, sample: 0,
  description: Slots that nobody reads from. They keep the write-ahead log until the disk is full.}
replication_slots_retained_bytes: {type: int, returned: when V(replication) is gathered, sample: 0,
  description: Most of the log that a slot keeps.}
migrations_applied: {type: list, elements: str, returned: when V(migrations) is gathered,
  sample: ["0001_init", "0002_price"],
  description: Names of the migrations that are recorded as applied.}
migrations_applied_count: {type: int, returned: when V(migrations) is gathered, sample: 2,
  description: How many.}
migrations_latest: {type: str, returned: when V(migrations) is gathered, sample: "0002_price",
  description: The last of them by name.}
migrations_failed: {type: list, elements: str, returned: when V(migrations) is gathered, sample: [],
  description: Those that are recorded without success. See O(migrations.success_column).}
migrations_failed_count: {type: int, returned: when V(migrations) is gathered, sample: 0,
  description: How many.}
migrations_pending: {type: list, elements: str, returned: when V(migrations) is gathered, sample: ["0003_tax"],
  description: Those that are expected and not applied. Null when nothing says what is expected.}
migrations_pending_count: {type: int, returned: when V(migrations) is gathered, sample: 1,
  description: How many.}
migrations_unknown: {type: list, elements: str, returned: when V(migrations) is gathered, sample: [],
  description: Those that are applied and not expected.}
migrations_unknown_count: {type: int, returned: when V(migrations) is gathered, sample: 0,
  description: How many.}
migrations_complete: {type: bool, returned: when V(migrations) is gathered, sample: false,
  description: "Whether all that is expected is applied, nothing else, and nothing failed."}
tenants_schemas: {type: list, elements: str, returned: when V(tenants) is gathered, sample: [tenant_a, tenant_b],
  description: Schemas of tenants.}
tenants_count: {type: int, returned: when V(tenants) is gathered, sample: 2,
  description: How many.}
tenants_roles_checked: {type: int, returned: when V(tenants) is gathered, sample: 2,
  description: Roles whose rights were looked at.}
tenants_roles_missing: {type: list, elements: str, returned: when V(tenants) is gathered, sample: [],
  description: Roles that should be there by O(tenants) and are not.}
tenants_search_paths: {type: dict, returned: when V(tenants) is gathered, sample: {tenant_a: "\"$user\", public"},
  description: Role to the C(search_path) that its sessions begin with.}
tenants_breaches: {type: list, elements: dict, returned: when V(tenants) is gathered,
  sample: [{kind: schema, schema: tenant_b, role: tenant_a, object: tenant_b, detail: tenant_a has USAGE on schema
    tenant_b}],
  description: "Ways from one tenant to what belongs to another, at most 100, with C(kind) (V(schema), V(table),
    V(membership), V(superuser), V(foreign_key), V(view) or V(search_path)), C(schema) (the one that is exposed),
    C(role), C(object) and C(detail)."}
tenants_breaches_count: {type: int, returned: when V(tenants) is gathered, sample: 1,
  description: How many there are.}
tenants_isolated: {type: bool, returned: when V(tenants) is gathered, sample: false,
  description: "Whether there is none. Null, with the reason in RV(unreadable), when no schema is a tenant's or a role
    is missing."}
wraparound_age_xids: {type: int, returned: when V(wraparound) is gathered, sample: 29,
  description: "Age of the oldest database of the server, in transactions."}
wraparound_ratio: {type: float, returned: when V(wraparound) is gathered, sample: 0.0,
  description: The same as a share of the 2^31 at which the server would stop.}
wraparound_database: {type: str, returned: when V(wraparound) is gathered, sample: shop,
  description: Which database that is.}
wraparound_age_multixacts: {type: int, returned: when V(wraparound) is gathered, sample: 0,
  description: "The same for multixacts, over all databases."}
wraparound_multixact_ratio: {type: float, returned: when V(wraparound) is gathered, sample: 0.0,
  description: As a share of 2^31.}
wraparound_autovacuum_ratio: {type: float, returned: when V(wraparound) is gathered, sample: 0.0,
  description: "RV(wraparound_age_xids) as a share of C(autovacuum_freeze_max_age). Far above 1, vacuum does not get
    through."}
extensions: {type: dict, returned: when V(extensions) is gathered, sample: {plpgsql: "1.0"},
  description: Extensions of this database with their versions.}
gathered: {type: list, elements: str, returned: always, sample: [server, latency],
  description: The subjects that were looked at.}
unreadable: {type: dict, returned: always, sample: {statements: this database has no extension pg_stat_statements},
  description: "Keys that are null because they could not be read, or not in full, each with the reason."}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils.postgres.info._spec import SPEC, gather_info


def main() -> None:
    run(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), gather_info)


if __name__ == "__main__":
    main()
