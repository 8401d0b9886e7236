"""What processes tell each other over the backplane, and its bytes. Pure; it sends nothing.

A message is a msgpack array that begins with the name of its kind. Fields are only ever appended, each with a default,
and kinds that a process does not know are none of its business: old and new processes understand each other.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from ...events import CacheKey
from .broken import Broken
from .names import key_of


class _Kind(msgspec.Struct, array_like=True, frozen=True, gc=False):
    origin: str
    """The id of the process that tells it."""


class Purged(_Kind, frozen=True, gc=False, tag="purged"):
    """Tags were purged, softly ones with how long ago in seconds, and what is stored under keys was dropped.

    `sequence` counts what `origin` has told in this way. Keys are `key_bytes`.
    """

    sequence: int
    hard: tuple[str, ...] = ()
    soft: tuple[tuple[str, float], ...] = ()
    keys: tuple[bytes, ...] = ()


class Heard(_Kind, frozen=True, gc=False, tag="heard"):
    """`origin` has applied every purge up to the cluster version `seen`."""

    seen: int


class Replaced(_Kind, frozen=True, gc=False, tag="replaced"):
    """What is stored under a key was replaced by something newer."""

    key: bytes


class Landed(_Kind, frozen=True, gc=False, tag="landed"):
    """Whoever waits for what is stored under a key may look again."""

    key: bytes


class LeaseEnded(_Kind, frozen=True, gc=False, tag="ended"):
    """The lease with `token` on a key was given back; `is_stored` if there is something to find."""

    key: bytes
    token: str
    is_stored: bool = False


class BreakerTold(_Kind, frozen=True, gc=False, tag="breaker"):
    """The breaker of `upstream` is at `state` in the process of `origin`, and admits nobody for `open_for` seconds.

    In `half-open` it is out for a probe, for as long at most.
    """

    upstream: str
    state: str
    open_for: float = 0.0


Message: TypeAlias = Purged | Heard | Replaced | Landed | LeaseEnded | BreakerTold

KINDS = frozenset({"purged", "heard", "replaced", "landed", "ended", "breaker"})

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode

_UNREADABLE = Broken("unreadable message")


def encode_message(message: Message) -> bytes:
    """Return *message* as bytes."""
    return _encode(message)


def decode_message(data: bytes | memoryview) -> Message | Broken | None:
    """Return what `encode_message` was given, None for a kind that is not known, or Broken. Never raises."""
    try:
        message: Message = _decode(data)
        return message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None if _is_foreign(data) else _UNREADABLE


def _is_foreign(data: bytes | memoryview) -> bool:
    try:
        parts = msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return isinstance(parts, list) and len(parts) > 0 and isinstance(parts[0], str) and parts[0] not in KINDS


def keys_in(raws: tuple[bytes, ...]) -> tuple[CacheKey, ...]:
    """Return the keys whose `key_bytes` are *raws*, without those that are none."""
    return tuple(key for key in map(key_of, raws) if key is not None)
