"""Settings read again while the app serves: in force whole and at once, or not at all; and told by name."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from asgi_resync import (
    BreakerLimits,
    BreakerOpen,
    CacheRule,
    ClientOptions,
    Resync,
    RetryPolicy,
    Settings,
    Upstream,
    events,
)
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.breaker.state import State
from asgi_resync.settings import load
from asgi_resync.settings.environment import Resolution
from asgi_resync.settings.live import plan
from asgi_resync.settings.reload import Reloader
from asgi_resync.testing import ManualClock, ScriptedApp, request

REDIS = "redis://127.0.0.1:1/0"


class Configured:
    """A Resync made from a config file that a test writes."""

    def __init__(self, folder: Path, text: str = "", **more: Any) -> None:
        self.path = folder / "resync.toml"
        self.told: list[events.Event] = []
        environ = {"RESYNC_CONFIG_FILE": str(self.path), **more.pop("environ", {})}
        self.path.write_text(text)
        self.resync = Resync.from_env(environ, on_event=self.told.append, **more)

    async def reload(self, text: str) -> events.ConfigApplied | events.ConfigRefused:
        self.path.write_text(text)
        return await self.resync.reload()

    @property
    def outcomes(self) -> list[events.Event]:
        return [event for event in self.told if isinstance(event, (events.ConfigApplied, events.ConfigRefused))]


async def test_what_changed_is_in_force_and_told(tmp_path: Path) -> None:
    """Each setting by name, as it was and as it is."""
    subject = Configured(tmp_path, "[cache]\nstale_if_error = 5")
    applied = await subject.reload("[cache]\nstale_if_error = '1m'\netag = false")

    assert subject.resync.settings.cache.stale_if_error == 60.0
    assert (subject.resync.cache.options.stale_if_error, subject.resync.cache.options.etag) == (60.0, False)
    assert subject.outcomes == [applied]
    assert isinstance(applied, events.ConfigApplied)
    assert [str(change) for change in applied.changes] == [
        "RESYNC_CACHE_STALE_IF_ERROR 5s -> 60s",
        "RESYNC_CACHE_ETAG true -> false",
    ]
    assert applied.at_restart == ()


async def test_what_is_gone_from_the_file_is_as_by_default_again(tmp_path: Path) -> None:
    """The file is the whole truth, not a series of orders."""
    subject = Configured(tmp_path, "[cache]\nkeep = 5\n[upstream.tws]\nfail_max = 9")
    await subject.reload("")

    assert subject.resync.cache.options.keep == 60.0
    assert subject.resync.upstreams["tws"].breaker.limits.fail_max == 5


async def test_the_environment_still_wins(tmp_path: Path) -> None:
    """What an operator set there is not the file's to change."""
    subject = Configured(tmp_path, environ={"RESYNC_CACHE_KEEP": "7"})
    applied = await subject.reload("[cache]\nkeep = 8")

    assert applied == events.ConfigApplied()
    assert subject.resync.cache.options.keep == 7.0
    assert subject.outcomes == []


@pytest.mark.parametrize(
    "text",
    [
        "[cache",
        "[cache]\nkeep = 9\nl1_ttl = 'soon'",
        "[cache]\nkeep = 9\nkep = 9",
        "[cache]\nkeep = 9\nnum_shards = 900\nl1_max_entries = 100",
        "[cache]\nkeep = 9\n[upstream.tws]\nfail_max = 0",
        "[cache]\nkeep = 9\n[upstream.coded]\nreset_timeout = 60\nmax_open_time = 7",
    ],
)
async def test_a_bad_file_changes_nothing_and_is_told(tmp_path: Path, text: str) -> None:
    """Not even what is right in it."""
    subject = Configured(tmp_path, "[cache]\nkeep = 5", upstreams=[Upstream("coded", limits=BreakerLimits())])
    before = subject.resync.settings
    refused = await subject.reload(text)

    assert isinstance(refused, events.ConfigRefused)
    assert subject.outcomes == [refused]
    assert str(subject.path) in refused.problems[0] or "upstream" in text
    assert subject.resync.settings is before
    assert subject.resync.cache.options.keep == 5.0


