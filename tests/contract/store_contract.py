"""What every store promises, as tests. Subclass `StoreContract`, give it a `store`, and pytest runs them all."""

from __future__ import annotations

import asyncio

import pytest

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.store import Record, Store, Variants
from asgi_resync.events import CacheKey

NOW = 1_700_000_000.0
"""When everything in these tests happens; a store's clock must say so, or records expire at once."""

KEY: CacheKey = ("https", b"example.org", b"/plan", "/plan", b"page=1")
OTHER: CacheKey = ("https", b"example.org", b"/plan", "/plan", b"page=2")


def response(key: CacheKey = KEY, *, body: bytes = b"ok", lifetime: float = 60.0) -> StoredResponse:
    """Return a response that was born `NOW` and is kept for *lifetime* seconds."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    return StoredResponse(
        key=key, status=200, headers=headers, body=body, stored_at=NOW, date=NOW, born=NOW, lifetime=lifetime
    )


def variants(key: CacheKey = KEY) -> Variants:
    """Return a record that says where the variants of *key* are."""
    names = ((b"accept-encoding", b"accept-language"), (b"accept",))
    listed = ((*key, "g1", names[0], (b"gzip", None)), (*key, "g1", names[1], (b"*/*",)))
    return Variants(key=key, generation="g1", names=names, listed=listed, keep_until=NOW + 60)


def facts(record: Record | None) -> dict[str, object]:
    """Return what a record says, without what a middleware noted on it: remote stores return copies."""
    if record is None:
        return {}
    memos = {"ready", "ready_until", "vouched"}
    names = set(StoredResponse.__slots__ if isinstance(record, StoredResponse) else Variants.__slots__)
    return {name: getattr(record, name) for name in sorted(names - memos)}


class StoreContract:
    """The promises of `Store`."""

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store that has room for all that the tests keep."""
        raise NotImplementedError

    async def test_what_was_never_set_is_not_there(self, store: Store) -> None:
        """An unknown key is None, by either way of asking."""

        assert store.near(KEY) is None
        assert await store.get(KEY) is None

    @pytest.mark.parametrize(
        "record",
        [
            response(),
            response(body=b""),
            response(body=bytes(range(256)) * 1000),
            variants(),
        ],
        ids=["response", "empty body", "binary body", "variants"],
    )
    async def test_what_was_set_comes_back_whole(self, store: Store, record: Record) -> None:
        """Every fact of a record survives, whichever kind it is."""
        await store.set(KEY, record)

        assert facts(await store.get(KEY)) == facts(record)

    async def test_near_returns_what_get_returns_or_nothing(self, store: Store) -> None:
        """`near` never contradicts `get`, and a store that is not remote answers it."""
        record = response()
        await store.set(KEY, record)
        near = store.near(KEY)

        assert facts(near) in (facts(record), {})
        assert near is not None or store.is_remote

    async def test_keys_that_differ_in_one_part_are_different(self, store: Store) -> None:
        """Each key has its own record."""
        await store.set(KEY, response(body=b"one"))
        await store.set(OTHER, response(OTHER, body=b"two"))
        one, two = await store.get(KEY), await store.get(OTHER)

        assert isinstance(one, StoredResponse)
        assert isinstance(two, StoredResponse)
        assert (one.body, two.body) == (b"one", b"two")

    async def test_setting_again_replaces(self, store: Store) -> None:
        """The last record set under a key is the one that is there, also if it is of the other kind."""
        await store.set(KEY, response(body=b"first"))
        await store.set(KEY, variants())
        assert facts(await store.get(KEY)) == facts(variants())

        await store.set(KEY, response(body=b"second"))
        assert facts(await store.get(KEY)) == facts(response(body=b"second"))

    async def test_deleted_is_gone_and_the_others_stay(self, store: Store) -> None:
        """`delete` forgets one key."""
        await store.set(KEY, response())
        await store.set(OTHER, response(OTHER))
        await store.delete(KEY)

        assert await store.get(KEY) is None
        assert store.near(KEY) is None
        assert await store.get(OTHER) is not None

    async def test_deleting_what_is_not_there_is_no_error(self, store: Store) -> None:
        """`delete` may be called for anything."""
        await store.delete(KEY)
        await store.delete(KEY)

        assert await store.get(KEY) is None

    async def test_clear_forgets_everything(self, store: Store) -> None:
        """After `clear` nothing is there, and the store can be used."""
        await store.set(KEY, response())
        await store.set(OTHER, variants(OTHER))
        await store.clear()
        assert [await store.get(KEY), await store.get(OTHER)] == [None, None]

        await store.set(KEY, response())
        assert await store.get(KEY) is not None

    async def test_many_at_once_do_not_mix(self, store: Store) -> None:
        """Concurrent calls each have their own answer."""
        bodies = [b"%d" % number for number in range(50)]
        await asyncio.gather(*(store.set((*KEY, body), response((*KEY, body), body=body)) for body in bodies))
        found = await asyncio.gather(*(store.get((*KEY, body)) for body in bodies))

        assert [record.body for record in found if isinstance(record, StoredResponse)] == bodies

    async def test_closing_twice_is_no_error(self, store: Store) -> None:
        """`aclose` is idempotent."""
        await store.set(KEY, response())
        await store.aclose()
        await store.aclose()
