"""One call of the app per cluster: a lease per key in Redis, with a token, that expires by itself.

It refuses to be a lock: a process that outlives its lease goes on and may store what it got, one that has waited long
enough calls the app itself, and without Redis everybody does. Only the holder of the token gives a lease back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count

from ...events import CacheKey
from ..claims import Claim
from .messages import LeaseEnded, Message
from .names import Names, digest_of, key_bytes
from .ports import Link, Script, Unreachable

PROBATION = 0.4
"""Seconds that a lease lasts at first: what a Redis that was frozen grants, late, to who has gone, is in the way for
no longer, even where it cannot be given back."""
CONFIRMED = 0.1
"""Seconds after which a call that still goes on makes its lease last: most calls are over by then."""
RETRY = 0.25
"""Seconds, about, between attempts to give back a lease to a Redis that is away."""
AGAIN = (0.1, 0.4, 1.0)
"""Pauses in seconds after which a lease is given back again that may be granted late: what was sent to a Redis that
froze, or is held up on its way, is carried out when it thaws."""
NEWS = 0.05
"""Seconds that the word of an end may take to arrive after the end itself."""
SOONEST = 0.005
"""Seconds between two looks at a lease that should have expired: clocks need not agree about the millisecond."""
LONGEST = 0.1
"""Seconds between two looks at a lease that is waited for: whoever is told of its end by nobody, since Redis froze or
the message was lost, notices within that time."""

# Returns 0 for a lease granted, -1 if there is a record where there was none, else the milliseconds that the lease of
# another has left. That somebody waits is noted behind the token, so that a lease nobody asks for ends without a word.
CLAIM = Script(
    """
if ARGV[3] == '1' and redis.call('EXISTS', KEYS[2]) == 1 then return -1 end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
local held = redis.call('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
if string.sub(held, -1) ~= '!' then redis.call('SET', KEYS[1], held .. '!', 'PX', math.max(left, 1)) end
return math.max(left, 1)
"""
)

KEEP = Script(
    """
local held = redis.call('GET', KEYS[1])
if held == ARGV[1] or held == ARGV[1] .. '!' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
)

END = Script(
    """
local held = redis.call('GET', KEYS[1])
if held == ARGV[1] then
  redis.call('DEL', KEYS[1])
elseif held == ARGV[1] .. '!' then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return 0
"""
)


