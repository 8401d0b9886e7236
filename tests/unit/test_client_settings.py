"""Clients as the environment makes them: what it says reaches the wire, over either library, and no secret is told."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trustme
from tests.unit.libraries import Script, over_both, until

from asgi_resync import (
    Bulkhead,
    BulkheadFull,
    ClientOptions,
    Resync,
    RetryBudget,
    RetryPolicy,
    RuleError,
    SettingsError,
    Upstream,
    deadline,
)
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.settings import Settings, UpstreamSettings, resolve
from asgi_resync.settings.model import UPSTREAM
from asgi_resync.testing import FakeTWS, serve

BASIC = "Basic " + base64.b64encode(b"twsuser:s3cr3t").decode()
TWS = {
    "RESYNC_UPSTREAM_TWS_URL": "https://tws.example:31116",
    "RESYNC_UPSTREAM_TWS_USER": "twsuser",
    "RESYNC_UPSTREAM_TWS_PASSWORD": "s3cr3t",
    "RESYNC_UPSTREAM_TWS_RETRY_ATTEMPTS": "2",
    "RESYNC_UPSTREAM_TWS_RETRY_BACKOFF": "0",
    "RESYNC_UPSTREAM_TWS_CONNECT_TIMEOUT": "2s",
    "RESYNC_UPSTREAM_TWS_READ_TIMEOUT": "40s",
    "RESYNC_UPSTREAM_TWS_WRITE_TIMEOUT": "6s",
    "RESYNC_UPSTREAM_TWS_POOL_TIMEOUT": "300ms",
    "RESYNC_UPSTREAM_TWS_DEADLINE_HEADER": "Request-Timeout-Ms",
}


def tws(environ: dict[str, str], *given: Upstream) -> Upstream:
    """The upstream that *environ* makes, out of *given* if that is there."""
    return Resync.from_env(environ, upstreams=given).upstreams["tws"]


class Seen:
    """A step of a script that keeps the request and answers 200."""

    def __init__(self, lib: ModuleType) -> None:
        self.lib = lib
        self.requests: list[Any] = []

    async def __call__(self, request: Any) -> Any:
        self.requests.append(request)
        return self.lib.Response(200)


@over_both
async def test_the_environment_alone_makes_the_client(lib: ModuleType) -> None:
    """Address, credentials, timeouts, retries and the field of the deadline: no line of code says any of it."""
    upstream = tws(TWS)
    seen = Seen(lib)
    script = Script(lib, 503, seen, 503)
    async with upstream.client(lib.MockTransport(script)) as client:
        with deadline(5.0):
            assert 200 == (await client.get("/plan/current")).status_code
        assert 503 == (await client.get("/plan/current")).status_code

    (request,) = seen.requests
    assert "https://tws.example:31116/twsd/plan/current" == str(request.url)
    assert BASIC == request.headers["authorization"]
    assert 0 < int(request.headers["request-timeout-ms"]) <= 5000
    assert {"connect": 2.0, "read": 40.0, "write": 6.0, "pool": 0.3} == request.extensions["timeout"]
    assert 4 == script.calls  # two attempts each


@over_both
async def test_without_a_deadline_there_is_no_field_of_it(lib: ModuleType) -> None:
    """Nothing is made up."""
    seen = Seen(lib)
    async with tws(TWS).client(lib.MockTransport(seen)) as client:
        await client.get("/")

    assert "request-timeout-ms" not in seen.requests[0].headers


@over_both
async def test_credentials_go_to_their_upstream_alone(lib: ModuleType) -> None:
    """Neither a redirect nor an absolute URL carries them to another host; a caller's own field is left alone."""
    seen = Seen(lib)

    async def away(request: Any) -> Any:
        return lib.Response(302, headers={"location": "https://elsewhere.example/"})

    script = Script(lib, away, seen)
    async with tws(TWS).client(lib.MockTransport(script), follow_redirects=True) as client:
        await client.get("/plan/current")
        await client.get("https://elsewhere.example/plan")
        await client.get("https://tws.example:31117/plan")
        await client.get("/own", headers={"Authorization": "Bearer mine"})
        await client.get("/plan/current", auth=("other", "one"))

    sent = [request.headers.get("authorization") for request in seen.requests]
    assert [None, None, None, "Bearer mine", "Basic b3RoZXI6b25l"] == sent


