"""Weighted lists and their normal forms (RFC 9110 §12.4.2, §12.5.3, §12.5.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._headers import normalize_accept_encoding, normalize_accept_language, qualities

FIELDISH = st.text(alphabet=' \t,;="\\*/abqW01.-\x00é', max_size=40).map(lambda text: text.encode("latin-1"))
TOKENS = st.text(alphabet="abcXYZ019!#-", min_size=1, max_size=6).map(str.encode)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b"gzip", [(b"gzip", 1.0)]),
        (b"GZip ; Q=0.50 , br;q=1.000,,*;q=0", [(b"gzip", 0.5), (b"br", 1.0), (b"*", 0.0)]),
        (b"gzip;q=0.", [(b"gzip", 0.0)]),
        *(
            (b"gzip;" + bad, None)
            for bad in (
                b"",
                b"q",
                b"q=",
                b"q=2",
                b"q=1.1",
                b"q=0.1234",
                b"q=-1",
                b"q=.5",
                b"q =1",
                b"level=1",
                b"q=1;a=b",
            )
        ),
        (b"gzip br", None),
        (b'"gzip"', None),
    ],
)
def test_qualities_are_read_strictly(value: bytes, expected: list[tuple[bytes, float]] | None) -> None:
    """Three digits at most, from 0 to 1 (RFC 9110 §12.4.2)."""
    assert expected == qualities(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (b"", b""),
        (b" , ", b""),
        (b"gzip, br", b"br,gzip"),
        (b"BR;q=1.0 ,GZIP", b"br,gzip"),
        (b"identity;q=0.500, gzip", b"gzip,identity;q=0.5"),
        (b"*;q=0, gzip;q=0.001", b"gzip;q=0.001,*;q=0"),
        (b"gzip, gzip;q=0", b"gzip, gzip;q=0"),
        (b"gzip ; level=1", b"gzip ; level=1"),
        (b"b, a" + b" " * 253, b"b, a" + b" " * 253),
    ],
)
def test_accept_encoding_is_normalised_where_order_means_nothing(value: bytes | None, expected: bytes | None) -> None:
    """RFC 9110 §12.5.3: only weights rank codings. Absent and empty stay apart, and so does what is ambiguous."""
    assert expected == normalize_accept_encoding(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (b"", b""),
        (b"en, de", b"en,de"),
        (b"de, en", b"de,en"),
        (b"fr;q=0.5, en-GB;q=0.80 , de", b"de,en-gb;q=0.8,fr;q=0.5"),
        (b"en;q=0.5, en", b"en;q=0.5, en"),
        (b"b, a" + b" " * 253, b"b, a" + b" " * 253),
    ],
)
def test_accept_language_keeps_the_order_of_equal_weights(value: bytes | None, expected: bytes | None) -> None:
    """RFC 9110 §12.5.4: some recipients take the order as descending priority."""
    assert expected == normalize_accept_language(value)


ACCEPTS = st.lists(
    st.tuples(TOKENS, st.sampled_from([b"", b";q=0", b";q=0.5", b" ; Q=0.50", b";q=1.0", b";q=2"])).map(b"".join)
).map(b" ,".join)


@given(st.one_of(st.binary(max_size=60), FIELDISH, ACCEPTS))
def test_normal_forms_are_normal_and_mean_the_same(value: bytes) -> None:
    """Normalising twice is normalising once, and no member or weight is lost, gained or changed."""
    for normalize in (normalize_accept_encoding, normalize_accept_language):
        normal = normalize(value)
        assert normal is not None

        assert normal == normalize(normal)
        assert sorted(qualities(value) or []) == sorted(qualities(normal) or [])
