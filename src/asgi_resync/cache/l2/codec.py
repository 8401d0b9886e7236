"""Records as bytes, and back. Pure; what it cannot read is a value, and it raises for no bytes whatever.

A record is four bytes, magic, version and kind, and a msgpack array. Fields are only ever appended, each with a
default: older processes skip what they do not know, newer ones do without. A field that an older process must not skip
takes a new `VERSION`, which older ones do not read: to them it is a miss.

What is of one process is not in it: the ledger's epoch, memos. `seen` is, from which the reader's ledger makes one.
"""

from __future__ import annotations

import math
from typing import TypeVar

import msgspec

from ...events import CacheKey
from ..entry import StoredResponse
from ..store import Record, Variants
from .broken import Broken
from .compression import MethodUnknown, unpack

MAGIC = b"rs"
VERSION = 1
_RESPONSE = MAGIC + bytes([VERSION]) + b"r"
_VARIANTS = MAGIC + bytes([VERSION]) + b"v"
_HEAD = 4

_T = TypeVar("_T")
_Lines = list[tuple[bytes, bytes]]


class _Response(msgspec.Struct, array_like=True, frozen=True, kw_only=True, gc=False):
    key: msgspec.Raw
    status: int
    headers: _Lines
    body: memoryview
    packing: str
    """How the body is packed, "" if it is not."""
    body_size: int
    stored_at: float
    date: float
    born: float
    lifetime: float
    stale_while_revalidate: float
    stale_if_error: float
    keep: float
    may_serve_stale: bool
    always_validate: bool
    shared_with_authorization: bool
    app_validator: bool
    etag: bytes | None
    last_modified: float | None
    vary: tuple[bytes, ...]
    variant: tuple[object, ...]
    tags: tuple[str, ...]
    route: str
    hidden: _Lines
    seen: int
    learned: int = 0


class _Variants(msgspec.Struct, array_like=True, frozen=True, kw_only=True, gc=False):
    key: msgspec.Raw
    generation: str
    names: tuple[tuple[bytes, ...], ...]
    listed: tuple[tuple[object, ...], ...]
    """What follows the primary key in each variant's own."""
    keep_until: float
    seen: int


_encode_into = msgspec.msgpack.Encoder().encode_into
_decode_response = msgspec.msgpack.Decoder(_Response).decode
_decode_variants = msgspec.msgpack.Decoder(_Variants).decode

_FOREIGN = Broken("not a record")
_NEWER = Broken("unknown version")
_UNREADABLE = Broken("unreadable")
_OTHER_KEY = Broken("other key")
_SENSELESS = Broken("senseless")
_PACKING = Broken("unknown packing")


def encode_record(
    record: Record, raw_key: bytes, *, lifetime: float | None = None, packed: tuple[str, bytes] | None = None
) -> bytes:
    """Return *record*, kept under the key whose `key_bytes` are *raw_key*.

    A response has its own lifetime or, in Redis, that of *lifetime* seconds. *packed* is the method and the body packed
    by it, if it is. Raises TypeError or ValueError, of which
    UnicodeEncodeError is one, for what cannot be written.
    """
    if isinstance(record, Variants):
        buffer = bytearray(_VARIANTS)
        depth = len(record.key)
        _encode_into(
            _Variants(
                key=msgspec.Raw(raw_key),
                generation=record.generation,
                names=record.names,
                listed=tuple(key[depth:] for key in record.listed),
                keep_until=record.keep_until,
                seen=record.seen,
            ),
            buffer,
            _HEAD,
        )
        return bytes(buffer)
    packing, body = packed if packed is not None else ("", record.body)
    buffer = bytearray(_RESPONSE)
    _encode_into(
        _Response(
            key=msgspec.Raw(raw_key),
            status=record.status,
            headers=record.headers,
            body=memoryview(body),
            packing=packing,
            body_size=len(record.body),
            stored_at=record.stored_at,
            date=record.date,
            born=record.born,
            lifetime=record.lifetime if lifetime is None else lifetime,
            stale_while_revalidate=record.stale_while_revalidate,
            stale_if_error=record.stale_if_error,
            keep=record.keep,
            may_serve_stale=record.may_serve_stale,
            always_validate=record.always_validate,
            shared_with_authorization=record.shared_with_authorization,
            app_validator=record.app_validator,
            etag=record.etag,
            last_modified=record.last_modified,
            vary=record.vary,
            variant=record.variant,
            tags=record.tags,
            route=record.route,
            hidden=record.hidden,
            seen=record.seen,
            learned=record.learned,
        ),
        buffer,
        _HEAD,
    )
    return bytes(buffer)


