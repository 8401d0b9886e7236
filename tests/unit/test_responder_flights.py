"""One app call for many requests: who leads, who follows, and what becomes of them when one of them fails or goes."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest
from tests.unit.caching import FRESH, Cached, cached, into, turns

from asgi_resync import Cache, CacheMiddleware, CacheRule, MemoryStore
from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send
from asgi_resync.events import CacheMiss
from asgi_resync.testing import ManualClock, Reply, Response, ScriptedApp, request

RULE = CacheRule("/{rest:path}", ttl=60)


def ask(site: Cached, count: int = 1, path: str = "/", **more: Any) -> list[asyncio.Task[Response]]:
    """Begin *count* requests."""
    return [asyncio.create_task(site.get(path, **more)) for _ in range(count)]


@pytest.mark.parametrize("waiting", [1, 199, 9_999])
async def test_the_app_is_called_once_however_many_wait(waiting: int) -> None:
    """All get the one answer; the followers' says `collapsed`, and only the leader's call counts as a miss."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=FRESH, body=b"x", hold=gate))
    site = cached(app, RULE)  # what no rule names is waited for a few real seconds only

    tasks = ask(site, waiting + 1)
    await app.until_called()
    await turns()
    gate.set()
    leader, *followers = await asyncio.gather(*tasks)

    assert 1 == app.calls
    assert {b"x"} == {leader.body, *(follower.body for follower in followers)}
    assert "resync; fwd=uri-miss; stored" == leader.header("cache-status")
    assert {"resync; fwd=uri-miss; collapsed"} == {follower.header("cache-status") for follower in followers}
    told = site.told
    assert (1, 1, waiting) == (told.count("CacheMiss"), told.count("Stored"), told.count("Collapsed"))
    assert 0 == len(site.cache.flights)


async def test_a_cancelled_leader_without_followers_takes_the_app_with_it() -> None:
    """As if the app were called in place: it sees the cancellation, and the request ends only after it."""
    app = ScriptedApp(Reply(headers=FRESH, hold=asyncio.Event()))
    site = cached(app)
    (task,) = ask(site)
    await app.until_called()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert 1 == app.cancelled
    assert 0 == len(site.cache.flights)


async def test_a_cancelled_leader_with_followers_leaves_its_call_to_them() -> None:
    """Half of those who wait are cancelled, the leader first: the rest get the answer of the one call."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=FRESH, body=[b"a", b"b"], hold=gate))
    site = cached(app)
    tasks = ask(site, 200)
    await app.until_called()
    await turns()

    for task in tasks[::2]:
        task.cancel()
    await turns()
    gate.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert 1 == app.calls
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in ended[::2])
    assert {b"ab"} == {outcome.body for outcome in ended[1::2] if isinstance(outcome, Response)}
    assert 0 == len(site.cache.flights)


async def test_cancelled_followers_disturb_nobody() -> None:
    """The leader's answer is its own whoever leaves."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=FRESH, body=b"x", hold=gate))
    site = cached(app)
    leader, *followers = ask(site, 3)
    await app.until_called()
    await turns()

    for follower in followers:
        follower.cancel()
    await turns()
    gate.set()

    assert b"x" == (await leader).body
    assert 1 == app.calls


async def test_after_all_followers_left_a_cancelled_leader_cancels_the_app() -> None:
    """Nobody waits any more, so nobody pays for the call."""
    app = ScriptedApp(Reply(headers=FRESH, hold=asyncio.Event()))
    site = cached(app)
    leader, follower = ask(site, 2)
    await app.until_called()
    await turns()

    follower.cancel()
    await turns()
    leader.cancel()
    await asyncio.gather(leader, follower, return_exceptions=True)

    assert 1 == app.cancelled


async def test_a_leader_that_raises_gets_one_successor() -> None:
    """The error is the leader's alone; one of those who waited calls the app, and the rest wait for that."""
    gate, second = asyncio.Event(), asyncio.Event()
    error = RuntimeError("boom")
    app = ScriptedApp(Reply(hold=gate, body=None, error=error), Reply(headers=FRESH, body=b"x", hold=second))
    site = cached(app)
    leader, *followers = ask(site, 50)
    await app.until_called()
    await turns()

    gate.set()
    with pytest.raises(RuntimeError) as caught:
        await leader
    await app.until_called(2)
    await turns()
    second.set()
    answers = await asyncio.gather(*followers)

    assert error is caught.value
    assert 2 == app.calls
    assert {b"x"} == {answer.body for answer in answers}


