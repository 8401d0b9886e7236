"""Purges reach every process, also those that were cut off, and the caller is told how far they got."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.servers.cluster import Cluster
from tests.servers.nodes import Node
from tests.servers.server import Server

from asgi_resync.cache import tags as tags_module
from asgi_resync.cache.l2 import journal
from asgi_resync.cache.l2.messages import Landed, Replaced
from asgi_resync.cache.l2.names import key_bytes
from asgi_resync.cache.tags import EVERYTHING
from asgi_resync.cache.undelivered import Delivery
from asgi_resync.events import BackplaneCaughtUp, BackplaneLost, MessageIgnored, PurgeDelivered, PurgeQueued

KEY = ("http", b"example.com", b"/a", "/a", b"")
_numbers = itertools.count()

Start = Callable[..., Awaitable[Node]]


@pytest.fixture
async def start(server: Server) -> AsyncIterator[Start]:
    """Return a function that starts a node; all of one test share a prefix, and are stopped at its end."""
    nodes: list[Node] = []
    prefix = f"t{next(_numbers)}:"

    async def one(name: str, **options: Any) -> Node:
        node = Node(name, server.url, prefix, **options)
        nodes.append(node)
        await node.start()
        return node

    yield one
    for node in nodes:
        await node.stop()


async def fill(*nodes: Node, tags: tuple[str, ...] = ("a",)) -> None:
    """Let the first node store something, and all read it."""
    await nodes[0].finish(nodes[0].ask(KEY, *tags, body=b"old"))
    for node in nodes:
        assert b"old" == await node.read(KEY)


@pytest.mark.parametrize("what", ["tags", "keys"])
async def test_a_purge_is_delivered_when_every_process_has_applied_it(start: Start, what: str) -> None:
    """In memory and in Redis; what is asked for afterwards is kept everywhere."""
    one, two = await start("one"), await start("two")
    await fill(one, two)
    delivery = await one.backplane.purge(["a"] if what == "tags" else [], [KEY] if what == "keys" else [])

    assert Delivery(state="delivered", confirmed=1) == delivery
    assert [None, None] == [await node.read(KEY) for node in (one, two)]

    await two.finish(two.ask(KEY, "a", body=b"new"))
    one.memory.clear()

    assert [b"new", b"new"] == [await node.read(KEY) for node in (one, two)]


async def test_a_process_alone_waits_for_nobody(start: Start) -> None:
    """There is nobody to confirm."""
    one = await start("one")

    assert Delivery(state="delivered") == await one.backplane.purge(["a"])


async def test_a_soft_purge_marks_stale_everywhere_since_the_same_moment(start: Start) -> None:
    """On each process's own clock."""
    one, two = await start("one"), await start("two")
    two.now += 5000
    entry, _ = two.ask(KEY, "a")
    await one.backplane.purge(["a"], soft=True)

    standing = two.ledger.standing(entry)
    assert isinstance(standing, tags_module.MarkedStale)
    assert two.now == pytest.approx(standing.at, abs=2)


async def test_an_answer_under_way_elsewhere_does_not_bring_back_what_was_dropped(start: Start) -> None:
    """Neither into the memory of its process nor into Redis."""
    one, two = await start("one"), await start("two")
    call = two.ask(KEY, body=b"old")
    await one.backplane.purge(keys=[KEY])
    await two.store.set(KEY, call[0])
    await two.finish(call)

    assert [None, None] == [await node.read(KEY) for node in (one, two)]


async def test_while_redis_is_away_purges_wait_and_are_delivered_when_it_is_back(start: Start) -> None:
    """The caller is told which of both happened, and so is whoever listens to events."""
    one, two = await start("one"), await start("two")
    await fill(one, two)
    await one.cut()

    assert Delivery(state="queued") == await one.backplane.purge(["a"], [KEY])
    assert await one.read(KEY) is None
    assert b"old" == await two.read(KEY)

    await one.mend()
    await two.until(lambda: KEY not in two.memory)

    assert await two.read(KEY) is None
    assert await one.read(KEY) is None
    kinds = [type(event) for event in one.events]
    assert [BackplaneCaughtUp, BackplaneLost, PurgeQueued, PurgeDelivered, BackplaneCaughtUp] == kinds


