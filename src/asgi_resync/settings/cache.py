"""The settings of the cache: names, defaults, bounds, units and documentation. It reads nothing."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from ..cache.rules import CacheRule
from ..errors import SettingProblem, SettingsError
from .variable import Room, setting

ClientDirectives: TypeAlias = Literal["ignore", "honour"]
SetCookie: TypeAlias = Literal["refuse", "strip", "store"]

_MIB, _GIB, _TIB = 1024**2, 1024**3, 1024**4
_HOUR, _DAY, _YEAR = 3600, 86400, 365 * 86400

_FieldName: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")]
_SigningKey: TypeAlias = Annotated[str, msgspec.Meta(min_length=16)]


class CacheSettings(Room, frozen=True, kw_only=True):
    """What the cache keeps, for how long, and where. Durations are seconds (float), sizes are bytes (int)."""

    num_shards: Annotated[
        int,
        setting(
            "count",
            "L1 shards; at most `RESYNC_CACHE_L1_MAX_ENTRIES`",
            low=1,
            high=1024,
            aliases=["CACHE_HIERARCHY_NUM_SHARDS", "ASYNC_CACHE_NUM_SHARDS"],
        ),
    ] = 8
    l1_max_entries: Annotated[
        int,
        setting(
            "count",
            "Responses kept in L1, all shards together",
            low=1,
            high=100_000_000,
            aliases=["CACHE_HIERARCHY_L1_MAX_SIZE", "ASYNC_CACHE_MAX_ENTRIES"],
        ),
    ] = 5000
    l1_max_bytes: Annotated[
        int,
        setting("size", "Memory of L1, all shards together", low=1024, high=_TIB),
    ] = 64 * _MIB
    l1_ttl: Annotated[
        float,
        setting(
            "duration",
            "Longest time a response of L2 is fresh in L1, whatever its own lifetime; without L2 there is no cap",
            low=0.001,
            high=_YEAR,
            aliases=["ASYNC_CACHE_TTL"],
        ),
    ] = 60.0
    l2_ttl: Annotated[
        float,
        setting(
            "duration",
            "Longest time a response is fresh in L2, whatever its own lifetime; it stays there for 30 days at most",
            low=0.001,
            high=_YEAR,
            aliases=["CACHE_HIERARCHY_L2_TTL"],
        ),
    ] = 600.0
    sweep_interval: Annotated[
        float,
        setting(
            "duration",
            "Time between two sweeps that drop expired responses from L1",
            low=0.1,
            high=_DAY,
            aliases=["CACHE_HIERARCHY_L2_CLEANUP_INTERVAL", "ASYNC_CACHE_CLEANUP_INTERVAL"],
        ),
    ] = 60.0
    ttl_jitter: Annotated[
        float,
        setting("share", "Share of a lifetime taken off at random in L2", low=0, high=0.9),
    ] = 0.1
    lease: Annotated[
        float,
        setting(
            "duration",
            "How long a process that calls the app for a page makes the others with the same L2 wait for it",
            low=0.1,
            high=_HOUR,
        ),
    ] = 5.0
    max_body: Annotated[
        int,
        setting(
            "size",
            "Largest body stored; one that L1 has no room for in its shard is kept in L2 alone",
            low=0,
            high=_GIB,
        ),
    ] = 4 * _MIB
    max_variants: Annotated[
        int,
        setting("count", "Variants (`Vary`) kept per URL", low=1, high=10_000),
    ] = 64
    stale_while_revalidate: Annotated[
        float,
        setting(
            "duration",
            "Served stale while refreshed behind it, where neither the response nor a rule says",
            low=0,
            high=_YEAR,
        ),
    ] = 0.0
    stale_if_error: Annotated[
        float,
        setting(
            "duration",
            "Served stale instead of an error, where neither the response nor a rule says",
            low=0,
            high=_YEAR,
        ),
    ] = 0.0
    keep: Annotated[
        float,
        setting(
            "duration",
            "Time a stale response with a validator is kept for revalidation",
            low=0,
            high=_YEAR,
        ),
    ] = 60.0
    refresh_timeout: Annotated[
        float,
        setting("duration", "Bound of one refresh in the background", low=0.1, high=_HOUR),
    ] = 30.0
    normalize_vary: Annotated[
        bool,
        setting("flag", "Fold equivalent `Accept-Encoding` and `Accept-Language` into one variant"),
    ] = True
    client_directives: Annotated[
        ClientDirectives,
        setting("choice", "`ignore` or `honour` a client's `max-age`, `no-cache`, …"),
    ] = "ignore"
    heuristic: Annotated[
        bool,
        setting("flag", "Heuristic freshness, RFC 9111 §4.2.2"),
    ] = False
    targeted: Annotated[
        tuple[_FieldName, ...],
        setting(
            "list",
            "Targeted fields obeyed before `Cache-Control`, e.g. `CDN-Cache-Control`, RFC 9213",
            expected="a comma-separated list of header field names",
        ),
    ] = ()
    set_cookie: Annotated[
        SetCookie,
        setting(
            "choice",
            "Responses with `Set-Cookie`: `refuse` to store, `strip` the field, or `store` as RFC 9111 §7.3 allows",
        ),
    ] = "refuse"
    etag: Annotated[
        bool,
        setting("flag", "Give responses without a validator an `ETag`"),
    ] = True
    status_header: Annotated[
        bool,
        setting("flag", "Send `Cache-Status`, RFC 9211"),
    ] = True
    status_key: Annotated[
        bool,
        setting("flag", "Name the key in `Cache-Status`: host, path and query as they enter it"),
    ] = False
    name: Annotated[
        str,
        setting(
            "text",
            "Our name in `Cache-Status`",
            pattern=r"\A[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]{0,63}\Z",
            expected="a token of RFC 8941, 64 characters at most, such as resync",
        ),
    ] = "resync"
    key_prefix: Annotated[
        str,
        setting(
            "text",
            "Namespace in Redis",
            pattern=r"\A(?:(?![*?\[\]\\])[!-~]){1,100}\Z",
            expected="1 to 100 printable ASCII characters, no space and none of *?[]\\, such as resync:",
        ),
    ] = "resync:"
    signing_key: Annotated[
        tuple[_SigningKey, ...],
        setting(
            "list",
            "Signs what is in Redis. A list: the first key signs, all verify, so keys can be rotated",
            expected="a comma-separated list of keys of at least 16 characters each",
            secret=True,
        ),
    ] = ()
    rules: Annotated[
        tuple[CacheRule, ...],
        setting(
            "rules",
            "Rules that are tried before those of the code: a JSON list of objects with the arguments of `CacheRule`",
        ),
    ] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_shards > self.l1_max_entries:
            remedy = f"expected at most CacheSettings.l1_max_entries, which is {self.l1_max_entries}"
            raise SettingsError([SettingProblem("CacheSettings.num_shards", str(self.num_shards), remedy)])
