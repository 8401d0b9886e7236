"""Servers that live as long as the session, for tests that break nothing; and those that a test may break."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from tests.servers.cluster import Cluster, redis_cluster
from tests.servers.proxy import Proxy, redis_proxy
from tests.servers.sentinel import Watched, redis_sentinel
from tests.servers.server import Server, redis_server


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """Run one server for all tests."""
    with redis_server() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    """Give the server that all tests share, emptied."""
    shared_server.execute("FLUSHALL")
    return shared_server


@pytest.fixture
def own_server() -> Iterator[Server]:
    """Run a server that the test may break."""
    with redis_server() as server:
        yield server


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """Run a proxy before the shared server."""
    with redis_proxy(server.port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """Return an authority, and the file with its certificate."""
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return authority, path


@pytest.fixture
def tls_proxy(server: Server, authority: tuple[trustme.CA, Path]) -> Iterator[Proxy]:
    """Run a proxy that speaks TLS with clients before the shared server: not every server binary can."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority[0].issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with redis_proxy(server.port, context) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Cluster]:
    """Run one cluster of three masters for all tests."""
    with redis_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Cluster:
    """Give the cluster that all tests share, emptied."""
    for node in shared_cluster.nodes:
        node.execute("FLUSHALL")
    return shared_cluster


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Run a primary, its replica and a sentinel, which the test may break."""
    with redis_sentinel() as watched:
        yield watched