async def test_who_was_cut_off_trusts_its_memory_again_once_it_has_caught_up(start: Start) -> None:
    """Until then it holds it for stale; what was not purged meanwhile is fresh again."""
    one, two = await start("one"), await start("two", patience=0.02)
    await fill(one, two)
    other = two.ask(("other",), "b", body=b"other")
    await two.finish(other)
    await one.read(("other",))
    await one.cut()

    assert [None, None] == [await one.read(key) for key in (KEY, ("other",))]
    assert Delivery(state="partial", unconfirmed=1) == await two.backplane.purge(["a"])

    await one.mend()

    assert [None, b"other"] == [await one.read(key) for key in (KEY, ("other",))]
    assert BackplaneCaughtUp(missed=False) == one.events[-1]


async def test_a_lost_message_costs_a_look(start: Start) -> None:
    """The journal is what counts."""
    one, two = await start("one"), await start("two", patience=0.02)
    await fill(one, two)
    one.link.is_deaf = True
    delivery = await two.backplane.purge(["a"], [("x",)])

    assert "partial" == delivery.state
    assert b"old" == await one.read(KEY)

    await one.look()
    await one.until(lambda: one.ledger.standing(one.memory[KEY]) == "purged")


async def test_who_was_cut_off_hears_what_was_dropped_meanwhile(start: Start) -> None:
    """Also what was under way there is not kept."""
    one, two = await start("one"), await start("two", patience=0.02)
    await fill(one, two)
    await one.cut()
    call = one.ask(KEY, body=b"old")
    await two.backplane.purge(keys=[KEY])
    await one.mend()
    await one.finish(call)

    assert [None, None] == [await node.read(KEY) for node in (one, two)]


async def test_a_purge_of_its_own_hides_none_that_it_missed(start: Start) -> None:
    """It has not seen what came before it."""
    one, two = await start("one"), await start("two", patience=0.02)
    await fill(one, two)
    one.link.is_deaf = True
    await two.backplane.purge(["a"])
    await one.backplane.purge(["b"])
    await one.look()
    await one.until(lambda: one.ledger.standing(one.memory[KEY]) == "purged")


async def test_after_a_gap_the_next_message_makes_a_process_look(start: Start) -> None:
    """A message says which change came before it."""
    one, two = await start("one"), await start("two", patience=0.02)
    await fill(one, two)
    one.link.is_deaf = True
    await two.backplane.purge(["a"])
    one.link.is_deaf = False

    assert "delivered" == (await two.backplane.purge(["b"])).state
    assert await one.read(KEY) is None


async def test_a_newcomer_knows_the_purges_of_before(start: Start) -> None:
    """So that a record which outlived a purge in Redis is not served by it, however many purges there were."""
    one = await start("one")
    await fill(one)
    for number in range(3):
        await one.backplane.purge([f"t{number}-{index}" for index in range(700)], soft=number == 1)
    await one.backplane.purge(["a"])
    two = await start("two")

    assert await two.read(KEY) is None
    assert one.ledger.seen <= two.ledger.seen


async def test_a_farewell_is_not_waited_for_and_a_silent_end_is_reported(start: Start) -> None:
    """It may be cut off and alive."""
    one, two, three = await start("one", patience=0.02), await start("two"), await start("three")
    await two.stop()
    await three.stop()
    await two.backplane.leave()

    assert Delivery(state="partial", unconfirmed=1) == await one.backplane.purge(["a"])


async def test_who_stood_still_for_longer_than_a_lease_catches_up_first(start: Start) -> None:
    """As after SIGSTOP: nobody waited for it."""
    one = await start("one")
    one.passed += 10
    await one.until(lambda: BackplaneLost(cause="silence") in one.events, ticking=True)
    await one.until(lambda: one.backplane.is_live, ticking=True)


async def test_a_flushed_redis_is_told_again_what_was_purged(start: Start, server: Server) -> None:
    """By everyone who knows; memory stays trusted where nothing was missed."""
    one, two = await start("one"), await start("two")
    await fill(one, two, tags=("b",))
    old = two.ask(("k",), "a", body=b"old")
    await one.backplane.purge(["a"])
    server.execute("FLUSHALL")
    await one.look()
    await one.until(lambda: one.backplane._forgot_from is None)
    await two.look()
    await two.store.set(("k",), old[0])
    three = await start("three")

    assert await three.read(("k",)) is None
    assert [b"old", b"old"] == [await node.read(KEY) for node in (one, two)]


