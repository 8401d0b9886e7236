"""The ledger of purges against a model that forgets nothing."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asgi_resync.cache import tags as module
from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.tags import EVERYTHING, MarkedStale, PurgeLedger, Standing


def stored(*tags: str, epoch: int = 0) -> StoredResponse:
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


def test_without_purges_everything_is_good() -> None:
    """A new ledger has nothing against anybody, and its first purge is later than all there is."""
    ledger = PurgeLedger()

    assert "good" == ledger.standing(stored("a"))

    ledger.purge(["a"], soft=False, now=1.0)

    assert "purged" == ledger.standing(stored("a"))


def test_a_purge_concerns_what_was_asked_for_before_it_and_carries_the_tag() -> None:
    """An answer under way counts as purged, one asked for afterwards does not; other tags are not concerned."""
    ledger = PurgeLedger()
    before = ledger.version
    ledger.purge(["a", "b"], soft=False, now=1.0)

    assert ["purged", "purged", "good", "good"] == [
        ledger.standing(entry)
        for entry in (
            stored("x", "a", epoch=before),
            stored("b", epoch=before),
            stored("c", epoch=before),
            stored("a", epoch=ledger.version),
        )
    ]


def test_everything_carries_the_tag_of_everything() -> None:
    """A purge of everything concerns entries without tags too."""
    ledger = PurgeLedger()
    ledger.purge([EVERYTHING], soft=False, now=1.0)

    assert "purged" == ledger.standing(stored())


def test_a_soft_purge_tells_since_when() -> None:
    """Of several the earliest counts; a hard purge goes before all."""
    ledger = PurgeLedger()
    ledger.purge(["a"], soft=True, now=5.0)
    ledger.purge(["b"], soft=True, now=3.0)

    assert MarkedStale(5.0) == ledger.standing(stored("a"))
    assert MarkedStale(3.0) == ledger.standing(stored("a", "b"))
    assert MarkedStale(3.0) == ledger.standing(stored("a", "b", epoch=1))
    assert "good" == ledger.standing(stored("a", "b", epoch=2))

    ledger.purge(["a"], soft=False, now=6.0)

    assert "purged" == ledger.standing(stored("a", "b"))


def test_purging_softly_again_prolongs_nothing() -> None:
    """What is stale since the first purge stays so; what was made between two is stale since the second."""
    ledger = PurgeLedger()
    ledger.purge(["a"], soft=True, now=10.0)
    ledger.purge(["a"], soft=True, now=20.0)

    assert MarkedStale(10.0) == ledger.standing(stored("a", epoch=0))
    assert MarkedStale(20.0) == ledger.standing(stored("a", epoch=1))
    assert "good" == ledger.standing(stored("a", epoch=2))


PURGES = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["a", "b", "c", "d", "e", EVERYTHING]), max_size=3), st.booleans(), st.integers(0, 9)
    ),
    max_size=12,
)
ENTRIES = st.builds(
    stored,
    *[st.sampled_from("abcde")] * 2,
    epoch=st.integers(min_value=0, max_value=12),
)


def told(purges: list[tuple[list[str], bool, int]], entry: StoredResponse) -> Standing:
    """Return what a ledger that forgets nothing says."""
    carried = {EVERYTHING, *entry.tags}
    concerning = [
        (soft, float(now))
        for version, (tags, soft, now) in enumerate(purges, 1)
        if version > entry.epoch and carried & set(tags)
    ]
    if any(not soft for soft, _ in concerning):
        return "purged"
    return MarkedStale(min(now for _, now in concerning)) if concerning else "good"


SEVERITY = {"good": 0, "purged": 2}


def severity(standing: Standing) -> tuple[int, float]:
    """Return *standing* as something that grows with what is taken away."""
    return (1, -standing.at) if isinstance(standing, MarkedStale) else (SEVERITY[standing], 0.0)


@given(PURGES, ENTRIES)
@example([(["e"], True, 0), (["e", "e"], True, 1)], stored("a", "e", epoch=1))
def test_the_ledger_says_what_a_full_record_says(
    purges: list[tuple[list[str], bool, int]], entry: StoredResponse
) -> None:
    """Good is good and purged is purged; stale is stale, since then or, folded, since an earlier purge of the tag."""
    ledger = PurgeLedger()
    for tags, soft, now in purges:
        ledger.purge(tags, soft=soft, now=float(now))
    expected, found = told(purges, entry), ledger.standing(entry)

    assert severity(expected)[0] == severity(found)[0]
    assert severity(expected) <= severity(found)
    if all(len([1 for tags, soft, _ in purges if soft and tag in tags]) <= 2 for tag in (*entry.tags, EVERYTHING)):
        assert expected == found


@given(PURGES, ENTRIES)
def test_a_full_ledger_takes_away_more_and_never_less(
    purges: list[tuple[list[str], bool, int]], entry: StoredResponse
) -> None:
    """With room for few tags, the oldest are widened to everything; the number of tags stays bounded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_TAGS", 2)
        ledger = PurgeLedger()
        for tags, soft, now in purges:
            ledger.purge(tags, soft=soft, now=float(now))
            assert len(ledger._hard) <= 2
            assert len(ledger._soft) <= 2

        assert severity(told(purges, entry)) <= severity(ledger.standing(entry))


@pytest.mark.parametrize("soft", [True, False])
def test_what_is_asked_for_after_the_last_purge_is_good_also_where_tags_were_widened(soft: bool) -> None:
    """Widening reaches back, never forward."""
    ledger = PurgeLedger()
    for number in range(module.MAX_TAGS + 5):
        ledger.purge([f"t{number}"], soft=soft, now=1.0)

    assert "good" == ledger.standing(stored("t0", epoch=ledger.version))
    assert "good" != ledger.standing(stored("other", epoch=0))
    assert "good" != ledger.standing(stored("t0", epoch=0))
    assert "good" == ledger.standing(stored("other", epoch=6))
