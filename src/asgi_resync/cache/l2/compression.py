"""Bodies packed for Redis with zstd, where Python has it or the extra `zstd` gives it. It decides nothing of storing.

The standard module of Python 3.14 and its backport are one interface, so no other binding is looked for.
"""

from __future__ import annotations

import importlib
from typing import Protocol

from ..._asgi import RawHeaders

METHOD = "zstd"
LEVEL = 1
"""A MiB of JSON takes 2 ms at level 1 and 5 at level 6, which saves little more."""

THRESHOLD = 16 * 2**10
"""Bytes of body from which packing is tried: below, Redis and the network take as long for half the bytes."""
SAVING = 0.9
"""The share of its size that a packed body may have; one that is larger is kept plain."""

_WINDOW_LOG_MAX = 23
"""A frame may ask for a window of up to 2^that bytes; level 1 never asks for more."""

_PACKABLE = (
    b"text/",
    b"application/json",
    b"application/javascript",
    b"application/xml",
    b"application/x-ndjson",
    b"image/svg+xml",
)


class MethodUnknown(Exception):
    """The body was packed by a method that is not to be had here."""


class _Decompressor(Protocol):
    eof: bool

    def decompress(self, data: memoryview | bytes, max_length: int = -1) -> bytes: ...


class _Parameters(Protocol):
    window_log_max: int


class _Zstd(Protocol):
    ZstdError: type[Exception]
    DecompressionParameter: type[_Parameters]

    def compress(self, data: bytes, level: int | None = None) -> bytes: ...

    def ZstdDecompressor(self, *, options: dict[int, int]) -> _Decompressor: ...  # noqa: N802 - the name is zstd's


def _find() -> _Zstd | None:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            module: _Zstd = importlib.import_module(name)
        except ImportError:
            continue
        return module
    return None


_zstd = _find()

is_available = _zstd is not None
"""True if bodies can be packed here."""


def is_worth_trying(headers: RawHeaders, size: int) -> bool:
    """Return whether a body of *size* bytes may become smaller: of a media type that does, and not encoded already."""
    if size < THRESHOLD:
        return False
    content_type = b""
    for name, value in headers:
        if name == b"content-encoding":
            return False
        if name == b"content-type":
            content_type = value.lower()
    media_type = content_type.partition(b";")[0].strip()
    return media_type.startswith(_PACKABLE) or media_type.endswith((b"+json", b"+xml"))


def pack(body: bytes) -> tuple[str, bytes] | None:
    """Return the method and the packed *body*, or None if it saves less than a tenth, or cannot be done here.

    It takes 2 ms for a MiB; let large bodies be packed in a thread, as the lock of the interpreter is let go.
    """
    if _zstd is None:
        return None
    packed = _zstd.compress(body, LEVEL)
    return (METHOD, packed) if len(packed) < len(body) * SAVING else None


def unpack(method: str, data: bytes | memoryview, size: int) -> bytes:
    """Return the *size* bytes that were packed into *data*. No more memory is taken, whatever *data* holds.

    Raises MethodUnknown, and ValueError if they are not that many or *data* is no such thing.
    """
    if _zstd is None or method != METHOD:
        raise MethodUnknown(method)
    parameters = {_zstd.DecompressionParameter.window_log_max: _WINDOW_LOG_MAX}
    decompressor = _zstd.ZstdDecompressor(options=parameters)
    try:
        body = decompressor.decompress(data, max_length=size + 1)
    except _zstd.ZstdError as error:
        raise ValueError(str(error)) from error
    if len(body) != size or not decompressor.eof:
        raise ValueError("not as many bytes as were said")
    return body
