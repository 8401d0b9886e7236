"""Which records of one shard stay and which go: S3-FIFO (Yang et al., SOSP 2023), weighted in bytes as well as counted.

It reads no clock, takes no lock and tells nobody: the time is an argument, and what happened is returned.

The rules:

- A new record enters the *small* queue. If its key was evicted a short while ago (a ghost), it enters *main* at once.
- When room is needed and small holds more than its share (a tenth, in entries or in bytes), the oldest of small goes:
  to main if it was used meanwhile, else out, and its key becomes a ghost.
- Otherwise the oldest of main goes: out if unused since it was last looked at, else it has one use taken off and
  becomes the newest of main. Nobody searches for ever: after `MAX_REPRIEVES` of these the next one goes out.
- An expired record goes out wherever it is met, whatever its uses, and leaves no ghost.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..events import CacheKey
from .store import Record

MAX_USES = 3
"""More uses than this count no more: two bits, as in the paper."""
SMALL_SHARE = 0.1
"""The part of a shard that new records get."""
MAX_REPRIEVES = 64
"""How many used records one eviction may pass over. It bounds the work; on the traces it costs no hit."""

_GHOST_BITS = (1 << 60) - 1  # An int of up to 60 bits takes 32 bytes, a whole hash takes 48.


class Link:
    """A place in a queue."""

    __slots__ = ("newer", "older")

    newer: Link
    older: Link


class Kept(Link):
    """A record that is kept, and its place. `uses` is raised without a lock by whoever reads the record.

    A reader stores what it read plus one, the shard what it read minus one, so a race can lose a use and can never
    bring the number out of bounds.
    """

    __slots__ = ("key", "queue", "record", "uses", "weight")

    queue: Queue

    def __init__(self, key: CacheKey, record: Record) -> None:
        self.key = key
        self.record = record
        self.weight = record.size
        self.uses = 0


class Queue(Link):
    """A first-in, first-out ring that any member can leave at any time. The queue itself closes the ring."""

    __slots__ = ("bytes", "entries")

    def __init__(self) -> None:
        self.newer = self.older = self
        self.entries = 0
        self.bytes = 0

    def __iter__(self) -> Iterator[Kept]:
        """Every member, oldest first."""
        link = self.newer
        while isinstance(link, Kept):
            yield link
            link = link.newer

    def append(self, kept: Kept) -> None:
        newest = self.older
        kept.older = newest
        kept.newer = self
        newest.newer = self.older = kept
        kept.queue = self
        self.entries += 1
        self.bytes += kept.weight

    def pop(self) -> Kept:
        """Remove the oldest member. The queue must not be empty."""
        kept = self.newer
        assert isinstance(kept, Kept)
        newer = kept.newer
        self.newer = newer
        newer.older = self
        del kept.newer, kept.older
        self.entries -= 1
        self.bytes -= kept.weight
        return kept

    def remove(self, kept: Kept) -> None:
        older, newer = kept.older, kept.newer
        older.newer = newer
        newer.older = older
        del kept.newer, kept.older  # Or who still holds this one would keep alive all that leave after it.
        self.entries -= 1
        self.bytes -= kept.weight


class Ghosts:
    """The keys evicted last, as bare hashes in two generations: when the newer is full, the older is forgotten.

    A collision makes a new record enter main by mistake, which harms nobody.
    """

    __slots__ = ("_earlier", "_recent")

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._earlier: set[int] = set()

    def __len__(self) -> int:
        return len(self._recent) + len(self._earlier)

    def add(self, key: CacheKey, room: int) -> None:
        """Remember *key*; *room* is how many keys may be remembered."""
        if len(self._recent) >= room // 2:
            self._earlier, self._recent = self._recent, set()
        self._recent.add(hash(key) & _GHOST_BITS)

    def take(self, key: CacheKey) -> bool:
        """Forget *key* and tell whether it was remembered."""
        mark = hash(key) & _GHOST_BITS
        if mark in self._recent:
            self._recent.remove(mark)
            return True
        if mark in self._earlier:
            self._earlier.remove(mark)
            return True
        return False

    def trim(self, room: int) -> None:
        """Forget a generation, or both, if more than *room* keys are remembered."""
        if len(self._recent) + len(self._earlier) > room:
            self._earlier = set()
            if len(self._recent) > room:
                self._recent = set()


class Shard:
    """A part of a memory store with bounds of its own. Call one method at a time; its index may be read meanwhile.

    Readers find the records in *index*, which several shards may share: each touches only the keys it is given.
    `puts` counts calls of `put`, `refusals` those that returned False, `evictions` the records that left for others to
    fit, `expirations` those that left since they had expired.
    """

    def __init__(self, index: dict[CacheKey, Kept], *, max_entries: int, max_bytes: int) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.puts = 0
        self.evictions = 0
        self.expirations = 0
        self.refusals = 0
        self._small_entries = SMALL_SHARE * max_entries
        self._small_bytes = SMALL_SHARE * max_bytes
        self._index = index
        self._small = Queue()
        self._main = Queue()
        self._ghosts = Ghosts()
        self._hand: Link = self._small  # What the sweep looks at next; a queue stands for its end.

    @property
    def entries(self) -> int:
        return self._small.entries + self._main.entries

    @property
    def bytes(self) -> int:
        return self._small.bytes + self._main.bytes

    @property
    def ghosts(self) -> int:
        """How many evicted keys are remembered: never more than there are records, whose weights include them."""
        return len(self._ghosts)

    def __iter__(self) -> Iterator[Kept]:
        """Every record: the new ones oldest first, then the proven ones oldest first."""
        yield from self._small
        yield from self._main

    def put(self, key: CacheKey, record: Record, now: float) -> bool:
        """Keep *record* and evict what must go for it, or return False if it is larger than the whole shard.

        A record that is refused still removes what it would have replaced, which is out of date.
        """
        self.puts += 1
        weight = record.size
        if weight > self.max_bytes or self.max_entries < 1:
            self.drop(key)
            self.refusals += 1
            return False
        small, main = self._small, self._main
        kept = self._index.get(key)
        is_new = kept is None
        if kept is None:
            kept = Kept(key, record)
            queue = main if self._ghosts.take(key) else small
        else:
            # Out of its queue it cannot be evicted to make room for itself; in the index no reader misses it.
            queue = kept.queue
            self._leave(kept)
            kept.record = record
            kept.weight = weight
        if small.entries + main.entries >= self.max_entries or small.bytes + main.bytes + weight > self.max_bytes:
            self._make_room(weight, now)
        if is_new:
            self._index[key] = kept
        queue.append(kept)
        return True

    def drop(self, key: CacheKey) -> bool:
        """Forget *key*, and tell whether it was there."""
        kept = self._index.get(key)
        if kept is None:
            return False
        self._forget(kept)
        self._ghosts.trim(self.entries)
        return True

    def clear(self) -> None:
        """Forget everything, ghosts too."""
        for queue in (self._small, self._main):
            for kept in list(queue):
                self._forget(kept)
        self._ghosts.trim(0)

    def owns(self, key: CacheKey) -> bool:
        """Return whether *key* is here; the index knows it also where another shard has it."""
        kept = self._index.get(key)
        return kept is not None and (kept.queue is self._small or kept.queue is self._main)

    def take(self) -> tuple[Kept, bool] | None:
        """Let the oldest record go, the new ones first, for another shard to adopt; tell whether it is a proven one.

        Readers find it all the while.
        """
        queue = self._small if self._small.entries else self._main
        kept = queue.newer
        if not isinstance(kept, Kept):
            return None
        self._leave(kept)
        self._ghosts.trim(self.entries)
        return kept, queue is self._main

    def adopt(self, kept: Kept, now: float, *, is_proven: bool) -> None:
        """Keep what another shard let go, unless it has expired or is larger than the whole shard."""
        if kept.record.keep_until <= now or kept.weight > self.max_bytes or self.max_entries < 1:
            del self._index[kept.key]
            self.expirations += kept.record.keep_until <= now
            self.evictions += kept.record.keep_until > now
            return
        entries, size = self.entries, self.bytes
        if entries >= self.max_entries or size + kept.weight > self.max_bytes:
            self._make_room(kept.weight, now)
        (self._main if is_proven else self._small).append(kept)

    def sweep(self, now: float, budget: int) -> int:
        """Look at up to *budget* records, each once at most, from where the last sweep stopped; forget the expired.

        Returns how many it forgot. A budget of at least `entries` looks at every record.
        """
        expired = 0
        for _ in range(min(budget, self._small.entries + self._main.entries)):
            link = self._hand
            while not isinstance(link, Kept):
                link = (self._main if link is self._small else self._small).newer
            self._hand = link.newer
            if link.record.keep_until <= now:
                self._forget(link)
                expired += 1
        if expired:
            self.expirations += expired
            self._ghosts.trim(self.entries)
        return expired

    def _make_room(self, weight: int, now: float) -> None:
        """Evict one record, and more until another of *weight* fits; it must fit into an empty shard."""
        small, main = self._small, self._main
        evicted = expired = reprieves = 0
        while True:
            if small.entries > self._small_entries or small.bytes > self._small_bytes or not main.entries:
                queue = small
            else:
                queue = main
            kept = queue.pop()
            if kept is self._hand:
                self._hand = queue.newer
            if kept.record.keep_until <= now:
                del self._index[kept.key]
                expired += 1
            elif kept.uses and reprieves < MAX_REPRIEVES:
                reprieves += 1
                kept.uses = kept.uses - 1 if queue is main else 0
                main.append(kept)
            else:
                del self._index[kept.key]
                if queue is small:
                    self._ghosts.add(kept.key, small.entries + main.entries)
                evicted += 1
                reprieves = 0
            if small.entries + main.entries < self.max_entries and small.bytes + main.bytes + weight <= self.max_bytes:
                break
        self.evictions += evicted
        self.expirations += expired
        self._ghosts.trim(small.entries + main.entries + 1)

    def _leave(self, kept: Kept) -> None:
        if kept is self._hand:
            self._hand = kept.newer
        kept.queue.remove(kept)

    def _forget(self, kept: Kept) -> None:
        self._leave(kept)
        del self._index[kept.key]