@over_both
async def test_a_token_is_sent_as_one(lib: ModuleType) -> None:
    """The other form of credentials; what the environment says replaces all that the code does."""
    seen = Seen(lib)
    given = Upstream("tws", url="http://up", http=ClientOptions(user="u", password="p"))
    async with tws({"RESYNC_UPSTREAM_TWS_TOKEN": "abc.def"}, given).client(lib.MockTransport(seen)) as client:
        await client.get("/")

    assert "Bearer abc.def" == seen.requests[0].headers["authorization"]


@asynccontextmanager
async def secure(directory: Path) -> AsyncIterator[tuple[int, str]]:
    """Serve 200 to whoever comes over TLS; yield the port and the file of the authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    path = directory / "ca.pem"
    authority.cert_pem.write_to_path(path)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], str(path)


@over_both
async def test_tls_is_as_the_environment_says(
    lib: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Checked by default, against a file where one is named; not at all where that is said, and then warned of."""
    library: Any = lib.__name__
    # Another test may have had some framework set up the logging of this process.
    caplog.set_level(logging.WARNING)
    for name in ("httpx", "httpx2"):
        caplog.set_level(logging.WARNING, name)
    async with secure(tmp_path) as (port, ca_file):
        once = {"RESYNC_UPSTREAM_TWS_URL": f"https://127.0.0.1:{port}", "RESYNC_UPSTREAM_TWS_RETRY_ATTEMPTS": "1"}
        async with tws(once).client(library=library) as strict:
            with pytest.raises(lib.ConnectError, match=r"(?i)certificate"):
                await strict.get("/")
        async with tws(once | {"RESYNC_UPSTREAM_TWS_CA_FILE": ca_file}).client(library=library) as trusting:
            assert isinstance(trusting, lib.AsyncClient)
            assert "ok" == (await trusting.get("/")).text

        assert not caplog.records

        async with tws(once | {"TWS_VERIFY": "False"}).client(library=library) as careless:
            assert "ok" == (await careless.get("/")).text

    of_settings, of_client = (record.getMessage() for record in caplog.records)
    assert of_settings.startswith("TWS_VERIFY is off: ")
    assert "the certificate of the upstream tws is not checked: verify is off" == of_client
    assert {logging.WARNING} == {record.levelno for record in caplog.records}


@over_both
async def test_a_bulkhead_is_made_of_two_numbers(lib: ModuleType) -> None:
    """One call at a time, and none that waits."""
    gate = asyncio.Event()

    async def hold(request: Any) -> Any:
        await gate.wait()
        return lib.Response(200)

    upstream = tws({"RESYNC_UPSTREAM_TWS_MAX_CALLS": "1", "RESYNC_UPSTREAM_TWS_URL": "http://up"})
    script = Script(lib, hold)
    async with upstream.client(lib.MockTransport(script)) as client:
        first = asyncio.create_task(client.get("/"))
        await until(lambda: script.calls == 1)
        with pytest.raises(BulkheadFull, match="tws"):
            await client.get("/")
        gate.set()
        await first


@over_both
async def test_limits_of_connections_reach_the_pool(lib: ModuleType) -> None:
    """A second connection is not to be had, so that the wait for one ends in a PoolTimeout that opens no breaker."""
    library: Any = lib.__name__
    fake = FakeTWS()
    fake.fail(hang=True, path="/plan/current")
    async with fake.serve() as server:
        upstream = tws(
            {
                "RESYNC_UPSTREAM_TWS_URL": server.url,
                "RESYNC_UPSTREAM_TWS_MAX_CONNECTIONS": "1",
                "RESYNC_UPSTREAM_TWS_POOL_TIMEOUT": "10ms",
                "RESYNC_UPSTREAM_TWS_FAIL_MAX": "1",
            }
        )
        async with upstream.client(library=library) as client:
            first = asyncio.create_task(client.get("/plan/current"))
            await until(lambda: fake.calls["GET /plan/current"] == 1)
            with pytest.raises(lib.PoolTimeout):
                await client.get("/engine/info")
            first.cancel()
            await asyncio.wait({first})

    assert "closed" == upstream.breaker.report().state


