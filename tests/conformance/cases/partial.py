"""Ranges (RFC 9111 §3.3, §3.4; RFC 9110 §14, §15.3.7)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    FRESH,
    NOT_CACHED,
    OPTIMAL,
    PAUSE,
    REQUIRED,
    SHORT,
    Case,
    Exchange,
    Kind,
    Lines,
    case,
)

BODY = "0123456789"
STORING = "9111 §3.3"
COMBINING = "9111 §3.4"
RANGE = "9110 §14.2"
IF_RANGE = "9110 §13.1.5"

WHOLE = Exchange(answer=(FRESH, 'ETag: "abc"'), body=BODY)


def part(first: int, last: int, *, send: str = "", etag: str = '"abc"') -> Exchange:
    """The origin answers a request for a range with it."""
    return Exchange(
        send=(f"Range: {send or f'bytes={first}-{last}'}",),
        status=206,
        answer=(FRESH, f"ETag: {etag}", f"Content-Range: bytes {first}-{last}/{len(BODY)}"),
        body=BODY[first : last + 1],
        whole=BODY,
    )


def from_whole(name: str, kind: Kind, wanted: str, first: int, last: int) -> Case:
    """A complete response is stored; a range of it is asked for."""
    return case(
        f"partial-from-complete-{name}", kind, RANGE,
        WHOLE,
        Exchange(
            send=(f"Range: {wanted}",), answer=WHOLE.answer, expect=CACHED, statuses=(206,),
            want=(f"Content-Range: bytes {first}-{last}/10", 'ETag: "abc"'), body_seen=BODY[first : last + 1],
        ),
    )  # fmt: skip


def whole_again(
    name: str, kind: Kind, section: str, send: Lines, *, hit: bool = False, statuses: tuple[int, ...] = (200,)
) -> Case:
    """A complete response is stored; what is asked for must be answered with all of it, by whomever, or refused."""
    return case(
        f"partial-{name}", kind, section,
        WHOLE,
        Exchange(
            send=send, answer=WHOLE.answer, body=BODY, statuses=statuses, unwanted=("Content-Range: ~/10$",)
            if 416 not in statuses else (), expect=CACHED if hit else None,
            body_seen=BODY if statuses == (200,) else None,
        ),
    )  # fmt: skip


CASES = (
    case(
        "partial-not-for-complete", REQUIRED, STORING,
        part(0, 4),
        Exchange(answer=(FRESH,), body=BODY, statuses=(200,), body_seen=BODY),
    ),
    case(
        "partial-not-for-other-range", REQUIRED, STORING,
        part(0, 4),
        Exchange(
            send=("Range: bytes=5-9",), status=206, answer=(FRESH, 'ETag: "abc"', "Content-Range: bytes 5-9/10"),
            body="56789", whole=BODY, statuses=(200, 206), part_seen="56789",
        ),
    ),
    case(
        "partial-reuse-same", OPTIMAL, STORING,
        part(0, 4),
        Exchange(
            send=("Range: bytes=0-4",), answer=(FRESH,), body=BODY, expect=CACHED, statuses=(206,),
            body_seen="01234",
        ),
    ),
    case(
        "partial-reuse-within", OPTIMAL, STORING,
        part(0, 4),
        Exchange(
            send=("Range: bytes=1-2",), answer=(FRESH,), body=BODY, expect=CACHED, statuses=(206,), body_seen="12"
        ),
    ),
    case(
        "partial-reuse-suffix", OPTIMAL, STORING,
        part(5, 9, send="bytes=-5"),
        Exchange(
            send=("Range: bytes=-2",), answer=(FRESH,), body=BODY, expect=CACHED, statuses=(206,), body_seen="89"
        ),
    ),
    case(
        "partial-complete", OPTIMAL, COMBINING,
        part(0, 4),
        Exchange(
            status=206, answer=(FRESH, 'ETag: "abc"', "Content-Range: bytes 5-9/10"), body="56789",
            statuses=(200,), at_origin=("Range: bytes=5-",),
        ),
    ),
    case(
        "partial-complete-other-etag", REQUIRED, COMBINING,
        part(0, 4, etag='"old"'),
        Exchange(answer=(FRESH, 'ETag: "new"'), body="abcdefghij", statuses=(200,), body_unseen="01234fghij"),
    ),
    case(
        "partial-stored-as-complete", REQUIRED, "9111 §3.3",
        Exchange(send=("Range: bytes=0-",), status=206, body=BODY, whole=BODY,
                 answer=(FRESH, 'ETag: "abc"', "Content-Range: bytes 0-9/10")),
        Exchange(answer=(FRESH,), body=BODY, statuses=(200,), body_seen=BODY, unwanted=("Content-Range",)),
    ),
    case(
        "partial-416-not-for-complete", REQUIRED, "9111 §3",
        Exchange(send=("Range: bytes=50-60",), status=416, answer=(FRESH, "Content-Range: bytes */10"), whole=BODY),
        Exchange(answer=(FRESH,), body=BODY, statuses=(200,), body_seen=BODY),
    ),
    case(
        "partial-ignored-by-origin-stored", OPTIMAL, "9111 §3",
        Exchange(send=("Range: bytes=0-4",), answer=(FRESH,), body=BODY),
        Exchange(answer=(FRESH,), body=BODY, expect=CACHED, statuses=(200,), body_seen=BODY),
    ),
    case(
        "partial-forwarded", OPTIMAL, RANGE,
        Exchange(
            send=("Range: bytes=0-4",), status=206, answer=(FRESH, "Content-Range: bytes 0-4/10"), body="01234",
            whole=BODY, statuses=(206,), body_seen="01234", at_origin=("Range: bytes=0-4",),
        ),
    ),
    from_whole("first-last", OPTIMAL, "bytes=0-4", 0, 4),
    from_whole("middle", OPTIMAL, "bytes=2-3", 2, 3),
    from_whole("one-byte", OPTIMAL, "bytes=0-0", 0, 0),
    from_whole("no-last", OPTIMAL, "bytes=5-", 5, 9),
    from_whole("suffix", OPTIMAL, "bytes=-3", 7, 9),
    from_whole("suffix-longer", OPTIMAL, "bytes=-100", 0, 9),
    from_whole("beyond-end", OPTIMAL, "bytes=5-100", 5, 9),
    from_whole("unit-case", CHECK, "BYTES=0-4", 0, 4),
    whole_again("unknown-unit", REQUIRED, RANGE, ("Range: lines=0-4",)),
    whole_again("malformed", REQUIRED, RANGE, ("Range: bytes=a-b",), statuses=(200, 416)),
    whole_again("reversed", REQUIRED, RANGE, ("Range: bytes=4-0",), statuses=(200, 416)),
    whole_again("two-lines", CHECK, RANGE, ("Range: bytes=0-1", "Range: bytes=2-3")),
    whole_again("if-range-mismatch", REQUIRED, IF_RANGE, ("Range: bytes=0-4", 'If-Range: "x"')),
    whole_again("if-range-weak", REQUIRED, IF_RANGE, ("Range: bytes=0-4", 'If-Range: W/"abc"')),
    whole_again("if-range-alone", OPTIMAL, IF_RANGE, ('If-Range: "abc"',), hit=True),
    whole_again("if-range-date", REQUIRED, IF_RANGE, ("Range: bytes=0-4", "If-Range: @start-60")),
    case(
        "partial-if-range-match", OPTIMAL, IF_RANGE,
        WHOLE,
        Exchange(
            send=("Range: bytes=0-4", 'If-Range: "abc"'), answer=WHOLE.answer, body=BODY, expect=CACHED,
            statuses=(206,), body_seen="01234",
        ),
    ),
    case(
        "partial-unsatisfiable", CHECK, RANGE,
        WHOLE,
        Exchange(
            send=("Range: bytes=50-60",), status=416, answer=("Content-Range: bytes */10",), statuses=(416,),
            want=("Content-Range: bytes */10",),
        ),
    ),
    case(
        "partial-many", REQUIRED, RANGE,
        WHOLE,
        Exchange(
            send=("Range: bytes=0-1,4-5",), answer=WHOLE.answer, body=BODY, statuses=(200, 206),
            unwanted=("Content-Range: ~^bytes 0-5/",),
        ),
    ),
    case(
        "partial-if-none-match-first", REQUIRED, "9110 §13.2.2",
        WHOLE,
        Exchange(
            send=("Range: bytes=0-4", 'If-None-Match: "abc"'), status=304, answer=WHOLE.answer, statuses=(304,)
        ),
    ),
    case(
        "partial-head", REQUIRED, RANGE,
        WHOLE,
        Exchange(
            method="HEAD", send=("Range: bytes=0-4",), answer=WHOLE.answer, body=BODY, statuses=(200,),
            unwanted=("Content-Range",),
        ),
    ),
    case(
        "partial-404", REQUIRED, RANGE,
        Exchange(status=404, answer=(FRESH,), body=BODY),
        Exchange(status=404, send=("Range: bytes=0-4",), answer=(FRESH,), body=BODY, statuses=(404,), body_seen=BODY),
    ),
    case(
        "partial-stale-complete", REQUIRED, RANGE,
        Exchange(answer=(SHORT, 'ETag: "abc"'), body=BODY, pause=PAUSE),
        Exchange(
            send=("Range: bytes=0-4",), status=206, expect=NOT_CACHED, body="01234", whole=BODY,
            statuses=(200, 206), part_seen="01234", answer=(FRESH, 'ETag: "abc"', "Content-Range: bytes 0-4/10"),
        ),
    ),
    case(
        "partial-keeps-complete", OPTIMAL, COMBINING,
        WHOLE,
        Exchange(
            send=("Range: bytes=0-1,4-5",), status=206, body="--b--",
            answer=(FRESH, "Content-Type: multipart/byteranges; boundary=b"),
        ),
        Exchange(answer=WHOLE.answer, body=BODY, expect=CACHED, statuses=(200,), body_seen=BODY),
    ),
)  # fmt: skip