async def test_after_a_second_failure_all_fall_through() -> None:
    """Each of the rest calls the app for itself and gets its own error."""
    first, second = asyncio.Event(), asyncio.Event()
    fails = [Reply(hold=gate, body=None, error=RuntimeError("boom")) for gate in (first, second)]
    app = ScriptedApp(*fails, Reply(body=None, error=RuntimeError("own")))
    site = cached(app)
    tasks = ask(site, 10)
    await app.until_called()
    await turns()

    first.set()
    await app.until_called(2)
    await turns()
    assert 2 == app.calls

    second.set()
    ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert 10 == app.calls
    assert 10 == sum(isinstance(outcome, RuntimeError) for outcome in ended)


async def test_an_error_status_gets_one_successor_while_its_body_is_still_to_come() -> None:
    """A 500 that starts and then takes its time neither holds those who wait nor lets all of them at the app."""
    start, body = asyncio.Event(), asyncio.Event()
    app = ScriptedApp(Reply(status=500, body=b"error", hold=start, hold_body=body), Reply(body=b"x"))
    site = cached(app, RULE)
    leader, *followers = ask(site, 10)
    await app.until_called()
    await turns()

    start.set()
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*followers)
    body.set()

    assert (500, b"error") == ((await leader).status, (await leader).body)
    assert {b"x"} == {answer.body for answer in answers}
    assert 2 == app.calls


async def test_a_leader_that_returns_without_an_answer_gets_one_successor() -> None:
    """An app that says nothing has failed, too."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(hold=gate, body=None), Reply(headers=FRESH, body=b"x"))
    site = cached(app)
    leader, *followers = ask(site, 5)
    await app.until_called()
    await turns()

    gate.set()

    assert 0 == (await leader).status
    assert {b"x"} == {answer.body for answer in await asyncio.gather(*followers)}
    assert 2 == app.calls


@pytest.mark.parametrize(
    "reply",
    [
        {"headers": FRESH | {"content-length": "9"}, "body": b"short"},
        {"headers": FRESH | {"etag": '"a"'}, "body": [b"a", b"b"], "error": RuntimeError("boom")},
    ],
)
async def test_an_unfinished_leader_gets_one_successor(reply: dict[str, Any]) -> None:
    """A body that breaks off, or is not as long as declared, is a failure: one may try, the rest wait for that."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(hold=gate, **reply), Reply(headers=FRESH, body=b"whole"))
    site = cached(app)
    leader, *followers = ask(site, 10)
    await app.until_called()
    await turns()

    gate.set()
    await asyncio.gather(leader, return_exceptions=True)

    assert {b"whole"} == {answer.body for answer in await asyncio.gather(*followers)}
    assert 2 == app.calls


async def test_base_exceptions_pass_and_release_the_others() -> None:
    """What is no Exception reaches the leader's caller as it is, and nobody hangs."""

    class Stop(BaseException):
        """Neither Exception nor cancellation."""

    gate, error = asyncio.Event(), Stop()
    app = ScriptedApp(Reply(hold=gate, body=None, error=error), Reply(headers=FRESH, body=b"x"))
    site = cached(app)
    leader, follower = ask(site, 2)
    await app.until_called()
    await turns()

    gate.set()

    with pytest.raises(Stop) as caught:
        await leader
    assert error is caught.value
    assert b"x" == (await follower).body


async def test_an_exception_keeps_its_traceback() -> None:
    """The frame that raised is still there to be read in a log."""

    async def culprit(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError) as caught:
        await cached(ScriptedApp(culprit)).get()

    assert "culprit" in [entry.name for entry in caught.traceback]


async def test_an_uncacheable_leader_releases_the_others_at_its_start() -> None:
    """They call the app for themselves before the leader's body has come."""
    start, body = asyncio.Event(), asyncio.Event()
    private = {"cache-control": "private"}
    app = ScriptedApp(Reply(headers=private, body=b"1", hold=start, hold_body=body), Reply(headers=private, body=b"n"))
    site = cached(app)
    leader, *followers = ask(site, 5)
    await app.until_called()
    await turns()

    start.set()
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*followers)
    assert not leader.done()

    body.set()
    assert b"1" == (await leader).body
    assert {b"n"} == {answer.body for answer in answers}


