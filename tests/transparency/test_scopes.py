"""What the server says of a connection reaches the app unchanged, and what the app writes there stays readable."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from tests.transparency.driver import Connection, body, exchange, http, start
from tests.transparency.wrappings import Wrap

from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send


async def test_the_app_sees_the_scope_of_the_server(wrap: Wrap) -> None:
    """The scope holds what the server put there: nothing is missing, changed or in the way of an extension."""
    extensions: dict[str, Any] = {name: {} for name in ("http.response.pathsend", "http.response.trailers", "tls")}
    scope = http("/plan?a=1&a=2", headers=[(b"x-a", b"1"), (b"x-a", b"2")], extensions=extensions, custom=object())
    before = dict(scope)
    copied = copy.deepcopy({key: value for key, value in scope.items() if key != "custom"})
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await send(start())
        await send(body())

    await exchange(wrap(app), scope)

    assert all(seen[0][key] is value for key, value in before.items())
    assert copied == {key: scope[key] for key in copied}


async def test_what_the_app_writes_into_the_scope_is_seen_outside(wrap: Wrap) -> None:
    """Tracing and metrics read `scope["route"]` and `scope["endpoint"]` after the call; both are where they look."""

    async def plan(request: Request) -> JSONResponse:
        request.state.user = "operator"
        return JSONResponse({"jobs": []})

    route = Route("/plan", plan)
    connection = Connection(http(state={"pool": "kept"}))
    await connection.run(wrap(Starlette(routes=[route])))

    assert plan is connection.scope["endpoint"]
    assert {"pool": "kept", "user": "operator"} == connection.scope["state"]


async def test_the_state_of_the_lifespan_is_the_same_object(wrap: Wrap) -> None:
    """What start-up put into the state is handed on, not copied."""
    pool = object()
    state = {"pool": pool}
    seen: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["state"])
        await send(start())
        await send(body())

    await exchange(wrap(app), http(state=state))

    assert state is seen[0]
    assert pool is seen[0]["pool"]


@pytest.mark.parametrize(
    "absent", ["state", "extensions", "raw_path", "root_path", "client", "server", "scheme", "asgi"]
)
async def test_a_scope_may_lack_what_is_optional(wrap: Wrap, absent: str) -> None:
    """Minimal servers and test clients leave keys out; the app is called all the same, and twice if asked twice."""
    scope = http()
    del scope[absent]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert absent not in scope
        await send(start())
        await send(body(b"ok"))

    wrapped = wrap(app)
    for _ in range(2):
        connection = await exchange(wrapped, dict(scope))
        assert b"ok" == connection.body


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": ()},
        {"headers": [[b"host", b"testserver"]]},
        {"headers": ((b"host", b"testserver"),)},
        {"path": ""},
        {"path": "*", "raw_path": b"*", "method": "OPTIONS"},
        {"path": "/\ud800", "raw_path": b"/%ED%A0%80"},
        {"path": "/ü/✓", "raw_path": b"/%C3%BC/%E2%9C%93"},
        {"query_string": b"\xff%zz&&=&a"},
        {"http_version": "2"},
        {"http_version": "3"},
        {"scheme": "https"},
        {"client": None, "server": None},
        {"server": ("/run/app.sock", None)},
        {"root_path": "/proxied"},
        {"headers": [(b"\xff", b"\xfe"), (b"host", b""), (b"host", b"b")]},
        {"headers": [(b"range", b"bytes=0-1")]},
        {"headers": [(b"authorization", b"Basic YTpi")]},
        {"headers": [(b"cookie", b"a=1"), (b"cookie", b"b=2")]},
        {"headers": [(b"cache-control", b"no-store, max-age=abc"), (b"pragma", b"no-cache")]},
        {"headers": [(b"expect", b"100-continue")]},
    ],
    ids=repr,
)
async def test_an_odd_request_reaches_the_app(wrap: Wrap, changes: dict[str, Any]) -> None:
    """Whatever a request looks like, the app answers it and the answer arrives."""
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append({key: scope[key] for key in changes})
        await send(start(200, [(b"x-a", b"1")]))
        await send(body(b"ok"))

    connection = await exchange(wrap(app), {**http(), **changes})

    assert [changes] == seen
    assert [start(200, [(b"x-a", b"1")]), body(b"ok")] == connection.sent


async def test_conditions_are_answered_as_by_the_app(wrap: Wrap) -> None:
    """A client that has what the app would send gets 304 and nothing else; one that has something else gets it all."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        etag = (b"etag", b'"7"')
        if (b"if-none-match", b'"7"') in scope["headers"]:
            await send(start(304, [etag]))
            await send(body())
        else:
            await send(start(200, [etag]))
            await send(body(b"plan"))

    wrapped = wrap(app)
    for _ in range(2):
        known = await exchange(wrapped, http(headers=[(b"if-none-match", b'"7"')]))
        other = await exchange(wrapped, http(headers=[(b"if-none-match", b'"6"')]))
        assert (304, b"") == (known.sent[0]["status"], known.body)
        assert (200, b"plan") == (other.sent[0]["status"], other.body)
        assert (b"etag", b'"7"') in known.sent[0]["headers"]


