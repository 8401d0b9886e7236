"""The suite is worth something only if it finds fault with bad caches and none with no cache."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.conformance.cases import CASES
from tests.conformance.inprocess import pass_through, play_case
from tests.conformance.model import CACHED, FRESH, REQUIRED, Case, Exchange, Fault, Place, reuse

from asgi_resync._asgi import ASGIApp, Clock, Message, Receive, Scope, Send

OURS = [case for case in CASES if not case.is_ours]


class KeepsEverything:
    """Answers every request with the first response it ever had, and so breaks every rule."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.kept: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        messages = self.kept
        if not messages:

            async def keep(message: Message) -> None:
                messages.append(message)

            await self.app(scope, receive, keep)
        for message in messages:
            await send(message)


def keeps_everything(environ: Mapping[str, str], clock: Clock, app: ASGIApp) -> ASGIApp:
    return KeepsEverything(app)


def two_exchanges(case: Case) -> bool:
    return len(case.exchanges) == 2 and case.exchanges[1].expect is not None


@pytest.mark.parametrize("case", [case for case in OURS if case.kind is REQUIRED], ids=lambda case: case.id)
async def test_no_cache_breaks_no_rule(case: Case) -> None:
    """A case is required only if an app without any cache can pass it, or has no occasion to break it."""
    verdict = await play_case(case, pass_through)

    assert verdict.passed or verdict.is_idle, verdict.problems


async def test_no_cache_is_never_taken_for_one() -> None:
    """Nothing counts as cached that came from the origin."""
    cached = [case for case in OURS if any(exchange.expect is CACHED for exchange in case.exchanges)]

    verdicts = [await play_case(case, pass_through) for case in cached]

    assert [verdict.case.id for verdict in verdicts if verdict.passed] == []


async def test_a_cache_that_keeps_everything_fails() -> None:
    """Whatever must not be reused is noticed when it is."""
    forbidden = [
        case
        for case in OURS
        if two_exchanges(case) and case.exchanges[1].expect is not CACHED and case.kind is REQUIRED
    ]

    verdicts = [await play_case(case, keeps_everything) for case in forbidden]

    assert [verdict.case.id for verdict in verdicts if verdict.passed] == []


async def test_a_body_of_another_exchange_is_noticed() -> None:
    """The fields of one response with the body of another pass nowhere."""

    def mixes(environ: Mapping[str, str], clock: Clock, app: ASGIApp) -> ASGIApp:
        async def mixed(scope: Scope, receive: Receive, send: Send) -> None:
            async def change(message: Message) -> None:
                await send({**message, "body": b"x" * len(message["body"])} if "body" in message else message)

            await app(scope, receive, change)

        return mixed

    verdict = await play_case(reuse("mixed", REQUIRED, "", FRESH), mixes)

    assert any("under the fields of exchange" in problem for problem in verdict.problems)


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.CUT_CHUNKED, Fault.SHORT])
async def test_broken_responses_are_seen_as_broken(fault: Fault) -> None:
    """A body that ends too early is no complete response to the client either."""
    case = Case(id="broken", kind=REQUIRED, section="", exchanges=(Exchange(fault=fault), Exchange()))

    verdict = await play_case(case, pass_through)

    assert "broken" in verdict.observed.split(", ")[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Date: @now", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Date: @start+3", "Sun, 06 Nov 1994 08:49:30 GMT"),
        ("Date: @rfc850:now", "Sunday, 06-Nov-94 08:49:37 GMT"),
        ("Date: @asctime:now-1", "Sun Nov  6 08:49:36 1994"),
        ("Location: http://{host}{path}/a", "http://cache.test/case/a"),
    ],
)
def test_lines_are_filled_in(line: str, expected: str) -> None:
    """Dates have the three forms of RFC 9110 §5.6.7."""
    place = Place(path="/case", host="cache.test", start=784111767.0)

    assert place.field(line, 784111777.0)[1] == expected
