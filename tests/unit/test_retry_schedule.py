"""When a request is sent again and how long before, as a table and as properties."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync import RetryPolicy, RuleError
from asgi_resync._headers import format_http_date
from asgi_resync.client.schedule import IDEMPOTENT, Failure, Sent, ending, obstacle, pause, retry_after

NOW = 1_700_000_000.0
BUSY = Failure(cause="503")


@pytest.mark.parametrize(
    ("sent", "failure", "expected"),
    [
        *((Sent(method=method), BUSY, None) for method in sorted(IDEMPOTENT)),
        (Sent(method="POST"), BUSY, "method"),
        (Sent(method="PATCH"), BUSY, "method"),
        (Sent(method="get"), BUSY, "method"),  # methods are case-sensitive, RFC 9110 §9.1
        (Sent(method="POST", has_key=True), BUSY, None),
        (Sent(method="POST", may_repeat=True), BUSY, None),
        (Sent(method="POST"), Failure(cause="ConnectError", is_unsent=True), None),
        (Sent(method="GET", may_repeat=False), BUSY, "opted-out"),
        (Sent(method="POST", may_repeat=False), Failure(cause="ConnectError", is_unsent=True), "opted-out"),
        (Sent(method="PUT", is_replayable=False), BUSY, "body"),
        (Sent(method="POST", has_key=True, is_replayable=False), BUSY, "body"),
        (Sent(method="GET"), Failure(cause="PoolTimeout", is_passing=False), "failure"),
        (Sent(method="GET", may_repeat=True), Failure(cause="PoolTimeout", is_passing=False), "failure"),
    ],
)
def test_what_may_be_sent_again(sent: Sent, failure: Failure, expected: str | None) -> None:
    """Only what can be mended, does no harm when it is done twice, and is still there to be sent."""
    assert expected == obstacle(RetryPolicy(), sent, failure)


def test_methods_of_the_policy_are_those_that_may() -> None:
    """In upper case however they were given."""
    policy = RetryPolicy(methods=["post"])

    assert obstacle(policy, Sent(method="POST"), BUSY) is None
    assert obstacle(policy, Sent(method="GET"), BUSY) == "method"


@pytest.mark.parametrize(
    ("attempts", "wait", "asked", "remaining", "expected"),
    [
        (1, 0.1, None, None, None),
        (2, 0.1, None, None, None),
        (3, 0.1, None, None, "attempts"),
        (1, 30.0, 30.0, None, None),
        (1, 31.0, 31.0, None, "retry-after"),
        (1, 1.0, None, 1.5, None),
        (1, 1.0, None, 1.0, "deadline"),
        (1, 0.0, None, 0.0, "deadline"),
        (1, 0.0, None, -1.0, "deadline"),
        (3, 31.0, 31.0, 0.0, "attempts"),
    ],
)
def test_when_it_ends(
    attempts: int, wait: float, asked: float | None, remaining: float | None, expected: str | None
) -> None:
    """After so many attempts, when the upstream asks for too much, and before the deadline rather than after it."""
    failure = Failure(cause="503", retry_after=asked)

    assert expected == ending(RetryPolicy(), failure, attempts=attempts, wait=wait, remaining=remaining)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        (["5"], 5.0),
        ([" 5 "], 5.0),
        (["0"], 0.0),
        (["5", "5"], 5.0),
        (["5", "6"], None),
        (["-5"], None),
        (["1.5"], None),
        (["soon"], None),
        ([""], None),
        (["ünlesbar"], None),
        (["\u20ac"], None),
        (["9" * 5000], 2**31),
        ([format_http_date(NOW + 7).decode()], 7.0),
        ([format_http_date(NOW).decode()], None),
        ([format_http_date(NOW - 7).decode()], None),
        (["Tue, 14-Nov-23 22:13:27 GMT"], None),
        (["Tuesday, 14-Nov-23 22:13:27 GMT"], 7.0),
        (["Tue Nov 14 22:13:27 2023"], 7.0),
    ],
)
def test_retry_after_is_read_in_both_forms(values: list[str], expected: float | None) -> None:
    """A date that has passed, and what cannot be read, leave the normal backoff."""
    assert expected == retry_after(values, NOW)


def test_the_wait_is_never_shorter_than_asked() -> None:
    """And never shorter than the backoff that was drawn."""
    assert pause(Failure(cause="503"), 0.4) == 0.4
    assert pause(Failure(cause="503", retry_after=2.0), 0.4) == 2.0
    assert pause(Failure(cause="503", retry_after=0.0), 0.4) == 0.4


@given(
    attempts=st.integers(1, 10),
    backoff=st.floats(0, 100),
    asked=st.none() | st.floats(0, 1e9),
    remaining=st.none() | st.floats(-10, 100),
    most=st.integers(1, 10),
)
def test_no_attempt_starts_past_its_deadline_nor_beyond_its_number(
    attempts: int, backoff: float, asked: float | None, remaining: float | None, most: int
) -> None:
    """Whatever was drawn and asked for: if one follows, all bounds hold."""
    policy = RetryPolicy(attempts=most)
    failure = Failure(cause="503", retry_after=asked)
    wait = pause(failure, backoff)

    assert wait >= backoff
    if ending(policy, failure, attempts=attempts, wait=wait, remaining=remaining) is None:
        assert attempts < policy.attempts
        assert remaining is None or wait < remaining
        assert asked is None or asked <= wait
        assert asked is None or asked <= policy.retry_after_max


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"attempts": 0}, "attempts"),
        ({"attempts": True}, "attempts"),
        ({"attempts": 2.0}, "attempts"),
        ({"backoff": -1}, "backoff"),
        ({"backoff": math.nan}, "backoff"),
        ({"backoff_max": math.inf}, "backoff_max"),
        ({"retry_after_max": "1"}, "retry_after_max"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"statuses": {200}}, "statuses"),
        ({"statuses": "503"}, "statuses"),
        ({"methods": "GET"}, "methods"),
        ({"methods": [1]}, "methods"),
    ],
)
def test_a_policy_that_cannot_work_is_refused(arguments: dict[str, object], name: str) -> None:
    """By the name of what is wrong."""
    with pytest.raises(RuleError) as caught:
        RetryPolicy(**arguments)  # type: ignore[arg-type] # that is the point

    assert name == caught.value.argument
