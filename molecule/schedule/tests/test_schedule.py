# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The timers are on the clock, the services run what they should, and a failure is seen."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

JOBS = {"backup": "backup.yml", "backup-drill": "backup_drill.yml"}
PROJECT = "/srv/molecule"


@pytest.mark.parametrize("job", JOBS)
def test_the_timer_runs_now_and_at_boot(host: Host, job: str) -> None:
    timer = host.service(f"sluice-molecule-{job}.timer")
    assert timer.is_running
    assert timer.is_enabled
    shown = host.check_output("systemctl show --property Persistent,RandomizedDelayUSec sluice-molecule-%s.timer", job)
    assert set(shown.split()) == {"Persistent=yes", "RandomizedDelayUSec=15min"}


@pytest.mark.parametrize("job", JOBS)
def test_systemd_has_nothing_to_say_of_the_units(host: Host, job: str) -> None:
    path = f"/etc/systemd/system/sluice-molecule-{job}"
    done = host.run("systemd-analyze verify %s.timer %s.service", path, path)
    assert done.rc == 0
    assert "sluice" not in done.stderr


@pytest.mark.parametrize("job", JOBS)
def test_the_service_runs_the_playbook(host: Host, job: str) -> None:
    host.check_output("systemctl start sluice-molecule-%s.service", job)
    said = host.file(f"{PROJECT}/said-{JOBS[job]}").content_string.splitlines()
    assert said == ["app", PROJECT, JOBS[job], "-l", "molecule", "--extra-vars", "words='a $b %c'"]


@contextlib.contextmanager
def failing(host: Host, playbook: str) -> Iterator[None]:
    host.check_output("touch %s/fail-%s", PROJECT, playbook)
    try:
        yield
    finally:
        host.check_output("rm -f %s/fail-%s %s/alarm", PROJECT, playbook, PROJECT)
        host.check_output("systemctl reset-failed sluice-molecule-backup.service")


def test_a_failure_is_a_failed_unit_and_is_told(host: Host) -> None:
    with failing(host, "backup.yml"):
        assert host.run("systemctl start sluice-molecule-backup.service").rc != 0
        shown = host.check_output("systemctl show --property Result,ExecMainStatus sluice-molecule-backup.service")
        assert set(shown.split()) == {"Result=exit-code", "ExecMainStatus=1"}
        assert "sluice-molecule-backup.service" in host.check_output("systemctl list-units --failed --plain")
        host.check_output("timeout 20 sh -c 'until test -e %s/alarm; do sleep 0.1; done'", PROJECT)


def test_a_job_with_times_of_its_own_starts_to_the_second(host: Host) -> None:
    shown = host.check_output("systemctl show --property AccuracyUSec,RandomizedDelayUSec sluice-molecule-watch.timer")
    assert set(shown.split()) == {"AccuracyUSec=1s", "RandomizedDelayUSec=0"}
    listed = host.check_output("systemctl show --property TimersCalendar sluice-molecule-watch.timer")
    assert [day in listed for day in ("2099-01-01 00:01:00 UTC", "2099-01-01 00:02:00 UTC")] == [True, True]


def test_a_job_that_says_that_nothing_is_left_stops_its_timer(host: Host) -> None:
    timer = host.service("sluice-molecule-watch.timer")
    host.check_output("systemctl start sluice-molecule-watch.service")
    assert (timer.is_running, timer.is_enabled) == (True, True)
    said = host.file(f"{PROJECT}/said-watch.yml").content_string.splitlines()
    assert said[-2:] == ["-e", "ended_file=/run/sluice-molecule-watch/ended"]
    host.check_output("touch %s/end-watch.yml", PROJECT)
    try:
        host.check_output("systemctl start sluice-molecule-watch.service")
        waiting = "timeout 20 sh -c 'while systemctl is-active --quiet %s; do sleep 0.1; done'"
        host.check_output(waiting, "sluice-molecule-watch.timer")
        assert not timer.is_enabled
        assert not host.file("/run/sluice-molecule-watch").exists
    finally:
        host.check_output("rm %s/end-watch.yml", PROJECT)
        host.check_output("systemctl enable --now sluice-molecule-watch.timer")


def test_what_is_no_calendar_is_refused_and_leaves_nothing(host: Host, evidence: Callable[[str], Any]) -> None:
    said = evidence("refusal")["said"]
    assert said.startswith("Cannot schedule backup: Failed to parse calendar specification 'every so often'")
    assert not [name for name in host.file("/etc/systemd/system").listdir() if name.startswith("sluice-other")]
