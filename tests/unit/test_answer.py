"""How a stored response answers: whole, 304, 412, 206 or 416 (RFC 9110 §13, §14, §15), with Age and Cache-Status."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._asgi import RawHeaders
from asgi_resync._headers import format_http_date
from asgi_resync.cache.answer import age_fields, answer
from asgi_resync.cache.entry import StoredResponse

NOW = 1_700_000_000.0
BODY = b"0123456789"
DATE = format_http_date(NOW)
FIELDS = [
    (b"content-type", b"text/plain"),
    (b"content-length", b"10"),
    (b"etag", b'"a"'),
    (b"last-modified", format_http_date(NOW - 100)),
    (b"date", DATE),
    (b"vary", b"accept"),
    (b"cache-control", b"max-age=60"),
    (b"x-a", b"1"),
    (b"x-a", b"2"),
]
EXTRA = [(b"age", b"5")]
GUIDING = [pair for pair in FIELDS if pair[0] in (b"etag", b"last-modified", b"date", b"vary", b"cache-control")]
"""What a 304 carries of them (RFC 9110 §15.4.5)."""


def stored(status: int = 200, body: bytes = BODY, lifetime: float = 60) -> StoredResponse:
    return StoredResponse(
        key=("k",),
        status=status,
        headers=FIELDS,
        body=body,
        stored_at=NOW,
        date=NOW,
        born=NOW,
        lifetime=lifetime,
        etag=b'"a"',
        last_modified=NOW - 100,
        app_validator=True,
    )


def answered(
    *request: tuple[bytes, bytes], entry: StoredResponse | None = None, method: str = "GET", conditional: bool = True
) -> tuple[int, RawHeaders, bytes]:
    start, body = answer(
        entry if entry is not None else stored(), method, list(request), EXTRA, NOW, conditional=conditional
    )
    assert ("http.response.start", "http.response.body") == (start["type"], body["type"])
    assert not body.get("more_body", False)
    return start["status"], start["headers"], body["body"]


@pytest.mark.parametrize(
    ("born", "lifetime", "expected"),
    [
        (NOW, 60.0, [(b"age", b"0"), (b"cache-status", b"n; hit; ttl=60; detail=l1")]),
        # Age is in whole seconds, and no second is told before it is over.
        (NOW - 7.9, 60.0, [(b"age", b"7"), (b"cache-status", b"n; hit; ttl=53; detail=l1")]),
        (NOW - 70, 60.0, [(b"age", b"70"), (b"cache-status", b"n; hit; ttl=-10; detail=l1")]),
        # RFC 9111 §5.1: not negative; §1.2.2: no more than there is a number for.
        (NOW + 5, 60.0, [(b"age", b"0"), (b"cache-status", b"n; hit; ttl=60; detail=l1")]),
        (NOW - 1e12, 0.0, [(b"age", b"2147483648"), (b"cache-status", b"n; hit; ttl=-2147483648; detail=l1")]),
    ],
)
def test_a_hit_tells_its_age_and_what_is_left(born: float, lifetime: float, expected: RawHeaders) -> None:
    """RFC 9111 §5.1 and RFC 9211 §2.4."""
    entry = stored(lifetime=lifetime)
    entry.born = born

    assert expected == age_fields(entry, NOW, b"n")
    assert expected[:1] == age_fields(entry, NOW, None)
    assert b"; detail=stale" in age_fields(entry, NOW, b"n", b"stale")[1][1]


@pytest.mark.parametrize("status", [200, 204, 301, 404, 500])
def test_without_conditions_it_is_what_was_stored(status: int) -> None:
    """Status, lines in their order, and body, with the fields of the moment after them."""
    assert (status, FIELDS + EXTRA, BODY) == answered(entry=stored(status), conditional=False)
    assert (status, FIELDS + EXTRA, BODY) == answered(entry=stored(status))


def test_head_has_all_but_the_body() -> None:
    """RFC 9110 §9.3.2: the same fields, and no content."""
    assert (200, FIELDS + EXTRA, b"") == answered(method="HEAD", conditional=False)


INM, IM, IMS, IUS = b"if-none-match", b"if-match", b"if-modified-since", b"if-unmodified-since"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("request_fields", "expected"),
    [
        ([(INM, b'"a"')], (304, GUIDING + EXTRA, b"")),
        ([(INM, b"*")], (304, GUIDING + EXTRA, b"")),
        ([(IMS, DATE)], (304, GUIDING + EXTRA, b"")),
        ([(IM, b'"b"'), (INM, b'"a"')], (304, GUIDING + EXTRA, b"")),
        # RFC 9110 §13.2.2: Range comes after the preconditions.
        ([(INM, b'"a"'), (b"range", b"bytes=0-1")], (304, GUIDING + EXTRA, b"")),
    ],
)
def test_preconditions_are_answered_from_the_store(
    method: str, request_fields: RawHeaders, expected: tuple[int, RawHeaders, bytes]
) -> None:
    """RFC 9111 §4.3.2: 304 with what guides caches."""
    assert expected == answered(*request_fields, method=method)


@pytest.mark.parametrize("field", [(IM, b'"b"'), (IUS, format_http_date(NOW - 200))])
def test_what_is_for_the_origin_alone_changes_nothing(field: tuple[bytes, bytes]) -> None:
    """RFC 9111 §4.3.2: If-Match and If-Unmodified-Since are not for caches, beside a Range neither."""
    assert (200, FIELDS + EXTRA, BODY) == answered(field)
    assert (200, FIELDS + EXTRA, b"") == answered(field, method="HEAD")
    assert answered((b"range", b"bytes=0-1")) == answered(field, (b"range", b"bytes=0-1"))


@pytest.mark.parametrize("status", [301, 404, 500])
@pytest.mark.parametrize("field", [(INM, b'"a"'), (IM, b'"b"'), (b"range", b"bytes=0-1")])
def test_preconditions_and_ranges_count_for_success_only(status: int, field: tuple[bytes, bytes]) -> None:
    """RFC 9110 §13.2.1 and §14.2: ignored where the answer without them would be another than a success."""
    assert (status, FIELDS + EXTRA, BODY) == answered(field, entry=stored(status))


def test_the_date_stands_for_the_modification_that_is_not_known() -> None:
    """RFC 9111 §4.3.2: If-Modified-Since is compared with Date where there is no Last-Modified."""
    entry = stored()
    entry.last_modified = entry.etag = None

    assert 304 == answered((IMS, DATE), entry=entry)[0]
    assert 200 == answered((IMS, format_http_date(NOW - 1)), entry=entry)[0]


def ranged(first: int, last: int) -> tuple[int, RawHeaders, bytes]:
    others = [pair for pair in FIELDS if pair[0] != b"content-length"]
    length = last - first + 1
    of_part = [(b"content-range", b"bytes %d-%d/10" % (first, last)), (b"content-length", b"%d" % length)]
    return 206, [*others, *of_part, *EXTRA], BODY[first : last + 1]


WHOLE = (200, FIELDS + EXTRA, BODY)
OUTSIDE = (416, [(b"content-range", b"bytes */10"), (b"content-length", b"0"), *EXTRA], b"")
RANGE, IF_RANGE = b"range", b"if-range"


@pytest.mark.parametrize(
    ("request_fields", "expected"),
    [
        # RFC 9110 §15.3.7: all fields of the 200, the part's own range and length, and its bytes.
        ([(RANGE, b"bytes=2-4")], ranged(2, 4)),
        ([(RANGE, b"bytes=-3")], ranged(7, 9)),
        ([(RANGE, b"bytes=0-")], ranged(0, 9)),
        # §15.5.17
        ([(RANGE, b"bytes=10-")], OUTSIDE),
        # §14.2: several, unknown and invalid ones are answered whole.
        ([(RANGE, b"bytes=0-1,3-4")], WHOLE),
        ([(RANGE, b"bytes=0-1"), (RANGE, b"bytes=3-4")], WHOLE),
        ([(RANGE, b"lines=0-1")], WHOLE),
        ([(RANGE, b"bytes=4-2")], WHOLE),
        # §13.1.5
        ([(RANGE, b"bytes=2-4"), (IF_RANGE, b'"a"')], ranged(2, 4)),
        ([(RANGE, b"bytes=2-4"), (IF_RANGE, format_http_date(NOW - 100))], ranged(2, 4)),
        ([(RANGE, b"bytes=2-4"), (IF_RANGE, b'"b"')], WHOLE),
        ([(RANGE, b"bytes=2-4"), (IF_RANGE, b'W/"a"')], WHOLE),
        ([(RANGE, b"bytes=10-"), (IF_RANGE, b'"b"')], WHOLE),
        ([(IF_RANGE, b'"b"')], WHOLE),
        # preconditions that hold
        ([(RANGE, b"bytes=2-4"), (IM, b'"a"')], ranged(2, 4)),
        ([(RANGE, b"bytes=2-4"), (INM, b'"b"')], ranged(2, 4)),
    ],
)
def test_a_range_is_cut_out_of_the_whole(request_fields: RawHeaders, expected: object) -> None:
    """RFC 9110 §14.2, §15.3.7: one range of a stored 200, if If-Range holds."""
    assert expected == answered(*request_fields)


@pytest.mark.parametrize(("status", "method"), [(203, "GET"), (200, "HEAD"), (200, "POST")])
def test_ranges_are_for_get_and_200(status: int, method: str) -> None:
    """RFC 9110 §14.2: Range is defined for GET; other statuses have no parts here."""
    expected = (status, FIELDS + EXTRA, b"" if method == "HEAD" else BODY)

    assert expected == answered((RANGE, b"bytes=0-1"), entry=stored(status), method=method)


CONDITIONS = st.lists(
    st.tuples(
        st.sampled_from([INM, IM, IMS, IUS, RANGE, IF_RANGE]),
        st.sampled_from(
            [b'"a"', b'W/"a"', b'"b"', b"*", DATE, b"0", b"", b"bytes=0-1", b"bytes=99-", b"bytes=-0", b"bytes=5-3"]
        ),
    ),
    max_size=4,
)


@given(CONDITIONS, st.sampled_from([200, 203, 404]), st.sampled_from(["GET", "HEAD"]))
def test_every_answer_is_whole_and_changes_nothing(conditions: RawHeaders, status: int, method: str) -> None:
    """The length told is that of the body sent, 304 tells none, and the entry is as before."""
    entry = stored(status)
    before = list(entry.headers), entry.body
    found, headers, body = answered(*conditions, entry=entry, method=method)
    lengths = [value for name, value in headers if name == b"content-length"]

    assert found in {status, 206, 304, 412, 416}
    assert headers[-1:] == EXTRA
    if found == 304:
        assert ([], b"") == (lengths, body)
    elif method == "GET":
        assert [b"%d" % len(body)] == lengths
    else:
        assert b"" == body
        assert len(lengths) == 1
    assert before == (entry.headers, entry.body)
