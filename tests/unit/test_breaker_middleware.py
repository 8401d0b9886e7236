"""Breakers around an app: what is answered before it runs, what is booked, what is said, and what is left alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.caching import turns

from asgi_resync import BreakerMiddleware, BreakerRule, CacheRule, Fallback, Resync, RuleError, Settings, Upstream
from asgi_resync._asgi import ASGIApp, Receive, Scope, Send
from asgi_resync.breaker.limits import BreakerLimits
from asgi_resync.breaker.state import State
from asgi_resync.errors import BreakerOpen
from asgi_resync.events import DegradedAnswer, Event
from asgi_resync.testing import ManualClock, Reply, Response, ScriptedApp, request

LIMITS = BreakerLimits(fail_max=2, reset_timeout=10, failure_rate=None, jitter=0)
SECRET = "tws01.internal:31116"


class World:
    """An upstream, a clock, and the middleware around *app*."""

    def __init__(
        self, app: ASGIApp, *rules: BreakerRule, fallback: object = None, limits: BreakerLimits = LIMITS
    ) -> None:
        self.clock = ManualClock(0)
        self.events: list[Event] = []
        self.tws = Upstream("tws", fallback=fallback).configured(limits=limits, clock=self.clock, wall=self.clock)
        self.breaker = self.tws.breaker
        self.app = BreakerMiddleware(app, upstreams=[self.tws], rules=rules, on_event=self.events.append)

    async def get(self, path: str = "/plan", method: str = "GET") -> Response:
        """Ask once."""
        return await request(self.app, method, path)


def needs(**more: Any) -> BreakerRule:
    """Return a rule by which every path needs the upstream."""
    return BreakerRule("/{rest:path}", upstreams=["tws"], **more)


def calling(world: Callable[[], World], error: Exception | None = None) -> ASGIApp:
    """Return an app that calls the upstream through its breaker."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with world().breaker:
            if error is not None:
                raise error
        await Reply(body=b"plan")(scope, receive, send)

    return app


# Before it runs


async def test_while_open_a_route_is_answered_before_it_runs() -> None:
    """With 503 as RFC 9457 has it, whole seconds rounded up, and nothing of the upstream."""
    app = ScriptedApp(Reply(body=b"plan"))
    world = World(app, needs())
    world.breaker.force_open()
    world.breaker.reset()
    for _ in range(2):
        world.breaker.admit().failed(OSError(SECRET))
    world.clock.advance(0.5)
    answer = await world.get()

    assert (503, 0) == (answer.status, app.calls)
    assert ("application/problem+json", "10", "no-store", "tws") == tuple(
        answer.header(name) for name in ("content-type", "retry-after", "cache-control", "resync-degraded")
    )
    assert {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "A service that this page needs is not available. Try again in 10 seconds.",
    } == json.loads(answer.body)
    assert [DegradedAnswer(upstream="tws", route="/{rest:path}", by="refusal")] == world.events


async def test_it_runs_again_within_the_reset_time() -> None:
    """The first request is the probe; a hundred at once send no more than that to the app."""
    go = asyncio.Event()
    app = ScriptedApp(Reply(body=b"plan", hold=go))
    world = World(app, needs())
    for _ in range(2):
        world.breaker.admit().failed(OSError())
    world.clock.advance(10)
    tasks = [asyncio.create_task(world.get()) for _ in range(100)]
    await app.until_called()
    await asyncio.sleep(0)
    calls = app.calls
    go.set()
    answers = [answer.status for answer in await asyncio.gather(*tasks)]

    assert (1, 1, 99) == (calls, answers.count(200), answers.count(503))
    assert State.CLOSED == world.breaker.state


@pytest.mark.parametrize(
    ("fallback", "status", "kind", "body"),
    [
        ({"status": "unknown"}, 200, "application/json", b'{"status":"unknown"}'),
        ([], 200, "application/json", b"[]"),
        ("später", 200, "text/plain; charset=utf-8", "später".encode()),
        (b"\0", 200, "application/octet-stream", b"\0"),
        (Fallback(content="<p>", status=203, headers={"Content-Type": "text/html"}), 203, "text/html", b"<p>"),
        (lambda: {"a": 1}, 200, "application/json", b'{"a":1}'),
        (lambda scope: scope["path"], 200, "text/plain; charset=utf-8", b"/plan"),
        (Fallback(content=None, status=500), 500, "application/json", b"null"),
    ],
)
async def test_what_stands_in_for_it(fallback: object, status: int, kind: str, body: bytes) -> None:
    """Content, with status and fields, or a function of the scope. It says that it is degraded."""
    world = World(ScriptedApp(), needs(), fallback=fallback)
    world.breaker.force_open()
    answer, head = await world.get(), await world.get(method="HEAD")

    assert (status, kind, body) == (answer.status, answer.header("content-type"), answer.body)
    assert ("tws", "no-store") == (answer.header("resync-degraded"), answer.header("cache-control"))
    assert answer.header("resync-cache-control") is None
    assert (str(len(body)), b"") == (head.header("content-length"), head.body)


