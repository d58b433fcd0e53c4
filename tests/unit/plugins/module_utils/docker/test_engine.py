# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine refuses, in words that help."""

from __future__ import annotations

import pytest

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils.docker._engine import Engine, refusal, unreachable


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "mkdir /var/lib/docker/overlay2/x: no space left on device",
            (
                "Cannot start shop: the disk of the engine is full "
                "(mkdir /var/lib/docker/overlay2/x: no space left on device). "
                "Make room, for example with: docker system df."
            ),
        ),
        (
            "driver failed: Bind for 127.0.0.1:3001 failed: port is already allocated",
            (
                "Cannot start shop: its port is in use "
                "(driver failed: Bind for 127.0.0.1:3001 failed: port is already allocated). "
                "See who listens there: ss -ltnp."
            ),
        ),
        (
            "network inside not found",
            "Cannot start shop: there is no network inside. Create it: docker network create inside.",
        ),
        (
            "No such image: shop:9",
            (
                "Cannot start shop: there is no image shop:9 on this host. "
                "Role sluice.release.artifact brings it; nothing is pulled while the switch goes on."
            ),
        ),
        (
            'Conflict. The container name "/shop-1" is already in use by container "0a"',
            "Cannot start shop: the name shop-1 is taken by another container. Rename or remove that one.",
        ),
        ("something\nelse.", "Cannot start shop: Docker says: something else."),
    ],
)
def test_a_refusal(said: str, message: str) -> None:
    assert str(refusal("start shop", said)) == message


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("('Connection aborted.', PermissionError(13, 'Permission denied'))", "this user may not use its socket"),
        ("('Connection aborted.', FileNotFoundError(2, 'No such file or directory'))", "there is no such socket"),
        ("[Errno 111] Connection refused", "nothing listens there"),
        ("Read timed out. (read timeout=60)", "it does not answer in time"),
        ("what", "it does not answer (what)"),
    ],
)
def test_an_engine_that_is_away(said: str, cause: str) -> None:
    assert unreachable("unix:///docker.sock", said).cause == cause


def test_nothing_is_asked_of_an_engine_that_is_not_there() -> None:
    with pytest.raises(SluiceError, match=r"nowhere/docker\.sock: there is no such socket"):
        Engine("unix:///nowhere/docker.sock")