async def test_later_requests_for_what_proved_uncacheable_do_not_queue() -> None:
    """For a while each calls the app at once; after that one is waited for again."""
    gate = asyncio.Event()
    slow = Reply(headers={"cache-control": "private"}, hold=gate)
    app = ScriptedApp(Reply(headers={"cache-control": "private"}), slow)
    site = cached(app)
    await site.get()

    tasks = ask(site, 3)
    await turns()
    assert 4 == app.calls

    gate.set()
    await asyncio.gather(*tasks)
    gate.clear()
    site.clock.advance(121)
    tasks = ask(site, 3)
    await turns()
    assert 5 == app.calls

    gate.set()
    await asyncio.gather(*tasks)


async def test_a_slow_answer_that_proves_uncacheable_is_remembered_all_the_same() -> None:
    """The memory begins when the answer does, not when the app was asked: slow handlers need it most."""
    site: Cached

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        site.clock.advance(15)
        await Reply(headers={"cache-control": "private"})(scope, receive, send)

    gate = asyncio.Event()
    app = ScriptedApp(slow, Reply(headers={"cache-control": "private"}, hold=gate))
    site = cached(app)
    await site.get()

    tasks = ask(site, 3)
    await turns()

    assert 4 == app.calls
    gate.set()
    await asyncio.gather(*tasks)


async def test_what_must_be_asked_each_time_is_not_waited_for() -> None:
    """A no-cache answer serves nobody but its own request, so nobody waits for more than its start."""
    start, body = asyncio.Event(), asyncio.Event()
    headers = {"cache-control": "no-cache", "etag": '"a"'}
    app = ScriptedApp(Reply(headers=headers, hold=start, hold_body=body), Reply(headers=headers, body=b"n", hold=body))
    site = cached(app)
    tasks = ask(site, 4)
    await app.until_called()
    await turns()

    start.set()
    await turns()
    assert 4 == app.calls

    body.set()
    await asyncio.gather(*tasks)
    body.clear()
    tasks = ask(site, 3)
    await turns()
    assert 7 == app.calls

    body.set()
    await asyncio.gather(*tasks)


async def test_followers_of_another_variant_leave_at_the_start() -> None:
    """They wait only until the Vary is known; then each variant gets one call."""
    start, body = asyncio.Event(), asyncio.Event()
    varying = {**FRESH, "vary": "accept-language"}

    async def by_language(scope: Scope, receive: Receive, send: Send) -> None:
        language = dict(scope["headers"])[b"accept-language"]
        await Reply(headers=varying, body=language)(scope, receive, send)

    app = ScriptedApp(Reply(headers=varying, body=b"de", hold=start, hold_body=body), by_language)
    site = cached(app)
    (leader,) = ask(site, headers={"accept-language": "de"})
    await app.until_called()
    same = ask(site, 3, headers={"accept-language": "de"})
    other = [*ask(site, 3, headers={"accept-language": "fr"}), *ask(site, 3, headers={"accept-language": "nl"})]
    await turns()
    assert 1 == app.calls

    start.set()
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*other)
    assert [b"fr"] * 3 + [b"nl"] * 3 == [answer.body for answer in answers]
    assert 3 == app.calls
    assert not any(task.done() for task in (leader, *same))

    body.set()
    assert {b"de"} == {answer.body for answer in await asyncio.gather(leader, *same)}
    assert 3 == app.calls


async def test_an_app_that_varies_on_ever_other_fields_hangs_nobody() -> None:
    """Requests that are sent from flight to flight end at the app after a few hops."""
    body = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        number = len(calls)
        calls.append(number)
        vary = ["a", "b", "a"][min(number, 2)]
        hold = body if number < 3 else None
        await Reply(headers={**FRESH, "vary": vary}, body=b"x", hold_body=hold)(scope, receive, send)

    calls: list[int] = []
    site = cached(app)
    tasks = []
    for lines in ({"a": "0", "b": "0"}, {"a": "1", "b": "2"}, {"a": "2", "b": "1"}, {"a": "1", "b": "1"}):
        tasks += ask(site, headers=lines)
        await turns()
    body.set()

    async with asyncio.timeout(5):
        assert {b"x"} == {answer.body for answer in await asyncio.gather(*tasks)}