async def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    """It comes back, as in the middle of a roll-out; defaults are no answer to that."""
    subject = Configured(tmp_path, "[cache]\nkeep = 5")
    subject.path.unlink()
    refused = await subject.resync.reload()

    assert isinstance(refused, events.ConfigRefused)
    assert "there is no such file" in refused.problems[0]
    assert subject.resync.cache.options.keep == 5.0


async def test_what_takes_a_restart_is_named_and_not_half_applied(tmp_path: Path) -> None:
    """What can change does; the rest keeps its value, is told once, and shows no secret."""
    subject = Configured(tmp_path)
    text = (
        "startup_timeout = 1\nshutdown_timeout = 2\n[cache]\nkeep = 5\nkey_prefix = 'new:'\n"
        "signing_key = ['hunter2-hunter2-hunter2']\n[upstream.fresh]\nfail_max = 3\n"
        "[upstream.tws]\nurl = 'http://user:hunter2@tws'\nfail_max = 2\n"
    )
    applied = await subject.reload(text)
    settings = subject.resync.settings

    assert isinstance(applied, events.ConfigApplied)
    assert {change.name for change in applied.changes} == {
        "RESYNC_SHUTDOWN_TIMEOUT",
        "RESYNC_CACHE_KEEP",
        "RESYNC_UPSTREAM_TWS_FAIL_MAX",
    }
    assert {change.name for change in applied.at_restart} == {
        "RESYNC_STARTUP_TIMEOUT",
        "RESYNC_CACHE_KEY_PREFIX",
        "RESYNC_CACHE_SIGNING_KEY",
        "RESYNC_UPSTREAM_FRESH_FAIL_MAX",
        "RESYNC_UPSTREAM_TWS_URL",
    }
    assert "hunter2" not in str(applied)
    assert (settings.startup_timeout, settings.shutdown_timeout) == (30.0, 2.0)
    assert (settings.cache.keep, settings.cache.key_prefix, settings.cache.signing_key) == (5.0, "resync:", ())
    assert "fresh" not in settings.upstreams
    assert settings.upstream("tws").url is None
    assert await subject.reload(text) == events.ConfigApplied(at_restart=applied.at_restart)
    assert len(subject.outcomes) == 1


async def test_the_second_tier_gets_its_new_figures(tmp_path: Path) -> None:
    """Times, jitter, the body cap and the lease, without a new connection."""
    subject = Configured(tmp_path, environ={"RESYNC_REDIS_URL": REDIS})
    await subject.reload(
        "redis_timeout = 0.02\n[cache]\nl1_ttl = 7\nl2_ttl = 70\nttl_jitter = 0.3\nlease = 9\nmax_body = 1000"
    )
    tier: Any = subject.resync._tier

    assert (tier._deadline, tier._link._deadline, tier._store._near_ttl) == (0.02, 0.02, 7.0)
    assert (tier._far._ttl, tier._far._jitter, tier._far._max_body, tier._leases.longest) == (70.0, 0.3, 1000, 9.0)
    assert tier.plane._journal._forget == 7_000_000


