"""What records, tombstones and leases are called in Redis. Pure.

Keys are long, and made of what clients send; names are short, and made of a digest. Two keys may share a digest only by
an accident of 2^-128 or by tampering, so a record holds its whole key and is compared with the one asked for.
"""

from __future__ import annotations

import hashlib

import msgspec

from ...events import CacheKey

_SURROGATES = 1
"""Our msgpack extension type for texts that are no Unicode: a framework may decode paths with surrogate escapes."""

_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})

_encode = msgspec.msgpack.Encoder().encode


def _read(code: int, data: memoryview) -> str:
    if code != _SURROGATES:
        raise ValueError(code)
    return bytes(data).decode("utf-8", "surrogatepass")


_decode = msgspec.msgpack.Decoder(ext_hook=_read).decode


def key_bytes(key: CacheKey) -> bytes:
    """Return *key* as bytes that no other key has, the same in every process.

    Its parts are texts, bytes, numbers, None and tuples of these. Raises TypeError for any other type: an identifier
    or a date would be written as a text is, and then two keys were one.
    """
    _check(key)
    try:
        return _encode(key)
    except UnicodeEncodeError:
        return _encode(_escaped(key))


def key_of(raw: bytes | memoryview) -> CacheKey | None:
    """Return the key whose `key_bytes` are *raw*, or None if there is no such key. Never raises."""
    try:
        key = _hashable(_decode(raw))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return key if isinstance(key, tuple) else None


def digest_of(raw: bytes) -> str:
    """Return 128 bits, as 32 hex digits, of what `key_bytes` returned."""
    return hashlib.blake2b(raw, digest_size=16, person=b"resync key").hexdigest()


class Names:
    """Names under one *prefix*. Those of one key hash to one slot of a cluster, as what is in braces decides.

    A server's channels are the same in all its databases, so the channel has the number of *database* in its name.
    """

    __slots__ = ("_lease", "_record", "_tombstone", "channel")

    def __init__(self, prefix: str, database: int = 0) -> None:
        # Braces in the prefix would decide the slot, and put all keys into one.
        prefix = prefix.replace("{", "(").replace("}", ")")
        self._record = prefix + "r:{"
        self._tombstone = prefix + "d:{"
        self._lease = prefix + "l:{"
        self.channel = prefix + "backplane" + (f"/{database}" if database else "")
        """Where processes tell each other what they replaced and purged."""

    def record(self, digest: str) -> str:
        """Return where the record is kept."""
        return f"{self._record}{digest}}}"

    def tombstone(self, digest: str) -> str:
        """Return where the version of its last drop is kept."""
        return f"{self._tombstone}{digest}}}"

    def lease(self, digest: str) -> str:
        """Return where the lease of the process that calls the app for it is kept."""
        return f"{self._lease}{digest}}}"


def _check(parts: tuple[object, ...]) -> None:
    for part in parts:
        if type(part) in _PLAIN:
            continue
        if not isinstance(part, tuple) or type(part) is not tuple:
            raise TypeError(f"A key holds texts, bytes, numbers, None and tuples of them, not {type(part).__name__}.")
        _check(part)


def _hashable(part: object) -> object:
    if isinstance(part, list):
        return tuple(map(_hashable, part))
    if type(part) in _PLAIN:
        return part
    raise ValueError


def _escaped(part: object) -> object:
    if isinstance(part, tuple):
        return [_escaped(inner) for inner in part]
    if isinstance(part, str) and not _is_unicode(part):
        return msgspec.msgpack.Ext(_SURROGATES, part.encode("utf-8", "surrogatepass"))
    return part


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