async def test_an_app_and_a_coroutine_may_stand_in() -> None:
    """The rule's goes before the upstream's."""

    async def coroutine(scope: Scope) -> Fallback:
        return Fallback(content="rule", headers=[("x-a", "1")])

    world = World(ScriptedApp(), needs(fallback=coroutine), fallback=ScriptedApp(Reply(body=b"upstream")))
    other = World(ScriptedApp(), needs(), fallback=ScriptedApp(Reply(body=b"upstream")))
    world.breaker.force_open()
    other.breaker.force_open()
    answer = await world.get()

    assert (b"rule", "1") == (answer.body, answer.header("x-a"))
    assert b"upstream" == (await other.get()).body


async def test_a_fallback_that_fails_is_503(caplog: pytest.LogCaptureFixture) -> None:
    """And is logged."""
    world = World(ScriptedApp(), needs(), fallback=lambda: 1 / 0)
    world.breaker.force_open()
    answer = await world.get()

    assert 503 == answer.status
    assert "A fallback raised" in caplog.text


async def test_under_an_outage_few_calls_reach_the_upstream() -> None:
    """A minute at fifty requests a second: five that open it, and a probe each ten seconds; then all is well at once.

    A probe may come a tenth early, by chance.
    """
    bad, good = ScriptedApp(Reply(status=502)), ScriptedApp(Reply(body=b"plan"))
    is_down = True

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (bad if is_down else good)(scope, receive, send)

    world = World(app, needs(), fallback="later", limits=BreakerLimits(reset_timeout=10))
    bodies = set()
    for _ in range(60 * 50):
        world.clock.advance(0.02)
        bodies.add((await world.get()).body)
    world.clock.advance(10)
    is_down = False

    assert {b"later"} == bodies
    assert 10 <= bad.calls <= 11
    assert [b"plan"] * 2 == [(await world.get()).body for _ in range(2)]


# Policies


async def test_a_read_only_route_is_never_blocked() -> None:
    """Nor booked, nor labelled."""
    app = ScriptedApp(Reply(status=500), Reply(status=500), Reply())
    world = World(app, needs(policy="read-only"))
    for _ in range(2):
        await world.get()
    state = world.breaker.state
    world.breaker.force_open()
    answer = await world.get()

    assert (State.CLOSED, 200, None) == (state, answer.status, answer.header("resync-degraded"))


async def test_a_best_effort_route_runs_and_says_that_it_is_degraded() -> None:
    """No cache is to keep that; and where it fails, it is answered like any other."""
    app = ScriptedApp(Reply(headers={"cache-control": "max-age=60"}), Reply(status=500, body=SECRET.encode()))
    world = World(app, needs(policy="best-effort"))
    world.breaker.force_open()
    good, bad = await world.get(), await world.get()
    world.breaker.reset()
    well = await request(BreakerMiddleware(ScriptedApp(), upstreams=[world.tws], rules=[needs(policy="best-effort")]))

    assert (200, "tws", ["no-store"]) == (good.status, good.header("resync-degraded"), good.values("cache-control"))
    assert (503, "tws") == (bad.status, bad.header("resync-degraded"))
    assert SECRET.encode() not in bad.body
    assert well.header("resync-degraded") is None


async def test_rules_are_for_methods_and_the_first_that_matches_applies() -> None:
    """HEAD goes with GET; under a root path as well."""
    rules = [
        BreakerRule("/plan/help", upstreams=["tws"], policy="read-only"),
        BreakerRule("/plan/{rest:path}", upstreams=["tws"], methods=["get"]),
    ]
    world = World(ScriptedApp(), *rules)
    world.breaker.force_open()
    seen = [(await world.get(path, method)).status for path, method in (
        ("/plan/help", "GET"), ("/plan/a", "GET"), ("/plan/a", "HEAD"), ("/plan/a", "POST"), ("/other", "GET"),
    )]  # fmt: skip
    rooted = await request(world.app, path="/root/plan/a", root_path="/root")

    assert [200, 503, 503, 200, 200] == seen
    assert 503 == rooted.status