async def test_a_breaker_keeps_its_state_under_new_limits(tmp_path: Path) -> None:
    """What the code says holds where the file says nothing, before and after."""
    coded = Upstream("db", limits=BreakerLimits(fail_max=7, window=9))
    subject = Configured(tmp_path, upstreams=[coded])
    breaker = subject.resync.upstreams["db"].breaker
    breaker.force_open()
    applied = await subject.reload("[upstream.db]\nfail_max = 5")

    assert isinstance(applied, events.ConfigApplied)
    assert ["RESYNC_UPSTREAM_DB_FAIL_MAX unset -> 5"] == [str(change) for change in applied.changes]
    assert (breaker.limits.fail_max, breaker.limits.window, breaker.state) == (5, 9.0, State.FORCED_OPEN)
    await subject.reload("")
    assert breaker.limits.fail_max == 7


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
async def test_clients_that_are_there_get_new_figures(tmp_path: Path, library: Any) -> None:
    """Times, retries, budget and bulkhead; what the caller chose himself stays, and so does what takes a restart."""
    coded = Upstream("db", retries=RetryPolicy(attempts=2), http=ClientOptions(read_timeout=9), url="http://db")
    subject = Configured(tmp_path, upstreams=[coded])
    upstream = subject.resync.upstreams["db"]
    async with upstream.client(library=library) as client, upstream.client(library=library, timeout=77) as own:
        transports = list(upstream._transports)
        budget = upstream.budget
        applied = await subject.reload(
            "[upstream.db]\nconnect_timeout = 3\nretry_attempts = 4\nretry_share = 0.5\nmax_calls = 6\nverify = false\n"
        )
        assert isinstance(applied, events.ConfigApplied)
        assert ["RESYNC_UPSTREAM_DB_VERIFY"] == [change.name for change in applied.at_restart]
        assert (client.timeout.connect, client.timeout.read, own.timeout.connect) == (3.0, 9.0, 77)
        for transport in transports:
            guards: Any = transport._guards  # type: ignore[attr-defined] # what the test looks into
            assert (guards.policy.attempts, guards.budget.share, guards.bulkhead.limit) == (4, 0.5, 6)
        assert (upstream.http.connect_timeout, upstream.http.verify) == (3.0, True)
        await subject.reload("")
        assert (client.timeout.connect, client.timeout.read) == (5.0, 9.0)
        assert upstream.retries is not None
        assert (upstream.retries.attempts, upstream.bulkhead, upstream.budget.share) == (2, None, budget.share)


async def test_memory_shrinks_and_what_stays_is_served(tmp_path: Path) -> None:
    """Sizes and shards change under a running app, and no request fails or calls the app for what is kept."""
    subject = Configured(tmp_path, rules=[CacheRule("/{rest:path}", ttl=60)], clock=ManualClock())
    scripted = ScriptedApp()
    app = subject.resync(scripted)
    for number in range(100):
        await request(app, "GET", f"/{number}")
    await subject.reload("[cache]\nnum_shards = 2\nl1_max_entries = 40\nmax_body = 1000")
    stats = subject.resync._memory.stats()

    assert (stats.shards, stats.entries) == (2, 40)
    called = len(scripted.requests)
    kept = [await request(app, "GET", str(key[3])) for key in list(subject.resync._memory._index)]
    assert {200} == {response.status for response in kept}
    assert called == len(scripted.requests)


async def test_functions_get_new_stale_windows(tmp_path: Path) -> None:
    """Where they were decorated before, too."""
    subject = Configured(tmp_path)

    @subject.resync.cached("one", ttl=10)
    async def one() -> int:
        return 1

    await subject.reload("[cache]\nstale_if_error = 77")
    await one()
    windows = [getattr(kept.record, "stale_if_error", None) for kept in subject.resync._memory._index.values()]

    assert windows == [77.0]


async def test_what_the_code_says_is_not_told_as_a_setting(tmp_path: Path) -> None:
    """Where nothing was set, the default was not what was in force."""
    subject = Configured(tmp_path, upstreams=[Upstream("tws", limits=BreakerLimits(fail_max=9))])
    applied = await subject.reload("[upstream.tws]\nfail_max = 7")
    gone = await subject.reload("")

    assert isinstance(applied, events.ConfigApplied)
    assert isinstance(gone, events.ConfigApplied)
    assert [str(change) for change in (*applied.changes, *gone.changes)] == [
        "RESYNC_UPSTREAM_TWS_FAIL_MAX unset -> 7",
        "RESYNC_UPSTREAM_TWS_FAIL_MAX 7 -> unset",
    ]
    assert subject.resync.upstreams["tws"].breaker.limits.fail_max == 9


