"""Telling whom it concerns what becomes of a call of the app: those who wait for it, the memory of what passes, and
the listener. It decides nothing and sends nothing.
"""

from __future__ import annotations

from .._asgi import RawHeaders
from ..events import CacheKey, NotStored, Refreshed, RefreshFailed, Stored
from .cache import Cache
from .entry import StoredResponse
from .flight import Flight

LASTING = frozenset(
    {
        "no-store",
        "private",
        "no-lifetime",
        "set-cookie",
        "event-stream",
        "vary-star",
        "too-large",
        "trailers",
        "extension",
    }
)
"""Reasons not to store that speak of the resource, not of one request: others need not wait for the like of it."""


class Outcome:
    """What becomes of a call for *key*, which *flight* or nobody waits for.

    *relief* is a flight that takes long: its followers get what comes first, but a failure is not theirs.
    """

    __slots__ = ("_cache", "_flight", "_key", "_relief", "_route")

    def __init__(
        self,
        cache: Cache,
        key: CacheKey,
        route: str,
        flight: Flight[StoredResponse] | None,
        relief: Flight[StoredResponse] | None,
    ) -> None:
        self._cache = cache
        self._key = key
        self._route = route
        self._flight = flight
        self._relief = relief

    def promise(self) -> None:
        """Those who wait need not ask for themselves: something said that the response will be for them."""
        told = self._flight if self._flight is not None else self._relief
        if told is not None:
            told.promise()

    def decide(self, terms: object, *, is_timely: bool) -> None:
        """The response will be kept, for requests that *terms* fit; *is_timely* as of the `Flight`."""
        if self._flight is not None:
            self._flight.is_timely = is_timely
            self._flight.decide(terms)

    def land(self, entry: StoredResponse, *, is_timely: bool) -> None:
        """Here is *entry* for those who wait."""
        if self._flight is not None:
            self._flight.is_timely = is_timely
            self._flight.land(entry)
        if (relief := self._relief) is not None and relief.state == "aloft":
            relief.is_timely = is_timely
            relief.decide((entry.vary, entry.variant))
            relief.land(entry)

    def turn_back(self) -> None:
        """The response is for its own request only."""
        if self._flight is not None:
            self._flight.turn_back()
        if self._relief is not None and self._relief.state == "aloft":
            self._relief.turn_back()

    def fail(self) -> None:
        """There is no usable response."""
        if self._flight is not None:
            self._flight.fail()

    def fall_back(self, entry: StoredResponse, cause: str, own: RawHeaders) -> None:
        """The app failed for *cause*, and *entry* answers in its place, with the lines of *own*."""
        if self._cache.emit is not None:
            self._cache.emit(RefreshFailed(key=self._key, route=entry.route, cause=cause))
        if self._flight is not None:
            self._flight.land(entry, is_fallback=True, remark=own)

    def not_stored(self, reason: str, status: int, *, is_marked: bool, is_degraded: bool = False) -> None:
        """The response, with *status*, is not kept for *reason*.

        *is_marked*: its handler has terms of its own; *is_degraded*: it was made for want of an upstream.
        """
        if status >= 500 or reason == "incomplete":
            # A failure is no reason to let everybody at the app at once.
            self.fail()
        else:
            self.turn_back()
            # A marked handler is asked anew each time: only running it shows its terms. And a layer that refuses a
            # request, to limit rates perhaps, does not speak for the handler behind it; nor does an outage.
            if reason in LASTING and not is_marked and not is_degraded and (reason != "no-lifetime" or status < 400):
                self._cache.passing.note(self._key, self._cache.clock())
        self.discarded(reason)

    def discarded(self, reason: str) -> None:
        """The response is not kept, though those who wait may have it."""
        if self._cache.emit is not None:
            self._cache.emit(NotStored(key=self._key, route=self._route, reason=reason))

    def stored(self, entry: StoredResponse, *, is_refresh: bool) -> None:
        """The response was kept as *entry*, in place of what was there if *is_refresh*."""
        if self._cache.emit is not None:
            size = len(entry.body)
            self._cache.emit(Stored(key=self._key, route=entry.route, lifetime=entry.lifetime, size=size))
            if is_refresh:
                self._cache.emit(Refreshed(key=self._key, route=entry.route, validated=False))

    def validated(self, entry: StoredResponse) -> None:
        """The app said that what is stored is still good, as *entry*."""
        if self._cache.emit is not None:
            self._cache.emit(Refreshed(key=self._key, route=entry.route, validated=True))