@pytest.mark.parametrize(("status", "length"), [(204, None), (205, "0"), (304, None)])
async def test_a_fallback_without_content_sends_none(status: int, length: str | None) -> None:
    """RFC 9110 §6.4.1, §8.6: a server would refuse it. Content for it is refused when the fallback is made."""
    world = World(ScriptedApp(), needs(fallback=Fallback(status=status)))
    world.breaker.force_open()
    answer = await world.get()

    assert (status, b"", length) == (answer.status, answer.body, answer.header("content-length"))
    assert answer.header("content-type") is None
    with pytest.raises(RuleError, match="no content"):
        Fallback(content="later", status=status)


# What is booked


@pytest.mark.parametrize(
    ("reply", "failures", "calls"),
    [
        (Reply(status=200), 0, 1), (Reply(status=404), 0, 1), (Reply(status=429), 0, 1), (Reply(status=500), 1, 1),
        (Reply(status=503), 1, 1), (Reply(body=None, error=OSError()), 1, 1),
        (Reply(body=None, error=BreakerOpen("other", 1, 0)), 0, 0),
    ],
)  # fmt: skip
async def test_what_a_route_answers_is_the_outcome_of_its_upstream(reply: Reply, failures: int, calls: int) -> None:
    """Where its handler does not call it through the breaker."""
    world = World(ScriptedApp(reply), needs())
    try:
        await world.get()
    except OSError:
        pass
    report = world.breaker.report()

    assert (failures, calls) == (report.failures, report.calls)


async def test_what_a_handler_has_called_itself_is_booked_once() -> None:
    """Also where its route holds the only place of a probe: the call is that probe."""
    world: World
    world = World(calling(lambda: world), needs())
    await world.get()
    first = world.breaker.report().calls
    for _ in range(2):
        world.breaker.admit().failed(OSError())
    world.clock.advance(10)
    answer = await world.get()

    assert (1, 200) == (first, answer.status)
    assert State.CLOSED == world.breaker.state


@pytest.mark.parametrize("status", [200, 422])
async def test_what_a_handler_answers_without_the_call_it_makes_itself_says_nothing(status: int) -> None:
    """What fails validation, or is known by heart, neither covers up failures nor closes a half-open breaker."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/plan":
            try:
                async with world.breaker:
                    raise OSError
            except OSError:
                await Reply(status=502)(scope, receive, send)
        else:
            await Reply(status=status)(scope, receive, send)

    world = World(app, needs())
    await world.get()
    await world.get("/refused")
    await world.get()
    opened = world.breaker.state
    world.clock.advance(10)
    await world.get("/refused")

    assert (State.OPEN, State.HALF_OPEN) == (opened, world.breaker.state)
    assert world.breaker.is_admitting


async def test_a_thousand_disconnects_open_nothing() -> None:
    """And the place of a probe is given back."""
    app = ScriptedApp(Reply(hold=asyncio.Event()))
    world = World(app, needs())

    async def disconnect() -> None:
        task = asyncio.create_task(world.get())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for _ in range(1000):
        await disconnect()
    closed = world.breaker.state
    for _ in range(2):
        world.breaker.admit().failed(OSError())
    world.clock.advance(10)
    await disconnect()

    assert (State.CLOSED, 1001) == (closed, app.calls)
    assert world.breaker.is_admitting


# What the app answers itself


async def test_a_failure_that_something_stands_in_for_is_answered_so(caplog: pytest.LogCaptureFixture) -> None:
    """From the first on, before anything is open; the exception is logged."""
    app = ScriptedApp(Reply(body=None, error=OSError(SECRET)), Reply(status=502, body=SECRET.encode()))
    world = World(app, needs(), fallback="later")
    raised, answered = await world.get(), await world.get()

    assert [(200, b"later")] * 2 == [(raised.status, raised.body), (answered.status, answered.body)]
    assert SECRET in caplog.text
    assert State.OPEN == world.breaker.state


async def test_a_failure_that_nothing_stands_in_for_is_the_apps_own() -> None:
    """Exceptions with their traceback, errors with their bodies."""
    error = OSError("mine")
    app = ScriptedApp(Reply(body=None, error=error), Reply(status=500, headers={"x-a": "1"}, body=b"mine"))
    world = World(app, needs())
    with pytest.raises(OSError, match="mine") as raised:
        await world.get()
    answer = await world.get()

    assert raised.value is error
    assert (500, b"mine", "1") == (answer.status, answer.body, answer.header("x-a"))
    assert answer.header("resync-degraded") is None


async def test_a_client_error_is_no_outage() -> None:
    """Whatever stands in."""
    world = World(ScriptedApp(Reply(status=404, body=b"no such job")), needs(), fallback="later")
    answer = await world.get()

    assert (404, b"no such job", None) == (answer.status, answer.body, answer.header("resync-degraded"))


def wrapped_in_another(error: Exception) -> Exception:
    """Return an exception that came of *error*."""
    try:
        try:
            raise error
        except Exception as cause:
            raise ValueError("no plan") from cause
    except ValueError as outer:
        return outer


@pytest.mark.parametrize(
    "dress",
    [lambda error: error, wrapped_in_another, lambda error: ExceptionGroup("", [error])],
    ids=["itself", "cause", "group"],
)
async def test_a_rejection_that_a_handler_lets_through_is_answered(dress: Callable[[Exception], Exception]) -> None:
    """Without any rule; and from then on before it runs, until it does without."""
    calls = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal calls
        calls += 1
        try:
            world.breaker.admit().succeeded()
        except BreakerOpen as error:
            raise dress(error) from None
        await Reply()(scope, receive, send)

    world = World(app, fallback="later")
    world.breaker.force_open()
    first, second, other = await world.get(), await world.get(), await world.get("/other")
    world.breaker.reset()
    well = await world.get()

    assert [b"later"] * 3 == [first.body, second.body, other.body]
    assert (3, 200, b"") == (calls, well.status, well.body)


async def test_a_framework_that_answers_500_for_a_rejection_is_answered_for() -> None:
    """As Starlette does, which sends its 500 and raises then; what it sends is for nobody."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            world.breaker.admit()
        except BreakerOpen:
            await Reply(status=500, body=SECRET.encode())(scope, receive, send)
            raise

    world = World(app)
    world.breaker.force_open()
    answer = await world.get()

    assert (503, 2) == (answer.status, len(answer.messages))
    assert SECRET.encode() not in answer.body


