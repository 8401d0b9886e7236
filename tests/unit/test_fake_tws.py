"""A scheduler that breaks on command, on a real socket, seen through the clients of both libraries."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
from tests.unit.libraries import Sleeps, over_both, until

from asgi_resync import Breaker, BreakerLimits, BreakerOpen, RetryPolicy, deadline, retrying_transport
from asgi_resync.client.tws import TWS
from asgi_resync.errors import BadAnswer, RuleError
from asgi_resync.testing import FakeTWS, ManualClock, Server

pytestmark = over_both

NOW = 1_700_000_000.0
QUERY = "POST /plan/current/job/query"


class World:
    """A FakeTWS on a socket, and a client of it that retries without waiting."""

    def __init__(self, lib: ModuleType, fake: FakeTWS, server: Server, client: Any) -> None:
        self.lib, self.fake, self.server, self.client = lib, fake, server, client
        self.tws = TWS(client)


@asynccontextmanager
async def world(lib: ModuleType, **options: Any) -> AsyncIterator[World]:
    clock = ManualClock(NOW)
    fake = FakeTWS(clock=clock)
    async with fake.serve() as server:
        transport: Any = retrying_transport(lib.AsyncHTTPTransport(), sleep=Sleeps(), **options)
        base = f"{server.url}/twsd/"
        async with lib.AsyncClient(transport=transport, base_url=base, auth=fake.auth, timeout=5) as client:
            yield World(lib, fake, server, client)


async def test_the_documented_calls(lib: ModuleType) -> None:
    """Typed, filtered, cut to How-Many, and with ids that must be escaped."""
    async with world(lib) as at:
        jobs = await at.tws.jobs()
        assert [job.status.internal_status for job in jobs] == ["SUCC", "ABEND", "EXEC", "WAIT", "READY"]
        assert {job.workstation for job in jobs} == {"FTA1", "FTA2", "MASTER1"}
        assert [job.name for job in await at.tws.jobs("*", stream="NIGHTLY", how_many=2)] == ["EXTRACT", "TRANSFORM"]
        assert [] == await at.tws.jobs("NOSUCH*")
        assert ["TRANSFORM", "LOAD"] == [job.name for job in await at.tws.critical_jobs()]
        assert ["NIGHTLY", "MORNING"] == [stream.name for stream in await at.tws.job_streams()]
        assert ["FTA1", "FTA2"] == [station.name for station in await at.tws.workstations("FTA*")]
        assert (await at.tws.engine_info()).version == "10.2.3"
        assert await at.tws.job_log(jobs[0].id) == "extracted 1200 rows\n"
        (stream,) = await at.tws.defined_streams("NIGHTLY")
        assert ("FTA1;NIGHTLY", "NIGHTLY") == (stream.id, stream.name)
        assert [{"startTime": f"2023-11-{day}T22:05:00.000Z"} for day in (13, 14)] == await at.tws.run_cycles(
            stream.id, "2023-11-13T00:00:00Z", "2023-11-15T00:00:00"
        )

        assert at.fake.calls[QUERY] == 3


async def test_jobs_step_through_their_states(lib: ModuleType) -> None:
    """By the fake's clock, and by actions."""
    async with world(lib) as at:
        clock = at.fake.clock
        assert isinstance(clock, ManualClock)

        async def state(name: str) -> str:
            return (await at.tws.jobs(name))[0].status.internal_status

        report = (await at.tws.jobs("REPORT"))[0].id
        seen = [await state("REPORT")]
        for seconds in (60, 30, 30):
            clock.advance(seconds)
            seen.append(await state("REPORT"))
        assert ["WAIT", "READY", "EXEC", "SUCC"] == seen

        await at.tws.act(report, "rerun")
        assert await state("REPORT") == "EXEC"
        await at.tws.act(report, "cancel")
        assert await state("REPORT") == "CANCP"
        with pytest.raises(at.lib.HTTPStatusError):
            await at.tws.act(report, "hold")
        with pytest.raises(RuleError):
            await at.tws.act(report, "explode")  # type: ignore[arg-type] # that is the point

        mail = (await at.tws.jobs("MAIL"))[0].id
        await at.tws.act(mail, "hold")
        assert await state("MAIL") == "HOLD"
        await at.tws.act(mail, "release")
        assert await state("MAIL") == "READY"


async def test_a_job_is_found_by_its_input_arrival_time(lib: ModuleType) -> None:
    """As its stream's start is told; any zone will do, and what is no time is refused."""
    async with world(lib) as at:
        (report,) = await at.tws.jobs("REPORT")
        starts = report.job_stream_in_plan.start_time
        assert starts is not None

        assert [report.id] == [job.id for job in await at.tws.jobs(input_arrival_time=starts)]
        assert await at.tws.jobs("REPORT", input_arrival_time="2001-01-01T00:00:00Z") == []
        with pytest.raises(at.lib.HTTPStatusError, match="400"):
            await at.tws.jobs(input_arrival_time="soon")


