# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # The options that go with SWITCH of module_utils/switch/_spec.py; options.ready is extended by READY below.
    DOCUMENTATION = r"""
options:
  name:
    description: Name of the application in what runs it. Nothing of another name is ever touched.
    type: str
    required: true
  state:
    description:
      - With V(active), O(release) serves, and nothing else under this name.
      - With V(stopped), nothing of it runs, but it can be started again.
      - With V(absent), nothing of it is left.
    type: str
    choices: [active, stopped, absent]
    default: active
  release:
    description: Id of the artifact that shall serve. Required with O(state=active).
    type: str
  path:
    description: The release directory. Required with O(state=active).
    type: path
  config:
    description:
      - JSON file with the environment of the application, one flat object of strings.
      - It is never an argument of a process, nor shown in a message or a diff.
    type: path
  ready:
    description: How every new instance proves itself. Required with O(state=active).
    type: dict
    suboptions:
      url:
        description: Address that says whether the instance is ready. C({port}) stands for the instance's own port.
        type: str
        required: true
      status:
        description: HTTP status that means ready.
        type: list
        elements: int
        default: [200]
      version:
        description: The version that the instance has to report.
        type: str
        required: true
      version_url:
        description:
          - Address whose JSON tells the version of the instance that answers; O(ready.url) when it is left out.
          - On the same host and port, for both are asked over one connection, which belongs to one instance.
        type: str
      version_query:
        description: JMESPath expression for the version.
        type: str
        default: version
      instance_query:
        description: JMESPath expression for the process id. Needed where instances share an address.
        type: str
        default: pid
      successes:
        description: How often in a row each instance has to be ready.
        type: int
        default: 3
      timeout:
        description: Seconds that an instance has for it, counted from when it has been started.
        type: float
        default: 30
      interval:
        description: Seconds between two successes of one instance, and after an answer that was none.
        type: float
        default: 0.2
      request_timeout:
        description: Seconds for one request.
        type: float
        default: 5
      validate_certs:
        description: Whether an https certificate has to be valid.
        type: bool
        default: true
  drain_timeout:
    description: Seconds that the application may need from being told to end until its last request is answered.
    type: float
    default: 8
  state_dir:
    description: State directory of the application. With it, only one module at a time acts on the host.
    type: path
  token:
    description:
      - Move only while the lock of M(sluice.release.release_lock) in O(state_dir) is held by this token. A run that has
        lost it is told who has taken it over and why; what it had begun is undone, and what served goes on serving.
      - Not looked at in check mode, in which no lock is taken.
    type: str
"""

    # The options that go with BLUE_GREEN of module_utils/switch/_spec.py
    BLUE_GREEN = r"""
options:
  instances:
    description: Number of instances.
    type: int
    default: 1
  ports:
    description:
      - The two ports that releases use in turn, behind the proxy.
      - With several O(instances), each of the two is the first of as many ports.
    type: list
    elements: int
  staged:
    description:
      - Whether the new instances are only started and proven, and wait at the idle one of O(ports) beside those that
        serve, so that something can be asked of them alone. A call without it moves the traffic to them.
    type: bool
    default: false
  hold:
    description:
      - Seconds that the old instances stay able to take the requests back once the proxy has moved.
      - A new instance that fails in that time costs no more than that.
    type: float
    default: 3
  keep:
    description: How many ended releases stay on the host, ready to be started again.
    type: int
    default: 1
  link:
    description: Symbolic link that points at O(path) once the new instances are proven.
    type: path
"""