async def test_a_handler_that_does_without_answers_for_itself() -> None:
    """It is not blocked, and its answer says that it is degraded."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert world.breaker.ask() is None
        await Reply(body=b"partial")(scope, receive, send)

    world = World(app, fallback="later")
    world.breaker.force_open()
    answers = [await world.get() for _ in range(2)]

    assert [(200, b"partial", "tws")] * 2 == [(a.status, a.body, a.header("resync-degraded")) for a in answers]


async def test_a_response_that_has_begun_goes_on_as_it_is() -> None:
    """An exception in mid-body is the server's to see."""
    error = BreakerOpen("tws", 1, 0)
    world = World(ScriptedApp(Reply(body=[b"a", b"b"], error=error)), needs(), fallback="later")
    sent: list[Any] = []

    async def on_send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(BreakerOpen) as raised:
        await request(world.app, on_send=on_send)

    assert raised.value is error
    assert [b"a"] == [message["body"] for message in sent if "body" in message]


async def test_anything_but_http_goes_to_the_app_untouched() -> None:
    """The very same objects."""
    seen: list[object] = []

    async def app(*given: object) -> None:
        seen.extend(given)

    world = World(app, needs())
    world.breaker.force_open()
    scope, receive, send = {"type": "websocket", "path": "/"}, object(), object()
    await world.app(scope, receive, send)  # type: ignore[arg-type] # never called

    assert all(one is other for one, other in zip([scope, receive, send], seen, strict=True))


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: BreakerRule("plan", upstreams=["tws"]), "pattern"),
        (lambda: BreakerRule("/{a", upstreams=["tws"]), "pattern"),
        (lambda: BreakerRule("/{a:nope}", upstreams=["tws"]), "pattern"),
        (lambda: BreakerRule("/", upstreams="tws"), "upstreams"),
        (lambda: BreakerRule("/", upstreams=[]), "upstreams"),
        (lambda: BreakerRule("/", upstreams=[""]), "upstreams"),
        (lambda: BreakerRule("/", upstreams=["tws"], policy="no"), "policy"),  # type: ignore[arg-type] # the mistake
        (lambda: BreakerRule("/", upstreams=["tws"], methods="GET"), "methods"),
        (lambda: World(ScriptedApp(), BreakerRule("/", upstreams=["other"])), "upstreams"),
        (lambda: World(ScriptedApp(), "/plan"), "rules"),  # type: ignore[arg-type] # the mistake
        (lambda: Fallback(content=object()), "fallback"),
        (lambda: Fallback(content=float("nan")), "fallback"),
        (lambda: Fallback(status=99), "status"),
        (lambda: Fallback(headers={"a": "b\r\nc"}), "headers"),
        (lambda: Fallback(headers={"ä": "b"}), "headers"),
        (lambda: Upstream("tws", fallback=lambda a, b: None), "fallback"),
        (lambda: Upstream("tws", fallback=object()), "fallback"),
    ],
    ids=map(str, range(17)),
)
def test_what_cannot_work_is_refused_at_once(make: Callable[[], object], argument: str) -> None:
    """By name."""
    with pytest.raises(RuleError) as refused:
        make()

    assert argument == refused.value.argument


