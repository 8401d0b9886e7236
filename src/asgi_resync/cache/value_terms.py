"""For how long what functions return is kept, and what it is purged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import RuleError
from .rules import upstream_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueTerms:
    """For how long a value is kept, and what it is purged by. Times in seconds; None is as the cache's options say."""

    ttl: float
    tags: tuple[str, ...] = ()
    stale_while_revalidate: float | None = None
    stale_if_error: float | None = None

    def __post_init__(self) -> None:
        for name in ("ttl", "stale_while_revalidate", "stale_if_error"):
            seconds: object = getattr(self, name)
            if seconds is None and name != "ttl":
                continue
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < float("inf"):
                raise RuleError(name, seconds, "give seconds, 0 or more")


def terms_of(
    ttl: float,
    tags: Sequence[str],
    upstreams: Sequence[str],
    stale_while_revalidate: float | None,
    stale_if_error: float | None,
) -> ValueTerms:
    """Return the terms that a caller gave. Raises RuleError for what cannot work."""
    for argument, names in (("tags", tags), ("upstreams", upstreams)):
        if isinstance(names, str):
            raise RuleError(argument, names, f"give a list, such as [{names!r}]")
    return ValueTerms(
        ttl=ttl,
        tags=(*tags, *map(upstream_tag, upstreams)),
        stale_while_revalidate=stale_while_revalidate,
        stale_if_error=stale_if_error,
    )
