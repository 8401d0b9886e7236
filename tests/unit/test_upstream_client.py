"""The clients of an upstream: of either library, with its guards around them."""

from __future__ import annotations

from types import ModuleType

import pytest
from tests.unit.libraries import Script, over_both

from asgi_resync import BreakerOpen, Resync, RetryBudget, RetryPolicy, RuleError, Upstream
from asgi_resync.breaker.limits import BreakerLimits
from asgi_resync.events import BreakerChanged, Event, RetryBudgetSpent, RetryScheduled

pytestmark = over_both


async def test_it_has_the_url_the_retries_and_the_breaker_of_its_upstream(lib: ModuleType) -> None:
    """And tells the listener of the Resync that the upstream is of."""
    events: list[Event] = []
    given = Upstream(
        "tws",
        url="http://up/twsd/",
        limits=BreakerLimits(fail_max=2),
        retries=RetryPolicy(attempts=3, backoff=0),
    )
    upstream = Resync(upstreams=[given], on_event=events.append).upstreams["tws"]
    script = Script(lib, 503, 200, 503)
    async with upstream.client(lib.MockTransport(script)) as client:
        assert isinstance(client, lib.AsyncClient)
        response = await client.get("plan/current")
        assert (200, "http://up/twsd/plan/current") == (response.status_code, str(response.request.url))
        assert 503 == (await client.get("plan/current")).status_code  # fails twice, which opens it
        with pytest.raises(BreakerOpen):
            await client.get("plan/current")

    assert upstream.breaker.report().state == "open"
    assert {"tws"} == {event.upstream for event in events if isinstance(event, (RetryScheduled, BreakerChanged))}


async def test_its_clients_share_one_budget(lib: ModuleType) -> None:
    """What one of them spends the other has not."""
    events: list[Event] = []
    given = Upstream("tws", retries=RetryPolicy(attempts=2, backoff=0), budget=RetryBudget(share=0, floor=1))
    upstream = Resync(upstreams=[given], on_event=events.append).upstreams["tws"]
    for _ in range(2):
        async with upstream.client(lib.MockTransport(Script(lib, 503))) as client:
            await client.get("http://up/")

    assert [RetryScheduled, RetryBudgetSpent] == [
        type(event) for event in events if isinstance(event, (RetryScheduled, RetryBudgetSpent))
    ]


async def test_options_that_nobody_would_use_are_refused(lib: ModuleType) -> None:
    """A client drops `verify` without a word where it has a transport already."""
    with pytest.raises(RuleError, match="verify"):
        Upstream("tws").client(lib.AsyncHTTPTransport(), verify=False)


async def test_without_a_transport_it_is_of_httpx2(lib: ModuleType) -> None:
    """And options of the transport reach the one that is made."""
    async with Upstream("tws").client(verify=False, http2=False, timeout=3) as client:
        assert type(client).__module__.partition(".")[0] == "httpx2"
        assert client.timeout.read == 3