def decode_record(data: bytes | memoryview, key: CacheKey, raw_key: bytes, *, max_body: int) -> Record | Broken:
    """Return the record in *data*, or Broken if it is not one that may be served for *key*. Never raises.

    *raw_key* are the `key_bytes` of *key*. A body of more than *max_body* bytes, once unpacked, is broken. The record
    shares nothing with *data*: its body is the one copy that is made, since servers want bytes, and since a view would
    keep all of *data* in memory.
    """
    head = bytes(data[:_HEAD])
    try:
        if head == _RESPONSE:
            return _response(_decode_response(data[_HEAD:]), key, raw_key, max_body)
        if head == _VARIANTS:
            return _variants(_decode_variants(data[_HEAD:]), key, raw_key)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _UNREADABLE
    except (OverflowError, ValueError):
        return _SENSELESS
    return _NEWER if head[:2] == MAGIC and head[2:3] > bytes([VERSION]) else _FOREIGN


def _response(stored: _Response, key: CacheKey, raw_key: bytes, max_body: int) -> StoredResponse | Broken:
    if bytes(stored.key) != raw_key:
        return _OTHER_KEY
    body_size = stored.body_size
    packing = stored.packing
    if not (
        100 <= stored.status <= 999
        and stored.seen >= 0
        and 0 <= stored.learned <= len(stored.tags)
        and 0 <= body_size <= max_body
        and (packing or body_size == len(stored.body))
        and math.isfinite(
            stored.stored_at
            + stored.date
            + stored.born
            + stored.lifetime
            + stored.stale_while_revalidate
            + stored.stale_if_error
            + stored.keep
            + (stored.last_modified or 0.0)
        )
    ):
        return _SENSELESS
    if packing:
        try:
            body = unpack(packing, stored.body, body_size)
        except MethodUnknown:
            return _PACKING
    else:
        body = bytes(stored.body)
    variant = stored.variant
    return StoredResponse(
        key=key,
        status=stored.status,
        headers=stored.headers,
        body=body,
        stored_at=stored.stored_at,
        date=stored.date,
        born=stored.born,
        lifetime=stored.lifetime,
        stale_while_revalidate=stored.stale_while_revalidate,
        stale_if_error=stored.stale_if_error,
        may_serve_stale=stored.may_serve_stale,
        always_validate=stored.always_validate,
        shared_with_authorization=stored.shared_with_authorization,
        etag=stored.etag,
        last_modified=stored.last_modified,
        app_validator=stored.app_validator,
        vary=stored.vary,
        variant=tuple(map(_hashable, variant)) if variant else (),
        tags=stored.tags,
        learned=stored.learned,
        route=stored.route,
        hidden=stored.hidden,
        seen=stored.seen,
        keep=stored.keep,
    )


MOST_NAME_LISTS = 16
"""Four are written. Each makes a request look once more, so that many would be a way to keep it busy."""


def _variants(stored: _Variants, key: CacheKey, raw_key: bytes) -> Variants | Broken:
    if bytes(stored.key) != raw_key:
        return _OTHER_KEY
    if not math.isfinite(stored.keep_until) or not all(stored.listed) or stored.seen < 0:
        return _SENSELESS
    if len(stored.names) > MOST_NAME_LISTS:
        return _SENSELESS
    return Variants(
        key=key,
        generation=stored.generation,
        names=stored.names,
        listed=tuple((*key, *map(_hashable, rest)) for rest in stored.listed),
        keep_until=stored.keep_until,
        seen=stored.seen,
    )


def _hashable(part: object) -> object:
    """Return *part* with tuples for the lists that msgpack makes of them: keys are hashed. Raises ValueError."""
    if isinstance(part, list):
        return tuple(map(_hashable, part))
    if isinstance(part, str | bytes | int | float | None):
        return part
    raise ValueError("a key holds texts, bytes, numbers, None and tuples of them")
