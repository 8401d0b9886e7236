"""The ledger of purges in a cluster: what other processes purged, what they have yet to hear, what may be missed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asgi_resync.cache import tags as module
from asgi_resync.cache import undelivered
from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.tags import EVERYTHING, MarkedStale, PurgeLedger, Standing
from asgi_resync.cache.undelivered import Batch


def read(ledger: PurgeLedger, seen: int, *tags: str) -> Standing:
    """Return how an entry with *tags* stands that was made elsewhere under *seen*."""
    return ledger.standing(stored(ledger.local_epoch(seen, tags), *tags))


def stored(epoch: int, *tags: str) -> StoredResponse:
    return StoredResponse(
        key=("k",),
        status=200,
        headers=[],
        body=b"",
        stored_at=0.0,
        date=0.0,
        born=0.0,
        lifetime=10,
        tags=tags,
        epoch=epoch,
    )


def test_an_entry_from_elsewhere_is_concerned_by_the_purges_that_its_maker_had_not_seen() -> None:
    """Whatever the order of the versions here."""
    ledger = PurgeLedger()
    ledger.apply([("a", 100)], [("b", 200, 5.0)])

    assert ["purged", "good", "good"] == [read(ledger, seen, "a") for seen in (99, 100, 300)]
    assert [MarkedStale(5.0), "good"] == [read(ledger, seen, "b") for seen in (199, 200)]
    assert "good" == read(ledger, 0, "c")


def test_what_is_heard_twice_changes_nothing() -> None:
    """So an entry asked for since is not purged by the second telling."""
    ledger = PurgeLedger()
    ledger.apply([("a", 100)], [("b", 200, 5.0)])
    version = ledger.version
    ledger.apply([("a", 100), ("a", 90)], [("b", 200, 5.0), ("b", 150, 4.0)])

    assert version == ledger.version


def test_until_a_purge_is_delivered_it_concerns_all_that_was_made_elsewhere() -> None:
    """Nobody knows yet whether it was made before."""
    ledger = PurgeLedger()
    ledger.post(["a"], soft=False, now=1.0)
    ledger.post(["b"], soft=True, now=2.0)

    assert ["purged", MarkedStale(2.0), "good"] == [read(ledger, 10**18, tag) for tag in "abc"]

    ledger.delivered(ledger.undelivered.batch(ledger.version), 50)

    assert ["purged", MarkedStale(2.0), "good"] == [read(ledger, 49, tag) for tag in "abc"]
    assert ["good", "good", "good"] == [read(ledger, 50, tag) for tag in "abc"]
    assert 0 == len(ledger.undelivered)


def test_what_is_purged_again_during_its_delivery_remains_to_be_delivered() -> None:
    """The second purge came after what the batch says."""
    ledger = PurgeLedger()
    ledger.post(["a"], soft=False, now=1.0)
    ledger.post(["b"], soft=True, now=1.0)
    ledger.post_keys([("k",)], now=1.0)
    batch = ledger.undelivered.batch(ledger.version)
    ledger.post(["a"], soft=False, now=2.0)
    ledger.post(["b"], soft=True, now=2.0)
    ledger.post_keys([("k",)], now=2.0)
    ledger.delivered(batch, 50)

    left = ledger.undelivered.batch(ledger.version)
    assert (("a",), (("b", 1.0),), (("k",),)) == (left.hard, left.soft, left.keys)
    assert "purged" == read(ledger, 60, "a")
    assert ledger.undelivered.drops(("k",))


def test_a_key_dropped_again_during_its_delivery_remains_to_be_delivered() -> None:
    """Also where nothing else happened."""
    ledger = PurgeLedger()
    ledger.post_keys([("k",), ("other",)], now=1.0)
    batch = ledger.undelivered.batch(ledger.version)
    ledger.post_keys([("k",)], now=1.0)
    ledger.delivered(batch, 50)

    assert (("k",),) == ledger.undelivered.batch(ledger.version).keys


def test_more_than_fits_is_delivered_as_a_purge_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """And holds here as well, so that all processes say the same."""
    monkeypatch.setattr(undelivered, "MAX_UNDELIVERED", 3)
    ledger = PurgeLedger()
    for number in range(4):
        ledger.post([f"t{number}"], soft=True, now=float(number))

    left = ledger.undelivered.batch(ledger.version)
    assert Batch(hard=(EVERYTHING,), soft=(), keys=(), upto=ledger.version, drops=0) == left
    assert "purged" == ledger.standing(stored(ledger.version - 1))

    ledger.delivered(left, 9)

    assert ["purged", "good"] == [read(ledger, seen, "x") for seen in (8, 9)]


def test_too_many_dropped_keys_are_a_purge_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than that one is lost."""
    monkeypatch.setattr(undelivered, "MAX_UNDELIVERED", 3)
    ledger = PurgeLedger()
    ledger.post_keys([(number,) for number in range(4)], now=1.0)

    assert (EVERYTHING,) == ledger.undelivered.batch(ledger.version).hard
    assert "purged" == read(ledger, 10**18, "x")


