"""Packing of bodies: where it pays, and bounded by what was said."""

from __future__ import annotations

import os

import pytest

from asgi_resync.cache.l2 import compression
from asgi_resync.cache.l2.compression import METHOD, MethodUnknown, is_worth_trying, pack, unpack

JSON = b'{"job": "nightly", "state": "done"}' * 1000


@pytest.mark.parametrize(
    ("headers", "size", "expected"),
    [
        ([(b"content-type", b"application/json")], 2**20, True),
        ([(b"content-type", b"Application/Problem+JSON; charset=utf-8")], 2**20, True),
        ([(b"content-type", b"text/html; charset=utf-8")], 2**14, True),
        ([(b"content-type", b"text/html")], 2**14 - 1, False),
        ([(b"content-type", b"text/html"), (b"content-encoding", b"gzip")], 2**20, False),
        ([(b"content-type", b"image/png")], 2**20, False),
        ([(b"content-type", b"application/octet-stream")], 2**20, False),
        ([], 2**20, False),
    ],
)
def test_what_is_worth_trying(headers: list[tuple[bytes, bytes]], size: int, expected: bool) -> None:
    """Large bodies of types that shrink, and that nobody encoded."""
    assert expected == is_worth_trying(headers, size)


def test_packed_bodies_come_back() -> None:
    """What is packed is smaller, and unpacked it is what it was."""
    packed = pack(JSON)
    assert packed is not None

    assert len(packed[1]) < len(JSON) // 10
    assert JSON == unpack(*packed, len(JSON))


def test_what_saves_too_little_stays_plain() -> None:
    """Less than a tenth is not worth the unpacking."""
    assert pack(os.urandom(20_000)) is None


@pytest.mark.parametrize("said", [0, len(JSON) - 1, len(JSON) + 1])
def test_a_size_that_lies_is_refused(said: int) -> None:
    """More or less than was said is no body, and more is never unpacked."""
    packed = pack(JSON)
    assert packed is not None

    with pytest.raises(ValueError, match="not as many"):
        unpack(*packed, said)


def test_a_cut_frame_and_noise_are_refused() -> None:
    """Bytes that are no frame, or a part of one, raise ValueError only."""
    packed = pack(JSON)
    assert packed is not None
    for data in (packed[1][:-3], b"noise", b""):
        with pytest.raises(ValueError, match=r".*"):
            unpack(METHOD, data, len(JSON))


def test_a_window_that_takes_too_much_memory_is_refused() -> None:
    """A frame of few bytes cannot ask for a window of a gigabyte."""
    # Magic, a descriptor with neither size nor checksum, a window of 2^30 bytes, and a last raw block of one byte.
    frame = b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([(30 - 10) << 3]) + b"\x09\x00\x00" + b"a"

    assert b"a" == unpack(METHOD, frame[:5] + bytes([5 << 3]) + frame[6:], 1)
    with pytest.raises(ValueError, match=r"(?i)memory|window"):
        unpack(METHOD, frame, 1)


def test_without_zstd_nothing_is_packed_nor_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python has none and the extra is not installed, bodies stay plain."""
    monkeypatch.setattr(compression, "_zstd", None)

    assert pack(JSON) is None
    with pytest.raises(MethodUnknown):
        unpack(METHOD, b"", 1)
    with pytest.raises(MethodUnknown):
        unpack("lz77", b"", 1)
