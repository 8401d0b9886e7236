"""Upstreams: found by name however it is spelled, limited by whoever has the last word, and under purgatory's API."""

from __future__ import annotations

from typing import Any

import pytest
from purgatory import AsyncCircuitBreakerFactory

from asgi_resync import (
    BreakerLimits,
    CacheRule,
    Resource,
    Resync,
    RuleError,
    Settings,
    SettingsError,
    Upstream,
    Upstreams,
)
from asgi_resync.breaker.state import State
from asgi_resync.events import BreakerChanged, Event
from asgi_resync.settings import UpstreamSettings
from asgi_resync.settings.upstreams import breaker_limits
from asgi_resync.testing import FakeTWS, ManualClock


def test_they_are_a_mapping_by_name() -> None:
    """The environment's spelling is found by the code's, and a slip is told the nearest name."""
    upstreams = Upstreams([Upstream("tws"), Upstream("partner_api")])

    assert ["tws", "partner_api"] == list(upstreams)
    assert upstreams["partner-api"] is upstreams["partner_api"]
    assert "twx" not in upstreams
    assert "tws" in repr(upstreams)
    with pytest.raises(KeyError, match="did you mean 'tws'"):
        upstreams["twx"]
    with pytest.raises(KeyError, match="add Upstream"):
        upstreams["quite_else"]


def test_they_are_equal_by_name() -> None:
    """Whatever stands in for them, and so they can be in sets."""
    one, other = Upstream("tws", fallback={"a": 1}), Upstream("tws")

    assert {one} == {other}
    assert one.breaker is not other.breaker


def test_redis_tws_and_those_of_the_settings_are_always_there() -> None:
    """Each with a breaker of its own, of this Resync's alone."""
    settings = Settings.from_env({"RESYNC_UPSTREAM_PARTNER_API_URL": "https://partner.example"})
    given = Upstream("partner-api")
    resync = Resync(settings, upstreams=[given])

    assert {"redis", "tws", "partner-api"} == set(resync.upstreams)
    assert "https://partner.example" == resync.upstreams["partner-api"].url
    assert given.breaker is not resync.upstreams["partner-api"].breaker
    limits = resync.upstreams["redis"].breaker.limits
    assert (3, 30) == (limits.fail_max, limits.reset_timeout)


def test_an_operator_has_the_last_word_on_limits() -> None:
    """Then the code, then the defaults; field by field."""
    settings = Settings.from_env(
        {
            "RESYNC_UPSTREAM_TWS_FAIL_MAX": "5",
            "RESYNC_UPSTREAM_TWS_FAILURE_RATE": "0",
            "RESYNC_UPSTREAM_TWS_RESET_TIMEOUT": "900s",
        }
    )
    code = BreakerLimits(fail_max=9, probes=4, max_open_time=600)
    limits = Resync(settings, upstreams=[Upstream("tws", limits=code)]).upstreams["tws"].breaker.limits

    assert (5, None, 900, 900, 4) == (
        limits.fail_max, limits.failure_rate, limits.reset_timeout, limits.max_open_time, limits.probes,
    )  # fmt: skip


def test_every_limit_but_the_jitter_can_be_set() -> None:
    """And what is not set is what `BreakerLimits` says."""
    texts = {
        "FAIL_MAX": "7", "RESET_TIMEOUT": "1s", "MAX_OPEN_TIME": "1h", "FAILURE_RATE": "0.25", "MINIMUM_CALLS": "3",
        "WINDOW": "1m", "SLOW_CALL": "2s", "SLOW_CALL_RATE": "0.75", "PROBES": "2", "SUCCESSES": "4",
        "PROBE_TIMEOUT": "5s",
    }  # fmt: skip
    settings = Settings.from_env({f"RESYNC_UPSTREAM_TWS_{name}": text for name, text in texts.items()})

    assert BreakerLimits(
        fail_max=7, reset_timeout=1, max_open_time=3600, failure_rate=0.25, minimum_calls=3, window=60, slow_call=2,
        slow_call_rate=0.75, probes=2, successes=4, probe_timeout=5,
    ) == breaker_limits(settings.upstream("tws"), None)  # fmt: skip
    assert BreakerLimits() == breaker_limits(UpstreamSettings(), None)


