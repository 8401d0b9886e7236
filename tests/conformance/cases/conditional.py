"""Conditional requests of clients (RFC 9111 §4.3.2; RFC 9110 §8.8, §13)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    FRESH,
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

HANDLING = "9111 §4.3.2"
INM = "9110 §13.1.2"
IMS = "9110 §13.1.3"
PRECEDENCE = "9110 §13.2.2"
COMPARISON = "9110 §8.8.3.2"

LM = "Last-Modified: @start-3600"
SINCE = ("If-Modified-Since: @start-3600",)


def fresh(
    name: str, kind: Kind, section: str, stored: Lines, send: Lines, status: int, then: int = 200, method: str = "GET"
) -> Case:
    """A fresh response with the *stored* fields is asked for with conditions; the answer has *status*.

    Should the origin be asked all the same, it says *then*.
    """
    return case(
        f"conditional-{name}", kind, section,
        Exchange(answer=(FRESH, *stored)),
        Exchange(
            method=method, send=send, status=then, answer=(FRESH, *stored), statuses=(status,),
            expect=CACHED if kind is OPTIMAL else None,
        ),
    )  # fmt: skip


def etag(name: str, kind: Kind, stored: str, sent: str, status: int, section: str = COMPARISON) -> Case:
    return fresh(f"etag-{name}", kind, section, (f"ETag: {stored}",), (f"If-None-Match: {sent}",), status)


CASES = (
    # If-None-Match
    etag("strong-respond", OPTIMAL, '"abc"', '"abc"', 304),
    etag("strong-respond-not", REQUIRED, '"abc"', '"abcd"', 200),
    etag("strong-respond-first", OPTIMAL, '"abc"', '"abc", "x"', 304, INM),
    etag("strong-respond-second", OPTIMAL, '"abc"', '"x", "abc"', 304, INM),
    etag("strong-respond-last", OPTIMAL, '"abc"', '"x", "y", "abc"', 304, INM),
    etag("strong-respond-no-space", OPTIMAL, '"abc"', '"x","abc"', 304, INM),
    etag("strong-respond-empty-elements", OPTIMAL, '"abc"', ', "x",, "abc",', 304, INM),
    etag("comma-within", CHECK, '"abc"', '"x, "abc", y"', 200, "9110 §8.8.3"),
    etag("comma-within-match", OPTIMAL, '"a,b"', '"x", "a,b"', 304, "9110 §8.8.3"),
    etag("empty", OPTIMAL, '""', '""', 304, "9110 §8.8.3"),
    etag("case", REQUIRED, '"abc"', '"ABC"', 200),
    etag("obs-text", OPTIMAL, '"abcdefü"', '"abcdefü"', 304, "9110 §8.8.3"),
    etag("weak-respond", OPTIMAL, 'W/"abc"', 'W/"abc"', 304),
    etag("weak-strong-respond", OPTIMAL, 'W/"abc"', '"abc"', 304),
    etag("strong-weak-respond", OPTIMAL, '"abc"', 'W/"abc"', 304),
    etag("weak-respond-backslash", OPTIMAL, 'W/"ab\\c"', 'W/"ab\\c"', 304, "9110 §8.8.3"),
    etag("weak-respond-lowercase", CHECK, 'W/"abc"', 'w/"abc"', 200, "9110 §8.8.3"),
    etag("weak-respond-no-slash", CHECK, 'W/"abc"', 'W"abc"', 200, "9110 §8.8.3"),
    etag("quoted-respond-unquoted", CHECK, '"abc"', "abc", 200, "9110 §8.8.3"),
    etag("unquoted-respond-quoted", CHECK, "abc", '"abc"', 200, "9110 §8.8.3"),
    etag("unquoted-respond-unquoted", CHECK, "abc", "abc", 304, "9110 §8.8.3"),
    etag("star", OPTIMAL, '"abc"', "*", 304, INM),
    case(
        "conditional-etag-lines", OPTIMAL, INM,
        Exchange(answer=(FRESH, 'ETag: "abc"')),
        Exchange(
            send=('If-None-Match: "x"', 'If-None-Match: "abc"'), answer=(FRESH,), statuses=(304,), expect=CACHED
        ),
    ),
    case(
        "conditional-etag-head", OPTIMAL, "9110 §13.1.2",
        Exchange(answer=(FRESH, 'ETag: "abc"')),
        Exchange(method="HEAD", send=('If-None-Match: "abc"',), answer=(FRESH,), statuses=(304,), expect=CACHED),
    ),
    case(
        "conditional-etag-304-fields", REQUIRED, "9110 §15.4.5",
        Exchange(
            answer=(FRESH, 'ETag: "abc"', "Vary: Foo", "Content-Location: /other", "Expires: @start+3600",
                    "Date: @start"),
        ),
        Exchange(
            send=('If-None-Match: "abc"',), status=304,
            answer=(FRESH, 'ETag: "abc"', "Vary: Foo", "Content-Location: /other", "Expires: @start+3600",
                    "Date: @start"),
            statuses=(304,),
            want=(FRESH, 'ETag: "abc"', "Vary: Foo", "Content-Location: /other", "Expires: @start+3600",
                  "Date: @start"),
            unwanted=("Content-Length: ~^[1-9]",),
        ),
    ),
    case(
        "conditional-etag-304-no-length", CHECK, "9110 §8.6",
        Exchange(answer=(FRESH, 'ETag: "abc"')),
        Exchange(send=('If-None-Match: "abc"',), status=304, statuses=(304,), unwanted=("Content-Length: 0",)),
    ),
    case(
        "conditional-etag-404", REQUIRED, "9110 §13.2.1",
        Exchange(status=404, answer=(FRESH, 'ETag: "abc"')),
        Exchange(status=404, send=('If-None-Match: "abc"',), answer=(FRESH, 'ETag: "abc"'), statuses=(404,)),
    ),
    case(
        "conditional-etag-404-star", REQUIRED, "9110 §13.2.1",
        Exchange(status=404, answer=(FRESH,)),
        Exchange(status=404, send=("If-None-Match: *",), answer=(FRESH,), statuses=(404,)),
    ),
    case(
        "conditional-etag-forward", CHECK, HANDLING,
        Exchange(
            send=('If-None-Match: "abc"',), status=304, answer=(FRESH, 'ETag: "abc"'), statuses=(304,),
            at_origin=('If-None-Match: "abc"',),
        ),
    ),
    case(
        "conditional-etag-forward-unquoted", CHECK, HANDLING,
        Exchange(
            send=("If-None-Match: abc",), status=304, answer=(FRESH,), statuses=(304,),
            at_origin=("If-None-Match: abc",),
        ),
    ),
    case(
        "conditional-etag-304-not-stored", REQUIRED, "9111 §4.3.3",
        Exchange(send=('If-None-Match: "abc"',), status=304, answer=(FRESH, 'ETag: "abc"')),
        Exchange(answer=(FRESH, 'ETag: "abc"'), statuses=(200,)),
    ),
    case(
        "conditional-etag-stale-match", OPTIMAL, "9111 §4.3.3",
        Exchange(answer=(SHORT, 'ETag: "abc"'), pause=PAUSE),
        Exchange(
            send=('If-None-Match: "abc"',), answer=(FRESH, 'ETag: "abc"'), validates=True, statuses=(304,),
            at_origin=('If-None-Match: ~"abc"',),
        ),
        Exchange(served=1, statuses=(200,)),
    ),
    case(
        "conditional-etag-stale-other", REQUIRED, "9111 §4.3.3",
        Exchange(answer=(SHORT, 'ETag: "abc"'), pause=PAUSE),
        Exchange(
            send=('If-None-Match: "x"',), answer=(FRESH, 'ETag: "abc"'), validates=True, statuses=(200,)
        ),
    ),
    case(
        "conditional-etag-stale-changed", REQUIRED, "9111 §4.3.3",
        Exchange(answer=(SHORT, 'ETag: "abc"'), pause=PAUSE),
        Exchange(send=('If-None-Match: "abc"',), answer=(FRESH, 'ETag: "new"'), served=2, statuses=(200,)),
        Exchange(served=2, statuses=(200,)),
    ),
    case(
        "conditional-etag-stale-client-has-new", REQUIRED, "9111 §4.3.3",
        Exchange(answer=(SHORT, 'ETag: "old"'), pause=PAUSE),
        Exchange(send=('If-None-Match: "new"',), status=304, answer=(FRESH, 'ETag: "new"'), statuses=(304, 200)),
        Exchange(answer=(FRESH, 'ETag: "new"'), statuses=(200,), want=('ETag: "new"',)),
    ),
    # If-Modified-Since
    fresh("lm-fresh", OPTIMAL, IMS, (LM,), SINCE, 304),
    fresh("lm-fresh-later", OPTIMAL, IMS, (LM,), ("If-Modified-Since: @start-1800",), 304),
    fresh("lm-fresh-earlier", REQUIRED, IMS, (LM,), ("If-Modified-Since: @start-7200",), 200),
    fresh("lm-fresh-rfc850", OPTIMAL, IMS, (LM,), ("If-Modified-Since: @rfc850:start-3600",), 304),
    fresh("lm-fresh-asctime", OPTIMAL, IMS, (LM,), ("If-Modified-Since: @asctime:start-3600",), 304),
    fresh("lm-fresh-invalid", REQUIRED, IMS, (LM,), ("If-Modified-Since: tomorrow",), 200),
    fresh("lm-fresh-lines", CHECK, IMS, (LM,), (*SINCE, "If-Modified-Since: @start-7200"), 200),
    fresh("lm-fresh-none", OPTIMAL, HANDLING, ("Date: @start-5",), ("If-Modified-Since: @start",), 304),
    fresh("lm-fresh-none-earlier", REQUIRED, HANDLING, ("Date: @start-5",), ("If-Modified-Since: @start-3600",), 200),
    fresh("lm-head", OPTIMAL, IMS, (LM,), SINCE, 304, method="HEAD"),
    case(
        "conditional-lm-404", REQUIRED, "9110 §13.2.1",
        Exchange(status=404, answer=(FRESH, LM)),
        Exchange(status=404, send=SINCE, answer=(FRESH, LM), statuses=(404,)),
    ),
    case(
        "conditional-lm-stale", OPTIMAL, "9111 §4.3.3",
        Exchange(answer=(SHORT, LM), pause=PAUSE),
        Exchange(send=SINCE, answer=(FRESH, LM), validates=True, statuses=(304,)),
    ),
    case(
        "conditional-lm-304-not-stored", REQUIRED, "9111 §4.3.3",
        Exchange(send=SINCE, status=304, answer=(FRESH, LM), statuses=(304,)),
        Exchange(answer=(FRESH, LM), statuses=(200,)),
    ),
    # both
    fresh("precedence-etag-no", REQUIRED, PRECEDENCE, (LM, 'ETag: "abc"'), ('If-None-Match: "x"', *SINCE), 200),
    fresh("precedence-etag-yes", OPTIMAL, PRECEDENCE, (LM, 'ETag: "abc"'),
          ('If-None-Match: "abc"', "If-Modified-Since: @start-7200"), 304),
    fresh("precedence-no-etag-stored", REQUIRED, PRECEDENCE, (LM,), ('If-None-Match: "x"', *SINCE), 200),
    # what is for the origin alone
    case(
        "conditional-if-match-true", REQUIRED, HANDLING,
        Exchange(answer=(FRESH, 'ETag: "abc"')),
        Exchange(send=('If-Match: "abc"',), answer=(FRESH, 'ETag: "abc"'), statuses=(200,)),
    ),
    case(
        "conditional-if-match-false", REQUIRED, HANDLING,
        Exchange(answer=(FRESH, 'ETag: "abc"')),
        Exchange(send=('If-Match: "x"',), answer=(FRESH, 'ETag: "x"'), statuses=(200,)),
    ),
    case(
        "conditional-if-match-forwarded", REQUIRED, HANDLING,
        Exchange(
            method="PUT", content=b"a", send=('If-Match: "abc"',), status=204, at_origin=('If-Match: "abc"',)
        ),
    ),
    case(
        "conditional-if-match-412-not-stored", REQUIRED, "9111 §3",
        Exchange(send=('If-Match: "x"',), answer=(FRESH,), status=412, statuses=(200, 412)),
        Exchange(answer=(FRESH,), statuses=(200,)),
    ),
    case(
        "conditional-if-unmodified-since-false", REQUIRED, HANDLING,
        Exchange(answer=(FRESH, LM)),
        Exchange(send=("If-Unmodified-Since: @start-7200",), answer=(FRESH,), statuses=(200,)),
    ),
    case(
        "conditional-if-unmodified-since-412-not-stored", REQUIRED, "9111 §3",
        Exchange(send=("If-Unmodified-Since: @start-7200",), answer=(FRESH,), status=412, statuses=(200, 412)),
        Exchange(answer=(FRESH,), statuses=(200,)),
    ),
    case(
        "conditional-post", REQUIRED, INM,
        Exchange(answer=(FRESH, 'ETag: "abc"')),
        Exchange(
            method="POST", content=b"a", send=('If-None-Match: "abc"',), status=412, statuses=(412,),
            at_origin=('If-None-Match: "abc"',),
        ),
    ),
)  # fmt: skip