async def test_who_was_cut_off_while_redis_forgot_holds_its_memory_for_stale_for_good(
    start: Start, server: Server
) -> None:
    """What it missed can never be known. What it stores from then on is fresh."""
    one = await start("one")
    await fill(one)
    await one.cut()
    server.execute("FLUSHALL")
    await one.mend()

    assert BackplaneCaughtUp(missed=True) == one.events[-1]
    assert await one.read(KEY) is None

    await one.finish(one.ask(KEY, "a", body=b"new"))

    assert b"new" == await one.read(KEY)


async def test_a_flushed_redis_does_not_make_those_forgotten_that_were_cut_off(start: Start, server: Server) -> None:
    """They answer from memory still: who knew them reports them until their memory has run out."""
    one, two = await start("one", patience=0.02), await start("two")
    await one.look()
    await two.cut()
    server.execute("FLUSHALL")

    assert Delivery(state="partial", unconfirmed=1) == await one.backplane.purge(["a"])

    await one.look()

    assert Delivery(state="partial", unconfirmed=1) == await one.backplane.purge(["a"])

    one.passed += 64
    await one.until(lambda: one.backplane.is_live, ticking=True)
    await one.look()

    assert Delivery(state="delivered") == await one.backplane.purge(["a"])


@pytest.mark.parametrize("by", ["its word", "a purge"])
async def test_nor_those_that_came_since_the_last_look(start: Start, server: Server, by: str) -> None:
    """Who has come says so, and confirms purges: no look is needed to know it."""
    one = await start("one", patience=0.02)
    one.link.is_deaf = by == "a purge"
    two = await start("two")
    if by == "its word":
        await one.until(lambda: "two" in one.backplane._journal._peers)
    else:
        assert Delivery(state="partial", unconfirmed=1) == await one.backplane.purge(["b"])
    await two.cut()
    server.execute("FLUSHALL")

    assert Delivery(state="partial", unconfirmed=1) == await one.backplane.purge(["a"])

    await one.look()

    assert Delivery(state="partial", unconfirmed=1) == await one.backplane.purge(["a"])


@pytest.mark.parametrize("name", ["hard", "soft", "drops", "state"])
async def test_what_redis_evicted_of_the_journal_is_told_again(start: Start, server: Server, name: str) -> None:
    """A record that outlived it must not come to life."""
    one = await start("one")
    await fill(one)
    await one.backplane.purge(["a"])
    await one.backplane.purge(["b"], soft=True)
    (found,) = [key for key in server.execute("KEYS", "*") if key.endswith(b"{purges}:" + name.encode())]
    server.execute("DEL", found)
    await one.look()
    await one.until(lambda: one.backplane._forgot_from is None)
    two = await start("two")

    assert await two.read(KEY) is None
    assert one.backplane.is_live
    versions = [int(float(server.execute("ZSCORE", found.replace(name.encode(), b"hard"), "a")))]
    assert versions[0] >= 1


async def test_full_redis_still_takes_drops(start: Start, server: Server) -> None:
    """What it would not drop would be found again, and would hold up all purges that come later."""
    one, two = await start("one"), await start("two")
    server.execute("CONFIG", "SET", "maxmemory-policy", "noeviction")
    server.execute("CONFIG", "SET", "maxmemory", "1")
    try:
        delivery = await one.backplane.purge(keys=[KEY])
    finally:
        server.execute("CONFIG", "SET", "maxmemory", "0")

    assert "delivered" == delivery.state
    assert two.backplane.is_live


async def test_full_redis_still_takes_purges(start: Start, server: Server) -> None:
    """They are little, and bounded."""
    one, two = await start("one"), await start("two")
    server.execute("CONFIG", "SET", "maxmemory", "1")
    try:
        delivery = await one.backplane.purge(["a"])
    finally:
        server.execute("CONFIG", "SET", "maxmemory", "0")

    assert "delivered" == delivery.state
    assert two.backplane.is_live


