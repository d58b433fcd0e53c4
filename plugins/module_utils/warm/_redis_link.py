# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Connections to a Redis over which many commands go at once: to one server, or to every primary of a cluster.

redis-py connects, with TLS and password; then hiredis reads the answers, many times quicker than one call for each.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.sluice.release.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.release.plugins.module_utils._redis import client_of, described
from ansible_collections.sluice.release.plugins.module_utils._runner import redact
from ansible_collections.sluice.release.plugins.module_utils.warm._redis_info import cause_of, parse_info

SLOTS = 16384

_CHUNK = 1 << 16
_NOTHING = object()


class GoneError(Exception):
    """A server does not answer any more. Its text says how."""


@dataclass(frozen=True)
class Access:
    """Where a Redis is, and who asks."""

    url: str
    username: str | None = None
    password: str | None = None
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True
    cluster: bool | None = None
    timeout: float = 10.0

    @property
    def name(self) -> str:
        """What a message calls it."""
        parts = urlsplit(self.url)
        with contextlib.suppress(ValueError):
            return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path or "Redis"
        return "Redis"

    @property
    def secrets(self) -> list[str]:
        return [self.url, *([self.password] if self.password else [])]

    def settings(self) -> dict[str, Any]:
        """What the client is told beside the URL, which wins."""
        # Answers are read without redis-py, and it would turn on messages that nobody has asked for.
        found: dict[str, Any] = {"protocol": 2, "username": self.username, "password": self.password}
        if urlsplit(self.url).scheme == "rediss":
            found["ssl_ca_certs"] = self.ca_path
            found["ssl_certfile"] = self.client_cert
            found["ssl_keyfile"] = self.client_key
            found["ssl_cert_reqs"] = "required" if self.validate_certs else "none"
            found["ssl_check_hostname"] = self.validate_certs
        return {name: value for name, value in found.items() if value is not None}

    def told(self, error: Exception) -> str:
        """An error without the password."""
        return redact(described(error, self.url), self.secrets)


def pack_words(commands: Iterable[Sequence[bytes | str | int]]) -> bytes:
    """Commands as they go over the wire."""
    from hiredis import pack_command

    # Its stub knows tuples of a single word alone.
    return b"".join([pack_command(tuple(words)) for words in commands])  # type: ignore[arg-type]


