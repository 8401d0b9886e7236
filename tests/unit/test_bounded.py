"""What is remembered of requests outside the store's byte budget is bounded, whatever clients send."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from tests.unit.caching import FRESH, Cached, cached

from asgi_resync import CacheRule, _rulebook
from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.cache import cache as memory
from asgi_resync.cache import passes
from asgi_resync.testing import Reply, ScriptedApp

RULES = [CacheRule("/{rest:path}")]
BOUND, COUNT = 200, 500


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET", {"cache-control": "private"}), ("GET", {}), ("POST", {}), ("POST", {"location": "/" + "x" * 3000})],
    ids=["private", "no-lifetime", "post", "post-location"],
)
@pytest.mark.parametrize("rules", [[], RULES], ids=["without-rules", "with-rules"])
async def test_a_flood_of_long_urls_leaves_little_behind(
    method: str, headers: dict[str, str], rules: list[CacheRule], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that are not kept, and requests that invalidate: some bytes per key, however long the keys are."""
    monkeypatch.setattr(passes, "MAX_PASSES", BOUND)
    monkeypatch.setattr(memory, "MAX_DROPS", BOUND)
    site: Cached = cached(ScriptedApp(Reply(headers=headers)), *rules)
    site.cache.emit = None
    tail = "x" * 3000
    app = site.app.app
    assert isinstance(app, ScriptedApp)
    await site.ask(method, "/0")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(COUNT):
            await site.ask(method, f"/{number}/{tail}?{tail}")
            app.requests.clear()
        gc.collect()
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    # The URLs take 4.5 MB. A dictionary of their hashes takes 130 bytes each; `urllib.parse` keeps 128 Locations.
    assert left < 1e6
    assert len(site.cache.passing) <= BOUND
    assert len(site.cache._dropped) <= BOUND


async def test_a_flood_of_short_paths_leaves_a_bounded_memory_of_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which rule a path has is remembered for short paths only, and for so many."""
    monkeypatch.setattr(_rulebook, "MAX_PATHS", BOUND)
    site = cached(ScriptedApp(Reply(headers=FRESH)), *RULES)
    site.cache.emit = None

    for number in range(BOUND + 10):
        await site.get(f"/{number}")
    await site.get("/" + "x" * 1000)

    remembered = site.app._book.current._by_place
    assert len(remembered) <= BOUND
    assert max(len(path) for _, path in remembered) <= 256


async def test_ten_thousand_query_strings_stay_within_bounds() -> None:
    """A flood of distinct URLs fills neither the store nor the memory of what passes."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Reply(headers=FRESH if b"9" in scope["query_string"] else {})(scope, receive, send)

    site = cached(app)

    for number in range(10_000):
        await site.get(f"/?q={number}")

    stats = site.cache.store.stats()  # type: ignore[attr-defined] # it is a MemoryStore
    assert stats.entries <= stats.max_entries
    assert len(site.cache.passing) <= 4096
    assert 0 == len(site.cache.flights)


async def test_ten_thousand_variants_stay_within_bounds() -> None:
    """Of one URL no more variants are kept than the option says, however many are asked for."""
    app = ScriptedApp(Reply(headers={**FRESH, "vary": "user-agent"}))
    site = cached(app, max_variants=8)

    for number in range(10_000):
        await site.get("/", headers={"user-agent": str(number)})

    stats = site.cache.store.stats()  # type: ignore[attr-defined] # it is a MemoryStore
    assert stats.entries <= 9
    assert 10_000 == app.calls