@over_both
async def test_a_health_check_asks_once_and_says_how_it_is(lib: ModuleType) -> None:
    """It goes through the breaker, and is not retried."""
    library: Any = lib.__name__
    fake = FakeTWS()
    user, password = fake.auth
    async with fake.serve() as server:
        environ = {"RESYNC_UPSTREAM_TWS_URL": server.url, "TWS_USER": user, "TWS_PASSWORD": password}
        upstream = tws(environ)
        async with upstream.client(library=library) as client:
            await upstream.check(client)
            fake.fail(status=503)
            with pytest.raises(lib.HTTPStatusError):
                await upstream.check(client)
        fake.heal()
        await upstream.check()

    assert 3 == fake.calls["GET /engine/info"]


async def test_a_health_check_takes_the_library_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where httpx alone is installed, it is that."""
    agents: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        agents.append(dict(scope["headers"])[b"user-agent"].decode())
        await fake(scope, receive, send)

    fake = FakeTWS()
    user, password = fake.auth
    monkeypatch.setattr("asgi_resync.upstream.find_spec", lambda name: None)
    async with serve(app) as server:
        await tws({"TWS_BASE_URL": server.url, "TWS_USER": user, "TWS_PASSWORD": password}).check()

    assert ["python-httpx"] == [agent.partition("/")[0] for agent in agents]


async def test_a_health_check_needs_a_path() -> None:
    """Nobody guesses one."""
    with pytest.raises(RuleError, match="health_path"):
        await Upstream("crm", url="http://up").check()


def test_what_the_environment_says_wins_field_by_field_over_the_code() -> None:
    """And what it does not say stays as the code has it."""
    bulkhead, budget = Bulkhead(7, 3), RetryBudget(share=0.5, floor=1, window=20)
    given = Upstream(
        "tws",
        http=ClientOptions(read_timeout=9, connect_timeout=8, token="code"),
        retries=RetryPolicy(attempts=7, backoff=0.7, methods={"GET"}),
        budget=budget,
        bulkhead=bulkhead,
    )
    untouched = tws({}, given)
    upstream = tws(
        {
            "RESYNC_UPSTREAM_TWS_READ_TIMEOUT": "5",
            "RESYNC_UPSTREAM_TWS_RETRY_ATTEMPTS": "3",
            "RESYNC_UPSTREAM_TWS_RETRY_SHARE": "0.1",
            "RESYNC_UPSTREAM_TWS_MAX_CALLS": "2",
            "RESYNC_UPSTREAM_TWS_TOTAL_TIMEOUT": "9",
        },
        given,
    )

    assert (given.http, given.retries) == (untouched.http, untouched.retries)
    assert untouched.budget is budget
    assert untouched.bulkhead is bulkhead
    assert ClientOptions(read_timeout=5, connect_timeout=8, token="code") == upstream.http
    assert RetryPolicy(attempts=3, backoff=0.7, methods={"GET"}, timeout=9) == upstream.retries
    assert (0.1, 1, 20) == (upstream.budget.share, upstream.budget.floor, upstream.budget.window)
    assert upstream.bulkhead is not None
    assert (2, 3) == (upstream.bulkhead.limit, upstream.bulkhead.queue)


def test_the_original_names_set_the_same() -> None:
    """An application that was configured for the original is configured."""
    environ = {
        "TWS_HOST": "tws.example",
        "TWS_PORT": "31111",
        "TWS_USER": "u",
        "TWS_PASSWORD": "p",
        "TWS_CONNECT_TIMEOUT": "10",
        "TWS_READ_TIMEOUT": "31",
        "TWS_WRITE_TIMEOUT": "32",
        "TWS_POOL_TIMEOUT": "33",
        "TWS_REQUEST_TIMEOUT": "34",
        "TWS_MAX_CONNECTIONS": "50",
        "TWS_MAX_KEEPALIVE": "10",
        "TWS_MAX_CONCURRENT_REQUESTS": "20",
        "TWS_POOL_RETRY_ATTEMPTS": "5",
        "TWS_POOL_RETRY_DELAY": "2",
        "TWS_VERIFY": "true",
    }
    upstream = tws(environ)

    assert "http://tws.example:31111/twsd" == upstream.base_url
    assert upstream.http == ClientOptions(
        user="u",
        password="p",
        connect_timeout=10,
        read_timeout=31,
        write_timeout=32,
        pool_timeout=33,
        max_connections=50,
        max_keepalive=10,
        health_path="/engine/info",
    )
    assert RetryPolicy(attempts=5, backoff=2, timeout=34) == upstream.retries
    assert upstream.bulkhead is not None
    assert 20 == upstream.bulkhead.limit


def test_defaults_of_the_settings_are_those_of_the_code() -> None:
    """The table in README is true for who sets nothing."""
    settings, options, policy, budget = UpstreamSettings(), ClientOptions(), RetryPolicy(), RetryBudget()

    for field in fields(ClientOptions):
        assert getattr(options, field.name) == getattr(settings, field.name), field.name
    assert (policy.attempts, policy.backoff, policy.backoff_max, policy.retry_after_max, policy.timeout) == (
        settings.retry_attempts,
        settings.retry_backoff,
        settings.retry_backoff_max,
        settings.retry_after_max,
        settings.total_timeout,
    )
    assert (budget.share, budget.floor) == (settings.retry_share, settings.retry_floor)
    assert {variable.field for variable in UPSTREAM} == settings.given


def test_no_name_of_a_setting_ends_in_that_of_another() -> None:
    """`A_READ_TIMEOUT` would else be the `READ_TIMEOUT` of `a` and the `TIMEOUT` of `a_read`."""
    names = [variable.field for variable in UPSTREAM]

    assert [] == [(one, other) for one in names for other in names if one.endswith(f"_{other}")]


def test_redis_has_no_client_of_this_kind() -> None:
    """A setting that nothing would read is refused, as any that is not there."""
    with pytest.raises(SettingsError, match=r"RESYNC_UPSTREAM_REDIS_VERIFY.*not a setting"):
        resolve({"RESYNC_UPSTREAM_REDIS_VERIFY": "false"})


def test_all_that_is_wrong_is_told_at_once_and_no_secret_with_it() -> None:
    """Values that cannot be read, and values that contradict each other."""
    environ = {
        "RESYNC_UPSTREAM_TWS_RETRY_ATTEMPTS": "0",
        "RESYNC_UPSTREAM_TWS_READ_TIMEOUT": "soon",
        "RESYNC_UPSTREAM_TWS_TOKEN": "hunter2 hunter2",
        "RESYNC_UPSTREAM_TWS_HEALTH_PATH": "health",
        "RESYNC_UPSTREAM_TWS_DEADLINE_HEADER": "a b",
        "RESYNC_UPSTREAM_CRM_PASSWORD": "hunter2",
        "RESYNC_UPSTREAM_ERP_USER": "u",
        "RESYNC_UPSTREAM_ERP_PASSWORD": "hunter2",
        "RESYNC_UPSTREAM_ERP_TOKEN": "hunter2",
    }
    with pytest.raises(SettingsError) as caught:
        resolve(environ)

    names = {problem.name for problem in caught.value.problems}
    assert environ.keys() - {"RESYNC_UPSTREAM_ERP_USER", "RESYNC_UPSTREAM_ERP_PASSWORD"} == names
    assert "hunter2" not in str(caught.value)


def test_no_secret_is_printed() -> None:
    """Settings, upstreams and options show neither password nor token."""
    environ = TWS | {"RESYNC_UPSTREAM_CRM_TOKEN": "hunter2"}
    resync = Resync.from_env(environ)

    for printed in (
        repr(Settings.from_env(environ)),
        repr(resync.upstreams),
        repr(resync.upstreams["tws"].http),
        repr(resync.upstreams["crm"].http),
    ):
        assert "s3cr3t" not in printed
        assert "hunter2" not in printed


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"read_timeout": 0}, "read_timeout"),
        ({"pool_timeout": True}, "pool_timeout"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_keepalive": 1.5}, "max_keepalive"),
        ({"user": "u"}, "user"),
        ({"user": "u:v", "password": "p"}, "user"),
        ({"user": "u", "password": "p", "token": "t"}, "user"),
        ({"token": "a\nb"}, "token"),
        ({"verify": "no"}, "verify"),
        ({"health_path": "health"}, "health_path"),
        ({"deadline_header": "a b"}, "deadline_header"),
    ],
)
def test_options_that_cannot_work_are_refused(arguments: dict[str, Any], name: str) -> None:
    """Where they are written, not at the first call."""
    with pytest.raises(RuleError, match=name):
        ClientOptions(**arguments)


def test_other_mistakes_are_refused_by_name() -> None:
    """A file that is not there, a library that is none, options of another kind."""
    wrong: Any = "requests"
    with pytest.raises(RuleError, match="ca_file"):
        Upstream("tws", http=ClientOptions(ca_file="/nowhere/ca.pem")).client()
    with pytest.raises(RuleError, match="library"):
        Upstream("tws").client(library=wrong)
    with pytest.raises(RuleError, match="http"):
        Upstream("tws", http=wrong)


@over_both
async def test_a_transport_is_of_a_library_already(lib: ModuleType) -> None:
    """Two answers to one question are one too many."""
    library: Any = lib.__name__
    with pytest.raises(RuleError, match="library"):
        Upstream("tws").client(lib.MockTransport(Script(lib, 200)), library=library)


@pytest.mark.parametrize(
    ("upstream", "url"),
    [
        (Upstream.tws("tws.example"), "https://tws.example:31116/twsd"),
        (Upstream.tws("::1", scheme="http", port=80, root="/twsd/v1"), "http://[::1]:80/twsd/v1"),
        (Upstream.tws(name="tws-north"), None),
        (Upstream("tws", url="https://tws.example"), "https://tws.example"),
    ],
)
def test_the_preset_knows_where_the_context_root_is(upstream: Upstream, url: str | None) -> None:
    """Host and port are enough."""

    assert url == upstream.base_url


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("https://tws.example:31116", "https://tws.example:31116/twsd"),
        ("https://proxy.example/", "https://proxy.example/"),
        ("https://proxy.example/north/twsd/", "https://proxy.example/north/twsd/"),
    ],
)
def test_a_url_of_the_environment_with_a_path_is_taken_by_its_word(url: str, base_url: str) -> None:
    """Only where there is no path is the context root put there."""

    assert base_url == tws({"RESYNC_UPSTREAM_TWS_URL": url}).base_url
    assert base_url == tws({"RESYNC_UPSTREAM_TWS_URL": url}, Upstream("tws", fallback={"status": "unknown"})).base_url


def test_a_url_of_the_code_is_taken_by_its_word() -> None:
    """It is only an address of the environment that is known to be of a host."""

    assert "https://tws.example" == tws({}, Upstream("tws", url="https://tws.example")).base_url


def test_the_preset_reads_patiently_and_knows_its_health() -> None:
    """Also where the code says something else of its clients."""
    assert (30.0, "/engine/info") == (Upstream.tws().http.read_timeout, Upstream.tws().http.health_path)
    assert "/engine/info" == Upstream.tws(http=ClientOptions(max_connections=3)).http.health_path
    assert "/ok" == Upstream.tws(http=ClientOptions(health_path="/ok")).http.health_path
