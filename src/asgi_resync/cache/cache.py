"""The cache as its users hold it: a store, flights over it, purges, and the tasks it owns. It serves no request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from .._asgi import Clock
from ..errors import RuleError
from ..events import (
    OF_REQUESTS,
    CacheKey,
    Event,
    InternalFailure,
    Invalidated,
    Listener,
    Purged,
    RefreshFailed,
    guarded,
    wants,
)
from ..noted import Notes
from .claims import Claims
from .entry import StoredResponse
from .flight import Flights
from .keys import key_of_url, same_urls, url_tag
from .memory import MemoryStore
from .options import CacheOptions
from .passes import Passes
from .plane import Plane, worst
from .rules import texts, upstream_tag
from .store import Record, Store
from .tags import EVERYTHING, PurgeLedger
from .tiered import TieredStore
from .undelivered import Delivery

if TYPE_CHECKING:
    from .callables import Values

T = TypeVar("T")

_log = logging.getLogger("asgi_resync")

MAX_DROPS = 4096
TELL_SECONDS = 0.05
"""How long an unsafe request waits until other processes are told what it made invalid."""
REFRESH_PAUSE = 1.0
"""Seconds after a failed refresh in which no other is tried: a weak app is not asked at the pace of the hits."""


class Cache:
    """A response cache for any number of middlewares on one event loop at a time.

    *store* keeps the responses (default: a `MemoryStore`), *clock* gives seconds since the epoch, *on_event* is called
    with each event. Making one does no I/O and needs no loop. `aclose` waits for the refreshes under way.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        ledger: PurgeLedger | None = None,
        options: CacheOptions | None = None,
        clock: Clock = time.time,
        on_event: Listener | None = None,
    ) -> None:
        self.options = options if options is not None else CacheOptions()
        self.clock = clock
        self.tell: Callable[[Event], None] | None = guarded(on_event) if on_event is not None else None
        """Told of what is rare."""
        self.emit: Callable[[Event], None] | None = (
            self.tell if on_event is not None and wants(on_event, *OF_REQUESTS) else None
        )
        """Told of what every request may bring; None where nobody wants that, so that a hit makes no event."""
        self.store: Store = store if store is not None else MemoryStore(clock=clock, on_event=self.tell)
        self.ledger = ledger if ledger is not None else PurgeLedger()
        self.flights: Flights[StoredResponse] = Flights()
        self.holds_bodies: bool | None = None
        """Whether some middleware has a rule with the body in the key; None while no middleware is known."""
        self.passing = Passes()
        self.claims: Claims | None = None
        """Where turns are taken with other processes before the app is called; None where there are no others."""
        self._values: Values | None = None
        self.plane: Plane | None = None
        """Where other processes are told what is purged and dropped; None where there are none."""
        self.on_look: Callable[[], None] | None = None
        """What to call before another tier is asked or told, on the event loop that does."""
        self.on_built: Callable[[Literal["route", "callable"], str, Notes], None] | None = None
        """What to call with what the making of an answer or a value has called and used, if that is anything."""
        self.drops = 0
        """How many keys were dropped so far: a moment in the order of drops."""
        self._dropped: dict[int, int] = {}
        self._forgotten = 0
        self._tasks: set[asyncio.Task[Any]] = set()  # whatever they return, nobody wants it

    # What users call

    async def purge(
        self,
        *,
        tags: Iterable[str] = (),
        urls: Iterable[str] = (),
        upstreams: Iterable[str] = (),
        everything: bool = False,
        soft: bool = False,
    ) -> Delivery:
        """Purge what carries one of *tags*, was built from one of *upstreams*, or is stored for one of *urls*.

        Returns how far that got: it holds in this process at once, and in others as `Delivery` says.

        With *soft*, tagged responses are marked stale, and their stale windows run from now; without, they are gone,
        and so is any answer that was under way. A URL is purged with all its variants, as it was sent, with scheme and
        host, and with all that rules keep for it by request body, whatever the query; it is always purged hard.

        Raises RuleError for a text in place of a list, a tag that nothing can carry, a URL without a host, and where
        there is nothing to purge.
        """
        if isinstance(urls, str):
            raise RuleError("urls", urls, f"give a list, such as [{urls!r}]")
        named_tags, named_urls, named_upstreams = texts("tags", tags), tuple(urls), texts("upstreams", upstreams)
        if not (named_tags or named_urls or named_upstreams or everything):
            raise RuleError("purge", (), "name tags, urls or upstreams, or say everything=True")
        keys = [key for url in named_urls for key in same_urls(_url_key(url))]
        marks = [*named_tags, *(upstream_tag(name) for name in named_upstreams), *([EVERYTHING] if everything else [])]
        hard = [] if soft else marks
        if keys and self.holds_bodies is not False:
            hard = [*hard, *map(url_tag, keys)]
        deliveries = [await self._purge(marks, (), soft=True)] if soft and marks else []
        if hard or keys:
            deliveries.append(await self._purge(hard, keys, soft=False))
        if everything and not soft:
            try:
                await self.store.clear()
            except Exception as error:
                # It only frees the room sooner: what is there counts as purged already.
                self.failed("store.clear", error)
        if self.tell is not None:
            purged = [("tag", name) for name in named_tags] + [("upstream", name) for name in named_upstreams]
            for scope, name in purged + ([("all", "")] if everything else []):
                self.tell(Purged(scope=scope, name=name, soft=soft))
            for url in named_urls:
                self.tell(Purged(scope="url", name=url, soft=False))
        return worst(deliveries)

    async def _purge(
        self, tags: Sequence[str], keys: Sequence[CacheKey], *, soft: bool, confirm: bool = True
    ) -> Delivery:
        if self.plane is not None:
            # A process that only purges must connect too, or it would never deliver.
            if self.on_look is not None:
                self.on_look()
            telling = self.plane.purge(tags, keys, soft=soft, confirm=confirm)
            if confirm:
                return await telling
            # A request waits for it: it holds here at once, and what takes the others longer goes on behind.
            task = asyncio.get_running_loop().create_task(telling)
            self.own(task)
            done, _ = await asyncio.wait({task}, timeout=TELL_SECONDS)
            return task.result() if done else Delivery(state="queued")
        if tags:
            self.ledger.purge(tags, soft=soft, now=self.clock())
        for key in keys:
            self._forget(key)
            await self.delete(key)
        return Delivery(state="local")

    @property
    def values(self) -> Values:
        """Values of functions, kept here beside responses."""
        if self._values is None:
            from .callables import Values  # which knows the cache, so not at the top

            self._values = Values(self)
        return self._values

    @overload
    async def get_or_set(
        self,
        key: str,
        factory: Callable[[], Awaitable[T]],
        *,
        ttl: float,
        type: object = ...,
        tags: Sequence[str] = ...,
        upstreams: Sequence[str] = ...,
        stale_while_revalidate: float | None = ...,
        stale_if_error: float | None = ...,
    ) -> T: ...
    @overload
    async def get_or_set(
        self,
        key: str,
        factory: Callable[[], T],
        *,
        ttl: float,
        type: object = ...,
        tags: Sequence[str] = ...,
        upstreams: Sequence[str] = ...,
        stale_while_revalidate: float | None = ...,
        stale_if_error: float | None = ...,
    ) -> T: ...
    async def get_or_set(
        self,
        key: str,
        factory: Callable[[], object],
        *,
        ttl: float,
        type: object = Any,
        tags: Sequence[str] = (),
        upstreams: Sequence[str] = (),
        stale_while_revalidate: float | None = None,
        stale_if_error: float | None = None,
    ) -> object:
        """Return the value kept under *key*, made by *factory* where there is none, and kept for *ttl* seconds.

        However many ask, *factory* is called once, in all processes that share a second tier; a sync one runs in a
        thread. It runs to its end whoever gives up waiting. Stale windows, in seconds (None: as the settings say), and
        purges by *tags* and *upstreams* are as for responses. None and empty values are kept as any other, exceptions
        never: where nothing stale may stand in, one of those who wait tries again, and then each meets its own.

        A value goes through msgspec: what comes back is of *type*, and no caller shares it with another. One that is
        not of *type*, or larger than responses may be, reaches those who wait for it and is not kept (NotStored).
        Raises RuleError for a type that msgspec does not know and for a *factory* that asks for its own value, and
        whatever *factory* raises.
        """
        from .callables import value_key
        from .value_terms import terms_of

        terms = terms_of(ttl, tags, upstreams, stale_while_revalidate, stale_if_error)
        found: object = await self.values.get_or_set(value_key(key), factory, terms, type)
        return found

    async def settle(self, timeout: float) -> None:
        """Wait up to *timeout* seconds for this loop's app calls in the background, then cancel the rest."""
        loop = asyncio.get_running_loop()
        tasks = {task for task in list(self._tasks) if task.get_loop() is loop}
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=timeout)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)

    async def aclose(self, timeout: float = 10.0) -> None:
        """Wait up to *timeout* seconds for app calls in the background, cancel the rest, and close the store."""
        await self.settle(timeout)
        await self.store.aclose()

    # What the middleware calls

    def own(self, task: asyncio.Task[Any]) -> None:
        """Take *task* as one that this cache waits for at the end."""
        self._tasks.add(task)
        task.add_done_callback(self._disown)

    def _disown(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Looked at, so that a call whose client has gone does not end in "exception was never retrieved".
            task.exception()

    def failed(self, where: str, error: BaseException) -> None:
        """Tell that something failed where no request was to suffer from it; the request went on without.

        It goes to the log itself only where no listener wants it, as it may come with every request.
        """
        if self.tell is not None and wants(self.tell, InternalFailure):
            self.tell(InternalFailure(where=where, error=error))
        else:
            _log.warning("%s: %s: %s", where, type(error).__name__, error)

    def near(self, key: CacheKey) -> Record | None:
        """Return the record under *key* if this process holds it; a store that raises is a miss."""
        try:
            return self.store.near(key)
        except Exception as error:
            self.failed("store.near", error)
            return None

    async def fetch(self, key: CacheKey) -> Record | None:
        """Return the record under *key* from the nearest tier that has it; a store that raises is a miss."""
        record = self.near(key)
        if record is not None or not self.store.is_remote:
            return record
        if self.on_look is not None:
            self.on_look()
        try:
            return await self.store.get(key)
        except Exception as error:
            self.failed("store.get", error)
            return None

    async def keep(self, key: CacheKey, record: Record) -> bool:
        """Store *record*; False if the store raised, which is told and harms nobody."""
        try:
            await self.store.set(key, record)
        except Exception as error:
            self.failed("store.set", error)
            return False
        return True

    async def drop(self, key: CacheKey) -> None:
        """Forget what is stored under the primary *key* with all variants, and what is under way for it."""
        await self._purge((), (key,), soft=False, confirm=False)

    def drop_near(self, keys: Iterable[CacheKey]) -> None:
        """Forget in this process what is stored under the primary *keys*, and what is under way for them."""
        for key in keys:
            self._forget(key)
            self.replaced(key)

    def replaced(self, key: CacheKey) -> None:
        """Forget the record under *key* in this process: another has stored a newer one."""
        if isinstance(self.store, TieredStore):
            self.store.forget(key)

    def _forget(self, key: CacheKey) -> None:
        self.flights.void(key)
        self.drops += 1
        self._dropped.pop(hash(key), None)
        self._dropped[hash(key)] = self.drops
        if len(self._dropped) > MAX_DROPS:
            # Whatever is not remembered counts as dropped until then: more than was, never less.
            self._forgotten = self._dropped.pop(next(iter(self._dropped)))

    async def delete(self, *keys: CacheKey) -> None:
        """Remove the records under *keys* from all tiers; a store that raises is told, and harms nobody."""
        for key in keys:
            try:
                await self.store.delete(key)
            except Exception as error:
                self.failed("store.delete", error)

    def dropped_since(self, key: CacheKey, moment: int) -> bool:
        """Return whether *key* was dropped after *moment* of `drops`, so that an older answer must not be kept."""
        return self._dropped.get(hash(key), self._forgotten) > moment

    async def invalidate(self, targets: Mapping[CacheKey, bool]) -> None:
        """Forget all *targets* at once since an unsafe request succeeded (RFC 9111 §4.4).

        A key with True is forgotten with what is kept by body for its URL too.
        """
        keys: list[CacheKey] = []
        tags: list[str] = []
        for key, bodies in targets.items():
            # A remote tier would have to be asked first, so there it is told also when nothing was stored.
            if self.emit is not None and (self.store.is_remote or self.near(key) is not None or bodies):
                self.emit(Invalidated(key=key))
            same = same_urls(key)
            keys += same
            tags += map(url_tag, same) if bodies else ()
        await self._purge(tags, keys, soft=False, confirm=False)

    def refresh_failed(self, key: CacheKey, entry: StoredResponse, cause: str) -> None:
        """Tell that a refresh in the background brought nothing; what is stored stays, and is left alone a while."""
        entry.refresh_after = self.clock() + REFRESH_PAUSE
        if self.emit is not None:
            self.emit(RefreshFailed(key=key, route=entry.route, cause=cause))


def _url_key(url: str) -> CacheKey:
    remedy = "give the whole URL with scheme and host, such as 'http://example.com/plan'"
    try:
        key = key_of_url(url)
    except ValueError as error:
        raise RuleError("urls", url, remedy) from error
    if not key[1]:
        raise RuleError("urls", url, remedy)
    return key
