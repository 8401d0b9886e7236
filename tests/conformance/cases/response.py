"""What a response says about storing and reusing it (RFC 9111 §3, §5.2.2)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    ETAG_VALIDATED,
    FRESH,
    HEURISTIC,
    HONOUR,
    LM_VALIDATED,
    NOT_CACHED,
    OPTIMAL,
    PAUSE,
    REQUIRED,
    SHORT,
    Exchange,
    Fault,
    case,
    reuse,
    settings,
)

NO_STORE = "9111 §5.2.2.5"
NO_CACHE = "9111 §5.2.2.4"
PRIVATE = "9111 §5.2.2.7"
MUST_REVALIDATE = "9111 §5.2.2.2"
MUST_UNDERSTAND = "9111 §5.2.2.3"
PROXY_REVALIDATE = "9111 §5.2.2.8"
PUBLIC = "9111 §5.2.2.9"
INCOMPLETE = "9111 §3.3"
COOKIE = "9111 §7.3"

LONG = "Expires: @now+3600"


def incomplete(name: str, fault: Fault) -> tuple[Exchange, ...]:
    return (Exchange(answer=(FRESH,), fault=fault), Exchange(answer=(FRESH,), expect=NOT_CACHED, statuses=(200,)))


CASES = (
    reuse("cc-resp-no-store", REQUIRED, NO_STORE, "Cache-Control: no-store", LONG, expect=NOT_CACHED),
    reuse("cc-resp-no-store-case-insensitive", REQUIRED, "9111 §5.2", "Cache-Control: No-StOrE", LONG,
          expect=NOT_CACHED),
    reuse("cc-resp-no-store-fresh", REQUIRED, NO_STORE, "Cache-Control: max-age=3600, no-store", expect=NOT_CACHED),
    reuse("cc-resp-no-store-lines", REQUIRED, NO_STORE, FRESH, "Cache-Control: no-store", expect=NOT_CACHED),
    reuse("cc-resp-no-store-argument", CHECK, NO_STORE, "Cache-Control: max-age=3600, no-store=1", expect=NOT_CACHED),
    reuse("cc-resp-no-store-tab", REQUIRED, "9110 §5.6.3", "Cache-Control: max-age=3600\t,\tno-store",
          expect=NOT_CACHED),
    case(
        "cc-resp-no-store-old-new", OPTIMAL, NO_STORE,
        Exchange(answer=(FRESH,)),
        Exchange(send=("Cache-Control: no-cache",), answer=("Cache-Control: no-store",), expect=NOT_CACHED),
        Exchange(answer=(FRESH,), served=1),
        env=HONOUR,
    ),
    case(
        "cc-resp-no-store-after-stale", REQUIRED, NO_STORE,
        Exchange(answer=(SHORT,), pause=PAUSE),
        Exchange(answer=("Cache-Control: no-store",), expect=NOT_CACHED),
        Exchange(answer=(FRESH,), expect=NOT_CACHED),
    ),
    reuse("cc-resp-no-cache", REQUIRED, NO_CACHE, "Cache-Control: no-cache", LONG, expect=NOT_CACHED),
    reuse("cc-resp-no-cache-case-insensitive", REQUIRED, "9111 §5.2", "Cache-Control: No-CaChE", LONG,
          expect=NOT_CACHED),
    reuse("cc-resp-no-cache-s-maxage", REQUIRED, NO_CACHE, "Cache-Control: s-maxage=3600, no-cache",
          expect=NOT_CACHED),
    reuse("cc-resp-no-cache-validate", OPTIMAL, NO_CACHE, "Cache-Control: no-cache", 'ETag: "abcd"',
          expect=ETAG_VALIDATED),
    reuse("cc-resp-no-cache-validate-fresh", OPTIMAL, NO_CACHE, "Cache-Control: max-age=3600, no-cache",
          'ETag: "abcd"', expect=ETAG_VALIDATED),
    reuse("cc-resp-no-cache-validate-lm", OPTIMAL, NO_CACHE, "Cache-Control: max-age=3600, no-cache",
          "Last-Modified: @start-3600", expect=LM_VALIDATED),
    reuse("cc-resp-max-age-0-validate", OPTIMAL, "9111 §4.3.1", "Cache-Control: max-age=0", 'ETag: "abcd"',
          expect=ETAG_VALIDATED),
    case(
        "cc-resp-no-cache-fields", REQUIRED, NO_CACHE,
        Exchange(answer=('Cache-Control: max-age=3600, no-cache="A-Test"', "A-Test: 1", "B-Test: 1")),
        Exchange(answer=(FRESH,), unwanted=("A-Test",)),
    ),
    case(
        "cc-resp-no-cache-fields-several", REQUIRED, NO_CACHE,
        Exchange(answer=('Cache-Control: max-age=3600, no-cache="a-test, C-Test"', "A-Test: 1", "C-Test: 1")),
        Exchange(answer=(FRESH,), unwanted=("A-Test", "C-Test")),
    ),
    reuse("cc-resp-no-cache-fields-reuse", CHECK, NO_CACHE, 'Cache-Control: max-age=3600, no-cache="A-Test"',
          "A-Test: 1"),
    case(
        "cc-resp-no-cache-fields-token", REQUIRED, NO_CACHE,
        Exchange(answer=("Cache-Control: max-age=3600, no-cache=A-Test", "A-Test: 1")),
        Exchange(answer=(FRESH,), unwanted=("A-Test",)),
    ),
    reuse("cc-resp-no-cache-fields-and-plain", REQUIRED, NO_CACHE,
          'Cache-Control: max-age=3600, no-cache="A-Test", no-cache', expect=NOT_CACHED),
    reuse("cc-resp-private", REQUIRED, PRIVATE, "Cache-Control: private", LONG, expect=NOT_CACHED),
    reuse("cc-resp-private-fresh", REQUIRED, PRIVATE, "Cache-Control: max-age=3600, private", expect=NOT_CACHED),
    reuse("cc-resp-private-case-insensitive", REQUIRED, "9111 §5.2", "Cache-Control: max-age=3600, PriVate",
          expect=NOT_CACHED),
    reuse("cc-resp-private-s-maxage", REQUIRED, PRIVATE, "Cache-Control: private, s-maxage=3600",
          expect=NOT_CACHED),
    case(
        "cc-resp-private-fields", REQUIRED, PRIVATE,
        Exchange(answer=('Cache-Control: max-age=3600, private="A-Test, C-Test"', "A-Test: 1", "C-Test: 1")),
        Exchange(answer=(FRESH,), unwanted=("A-Test", "C-Test")),
    ),
    reuse("cc-resp-private-fields-reuse", CHECK, PRIVATE, 'Cache-Control: max-age=3600, private="A-Test"',
          "A-Test: 1"),
    reuse("cc-resp-private-fields-and-plain", REQUIRED, PRIVATE,
          'Cache-Control: max-age=3600, private="A-Test", private', expect=NOT_CACHED),
    reuse("cc-resp-private-empty-fields", CHECK, PRIVATE, 'Cache-Control: max-age=3600, private=""',
          expect=NOT_CACHED),
    reuse("cc-resp-must-revalidate-fresh", OPTIMAL, MUST_REVALIDATE, "Cache-Control: max-age=3600, must-revalidate"),
    reuse("cc-resp-must-revalidate-stale", REQUIRED, MUST_REVALIDATE, "Cache-Control: max-age=1, must-revalidate",
          pause=PAUSE, expect=NOT_CACHED),
    reuse("cc-resp-must-revalidate-swr", REQUIRED, MUST_REVALIDATE,
          "Cache-Control: max-age=1, must-revalidate, stale-while-revalidate=60", pause=PAUSE, expect=NOT_CACHED),
    reuse("cc-resp-must-revalidate-validate", OPTIMAL, MUST_REVALIDATE,
          "Cache-Control: max-age=1, must-revalidate", 'ETag: "abcd"', pause=PAUSE, expect=ETAG_VALIDATED),
    case(
        "cc-resp-must-revalidate-504", CHECK, MUST_REVALIDATE,
        Exchange(answer=("Cache-Control: max-age=1, must-revalidate",), pause=PAUSE),
        Exchange(fault=Fault.CLOSE, expect=NOT_CACHED, statuses=(500, 502, 503, 504)),
    ),
    reuse("cc-resp-proxy-revalidate-fresh", OPTIMAL, PROXY_REVALIDATE, "Cache-Control: max-age=3600, proxy-revalidate"),
    reuse("cc-resp-proxy-revalidate-stale", REQUIRED, PROXY_REVALIDATE,
          "Cache-Control: max-age=1, proxy-revalidate, stale-while-revalidate=60", pause=PAUSE, expect=NOT_CACHED),
    reuse("cc-resp-s-maxage-swr", REQUIRED, "9111 §5.2.2.10",
          "Cache-Control: s-maxage=1, stale-while-revalidate=60", pause=PAUSE, expect=NOT_CACHED),
    reuse("cc-resp-public-fresh", OPTIMAL, PUBLIC, "Cache-Control: public, max-age=3600"),
    reuse("cc-resp-public-alone", CHECK, PUBLIC, "Cache-Control: public", expect=NOT_CACHED),
    reuse("cc-resp-immutable-fresh", OPTIMAL, "8246 §2", "Cache-Control: max-age=3600, immutable"),
    reuse("cc-resp-immutable-stale", REQUIRED, "8246 §2", "Cache-Control: max-age=1, immutable", pause=PAUSE,
          expect=NOT_CACHED),
    reuse("cc-resp-must-understand-200", OPTIMAL, MUST_UNDERSTAND,
          "Cache-Control: max-age=3600, no-store, must-understand"),
    reuse("cc-resp-must-understand-599", REQUIRED, MUST_UNDERSTAND,
          "Cache-Control: max-age=3600, no-store, must-understand", status=599, expect=NOT_CACHED),
    reuse("cc-resp-must-understand-alone-599", REQUIRED, MUST_UNDERSTAND,
          "Cache-Control: max-age=3600, must-understand", status=599, expect=NOT_CACHED),
    reuse("cc-resp-must-understand-private", REQUIRED, MUST_UNDERSTAND,
          "Cache-Control: max-age=3600, no-store, must-understand, private", expect=NOT_CACHED),
    case(
        "cc-resp-no-transform", REQUIRED, "9111 §5.2.2.6",
        Exchange(answer=("Cache-Control: max-age=3600, no-transform", "Content-Type: text/plain")),
        Exchange(
            send=("Accept-Encoding: gzip",), expect=CACHED, unwanted=("Content-Encoding",),
            want=("Content-Type: text/plain", "Cache-Control: max-age=3600, no-transform"),
        ),
    ),
    case(
        "cc-resp-unknown-forwarded", REQUIRED, "9111 §5.2",
        Exchange(
            answer=('Cache-Control: max-age=3600, community="UCI", a b',),
            want=('Cache-Control: max-age=3600, community="UCI", a b',),
        ),
        Exchange(expect=CACHED, want=('Cache-Control: max-age=3600, community="UCI", a b',)),
    ),
    # incomplete messages
    case("incomplete-cut", REQUIRED, INCOMPLETE, *incomplete("cut", Fault.CUT)),
    case("incomplete-cut-chunked", REQUIRED, INCOMPLETE, *incomplete("cut-chunked", Fault.CUT_CHUNKED)),
    case("incomplete-short", REQUIRED, INCOMPLETE, *incomplete("short", Fault.SHORT)),
    case(
        "incomplete-replaces-nothing", REQUIRED, INCOMPLETE,
        Exchange(answer=("Cache-Control: max-age=1, stale-if-error=60",), pause=PAUSE),
        Exchange(answer=(FRESH,), fault=Fault.CUT),
        Exchange(answer=(FRESH,), expect=None, statuses=(200,)),
    ),
    # cookies: the specification lets them be stored; what we do is a setting
    reuse("set-cookie-refuse", CHECK, COOKIE, FRESH, "Set-Cookie: a=b", expect=NOT_CACHED),
    reuse("set-cookie-store", CHECK, COOKIE, FRESH, "Set-Cookie: a=b", env=settings(set_cookie="store")),
    case(
        "set-cookie-strip", REQUIRED, COOKIE,
        Exchange(answer=(FRESH, "Set-Cookie: a=b"), want=("Set-Cookie: a=b",)),
        Exchange(answer=(FRESH,), unwanted=("Set-Cookie",), expect=CACHED),
        env=settings(set_cookie="strip"),
        is_ours=True,
    ),
    case(
        "set-cookie-lines", REQUIRED, "9110 §5.3",
        Exchange(answer=(FRESH, "Set-Cookie: a=b", "Set-Cookie: c=d; Expires=Thu, 01 Jan 2050 00:00:00 GMT")),
        Exchange(
            answer=(FRESH, "Set-Cookie: a=b", "Set-Cookie: c=d; Expires=Thu, 01 Jan 2050 00:00:00 GMT"),
            want=("Set-Cookie: a=b, c=d; Expires=Thu, 01 Jan 2050 00:00:00 GMT",),
        ),
        env=settings(set_cookie="store"),
    ),
    reuse("set-cookie-no-lifetime", CHECK, COOKIE, "Set-Cookie: a=b", "Last-Modified: @start-864000", env=HEURISTIC,
          expect=NOT_CACHED),
    reuse("cookie-request", CHECK, COOKIE, FRESH, send=("Cookie: a=b",)),
    reuse("content-disposition", OPTIMAL, "9111 §3", FRESH, "Content-Disposition: attachment; filename=a.txt"),
)  # fmt: skip