# Around it, the cache


async def outage(fallback: object, *replies: Reply | ASGIApp) -> tuple[Resync, ASGIApp, ManualClock, ScriptedApp]:
    """Return an app behind all of it, that has answered once and whose upstream is open."""
    clock = ManualClock()
    app = ScriptedApp(*replies)
    rules = [CacheRule("/{rest:path}", ttl=10, stale_if_error=300, upstreams=["tws"])]
    resync = Resync(Settings(), rules=rules, upstreams=[Upstream("tws", fallback=fallback)], clock=clock)
    wrapped = resync(app)
    await request(wrapped, path="/plan")
    resync.upstreams["tws"].breaker.force_open()
    return resync, wrapped, clock, app


@pytest.mark.parametrize("fallback", [None, {"status": "unknown"}, Fallback(content="x", status=404)])
async def test_stale_goes_before_a_fallback_and_a_fallback_before_503(fallback: object) -> None:
    """Within its window; and no fallback is kept."""
    resync, wrapped, clock, app = await outage(fallback, Reply(body=b"fresh"), Reply(body=b"again"))
    fresh = await request(wrapped, path="/plan")
    clock.advance(60)
    stale = await request(wrapped, path="/plan")
    clock.advance(600)
    late, unknown = await request(wrapped, path="/plan"), await request(wrapped, path="/unknown")
    status = 503 if fallback is None else fallback.status if isinstance(fallback, Fallback) else 200
    resync.upstreams["tws"].breaker.reset()
    again = await request(wrapped, path="/unknown")

    assert [b"fresh", b"fresh"] == [fresh.body, stale.body]
    assert (None, "tws") == (fresh.header("resync-degraded"), stale.header("resync-degraded"))
    assert [(status, "tws")] * 2 == [(one.status, one.header("resync-degraded")) for one in (late, unknown)]
    assert [None] * 3 == [one.header("resync-cache-control") for one in (stale, late, unknown)]
    assert b"again" == again.body
    assert 2 == app.calls


@pytest.mark.parametrize("path", ["/plan", "/unknown"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("field", ["accept", "if-none-match", "range", "authorization"])
async def test_what_the_breaker_tells_the_cache_reaches_no_client(path: str, method: str, field: str) -> None:
    """Whatever is asked, with or without something stale; twice, since the second time it may be known to pass."""
    _, wrapped, clock, _ = await outage({"status": "unknown"}, Reply(body=b"fresh"))
    clock.advance(60)
    answers = [await request(wrapped, method, path, headers={field: "bytes=0-1"}) for _ in range(2)]
    await request(wrapped, path=path)
    answers.append(await request(wrapped, method, path, headers={field: "bytes=0-1"}))

    assert [None] * 3 == [answer.header("resync-cache-control") for answer in answers]
    if method != "POST":
        assert {"tws"} == {answer.header("resync-degraded") for answer in answers}


async def test_a_breaker_rule_says_otherwise_than_the_cache_rule() -> None:
    """Here the route runs all the same."""
    clock = ManualClock()
    resync = Resync(
        rules=[
            CacheRule("/plan", ttl=10, upstreams=["partner-api"]),
            BreakerRule("/plan", upstreams=["partner-api"], policy="best-effort"),
        ],
        upstreams=[Upstream("partner_api")],
        clock=clock,
    )
    resync.upstreams["partner-api"].breaker.force_open()
    app = ScriptedApp(Reply(body=b"a"), Reply(body=b"b"))
    wrapped = resync(app)
    answers = [(await request(wrapped, path="/plan")).body for _ in range(2)]

    assert [b"a", b"b"] == answers


async def test_those_who_waited_with_it_are_told_that_a_stale_answer_is_degraded() -> None:
    """All who get what stands in for a failed call learn why, not only the one that made it."""
    gate = asyncio.Event()

    async def tripping(scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        resync.upstreams["tws"].breaker.force_open()
        raise resync.upstreams["tws"].breaker.refusal()

    resync, wrapped, clock, app = await outage(None, Reply(body=b"fresh"), tripping)
    resync.upstreams["tws"].breaker.reset()
    clock.advance(60)
    asking = [asyncio.create_task(request(wrapped, path="/plan")) for _ in range(3)]
    await app.until_called(2)
    await turns()
    gate.set()
    answers = await asyncio.gather(*asking)

    assert [(b"fresh", "tws")] * 3 == [(answer.body, answer.header("resync-degraded")) for answer in answers]
