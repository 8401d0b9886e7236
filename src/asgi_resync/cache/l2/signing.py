"""Seals on what is kept in Redis: a checksum, or with keys a signature. Pure; it reads nothing of what it seals.

A checksum finds bytes that changed on their way. A signature also finds bytes that somebody else wrote: with keys,
write access to Redis is not write access to pages. The name is sealed too, so a value moved to another name is broken.

What a signature does not prevent: whoever can write to Redis can put back an older value of the same name. It says the
same as it did then, times included: it is served until it expires, and for as long only as its purges are known.
They can also delete, and purge: both cost calls of the app, and no page.
"""

from __future__ import annotations

import hmac
import zlib
from collections.abc import Sequence
from hashlib import blake2b

from .broken import Broken

_CHECKED = b"\x01"
_SIGNED = b"\x02"
_CHECKED_HEAD = 1 + 4
_SIGNED_HEAD = 1 + 16

_UNSEALED = Broken("unsealed")
_UNSIGNED = Broken("unsigned")
_DAMAGED = Broken("damaged")
_NO_KEY = Broken("no key")
_WRONG_KEY = Broken("wrong signature")


class Seal:
    """Seals with the first of *keys*, and takes what any of them signed; without keys it uses a checksum.

    To rotate, put the new key last everywhere, then first everywhere, then take the old one out.
    """

    __slots__ = ("_signers",)

    def __init__(self, keys: Sequence[str] = ()) -> None:
        # A key may be longer than blake2b takes, 64 bytes.
        self._signers = [
            blake2b(key=blake2b(key.encode()).digest(), digest_size=16, person=b"resync seal") for key in keys
        ]

    def seal(self, name: str, data: bytes) -> bytes:
        """Return *data* under a seal that holds for *name* only."""
        if not self._signers:
            return b"".join((_CHECKED, _checksum(name, data), data))
        return b"".join((_SIGNED, _signature(self._signers[0], name, data), data))

    def open(self, name: str, value: bytes) -> memoryview | Broken:
        """Return what was sealed in *value*, without a copy, or Broken. Never raises."""
        kind = value[:1]
        view = memoryview(value)
        if kind == _SIGNED:
            if not self._signers:
                return _NO_KEY
            signature, data = value[1:_SIGNED_HEAD], view[_SIGNED_HEAD:]
            for signer in self._signers:
                if hmac.compare_digest(signature, _signature(signer, name, data)):
                    return data
            return _WRONG_KEY
        if kind != _CHECKED:
            return _UNSEALED
        if self._signers:
            return _UNSIGNED
        data = view[_CHECKED_HEAD:]
        return data if value[1:_CHECKED_HEAD] == _checksum(name, data) else _DAMAGED


def _checksum(name: str, data: bytes | memoryview) -> bytes:
    return zlib.crc32(data, zlib.crc32(name.encode())).to_bytes(4, "big")


def _signature(signer: blake2b, name: str, data: bytes | memoryview) -> bytes:
    signature = signer.copy()
    encoded = name.encode()
    # Its length in front, or a part of the name could pass for data.
    signature.update(len(encoded).to_bytes(4, "big") + encoded)
    signature.update(data)
    return signature.digest()