async def test_the_environment_is_read_as_it_is_by_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the process, where none was given; one that was given is as it was."""
    monkeypatch.setenv("RESYNC_CACHE_KEEP", "5")
    resync, given = Resync.from_env(), {"RESYNC_CACHE_KEEP": "5"}
    other = Resync.from_env(given)
    monkeypatch.setenv("RESYNC_CACHE_KEEP", "6")
    given["RESYNC_CACHE_KEEP"] = "6"
    await resync.reload()
    await other.reload()

    assert resync.cache.options.keep == 6.0
    assert other.cache.options.keep == 5.0


PLAN = '[[cache.rules]]\npattern = "/plan"\n'


async def test_rules_are_exchanged_while_the_app_serves(tmp_path: Path) -> None:
    """New ones, changed ones and none: each with the next request, and what is stored keeps its terms."""
    subject = Configured(tmp_path, rules=[CacheRule("/other", ttl=10)])
    inner = ScriptedApp()
    app = subject.resync(inner)

    async def calls(times: int = 2) -> int:
        before = inner.calls
        for _ in range(times):
            await request(app, "GET", "/plan")
        return inner.calls - before

    # It proves uncacheable first, and is passed on at once by then.
    assert await calls() == 2
    applied = await subject.reload(PLAN + 'ttl = "1m"')
    assert await calls() == 1
    assert isinstance(applied, events.ConfigApplied)
    assert [str(change) for change in applied.changes] == [
        'RESYNC_CACHE_RULES unset -> [{"pattern": "/plan", "ttl": "60s"}]'
    ]
    assert [rule.pattern for rule in subject.resync.rules] == ["/plan", "/other"]

    await subject.reload(PLAN + 'ttl = 0\ntags = ["plan"]')
    assert await calls() == 0
    await subject.resync.purge(urls=["http://testserver/plan"])
    assert await calls() == 2
    await subject.reload("")
    assert [rule.pattern for rule in subject.resync.rules] == ["/other"]
    assert await calls() == 2


async def test_rules_that_cannot_be_used_change_nothing(tmp_path: Path) -> None:
    """Neither those that are no rules, nor one for an upstream that nobody knows; nor anything else in that file."""
    subject = Configured(tmp_path, PLAN + "ttl = 5")
    for more in ("ttl = -1", 'upstreams = ["twx"]', 'pattern = "/"'):
        refused = await subject.reload(f"{PLAN}{more}\n[upstream.tws]\nfail_max = 9")

        assert isinstance(refused, events.ConfigRefused)
        assert tuple(subject.resync.rules) == (CacheRule("/plan", ttl=5),)
        assert subject.resync.upstreams["tws"].breaker.limits.fail_max == 5


async def test_rules_that_name_upstreams_guard_their_routes_at_once(tmp_path: Path) -> None:
    """Also where the code has no rule at all; the graph and the middlewares know of it, and of its end."""
    subject = Configured(tmp_path)
    inner = ScriptedApp()
    app = subject.resync(inner)
    subject.resync.upstreams["tws"].breaker.force_open()
    assert (await request(app, "GET", "/plan")).status == 200

    await subject.reload(PLAN + 'upstreams = ["tws"]\ntags = ["plan"]')
    assert (await request(app, "GET", "/plan")).status == 503
    assert [rule.pattern for rule in subject.resync.breaker_rules] == ["/plan"]
    assert "tag plan" in subject.resync.graph.text()

    await subject.reload("")
    assert (await request(app, "GET", "/plan")).status == 200
    assert subject.resync.breaker_rules == ()
    assert "tag plan" not in subject.resync.graph.text()


async def test_without_rules_a_file_changes_no_answer(tmp_path: Path) -> None:
    """Nobody has named an upstream, so what the handler raises is its own; then a rule does, and then none again."""
    subject = Configured(tmp_path)
    breaker = subject.resync.upstreams["tws"].breaker
    breaker.force_open()

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        async with breaker:
            raise AssertionError("it is open")

    app = subject.resync(inner)
    for _ in range(2):
        with pytest.raises(BreakerOpen):
            await request(app, "GET", "/plan")
        await subject.reload(PLAN + 'upstreams = ["tws"]')
        assert (await request(app, "GET", "/plan")).status == 503
        assert (await request(app, "GET", "/other")).status == 503
        await subject.reload("")


async def test_rules_of_the_environment_guard_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """`reload()` brings them as a file would."""
    monkeypatch.delenv("RESYNC_CACHE_RULES", raising=False)
    resync = Resync.from_env()
    app = resync(ScriptedApp())
    resync.upstreams["tws"].breaker.force_open()
    assert (await request(app, "GET", "/plan")).status == 200
    monkeypatch.setenv("RESYNC_CACHE_RULES", '[{"pattern": "/plan", "upstreams": ["tws"]}]')
    await resync.reload()

    assert (await request(app, "GET", "/plan")).status == 503


async def test_a_body_enters_the_key_as_soon_as_a_rule_says_so(tmp_path: Path) -> None:
    """And a purge of the URL finds what is kept for it."""
    subject = Configured(tmp_path)
    inner = ScriptedApp()
    app = subject.resync(inner)

    async def calls() -> int:
        before = inner.calls
        for _ in range(2):
            await request(app, "POST", "/plan", body=b"all")
        return inner.calls - before

    assert await calls() == 2
    await subject.reload(PLAN + 'ttl = 60\nmethods = ["POST"]\nbody_in_key = true')
    assert await calls() == 1
    await subject.resync.purge(urls=["http://testserver/plan"])
    assert await calls() == 1


async def test_an_unrelated_change_leaves_the_rules_alone(tmp_path: Path) -> None:
    """What was found by them need not be found again."""
    subject = Configured(tmp_path, PLAN + "ttl = 5")
    before = subject.resync.rules.current
    await subject.reload(PLAN + "ttl = 5\n[cache]")
    await subject.reload("cache_keep = 8\n" + PLAN + "ttl = 5")

    assert subject.resync.cache.options.keep == 8.0
    assert subject.resync.rules.current is before


async def test_settings_from_code_cannot_be_read_again() -> None:
    """It says what to do instead of taking up the environment of the process."""
    outcome = await Resync(Settings()).reload()

    assert isinstance(outcome, events.ConfigRefused)
    assert "Resync.from_env()" in outcome.problems[0]


async def test_of_two_reloads_at_once_the_later_one_counts() -> None:
    """The one that read first, and is done last, takes nothing back."""
    first, begun, second = Resync.from_env({}), threading.Event(), threading.Event()
    parts = first._reloader._parts
    calls: list[int] = []

    def slow_first(environ: object) -> Resolution:
        calls.append(1)
        begun.set()
        if len(calls) == 1:
            second.wait(10)
            return load({"RESYNC_CACHE_KEEP": "1"})
        return load({"RESYNC_CACHE_KEEP": "2"})

    told: list[events.Event] = []
    reloader = Reloader(first.settings, parts, {}, told.append, load=slow_first)
    early = asyncio.create_task(reloader.reload())
    await asyncio.to_thread(begun.wait, 10)
    late = await reloader.reload()
    second.set()

    assert await early == late
    assert reloader.settings.cache.keep == 2.0
    assert len(told) == 1


def test_the_plan_of_equal_settings_is_empty() -> None:
    """Nothing is done for nothing."""
    made = plan(Settings(), Settings(), ["redis", "tws"])

    assert (made.settings, made.live, made.at_restart) == (Settings(), (), ())