class Leases:
    """Claims by leases of *seconds* in Redis. *origin* is this process's id, *encode* makes messages bytes.

    *written* waits until what was stored under a key has reached Redis, for as long as it likes: a lease ends after it.
    Leases are given back by *patient*, a link that no request waits for and no breaker guards: it is there again first.
    While *is_well* says that Redis is not, nobody waits for it.
    It is bound to no event loop until used, and `aclose` waits for the leases that are being given back.
    """

    def __init__(
        self,
        link: Link,
        names: Names,
        *,
        origin: str,
        seconds: float,
        encode: Callable[[Message], bytes],
        written: Callable[[CacheKey], Awaitable[None]],
        patient: Link | None = None,
        is_well: Callable[[], bool] = lambda: True,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._link = link
        self._patient = patient if patient is not None else link
        self._names = names
        self._origin = origin
        self.longest = seconds
        self._encode = encode
        self._written = written
        self._is_well = is_well
        self._rng = rng
        self._numbers = count()
        self._waiting: dict[CacheKey, set[asyncio.Future[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._repeating: set[asyncio.Task[None]] = set()
        """Those of them that have given it back once."""

    def rename(self, origin: str) -> None:
        """Be known as *origin* from now on: after a fork."""
        self._origin = origin

    async def claim(self, key: CacheKey, patience: float | None, *, is_absent: bool) -> Claim | None:
        """See `Claims.claim`."""
        if not self._is_well():
            # A look into the store has just failed: a request waits for one deadline and no second.
            return _NOTHING
        loop = asyncio.get_running_loop()
        raw = key_bytes(key)
        digest = digest_of(raw)
        lease, record = self._names.lease(digest), self._names.record(digest)
        token = f"{self._origin}:{next(self._numbers)}"
        until = loop.time() + (self.longest if patience is None else min(patience, self.longest))
        # Before Redis is asked, lest the lease end between its answer and our waiting.
        ended: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(key, set()).add(ended)
        has_waited = False
        try:
            while True:
                arguments = (token, _px(min(PROBATION, self.longest)), int(is_absent))
                try:
                    left = await self._link.script(CLAIM, (lease, record), arguments)
                except Unreachable as error:
                    if error.cause != "open":
                        # It may have been granted all the same, or may be yet.
                        self._give_back(key, raw, token, is_stored=False, again=AGAIN)
                    return _NOTHING
                except asyncio.CancelledError:
                    self._give_back(key, raw, token, is_stored=False, again=AGAIN)
                    raise
                if left == 0:
                    granted = _Lease(self, key, raw, token)
                    return granted if await self._is_due(granted, ended, has_waited=has_waited) else None
                if left == -1 or ended.done():
                    return None
                patient = until - loop.time()
                if patient <= 0:
                    return None if patience == 0 else _NOTHING
                has_waited = True
                remaining = max(SOONEST, left / 1000 if isinstance(left, int) else 0.0)
                if await _done(ended, min(patient, remaining, LONGEST)):
                    return None
        finally:
            waiting = self._waiting[key]
            waiting.discard(ended)
            if not waiting:
                del self._waiting[key]

    async def _is_due(self, granted: _Lease, ended: asyncio.Future[None], *, has_waited: bool) -> bool:
        """Return whether the app is to be called by the lease *granted*; if not, it is given back.

        Where the lease of another was waited for, it may have ended in order, and the word of that, with all that the
        store is to be asked again for, be under way yet.
        """
        try:
            if not (ended.done() or (has_waited and await _done(ended, NEWS))):
                return True
        except asyncio.CancelledError:
            granted.end(is_stored=False)
            raise
        granted.end(is_stored=False)
        return False

    def woken(self, key: CacheKey) -> None:
        """Wake those who wait for the lease on *key*: it has ended."""
        for ended in list(self._waiting.get(key, ())):
            if not ended.done():
                ended.get_loop().call_soon_threadsafe(_wake, ended)

    async def aclose(self) -> None:
        """Wait a second at most for the leases of this loop that are being given back; the rest expire."""
        loop = asyncio.get_running_loop()
        if mine := {task for task in self._ending if task.get_loop() is loop}:
            self._is_closing = True
            for task in mine & self._repeating:
                task.cancel()
            _, late = await asyncio.wait(mine, timeout=1.0)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
            self._is_closing = False

    def _give_back(
        self, key: CacheKey, raw: bytes, token: str, *, is_stored: bool, again: tuple[float, ...] = ()
    ) -> None:
        self._in_background(self._end(key, raw, token, is_stored=is_stored, again=again))

    def _in_background(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        task.add_done_callback(self._repeating.discard)

    async def _end(self, key: CacheKey, raw: bytes, token: str, *, is_stored: bool, again: tuple[float, ...]) -> None:
        if is_stored:
            await self._written(key)
        message = self._encode(LeaseEnded(origin=self._origin, key=raw, token=token, is_stored=is_stored))
        name, arguments = self._names.lease(digest_of(raw)), (token, self._names.channel, message)
        loop = asyncio.get_running_loop()
        # It expires by itself, but that may be long for those who wait: a Redis that was away for a moment is told yet.
        until = loop.time() + self.longest
        task = asyncio.current_task()
        assert task is not None
        while loop.time() < until:
            try:
                await self._patient.script(END, (name,), arguments)
            except Unreachable:
                await asyncio.sleep(RETRY * (0.5 + self._rng()))
                continue
            if not again or self._is_closing:
                return
            self._repeating.add(task)
            await asyncio.sleep(again[0])
            again = again[1:]

    async def _keep(self, raw: bytes, token: str) -> None:
        try:
            await self._link.script(KEEP, (self._names.lease(digest_of(raw)),), (token, _px(self.longest)))
        except Unreachable:
            pass  # It expires early, and then another process may call the app too.


class _Lease:
    """A lease that Redis granted. It is made to last if the call goes on for long."""

    __slots__ = ("_is_over", "_key", "_leases", "_raw", "_timer", "_token")

    def __init__(self, leases: Leases, key: CacheKey, raw: bytes, token: str) -> None:
        self._leases = leases
        self._key = key
        self._raw = raw
        self._token = token
        self._is_over = False
        self._timer = asyncio.get_running_loop().call_later(CONFIRMED, self._confirm)

    def _confirm(self) -> None:
        self._leases._in_background(self._leases._keep(self._raw, self._token))

    def end(self, *, is_stored: bool) -> None:
        """See `Claim.end`."""
        if not self._is_over:
            self._is_over = True
            self._timer.cancel()
            self._leases._give_back(self._key, self._raw, self._token, is_stored=is_stored)


class _Nothing:
    """The claim of whoever calls the app without having been granted a lease."""

    def end(self, *, is_stored: bool) -> None:
        """Nothing to give back."""


_NOTHING = _Nothing()


def _wake(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


async def _done(ended: asyncio.Future[None], seconds: float) -> bool:
    """Wait for *ended*, *seconds* at most. Returns whether it is done."""
    done, _ = await asyncio.wait({ended}, timeout=seconds)
    return bool(done)


def _px(seconds: float) -> int:
    return max(1, round(seconds * 1000))
