"""One app call for many requests. It knows neither HTTP nor stores: it joins those who wait with the one that flies.

A flight is of one event loop; a request on another loop flies alone. Nothing here waits for a lock, and a cancelled
waiter leaves without a trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

State = Literal["aloft", "decided", "landed", "turned-back", "failed"]

MAX_ATTEMPTS = 2
"""A failed leader lets one successor try; after that all go alone."""


class Flight(Generic[T]):
    """The app call that others may wait for. Its states:

    `aloft`: under way, nothing known. `decided`: the response may be kept, `terms` says for whom; its body is to come.
    `landed`: `result` is there for those it fits. `turned-back`: the response is for its own request only.
    `failed`: there is no usable response; one successor may try.

    The last three are final: whoever says something else later is not heard.
    """

    __slots__ = (
        "_began", "_gone", "_waiters", "attempt", "followers", "is_fallback", "is_promised", "is_sending", "is_timely",
        "loop", "on_deserted", "on_over", "remark", "result", "state", "terms",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, attempt: int = 1) -> None:
        self.loop = loop
        self.attempt = attempt
        self.state: State = "aloft"
        self.terms: object = None
        self.result: T | None = None
        self.remark: object = None
        self.is_fallback = False
        """True if the result is what was kept for the case of an error, which has come."""
        self.followers = 0
        """Requests that follow it, whether they wait at this moment or are about to look again."""
        self.is_sending = False
        """True while the app waits for the leader's client to take a message."""
        self.on_over: Callable[[], object] | None = None
        """What to call once, at the moment its state is final."""
        self.is_timely = False
        """True if the result, should it be stale already, is so only for the time that the call took."""
        self.is_promised = False
        """True once something said that the response will be for others too, though it is not there yet."""
        self.on_deserted: Callable[[], object] | None = None
        """What to call if the last follower leaves before the end."""
        self._waiters: dict[asyncio.Future[None], None] = {}
        self._began = loop.time()
        self._gone = 0

    @property
    def is_over(self) -> bool:
        """Whether the state is final."""
        return self.state not in ("aloft", "decided")

    def join(self) -> None:
        """Count one more follower."""
        self.followers += 1

    def leave(self) -> None:
        """Count one follower less; where it was the last, those who look whether anybody follows are woken."""
        self.followers -= 1
        if not self.followers and not self.is_over:
            self._wake()
            if self.on_deserted is not None:
                self.on_deserted()

    def promise(self) -> None:
        """Tell that the response will be for others too. May be called from any thread."""
        self.is_promised = True

    def until_next_round(self, seconds: float) -> float:
        """Return the time until another round of waiting is over, if one takes *seconds*."""
        return seconds - (self.loop.time() - self._began) % seconds

    def lets_go(self, seconds: float) -> bool:
        """Return whether one more of the followers may give up waiting, if a round takes *seconds*.

        One may after the first round, two after the second, then four: a slow call does not let everybody loose at
        once, and one that never ends holds nobody for long. None may once the response is promised.
        """
        rounds = min(int((self.loop.time() - self._began) / seconds), 32)
        if self.is_promised or self._gone >= 2**rounds - 1:
            return False
        self._gone += 1
        return True

    async def change(self) -> None:
        """Wait until the state changes or the last follower leaves. Cancelling the wait disturbs nobody."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        self._waiters[waiter] = None
        try:
            await waiter
        finally:
            self._waiters.pop(waiter, None)

    def decide(self, terms: object) -> None:
        """Tell that the response will be kept, for requests that *terms* fit."""
        if not self.is_over:
            self.terms = terms
            self._become("decided")

    def land(self, result: T, *, is_fallback: bool = False, remark: object = None) -> None:
        """Give *result* to those who wait, with a *remark* for all of them."""
        if not self.is_over:
            self.result = result
            self.remark = remark
            self.is_fallback = is_fallback
            self._become("landed")

    def turn_back(self) -> None:
        """Release those who wait: the response is not theirs."""
        self._become("turned-back")

    def fail(self) -> None:
        """Release those who wait: one of them may try next."""
        self._become("failed")

    def _become(self, state: State) -> None:
        if self.is_over:
            return
        self.state = state
        if state not in ("aloft", "decided") and self.on_over is not None:
            on_over, self.on_over = self.on_over, None
            on_over()
        self._wake()

    def _wake(self) -> None:
        if self._waiters:
            waiters, self._waiters = self._waiters, {}
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)


FlightKey = tuple[Hashable, tuple[bytes, ...], tuple[object, ...]]
"""The primary key, the request fields known to tell variants apart, and what the request sends in them."""


class Flights(Generic[T]):
    """The flights under way, by key."""

    __slots__ = ("_aloft",)

    def __init__(self) -> None:
        self._aloft: dict[FlightKey, Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._aloft)

    def find(self, key: FlightKey) -> Flight[T] | None:
        """Return the flight under way for *key*, None also if it has failed or its loop is gone: begin another then."""
        flight = self._aloft.get(key)
        # A failed leader may still be sending its error, for as long as its client likes.
        if flight is not None and (flight.state == "failed" or flight.loop.is_closed()):
            self.end(key, flight)
            return None
        return flight

    def begin(self, key: FlightKey, loop: asyncio.AbstractEventLoop, attempt: int = 1) -> Flight[T]:
        """Enter a flight for *key*, in place of any other."""
        flight: Flight[T] = Flight(loop, attempt)
        self._aloft[key] = flight
        return flight

    def end(self, key: FlightKey, flight: Flight[T]) -> None:
        """Take *flight* off the board, unless another has taken its place."""
        if self._aloft.get(key) is flight:
            del self._aloft[key]

    def void(self, primary: Hashable) -> None:
        """Let no flight for *primary* be joined any more: what it was asked for has changed since."""
        # The list is made in one step, since another thread may begin a flight meanwhile.
        for key, flight in list(self._aloft.items()):
            if key[0] == primary:
                self.end(key, flight)
