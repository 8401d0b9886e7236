"""The servers that the other tests rely on."""

from __future__ import annotations

import pytest
import redis
from tests.servers.cluster import Cluster, redis_cluster
from tests.servers.proxy import Proxy
from tests.servers.sentinel import Watched
from tests.servers.server import Server, redis_server, until


def test_a_server_that_crashed_comes_back_empty_on_its_port(own_server: Server) -> None:
    """Nothing is kept on disk."""
    own_server.execute("SET", "name", "value")
    port, pid = own_server.port, own_server.pid
    own_server.restart()

    assert own_server.execute("GET", "name") is None
    assert port == own_server.port
    assert pid != own_server.pid


def test_a_password_is_asked_for() -> None:
    """Who gives another is refused."""
    with redis_server(password="secret") as server:
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(server.url.replace("secret", "wrong")).ping()

        assert server.execute("PING") == b"PONG"


def test_a_cluster_replaces_a_master_that_died() -> None:
    """Its replica takes the slots over."""
    with redis_cluster(replicas=1) as cluster:
        before = cluster.owner("name")
        before.kill()
        until(lambda: cluster.owner("name"), "somebody owns the slot")
        cluster.wait_ok()

        assert cluster.owner("name") in cluster.nodes[3:]


def test_a_cluster_has_all_slots(cluster: Cluster) -> None:
    """Three masters share them."""
    assert {cluster.owner(f"{number}").port for number in range(40)} == {node.port for node in cluster.nodes}


def test_a_sentinel_names_another_primary(watched: Watched) -> None:
    """It does so once told, or once the primary is silent."""
    assert watched.primary_port() == watched.primary.port

    watched.failover()

    assert watched.primary_port() == watched.replica.port


def test_the_proxy_cuts_in_mid_reply(proxy: Proxy, server: Server) -> None:
    """So many bytes arrive, and no more."""
    server.execute("SET", "name", "value" * 100)
    client = redis.Redis.from_url(proxy.url, protocol=2)

    assert client.get("name") == b"value" * 100

    proxy.faults.cut_after = 50
    with pytest.raises(redis.ConnectionError):
        client.get("name")
    assert client.get("name") == b"value" * 100
    client.close()
