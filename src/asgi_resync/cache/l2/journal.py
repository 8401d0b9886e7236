"""The journal of purges in Redis: versions for them, what changed, and who must hear of it. It decides nothing.

A *cluster version* is an integer, the larger of the last one plus one and Redis's clock in microseconds. So versions
grow as long as Redis remembers, or a process that has seen the last one speaks to it, or its clock goes on: a primary
that takes over after losing data may be behind by as much as has passed since the last purge. No other clock matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from ..._asgi import Clock
from ..tags import EVERYTHING, MAX_TAGS
from .frames import MAX_VERSION
from .journal_scripts import LOOK, WRITE
from .ports import Link, Script, Unreachable

MAX_DROPS = 10_000
PAGE = 500
REACH = 600.0
"""Seconds after which a dropped key is forgotten, and whoever was away for longer trusts nothing it had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed since a version, and what else a look brought.

    `upto` is the version up to which the look told everything, `is_complete` False if there is more to ask for.
    `has_gap` if changes may have been forgotten, `was_forgotten` if Redis does not remember what it told this process,
    `is_other` if the journal began anew since the last look. Soft marks have their age in seconds; keys are
    `key_bytes`.
    """

    is_other: bool
    upto: int
    is_complete: bool
    has_gap: bool
    was_forgotten: bool
    hard: tuple[tuple[str, int], ...]
    soft: tuple[tuple[str, int, float], ...]
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of purges: the version of the last of them, and that of the change before them.

    `members` are the other processes with a lease, `lapsed` is the number of those whose lease ended without farewell,
    or is no longer known.
    `is_other` if the journal began anew since the last look.
    """

    is_other: bool
    previous: int
    version: int
    changed: int
    members: frozenset[str]
    lapsed: int


class _Looked(msgspec.Struct, array_like=True, frozen=True):
    """The reply to `LOOK`."""

    incarnation: bytes
    now: int
    upto: int
    is_complete: int
    has_gap: int
    before: bytes
    lease_end: int
    hard: list[bytes]
    soft: list[bytes]
    moments: list[bytes]
    drops: list[bytes]
    members: list[bytes]


class _Entered(msgspec.Struct, array_like=True, frozen=True):
    """The reply to `WRITE`."""

    incarnation: bytes
    previous: int
    version: int
    changed: int
    lease_end: int
    lapsed: int
    alive: list[bytes]


