"""A Redis Cluster of three masters, each with replicas or without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from redis.crc import key_slot
from tests.servers.server import Server, free_port, redis_server, until

MASTERS = 3
SLOTS = 16384


@dataclass(frozen=True, slots=True)
class Cluster:
    """Its nodes: the first three were started as masters, the n-th of the others as a replica of the n-th master."""

    nodes: list[Server]

    @property
    def url(self) -> str:
        """A URL of one node, of the kind a standalone server has."""
        return self.nodes[0].url

    def owner(self, name: str | bytes) -> Server:
        """Return the master that has the slot of *name* now."""
        slot = key_slot(name.encode() if isinstance(name, str) else name)
        for node in self.nodes:
            if _alive(node) and any(first <= slot <= last for first, last in _own_slots(node)):
                return node
        raise LookupError(f"no node has slot {slot}")

    def is_ok(self) -> bool:
        """Return whether all nodes that live say that the cluster is."""
        return all(b"cluster_state:ok" in node.execute("CLUSTER", "INFO") for node in self.nodes if _alive(node))

    def wait_ok(self) -> None:
        """Return once `is_ok`."""
        until(self.is_ok, "the cluster is ok")


def _alive(node: Server) -> bool:
    try:
        return bool(node.execute("PING"))
    except Exception:  # whatever it says, it is of no use now
        return False


def _own_slots(node: Server) -> list[tuple[int, int]]:
    """Return the ranges of slots that *node* serves as a master."""
    for line in node.execute("CLUSTER", "NODES").decode().splitlines():
        words = line.split()
        if "myself,master" in words[2]:
            ranges = [word.split("-") for word in words[8:] if "[" not in word]
            return [(int(one[0]), int(one[-1])) for one in ranges]
    return []


@contextmanager
def redis_cluster(*options: str, replicas: int = 0, password: str | None = None) -> Iterator[Cluster]:
    """Run a cluster of three masters with *replicas* each. It takes two seconds: no master joins sooner."""
    with ExitStack() as stack:
        nodes: list[Server] = []
        buses: list[int] = []
        for _ in range(MASTERS * (1 + replicas)):
            buses.append(free_port())
            own = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", str(buses[-1]))
            nodes.append(stack.enter_context(redis_server(*own, *options, password=password)))
        for number, node in enumerate(nodes[:MASTERS]):
            first, last = number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS - 1
            node.execute("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.execute("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node, bus in zip(nodes[1:], buses[1:], strict=True):
            nodes[0].execute("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        everyone = b"cluster_known_nodes:%d" % len(nodes)
        until(lambda: all(everyone in node.execute("CLUSTER", "INFO") for node in nodes), "all nodes have met")
        names = [node.execute("CLUSTER", "MYID") for node in nodes[:MASTERS]]
        for number, node in enumerate(nodes[MASTERS:]):
            node.execute("CLUSTER", "REPLICATE", names[number % MASTERS])
        for node in nodes[MASTERS:]:
            node.wait_until_it_follows()
        cluster = Cluster(nodes)
        cluster.wait_ok()
        yield cluster