async def test_filters_are_sent_as_they_are_documented(lib: ModuleType) -> None:
    """Those that are given and no others, in a POST with How-Many; what a later engine adds is ignored."""
    asked: list[Any] = []

    def answer(request: Any) -> Any:
        asked.append((request.method, request.url.path, request.headers["how-many"], json.loads(request.content)))
        return lib.Response(200, json=[{"id": "1", "status": {"internalStatus": "EXEC", "new": 1}, "added": [{}]}])

    async with lib.AsyncClient(transport=lib.MockTransport(answer), base_url="http://up/twsd") as client:
        (job,) = await TWS(client).jobs(
            "A*", input_arrival_time="2023-11-14T22:00:00Z", last_in_rerun_chain=True, columns=["id"], how_many=7
        )

    wanted = {"jobName": "A*", "inputArrivalTime": "2023-11-14T22:00:00Z", "lastInRerunChain": True}
    body = {"filters": {"jobInPlanFilter": wanted}, "columns": ["id"]}
    assert [("POST", "/twsd/plan/current/job/query", "7", body)] == asked
    assert ("1", "EXEC") == (job.id, job.status.internal_status)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "", 200),
        ("GET", "plan/current", 200),
        ("GET", "plan/current/criticalpath", 200),
        ("GET", "model/workstation", 200),
        ("GET", "model/jobstream?key=NIGHTLY", 200),
        ("GET", "model/jobstream/NIGHTLY/rc-evaluation?from=2023-11-13&to=2023-11-15", 200),
        ("GET", "model/jobstream/NOSUCH/rc-evaluation?from=2023-11-13&to=2023-11-15", 404),
        ("GET", "model/jobstream/NIGHTLY/rc-evaluation?from=tomorrow", 400),
        ("GET", "model/jobdefinition", 200),
        ("GET", "model/jobdefinition/LOAD", 200),
        ("GET", "model/jobdefinition/LOAD/log", 200),
        ("GET", "model/jobdefinition/EXTRACT/history", 200),
        ("GET", "model/jobdefinition/LOAD/history", 200),
        ("GET", "model/jobdefinition/LOAD/dependencies", 200),
        ("GET", "events?since=24h", 200),
        ("GET", "metrics", 200),
        ("GET", "model/jobdefinition/NOSUCH", 404),
        ("GET", "model/resource", 200),
        ("GET", "api/v2/engine/info", 200),
        ("GET", "api/v2/plan/job?limit=2", 200),
        ("GET", "api/v2/plan/job/count", 200),
        ("GET", "api/v2/plan/job/LOAD", 200),
        ("GET", "v1/model/workstation", 200),
        ("GET", "plan/current/job/REPORT/joblog", 404),
        ("POST", "plan/current", 405),
        ("GET", "nowhere", 404),
    ],
)
async def test_the_rest_of_its_surface(lib: ModuleType, method: str, path: str, status: int) -> None:
    """Each answers in JSON; failures carry messages."""
    async with world(lib) as at:
        response = await at.client.request(method, path)

        assert status == response.status_code
        if method != "HEAD":
            document = response.json()
            assert (status != 200) == ("messages" in document)


async def test_it_asks_for_credentials(lib: ModuleType) -> None:
    """And says of which kind."""
    async with world(lib) as at:
        response = await at.client.get("engine/info", auth=("twsuser", "wrong"))

        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Basic realm="TWS"'


async def test_a_token_is_as_good(lib: ModuleType) -> None:
    """Without a socket too: it is an ASGI app."""
    fake = FakeTWS(token="jwt")
    async with lib.AsyncClient(transport=lib.ASGITransport(fake), base_url="http://tws/twsd/") as client:
        response = await client.get("engine/info", headers={"Authorization": "Bearer jwt"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 429, "retry_after": 1},
        {"status": 502},
        {"drop": True},
        {"garbage": True},
    ],
    ids=str,
)
async def test_what_passes_is_retried_until_it_is_well(lib: ModuleType, fault: dict[str, Any]) -> None:
    """Over a real socket: refusals, dropped connections and what is no HTTP."""
    async with world(lib) as at:
        at.fake.fail(times=2, path="/plan/*", **fault)

        assert len(await at.tws.jobs()) == 5
        assert at.fake.calls[QUERY] == 3


@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}], ids=str)
async def test_an_action_is_never_sent_twice(lib: ModuleType, fault: dict[str, Any]) -> None:
    """PUT is idempotent by its definition; a rerun is not."""
    async with world(lib) as at:
        at.fake.fail(**fault)
        with pytest.raises((at.lib.HTTPStatusError, at.lib.TransportError)):
            await at.tws.act("EXTRACT", "rerun")

        assert sum(at.fake.calls.values()) == 1


@pytest.mark.parametrize("fault", [{"malformed": True}, {"empty": True}], ids=str)
async def test_an_answer_that_cannot_be_read_says_so(lib: ModuleType, fault: dict[str, Any]) -> None:
    """It is never taken for an empty list."""
    async with world(lib) as at:
        at.fake.fail(**fault)
        with pytest.raises(BadAnswer, match="plan/current/job/query"):
            await at.tws.jobs()


