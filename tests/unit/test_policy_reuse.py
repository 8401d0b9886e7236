"""Whether a stored response may answer now (RFC 9111 §4, §5.2.1; RFC 5861), and that time only takes away."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.policy.control import RequestControl
from asgi_resync.cache.policy.reuse import AskApp, Fresh, Reuse, ServeStale, current_age, may_serve_if_error, reuse

BORN = 1_700_000_000.0
FRESH, STALE, ASKED = Fresh(), AskApp("stale"), AskApp("request")
BEHIND, BY_WISH = ServeStale("while-revalidate", refresh=True), ServeStale("max-stale", refresh=False)


def stored(
    *,
    lifetime: float = 10,
    while_revalidate: float = 0,
    if_error: float = 0,
    may_serve_stale: bool = True,
    always_validate: bool = False,
    born: float = BORN,
) -> StoredResponse:
    return StoredResponse(
        key=("k",),
        status=200,
        headers=[],
        body=b"",
        stored_at=born,
        date=born,
        born=born,
        lifetime=lifetime,
        stale_while_revalidate=while_revalidate,
        stale_if_error=if_error,
        may_serve_stale=may_serve_stale,
        always_validate=always_validate,
    )


@pytest.mark.parametrize(
    ("entry", "age", "expected"),
    [
        # §4.2: fresh as long as the lifetime is greater than the age.
        (stored(), 0, FRESH),
        (stored(), 9.999, FRESH),
        (stored(), 10, STALE),
        (stored(lifetime=0), 0, STALE),
        # A clock set back makes nothing older than new.
        (stored(), -100, FRESH),
        # §5.2.2.4
        (stored(always_validate=True), 0, STALE),
        (stored(always_validate=True, while_revalidate=99), 0, STALE),
        # RFC 5861 §3: the window begins where the lifetime ends, and excludes its own end.
        (stored(while_revalidate=5), 9, FRESH),
        (stored(while_revalidate=5), 10, BEHIND),
        (stored(while_revalidate=5), 14.999, BEHIND),
        (stored(while_revalidate=5), 15, STALE),
        (stored(lifetime=0, while_revalidate=5), 0, BEHIND),
        # §4.2.4
        (stored(while_revalidate=5, may_serve_stale=False), 10, STALE),
        # stale-if-error opens no window as long as nothing failed.
        (stored(if_error=5), 10, STALE),
    ],
)
def test_fresh_then_stale_within_the_window_then_not(entry: StoredResponse, age: float, expected: Reuse) -> None:
    """§4.2, §4.2.4 and RFC 5861 §3, where requests' wishes do not count."""
    assert expected == reuse(entry, BORN + age, None)


WIDE = stored(while_revalidate=50)


@pytest.mark.parametrize(
    ("entry", "age", "wish", "expected"),
    [
        (stored(), 5, RequestControl(), FRESH),
        (stored(), 10, RequestControl(), STALE),
        (WIDE, 10, RequestControl(), BEHIND),
        # §5.2.1.4
        (stored(), 0, RequestControl(no_cache=True), ASKED),
        (stored(), 0, RequestControl(no_cache=True, max_stale=math.inf), ASKED),
        (WIDE, 20, RequestControl(no_cache=True), ASKED),
        # §5.2.1.1: an age no greater than the wish, and nothing stale.
        (stored(), 5, RequestControl(max_age=5), FRESH),
        (stored(), 5.001, RequestControl(max_age=5), ASKED),
        (stored(), 0, RequestControl(max_age=0), FRESH),
        (stored(), 1, RequestControl(max_age=0), ASKED),
        (WIDE, 10, RequestControl(max_age=100), STALE),
        # §5.2.1.3: fresh for as much longer.
        (stored(), 5, RequestControl(min_fresh=5), FRESH),
        (stored(), 5.001, RequestControl(min_fresh=5), ASKED),
        (WIDE, 10, RequestControl(min_fresh=0), STALE),
        # §5.2.1.2: the lifetime exceeded by no more.
        (stored(), 12, RequestControl(max_stale=2), BY_WISH),
        (stored(), 12.001, RequestControl(max_stale=2), STALE),
        (stored(), 1e6, RequestControl(max_stale=math.inf), BY_WISH),
        (stored(), 5, RequestControl(max_stale=2), FRESH),
        (WIDE, 13, RequestControl(max_stale=2), STALE),
        (stored(may_serve_stale=False), 11, RequestControl(max_stale=math.inf), STALE),
        (stored(always_validate=True), 0, RequestControl(max_stale=math.inf), STALE),
        # together: max-stale lifts that max-age forbids what is stale, and not the age it names.
        (stored(), 12, RequestControl(max_age=20, max_stale=5), BY_WISH),
        (stored(), 12, RequestControl(max_age=11, max_stale=5), STALE),
        (stored(), 5, RequestControl(max_age=4, max_stale=math.inf), ASKED),
        (stored(), 12, RequestControl(min_fresh=1, max_stale=5), STALE),
    ],
)
def test_wishes_that_are_honoured_narrow_or_widen(
    entry: StoredResponse, age: float, wish: RequestControl, expected: Reuse
) -> None:
    """§5.2.1, where the operator honours what clients wish."""
    assert expected == reuse(entry, BORN + age, wish)


