"""Values of functions in the cache: through the same tiers, flights, stale windows and purges as responses.

A value is kept as bytes and decoded anew for each caller, so that none can change what another gets. None, empty lists
and the like are values as any other, and kept; an exception never is, nor what could not be read back as its type:
that reaches all who wait for it as the function returned it, and is made anew for the next. What uses a value is built
from what the value was built from, and is purged with it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, overload

import msgspec

from .._deadline import current
from ..errors import RuleError
from ..events import CacheHit, CacheKey, CacheMiss, Collapsed, NotStored, RefreshFailed, StaleServed, Stored
from ..noted import Notes, note_missing, note_value, notes_here
from .cache import Cache
from .callable_key import KIND, KeyTemplate
from .claims import Claim
from .entry import StoredResponse
from .flight import MAX_ATTEMPTS, Flight, FlightKey, Flights
from .learning import learn
from .makings import Making, enter, over, refuse_itself
from .options import CacheOptions
from .policy.reuse import AskApp, Fresh, ServeStale, reuse
from .provenance import built_from
from .standby import may_stand_in
from .tags import MarkedStale
from .turn import patiences
from .value_terms import ValueTerms
from .value_types import UNREADABLE, Misfit, decoder_of, landed_value, read_value, returned_by, written

P = ParamSpec("P")
T = TypeVar("T")

MAX_TURNS = 3
GET_OR_SET = "get_or_set"
"""What events call the values whose keys are made while the app runs: too many to be named one by one."""


class Decorator(Protocol):
    """What `Resync.cached` returns: it makes a function one whose values are kept. A sync one becomes async."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[T]], /) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> Callable[P, Coroutine[Any, Any, T]]: ...