class Journal:
    """One process's access to the journal under *prefix*.

    *lease* is for how long a process counts as alive without a look, *forget* for how long after that it may still
    answer from its memory, *horizon* for how long a purge may concern any record: all in seconds.
    """

    def __init__(
        self,
        link: Link,
        *,
        prefix: str,
        channel: str,
        node: str,
        lease: float,
        forget: float,
        horizon: float,
        monotonic: Clock,
        rng: Callable[[], float],
    ) -> None:
        self.incarnation = b""
        """The name of the journal at the last look, empty before the first."""
        prefix = prefix.replace("{", "(").replace("}", ")") + "{purges}:"
        self._names = tuple(prefix + name for name in ("state", "hard", "soft", "moments", "drops", "members"))
        self._link = link
        self._channel = channel
        self.node = node
        self._lease = round(lease * 1e6)
        self.forget(forget)
        self._horizon = round(max(horizon, REACH) * 1e6)
        self._lease_end = 0
        self._rng = rng
        self._monotonic = monotonic
        self._peers: frozenset[str] = frozenset()
        # Those that a journal which was lost knew, and until when they may answer from memory.
        self._lost: dict[str, float] = {}

    def forget(self, seconds: float) -> None:
        """Count with *seconds* for which a process that is not heard of may answer from its memory."""
        self._forget = round(seconds * 1e6)

    async def look(self, seen: int) -> Changes:
        """Renew the lease, and return what changed after *seen*. Raises Unreachable."""
        expected = self._lease_end
        reply = await self._run(LOOK, seen, PAGE)
        try:
            looked = msgspec.convert(reply, _Looked)
            soft = zip(_pairs(looked.soft), looked.moments, strict=True)
            peers = frozenset(member.decode() for member in looked.members)
            changes = Changes(
                is_other=self.incarnation not in (b"", looked.incarnation),
                upto=_version(looked.upto),
                is_complete=looked.is_complete == 1,
                has_gap=looked.has_gap == 1,
                was_forgotten=_version(looked.before) < expected,
                hard=tuple((tag.decode(), _version(score)) for tag, score in _pairs(looked.hard)),
                soft=tuple(
                    (tag.decode(), version, age)
                    for (tag, score), moments in soft
                    for version, age in _soft_marks(_version(score), moments, looked.now)
                ),
                keys=tuple(key for key, _ in _pairs(looked.drops)),
            )
        except (msgspec.ValidationError, ValueError, OverflowError) as error:
            raise Unreachable("GarbledReply") from error
        if changes.is_other:
            until = self._monotonic() + (self._lease + self._forget) / 1e6
            self._lost |= dict.fromkeys(self._peers, until)
        self._peers = peers
        self._lost = {name: until for name, until in self._lost.items() if name not in peers}
        self.incarnation = looked.incarnation
        self._lease_end = looked.lease_end
        return changes

    async def stamp(self, seen: int) -> int:
        """Return a version later than all there are. Raises Unreachable."""
        return (await self.write(seen, payload=b"", hard=(), soft=())).version

    async def write(
        self,
        seen: int,
        *,
        payload: bytes,
        hard: Sequence[tuple[str, int]],
        soft: Sequence[tuple[str, int, float]],
        keys: Sequence[bytes] = (),
    ) -> Written:
        """Enter purges, and publish *payload* with their versions.

        A tag has a version: if the journal has one as late for it, it is left out; 0 if it is new. Soft ones have
        their age in seconds too. Raises Unreachable; they may have been entered all the same.
        """
        purges: list[str | bytes | int] = []
        for tag, known in hard:
            purges += (tag, known)
        for tag, known, age in soft:
            purges += (tag, known, max(0, round(age * 1e6)))
        bounds = (self._horizon, round(REACH * 1e6), MAX_TAGS, MAX_DROPS)
        counts = (len(hard), len(soft), len(keys))
        rest = (*bounds, EVERYTHING, self._channel, payload, *counts, *purges, *keys)
        reply = await self._run(WRITE, seen, *rest)
        try:
            entered = msgspec.convert(reply, _Entered)
            members = frozenset(member.decode() for member in entered.alive) - {self.node}
            is_other = entered.incarnation != self.incarnation
            lost = {name for name, until in self._lost.items() if until > self._monotonic()}
            unknown = (lost | (self._peers if is_other else set())) - members - {self.node}
            written = Written(
                is_other=is_other,
                previous=_version(entered.previous),
                version=_version(entered.version),
                changed=_version(entered.changed),
                members=members,
                lapsed=entered.lapsed + len(unknown),
            )
        except (msgspec.ValidationError, ValueError, OverflowError) as error:
            raise Unreachable("GarbledReply") from error
        self._lease_end = entered.lease_end
        self._peers |= members
        return written

    def met(self, node: str) -> None:
        """Take *node* for one that the journal knows, which said so itself: it may be lost before the next look."""
        self._peers |= {node}

    async def leave(self) -> None:
        """Say farewell: nobody waits for this process any more. Raises Unreachable."""
        await self._link.execute("ZREM", self._names[5], self.node)
        self._lease_end = 0

    async def publish(self, frame: bytes) -> None:
        """Tell all processes. Raises Unreachable."""
        await self._link.execute("PUBLISH", self._channel, frame)

    async def _run(self, script: Script, seen: int, *rest: str | bytes | int) -> object:
        # Names the journal if there is none.
        token = f"{self.node}-{self._rng() * 2**52:.0f}"
        arguments = (self.node, seen, token, self._lease, self._forget, *rest)
        return await self._link.script(script, self._names, arguments)


def _version(value: int | bytes) -> int:
    version = int(float(value))
    if not 0 <= version <= MAX_VERSION:
        raise ValueError(version)
    return version


def _pairs(rows: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(rows[::2], rows[1::2], strict=True))


def _soft_marks(version: int, moments: bytes, now: int) -> list[tuple[int, float]]:
    """Return version and age in seconds of the marks of one tag, the older first."""
    moment, older, since = map(int, moments.split()) if moments else (version, 0, 0)
    marks = [(older, (now - since) / 1e6)] if older else []
    return [*marks, (version, (now - moment) / 1e6)]
