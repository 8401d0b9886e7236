"""Byte ranges (RFC 9110 §14.1.2, §14.2): one range, or the whole."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.cache.policy.ranges import Part, Unsatisfiable, part_of


@pytest.mark.parametrize(
    ("value", "total", "expected"),
    [
        # §14.1.2, with its examples for 10000 bytes
        (b"bytes=0-499", 10000, Part(0, 499, 10000)),
        (b"bytes=500-999", 10000, Part(500, 999, 10000)),
        (b"bytes=-500", 10000, Part(9500, 9999, 10000)),
        (b"bytes=9500-", 10000, Part(9500, 9999, 10000)),
        # A last position beyond the end is the end.
        (b"bytes=0-", 1, Part(0, 0, 1)),
        (b"bytes=5-100", 10, Part(5, 9, 10)),
        (b"bytes=9-9", 10, Part(9, 9, 10)),
        # A suffix longer than all is all.
        (b"bytes=-100", 10, Part(0, 9, 10)),
        # Unsatisfiable: begins at the end or beyond, or asks for the last 0 bytes.
        (b"bytes=10-", 10, Unsatisfiable(10)),
        (b"bytes=10-20", 10, Unsatisfiable(10)),
        (b"bytes=0-", 0, Unsatisfiable(0)),
        (b"bytes=-0", 10, Unsatisfiable(10)),
        (b"bytes=-5", 0, Unsatisfiable(0)),
        # §14.1: units are case-insensitive.
        (b"Bytes=0-1", 10, Part(0, 1, 10)),
        (b" bytes=0-1\t", 10, Part(0, 1, 10)),
        (b"bytes=000-0001", 10, Part(0, 1, 10)),
        # Invalid, so ignored: reversed, no numbers, signs, white space.
        *(
            (value, 10, None)
            for value in (
                *(b"", b"bytes", b"bytes=", b"bytes=-", b"bytes=4-0", b"bytes=a-b", b"bytes=1", b"bytes=--1"),
                *(b"bytes=+1-2", b"bytes=1.0-2", b"bytes=0x1-2", b"bytes =0-1", b"bytes= 0-1", b"bytes=0 - 1", b"0-1"),
                *(b"bytes=0-1;", b"bytes=\xb2-3", b"bytes:0-1"),
            )
        ),
        # §14.2: unknown units are ignored, and several ranges may be.
        (b"lines=0-1", 10, None),
        (b"bytes=0-1,2-3", 10, None),
        (b"bytes=0-1,", 10, None),
        # Numbers nobody means.
        (b"bytes=0-" + b"9" * 19, 10, None),
        (b"bytes=" + b"9" * 5000 + b"-", 10, None),
        (b"bytes=-" + b"9" * 5000, 10, None),
    ],
)
def test_one_range_is_a_part_and_the_rest_is_ignored(
    value: bytes, total: int, expected: Part | Unsatisfiable | None
) -> None:
    """§14.1.2 and §14.2: what is not one valid range of bytes is answered with the whole."""
    assert expected == part_of(value, total)


def test_content_range_says_what_the_part_is_of() -> None:
    """§14.4: first, last and total; a star where there is no part."""
    assert b"bytes 0-4/10" == Part(0, 4, 10).content_range
    assert b"bytes */10" == Unsatisfiable(10).content_range


def naive(first: int | None, last: int | None, body: bytes) -> bytes | None:
    """Return the bytes that a valid range asks for, as a list of positions says it; None if there are none."""
    positions = range(len(body))
    if first is None:
        assert last is not None
        chosen = [at for at in positions if at >= len(body) - last]
    else:
        chosen = [at for at in positions if at >= first and (last is None or at <= last)]
    return bytes(body[at] for at in chosen) or None


BOUND = st.one_of(st.none(), st.integers(min_value=0, max_value=30))


@given(BOUND, BOUND, st.binary(max_size=20))
def test_a_part_is_what_a_list_of_positions_says(first: int | None, last: int | None, body: bytes) -> None:
    """A part agrees with the definition, position by position, and never leaves the body."""
    value = b"bytes=%b-%b" % tuple(b"" if bound is None else b"%d" % bound for bound in (first, last))
    found = part_of(value, len(body))

    if (first is None and last is None) or (first is not None and last is not None and last < first):
        assert found is None
    elif isinstance(found, Part):
        assert 0 <= found.first <= found.last < found.total == len(body)
        assert naive(first, last, body) == body[found.first : found.last + 1]
    else:
        assert Unsatisfiable(len(body)) == found
        assert naive(first, last, body) is None


@given(st.text(alphabet="bytes=0123456789-, \t\x00é", max_size=30), st.integers(min_value=0, max_value=1000))
def test_no_value_leaves_the_body(text: str, total: int) -> None:
    """Whatever a client sends, it is ignored or within the body."""
    found = part_of(text.encode(), total)

    assert found is None or found.total == total
    assert not isinstance(found, Part) or 0 <= found.first <= found.last < total


def test_long_values_cost_no_more_than_their_length() -> None:
    """A megabyte of digits or dashes is looked at once."""
    began = perf_counter()
    for unit in (b"0", b"-", b"bytes=", b"0-1,", b" "):
        part_of(b"bytes=" + unit * (10**6 // len(unit)), 10)

    assert perf_counter() - began < 1
