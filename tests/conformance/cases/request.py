"""What a request says about being answered from a cache (RFC 9111 §5.2.1, §5.4)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    ETAG_VALIDATED,
    FRESH,
    HONOUR,
    LM_VALIDATED,
    NOT_CACHED,
    OPTIMAL,
    PAUSE,
    REQUIRED,
    SHORT,
    Exchange,
    case,
    reuse,
)

MAX_AGE = "9111 §5.2.1.1"
MAX_STALE = "9111 §5.2.1.2"
MIN_FRESH = "9111 §5.2.1.3"
NO_CACHE = "9111 §5.2.1.4"
NO_STORE = "9111 §5.2.1.5"
NO_TRANSFORM = "9111 §5.2.1.6"
ONLY_IF_CACHED = "9111 §5.2.1.7"
PRAGMA = "9111 §5.4"


def cc(value: str) -> tuple[str, ...]:
    return (f"Cache-Control: {value}",)


CASES = (
    reuse("ccreq-ma0", CHECK, MAX_AGE, FRESH, then=cc("max-age=0"), env=HONOUR, expect=NOT_CACHED),
    reuse("ccreq-ma1", CHECK, MAX_AGE, FRESH, then=cc("max-age=1"), env=HONOUR, pause=PAUSE, expect=NOT_CACHED),
    reuse("ccreq-ma-less-than-age", CHECK, MAX_AGE, FRESH, "Age: 1800", then=cc("max-age=600"), env=HONOUR,
          expect=NOT_CACHED),
    reuse("ccreq-ma-enough", OPTIMAL, MAX_AGE, FRESH, then=cc("max-age=600"), env=HONOUR),
    reuse("ccreq-ma-does-not-extend", REQUIRED, MAX_AGE, SHORT, then=cc("max-age=600"), env=HONOUR, pause=PAUSE,
          expect=NOT_CACHED),
    reuse("ccreq-max-stale", CHECK, MAX_STALE, SHORT, then=cc("max-stale=1000"), env=HONOUR, pause=PAUSE),
    reuse("ccreq-max-stale-any", CHECK, MAX_STALE, SHORT, then=cc("max-stale"), env=HONOUR, pause=PAUSE),
    reuse("ccreq-max-stale-exceeded", REQUIRED, MAX_STALE, SHORT, then=cc("max-stale=1"), env=HONOUR, pause=PAUSE,
          expect=NOT_CACHED),
    reuse("ccreq-max-stale-age", CHECK, MAX_STALE, "Cache-Control: max-age=1500", "Age: 2000",
          then=cc("max-stale=1000"), env=HONOUR),
    reuse("ccreq-max-stale-must-revalidate", REQUIRED, "9111 §5.2.2.2", "Cache-Control: max-age=1, must-revalidate",
          then=cc("max-stale=1000"), env=HONOUR, pause=PAUSE, expect=NOT_CACHED),
    reuse("ccreq-max-stale-proxy-revalidate", REQUIRED, "9111 §5.2.2.8",
          "Cache-Control: max-age=1, proxy-revalidate", then=cc("max-stale=1000"), env=HONOUR, pause=PAUSE,
          expect=NOT_CACHED),
    reuse("ccreq-max-stale-s-maxage", REQUIRED, "9111 §5.2.2.10", "Cache-Control: s-maxage=1",
          then=cc("max-stale=1000"), env=HONOUR, pause=PAUSE, expect=NOT_CACHED),
    reuse("ccreq-min-fresh", CHECK, MIN_FRESH, "Cache-Control: max-age=1500", then=cc("min-fresh=2000"), env=HONOUR,
          expect=NOT_CACHED),
    reuse("ccreq-min-fresh-age", CHECK, MIN_FRESH, "Cache-Control: max-age=1500", "Age: 1000",
          then=cc("min-fresh=1000"), env=HONOUR, expect=NOT_CACHED),
    reuse("ccreq-min-fresh-enough", OPTIMAL, MIN_FRESH, "Cache-Control: max-age=1500", then=cc("min-fresh=1000"),
          env=HONOUR),
    reuse("ccreq-no-cache", CHECK, NO_CACHE, FRESH, then=cc("no-cache"), env=HONOUR, expect=NOT_CACHED),
    reuse("ccreq-no-cache-case", CHECK, NO_CACHE, FRESH, then=cc("No-Cache"), env=HONOUR, expect=NOT_CACHED),
    reuse("ccreq-no-cache-etag", CHECK, NO_CACHE, FRESH, 'ETag: "abc"', then=cc("no-cache"), env=HONOUR,
          expect=ETAG_VALIDATED),
    reuse("ccreq-no-cache-lm", CHECK, NO_CACHE, FRESH, "Last-Modified: @start-3600", then=cc("no-cache"),
          env=HONOUR, expect=LM_VALIDATED),
    case(
        "ccreq-no-cache-replaces", OPTIMAL, NO_CACHE,
        Exchange(answer=(FRESH,)),
        Exchange(send=cc("no-cache"), answer=(FRESH,), expect=NOT_CACHED),
        Exchange(answer=(FRESH,), served=2),
        env=HONOUR,
    ),
    case(
        "ccreq-forwarded", REQUIRED, "9111 §5.2",
        Exchange(
            send=("Cache-Control: no-cache, max-age=0, foo=bar", "Pragma: no-cache"), answer=(FRESH,),
            at_origin=("Cache-Control: no-cache, max-age=0, foo=bar", "Pragma: no-cache"),
        ),
    ),
    case(
        "ccreq-no-store-stores-nothing", REQUIRED, NO_STORE,
        Exchange(send=cc("no-store"), answer=(FRESH,)),
        Exchange(answer=(FRESH,), expect=NOT_CACHED),
    ),
    reuse("ccreq-no-store-reuse", CHECK, NO_STORE, FRESH, then=cc("no-store")),
    case(
        "ccreq-no-store-keeps-older", OPTIMAL, NO_STORE,
        Exchange(answer=(FRESH,)),
        Exchange(send=cc("no-store"), answer=(FRESH,)),
        Exchange(answer=(FRESH,), served=1),
    ),
    case(
        "ccreq-only-if-cached", OPTIMAL, ONLY_IF_CACHED,
        Exchange(send=cc("only-if-cached"), answer=(FRESH,), statuses=(504,)),
    ),
    reuse("ccreq-only-if-cached-fresh", OPTIMAL, ONLY_IF_CACHED, FRESH, then=cc("only-if-cached")),
    case(
        "ccreq-only-if-cached-stale", OPTIMAL, ONLY_IF_CACHED,
        Exchange(answer=(SHORT,), pause=PAUSE),
        Exchange(send=cc("only-if-cached"), answer=(FRESH,), statuses=(504,)),
    ),
    case(
        "ccreq-only-if-cached-stores-nothing", REQUIRED, ONLY_IF_CACHED,
        Exchange(send=cc("only-if-cached"), answer=(FRESH,)),
        Exchange(answer=(FRESH,), statuses=(200,)),
    ),
    case(
        "ccreq-no-transform", REQUIRED, NO_TRANSFORM,
        Exchange(send=cc("no-transform"), answer=(FRESH, "Content-Type: text/plain")),
        Exchange(send=cc("no-transform"), expect=CACHED, unwanted=("Content-Encoding",)),
    ),
    reuse("ccreq-unknown", OPTIMAL, "9111 §5.2", FRESH, then=cc("foo=bar, max-frobnicate")),
    # by default a client cannot aim traffic at the app
    reuse("ccreq-ignored-ma0", CHECK, MAX_AGE, FRESH, then=cc("max-age=0")),
    reuse("ccreq-ignored-no-cache", CHECK, NO_CACHE, FRESH, then=cc("no-cache")),
    reuse("ccreq-ignored-min-fresh", CHECK, MIN_FRESH, FRESH, then=cc("min-fresh=4000")),
    reuse("ccreq-ignored-max-stale", REQUIRED, "9111 §4.2.4", SHORT, then=cc("max-stale=1000"), pause=PAUSE,
          expect=NOT_CACHED),
    reuse("ccreq-ignored-pragma", CHECK, PRAGMA, FRESH, then=("Pragma: no-cache",)),
    # Pragma
    reuse("pragma-request-no-cache", CHECK, PRAGMA, FRESH, then=("Pragma: no-cache",), env=HONOUR,
          expect=NOT_CACHED),
    reuse("pragma-request-beside-cache-control", OPTIMAL, PRAGMA, FRESH,
          then=("Pragma: no-cache", "Cache-Control: max-age=600"), env=HONOUR),
    reuse("pragma-request-extension", OPTIMAL, PRAGMA, FRESH, then=("Pragma: foo",), env=HONOUR),
    reuse("pragma-response-no-cache", CHECK, PRAGMA, FRESH, "Pragma: no-cache"),
    reuse("pragma-response-extension", OPTIMAL, PRAGMA, FRESH, "Pragma: foo"),
)  # fmt: skip
