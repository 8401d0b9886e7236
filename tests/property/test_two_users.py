"""Nothing that the app marked for one user ever reaches another, whatever the app says and however requests overlap."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.world import FIELDS, USERS, Ask, Asked, Behaviour, Call, Step, World, steps_of

CONTROLS = st.builds(
    lambda base, flags: ", ".join([base, *flags]),
    st.sampled_from(["max-age=10", "max-age=10", "s-maxage=10", "public, max-age=10", "max-age=0"]),
    st.lists(
        st.sampled_from(
            [
                "private",
                "no-store",
                "no-cache",
                "must-revalidate",
                "stale-while-revalidate=20",
                "stale-if-error=20",
                'private="set-cookie"',
            ]
        ),
        max_size=2,
    ),
)

BEHAVIOURS = st.builds(
    Behaviour,
    control=CONTROLS,
    vary=st.sampled_from(["", "", "", "", "x-a", "x-a, x-b", "authorization", "*"]),
    cookie=st.sampled_from([False, False, False, True]),
    etag=st.booleans(),
    status=st.sampled_from([200, 200, 200, 200, 404, 503]),
    parts=st.integers(1, 2),
    dies=st.sampled_from([False, False, False, False, True]),
    waits=st.sampled_from([False, False, True]),
)

ASKS = st.builds(
    Ask,
    user=st.sampled_from(USERS),
    method=st.sampled_from(["GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "POST"]),
    path=st.sampled_from(["/a", "/a", "/a", "/a", "/b"]),
    authorized=st.sampled_from([False, False, True]),
    fields=FIELDS,
)


def permits_authorization(control: str) -> bool:
    return any(word in control for word in ("public", "must-revalidate", "s-maxage"))


def is_for_its_user_alone(call: Call, *, fields_only: bool) -> bool:
    """Whether the app marked the answer to *call*, or only its fields, for the one who asked."""
    control = call.behaviour.control
    unqualified = re.sub(r'private="[^"]*"', "", control)
    if "private" in unqualified or "no-store" in control:
        return True
    if call.sent(b"authorization") is not None and not permits_authorization(control):
        return True
    # Of a 304 or HEAD only the cookie is for its user, not the rest.
    return call.behaviour.cookie and not fields_only and 'private="set-cookie"' not in control


def assert_is_theirs(world: World, asked: Asked) -> None:
    response = asked.response
    for name, value in response.headers:
        if name == b"set-cookie":
            assert f"session={asked.user}".encode() == value
    body_calls = {int(number) for number in re.findall(rb"(\d+)(?:-\d+)?;", response.body)}
    assert len(body_calls) <= 1
    field_calls = {int(number) for number in response.values("x-call")}
    for number in (body_calls | field_calls) - set(asked.called):
        call = world.calls[number]
        fields_only = number not in body_calls
        if call.user != asked.user or call.sent(b"authorization") != asked.sent(b"authorization"):
            assert not is_for_its_user_alone(call, fields_only=fields_only)
        if asked.sent(b"authorization") is not None and not fields_only:
            # What others got is no answer to Authorization unless the app allows it.
            final = world.calls[max(field_calls)]
            permits = permits_authorization(call.behaviour.control) or permits_authorization(final.behaviour.control)
            # Unless the app was asked by this very request, and said with a 304 that it is.
            assert permits or final.number in asked.called


@pytest.mark.timeout(600)
@given(behaviours=st.lists(BEHAVIOURS, min_size=1, max_size=4), steps=steps_of(ASKS))
def test_nothing_of_one_user_reaches_the_other(behaviours: list[Behaviour], steps: list[Step]) -> None:
    """Bodies, fields and cookies of answers that are private, forbidden, cookie-bearing or authorized stay with one."""
    world = World(behaviours)
    world.serve()

    asyncio.run(world.live(steps))

    for asked in world.asked:
        assert_is_theirs(world, asked)
    assert 0 == len(world.site.cache.flights)


@pytest.mark.timeout(600)
@given(behaviours=st.lists(BEHAVIOURS, min_size=1, max_size=4), steps=steps_of(ASKS))
def test_cookies_that_are_stripped_reach_their_own_user_only(behaviours: list[Behaviour], steps: list[Step]) -> None:
    """With the policy `strip` the rest of the answer is shared, and the cookie is not."""
    world = World(behaviours)
    world.serve(set_cookie="strip")

    asyncio.run(world.live(steps))

    for asked in world.asked:
        cookies = {value for name, value in asked.response.headers if name == b"set-cookie"}
        assert cookies <= {f"session={asked.user}".encode()}
