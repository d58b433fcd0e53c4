# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the modules of this collection: what an ordinary task cannot say, it says.

- A host that cannot be reached is a failed host, so that rescue sees it.
- A module that waits for long (it has the option ``progress``) shows how far it has come.
- release_lock learns which run of ansible-playbook it acts for, and whether the run that holds the lock still lives.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import secrets
import shlex
import time
from typing import Any

from ansible import constants as C  # noqa: N812  # Ansible's own name for it
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.parsing.plugin_docs import read_docstring
from ansible.plugins.action import ActionBase
from ansible.utils.color import stringc
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash
from ansible.vars.clean import remove_internal_keys

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.plugin_utils import _identity, _live, _waiting

display = Display()

# Modules keep their own budgets; this only ends what everybody has forgotten. Seconds.
_JOB_LIMIT = 86400
# How long the connection may be away during a wait before the host counts as lost, in seconds.
_RECONNECT = 30.0
# How often it is checked that the module's process still exists, in seconds.
_LIVENESS = 15.0
# How long a look waits on the host for the module's end, and how often it looks there: a process of its own each time,
# which an hour's wait does not need ten times a second. All in seconds.
_LOOK = 1.0
_STEP, _SLOW_STEP, _QUICK = 0.1, 0.25, 30.0
# Without a terminal a progress line is printed this often, in seconds.
_PLAIN_INTERVAL = 10.0

_COLOURS = {
    "green": C.COLOR_OK,  # type: ignore[attr-defined]
    "yellow": C.COLOR_WARN,  # type: ignore[attr-defined]
    "pending": C.COLOR_WARN,  # type: ignore[attr-defined]
    "red": C.COLOR_ERROR,  # type: ignore[attr-defined]
}

# What a container runtime says instead of failing to connect.
_CONTAINER_GONE = ("No such container", "is not running", "Cannot connect to the Docker daemon")