def test_times_that_do_not_go_together_are_refused() -> None:
    """By the names under which they were set."""
    environ = {"RESYNC_UPSTREAM_TWS_RESET_TIMEOUT": "5m", "RESYNC_UPSTREAM_TWS_MAX_OPEN_TIME": "1m"}
    with pytest.raises(SettingsError, match=r"RESYNC_UPSTREAM_TWS_MAX_OPEN_TIME.*at least RESYNC_UPSTREAM_TWS_RESET"):
        Settings.from_env(environ)


@pytest.mark.parametrize("name", ["", "TWS", "1a", "a b", 7])
def test_names_that_the_environment_could_not_spell_are_refused(name: Any) -> None:
    """At once."""
    with pytest.raises(RuleError, match="lower-case"):
        Upstream(name)


async def test_one_breaker_is_under_every_api() -> None:
    """Ours, purgatory's factory made by us, and the app's own handed in; each change is an event, by one clock."""
    events: list[Event] = []
    clock = ManualClock()
    tws = Upstream("tws", limits=BreakerLimits(fail_max=1, jitter=0))
    resync = Resync(upstreams=[tws], on_event=events.append, clock=clock)
    own, handed = resync.upstreams.circuits(), AsyncCircuitBreakerFactory()
    with pytest.raises(OSError, match="down"):
        async with await own.get_breaker("tws"):
            raise OSError("down")
    states = [(await factory.get_breaker("tws")).context.state for factory in (own, resync.upstreams.circuits(handed))]
    clock.advance(60)
    async with resync.upstreams["tws"].breaker:
        pass
    async with await handed.get_breaker("another"):
        pass

    assert ["opened", "opened"] == states
    assert State.CLOSED == resync.upstreams["tws"].breaker.state
    assert ["open", "half-open", "closed"] == [event.after for event in events if isinstance(event, BreakerChanged)]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, []),
        ({"TWS_HOST": "http://tws.internal"}, ["tws"]),
        ({"RESYNC_UPSTREAM_CRM_URL": "http://crm.internal"}, []),
        ({"RESYNC_UPSTREAM_CRM_HEALTH_PATH": "/health"}, []),
        ({"RESYNC_UPSTREAM_CRM_URL": "http://crm", "RESYNC_UPSTREAM_CRM_HEALTH_PATH": "/health"}, ["crm"]),
    ],
)
def test_an_upstream_that_can_be_asked_how_it_is_is_a_resource(environ: dict[str, str], expected: list[str]) -> None:
    """Not critical: the app is degraded without it. What nobody can ask is not said to be up."""
    resync = Resync.from_env(environ, upstreams=[Upstream.tws()])

    assert expected == [resource.name for resource in resync.resources.resources]
    assert not any(resource.critical for resource in resync.resources.resources)


def test_a_resource_of_the_app_that_has_the_name_of_an_upstream_wins() -> None:
    """Somebody knows better."""

    async def check() -> None:
        """Know better."""

    own = Resource("tws", check=check, critical=False)
    resync = Resync.from_env({"TWS_HOST": "http://tws.internal"}, upstreams=[Upstream.tws()], resources=iter([own]))

    assert [check] == [resource.check for resource in resync.resources.resources]


async def test_the_health_of_an_app_shows_that_of_its_upstreams() -> None:
    """Asked by their own clients, through their breakers: what an outage touches is told with it."""
    fake = FakeTWS()
    async with fake.serve() as server:
        environ = {"TWS_HOST": server.url, "TWS_USER": "twsuser", "TWS_PASSWORD": "not-a-secret"}
        rules = [CacheRule("/plan", ttl=1, upstreams=["tws"])]
        resync = Resync.from_env(environ | {"RESYNC_HEALTH_INTERVAL": "0"}, rules=rules, upstreams=[Upstream.tws()])
        async with resync.lifespan():
            well = await resync.health()
            while not fake.calls:
                well = await resync.health()
            await server.refuse()
            out = await resync.health()
            while out.status == "up":
                out = await resync.health()

    assert "up" == well.status
    assert {"GET /engine/info": fake.calls["GET /engine/info"]} == dict(fake.calls)
    assert ("degraded", "ConnectError") == (out.status, out.resources["tws"].cause)
    assert {"route": ("/plan",), "upstream": ("tws",)} == out.impact["tws"]