@pytest.mark.parametrize("how", ["url", "tag", "everything", "post"])
async def test_a_purge_in_mid_flight_counts(how: str) -> None:
    """Those who already waited get the answer under way; it is not kept, and later requests get one new call."""
    gate, second = asyncio.Event(), asyncio.Event()
    app = ScriptedApp(
        Reply(headers={**FRESH, "cache-tag": "plan"}, body=b"old", hold=gate),
        *([Reply(status=204)] if how == "post" else []),
        Reply(headers={**FRESH, "cache-tag": "plan"}, body=b"new", hold=second),
    )
    site = cached(app)
    waiting = ask(site, 3)
    await app.until_called()
    await turns()

    if how == "post":
        await site.ask("POST")
    elif how == "url":
        await site.cache.purge(urls=["http://testserver/"])
    elif how == "tag":
        await site.cache.purge(tags=["plan"])
    else:
        await site.cache.purge(everything=True)
    later = ask(site, 5)
    await turns()
    gate.set()
    answers = await asyncio.gather(*waiting)
    second.set()
    afterwards = await asyncio.gather(*later)

    assert {b"old"} == {answer.body for answer in answers}
    assert {b"new"} == {answer.body for answer in afterwards}
    assert b"new" == (await site.get()).body
    assert (3 if how == "post" else 2) == app.calls


async def test_a_soft_purge_in_mid_flight_makes_the_answer_stale_for_later_ones() -> None:
    """It is marked stale like all that carries the tag, so who came after the purge is not told that it is fresh."""
    gate = asyncio.Event()
    tagged = {**FRESH, "cache-tag": "plan"}
    app = ScriptedApp(Reply(headers=tagged, body=b"old", hold=gate), Reply(headers=tagged, body=b"new"))
    site = cached(app)
    (first,) = ask(site)
    await app.until_called()

    await site.cache.purge(tags=["plan"], soft=True)
    later = ask(site, 2)
    await turns()
    gate.set()

    assert b"old" == (await first).body
    assert {b"new"} == {answer.body for answer in await asyncio.gather(*later)}
    assert 2 == app.calls


async def test_who_waited_through_a_successor_is_served_in_spite_of_a_purge() -> None:
    """What counts is that the call began after the request did."""
    first, second = asyncio.Event(), asyncio.Event()
    app = ScriptedApp(
        Reply(hold=first, body=None, error=RuntimeError("boom")),
        Reply(headers={**FRESH, "cache-tag": "plan"}, body=b"x", hold=second),
    )
    site = cached(app)
    tasks = ask(site, 5)
    await app.until_called()
    await turns()

    await site.cache.purge(tags=["other"])
    first.set()
    await app.until_called(2)
    await turns()
    await site.cache.purge(tags=["plan"])
    second.set()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert 2 == app.calls


async def test_a_disconnect_of_the_leader_is_told_if_it_is_alone() -> None:
    """The app's receive gives http.disconnect as without the cache."""
    seen: list[str] = []

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await receive())["type"])

    gone = asyncio.Event()
    app = ScriptedApp(listening)
    site = cached(app)
    (task,) = ask(site, disconnect=gone)
    await app.until_called()
    gone.set()
    await task

    assert ["http.disconnect"] == seen


async def test_a_disconnect_of_the_leader_is_kept_from_the_app_while_others_wait() -> None:
    """An app that stops when its client goes would break off the answer of those who are still there."""

    async def racing(scope: Scope, receive: Receive, send: Send) -> None:
        work, gone = asyncio.ensure_future(gate.wait()), asyncio.ensure_future(receive())
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        heard.append(gone.done())
        gone.cancel()
        await Reply(headers=FRESH, body=b"x")(scope, receive, send)

    gate, gone = asyncio.Event(), asyncio.Event()
    heard: list[bool] = []
    app = ScriptedApp(racing)
    site = cached(app)
    (leader,) = ask(site, disconnect=gone)
    await app.until_called()
    (follower,) = ask(site)
    await turns()

    gone.set()
    await turns()
    gate.set()

    assert b"x" == (await follower).body
    assert [False] == heard
    await leader