async def test_a_truncated_body_is_an_error(lib: ModuleType) -> None:
    """And counts against the upstream, though its header was well."""
    breaker = Breaker("tws", BreakerLimits(fail_max=1))
    async with world(lib, breaker=breaker) as at:
        at.fake.fail(truncate=True)
        with pytest.raises(at.lib.RemoteProtocolError):
            await at.tws.jobs()

    assert breaker.report().state == "open"


async def test_a_slow_body_is_whole_in_the_end(lib: ModuleType) -> None:
    """Unless a deadline ends it."""
    async with world(lib) as at:
        at.fake.fail(pause=0.0)
        assert len(await at.tws.jobs()) == 5

        at.fake.heal()
        at.fake.fail(pause=0.01)
        with deadline(0.05), pytest.raises(at.lib.TimeoutException):
            await at.tws.jobs()


async def test_one_that_hangs_is_left_at_the_deadline(lib: ModuleType) -> None:
    """Within all there is, retries included."""
    async with world(lib, policy=RetryPolicy(attempts=5)) as at:
        at.fake.fail(hang=True)
        began = time.monotonic()
        with deadline(0.1), pytest.raises(at.lib.TimeoutException):
            await at.tws.jobs()

        assert time.monotonic() - began < 3
        assert at.fake.calls[QUERY] == 1


async def test_a_refused_connection_is_retried_for_any_method(lib: ModuleType) -> None:
    """Since it has seen nothing, but for what opted out; and the port is the same when it is back."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await at.server.accept()

    clock = ManualClock(NOW)
    fake = FakeTWS(clock=clock)
    async with fake.serve() as server:
        transport: Any = retrying_transport(lib.AsyncHTTPTransport(), sleep=sleep)
        async with lib.AsyncClient(transport=transport, base_url=f"{server.url}/twsd/", auth=fake.auth) as client:
            at = World(lib, fake, server, client)
            await at.tws.jobs()
            await server.refuse()
            response = await client.post("model/workstation/query", json={})

    assert response.status_code == 200
    assert len(waits) == 1


async def test_latency_is_only_slow(lib: ModuleType) -> None:
    """It answers well in the end."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    fake = FakeTWS(sleep=sleep)
    fake.fail(latency=7.5)
    async with lib.AsyncClient(transport=lib.ASGITransport(fake), base_url="http://tws/twsd/") as client:
        assert (await client.get("engine/info", auth=fake.auth)).status_code == 200

    assert [7.5] == waited


async def test_under_an_outage_retries_stay_within_the_budget_and_the_breaker_ends_them(lib: ModuleType) -> None:
    """Sixty seconds at a steady load: calls that reach the upstream are at most one in a hundred requests."""
    clock = ManualClock(0)
    breaker = Breaker("tws", BreakerLimits(fail_max=5, reset_timeout=10), clock=clock)
    async with world(lib, breaker=breaker, clock=clock) as at:
        at.fake.fail(status=503)
        refused = 0
        for _ in range(60 * 20):
            clock.advance(1 / 20)
            try:
                await at.client.get("engine/info")
            except BreakerOpen:
                refused += 1

        assert sum(at.fake.calls.values()) <= 60 * 20 * 0.01
        assert refused > 1100


async def test_clients_that_hang_up_leave_the_server_well(lib: ModuleType) -> None:
    """A cancelled call closes its connection, and the next one is answered."""
    async with world(lib) as at:
        at.fake.fail(hang=True, times=1)
        task = asyncio.ensure_future(at.tws.jobs())
        await until(lambda: at.fake.calls.total() > 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert len(await at.tws.jobs()) == 5


async def test_what_makes_no_sense_is_a_bad_request(lib: ModuleType) -> None:
    """And none of what would break the fake itself."""
    async with world(lib) as at:
        for body in (b'{"filters": null}', b'{"filters": []}', b"[" * 100_000):
            answer = await at.client.post("plan/current/job/query", content=body)
            assert 400 == answer.status_code
        many = await at.client.post("plan/current/job/query", headers={"How-Many": "²".encode()}, json={})
        assert 400 == many.status_code
        assert 200 == (await at.client.get("plan/job", params={"limit": "²"})).status_code


async def test_a_fault_for_no_request_happens_to_none(lib: ModuleType) -> None:
    """Zero times is never."""
    async with world(lib) as at:
        at.fake.fail(status=500, times=0)
        assert 200 == (await at.client.get("plan/job")).status_code


@pytest.mark.parametrize("text", ["", ".", ".."])
async def test_an_id_that_would_lead_elsewhere_is_refused(lib: ModuleType, text: str) -> None:
    """RFC 3986 §5.2.4: dots would take away what stands before them."""
    async with world(lib) as at:
        with pytest.raises(RuleError, match="id="):
            await at.tws.act(text, "cancel")
        with pytest.raises(RuleError, match="id="):
            await at.tws.job_log(text)
