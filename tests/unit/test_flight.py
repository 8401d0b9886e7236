"""One app call for many requests: states, waiters that come and go, and which flight is on the board."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.caching import turns

from asgi_resync.cache.flight import Flight, FlightKey, Flights

Board: TypeAlias = Flights[str]
KEY: FlightKey = ("/", (), ())


def flight() -> Flight[str]:
    return Flight(asyncio.get_running_loop())


async def test_a_flight_begins_with_nothing_known() -> None:
    """It is the first attempt unless told otherwise, and nobody follows."""
    new = flight()

    assert ("aloft", None, None, 1, 0) == (new.state, new.terms, new.result, new.attempt, new.followers)
    assert 2 == Flight[str](asyncio.get_running_loop(), 2).attempt


@pytest.mark.parametrize("outcome", ["decide", "land", "turn_back", "fail"])
async def test_every_change_wakes_all_who_wait(outcome: str) -> None:
    """However many wait, one change releases them, and those who come later wait for the next."""
    new = flight()
    waiters = [asyncio.create_task(new.change()) for _ in range(5)]
    await turns()
    assert not any(waiter.done() for waiter in waiters)

    changes = {
        "decide": lambda: new.decide(("a",)),
        "land": lambda: new.land("x"),
        "turn_back": new.turn_back,
        "fail": new.fail,
    }
    changes[outcome]()
    late = asyncio.create_task(new.change())
    await turns()

    assert all(waiter.done() for waiter in waiters)
    assert not late.done()
    late.cancel()
    await turns()
    assert {} == new._waiters


async def test_the_states_follow_what_is_told() -> None:
    """Decided with terms, landed with a result; others have neither."""
    new = flight()
    new.decide(("accept",))
    assert ("decided", ("accept",), None) == (new.state, new.terms, new.result)
    new.land("x")
    assert ("landed", "x") == (new.state, new.result)

    turned, failed = flight(), flight()
    turned.turn_back()
    failed.fail()
    assert ("turned-back", None) == (turned.state, turned.result)
    assert ("failed", None) == (failed.state, failed.result)


@pytest.mark.parametrize("outcome", ["landed", "turned-back", "failed"])
async def test_the_first_word_about_the_end_counts(outcome: str) -> None:
    """Whoever is told how it ended need not fear that it ends otherwise."""
    over = flight()
    {"landed": lambda: over.land("x"), "turned-back": over.turn_back, "failed": over.fail}[outcome]()
    known = over.result

    over.decide(("a",))
    over.land("y")
    over.turn_back()
    over.fail()

    assert (outcome, known, None) == (over.state, over.result, over.terms)


async def test_the_last_follower_that_leaves_is_told() -> None:
    """To those who wait for a change, and to whom it concerns; after the end nobody is left to tell."""
    new, told = flight(), list[str]()
    new.on_deserted = lambda: told.append("deserted")
    waiter = asyncio.create_task(new.change())
    new.join()
    new.join()
    await turns()

    new.leave()
    await turns()
    assert ([], False) == (told, waiter.done())
    new.leave()
    await turns()
    assert (["deserted"], True) == (told, waiter.done())

    new.join()
    new.land("x")
    new.leave()
    assert ["deserted"] == told


async def test_a_cancelled_waiter_disturbs_nobody() -> None:
    """It leaves no trace, the others wait on, and are woken as if it had never been."""
    new = flight()
    leaving, staying = asyncio.create_task(new.change()), asyncio.create_task(new.change())
    await turns()

    leaving.cancel()
    await turns()
    assert leaving.cancelled()
    assert 1 == len(new._waiters)
    assert not staying.done()

    new.land("x")
    await turns()
    assert staying.done()


async def test_a_waiter_cancelled_in_the_moment_of_the_change_disturbs_nobody() -> None:
    """Cancelled and woken at once, it ends cancelled; the change goes on to the rest."""
    new = flight()
    leaving, staying = asyncio.create_task(new.change()), asyncio.create_task(new.change())
    await turns()

    leaving.cancel()
    new.fail()
    await turns()

    assert leaving.cancelled()
    assert staying.done()


# The board


async def test_the_board_has_one_flight_per_key() -> None:
    """Another begun in its place is the one that is found, and the end of the first does not end it."""
    board, loop = Board(), asyncio.get_running_loop()
    assert board.find(KEY) is None

    first = board.begin(KEY, loop)
    assert board.find(KEY) is first
    second = board.begin(KEY, loop, 2)
    board.end(KEY, first)
    assert board.find(KEY) is second
    assert (1, 2) == (len(board), second.attempt)

    board.end(KEY, second)
    board.end(KEY, second)
    assert (0, None) == (len(board), board.find(KEY))


async def test_variants_fly_apart_and_are_voided_together() -> None:
    """What invalidates a URI takes all flights for it off the board, and no others."""
    board, loop = Board(), asyncio.get_running_loop()
    keys: list[FlightKey] = [("/a", (), ()), ("/a", (b"accept",), (b"x",)), ("/b", (), ())]
    flights = [board.begin(key, loop) for key in keys]

    board.void("/a")

    assert [None, None, flights[2]] == [board.find(key) for key in keys]
    # Those who wait go on waiting: the flight itself ends as it ends.
    assert ["aloft"] * 3 == [each.state for each in flights]


async def test_a_failed_flight_is_found_by_nobody() -> None:
    """Its leader may still be sending the error; whoever comes now begins another."""
    board, loop = Board(), asyncio.get_running_loop()
    failed = board.begin(KEY, loop)
    failed.fail()

    assert (None, 0) == (board.find(KEY), len(board))


def test_a_flight_of_a_loop_that_is_gone_is_found_by_nobody() -> None:
    """It will never land, and nobody may wait for it."""
    board, loop = Board(), asyncio.new_event_loop()
    board.begin(KEY, loop)
    loop.close()

    assert (None, 0) == (board.find(KEY), len(board))


KEYS = st.sampled_from([("/a", (), ()), ("/a", (b"x",), (None,)), ("/b", (), ())])
STEPS = st.lists(st.tuples(st.sampled_from(["begin", "end", "void"]), KEYS, st.integers(0, 5)), max_size=20)


@given(STEPS)
def test_the_board_is_a_dictionary_whose_entries_only_their_own_end_removes(
    steps: list[tuple[str, FlightKey, int]],
) -> None:
    """Against a naive model: an end removes its own flight only, a void all of its URI."""
    loop = asyncio.new_event_loop()
    try:
        board, model, begun = Board(), {}, []
        for step, key, number in steps:
            if step == "begin":
                model[key] = board.begin(key, loop)
                begun.append((key, model[key]))
            elif step == "end" and begun:
                ended_key, ended = begun[number % len(begun)]
                board.end(ended_key, ended)
                if model.get(ended_key) is ended:
                    del model[ended_key]
            elif step == "void":
                board.void(key[0])
                model = {other: each for other, each in model.items() if other[0] != key[0]}

            assert len(model) == len(board)
            assert all(board.find(other) is each for other, each in model.items())
    finally:
        loop.close()
