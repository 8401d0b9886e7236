"""A cached app gives what the app itself gave, to the same key and variant, for as long as that may be used."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.world import FIELDS, Ask, Asked, Behaviour, Call, Release, Step, World, steps_of, uri_of

CONTROLS = st.builds(
    lambda age, while_revalidate, if_error, flags: ", ".join(
        [
            *([f"max-age={age}"] if age is not None else []),
            *([f"stale-while-revalidate={while_revalidate}"] if while_revalidate else []),
            *([f"stale-if-error={if_error}"] if if_error else []),
            *flags,
        ]
    ),
    st.sampled_from([10, 60, 4, 0, None]),
    st.sampled_from([0, 0, 10]),
    st.sampled_from([0, 0, 20]),
    st.sampled_from([[], [], [], [], ["must-revalidate"], ["no-cache"], ["no-store"]]),
)

BEHAVIOURS = st.builds(
    Behaviour,
    control=CONTROLS,
    vary=st.sampled_from(["", "", "", "", "x-a", "x-b", "x-a, x-b", "*"]),
    etag=st.booleans(),
    status=st.sampled_from([200, 200, 200, 200, 404, 500, 503]),
    parts=st.integers(1, 3),
    dies=st.sampled_from([False, False, False, False, True]),
    waits=st.sampled_from([False, False, True]),
)

ASKS = st.builds(
    Ask,
    user=st.just("alice"),
    method=st.sampled_from(["GET", "GET", "GET", "GET", "GET", "POST"]),
    path=st.sampled_from(["/a", "/a", "/a", "/b", "/a?q=1"]),
    has_body=st.sampled_from([False, False, False, False, False, True]),
    fields=FIELDS,
)


def seconds(control: str, directive: str) -> int:
    found = re.search(rf"{directive}=(\d+)", control)
    return int(found[1]) if found else 0


def whole_body(call: Call) -> bytes:
    parts = [b"%d-%d;" % (call.number, part) for part in range(1, call.behaviour.parts)]
    return b"".join([*parts, b"%d;" % call.number])


def assert_may_answer(world: World, asked: Asked) -> None:
    """Hold the response of *asked* against the call of the app that it came from."""
    response = asked.response
    if response.status == 0:
        assert asked.task.cancelled() or asked.task.exception() is not None
        return
    call = world.calls[int(response.header("x-call") or -1)]
    # Of what a 304 updated, fields and time are those of that call, and the body is of an earlier one.
    made = re.match(rb"\d+", response.body)
    origin = world.calls[int(made[0])] if made else call
    is_whole = response.messages[-1].get("more_body", False) is False and len(response.messages) > 1
    # Status, fields and body are those that the app gave; a body may break off only where the app's own did.
    assert origin.behaviour.status == response.status
    assert origin is call or (call.validated and call.selecting == origin.selecting)
    assert call.behaviour.control == response.header("cache-control")
    assert whole_body(origin).startswith(response.body)
    if is_whole:
        assert whole_body(origin) == response.body
    else:
        assert call.number in asked.called
    # For the same URI and variant.
    same = ("path", "query_string", "method")
    assert [asked.scope[name] for name in same] == [call.scope[name] for name in same]
    if origin.number not in asked.called:
        assert not origin.has_body
        assert not origin.behaviour.dies
    if call.number in asked.called:
        return
    assert not call.has_body
    for name in call.behaviour.vary.split(", ") if call.behaviour.vary else ():
        assert name != "*"
        assert asked.sent(name.encode()) == call.sent(name.encode())
    # Complete, allowed to be stored, and not too old.
    control = call.behaviour.control
    assert "no-store" not in control
    assert "no-cache" not in control
    age = asked.served_at - call.started
    lifetime = seconds(control, "max-age")
    window = max(seconds(control, "stale-while-revalidate"), seconds(control, "stale-if-error"))
    # Who had asked when the app began to answer gets what it said, even if the call took longer than that is fresh.
    asked_first = asked.step <= call.answered and lifetime > 0
    assert asked_first or age < lifetime + (0 if "must-revalidate" in control else window)
    # Asked for after everything that made older answers invalid before this request came.
    purges = [step for step, uri in world.purges if uri is None or uri == uri_of(asked.scope)]
    assert all(call.step >= step for step in purges if step < asked.step)


@pytest.mark.timeout(600)
@given(behaviours=st.lists(BEHAVIOURS, min_size=1, max_size=4), steps=steps_of(ASKS))
def test_every_answer_is_one_that_the_app_gave_and_may_be_used(behaviours: list[Behaviour], steps: list[Step]) -> None:
    """Whatever the app says, 304s and other Vary lists included, and however requests, time and purges interleave."""
    world = World(behaviours)
    world.serve(etag=False)

    asyncio.run(world.live(steps))

    for asked in world.asked:
        assert_may_answer(world, asked)
    assert 0 == len(world.site.cache.flights)


@pytest.mark.timeout(600)
@given(steps=steps_of(ASKS))
def test_one_call_answers_all_who_wait_for_what_may_be_shared(steps: list[Step]) -> None:
    """As long as nothing expires, is purged or cancelled, each URI is asked for once."""
    world = World([Behaviour(control="max-age=60")])
    world.serve()
    reads = [
        step
        for step in steps
        if isinstance(step, Release) or (isinstance(step, Ask) and step.method == "GET" and not step.has_body)
    ]

    asyncio.run(world.live(reads))

    told = [uri_of(call.scope) for call in world.calls]
    assert len(set(told)) == len(told)
