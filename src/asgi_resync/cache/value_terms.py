"""For how long what functions return is kept, and what it is purged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import RuleError
from .options import CacheOptions
from .rules import upstream_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueTerms:
    """For how long a value is kept, and what it is purged by. Times in seconds."""

    ttl: float
    tags: tuple[str, ...] = ()
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0

    def __post_init__(self) -> None:
        for name in ("ttl", "stale_while_revalidate", "stale_if_error"):
            seconds: object = getattr(self, name)
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < float("inf"):
                raise RuleError(name, seconds, "give seconds, 0 or more")


def terms_of(
    ttl: float,
    tags: Sequence[str],
    upstreams: Sequence[str],
    stale_while_revalidate: float | None,
    stale_if_error: float | None,
    options: CacheOptions,
) -> ValueTerms:
    """Return the terms that a caller gave; windows that are None are those of *options*.

    Raises RuleError for what cannot work.
    """
    for argument, names in (("tags", tags), ("upstreams", upstreams)):
        if isinstance(names, str):
            raise RuleError(argument, names, f"give a list, such as [{names!r}]")
    return ValueTerms(
        ttl=ttl,
        tags=(*tags, *map(upstream_tag, upstreams)),
        stale_while_revalidate=(
            options.stale_while_revalidate if stale_while_revalidate is None else stale_while_revalidate
        ),
        stale_if_error=options.stale_if_error if stale_if_error is None else stale_if_error,
    )
