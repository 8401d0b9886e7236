"""Stale responses: when they may be served, and when not (RFC 9111 §4.2.4, RFC 5861)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    NOT_CACHED,
    OPTIMAL,
    PAUSE,
    REQUIRED,
    SHORT,
    Case,
    Exchange,
    Fault,
    Kind,
    case,
    reuse,
)

STALE = "9111 §4.2.4"
SWR = "5861 §3"
SIE = "5861 §4"
FAILED = (500, 502, 503, 504)


def close(name: str, kind: Kind, section: str, control: str, *more: str) -> Case:
    """The origin closes the connection once *control* no longer makes its response fresh."""
    return case(
        f"stale-close-{name}", kind, section,
        Exchange(answer=(f"Cache-Control: {control}", *more), pause=PAUSE),
        Exchange(fault=Fault.CLOSE, expect=NOT_CACHED, statuses=FAILED),
    )  # fmt: skip


def if_error(name: str, status: int, window: str, kind: Kind, *, hit: bool) -> Case:
    """The origin answers *status* once its response is stale."""
    return case(
        f"stale-sie-{name}", kind, SIE,
        Exchange(answer=(f"Cache-Control: max-age=1{window}",), pause=PAUSE),
        Exchange(status=status, served=1 if hit else None, expect=CACHED if hit else NOT_CACHED),
    )  # fmt: skip


CASES = (
    close("plain", CHECK, STALE, "max-age=1"),
    close("must-revalidate", REQUIRED, "9111 §5.2.2.2", "max-age=1, must-revalidate"),
    close("must-revalidate-sie", REQUIRED, "9111 §5.2.2.2", "max-age=1, must-revalidate, stale-if-error=60"),
    close("proxy-revalidate", REQUIRED, "9111 §5.2.2.8", "max-age=1, proxy-revalidate"),
    close("proxy-revalidate-sie", REQUIRED, "9111 §5.2.2.8", "max-age=1, proxy-revalidate, stale-if-error=60"),
    close("no-cache", REQUIRED, "9111 §5.2.2.4", "max-age=1, no-cache", 'ETag: "a"'),
    close("no-cache-sie", REQUIRED, "9111 §5.2.2.4", "max-age=1, no-cache, stale-if-error=60", 'ETag: "a"'),
    close("s-maxage", REQUIRED, "9111 §5.2.2.10", "s-maxage=1"),
    close("s-maxage-sie", REQUIRED, "9111 §5.2.2.10", "s-maxage=1, stale-if-error=60"),
    case(
        "stale-503", CHECK, "9111 §4.3.3",
        Exchange(answer=(SHORT,), pause=PAUSE),
        Exchange(status=503, expect=NOT_CACHED, statuses=(503,)),
    ),
    case(
        "stale-503-must-revalidate", REQUIRED, "9111 §5.2.2.2",
        Exchange(answer=("Cache-Control: max-age=1, must-revalidate",), pause=PAUSE),
        Exchange(status=503, expect=NOT_CACHED, statuses=(503, 504)),
    ),
    case(
        "stale-404-replaces", REQUIRED, "9111 §4.3.3",
        Exchange(answer=("Cache-Control: max-age=1, stale-if-error=60",), pause=PAUSE),
        Exchange(status=404, expect=NOT_CACHED, statuses=(404,)),
    ),
    reuse("stale-while-revalidate", OPTIMAL, SWR, "Cache-Control: max-age=1, stale-while-revalidate=60",
          pause=PAUSE),
    reuse("stale-while-revalidate-lines", OPTIMAL, SWR, SHORT, "Cache-Control: stale-while-revalidate=60",
          pause=PAUSE),
    reuse("stale-while-revalidate-window", REQUIRED, SWR, "Cache-Control: max-age=1, stale-while-revalidate=1",
          pause=PAUSE, expect=NOT_CACHED),
    reuse("stale-while-revalidate-invalid", REQUIRED, SWR, "Cache-Control: max-age=1, stale-while-revalidate=x",
          pause=PAUSE, expect=NOT_CACHED),
    reuse("stale-while-revalidate-quoted-lookalike", REQUIRED, SWR,
          'Cache-Control: max-age=1, foo="stale-while-revalidate=60"', pause=PAUSE, expect=NOT_CACHED),
    reuse("stale-while-revalidate-no-cache", REQUIRED, "9111 §5.2.2.4",
          "Cache-Control: max-age=1, no-cache, stale-while-revalidate=60", 'ETag: "a"', pause=PAUSE,
          expect=NOT_CACHED),
    case(
        "stale-while-revalidate-refreshes", OPTIMAL, SWR,
        Exchange(answer=("Cache-Control: max-age=1, stale-while-revalidate=60",), pause=PAUSE),
        Exchange(answer=("Cache-Control: max-age=60",), served=1, pause=1.0),
        Exchange(served=2),
    ),
    case(
        "stale-while-revalidate-validates", OPTIMAL, SWR,
        Exchange(answer=("Cache-Control: max-age=1, stale-while-revalidate=60", 'ETag: "a"'), pause=PAUSE),
        Exchange(
            answer=("Cache-Control: max-age=60", 'ETag: "a"'), validates=True, served=1, pause=1.0,
            at_origin=('If-None-Match: "a"',),
        ),
        Exchange(served=1, age=(0, 3)),
    ),
    case(
        "stale-while-revalidate-vary", OPTIMAL, "9111 §4.3.1",
        Exchange(send=("Foo: 1",), answer=("Cache-Control: max-age=1, stale-while-revalidate=60", "Vary: Foo"),
                 pause=PAUSE),
        Exchange(send=("Foo: 1",), answer=("Cache-Control: max-age=60", "Vary: Foo"), served=1, pause=1.0,
                 at_origin=("Foo: 1",)),
        Exchange(send=("Foo: 1",), served=2),
    ),
    case(
        "stale-while-revalidate-500", OPTIMAL, SWR,
        Exchange(answer=("Cache-Control: max-age=1, stale-while-revalidate=60",), pause=PAUSE),
        Exchange(status=500, served=1, pause=1.0),
        Exchange(answer=("Cache-Control: max-age=60",), served=1),
    ),
    case(
        "stale-while-revalidate-age", REQUIRED, "9111 §5.1",
        Exchange(answer=("Cache-Control: max-age=1, stale-while-revalidate=60",), pause=PAUSE),
        Exchange(answer=("Cache-Control: max-age=60",), served=1, age=(2, 6)),
    ),
    case(
        "stale-sie-close", OPTIMAL, SIE,
        Exchange(answer=("Cache-Control: max-age=1, stale-if-error=60",), pause=PAUSE),
        Exchange(fault=Fault.CLOSE, served=1, expect=CACHED),
    ),
    case(
        "stale-sie-cut", CHECK, SIE,
        Exchange(answer=("Cache-Control: max-age=1, stale-if-error=60",), pause=PAUSE),
        Exchange(answer=("Cache-Control: max-age=60",), fault=Fault.CUT),
        Exchange(answer=("Cache-Control: max-age=60",), statuses=(200,)),
    ),
    case(
        "stale-sie-close-window", REQUIRED, SIE,
        Exchange(answer=("Cache-Control: max-age=1, stale-if-error=1",), pause=PAUSE),
        Exchange(fault=Fault.CLOSE, expect=NOT_CACHED, statuses=FAILED),
    ),
    if_error("500", 500, ", stale-if-error=60", OPTIMAL, hit=True),
    if_error("502", 502, ", stale-if-error=60", OPTIMAL, hit=True),
    if_error("503", 503, ", stale-if-error=60", OPTIMAL, hit=True),
    if_error("504", 504, ", stale-if-error=60", OPTIMAL, hit=True),
    if_error("501", 501, ", stale-if-error=60", REQUIRED, hit=False),
    if_error("503-window", 503, ", stale-if-error=1", REQUIRED, hit=False),
    if_error("503-zero", 503, ", stale-if-error=0", REQUIRED, hit=False),
    if_error("503-invalid", 503, ", stale-if-error=x", REQUIRED, hit=False),
    case(
        "stale-sie-asks-origin", REQUIRED, SIE,
        Exchange(answer=("Cache-Control: max-age=1, stale-if-error=60",), pause=PAUSE),
        Exchange(answer=("Cache-Control: max-age=60",), expect=NOT_CACHED),
    ),
    case(
        "stale-sie-recovers", REQUIRED, SIE,
        Exchange(answer=("Cache-Control: max-age=1, stale-if-error=60",), pause=PAUSE),
        Exchange(status=503, served=1),
        Exchange(answer=("Cache-Control: max-age=60",), expect=NOT_CACHED, statuses=(200,)),
    ),
    case(
        "stale-sie-keeps-age", REQUIRED, "9111 §5.1",
        Exchange(answer=("Cache-Control: max-age=1, stale-if-error=60",), pause=PAUSE),
        Exchange(status=503, served=1, age=(2, 6)),
    ),
)  # fmt: skip
