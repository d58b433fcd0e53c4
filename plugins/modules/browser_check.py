#!/usr/bin/python
# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: browser_check
short_description: Open pages in a headless browser, and judge what a person would see
version_added: 0.1.0
author:
  - The Sluice Authors (@sluice-release)
description:
  - Opens each page in headless Chromium, in a fresh profile without cache and cookies, and looks at its status, at what
    is visible, at errors in the console, and at the Web Vitals that can be measured without a person. Those are LCP
    (largest contentful paint), FCP (first contentful paint) and CLS (layout shift); FID and INP need somebody who
    clicks.
  - The figures are those of the machine that the browser runs on. Compare them with figures of the same machine.
extends_documentation_fragment:
  - sluice.release._attributes.info
  - sluice.release._attributes.action_group
  - sluice.release._attributes.action_plugin
  - sluice.release._progress
requirements:
  - playwright
  - Chromium, as a distribution packages it; nothing is downloaded
options:
  base_url:
    description: Origin of the pages, http or https.
    type: str
    required: true
  pages:
    description: The pages. At least one.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the page, unique.
        type: str
        required: true
      path:
        description: Path below O(base_url). It cannot lead to another origin.
        type: str
        default: /
      expect_status:
        description: Statuses of an expected answer, after redirects.
        type: list
        elements: int
        default: [200]
      selector:
        description: CSS selector of something that must be visible.
        type: str
      max_console_errors:
        description: Errors in the console that are allowed, those of scripts and of resources that could not be loaded
          included.
        type: int
        default: 0
      ignore_console:
        description: Regular expressions of errors that do not count.
        type: list
        elements: str
        default: []
      lcp_ms:
        description: Milliseconds to the largest contentful paint that are allowed.
        type: float
      fcp_ms:
        description: Milliseconds to the first contentful paint that are allowed.
        type: float
      load_ms:
        description: Milliseconds to the end of the load event that are allowed.
        type: float
      cls:
        description: Layout shift that is allowed, without a unit.
        type: float
      widths:
        description: Widths of the window in pixels. Every one must hold.
        type: list
        elements: int
        default: [1280]
      visits:
        description: Visits at each width. Limits are held against their median.
        type: int
        default: 1
      optional:
        description: Whether what is wrong is yellow and not red.
        type: bool
        default: false
      weight:
        description: Share in RV(score).
        type: float
        default: 1.0
  executable:
    description: The browser's program. By default Chromium or Chrome on E(PATH).
    type: path
  secret_headers:
    description: Headers of every request of the browser, such as C(Authorization), that are never shown.
    type: dict
  validate_certs:
    description: Whether certificates are verified.
    type: bool
    default: true
  timeout:
    description: Seconds that one visit may take.
    type: float
    default: 30.0
  fail_on_red:
    description: Whether a red verdict fails the task. The result is the same either way.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Look at the home page as a phone, a tablet and a desktop show it
  sluice.release.browser_check:
    base_url: https://shop.example.com
    pages:
      - name: home
        selector: "#products"
        lcp_ms: 2500
        fcp_ms: 1200
        widths: [375, 768, 1920]
  delegate_to: localhost
"""

RETURN = r"""
verdict:
  description: V(red) when a page is not as it must be, V(yellow) when only optional ones are not, else V(green).
  returned: when the pages make sense
  type: str
  sample: green
score:
  description: Share of the weights of what is as it must be, in percent.
  returned: when the pages make sense
  type: float
  sample: 100.0
gates:
  description: Each page in the form of a check of M(sluice.release.health_gate), with RV(gates[].vitals).
  returned: when the pages make sense
  type: list
  elements: dict
  contains:
    check:
      description: Name of the page.
      type: str
      returned: always
    verdict:
      description: V(green), V(yellow) or V(red).
      type: str
      returned: always
    reason:
      description: What is wrong, or what was measured.
      type: str
      returned: always
      sample: "home: lcp_ms 420 ms, fcp_ms 310 ms, load_ms 512 ms, cls 0.01"
    vitals:
      description: Medians over all visits. Null where nothing was measured.
      type: dict
      returned: always
      sample: {lcp_ms: 420.0, fcp_ms: 310.0, load_ms: 512.0, cls: 0.01}
samples:
  description: Visits.
  returned: when the pages make sense
  type: int
  sample: 3
seconds:
  description: How long it took.
  returned: when the pages make sense
  type: float
  sample: 4.2
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.sluice.release.plugins.module_utils._argspec import PROGRESS
from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._libraries import require
from ansible_collections.sluice.release.plugins.module_utils._module import run
from ansible_collections.sluice.release.plugins.module_utils._progress import Progress
from ansible_collections.sluice.release.plugins.module_utils.browser._pages import PAGE_SPEC, judge, read_pages
from ansible_collections.sluice.release.plugins.module_utils.browser._visit import find_browser, visit_all
from ansible_collections.sluice.release.plugins.module_utils.flow._score import red_words, summary


def look(params: dict[str, Any]) -> dict[str, Any]:
    """Visit the pages and return the verdict; SluiceError with the result when it is red."""
    pages = read_pages(params["base_url"], params["pages"])
    require("open a browser", {"playwright"})
    started = time.monotonic()
    visits = visit_all(
        pages,
        executable=find_browser(params["executable"]),
        timeout=params["timeout"],
        headers=params["secret_headers"] or {},
        validate_certs=params["validate_certs"],
        report=Progress(params["progress"]).update,
    )
    gates = [judge(page, visits[page.name]) for page in pages]
    result = {
        "changed": False,
        **summary(gates, "pages", 0),
        "samples": sum(map(len, visits.values())),
        "seconds": round(time.monotonic() - started, 3),
    }
    if result["verdict"] == "red" and params["fail_on_red"]:
        raise SluiceError("accept the pages", red_words(gates, "page"), **result)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "base_url": {"type": "str", "required": True},
            "pages": {"type": "list", "elements": "dict", "required": True, "options": PAGE_SPEC},
            "executable": {"type": "path"},
            "secret_headers": {"type": "dict", "no_log": True},
            "validate_certs": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 30.0},
            "fail_on_red": {"type": "bool", "default": True},
            **PROGRESS,
        },
        supports_check_mode=True,
    )
    run(module, look)


if __name__ == "__main__":
    main()
