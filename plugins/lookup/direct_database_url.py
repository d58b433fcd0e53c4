# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: direct_database_url
short_description: The URL of the database, past any pooler of connections
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Returns the URL that migrations, backups, their proofs and restores connect to, out of the variables of the host's
    profile.
  - It is the first that is set and not empty of C(sluice_migration_url), C(DIRECT_DATABASE_URL) in C(sluice_secrets),
    C(DIRECT_DATABASE_URL) in C(sluice_env) and C(sluice_database_url).
  - Of C(sluice_secrets) and C(sluice_env) only this one entry is read. A variable that is set and refers to one that
    does not exist is an error, so that nothing goes through a pooler because of a slip.
  - The URL holds a password. Give it only to options that hide what they are given, as those of this collection do.
options:
  _terms:
    description: Names of variables that are looked at before these, such as C(sluice_database_admin_url).
    type: list
    elements: str
  required:
    description: Whether it is an error when none is set. With V(false) the URL is empty then.
    type: bool
    default: true
seealso:
  - module: sluice.release.pg_backup
  - module: sluice.release.pg_restore
  - module: sluice.release.release_migrate
"""

EXAMPLES = r"""
- name: Back the database up
  sluice.release.pg_backup:
    database_url: "{{ lookup('sluice.release.direct_database_url') }}"
    path: /var/lib/sluice/dealradarus/backups

- name: Prove the backup as whoever may create databases
  sluice.release.pg_verify:
    admin_url: "{{ lookup('sluice.release.direct_database_url', 'sluice_database_admin_url') }}"
    path: /var/lib/sluice/dealradarus/backups

- name: Migrate, by the URL if there is one
  sluice.release.release_migrate:
    database_url: "{{ lookup('sluice.release.direct_database_url', required=false) | default(omit, true) }}"
    status: [npm, run, --silent, "migrate:status"]
    command: [npm, run, --silent, migrate]
    chdir: /srv/dealradarus/current
"""

RETURN = r"""
_raw:
  description: The URL, as the profile has it.
  type: list
  elements: str
  sample: ['postgresql://shop:********@db.example.org:5432/shop']
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template

from ansible_collections.sluice.release.plugins.plugin_utils._direct_url import Place, direct_url


class LookupModule(LookupBase):
    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        known, templar = variables or {}, self._templar
        if templar is None:
            raise AssertionError("a lookup is given a templar")

        def read(place: Place) -> Any:
            if place.variable not in known:
                return None
            if not place.entry:
                return templar.template(known[place.variable])
            # Templated as a whole, an environment would need everything that any of its entries refers to.
            has_it = f"'{place.entry}' in ({place.variable} or {{}})"
            if not templar.evaluate_expression(trust_as_template(has_it)):
                return None
            return templar.resolve_variable_expression(f"{place.variable}.{place.entry}")

        return [direct_url(read, terms, required=self.get_option("required"))]
