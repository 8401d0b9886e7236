"""What was found to need what: bounded in number, and forgotten when it has not been seen for long. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
N = TypeVar("N", bound=Hashable)


class Learned(Generic[K, N]):
    """What each key was found to need. A pair lasts *lifetime* seconds since it was last noted, and *most* last.

    Of more than *most* pairs those go that were noted longest ago. Time is in seconds, of any clock that goes forward.
    """

    __slots__ = ("_lifetime", "_most", "_needs", "_seen")

    def __init__(self, *, most: int = 4096, lifetime: float = 3600.0) -> None:
        self._most = most
        self._lifetime = lifetime
        self._needs: dict[K, dict[N, float]] = {}
        self._seen: dict[tuple[K, N], None] = {}
        """All pairs, the one that was noted longest ago first."""

    def __bool__(self) -> bool:
        return bool(self._needs)

    def __len__(self) -> int:
        return len(self._seen)

    def note(self, key: K, names: Iterable[N], now: float) -> None:
        """Add *names* to what *key* needs, as of *now*."""
        needs = self._needs.setdefault(key, {})
        seen = self._seen
        for name in names:
            needs[name] = now
            pair = (key, name)
            seen.pop(pair, None)
            seen[pair] = None
        if not needs:
            del self._needs[key]
        while len(seen) > self._most:
            self._drop(next(iter(seen)))

    def needed_by(self, key: K, now: float) -> frozenset[N]:
        """Return what *key* was found to need and may need yet."""
        needs = self._needs.get(key)
        if needs is None:
            return frozenset()
        since = now - self._lifetime
        return frozenset(name for name, at in needs.items() if at >= since)

    def forget(self, key: K) -> None:
        """Take back all that was noted of *key*."""
        for name in self._needs.pop(key, {}):
            self._seen.pop((key, name), None)

    def pairs(self, now: float) -> Iterator[tuple[K, N]]:
        """Drop what is too old, and yield the rest, what was noted last at the end."""
        since = now - self._lifetime
        while self._seen:
            key, name = pair = next(iter(self._seen))
            if self._needs[key][name] >= since:
                break
            self._drop(pair)
        yield from tuple(self._seen)

    def _drop(self, pair: tuple[K, N]) -> None:
        key, name = pair
        del self._seen[pair]
        needs = self._needs[key]
        del needs[name]
        if not needs:
            del self._needs[key]