async def test_a_leader_whose_client_is_gone_still_serves_the_others() -> None:
    """Its `send` raises, the followers get the whole answer, and it is stored."""

    async def broken(message: Message) -> None:
        raise OSError("gone")

    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers={**FRESH, "etag": '"a"'}, body=[b"a", b"b", b"c"], hold=gate))
    site = cached(app)
    (leader,) = ask(site, on_send=broken)
    await app.until_called()
    followers = ask(site, 3)
    await turns()

    gate.set()
    answers = await asyncio.gather(*followers)
    await asyncio.gather(leader, return_exceptions=True)

    assert {b"abc"} == {answer.body for answer in answers}
    assert b"abc" == (await site.get()).body
    assert 1 == app.calls


@pytest.mark.parametrize("rules", [(), (RULE,)])
async def test_an_error_of_send_reaches_the_app_if_it_is_alone(rules: tuple[CacheRule, ...]) -> None:
    """The app learns that its client is gone by the same OSError, once, and the library does not call it its own."""
    caught: list[OSError] = []
    tries: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await Reply(headers=FRESH, body=b"x")(scope, receive, send)
        except OSError as error:
            caught.append(error)
            raise

    async def broken(message: Message) -> None:
        tries.append(message["type"])
        raise OSError("gone")

    site = cached(app, *rules)

    with pytest.raises(OSError, match="gone") as raised:
        await site.get(on_send=broken)

    assert [raised.value] == caught
    assert ["http.response.start"] == tries
    assert "InternalFailure" not in site.told


async def test_a_leaders_client_that_takes_nothing_does_not_starve_the_others() -> None:
    """Those who wait get the answer though the leader's `send` never returns."""
    never = asyncio.Event()

    async def stuck(message: Message) -> None:
        await never.wait()

    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers={**FRESH, "etag": '"a"'}, body=[b"a", b"b"], hold=gate))
    site = cached(app)
    (leader,) = ask(site, on_send=stuck)
    await app.until_called()
    followers = ask(site, 3)
    await turns()

    gate.set()
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*followers)

    assert {b"ab"} == {answer.body for answer in answers}
    assert not leader.done()
    leader.cancel()
    await asyncio.gather(leader, return_exceptions=True)


async def test_context_variables_of_the_app_are_visible_after_it() -> None:
    """Middleware outside of the cache reads what a handler left, as without the cache."""
    variable = contextvars.ContextVar("variable", default="unset")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        variable.set(variable.get() + ", seen")
        await Reply(headers=FRESH)(scope, receive, send)

    variable.set("outer")
    await cached(app).get()

    assert "outer, seen" == variable.get()


async def test_followers_do_not_wait_for_background_tasks() -> None:
    """What the app does after its response holds the leader, as ever, and nobody else."""
    gate, work = asyncio.Event(), asyncio.Event()

    async def with_background(scope: Scope, receive: Receive, send: Send) -> None:
        await Reply(headers=FRESH, body=b"x", hold=gate)(scope, receive, send)
        await work.wait()

    app = ScriptedApp(with_background)
    site = cached(app)
    leader, *followers = ask(site, 3)
    await app.until_called()
    await turns()

    gate.set()
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*followers)
    assert {b"x"} == {answer.body for answer in answers}
    assert not leader.done()

    assert b"x" == (await site.get()).body
    work.set()
    await leader


async def test_requests_with_authorization_fly_alone() -> None:
    """They neither wait for what may not be theirs, nor let others wait for what may not be shared."""
    gate = asyncio.Event()
    app = ScriptedApp(Reply(headers=FRESH, body=b"x", hold=gate))
    site = cached(app)
    tasks = [*ask(site), *ask(site, 2, headers={"authorization": "Bearer a"})]
    await turns()

    assert 3 == app.calls
    gate.set()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("how", ["url", "post"])
async def test_an_answer_to_a_lone_request_is_not_kept_over_a_purge_of_its_url(how: str) -> None:
    """Requests that fly alone (here: with Authorization, and permission) are bound by purges as all others."""
    gate = asyncio.Event()
    public = {"cache-control": "public, max-age=60"}
    app = ScriptedApp(
        Reply(headers=public, body=b"old", hold=gate),
        *([Reply(status=204)] if how == "post" else []),
        Reply(headers=public, body=b"new"),
    )
    site = cached(app)
    (task,) = ask(site, headers={"authorization": "Bearer a"})
    await app.until_called()

    if how == "post":
        await site.ask("POST")
    else:
        await site.cache.purge(urls=["http://testserver/"])
    gate.set()
    await task

    assert b"new" == (await site.get()).body


