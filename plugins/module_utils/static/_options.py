# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the options of static_switch to what the switch works with, and all that can be refused at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.journal._fence import telling
from ansible_collections.sluice.release.plugins.module_utils.static import _tree
from ansible_collections.sluice.release.plugins.module_utils.static._amazon import Access, Bucket, Distribution
from ansible_collections.sluice.release.plugins.module_utils.static._ledger import Keep
from ansible_collections.sluice.release.plugins.module_utils.static._link import LinkPlace
from ansible_collections.sluice.release.plugins.module_utils.static._place import Place
from ansible_collections.sluice.release.plugins.module_utils.static._publish import Request, World
from ansible_collections.sluice.release.plugins.module_utils.static._s3 import BucketPlace, Headers
from ansible_collections.sluice.release.plugins.module_utils.static._tree import Rules
from ansible_collections.sluice.release.plugins.module_utils.switch import _ready
from ansible_collections.sluice.release.plugins.module_utils.switch._spec import SWITCH

_TEXT: dict[str, Any] = {"type": "str"}
_TEXTS: dict[str, Any] = {"type": "list", "elements": "str"}
# Never published, whatever the profile says.
_OURS = (".sluice-*", "*/.sluice-*")

S3: dict[str, Any] = {
    "bucket": {"type": "str", "required": True},
    "prefix": {"type": "str", "default": ""},
    "region": _TEXT,
    "endpoint_url": _TEXT,
    "access_key": {"type": "str", "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "session_token": {"type": "str", "no_log": True},
    "profile": _TEXT,
    "encryption": {"type": "str", "choices": ["AES256", "aws:kms"]},
    "cache_hashed": {"type": "str", "default": Headers.hashed},
    "cache_other": {"type": "str", "default": Headers.other},
    "content_types": {"type": "dict", "default": {}},
}

CLOUDFRONT: dict[str, Any] = {
    "distribution": {"type": "str", "required": True},
    "timeout": {"type": "float", "default": 600},
    "endpoint_url": _TEXT,
}

RULES: dict[str, Any] = {
    "hashed": _TEXTS,
    "entries": {**_TEXTS, "default": list(_tree.ENTRIES)},
    "workers": {**_TEXTS, "default": list(_tree.WORKERS)},
    "exclude": {**_TEXTS, "default": [pattern for pattern in _tree.EXCLUDED if pattern not in _OURS]},
    "base": {"type": "str", "default": "/"},
    "elsewhere": {**_TEXTS, "default": []},
}

SPEC: dict[str, Any] = {
    **SWITCH,
    "state": {"type": "str", "choices": ["active", "staged", "stopped", "absent"], "default": "active"},
    "target": {"type": "str", "choices": ["link", "s3"], "default": "link"},
    "tree": {"type": "str", "default": "dist"},
    "link": {"type": "path"},
    "store": {"type": "path"},
    "s3": {"type": "dict", "options": S3},
    "cloudfront": {"type": "dict", "options": CLOUDFRONT},
    "rules": {"type": "dict", "default": {}, "options": RULES, "apply_defaults": True},
    "keep": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {"releases": {"type": "int", "default": 3}, "days": {"type": "float", "default": 7}},
    },
    "proof": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {
            "urls": {**_TEXTS, "default": []},
            "timeout": {"type": "float", "default": 120},
            "caching": {"type": "str", "choices": ["warn", "fail", "ignore"], "default": "warn"},
        },
    },
}


def rules(options: Mapping[str, Any]) -> Rules:
    """Return how files are told from one another."""
    return Rules(
        hashed=tuple(options["hashed"] if options["hashed"] is not None else _tree.HASHED_NAMES),
        entries=tuple(options["entries"]),
        workers=tuple(options["workers"]),
        exclude=(*_OURS, *options["exclude"]),
        base=options["base"],
        elsewhere=tuple(options["elsewhere"]),
    )


def headers(options: Mapping[str, Any] | None) -> Headers:
    """Return what objects are uploaded with."""
    if not options:
        return Headers()
    types = {str(suffix): str(kind) for suffix, kind in options["content_types"].items()}
    return Headers(options["cache_hashed"], options["cache_other"], types, options["encryption"])


def world(params: Mapping[str, Any], warn: Callable[[str], object] = str) -> World:
    """Return what the switch acts on."""
    say = telling(params["progress"])
    return World(_place(params, say), say=say, warn=warn)


def _place(params: Mapping[str, Any], say: Callable[[str], object]) -> Place:
    if params["target"] == "link":
        link = os.path.abspath(params["link"])
        store = os.path.abspath(params["store"] or f"{link}.releases")
        return LinkPlace(link, store, rules(params["rules"]))
    options = params["s3"]
    keys = ("region", "access_key", "secret_key", "session_token", "profile")
    access = Access(**{key: options[key] for key in keys})
    bucket = Bucket(access.client("s3", options["endpoint_url"]), options["bucket"], options["prefix"])
    return BucketPlace(bucket, headers(options), _distribution(params, access, say))


def _distribution(params: Mapping[str, Any], access: Access, say: Callable[[str], object]) -> Distribution | None:
    options = params["cloudfront"]
    if not options:
        return None
    client = access.client("cloudfront", options["endpoint_url"])
    base = rules(params["rules"]).base
    # Paths of a distribution have no host.
    path = base if base.startswith("/") else "/"
    return Distribution(client, options["distribution"], path, options["timeout"], say=say)


def request(params: Mapping[str, Any], check_mode: bool = False) -> Request:
    """Return what shall serve. SluiceError for what can never work."""
    for option in ("release", "path"):
        # An explicit null counts as given for Ansible.
        if not params[option]:
            raise SluiceError("use the options of static_switch", f"{option} is empty", "Correct the profile")
    root = os.path.normpath(os.path.join(os.path.abspath(params["path"]), params["tree"]))
    proof, keep = params["proof"], params["keep"]
    if keep["releases"] < 0 or keep["days"] < 0:
        raise SluiceError("use the options of static_switch", "keep is negative", "Correct the profile")
    return Request(
        name=params["name"],
        release=params["release"],
        root=root,
        ready=_ready_of(params["ready"]) if params["state"] == "active" else None,
        rules=rules(params["rules"]),
        keep=Keep(keep["releases"], keep["days"]),
        headers=headers(params["s3"]).mark if params["target"] == "s3" else "",
        urls=tuple(proof["urls"]),
        urls_timeout=proof["timeout"],
        caching=proof["caching"],
        # Check mode may ask about a release that the run before it would have built.
        to_come=check_mode and not os.path.isdir(params["path"]),
    )


def _ready_of(options: dict[str, Any]) -> _ready.Ready:
    ready = _ready.from_options(options)
    # A path alone is enough: the host is that of each address.
    absolute = ready.version_url if "://" in ready.version_url else ""
    _ready.check(_ready.Ready(**{**ready.__dict__, "version_url": absolute}))
    if ready.successes < 1:
        raise SluiceError("use the options of static_switch", "ready.successes is less than 1", "Correct the profile")
    return ready
