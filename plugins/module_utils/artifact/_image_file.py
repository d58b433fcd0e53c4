# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""``images.json`` of a release directory: which images belong to a release, by service."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError

FILE = "images.json"


@dataclass(frozen=True)
class Recorded:
    """An image as a release names it."""

    image: str
    """Its name for whoever pulls it, by digest where a registry has it."""
    kept: str = ""
    """Its name on the host, which nobody moves to another image, nor prunes."""
    digest: str = ""
    tag: str = ""
    """The tag that it was asked for by."""

    @property
    def local(self) -> str:
        """Its name on a host that has installed the release."""
        return self.kept or self.image


def read(path: str) -> dict[str, Recorded]:
    """Return the images of a release directory by service; none when it has no such file."""
    file = os.path.join(path, FILE)
    try:
        with open(file, encoding="utf-8") as stream:
            return {str(service): _recorded(one) for service, one in json.load(stream).items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SluiceError(f"read {file}", error.strerror or str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SluiceError(
            f"read {file}", "it does not name one image for each service", "Install the release again"
        ) from error


def _recorded(one: Mapping[str, Any]) -> Recorded:
    return Recorded(str(one["image"]), *(str(one.get(key) or "") for key in ("kept", "digest", "tag")))


def render(images: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the content of the file."""
    return json.dumps(images, indent=2, sort_keys=True) + "\n"