async def test_flights_on_two_loops_do_not_meet() -> None:
    """Two threads with a loop each share the store and nothing else: neither waits for the other's call."""
    held = threading.Event()
    begun = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"] == b"":
            calls.append(1)
        if len(calls) == 1:
            begun.set()
            await asyncio.get_running_loop().run_in_executor(None, held.wait)
        await Reply(headers=FRESH, body=b"x")(scope, receive, send)

    calls: list[int] = []
    middleware = CacheMiddleware(app, cache=Cache(clock=ManualClock()))
    answers: list[Response] = []
    first = threading.Thread(target=lambda: answers.append(asyncio.run(request(middleware))))
    first.start()
    begun.wait(5)
    second = threading.Thread(target=lambda: answers.append(asyncio.run(request(middleware))))
    second.start()
    second.join(5)
    assert not second.is_alive()

    held.set()
    first.join(5)
    assert [b"x", b"x"] == [answer.body for answer in answers]


async def test_a_flight_of_a_loop_that_is_gone_is_nobodys() -> None:
    """A loop closed in mid-call leaves no key that can never be led, or refreshed, again."""
    app = ScriptedApp(Reply(headers=FRESH, body=b"x"))
    site = cached(app)
    await site.get()
    (key,) = {event.key for event in site.events if isinstance(event, CacheMiss)}
    await site.cache.purge(urls=["http://testserver/"])
    dead = asyncio.new_event_loop()
    dead.close()
    site.cache.flights.begin((key, (), ()), dead)

    answers = await asyncio.gather(*ask(site, 5))

    assert {b"x"} == {answer.body for answer in answers}
    assert 2 == app.calls


