# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: stages
type: stdout
short_description: Show a release as its stages, not as Ansible's tasks
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Prints one line as a stage of a release starts and one as it ends, with its seconds, its budget and what it found.
    On a terminal there is one live line at the bottom; anywhere else plain lines.
  - Of the tasks it shows only what needs a person, which are failures (also those that a later task rescues), warnings,
    what C(debug) prints, and diffs when they are asked for with C(--diff).
  - The last line says how the release ended and where its report lies.
  - With C(-v) and above, or with O(output=raw), it is Ansible's default output.
  - Colours follow Ansible's settings, C(NO_COLOR) included. Without a Unicode locale the marks are ASCII.
notes:
  - The diffs of M(sluice.release.release_journal) and M(sluice.release.release_lock) are left out. The lines of the
    stages say the same.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - Set as stdout callback in the configuration, C(stdout_callback = sluice.release.stages).
options:
  output:
    description: Whether to show stages or Ansible's own stream of tasks.
    type: str
    choices: [stages, raw]
    default: stages
    env:
      - name: SLUICE_OUTPUT
    ini:
      - section: callback_stages
        key: output
seealso:
  - plugin: ansible.builtin.default
    plugin_type: callback
    description: What the raw output is.
"""

import atexit
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ansible import constants as C  # noqa: N812  # Ansible's own name for it
from ansible import context
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils.color import stringc

from ansible_collections.sluice.release.plugins.plugin_utils import _live, _stage_texts, _stages

if TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task
    from ansible.utils.display import Display

_COLOURS = {
    _stages.GOOD: C.COLOR_OK,  # type: ignore[attr-defined]
    _stages.BAD: C.COLOR_ERROR,  # type: ignore[attr-defined]
    _stages.WARN: C.COLOR_WARN,  # type: ignore[attr-defined]
    _stages.DIM: "dark gray",
    _stages.STRONG: "cyan",
}

# Tasks that take no time. A failure may be held back over them, as the journal is about to name its stage.
_QUICK = {"set_fact", "meta", "include_tasks", "include_role", "import_tasks", "import_role", "release_journal"}

# What their diffs say, the stages say in words.
_NO_DIFF = {"release_journal", "release_lock"}

_ERASE = "\r\033[K"
_ERASE_ABOVE = "\033[1A\033[K"


def _short(action: str) -> str:
    return action.rpartition(".")[2]


class _Bottom:
    """The unfinished lines at the bottom of a terminal: the stage that runs, or what tasks that wait have to show.

    Everything that Ansible prints in this process goes through ``Display.display``; while this object is installed, the
    lines make way for each message and come back after it. A message that starts with a carriage return comes from an
    action plugin that waits on one host, and is the block of that host.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        self._original = display.display
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._text = ""
        self._blocks: dict[str, list[str]] = {}
        self._drawn: list[str] = []
        display.display = self._print  # type: ignore[method-assign]
        atexit.register(self.remove)

    def show(self, text: str) -> None:
        """Say which stage runs; '' when none does."""
        with self._lock:
            self._text = text
            self._draw(self._wanted())

    def remove(self) -> None:
        """End the lines and let Display be as it was."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._display.display == self._print:
                self._draw([])
                del self._display.display
        atexit.unregister(self.remove)

    def _wanted(self) -> list[str]:
        if self._blocks:
            return _live.fitted(self._blocks, shutil.get_terminal_size().lines - 1)
        return [self._text] if self._text else []

    def _draw(self, lines: list[str]) -> None:
        if lines == self._drawn:
            return
        erase = _ERASE + _ERASE_ABOVE * (len(self._drawn) - 1)
        self._drawn = lines
        self._original(erase + "\n".join(lines), newline=False, screen_only=True)
        sys.stdout.flush()

    def _print(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if os.getpid() != self._pid:
            # A worker: what it prints is sent to the main process and comes by here again.
            self._original(msg, *args, **kwargs)
            return
        with self._lock:
            told = _live.unpack(msg) if msg.startswith("\r") else None
            if told:
                host, lines = told
                if lines:
                    # A host keeps its place.
                    self._blocks[host] = lines
                else:
                    self._blocks.pop(host, None)
                self._draw(self._wanted())
                return
            if kwargs.get("log_only"):
                self._original(msg, *args, **kwargs)
                return
            self._draw([])
            self._original(msg, *args, **kwargs)
            sys.stdout.flush()
            self._draw(self._wanted())


class CallbackModule(DefaultCallback):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "sluice.release.stages"

    def __init__(self) -> None:
        super().__init__()
        self._raw = False
        self._bottom: _Bottom | None = None
        self._narrator = _stages.Narrator()
        self._started = time.monotonic()
        self._task_name = ""

    def set_options(self, *args: Any, **kwargs: Any) -> None:
        super().set_options(*args, **kwargs)
        self._raw = self.get_option("output") == "raw" or self._display.verbosity > 0

    # --- start and end -----------------------------------------------------------------------------------------------

    def v2_playbook_on_start(self, playbook: Any) -> None:
        # A runner (AWX) reads the output through a pseudo-terminal, and cuts it into events: no line is ever redrawn.
        runner = bool(os.environ.get("AWX_ISOLATED_DATA_DIR"))
        terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not runner
        os.environ.pop("SLUICE_TTY", None)
        if self._raw:
            super().v2_playbook_on_start(playbook)
            return
        encoding = getattr(sys.stdout, "encoding", None) or ""
        unicode = _stages.locale_has_unicode(os.environ) and encoding.lower().replace("-", "") == "utf8"
        if terminal:
            # The workers' own stdout leads nowhere: this tells them that somebody looks.
            os.environ["SLUICE_TTY"] = "unicode" if unicode else "ascii"
            self._bottom = _Bottom(self._display)
        self._narrator = _stages.Narrator(
            unicode=unicode,
            check=bool(context.CLIARGS.get("check")),
            width=shutil.get_terminal_size().columns if terminal else None,
        )

    def v2_playbook_on_play_start(self, play: Play) -> None:
        if self._raw:
            super().v2_playbook_on_play_start(play)
            return
        # What the default output keeps of a play, without its banner.
        self._play = play
        self._say(self._narrator.flush())
        hosts = self._play_hosts(play)
        if any(host not in C.LOCALHOST for host in hosts):
            self._narrator.hosts = list(dict.fromkeys([*self._narrator.hosts, *hosts]))

    @staticmethod
    def _play_hosts(play: Play) -> list[str]:
        manager = play.get_variable_manager()
        if manager is None:
            return []
        return list(manager.get_vars(play=play, include_hostvars=False).get("ansible_play_hosts_all") or [])

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if self._raw:
            super().v2_playbook_on_stats(stats)
            return
        if self._bottom:
            self._bottom.remove()
            self._bottom = None
        summaries = {host: stats.summarize(host) for host in sorted(stats.processed)}
        failed = [host for host, summary in summaries.items() if summary["failures"] or summary["unreachable"]]
        changed = sum(summary["changed"] for summary in summaries.values())
        self._say(self._narrator.recap(failed, changed, time.monotonic() - self._started))

    # --- tasks -------------------------------------------------------------------------------------------------------

    def _task_start(self, task: Task, prefix: str | None = None) -> None:
        if self._raw:
            super()._task_start(task, prefix=prefix)
            return
        if _short(task.action) not in _QUICK:
            self._say(self._narrator.flush())
        if self._bottom:
            self._task_name = task.get_name().rpartition(" : ")[2].strip()
            self._bottom.show(self._narrator.live(self._task_name))

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        if self._raw:
            super().v2_runner_on_ok(result)
            return
        self._handle_warnings(result.result)
        if _short(result.task.action) == "debug":
            self._say_debug(result)
        for item in [result.result, *self._items(result)]:
            self._read(result, item)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        if self._raw:
            super().v2_runner_on_failed(result, ignore_errors)
            return
        host, message = result.host.get_name(), _stage_texts.failure_message(result.result)
        self._handle_warnings(result.result)
        # The message is the error; the exception adds where in the code it came from, which is for -v.
        result.result.pop("exception", None)
        if ignore_errors:
            self._say(self._narrator.remark(host, f"{message} (ignored)"))
        elif _short(result.task.action) != "fail" or not self._narrator.final_failure(message):
            self._narrator.failure(host, message)
        for item in [result.result, *self._items(result)]:
            self._read(result, item)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        if self._raw:
            super().v2_runner_on_unreachable(result)
            return
        self._handle_warnings(result.result)
        self._narrator.failure(
            result.host.get_name(), f"Cannot reach {self.host_label(result)}: {result.result.get('msg')}"
        )
        self._say(self._narrator.flush())

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        if self._raw:
            super().v2_runner_on_skipped(result)
            return
        self._handle_warnings(result.result)

    def v2_on_file_diff(self, result: CallbackTaskResult) -> None:
        if self._raw:
            super().v2_on_file_diff(result)
            return
        if _short(result.task.action) in _NO_DIFF:
            return
        for item in self._items(result) or [result.result]:
            diff = self._get_diff(item["diff"]) if item.get("diff") and item.get("changed", False) else ""
            if diff:
                name = f"{self.host_label(result)}: {result.task.get_name()}"
                self._say([[_stages.Segment(f"  {name}", _stages.DIM)]])
                self._display.display(diff)

    @staticmethod
    def _items(result: CallbackTaskResult) -> list[Mapping[str, Any]]:
        items = result.result.get("results") if result.task.loop else None
        return [item for item in items or [] if isinstance(item, Mapping)]

    def _read(self, result: CallbackTaskResult, item: Mapping[str, Any]) -> None:
        """Tell what a result of this collection's modules means."""
        host, action = result.host.get_name(), _short(result.task.action)
        events = item.get("events")
        if action == "release_journal" and isinstance(events, (list, tuple)):
            self._say(self._narrator.events(host, events, item.get("journal") or {}))
        elif action == "release_report" and isinstance(item.get("report"), Mapping):
            self._narrator.report = dict(item["report"])
            self._narrator.report_path = (item.get("files") or {}).get("html")
        elif action == "release_report_files" and isinstance(item.get("files"), Mapping):
            # Every host keeps one; the first that is named is the first host's.
            self._narrator.report_path = self._narrator.report_path or item["files"].get("html")
        elif action == "release_lock" and item.get("taken_over"):
            holder = item.get("previous_holder") or {}
            whose = f" of {holder['owner']}" if holder.get("owner") else ""
            why = f": {item['takeover_reason']}" if item.get("takeover_reason") else ""
            self._say(self._narrator.remark(host, f"The lock{whose} was taken over{why}"))
        if self._bottom:
            self._bottom.show(self._narrator.live(self._task_name))

    def _say_debug(self, result: CallbackTaskResult) -> None:
        for item in self._items(result) or [result.result]:
            if item.get("skipped"):
                continue
            if "msg" in item:
                text = item["msg"]
            else:
                text = {k: v for k, v in item.items() if not k.startswith("_") and k not in self._hide_in_debug}
            words = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False, indent=2, default=str)
            self._say([[_stages.Segment(words)]])

    # --- what would only repeat the tasks ----------------------------------------------------------------------------

    def _quiet(self, method: str, *args: Any) -> None:
        if self._raw:
            getattr(super(), method)(*args)

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        self._quiet("v2_runner_item_on_ok", result)

    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        self._quiet("v2_runner_item_on_failed", result)

    def v2_runner_item_on_skipped(self, result: CallbackTaskResult) -> None:
        self._quiet("v2_runner_item_on_skipped", result)

    def v2_runner_on_start(self, host: Any, task: Task) -> None:
        self._quiet("v2_runner_on_start", host, task)

    def v2_runner_retry(self, result: CallbackTaskResult) -> None:
        self._quiet("v2_runner_retry", result)

    def v2_runner_on_async_poll(self, result: CallbackTaskResult) -> None:
        self._quiet("v2_runner_on_async_poll", result)

    def v2_runner_on_async_ok(self, result: CallbackTaskResult) -> None:
        self._quiet("v2_runner_on_async_ok", result)

    def v2_runner_on_async_failed(self, result: CallbackTaskResult) -> None:
        self._quiet("v2_runner_on_async_failed", result)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        self._quiet("v2_playbook_on_include", included_file)

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        # The failures that led here have been told.
        self._quiet("v2_playbook_on_no_hosts_remaining")

    # --- printing ----------------------------------------------------------------------------------------------------

    def _say(self, lines: Iterable[_stages.Line]) -> None:
        for line in lines:
            line = _stages.trimmed(line)
            coloured = "".join(
                stringc(segment.text, _COLOURS[segment.tone]) if segment.tone else segment.text for segment in line
            )
            # A log file gets no colours.
            self._display.display(coloured, screen_only=True)
            self._display.display(_stages.plain(line), log_only=True)
        sys.stdout.flush()