class Values:
    """Values kept in *cache*."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._flights: Flights[StoredResponse] = Flights()
        self._makings: dict[Flight[StoredResponse], Making] = {}

    async def get_or_set(
        self,
        key: CacheKey,
        factory: Callable[[], object],
        terms: ValueTerms,
        type: object = Any,
        route: str = GET_OR_SET,
    ) -> Any:  # noqa: ANN401 - of the type that the caller names
        """Return the value under *key* as *type*, made by *factory* if need be: once, however many ask.

        *factory* may be async; if not, it runs in a thread. It runs to its end whoever gives up waiting. Raises what it
        raises, where nothing stale may stand in; DeadlineExceeded once the caller's `deadline` has passed; RuleError if
        msgspec cannot write what it returns, or if *factory* asks for what waits for the value that it is to make.
        """
        cache, decoder = self._cache, decoder_of(type)
        tier = "l1" if cache.near(key) is not None else "l2"
        entry, marked, is_absent = await self._find(key)
        now = cache.clock()
        if entry is not None and (value := read_value(decoder, entry)) is not UNREADABLE:
            match reuse(entry, now, None, marked_stale_at=marked):
                case Fresh():
                    if cache.emit is not None:
                        cache.emit(CacheHit(key=key, route=route, tier=tier, age=now - entry.born))
                    note_value(_named(entry.route), entry.tags)
                    return value
                case ServeStale(reason=reason):
                    if self._flights.find(_known_as(key)) is None and now >= entry.refresh_after:
                        self._begin(key, factory, terms, entry, decoder, route, 1, is_absent=False, is_refresh=True)
                    if cache.emit is not None:
                        staleness = now - entry.fresh_until
                        cache.emit(StaleServed(key=key, route=route, reason=reason, staleness=staleness))
                    note_value(_named(entry.route), entry.tags)
                    return value
                case AskApp():
                    pass
        else:
            entry = None
        return await self._fly(key, factory, terms, entry, decoder, route, is_absent=is_absent)

    def cached(
        self,
        key: str | None,
        terms: ValueTerms,
        type: object = None,
        on_declared: Callable[[str, Sequence[str]], None] | None = None,
    ) -> Decorator:
        """Return the decorator; see `Resync.cached`. *on_declared* is told name and tags of what it is put on."""

        def decorate(function: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
            given: object = function
            if not callable(given) or inspect.isclass(given):
                raise RuleError("cached", given, "put it above a function")
            template = KeyTemplate(function, key, terms.tags)
            if on_declared is not None:
                on_declared(template.name, terms.tags)
            wanted: list[object] = [] if type is None else [type]

            @functools.wraps(function)
            async def cached(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - those of the function
                if not wanted:
                    wanted.append(returned_by(function))
                place, tags = template.of(args, kwargs)
                own = ValueTerms(
                    ttl=terms.ttl,
                    tags=tags,
                    stale_while_revalidate=terms.stale_while_revalidate,
                    stale_if_error=terms.stale_if_error,
                )
                call = functools.partial(function, *args, **kwargs)
                return await self.get_or_set(place, call, own, wanted[0], template.name)

            return cached

        return decorate

    async def _find(self, key: CacheKey) -> tuple[StoredResponse | None, float | None, bool]:
        """Return the value, since when it is marked stale, and whether nothing was there, not even what is purged."""
        record = await self._cache.fetch(key)
        if not isinstance(record, StoredResponse):
            return None, None, record is None
        standing = self._cache.ledger.standing(record)
        if standing == "purged":
            return None, None, False
        return record, standing.at if isinstance(standing, MarkedStale) else None, False

    async def _fly(
        self,
        key: CacheKey,
        factory: Callable[[], object],
        terms: ValueTerms,
        stale: StoredResponse | None,
        decoder: msgspec.msgpack.Decoder[Any],
        route: str,
        *,
        is_absent: bool,
    ) -> Any:  # noqa: ANN401 - as get_or_set
        """Wait for the call under way, or begin one. After a failure one of those who wait tries again, then all do."""
        refuse_itself(self, key)
        loop = asyncio.get_running_loop()
        epoch = self._cache.ledger.version
        attempt = 1
        while True:
            flight = self._flights.find(_known_as(key)) if attempt <= MAX_ATTEMPTS else None
            is_mine = flight is None or flight.loop is not loop
            if flight is None or is_mine:
                if self._cache.emit is not None:
                    self._cache.emit(CacheMiss(key=key, route=route, reason="uri-miss" if stale is None else "stale"))
                flight = self._begin(key, factory, terms, stale, decoder, route, attempt, is_absent=is_absent)
            making = self._makings.get(flight)
            if making is not None:  # else it is over
                await over(making)
            result = flight.result
            if flight.state == "landed" and result is not None:
                outdated = result.epoch < epoch and self._cache.ledger.standing(result) != "good"
                if is_mine or flight.is_fallback or not outdated:
                    value = landed_value(flight.remark, result, decoder)
                    if value is not UNREADABLE:
                        note_value(_named(result.route), result.tags)
                        if isinstance(flight.remark, frozenset):
                            # It was made of defaults, and so is what is made of it.
                            note_missing(flight.remark)
                        if not is_mine and self._cache.emit is not None:
                            self._cache.emit(Collapsed(key=key, route=route))
                        return value
                    assert not is_mine
                    # Made as another type for who asked first: each type is made for itself.
                    attempt = MAX_ATTEMPTS + 1
                    continue
                self._flights.end(_known_as(key), flight)
                continue
            if is_mine:
                assert isinstance(flight.remark, BaseException)
                raise flight.remark
            attempt = flight.attempt + 1

    def _begin(
        self,
        key: CacheKey,
        factory: Callable[[], object],
        terms: ValueTerms,
        stale: StoredResponse | None,
        decoder: msgspec.msgpack.Decoder[Any],
        route: str,
        attempt: int,
        *,
        is_absent: bool,
        is_refresh: bool = False,
    ) -> Flight[StoredResponse]:
        """Call *factory* in the background; as a refresh, which nobody waits for, within the time limit of those."""
        loop = asyncio.get_running_loop()
        flight = self._flights.begin(_known_as(key), loop, attempt)
        self._makings[flight] = Making(owner=self, key=key, flight=flight)
        making = self._make(
            flight, key, factory, terms, stale, decoder, route, is_absent=is_absent, is_refresh=is_refresh
        )
        self._cache.own(loop.create_task(making))
        return flight

    async def _make(
        self,
        flight: Flight[StoredResponse],
        key: CacheKey,
        factory: Callable[[], object],
        terms: ValueTerms,
        stale: StoredResponse | None,
        decoder: msgspec.msgpack.Decoder[Any],
        route: str,
        *,
        is_absent: bool,
        is_refresh: bool,
    ) -> None:
        cache = self._cache
        enter(self._makings[flight], is_refresh=is_refresh)
        # It is made for all who wait: each is held to its own deadline, and none to that of the first.
        current.set(None)
        notes = Notes()
        # What a refresh calls is no part of what goes on without it.
        if is_refresh:
            notes_here.set(None)
        notes.open()
        claim: Claim | None = None
        is_stored = False
        try:
            if cache.claims is not None:
                claim, found = await self._take_turn(key, decoder, is_absent=is_absent)
                if found is not None:
                    flight.land(found)
                    return
            moment, epoch, seen = cache.drops, cache.ledger.version, cache.ledger.seen
            async with asyncio.timeout(cache.options.refresh_timeout if is_refresh else None):
                value = await _called(factory)
            body, learned, now = written(value, key), built_from(notes), cache.clock()
            entry = _entry(key, body, terms, cache.options, learned, now, epoch=epoch, seen=seen, route=route)
            reason, misfit = None, None
            if read_value(decoder, entry) is UNREADABLE:
                reason, misfit = "other-type", Misfit(value, decoder)
            elif notes.missing:
                reason = "degraded"
            elif len(entry.body) > cache.options.max_body:
                reason = "too-large"
            elif cache.dropped_since(key, moment) or cache.ledger.standing(entry) == "purged":
                reason = "purged"
            else:
                is_stored = await cache.keep(key, entry)
            if cache.emit is not None:
                if reason is not None:
                    cache.emit(NotStored(key=key, route=route, reason=reason))
                elif is_stored:
                    cache.emit(Stored(key=key, route=route, lifetime=entry.lifetime, size=len(entry.body)))
            flight.land(entry, remark=misfit if misfit is not None else notes.missing)
        except Exception as error:
            self._failed(flight, key, stale, route, error)
        except BaseException as error:
            flight.remark = error
            raise
        finally:
            self._flights.end(_known_as(key), flight)
            if not flight.is_over:
                flight.remark = flight.remark or asyncio.CancelledError()
                flight.fail()
            self._makings.pop(flight, None)
            if claim is not None:
                claim.end(is_stored=is_stored)
            learn(cache, "callable", _named(route), notes)

    def _failed(
        self, flight: Flight[StoredResponse], key: CacheKey, stale: StoredResponse | None, route: str, error: Exception
    ) -> None:
        cache = self._cache
        if stale is not None:
            cache.refresh_failed(key, stale, type(error).__name__)
            if may_stand_in(cache, stale):
                flight.land(stale, is_fallback=True)
                return
        elif cache.emit is not None:
            cache.emit(RefreshFailed(key=key, route=route, cause=type(error).__name__))
        flight.remark = error
        flight.fail()

    async def _take_turn(
        self, key: CacheKey, decoder: msgspec.msgpack.Decoder[Any], *, is_absent: bool
    ) -> tuple[Claim | None, StoredResponse | None]:
        """Return a claim, or what another process stored meanwhile; neither, where one has waited enough."""
        claims = self._cache.claims
        assert claims is not None
        for patience in patiences(claims, None):
            claim = await claims.claim(key, patience, is_absent=is_absent)
            if claim is not None:
                return claim, None
            found, marked, is_absent = await self._find(key)
            if found is not None and read_value(decoder, found) is not UNREADABLE:
                decision = reuse(found, self._cache.clock(), None, marked_stale_at=marked)
                if isinstance(decision, Fresh):
                    return None, found
        return None, None


def value_key(key: str) -> CacheKey:
    """Return the key of a value that is known by a text."""
    return (KIND, key)


def _named(route: str) -> str:
    """Return the name under which a graph knows the values of *route*: "" for those that have none of their own."""
    return "" if route == GET_OR_SET else route


def _known_as(key: CacheKey) -> FlightKey:
    return (key, (), ())


def _without_stop(factory: Callable[[], object]) -> object:
    try:
        return factory()
    except StopIteration as error:
        # No future can hold one, so that those who wait would wait for ever.
        raise RuntimeError("the function raised StopIteration") from error


async def _called(factory: Callable[[], object]) -> object:
    if inspect.iscoroutinefunction(factory) or inspect.iscoroutinefunction(getattr(factory, "func", None)):
        result = factory()
    else:
        result = await asyncio.to_thread(_without_stop, factory)
    return await result if inspect.isawaitable(result) else result


def _entry(
    key: CacheKey,
    body: bytes,
    terms: ValueTerms,
    options: CacheOptions,
    learned: tuple[str, ...],
    now: float,
    *,
    epoch: int,
    seen: int,
    route: str,
) -> StoredResponse:
    revalidate, if_error = terms.stale_while_revalidate, terms.stale_if_error
    return StoredResponse(
        key=key,
        status=200,
        headers=[],
        body=body,
        stored_at=now,
        date=now,
        born=now,
        lifetime=float(terms.ttl),
        stale_while_revalidate=float(options.stale_while_revalidate if revalidate is None else revalidate),
        stale_if_error=float(options.stale_if_error if if_error is None else if_error),
        tags=(*terms.tags, *learned),
        learned=len(learned),
        route=route,
        epoch=epoch,
        seen=seen,
    )