def test_what_was_asked_for_before_a_loss_is_stale_until_trust_returns() -> None:
    """Not what was asked for since: the process goes on alone. A second loss changes nothing."""
    ledger = PurgeLedger()
    before = ledger.version
    ledger.distrust(7.0)
    ledger.distrust(8.0)

    assert MarkedStale(7.0) == ledger.standing(stored(before, "a"))
    assert "good" == ledger.standing(stored(ledger.version, "a"))
    assert before != ledger.version
    assert not ledger.is_trusted

    ledger.trust()

    assert "good" == ledger.standing(stored(before, "a"))
    assert ledger.is_trusted


def test_what_comes_from_elsewhere_meanwhile_is_stale_too() -> None:
    """Its purges may be among those missed; once they are known, they concern it."""
    ledger = PurgeLedger()
    ledger.distrust(7.0)
    entry = stored(ledger.local_epoch(100, ("a",)), "a")

    assert MarkedStale(7.0) == ledger.standing(entry)

    ledger.apply([("a", 150)], [])
    ledger.trust()

    assert "purged" == ledger.standing(entry)


def test_what_was_seen_never_decreases() -> None:
    """A server that forgot does not make a process forget."""
    ledger = PurgeLedger()
    ledger.reached(10)
    ledger.reached(5)

    assert 10 == ledger.seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Purge:
    """One purge as a record that forgets nothing has it."""

    tags: tuple[str, ...]
    soft: bool
    at: float
    cluster: int | None
    """None while it is to be delivered."""


TAGS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", EVERYTHING]), min_size=1, max_size=3, unique=True).map(tuple)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("here"), TAGS, st.booleans(), st.integers(0, 9)),
        st.tuples(st.just("elsewhere"), TAGS, st.booleans(), st.integers(0, 9)),
        st.tuples(st.just("batch"), st.just(()), st.just(False), st.just(0)),
        st.tuples(st.just("delivered"), st.just(()), st.just(False), st.just(0)),
    ),
    max_size=14,
)


def severity(standing: Standing) -> tuple[int, float]:
    """Return *standing* as something that grows with what is taken away."""
    if isinstance(standing, MarkedStale):
        return (1, -standing.at)
    return (0, 0.0) if standing == "good" else (2, 0.0)


def expected(purges: list[Purge], seen: int, tags: tuple[str, ...]) -> Standing:
    concerning = [
        purge
        for purge in purges
        if {EVERYTHING, *tags} & {*purge.tags} and (purge.cluster is None or purge.cluster > seen)
    ]
    if any(not purge.soft for purge in concerning):
        return "purged"
    return MarkedStale(min(purge.at for purge in concerning)) if concerning else "good"


@given(STEPS, st.integers(0, 15), st.lists(st.sampled_from("abcde"), max_size=2, unique=True), st.sampled_from([2, 99]))
@example(
    steps=[
        ("here", ("a",), False, 0),
        ("here", (EVERYTHING,), True, 0),
        ("here", (EVERYTHING,), True, 1),
        ("batch", (), False, 0),
        ("here", ("a",), False, 0),
        ("delivered", (), False, 0),
    ],
    seen=0,
    tags=[],
    room=2,
)
@settings(max_examples=400)
def test_no_purge_slips_through_folding_widening_or_delivery(
    steps: list[tuple[str, tuple[str, ...], bool, int]], seen: int, tags: list[str], room: int
) -> None:
    """An entry from elsewhere stands at most as well as a ledger that forgets nothing says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_TAGS", room)
        patch.setattr(undelivered, "MAX_UNDELIVERED", room)
        ledger = PurgeLedger()
        purges: list[Purge] = []
        batches: list[tuple[Batch, list[int]]] = []
        cluster = 0
        for kind, named, soft, at in steps:
            if kind == "here":
                ledger.post(named, soft=soft, now=float(at))
                purges.append(Purge(tags=named, soft=soft, at=float(at), cluster=None))
            elif kind == "elsewhere":
                cluster += 1
                hard = [] if soft else [(tag, cluster) for tag in named]
                ledger.apply(hard, [(tag, cluster, float(at)) for tag in named] if soft else [])
                purges.append(Purge(tags=named, soft=soft, at=float(at), cluster=cluster))
            elif kind == "batch" and not batches:
                waiting = [number for number, purge in enumerate(purges) if purge.cluster is None]
                batches.append((ledger.undelivered.batch(ledger.version), waiting))
            elif kind == "delivered" and batches:
                cluster += 1
                batch, waiting = batches.pop()
                ledger.delivered(batch, cluster)
                for number in waiting:
                    purge = purges[number]
                    purges[number] = Purge(tags=purge.tags, soft=purge.soft, at=purge.at, cluster=cluster)
            assert len(ledger._hard) <= room + 1
            assert len(ledger._soft) <= room + 1

        assert severity(expected(purges, seen, tuple(tags))) <= severity(read(ledger, seen, *tags))
        if room > 2 and seen >= cluster and all(purge.cluster is not None for purge in purges):
            assert "good" == read(ledger, seen, *tags)