@pytest.mark.parametrize(
    ("entry", "age", "marked", "expected"),
    [
        (stored(), 5, 6, FRESH),
        (stored(), 5, 5, STALE),
        (stored(), 5, 1, STALE),
        (WIDE, 5, 1, BEHIND),
        (WIDE, 51, 1, STALE),
        # It is no younger for having been marked after it went stale.
        (WIDE, 59, 30, BEHIND),
        (WIDE, 60, 30, STALE),
        (stored(always_validate=True, while_revalidate=50), 5, 1, STALE),
        (stored(may_serve_stale=False, while_revalidate=50), 5, 1, STALE),
    ],
)
def test_a_soft_purge_ends_the_lifetime_early(
    entry: StoredResponse, age: float, marked: float, expected: Reuse
) -> None:
    """What is marked stale counts as stale since then, with its windows from then on."""
    assert expected == reuse(entry, BORN + age, None, marked_stale_at=BORN + marked)


@pytest.mark.parametrize(
    ("entry", "age", "wish", "marked", "expected"),
    [
        (stored(), 9, None, None, True),
        (stored(), 10, None, None, False),
        (stored(if_error=5), 14.999, None, None, True),
        (stored(if_error=5), 15, None, None, False),
        # RFC 5861 §4: no directive that forbids stale is overridden.
        (stored(if_error=5, may_serve_stale=False), 10, None, None, False),
        (stored(if_error=5, always_validate=True), 5, None, None, False),
        # A request may ask for more, and not for less.
        (stored(), 14, RequestControl(stale_if_error=5), None, True),
        (stored(), 15, RequestControl(stale_if_error=5), None, False),
        (stored(if_error=5), 14, RequestControl(stale_if_error=1), None, True),
        (stored(if_error=5), 14, RequestControl(), None, True),
        (stored(may_serve_stale=False), 14, RequestControl(stale_if_error=5), None, False),
        # The window of what was marked stale begins there.
        (stored(if_error=5), 6, None, 2, True),
        (stored(if_error=5), 7, None, 2, False),
        (stored(if_error=5), 14, None, 12, True),
    ],
)
def test_an_error_is_covered_within_the_window(
    entry: StoredResponse, age: float, wish: RequestControl | None, marked: float | None, expected: bool
) -> None:
    """RFC 5861 §4: in place of an error, a response stale for no longer than allowed."""
    marked_at = None if marked is None else BORN + marked

    assert expected is may_serve_if_error(entry, BORN + age, wish, marked_stale_at=marked_at)


def test_the_age_grows_with_the_clock_and_is_never_negative() -> None:
    """§4.2.3: resident time counts, also from an age at the start; a clock set back counts as no time."""
    assert 7 == current_age(stored(), BORN + 7)
    assert 0 == current_age(stored(), BORN - 7)


SECONDS = st.integers(min_value=0, max_value=100)
WISH = st.one_of(st.none(), SECONDS)
ENTRIES = st.builds(
    stored,
    lifetime=SECONDS,
    while_revalidate=SECONDS,
    if_error=SECONDS,
    may_serve_stale=st.booleans(),
    always_validate=st.booleans(),
    born=st.just(0.0),
)
WISHES = st.one_of(
    st.none(),
    st.builds(
        RequestControl,
        no_cache=st.booleans(),
        max_age=WISH,
        max_stale=st.one_of(WISH, st.just(math.inf)),
        min_fresh=WISH,
        stale_if_error=WISH,
    ),
)


@given(ENTRIES, WISHES, st.lists(st.integers(min_value=0, max_value=300), min_size=2, max_size=6), WISH)
def test_time_only_takes_away(
    entry: StoredResponse, wish: RequestControl | None, moments: list[int], marked: int | None
) -> None:
    """Fresh, then stale and served, then not: whoever was refused a stored response is never given it later."""
    rank = [
        {Fresh: 2, ServeStale: 1, AskApp: 0}[type(reuse(entry, moment, wish, marked_stale_at=marked))]
        for moment in sorted(moments)
    ]
    covered = [may_serve_if_error(entry, moment, wish, marked_stale_at=marked) for moment in sorted(moments)]

    assert sorted(rank, reverse=True) == rank
    assert sorted(covered, reverse=True) == covered


@given(ENTRIES, WISHES, st.integers(min_value=0, max_value=300), SECONDS)
def test_a_soft_purge_only_takes_away(
    entry: StoredResponse, wish: RequestControl | None, moment: int, marked: int
) -> None:
    """What is marked stale is never served where it would not have been otherwise."""
    without, marked_stale = reuse(entry, moment, wish), reuse(entry, moment, wish, marked_stale_at=marked)

    if isinstance(without, AskApp):
        assert isinstance(marked_stale, AskApp)
    if moment >= marked:
        assert marked_stale != FRESH


@given(ENTRIES, WISHES, st.integers(min_value=0, max_value=300))
def test_stale_is_served_only_where_nothing_forbids_it(
    entry: StoredResponse, wish: RequestControl | None, moment: int
) -> None:
    """§4.2.4: neither windows nor wishes nor errors override must-revalidate and no-cache."""
    if entry.always_validate or (not entry.may_serve_stale and moment >= entry.lifetime):
        assert isinstance(reuse(entry, moment, wish), AskApp)
        assert not may_serve_if_error(entry, moment, wish) or not entry.always_validate
    if not entry.may_serve_stale:
        assert not may_serve_if_error(entry, moment, wish)
