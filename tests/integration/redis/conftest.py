# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis and Valkey to take keys from and to load them into: one each a session, empty at the start of every test."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.sluice.release.plugins.modules import redis_preload, redis_snapshot

KINDS = ["redis", "valkey"]


@pytest.fixture(scope="session")
def two_of_each(open_redis: Any) -> Iterator[dict[str, list[Any]]]:
    with contextlib.ExitStack() as stack:
        settings = "enable-debug-command yes"
        yield {kind: [stack.enter_context(open_redis(kind, settings)) for _ in range(2)] for kind in KINDS}


def _empty(server: Any) -> Any:
    with server.client() as client:
        client.flushall()
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
    return server


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def pair(kind: str, two_of_each: dict[str, list[Any]]) -> tuple[Any, Any]:
    """An old server and a new one, of the same kind."""
    old, new = map(_empty, two_of_each[kind])
    return old, new


@pytest.fixture
def of_each(two_of_each: dict[str, list[Any]]) -> dict[str, Any]:
    """A Redis and a Valkey."""
    return {kind: _empty(servers[0]) for kind, servers in two_of_each.items()}


@pytest.fixture
def server(two_of_each: dict[str, list[Any]]) -> Any:
    """A Redis, where it does not matter which."""
    return _empty(two_of_each["redis"][0])


Run = Callable[..., dict[str, Any]]


def _running(main: Callable[[], None], run_module: Any) -> Run:
    def run(server: Any, **options: Any) -> dict[str, Any]:
        result: dict[str, Any] = run_module(main, **{"url": server.url, **options})
        told = json.dumps({name: value for name, value in result.items() if name != "invocation"})
        assert server.password not in told
        return result

    return run


@pytest.fixture
def snapshot(run_module: Any) -> Run:
    """Runs redis_snapshot on a server."""
    return _running(redis_snapshot.main, run_module)


@pytest.fixture
def preload(run_module: Any) -> Run:
    """Runs redis_preload on a server."""
    return _running(redis_preload.main, run_module)


@pytest.fixture
def mixed() -> Callable[[Any, int], None]:
    """Writes keys of all types into a server; two thirds of them end, in ten minutes and later."""

    def write(client: Any, count: int) -> None:
        with client.pipeline(transaction=False) as pipeline:
            for number in range(count):
                key = f"mixed:{number}"
                writes = (
                    lambda: pipeline.set(key, f"value {number}" * (number % 50)),  # noqa: B023 - called at once
                    lambda: pipeline.rpush(key, *range(number % 20 + 1)),  # noqa: B023
                    lambda: pipeline.hset(key, mapping={f"f{part}": part for part in range(number % 9 + 1)}),  # noqa: B023
                    lambda: pipeline.sadd(key, *(f"m{part}" for part in range(number % 7 + 1))),  # noqa: B023
                    lambda: pipeline.zadd(key, {f"m{part}": part * 1.5 for part in range(number % 7 + 1)}),  # noqa: B023
                    lambda: pipeline.xadd(key, {"field": number}),  # noqa: B023
                )
                writes[number % len(writes)]()
                if number % 3:
                    pipeline.pexpire(key, 600_000 + number * 13)
            pipeline.execute()

    return write


@pytest.fixture
def contents() -> Callable[[Any], dict[bytes, tuple[bytes, int]]]:
    """All keys of a server, with a digest of the value and the moment of their end."""

    def read(client: Any) -> dict[bytes, tuple[bytes, int]]:
        def look(key: bytes) -> tuple[bytes, int]:
            # A dump of the same set can differ between two servers.
            return client.execute_command("DEBUG", "DIGEST-VALUE", key)[0], client.pexpiretime(key)

        return {key: look(key) for key in client.scan_iter(count=1000)}

    return read


@pytest.fixture(scope="session")
def certificates() -> dict[str, str]:
    """An authority, and a certificate of 127.0.0.1 with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sluice tests")])
    now = dt.datetime.now(dt.UTC)

    def certify(subject: x509.Name, public: Any, extension: x509.ExtensionType) -> str:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        builder = builder.not_valid_after(now + dt.timedelta(days=9)).add_extension(extension, critical=False)
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    own = ec.generate_private_key(ec.SECP256R1())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cache.example.com")])
    return {
        "ca": certify(name, key.public_key(), x509.BasicConstraints(ca=True, path_length=None)),
        "cert": certify(subject, own.public_key(), address),
        "key": own.private_bytes(*form).decode(),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def whole_cluster(open_redis: Any) -> Iterator[list[Any]]:
    """Three primaries of a cluster of Valkey."""
    with contextlib.ExitStack() as stack:
        settings = [f"cluster-enabled yes\ncluster-port {_free_port()}" for _ in range(3)]
        nodes = [stack.enter_context(open_redis("valkey", setting, password="one-for-all")) for setting in settings]
        clients = [stack.enter_context(node.client()) for node in nodes]
        for number, client in enumerate(clients):
            first, last = 16384 * number // 3, 16384 * (number + 1) // 3 - 1
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            bus = client.config_get("cluster-port")["cluster-port"]
            for other in clients:
                other.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[number].port, bus)
        deadline = time.monotonic() + 60
        while not all(_knows_all(client) for client in clients):
            assert time.monotonic() < deadline, "the cluster did not come together"
            time.sleep(0.05)
        yield nodes


def _knows_all(client: Any) -> bool:
    state = client.execute_command("CLUSTER", "INFO")
    text = state if isinstance(state, dict) else dict(line.split(":") for line in state.decode().split())
    return text["cluster_state"] == "ok" and str(text["cluster_known_nodes"]) == "3"


@pytest.fixture
def cluster(whole_cluster: list[Any]) -> list[Any]:
    for node in whole_cluster:
        with node.client() as client:
            client.flushall()
    return whole_cluster
