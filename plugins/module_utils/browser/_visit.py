# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The part that opens a browser. What it saw is judged in _pages.py."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.browser._pages import Page, Visit

# Chromium and what is built from it, by the names of distributions.
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_HEIGHTS = ((600, 812), (1100, 1024))
"""Up to which width a window is how high, as of phones and tablets; wider ones are 800."""

# Registered before the page's own scripts. Buffered, so that nothing is missed. LCP is the last candidate, as
# https://web.dev/articles/lcp defines it; CLS is simply added up, which no session window of it ever exceeds.
_OBSERVE = """
window.__sluice = {lcp_ms: null, fcp_ms: null, cls: 0};
const watch = (type, read) =>
  new PerformanceObserver((list) => list.getEntries().forEach(read)).observe({type, buffered: true});
watch('largest-contentful-paint', (entry) => { window.__sluice.lcp_ms = entry.startTime; });
watch('paint', (entry) => {
  if (entry.name === 'first-contentful-paint') window.__sluice.fcp_ms = entry.startTime;
});
watch('layout-shift', (entry) => { if (!entry.hadRecentInput) window.__sluice.cls += entry.value; });
"""

_READ = """() => {
  const [navigation] = performance.getEntriesByType('navigation');
  return {...window.__sluice, load_ms: navigation ? navigation.loadEventEnd : null};
}"""


def find_browser(executable: str | None) -> str:
    """Return the browser's program. SluiceError when there is none."""
    if executable:
        if not os.access(executable, os.X_OK):
            raise SluiceError("open a browser", f"{executable} is no program", "Correct executable")
        return executable
    found = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        raise SluiceError("open a browser", "this host has no Chromium", "Install package chromium, or set executable")
    return found


def visit_all(
    pages: Sequence[Page],
    *,
    executable: str,
    timeout: float,
    headers: Mapping[str, str],
    validate_certs: bool,
    report: Callable[[str, float, float], None],
) -> dict[str, list[Visit]]:
    """Visit every page at every width, each time in a fresh profile. ``timeout`` in seconds, for each visit."""
    from playwright.sync_api import Error, sync_playwright

    total = sum(len(page.widths) * page.visits for page in pages)
    visits: dict[str, list[Visit]] = {page.name: [] for page in pages}
    with contextlib.ExitStack() as stack:
        try:
            browser = stack.enter_context(sync_playwright()).chromium.launch(
                executable_path=executable, args=_arguments(), timeout=timeout * 1000
            )
        except Error as error:
            raise SluiceError("open a browser", _first_line(error), "See that Chromium starts on this host") from error
        stack.callback(browser.close)
        for number, (page, width) in enumerate(_rounds(pages)):
            report(f"{page.name} at {width} px", number, total)
            context = browser.new_context(
                viewport={"width": width, "height": next((high for most, high in _HEIGHTS if width <= most), 800)},
                extra_http_headers=dict(headers),
                ignore_https_errors=not validate_certs,
            )
            try:
                visits[page.name].append(_visit(context, page, width, timeout, Error))
            finally:
                context.close()
    return visits


def _rounds(pages: Sequence[Page]) -> Iterator[tuple[Page, int]]:
    for page in pages:
        for width in page.widths:
            for _visit in range(page.visits):
                yield page, width


def _arguments() -> list[str]:
    # Chromium refuses to start a sandbox as root, where it would protect nobody from anybody.
    return ["--no-sandbox"] if os.geteuid() == 0 else []


def _visit(context: Any, page: Page, width: int, timeout: float, error_type: type[Exception]) -> Visit:
    """Load one page and look at it; whatever goes wrong is part of what was seen."""
    context.add_init_script(_OBSERVE)
    context.set_default_timeout(timeout * 1000)
    window, console = context.new_page(), []
    window.on("console", lambda message: console.append(_told(message)) if message.type == "error" else None)
    window.on("pageerror", lambda error: console.append(_first_line(error)))
    try:
        response = window.goto(page.url, wait_until="load")
        # A page that polls is never idle; what it shows counts all the same.
        with contextlib.suppress(error_type):
            window.wait_for_load_state("networkidle", timeout=min(timeout, 5.0) * 1000)
        # The largest paint is told a moment after it has happened. A page without any content has none.
        with contextlib.suppress(error_type):
            window.wait_for_function("window.__sluice.lcp_ms !== null", timeout=2000)
        vitals = window.evaluate(_READ)
        found = page.selector is None or window.locator(page.selector).first.is_visible()
    except error_type as error:
        return Visit(width, fault=f"could not be shown ({_first_line(error)})", console=tuple(console))
    return Visit(width, response.status if response else 0, found=found, console=tuple(console), vitals=vitals)


def _told(message: Any) -> str:
    """An error of the console with the address that it is about."""
    url = message.location.get("url") or ""
    return f"{message.text} ({url})" if url and url not in message.text else str(message.text)


def _first_line(error: object) -> str:
    text = str(getattr(error, "message", error)).strip()
    return (text.splitlines() or ["it did not say why"])[0][:200]
