"""`check` against real servers: each thing that may be wrong, by name, with what to do, and without a secret."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from tests.servers.cluster import Cluster
from tests.servers.proxy import Proxy, redis_proxy
from tests.servers.sentinel import Watched
from tests.servers.server import Server, free_port, redis_server

from asgi_resync.cli import check
from asgi_resync.testing import FakeTWS

SECRET = "hunter2-hunter2"
NOBODY = f"{'a' * 64}.example"
"""A name that nobody can have (RFC 1035 §2.3.4), so that no network is asked for it."""


def checked(capsys: pytest.CaptureFixture[str], *arguments: str, **environ: str) -> tuple[int, list[str]]:
    """Return the exit status of `check`, and what it says of all but the settings."""
    capsys.readouterr()
    ended = check.main(["--json", *arguments], environ)
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    findings = json.loads(printed.out)["findings"]
    return ended, [
        f"{one['level']} {one['subject']}: {one['says']}: {one['remedy']}"
        for one in findings
        if one["subject"] != "settings" and not one["says"].startswith("there is none")
    ]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """Run a server with a password, and a bound of its memory."""
    with redis_server("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lfu", password=SECRET) as server:
        yield server


def test_a_redis_that_is_well(guarded: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """By TCP and by its socket; nothing is left in it."""
    for url in (guarded.url, guarded.unix_url):
        ended, found = checked(capsys, RESYNC_REDIS_URL=url, RESYNC_REDIS_TIMEOUT="5s")

        assert 0 == ended
        assert 1 == len(found)
        assert found[0].startswith(("well redis: Redis ", "well redis: Valkey "))
    assert 0 == guarded.execute("DBSIZE")


def test_a_redis_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody listens, no such socket, no such host, and a URL with an option that there is none of."""
    nowhere = {
        f"redis://:{SECRET}@127.0.0.1:{free_port()}": "refuses the connection: is it running",
        "unix:///nowhere/redis.sock": "has a socket that is not there: is it running",
        f"redis://:{SECRET}@{NOBODY}": "has a host that is not known: mend the name",
        f"redis+sentinel://127.0.0.1:{free_port()}/main": "refuses the connection",
        f"redis+sentinel://{NOBODY},127.0.0.1:{free_port()}/a": f"has a host that is not known ({NOBODY}:",
    }
    for url, says in nowhere.items():
        ended, found = checked(capsys, RESYNC_REDIS_URL=url)

        assert 1 == ended
        assert says in found[0]


