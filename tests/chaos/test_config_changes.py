"""A thousand changes of the settings, good and bad mixed, under load: no request fails, and the last good one holds."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from asgi_resync import CacheRule, Resync, Upstream, events
from asgi_resync._asgi import ASGIApp, Receive, Scope, Send
from asgi_resync.breaker.state import State
from asgi_resync.testing import request

CHANGES = 1000
CLIENTS = 3
EVERY_ONE = os.environ.get("RESYNC_CHAOS") == "long"
"""Whether each change is waited for: the watcher takes a fifth of a second over one."""

BAD = [
    "[cache",
    "[cache]\nkeep = 'soon'",
    "[cache]\nkepe = 7",
    "[cache]\nkeep = 7\nnum_shards = 1000\nl1_max_entries = 10",
    "[upstream.tws]\nfail_max = 0",
    "cache_keep = 7\n[[cache.rules]]\npattern = '/{rest:path}'\nttl = 'soon'",
    "cache_keep = 7\n[[cache.rules]]\npattern = '/{rest:path}'\nupstreams = ['twx']",
    "RESYNC_CONFIG_FILE = 'another.toml'",
    "\x00",
]


def good(lot: random.Random) -> tuple[str, float]:
    """Return a file that changes whatever can be changed, and its `keep`, by which it is known."""
    keep = float(lot.randrange(1, 10**6))
    text = (
        f"[cache]\nkeep = {keep}\nnum_shards = {lot.randrange(1, 9)}\nl1_max_entries = {lot.randrange(16, 400)}\n"
        f"l1_max_bytes = {lot.randrange(2**17, 2**21)}\nmax_body = {lot.randrange(2**10, 2**16)}\n"
        f"l1_ttl = {lot.randrange(1, 90)}\nstale_if_error = {lot.randrange(90)}\nsweep_interval = 0.1\n"
        f"etag = {lot.choice(['true', 'false'])}\nname = 'n{lot.randrange(9)}'\n"
        f"[upstream.tws]\nfail_max = {lot.randrange(1, 9)}\nwindow = {lot.randrange(1, 90)}\n"
        f"slow_call = {lot.randrange(1, 9)}\n"
        f"[[cache.rules]]\npattern = '/{lot.randrange(9)}{{rest:path}}'\nttl = {lot.randrange(90)}\n"
    )
    return text, keep


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer any request; keep nothing."""
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"page"})


@asynccontextmanager
async def under_load(app: ASGIApp) -> AsyncIterator[Counter[int]]:
    """Ask for pages, stored and new, all the while; yield how many answers there were, by status."""
    statuses: Counter[int] = Counter()

    async def client(number: int) -> None:
        lot = random.Random(number)
        while True:
            response = await request(app, "GET", f"/{int(lot.paretovariate(0.6)) % 1000}")
            statuses[response.status if response.body == b"page" else -1] += 1
            await asyncio.sleep(0.001)

    tasks = [asyncio.create_task(client(number)) for number in range(CLIENTS)]
    try:
        yield statuses
        assert not any(task.done() for task in tasks), "a request failed"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def made(path: Path, told: list[events.Event], refused: asyncio.Event) -> tuple[Resync, ASGIApp]:
    def on_event(event: events.Event) -> None:
        if not isinstance(event, events.CacheEvent | events.Evicted):
            told.append(event)
        if isinstance(event, events.ConfigRefused):
            refused.set()

    path.write_text("")
    resync = Resync.from_env(
        {"RESYNC_CONFIG_FILE": str(path)},
        rules=[CacheRule("/{rest:path}", ttl=60)],
        upstreams=[Upstream("tws")],
        on_event=on_event,
    )
    return resync, resync(page)


async def test_each_of_a_thousand_reloads_is_right_and_leaves_nothing(tmp_path: Path) -> None:
    """Whole or not at all, one after the other; what is kept in the end is no more than after the first hundred."""
    path, told, lot = tmp_path / "resync.toml", list[events.Event](), random.Random(7)
    refused = asyncio.Event()
    resync, app = made(path, told, refused)
    breaker = resync.upstreams["tws"].breaker
    breaker.force_open()
    in_force, counts = 60.0, []
    async with under_load(app) as statuses:
        for number in range(CHANGES):
            text, keep = good(lot) if lot.random() < 0.6 else (lot.choice(BAD), None)
            path.write_text(text)
            outcome = await resync.reload()
            assert isinstance(outcome, events.ConfigRefused if keep is None else events.ConfigApplied)
            in_force = keep if keep is not None else in_force
            assert resync.cache.options.keep == resync.settings.cache.keep == in_force
            assert tuple(resync.rules) == (*resync.settings.cache.rules, CacheRule("/{rest:path}", ttl=60))
            stats = resync._memory.stats()
            assert stats.max_entries == resync.settings.cache.l1_max_entries
            assert stats.entries <= stats.max_entries
            assert stats.bytes <= stats.max_bytes
            if number in (CHANGES // 10, CHANGES - 1):
                told.clear()
                del outcome, stats
                # At the same size, so that only what is left behind can differ.
                path.write_text("[cache]\nl1_max_entries = 16\nkeep = 1")
                await resync.reload()
                in_force = 1.0
                told.clear()
                gc.collect()
                counts.append(len(gc.get_objects()))

    assert set(statuses) == {200}
    assert statuses[200] > CHANGES
    assert breaker.state is State.FORCED_OPEN
    assert counts[1] - counts[0] < 500


@pytest.mark.timeout(1800 if EVERY_ONE else 60)
async def test_a_thousand_changes_of_the_file_end_with_the_last_good_one(tmp_path: Path) -> None:
    """The watcher lives, and whatever it skipped, the end is what the file says."""
    path, told, lot = tmp_path / "resync.toml", list[events.Event](), random.Random(11)
    refused = asyncio.Event()
    resync, app = made(path, told, refused)
    beside = tmp_path / ".resync.toml.new"
    in_force = 60.0

    async def settled(keep: float) -> None:
        async with asyncio.timeout(20):
            while resync.settings.cache.keep != keep:  # noqa: ASYNC110 - the events of those skipped are not told
                await asyncio.sleep(0.01)

    async with resync.lifespan(), under_load(app) as statuses:
        for number in range(CHANGES):
            text, keep = good(lot) if lot.random() < 0.6 or number == CHANGES - 2 else (lot.choice(BAD), None)
            match number % 3:
                case 0:
                    path.write_text(text)
                case 1:
                    beside.write_text(text)
                    beside.replace(path)
                case 2:
                    path.unlink()
                    path.write_text(text)
            await asyncio.sleep(0)
            if keep is not None and (EVERY_ONE or number == CHANGES - 2):
                in_force = keep
                await settled(in_force)
        refused.clear()
        path.write_text(BAD[0])
        async with asyncio.timeout(20):
            await refused.wait()
        assert resync.resources["config"].state == "up"

    assert resync.settings.cache.keep == in_force
    assert set(statuses) == {200}
    assert not any(isinstance(event, events.InternalFailure | events.ResourceDown) for event in told)