async def test_more_tags_than_fit_are_widened_in_redis_too(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer takes away more than was purged, never less."""
    monkeypatch.setattr(journal, "MAX_TAGS", 3)
    monkeypatch.setattr(journal, "MAX_DROPS", 3)
    one = await start("one")
    await fill(one)
    await one.backplane.purge(["a"])
    soft, _ = one.ask(("s",), "s")
    await one.store.set(("s",), soft)
    await one.backplane.purge(["s"], soft=True)
    for number in range(5):
        await one.backplane.purge([f"h{number}"])
        await one.backplane.purge([f"s{number}"], soft=True)
        await one.backplane.purge(keys=[(f"k{number}",)])
    two = await start("two")

    assert [None, None] == [await two.read(key) for key in (KEY, ("s",))]
    assert EVERYTHING in two.ledger._hard
    assert EVERYTHING in two.ledger._soft
    assert len(two.ledger._hard) <= 4


async def test_who_missed_more_drops_than_are_kept_holds_its_memory_for_stale(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can tell which."""
    monkeypatch.setattr(journal, "MAX_DROPS", 3)
    one, two = await start("one"), await start("two", patience=0.02)
    await fill(one, two)
    await one.cut()
    await two.backplane.purge(keys=[KEY])
    for number in range(5):
        await two.backplane.purge(keys=[(f"k{number}",)])
    await one.mend()

    assert BackplaneCaughtUp(missed=True) == one.events[-1]
    assert await one.read(KEY) is None


async def test_concurrent_purges_are_all_delivered(start: Start) -> None:
    """Those that meet travel together."""
    one, two = await start("one"), await start("two")
    calls = [one.backplane.purge([f"a{number}"]) for number in range(30)]
    calls += [two.backplane.purge([f"b{number}"], [(f"k{number}",)]) for number in range(30)]

    assert {"delivered"} == {delivery.state for delivery in await asyncio.gather(*calls)}
    for node in (one, two):
        assert {f"{letter}{number}" for letter in "ab" for number in range(30)} <= set(node.ledger._hard)
        assert 0 == len(node.ledger.undelivered)


async def test_signed_processes_heed_only_signed_messages(start: Start) -> None:
    """The journal still tells what was purged, a look later."""
    one = await start("one", signing_keys=["secret"])
    two = await start("two", patience=0.02)
    await two.backplane.tell(Landed(two.backplane.node, key_bytes(KEY)))
    await one.until(lambda: MessageIgnored(reason="unsealed") in one.events or one.events[-1:] != [])
    await two.backplane.purge(["a"])
    await one.until(lambda: "a" in one.ledger._hard)

    assert [] == one.woken_keys
    assert any(isinstance(event, MessageIgnored) for event in one.events)


async def test_messages_wake_and_replace(start: Start) -> None:
    """In the other processes, and not in their own."""
    one, two = await start("one"), await start("two")
    await fill(one, two)
    await one.backplane.tell(Landed(one.backplane.node, key_bytes(KEY)))
    await one.backplane.tell(Replaced(one.backplane.node, key_bytes(KEY)))
    await two.until(lambda: two.woken_keys == [KEY] and KEY not in two.memory)

    assert [] == one.woken_keys
    assert KEY in one.memory


@pytest.mark.parametrize(
    "frame", [b"", b"x", b"- 0 0 ", b"- a b c", b"- 0 0 \x01\x00\x00\x00\x00abc", b"other 5 4 ", b"\xff" * 100]
)
async def test_any_bytes_on_the_channel_do_no_harm(start: Start, server: Server, frame: bytes) -> None:
    """At most they cost a look."""
    one, two = await start("one"), await start("two")
    server.execute("PUBLISH", one.backplane._channel, frame)

    assert "delivered" == (await two.backplane.purge(["a"])).state
    assert one.backplane.is_live


async def test_in_a_cluster_it_is_the_same(cluster: Cluster) -> None:
    """The journal is in one slot, records are in theirs."""
    nodes = [Node(name, cluster.url, "t:", patience=5.0) for name in ("one", "two")]
    try:
        for node in nodes:
            await node.start()
        calls = [nodes[0].ask((f"k{number}",), "a" if number % 2 else "b", body=b"old") for number in range(20)]
        for call in calls:
            await nodes[0].finish(call)
        keys = [(f"k{number}",) for number in range(0, 20, 2)]
        delivery = await nodes[1].backplane.purge(["a"], keys)
        nodes[1].memory.clear()

        assert Delivery(state="delivered", confirmed=1) == delivery
        assert {None} == {await node.read(call[0].key) for node in nodes for call in calls}
    finally:
        for node in nodes:
            await node.stop()
