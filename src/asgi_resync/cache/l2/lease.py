"""One call of the app per cluster: a lease per key in Redis, with a token, that expires by itself.

It refuses to be a lock: a process that outlives its lease goes on and may store what it got, one that has waited long
enough calls the app itself, and without Redis everybody does. Only the holder of the token gives a lease back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

from ...events import CacheKey
from ..claims import Claim
from .messages import LeaseEnded, Message
from .names import Names, digest_of, key_bytes
from .ports import Link, Script, Unreachable

SOONEST = 0.005
"""Seconds between two looks at a lease that should have expired: clocks need not agree about the millisecond."""

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
        is_well: Callable[[], bool] = lambda: True,
    ) -> None:
        self._link = link
        self._names = names
        self._origin = origin
        self._seconds = seconds
        self._encode = encode
        self._written = written
        self._is_well = is_well
        self._numbers = count()
        self._waiting: dict[CacheKey, set[asyncio.Future[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()

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
        until = loop.time() + (self._seconds if patience is None else min(patience, self._seconds))
        # Before Redis is asked, lest the lease end between its answer and our waiting.
        ended: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(key, set()).add(ended)
        try:
            while True:
                arguments = (token, max(1, round(self._seconds * 1000)), int(is_absent))
                try:
                    left = await self._link.script(CLAIM, (lease, record), arguments)
                except Unreachable:
                    return _NOTHING
                except asyncio.CancelledError:
                    # It may have been granted all the same.
                    self._give_back(key, raw, token, is_stored=False)
                    raise
                if left == 0:
                    return _Lease(self, key, raw, token)
                if left == -1 or ended.done():
                    return None
                patient = until - loop.time()
                if patient <= 0:
                    return None if patience == 0 else _NOTHING
                remaining = max(SOONEST, left / 1000 if isinstance(left, int) else 0.0)
                if not await _done(ended, min(patient, remaining)) and patient < remaining:
                    return _NOTHING
                if ended.done():
                    return None
        finally:
            waiting = self._waiting[key]
            waiting.discard(ended)
            if not waiting:
                del self._waiting[key]

    def woken(self, key: CacheKey) -> None:
        """Wake those who wait for the lease on *key*: it has ended."""
        for ended in list(self._waiting.get(key, ())):
            if not ended.done():
                ended.get_loop().call_soon_threadsafe(_wake, ended)

    async def aclose(self) -> None:
        """Wait for the leases of this loop that are being given back."""
        loop = asyncio.get_running_loop()
        if mine := {task for task in self._ending if task.get_loop() is loop}:
            await asyncio.wait(mine)

    def _give_back(self, key: CacheKey, raw: bytes, token: str, *, is_stored: bool) -> None:
        task = asyncio.get_running_loop().create_task(self._end(key, raw, token, is_stored=is_stored))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, key: CacheKey, raw: bytes, token: str, *, is_stored: bool) -> None:
        if is_stored:
            await self._written(key)
        message = self._encode(LeaseEnded(origin=self._origin, key=raw, token=token, is_stored=is_stored))
        try:
            await self._link.script(END, (self._names.lease(digest_of(raw)),), (token, self._names.channel, message))
        except Unreachable:
            pass  # It expires.


class _Lease:
    """A lease that Redis granted."""

    __slots__ = ("_is_over", "_key", "_leases", "_raw", "_token")

    def __init__(self, leases: Leases, key: CacheKey, raw: bytes, token: str) -> None:
        self._leases = leases
        self._key = key
        self._raw = raw
        self._token = token
        self._is_over = False

    def end(self, *, is_stored: bool) -> None:
        """See `Claim.end`."""
        if not self._is_over:
            self._is_over = True
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
