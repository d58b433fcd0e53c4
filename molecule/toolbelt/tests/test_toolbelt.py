# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interpreter that the modules run with has what they import."""

from __future__ import annotations

import pytest
from testinfra.host import Host


@pytest.mark.parametrize("library", ["jmespath", "prometheus_client", "psycopg2", "redis"])
def test_the_interpreter_has_the_library(host: Host, library: str) -> None:
    assert host.run("/opt/sluice/toolbelt/bin/python -c %s", f"import {library}").rc == 0


def test_others_may_use_it_and_not_change_it(host: Host) -> None:
    assert host.file("/opt/sluice/toolbelt").mode == 0o755