class ActionModule(ActionBase):
    """See the module's docstring; for everything else it behaves as ansible.builtin's own plugin for modules."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        try:
            outcome = self._outcome(task_vars, wrap_async)
        except AnsibleConnectionFailure as failure:
            outcome = self._unreachable(to_text(failure), task_vars)
        if not wrap_async:
            # The result is there; a connection that is lost now must not cost it.
            with contextlib.suppress(AnsibleConnectionFailure):
                self._remove_tmp_path(self._connection._shell.tmpdir)
        return dict(merge_hash(result, outcome))

    # --- which way to run -------------------------------------------------------------------------------------------

    def _outcome(self, task_vars: dict[str, Any], wrap_async: bool) -> dict[str, Any]:
        args = dict(self._task.args)
        name = self._task.action.rpartition(".")[2]
        if name == "release_lock":
            outcome = self._lock(args, task_vars)
        elif not wrap_async and not self._task.check_mode and not self._through_mitogen() and self._reports_progress():
            outcome = self._run_watched(args, task_vars)
        else:
            outcome = self._module(args, task_vars, wrap_async)
        if outcome.get("_ansible_parsed") is False:
            said = f"{outcome.get('module_stderr', '')} {outcome.get('module_stdout', '')}"
            if any(phrase in said for phrase in _CONTAINER_GONE):
                raise AnsibleConnectionFailure(said.strip())
        return outcome

    def _module(self, args: dict[str, Any], task_vars: dict[str, Any], wrap_async: bool = False) -> dict[str, Any]:
        return dict(self._execute_module(module_args=args, task_vars=task_vars, wrap_async=wrap_async))

    def _through_mitogen(self) -> bool:
        """Whether mitogen carries the connection: its background jobs have no file to watch, so nothing is shown."""
        # Its plugins for each kind of connection are loaded under Ansible's own name; what they are made from is not.
        return any(base.__module__.startswith("ansible_mitogen") for base in type(self._connection).__mro__)

    def _reports_progress(self) -> bool:
        """Whether the module's documentation has the option ``progress``, written out or by its fragment."""
        found = self._shared_loader_obj.module_loader.find_plugin_with_context(
            self._task.action, collection_list=self._task.collections
        )
        doc = read_docstring(found.plugin_resolved_path, verbose=False)["doc"] or {}
        fragments = doc.get("extends_documentation_fragment") or []
        fragments = [fragments] if isinstance(fragments, str) else fragments
        return "progress" in (doc.get("options") or {}) or "sluice.release._progress" in fragments

    def _unreachable(self, cause: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        # There is no way to tidy up there any more, and a second failure to connect would hide this one.
        self._connection._shell.tmpdir = None
        host = self._task.delegate_to or task_vars.get("inventory_hostname") or self._play_context.remote_addr
        lines = [line.strip() for line in redact(cause).splitlines() if line.strip()]
        error = SluiceError(
            f"reach {host}", "; ".join(lines) or "the connection failed", "See that the host is up and lets you log in"
        )
        return {"failed": True, "changed": False, "unreachable_host": True, "msg": str(error)}

    # --- the lock ---------------------------------------------------------------------------------------------------

    def _lock(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        if args.get("state", "held") == "held":
            args.setdefault("run", _identity.this_run())
        outcome = self._module(args, task_vars)
        holder = outcome.get("holder") or {}
        if outcome.get("locked") and args.get("takeover", "dead") == "dead" and _identity.has_ended(holder["run"]):
            # The rule stays in the module: if the lock changed hands meanwhile, the token will not match.
            args["dead_token"] = holder["token"]
            outcome = self._module(args, task_vars)
        return outcome

    # --- a wait that is shown ---------------------------------------------------------------------------------------

    def _run_watched(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module in the background of the host and return its result, unchanged, when it has ended."""
        async_dir = self.get_shell_option("async_dir", default="~/.ansible_async")
        name = f"sluice-{secrets.token_hex(8)}.progress"
        args["progress"] = self._connection._shell.join_path(async_dir, name)
        self._task.async_val = _JOB_LIMIT
        try:
            job = self._module(args, task_vars, wrap_async=True)
        finally:
            # The executor must not take this for a task that the author made asynchronous.
            self._task.async_val = 0
        if job.get("failed") or not job.get("results_file"):
            return job
        job_path = job["results_file"]
        progress_path = posixpath.join(posixpath.dirname(job_path), name)
        try:
            text = self._await(job["ansible_job_id"], progress_path, job_path, task_vars)
        finally:
            self._tell(task_vars, [])
        outcome: dict[str, Any] = self._parse_returned_data({"stdout": text, "stderr": "", "rc": 0}, "legacy")
        if _waiting.gave_no_result(outcome):
            # Only this of it: a command line and output that nobody has cleaned of secrets help nobody.
            outcome = {"failed": True, "changed": False, "msg": str(self._gone())}
        remove_internal_keys(outcome)
        if "ansible_facts" in job:  # the interpreter that was found
            outcome["ansible_facts"] = {**job["ansible_facts"], **(outcome.get("ansible_facts") or {})}
        with contextlib.suppress(AnsibleConnectionFailure):
            self._low_level_execute_command(f"rm -f {shlex.quote(job_path)} {shlex.quote(progress_path)}")
        return outcome

    def _await(self, job_id: str, progress_path: str, job_path: str, task_vars: dict[str, Any]) -> str:
        """Return the text of the job file once the module has ended."""
        parent = _identity.main_pid()
        started = shown = checked = time.monotonic()
        missed = 0
        while True:
            step = _STEP if time.monotonic() - started < _QUICK else _SLOW_STEP
            command = _waiting.glance_command(progress_path, job_path, step, round(_LOOK / step))
            glance = _waiting.read_glance(self._ask(command))
            if glance.job is not None:
                return glance.job
            now = time.monotonic()
            if now - checked >= _LIVENESS:
                checked = now
                missed = 0 if self._ask(_waiting.alive_command(job_id)).strip() else missed + 1
                # Twice: between the two looks the module may just have ended.
                if missed > 1:
                    raise AnsibleError(str(self._gone()))
            shown = self._show(glance, now - started, shown, now, task_vars)
            if os.getppid() != parent:
                raise AnsibleError(f"Cannot wait for {self._task.action}: this run of ansible-playbook has ended.")

    def _gone(self) -> SluiceError:
        return SluiceError(
            f"finish {self._task.action}",
            "its process on the host is gone",
            "See what ended it (journalctl -k names what ran out of memory), then run again",
        )

    def _ask(self, command: str) -> str:
        """Run a cheap command on the host; a connection that comes back within the grace time goes unnoticed."""
        deadline = time.monotonic() + _RECONNECT
        while True:
            try:
                answer = self._low_level_execute_command(command)
                if answer["rc"] == 0:
                    return str(answer["stdout"])
                failure = AnsibleConnectionFailure(answer["stderr"] or f"exit status {answer['rc']}")
            except AnsibleConnectionFailure as error:
                failure = error
            if time.monotonic() >= deadline:
                raise failure
            time.sleep(1)

    def _show(
        self, glance: _waiting.Glance, seconds: float, shown: float, now: float, task_vars: dict[str, Any]
    ) -> float:
        """Show the progress if it is time to; return when it was shown last."""
        terminal = _on_terminal()
        if now - shown < (0.9 if terminal else _PLAIN_INTERVAL):
            return shown
        hosts = task_vars.get("ansible_play_hosts_all") or ()
        width = (display.columns or 79) if terminal else 200
        text = _waiting.show(
            glance.progress,
            seconds,
            fallback=self._task.get_name(include_role_fqcn=False) or self._task.action,
            host=task_vars.get("inventory_hostname") if len(hosts) > 1 else None,
            width=width,
        )
        if terminal:
            checks = (glance.progress or {}).get("checks") or []
            unicode = os.environ["SLUICE_TTY"] == "unicode"
            rows = _live.table(checks, width=width - 1, unicode=unicode, paint=_painted)
            self._tell(task_vars, [text, *rows])
        else:
            display.display(text)
        return now

    def _tell(self, task_vars: dict[str, Any], lines: list[str]) -> None:
        """Let the callback show the block of this host; no lines end it."""
        if _on_terminal():
            # The carriage return also makes a line-buffered stdout flush.
            host = str(task_vars.get("inventory_hostname"))
            display.display(_live.pack(host, lines), newline=False, screen_only=True)


def _on_terminal() -> bool:
    """The worker's own stdout leads nowhere; the callback knows, in the main process, and says so."""
    return "SLUICE_TTY" in os.environ


def _painted(text: str, verdict: str) -> str:
    return str(stringc(text, _COLOURS[verdict])) if verdict in _COLOURS else text