@pytest.mark.parametrize("user", ["", f":{SECRET}-wrong@", f"nobody:{SECRET}@"])
def test_a_redis_that_does_not_let_us_in(user: str, guarded: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong is the user or the password."""
    ended, found = checked(capsys, RESYNC_REDIS_URL=f"redis://{user}127.0.0.1:{guarded.port}")

    assert (1, 1) == (ended, len(found))
    assert "does not take this user and password, or asks for one: mend what stands before the @" in found[0]


@pytest.mark.parametrize(
    ("rights", "says"),
    [
        (["~other:*", "&*", "+@all"], "does not let this user SET: give it ~resync:*"),
        (["~*", "&*", "+@all", "-@pubsub"], "does not let this user SUBSCRIBE"),
        (["~*", "&*", "+@all", "-@scripting"], "does not let this user EVAL"),
        (["~*", "&*", "+@all", "-info"], "does not tell this user of its version and memory: give it +info"),
    ],
)
def test_a_user_that_may_not_do_what_the_cache_does(
    rights: list[str], says: str, guarded: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """The step is named, and what to grant."""
    guarded.execute("ACL", "SETUSER", "app", "reset", "on", f">{SECRET}", *rights)
    ended, found = checked(capsys, RESYNC_REDIS_URL=f"redis://app:{SECRET}@127.0.0.1:{guarded.port}")

    assert any(says in one for one in found), found
    assert (0 if "+info" in says else 1) == ended


def test_a_redis_that_is_full(own_server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """It says so before, and when it is."""
    own_server.config("maxmemory", "1")
    ended, found = checked(capsys, RESYNC_REDIS_URL=own_server.url)

    assert 1 == ended
    assert "takes nothing more once it holds 1 B (noeviction)" in found[0]
    assert "is full, and takes nothing: raise its maxmemory" in found[1]


def test_a_redis_that_is_too_far_away(server: Server, proxy: Proxy, capsys: pytest.CaptureFixture[str]) -> None:
    """Against the deadline that is set; at half of it, there is a word."""
    proxy.faults.delay = 0.03
    _, far = checked(capsys, RESYNC_REDIS_URL=proxy.url, RESYNC_REDIS_TIMEOUT="20ms")
    _, middling = checked(capsys, RESYNC_REDIS_URL=proxy.url, RESYNC_REDIS_TIMEOUT="55ms")

    assert "wrong" == far[-1].split()[0]
    assert "each operation would be a miss" in far[-1]
    assert middling[-1].startswith(("notice", "wrong"))  # which of both is for the machine to say


def test_a_redis_that_is_silent(own_server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not waited for longer than was said."""
    own_server.freeze()
    try:
        ended, found = checked(capsys, "--timeout", "0.2", RESYNC_REDIS_URL=own_server.url)
    finally:
        own_server.thaw()

    assert 1 == ended
    assert "does not answer within 0.2 s" in found[0]


def test_a_replica_and_a_sentinel_are_not_what_is_written_to(
    watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    """And by the sentinel, the primary is."""
    _, replica = checked(capsys, RESYNC_REDIS_URL=watched.replica.url)
    _, sentinel = checked(capsys, RESYNC_REDIS_URL=watched.sentinel.url)
    ended, primary = checked(capsys, RESYNC_REDIS_URL=watched.url, RESYNC_REDIS_TIMEOUT="5s")
    _, nobody = checked(capsys, RESYNC_REDIS_URL=f"redis+sentinel://127.0.0.1:{watched.sentinel.port}/nobody")

    assert "is a replica, to which nothing is written: name its primary" in replica[-1]
    assert "is a sentinel: the URL of what it watches is redis+sentinel://" in sentinel[-1]
    assert (0, "well") == (ended, primary[-1].split()[0])
    assert "has no sentinel that knows the primary of nobody" in nobody[-1]


def test_a_cluster_is_one(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """By any of its nodes."""
    for url in (cluster.url, cluster.url.replace("redis://", "redis+cluster://")):
        ended, found = checked(capsys, RESYNC_REDIS_URL=url, RESYNC_REDIS_TIMEOUT="5s")

        assert 0 == ended
        assert ", a cluster of 3 primaries: reads, writes and deletes in " in found[-1]


def test_tls_to_redis(
    tls_proxy: Proxy, server: Server, authority: tuple[trustme.CA, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A certificate that is trusted, one that is not, and TLS where there is none."""
    trusted = f"{tls_proxy.url}?ssl_ca_certs={authority[1]}"
    ended, found = checked(capsys, RESYNC_REDIS_URL=trusted, RESYNC_REDIS_TIMEOUT="5s")
    assert (0, "well") == (ended, found[-1].split()[0])
    _, found = checked(capsys, RESYNC_REDIS_URL=tls_proxy.url)
    assert "has a certificate that is not trusted (" in found[-1]
    _, found = checked(capsys, "--timeout", "0.5", RESYNC_REDIS_URL=server.url.replace("redis://", "rediss://"))
    assert "does not answer within 0.5 s" in found[-1] or "TLS" in found[-1]
    _, found = checked(capsys, "--timeout", "0.5", RESYNC_REDIS_URL=tls_proxy.url.replace("rediss://", "redis://"))
    assert found[-1].startswith("wrong")


@asynccontextmanager
async def fake_tws() -> AsyncIterator[tuple[FakeTWS, dict[str, str]]]:
    """Run a scheduler, and name it."""
    fake = FakeTWS(password=SECRET)
    async with fake.serve() as server:
        yield fake, {"TWS_HOST": server.url, "TWS_USER": fake.auth[0], "TWS_PASSWORD": SECRET}


async def test_an_upstream_that_is_asked_for_its_health(capsys: pytest.CaptureFixture[str]) -> None:
    """Well, not well, refusing us, silent, and without a word of what it says."""
    async with fake_tws() as (fake, environ):

        async def said(*arguments: str, **more: str) -> tuple[int, str]:
            ended, found = await asyncio.to_thread(checked, capsys, *arguments, **environ, **more)
            assert 1 == len(found)
            return ended, found[0]

        ended, well = await said()
        assert 0 == ended
        assert well.startswith("well upstream tws: is well: /engine/info answers in ")
        assert 1 == fake.calls["GET /engine/info"]
        fake.fail(status=503)
        assert (
            1,
            "wrong upstream tws: answers 503 to /engine/info: it is up and not well: look at its log",
        ) == await said()
        fake.heal()
        fake.fail(hang=True)
        ended, silent = await said("--timeout", "1")
        assert "takes connections, but does not answer within 1 s" in silent
        fake.heal()
        fake.fail(garbage=True)
        assert "takes connections, but gives no answer that is understood (" in (await said())[1]
        fake.heal()
        assert "answers 404 to /nowhere" in (await said(RESYNC_UPSTREAM_TWS_HEALTH_PATH="/nowhere"))[1]
        environ["TWS_PASSWORD"] = f"{SECRET}-wrong"
        refused = (await said())[1]

    assert "answers 401 to /engine/info: mend RESYNC_UPSTREAM_TWS_USER and RESYNC_UPSTREAM_TWS_PASSWORD" in refused


async def test_upstreams_that_are_only_connected_to(capsys: pytest.CaptureFixture[str]) -> None:
    """All side by side, each under its name; nothing is sent to one without a health path."""
    async with fake_tws() as (fake, environ):
        ended, found = await asyncio.to_thread(
            checked,
            capsys,
            "--timeout",
            "1",
            RESYNC_UPSTREAM_CRM_URL=environ["TWS_HOST"],
            RESYNC_UPSTREAM_GONE_URL=f"http://127.0.0.1:{free_port()}",
            RESYNC_UPSTREAM_TYPO_URL=f"https://{NOBODY}/",
            RESYNC_UPSTREAM_PLAIN_URL=environ["TWS_HOST"].replace("http:", "https:"),
        )

        assert 0 == fake.calls.total()
    assert 1 == ended
    crm, gone, plain, typo = sorted(found, key=lambda one: one.split()[2])
    assert crm.startswith("well upstream crm: takes connections in ")
    assert "RESYNC_UPSTREAM_CRM_HEALTH_PATH would have its health asked" in crm
    assert gone.startswith("wrong upstream gone: refuses the connection")
    assert plain.startswith("wrong upstream plain: does not answer within 1 s")
    assert typo.startswith("wrong upstream typo: has a host that is not known")


def test_certificates_of_an_upstream(
    authority: tuple[trustme.CA, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trusted by its file, not trusted without, not checked, soon to end, and a file that is none."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority[0].issue_cert("localhost", "127.0.0.1").configure_cert(context)
    (tmp_path / "none.pem").write_text("none")
    ending = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    in_a_week = datetime.now(UTC) + timedelta(days=7.5)
    authority[0].issue_cert("127.0.0.1", not_after=in_a_week).configure_cert(ending)
    with (
        redis_server() as server,
        redis_proxy(server.port, context) as proxy,
        redis_proxy(server.port, ending) as old,
    ):
        url = f"https://127.0.0.1:{proxy.port}"
        _, trusted = checked(capsys, RESYNC_UPSTREAM_A_URL=url, RESYNC_UPSTREAM_A_CA_FILE=str(authority[1]))
        _, unknown = checked(capsys, RESYNC_UPSTREAM_A_URL=url)
        _, unchecked = checked(capsys, RESYNC_UPSTREAM_A_URL=url, RESYNC_UPSTREAM_A_VERIFY="false")
        _, no_file = checked(capsys, RESYNC_UPSTREAM_A_URL=url, RESYNC_UPSTREAM_A_CA_FILE=str(tmp_path / "none.pem"))

        _, soon = checked(
            capsys, RESYNC_UPSTREAM_A_URL=f"https://127.0.0.1:{old.port}", RESYNC_UPSTREAM_A_CA_FILE=str(authority[1])
        )

    assert "notice upstream a: has a certificate that ends in 7 days: have it renewed" == soon[0]
    assert "takes connections by TLSv1.3" in trusted[-1]
    assert "has a certificate that is not trusted (" in unknown[0]
    assert "with RESYNC_UPSTREAM_A_CA_FILE" in unknown[0]
    assert ["notice", "well"] == [one.split()[0] for one in unchecked]
    assert "mend RESYNC_UPSTREAM_A_CA_FILE" in no_file[0]


async def test_the_upstreams_of_an_app_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that only its code knows."""
    async with fake_tws() as (_, environ):
        (tmp_path / "coded_app.py").write_text(
            "from asgi_resync import Resync, Upstream\n"
            f"resync = Resync(upstreams=[Upstream('crm', url={environ['TWS_HOST']!r}), Upstream('ftp', url='ftp://x')])\n"
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [*sys.path])
        ended, found = await asyncio.to_thread(checked, capsys, "coded_app:resync")
        sys.modules.pop("coded_app", None)

    assert 1 == ended
    assert found[0].startswith("well upstream crm: takes connections")
    assert found[1].startswith("wrong upstream ftp: has a URL that is none of http or https")


def test_a_name_that_is_looked_up_for_ever_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does the program wait for it when it ends."""
    import threading

    released = threading.Event()

    def never(*_: object, **__: object) -> list[object]:
        released.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "x")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    try:
        _, found = checked(capsys, "--timeout", "0.1", RESYNC_UPSTREAM_CRM_URL="http://crm.example")
    finally:
        released.set()

    assert "does not answer within 0.1 s" in found[0]


@pytest.mark.parametrize("missing", [["httpx2"], ["httpx2", "httpx"]])
async def test_without_an_http_client_an_upstream_is_connected_to(
    missing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what is missing is told; with the other library, that one asks."""
    found_spec = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> object:
        return None if name in missing else found_spec(name, package)

    monkeypatch.setattr("asgi_resync.upstream.find_spec", find_spec)
    monkeypatch.setattr("asgi_resync.cli.check_upstream.find_spec", find_spec)
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("httpx", "httpx2"):
        monkeypatch.delitem(sys.modules, f"asgi_resync.client.{name}", raising=False)
    async with fake_tws() as (_, environ):
        ended, found = await asyncio.to_thread(checked, capsys, **environ)
        _, plain = await asyncio.to_thread(checked, capsys, "--timeout", "0.2", TWS_HOST="https://127.0.0.1:1")

    assert 0 == ended
    if "httpx" in missing:
        assert found[0].startswith(
            "notice upstream tws: takes connections, and could not be asked for more: A client needs"
        )
    else:
        assert found[0].startswith("well upstream tws: is well")
    assert "refuses the connection" in plain[0]
