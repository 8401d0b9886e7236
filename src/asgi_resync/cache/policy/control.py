"""Cache-Control (placeholder until the strict parser lands)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..._headers import delta_seconds, split_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    present: bool = False
    no_store: bool = False
    no_cache: bool = False
    no_cache_fields: frozenset[bytes] = frozenset()
    private: bool = False
    private_fields: frozenset[bytes] = frozenset()
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestControl:
    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    max_stale: float | None = None
    min_fresh: int | None = None
    stale_if_error: int | None = None


def _parse(values: Sequence[bytes]) -> dict[bytes, bytes | None]:
    found: dict[bytes, bytes | None] = {}
    for m in split_list(values):
        n, eq, v = m.partition(b"=")
        found.setdefault(n.strip().lower(), v.strip(b' "') if eq else None)
    return found


@lru_cache(1024)
def parse_response_control(values: tuple[bytes, ...]) -> Control:
    d = _parse(values)

    def sec(n: bytes) -> int | None:
        if n not in d:
            return None
        return delta_seconds(d[n] or b"") or 0

    def fields(n: bytes) -> frozenset[bytes]:
        return frozenset(x.strip().lower() for x in (d.get(n) or b"").split(b",") if x.strip())

    return Control(
        present=bool(d),
        no_store=b"no-store" in d,
        no_cache=b"no-cache" in d and not fields(b"no-cache"),
        no_cache_fields=fields(b"no-cache"),
        private=b"private" in d and not fields(b"private"),
        private_fields=fields(b"private"),
        public=b"public" in d,
        must_revalidate=b"must-revalidate" in d,
        proxy_revalidate=b"proxy-revalidate" in d,
        must_understand=b"must-understand" in d,
        max_age=sec(b"max-age"),
        s_maxage=sec(b"s-maxage"),
        stale_while_revalidate=sec(b"stale-while-revalidate"),
        stale_if_error=sec(b"stale-if-error"),
    )


@lru_cache(1024)
def parse_request_control(values: tuple[bytes, ...]) -> RequestControl:
    d = _parse(values)

    def sec(n: bytes) -> int | None:
        return delta_seconds(d[n] or b"") if n in d else None

    return RequestControl(
        no_store=b"no-store" in d,
        no_cache=b"no-cache" in d,
        only_if_cached=b"only-if-cached" in d,
        max_age=sec(b"max-age"),
        max_stale=(float("inf") if d.get(b"max-stale", b"") is None else sec(b"max-stale")),
        min_fresh=sec(b"min-fresh"),
        stale_if_error=sec(b"stale-if-error"),
    )


def parse_targeted(values: tuple[bytes, ...]) -> Control | None:
    c = parse_response_control(values)
    return c if c.present else None