async def test_a_leader_cancelled_after_its_app_ended_is_cancelled() -> None:
    """A cancellation that arrives while the last messages are still being sent is not swallowed."""
    taking = asyncio.Event()

    async def slow(message: Message) -> None:
        taking.set()
        await asyncio.Event().wait()

    async def unfinished(scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=9")]})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})

    gate = asyncio.Event()
    app = ScriptedApp(unfinished, Reply(headers=FRESH, body=b"x"))
    site = cached(app)
    (leader,) = ask(site, on_send=slow)
    await app.until_called()
    (follower,) = ask(site)
    await turns()
    gate.set()
    await taking.wait()
    await follower

    leader.cancel()

    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_messages_before_an_error_reach_the_client_also_from_an_app_that_never_waits() -> None:
    """What was sent was sent, whatever comes after it."""
    sent: list[Message] = []
    site = cached(ScriptedApp(Reply(headers={**FRESH, "etag": '"a"'}, body=[b"a", b"b"], error=RuntimeError("boom"))))

    with pytest.raises(RuntimeError):
        await site.get(on_send=into(sent))

    assert [b"a"] == [message["body"] for message in sent if message["type"] == "http.response.body"]


async def test_those_who_wait_for_a_successor_are_answered_by_what_it_stored() -> None:
    """Also where the successor lands before they look again, as an app that never waits does on Python 3.12."""
    gate = asyncio.Event()

    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        raise RuntimeError("first")

    app = ScriptedApp(failing, Reply(headers={"cache-control": "max-age=60"}, body=b"second"))
    site = cached(app)

    tasks = ask(site, 20)
    await turns()
    gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert 2 == app.calls
    assert 1 == sum(isinstance(answer, RuntimeError) for answer in answers)


async def test_looking_again_in_a_store_that_takes_time_makes_one_successor() -> None:
    """Those who wait all look into the store after a failure; while they do, the first of them has begun."""

    class Slow(MemoryStore):
        is_remote = True

        async def get(self, key: tuple[object, ...]) -> Any:
            await asyncio.sleep(0)
            return self.near(key)

    first, second = asyncio.Event(), asyncio.Event()
    app = ScriptedApp(
        Reply(hold=first, body=None, error=RuntimeError("boom")), Reply(headers=FRESH, body=b"x", hold=second)
    )
    site = cached(app, RULE)
    site.cache.store = Slow(clock=site.clock)
    leader, *followers = ask(site, 10)
    await app.until_called()
    await turns()

    first.set()
    await app.until_called(2)
    await turns()
    second.set()

    assert {b"x"} == {answer.body for answer in await asyncio.gather(*followers)}
    assert 2 == app.calls
    assert isinstance((await asyncio.gather(leader, return_exceptions=True))[0], RuntimeError)


def taking(site_of: list[Cached], seconds: float, *replies: Reply) -> ScriptedApp:
    """Return an app whose answers come *seconds* after they were asked for."""

    def step(reply: Reply) -> ASGIApp:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            if reply.hold is not None:
                await reply.hold.wait()
            # What takes time lets the loop turn, also where calls begin at once (Python 3.12).
            await turns()
            site_of[0].clock.advance(seconds)
            await reply(scope, receive, send)

        return slow

    return ScriptedApp(*(step(reply) for reply in replies))


@pytest.mark.parametrize("control", ["max-age=1", "s-maxage=1", "max-age=1, must-revalidate"])
async def test_an_answer_that_is_stale_on_arrival_answers_those_who_had_asked(control: str) -> None:
    """The call took longer than its answer is fresh; RFC 9111 §4 lets one call answer those who waited for it."""
    gate = asyncio.Event()
    sites: list[Cached] = []
    app = taking(sites, 1.2, Reply(headers={"cache-control": control}, body=b"x", hold=gate))
    sites.append(site := cached(app))

    tasks = ask(site, 51)
    await turns()
    gate.set()
    answers = await asyncio.gather(*tasks)

    assert 1 == app.calls
    assert {b"x"} == {answer.body for answer in answers}
    assert {"1"} == {answer.header("age") for answer in answers[1:]}
    await site.get()
    assert 2 == app.calls


@pytest.mark.parametrize("headers", [{"cache-control": "max-age=0"}, {"cache-control": "max-age=1", "age": "1"}])
async def test_an_answer_that_was_stale_when_it_was_made_is_for_its_request_alone(headers: dict[str, str]) -> None:
    """Not the call took too long: the app says that it is for now only, or that it is old."""
    gate = asyncio.Event()
    sites: list[Cached] = []
    app = taking(sites, 0.1, Reply(headers=headers | {"etag": '"a"'}, body=b"x", hold=gate))
    sites.append(site := cached(app))

    tasks = ask(site, 10)
    await turns()
    gate.set()
    await asyncio.gather(*tasks)

    assert 10 == app.calls


async def test_those_who_come_while_a_stale_answer_is_arriving_make_one_successor() -> None:
    """They asked after the app had answered, so it is too old for them; they wait for the next, which is not."""
    gate, body = asyncio.Event(), asyncio.Event()
    sites: list[Cached] = []
    reply = Reply(headers={"cache-control": "max-age=1", "etag": '"a"'}, body=[b"x", b"y"], hold=gate, hold_body=body)
    app = taking(sites, 1.2, reply)
    sites.append(site := cached(app))

    early = ask(site, 10)
    await turns()
    gate.set()
    await turns()
    late = ask(site, 50)
    await turns()
    body.set()
    answers = await asyncio.gather(*early, *late)

    assert 2 == app.calls
    assert {b"xy"} == {answer.body for answer in answers}


async def test_a_disconnect_is_told_once_the_last_follower_has_left() -> None:
    """Nobody is left for whom the app works, and it learns so."""
    heard, gone = asyncio.Event(), asyncio.Event()

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        heard.set()

    app = ScriptedApp(listening)
    site = cached(app)
    (leader,) = ask(site, disconnect=gone)
    await app.until_called()
    followers = ask(site, 2)
    await turns()
    gone.set()
    await turns()

    followers[0].cancel()
    await turns()
    assert not heard.is_set()
    followers[1].cancel()
    await turns()

    assert heard.is_set()
    await leader
    assert 0 == len(site.cache.flights)


async def test_a_call_whose_client_was_cancelled_ends_when_its_last_follower_leaves() -> None:
    """As it would have ended with its client, had nobody waited."""
    app = ScriptedApp(Reply(headers=FRESH, hold=asyncio.Event()))
    site = cached(app)
    leader, *followers = ask(site, 3)
    await app.until_called()
    await turns()
    leader.cancel()
    await turns()
    assert 0 == app.cancelled

    for follower in followers:
        follower.cancel()
    await turns()

    assert 1 == app.cancelled
    assert 0 == len(site.cache.flights)
    await site.cache.settle(0)