@pytest.mark.parametrize(
    "condition", [(b"if-none-match", b'"7"'), (b"if-modified-since", b"Sat, 01 Jan 2000 00:00:00 GMT")]
)
async def test_what_the_app_writes_into_the_scope_of_a_conditional_request_is_seen_outside(
    wrap: Wrap, condition: tuple[bytes, bytes]
) -> None:
    """Metrics that read `scope["route"]` after the call find it for conditional requests as for all others."""

    async def plan(request: Request) -> JSONResponse:
        return JSONResponse({"jobs": []})

    connection = Connection(http(headers=[condition]))
    await connection.run(wrap(Starlette(routes=[Route("/plan", plan)])))

    assert plan is connection.scope["endpoint"]
    assert [(b"host", b"testserver"), condition] == connection.scope["headers"]


@pytest.mark.parametrize("kind", ["webtransport", "http.custom", "mqtt", "", "websocket.custom"])
async def test_an_unknown_kind_of_connection_is_the_apps_affair(wrap: Wrap, kind: str) -> None:
    """Scope, receive and send of a kind nobody knows reach the app as they are."""
    seen: list[tuple[Scope, Message]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope, await receive()))
        await send({"type": f"{kind}.answer", "n": 1})

    connection = Connection({"type": kind, "odd": 1}, [{"type": f"{kind}.question"}])
    await connection.run(wrap(app))

    assert connection.scope is seen[0][0]
    assert [({"type": kind, "odd": 1}, {"type": f"{kind}.question"})] == seen
    assert [{"type": f"{kind}.answer", "n": 1}] == connection.sent


async def test_an_app_that_refuses_an_unknown_kind_still_refuses_it(wrap: Wrap) -> None:
    """The exception by which an app says that it does not know a kind of connection reaches the server."""
    refusal = NotImplementedError("webtransport")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise refusal

    with pytest.raises(NotImplementedError) as caught:
        await Connection({"type": "webtransport"}).run(wrap(app))

    assert refusal is caught.value


def reporting() -> ASGIApp:
    """Return an app that answers with the paths and URLs it sees, at `/plan` and below a mount at `/sub`."""

    async def report(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "url": str(request.url),
                "base_url": str(request.base_url),
                "root_path": request.scope["root_path"],
                "path": request.scope["path"],
            }
        )

    routes = [Route("/plan", report)]
    return Starlette(routes=[*routes, Mount("/sub", app=Starlette(routes=routes))])


@pytest.mark.parametrize("root_path", ["", "/proxied"])
async def test_mounts_and_root_path_are_seen_as_without_the_wrapper(wrap: Wrap, root_path: str) -> None:
    """An app behind a path prefix, and one mounted in it, sees and builds the same URLs as when it is bare."""
    expected = [await exchange(reporting(), http(path, root_path=root_path)) for path in paths(root_path)]

    app = wrap(reporting())
    actual = [await exchange(app, http(path, root_path=root_path)) for path in paths(root_path)]

    assert [record.body for record in expected] == [record.body for record in actual]
    assert all(record.sent[0]["status"] == 200 for record in actual)


def paths(root_path: str) -> list[str]:
    """Return the paths that `reporting` answers."""
    return [f"{root_path}/plan", f"{root_path}/sub/plan"]


async def test_a_wrapped_app_may_be_mounted(wrap: Wrap) -> None:
    """Two wrapped apps mounted under two prefixes answer for themselves, each with its own root path."""
    outer = Starlette(routes=[Mount("/a", app=wrap(reporting())), Mount("/b", app=wrap(reporting()))])
    bare = Starlette(routes=[Mount("/a", app=reporting()), Mount("/b", app=reporting())])

    for path in ("/a/plan", "/b/plan", "/a/sub/plan", "/a/plan"):
        expected = await exchange(bare, http(path))
        actual = await exchange(outer, http(path))
        assert (200, expected.body) == (actual.sent[0]["status"], actual.body)


async def test_one_wrapped_app_mounted_twice_tells_its_places_apart(wrap: Wrap) -> None:
    """The same wrapped app under two prefixes does not answer for one with what it built for the other."""
    app = wrap(reporting())
    outer = Starlette(routes=[Mount("/a", app=app), Mount("/b", app=app)])

    await exchange(outer, http("/a/plan"))
    second = await exchange(outer, http("/b/plan"))

    assert b'"root_path":"/b"' in second.body