class Link:
    """One connection."""

    def __init__(self, name: str, client: Any) -> None:
        import hiredis

        self.name = name
        # It closes its connections when nobody holds it any more.
        self._client = client
        self._connection = client.connection_pool.get_connection()
        # One answer at a time is all that redis-py gives.
        self._socket = self._connection._sock
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._error = hiredis.ReplyError

    def send(self, data: bytes) -> None:
        """Send commands as they go over the wire. GoneError when the server does not take them."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise GoneError(self._gone(error)) from error

    def receive(self, count: int) -> list[Any]:
        """The next answers, in order; an error is one too. GoneError when they do not come."""
        import hiredis

        answers: list[Any] = []
        try:
            while True:
                answers += islice(iter(self._reader.gets, _NOTHING), count - len(answers))
                if len(answers) == count:
                    return answers
                data = self._socket.recv(_CHUNK)
                if not data:
                    raise GoneError(f"{self.name} has closed the connection")
                self._reader.feed(data)
        except OSError as error:
            raise GoneError(self._gone(error)) from error
        except hiredis.ProtocolError as error:
            raise GoneError(f"{self.name} does not answer as a Redis does") from error

    def ask(self, *words: bytes | str | int) -> Any:
        """The answer to one command."""
        return self.ask_all([words])[0]

    def ask_all(self, commands: Sequence[Sequence[bytes | str | int]]) -> list[Any]:
        """The answers to several commands, in one round trip."""
        self.send(pack_words(commands))
        return self.receive(len(commands))

    def is_error(self, answer: Any) -> bool:
        return isinstance(answer, self._error)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.disconnect()
            self._client.close()

    def _gone(self, error: OSError) -> str:
        if isinstance(error, socket.timeout):
            return f"{self.name} does not answer in time"
        return f"{self.name} has gone: {error.strerror or type(error).__name__}"


class Store:
    """A Redis: one server, or the primaries of a cluster."""

    def __init__(self, access: Access, links: list[Link], info: Mapping[str, str], slots: list[int] | None) -> None:
        self.access = access
        self.links = links
        self.info = info
        self._slots = slots

    @property
    def name(self) -> str:
        return self.access.name

    @property
    def is_cluster(self) -> bool:
        return self._slots is not None

    @property
    def product(self) -> str:
        """``redis`` or ``valkey``, and its version."""
        if "valkey_version" in self.info:
            return f"valkey {self.info['valkey_version']}"
        return f"redis {self.info.get('redis_version', '?')}"

    def place_of(self, key: bytes) -> int:
        """The number of the link for a key."""
        if self._slots is None:
            return 0
        from redis.crc import key_slot

        return self._slots[key_slot(key)]

    def look_again(self) -> None:
        """Read anew which node has which keys, after one has said that it has moved. GoneError when none says."""
        nodes, slots = _read_slots(self.links[0].ask("CLUSTER", "SLOTS"), self.access)
        known = {link.name: number for number, link in enumerate(self.links)}
        for host, port in nodes:
            if f"{host}:{port}" not in known:
                known[f"{host}:{port}"] = len(self.links)
                self.links.append(_connect(self.access, (host, port)))
        places = [known[f"{host}:{port}"] for host, port in nodes]
        self._slots = [places[slot] for slot in slots]

    def close(self) -> None:
        for link in self.links:
            link.close()


@contextlib.contextmanager
def open_store(access: Access, doing: str) -> Iterator[Store]:
    """Connect. SluiceError that begins with what was to be done, without a secret."""
    import redis

    links: list[Link] = []
    try:
        try:
            links.append(_connect(access))
            info = _look_at(links[0], access, doing)
            slots = None
            if info.get("cluster_enabled") == "1":
                nodes, slots = _read_slots(links[0].ask("CLUSTER", "SLOTS"), access)
                # The first one may be a replica, or one of several.
                links[:] = [_connect(access, node) for node in nodes]
        except (redis.RedisError, OSError, ValueError, GoneError) as error:
            raise SluiceError(doing, access.told(error), remedy_for(error, access)) from error
        store = Store(access, links, info, slots)
        links = store.links
        yield store
    finally:
        for link in links:
            link.close()


def remedy_for(error: Exception, access: Access) -> str:
    """What a person can do about a connection that is not made."""
    text = f"{type(error).__name__} {error}"
    if any(word in text for word in ("Authentication", "WRONGPASS", "NOAUTH", "invalid username-password")):
        return "Correct user and password of the URL"
    # A server without TLS leaves a greeting unanswered.
    speaks_tls = urlsplit(access.url).scheme == "rediss"
    if "SSL" in text or "certificate" in text.lower() or (speaks_tls and "timeout" in text.lower()):
        return "Look at rediss:// in the URL, at ca_path, client_cert and client_key, and at the server's certificate"
    if isinstance(error, ValueError):
        return "Give a URL like redis://user:password@host:6379/0, with rediss for TLS"
    return "See that the server runs, and that this host reaches it"


def _connect(access: Access, node: tuple[str, int] | None = None) -> Link:
    client = client_of(access.url, access.timeout, **access.settings())
    if node is not None:
        client.connection_pool.connection_kwargs.update(host=node[0], port=node[1])
    name = access.name if node is None else f"{node[0]}:{node[1]}"
    return Link(name, client)


def _look_at(link: Link, access: Access, doing: str) -> dict[str, str]:
    """INFO, and whether it fits what was asked for."""
    answer = link.ask("INFO")
    if link.is_error(answer):
        cause = cause_of(str(answer))
        raise SluiceError(
            doing, f"INFO is refused, {cause.text}", "Its memory must be watched: allow the user the command INFO"
        )
    info = parse_info(answer)
    is_cluster = info.get("cluster_enabled") == "1"
    if access.cluster is not None and access.cluster != is_cluster:
        found = "it is a node of a cluster" if is_cluster else "it is no node of a cluster"
        raise SluiceError(doing, found, "Leave out the option cluster, or correct it")
    if info.get("loading") == "1":
        raise SluiceError(doing, "it still loads its data", "Wait until it has")
    return info


def _read_slots(answer: Any, access: Access) -> tuple[list[tuple[str, int]], list[int]]:
    """The primaries of a cluster, and for each slot which of them has it. GoneError when one has none."""
    if not isinstance(answer, list):
        raise GoneError(f"CLUSTER SLOTS is refused, {cause_of(str(answer)).text}")
    nodes: list[tuple[str, int]] = []
    slots = [-1] * SLOTS
    for first, last, primary, *_replicas in answer:
        # A node that does not know its own address stands for the one that was asked.
        host = (primary[0] or b"").decode() or urlsplit(access.url).hostname or "127.0.0.1"
        node = (host, int(primary[1]))
        if node not in nodes:
            nodes.append(node)
        slots[first : last + 1] = [nodes.index(node)] * (last + 1 - first)
    missing = slots.count(-1)
    if missing:
        raise GoneError(f"no node of the cluster serves {missing} of its {SLOTS} slots")
    return nodes, slots
