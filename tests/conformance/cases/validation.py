"""Validation with the origin, and what a 304 or a HEAD does to what is stored (RFC 9111 §3.2, §4.3)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    ETAG_VALIDATED,
    FRESH,
    LM_VALIDATED,
    NOT_CACHED,
    OPTIMAL,
    PAUSE,
    REQUIRED,
    SHORT,
    Case,
    Exchange,
    Fault,
    case,
)

SENDING = "9111 §4.3.1"
RESPONSE = "9111 §4.3.3"
FRESHENING = "9111 §4.3.4"
HEAD = "9111 §4.3.5"
UPDATING = "9111 §3.2"

LM = "Last-Modified: @start-3600"
TAG = 'ETag: "abc"'
TAGGED = (SHORT, TAG)
LONG = "Cache-Control: max-age=3600"

UPDATED = ("Test-Header", "X-Test-Header", "Content-Foo", "X-Content-Foo", "Content-Language", "Content-Disposition",
           "Content-Security-Policy", "X-Frame-Options", "X-XSS-Protection", "Access-Control-Allow-Origin", "Link",
           "Location", "Public-Key-Pins", "Clear-Site-Data", "Content-Type", "Content-MD5")  # fmt: skip
NEVER_UPDATED = ("Content-Length",)
MAY_STAY = ("Content-Encoding", "Content-Range")
"""§3.2 lets a cache leave them as they are, and the stored body is what they describe."""


def update(name: str, old: str, new: str) -> Case:
    """A 304 brings a new value of a field: the client sees it at once, and from the cache afterwards."""
    return case(
        f"304-etag-update-{name}", REQUIRED, UPDATING,
        Exchange(answer=(*TAGGED, f"{name}: {old}"), pause=PAUSE),
        Exchange(answer=(LONG, TAG, f"{name}: {new}"), validates=True, want=(f"{name}: {new}",), statuses=(200,)),
        Exchange(answer=(LONG, TAG, f"{name}: {new}"), want=(f"{name}: {new}",), statuses=(200,)),
    )  # fmt: skip


CASES = (
    case(
        "conditional-etag-generate", OPTIMAL, SENDING,
        Exchange(answer=TAGGED, pause=PAUSE), Exchange(answer=TAGGED, expect=ETAG_VALIDATED),
    ),
    case(
        "conditional-etag-generate-weak", OPTIMAL, SENDING,
        Exchange(answer=(SHORT, 'ETag: W/"abc"'), pause=PAUSE),
        Exchange(answer=(SHORT, 'ETag: W/"abc"'), expect=ETAG_VALIDATED, at_origin=('If-None-Match: W/"abc"',)),
    ),
    case(
        "conditional-etag-generate-unquoted", CHECK, SENDING,
        Exchange(answer=(SHORT, "ETag: abc"), pause=PAUSE),
        Exchange(answer=(SHORT, "ETag: abc"), expect=ETAG_VALIDATED),
    ),
    case(
        "conditional-lm-generate", OPTIMAL, SENDING,
        Exchange(answer=(SHORT, LM), pause=PAUSE), Exchange(answer=(SHORT, LM), expect=LM_VALIDATED),
    ),
    case(
        "conditional-lm-generate-fixdate", OPTIMAL, "9110 §5.6.7",
        Exchange(answer=(SHORT, "Last-Modified: @rfc850:start-3600"), pause=PAUSE),
        Exchange(answer=(SHORT,), at_origin=("If-Modified-Since: @start-3600",)),
    ),
    case(
        "conditional-both-generate", OPTIMAL, SENDING,
        Exchange(answer=(*TAGGED, LM), pause=PAUSE),
        Exchange(
            answer=(*TAGGED, LM), expect=ETAG_VALIDATED,
            at_origin=('If-None-Match: "abc"', "If-Modified-Since: @start-3600"),
        ),
    ),
    case(
        "conditional-none-generate", REQUIRED, SENDING,
        Exchange(answer=(SHORT,), pause=PAUSE),
        Exchange(
            answer=(LONG,), expect=NOT_CACHED, statuses=(200,), not_at_origin=("If-Modified-Since", "If-None-Match")
        ),
    ),
    case(
        "conditional-not-for-other-uri", REQUIRED, SENDING,
        Exchange(answer=(FRESH, TAG)),
        Exchange(path="/other", answer=(FRESH,), not_at_origin=("If-None-Match",)),
    ),
    case(
        "validation-200-replaces", REQUIRED, RESPONSE,
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(answer=(LONG, 'ETag: "new"'), served=2, statuses=(200,)),
    ),
    case(
        "validation-200-stored", OPTIMAL, RESPONSE,
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(answer=(LONG, 'ETag: "new"'), served=2),
        Exchange(served=2, statuses=(200,)),
    ),
    case(
        "validation-404-replaces", REQUIRED, RESPONSE,
        Exchange(answer=TAGGED, pause=PAUSE), Exchange(status=404, served=2, statuses=(404,)),
    ),
    case(
        "validation-500-forwarded", CHECK, RESPONSE,
        Exchange(answer=TAGGED, pause=PAUSE), Exchange(status=500, statuses=(500,), served=2),
    ),
    case(
        "validation-closed", CHECK, RESPONSE,
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(fault=Fault.CLOSE, expect=NOT_CACHED, statuses=(500, 502, 503, 504)),
        Exchange(answer=(LONG, TAG), statuses=(200,)),
    ),
    # what a 304 updates
    *(update(name, "old", "new") for name in UPDATED),
    case(
        "304-etag-update-Cache-Control", REQUIRED, UPDATING,
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(answer=("Cache-Control: max-age=7200", TAG), validates=True, want=("Cache-Control: max-age=7200",)),
    ),
    case(
        "304-etag-update-freshness", OPTIMAL, FRESHENING,
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(answer=("Cache-Control: max-age=7200", TAG), validates=True, served=1),
        Exchange(expect=CACHED, served=1, age=(0, 3)),
    ),
    case(
        "304-etag-update-Expires", REQUIRED, UPDATING,
        Exchange(answer=("Expires: @now+1", TAG), pause=PAUSE),
        Exchange(answer=("Expires: @start+3600", TAG), validates=True, want=("Expires: @start+3600",)),
    ),
    case(
        "304-etag-update-Date", REQUIRED, UPDATING,
        Exchange(answer=(*TAGGED, "Date: @start-1"), pause=PAUSE),
        Exchange(answer=(LONG, TAG, "Date: @start+2"), validates=True, want=("Date: @start+2",)),
        Exchange(served=1, want=("Date: @start+2",)),
    ),
    case(
        "304-lm-update-Test-Header", REQUIRED, UPDATING,
        Exchange(answer=(SHORT, LM, "Test-Header: old"), pause=PAUSE),
        Exchange(answer=(LONG, LM, "Test-Header: new"), validates=True, want=("Test-Header: new",)),
        Exchange(answer=(LONG, LM, "Test-Header: new"), want=("Test-Header: new",)),
    ),
    case(
        "304-lm-update-no-validator", OPTIMAL, FRESHENING,
        Exchange(answer=(SHORT, LM, "Test-Header: old"), pause=PAUSE),
        Exchange(answer=(LONG, "Test-Header: new"), validates=True, want=("Test-Header: new",), served=1),
        Exchange(want=("Test-Header: new",), served=1),
    ),
    case(
        "304-etag-use-stored-Test-Header", REQUIRED, UPDATING,
        Exchange(answer=(*TAGGED, "Test-Header: old"), pause=PAUSE),
        Exchange(
            answer=(LONG, TAG, "Test-Header: old"), expect=None, validates=True, want=("Test-Header: old",)
        ),
    ),
    case(
        "304-etag-keeps-omitted", OPTIMAL, UPDATING,
        Exchange(answer=(*TAGGED, "Test-Header: old"), pause=PAUSE),
        Exchange(answer=(LONG, TAG), validates=True, served=1, want=("Test-Header: old",)),
        Exchange(served=1, want=("Test-Header: old",)),
    ),
    case(
        "304-etag-adds", REQUIRED, UPDATING,
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(answer=(LONG, TAG, "Test-Header: new"), validates=True, want=("Test-Header: new",)),
        Exchange(answer=(LONG, TAG, "Test-Header: new"), want=("Test-Header: new",)),
    ),
    case(
        "304-etag-replaces-lines", REQUIRED, UPDATING,
        Exchange(answer=(*TAGGED, "Test-Header: a", "Test-Header: b"), pause=PAUSE),
        Exchange(
            answer=(LONG, TAG, "Test-Header: c", "Test-Header: d"), validates=True, want=("Test-Header: c, d",)
        ),
    ),
    *(
        case(
            f"304-etag-no-update-{name}", REQUIRED, UPDATING,
            Exchange(answer=TAGGED, pause=PAUSE),
            Exchange(answer=(LONG, TAG, f"{name}: 999"), validates=True, unwanted=(f"{name}: 999",),
                     statuses=(200,), served=1),
        )
        for name in NEVER_UPDATED
    ),
    *(
        case(
            f"304-etag-keep-{name}", CHECK, UPDATING,
            Exchange(answer=(*TAGGED, f"{name}: old"), pause=PAUSE),
            Exchange(answer=(LONG, TAG, f"{name}: new"), validates=True, unwanted=(f"{name}: new",), served=1),
        )
        for name in MAY_STAY
    ),
    case(
        "304-etag-no-update-Connection", REQUIRED, UPDATING,
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(answer=(LONG, TAG, "Connection: A-Test", "A-Test: 1"), validates=True),
        Exchange(answer=(LONG, TAG), unwanted=("A-Test",)),
    ),
    case(
        "304-etag-no-update-private", REQUIRED, "9111 §5.2.2.7",
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(answer=('Cache-Control: max-age=60, private="A-Test"', TAG, "A-Test: 1"), validates=True),
        Exchange(answer=(LONG, TAG), unwanted=("A-Test",)),
    ),
    case(
        "304-etag-then-no-store", REQUIRED, FRESHENING,
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(answer=("Cache-Control: max-age=60, no-store", TAG), validates=True, statuses=(200,)),
        Exchange(answer=(LONG, TAG), expect=NOT_CACHED),
    ),
    case(
        "304-etag-then-private", REQUIRED, FRESHENING,
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(answer=("Cache-Control: max-age=60, private", TAG), validates=True, statuses=(200,)),
        Exchange(answer=(LONG, TAG), expect=NOT_CACHED),
    ),
    case(
        "304-etag-set-cookie", CHECK, "9111 §7.3",
        Exchange(answer=TAGGED, pause=PAUSE),
        Exchange(answer=(LONG, TAG, "Set-Cookie: user=1"), validates=True, statuses=(200,)),
        Exchange(answer=(LONG, TAG), unwanted=("Set-Cookie",)),
    ),
    case(
        "304-mismatched-etag", REQUIRED, FRESHENING,
        Exchange(answer=(*TAGGED, "Test-Header: old"), pause=PAUSE),
        # The 304 speaks of a response that is not stored: whoever asks without conditions gets it.
        Exchange(answer=(LONG, 'ETag: "other"', "Test-Header: new"), validates=True, served=2, statuses=(200,)),
    ),
    case(
        "304-updates-the-selected-only", REQUIRED, FRESHENING,
        Exchange(send=("Foo: 1",), answer=(SHORT, "Vary: Foo", 'ETag: "one"')),
        Exchange(send=("Foo: 2",), answer=(SHORT, "Vary: Foo", 'ETag: "two"'), pause=PAUSE),
        Exchange(send=("Foo: 1",), answer=(LONG, "Vary: Foo", 'ETag: "one"', "A-Test: 1"), validates=True),
        Exchange(send=("Foo: 2",), answer=(LONG, "Vary: Foo", 'ETag: "two"'), validates=True, unwanted=("A-Test",)),
    ),
    case(
        "304-weak-etag", OPTIMAL, FRESHENING,
        Exchange(answer=(SHORT, 'ETag: W/"abc"'), pause=PAUSE),
        Exchange(answer=(LONG, 'ETag: W/"abc"'), validates=True, served=1),
        Exchange(served=1),
    ),
    # HEAD
    case(
        "head-from-get", OPTIMAL, "9111 §4",
        Exchange(answer=(FRESH, "A-Test: 1")),
        Exchange(method="HEAD", answer=(FRESH,), expect=CACHED, statuses=(200,), want=("A-Test: 1",), body_seen=""),
    ),
    case(
        "head-not-for-get", REQUIRED, "9111 §4",
        Exchange(method="HEAD", answer=(FRESH,)),
        Exchange(answer=(FRESH,), statuses=(200,)),
    ),
    case(
        "head-for-head", CHECK, "9110 §9.3.2",
        Exchange(method="HEAD", answer=(FRESH,)),
        Exchange(method="HEAD", answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "head-writethrough", CHECK, HEAD,
        Exchange(answer=(SHORT,), pause=PAUSE),
        Exchange(method="HEAD", answer=(SHORT,), expect=NOT_CACHED),
    ),
    case(
        "head-200-freshness-update", OPTIMAL, HEAD,
        Exchange(answer=(*TAGGED, "Content-Length: 5"), body="hello", pause=PAUSE),
        Exchange(method="HEAD", answer=(LONG, TAG, "Content-Length: 5"), body="hello"),
        Exchange(answer=(LONG, TAG), body="hello", expect=CACHED, body_seen="hello"),
    ),
    case(
        "head-200-update", OPTIMAL, HEAD,
        Exchange(answer=(*TAGGED, "Test-Header: old", "Content-Length: 5"), body="hello", pause=PAUSE),
        Exchange(method="HEAD", answer=(LONG, TAG, "Test-Header: new", "Content-Length: 5"), body="hello"),
        Exchange(answer=(LONG, TAG), body="hello", expect=CACHED, want=("Test-Header: new",), body_seen="hello"),
    ),
    case(
        "head-200-retain", OPTIMAL, HEAD,
        Exchange(answer=(*TAGGED, "Test-Header: old", "Content-Length: 5"), body="hello", pause=PAUSE),
        Exchange(method="HEAD", answer=(LONG, TAG, "Content-Length: 5"), body="hello"),
        Exchange(answer=(LONG, TAG), body="hello", expect=CACHED, want=("Test-Header: old",), body_seen="hello"),
    ),
    case(
        "head-changed-etag", OPTIMAL, HEAD,
        Exchange(answer=("Cache-Control: max-age=1, stale-while-revalidate=60", TAG), pause=PAUSE),
        Exchange(method="HEAD", answer=(LONG, 'ETag: "new"'), served=1, pause=1.0),
        Exchange(answer=(LONG, 'ETag: "new"'), statuses=(200,)),
    ),
    case(
        "head-changed-length", OPTIMAL, HEAD,
        Exchange(answer=(*TAGGED, "Content-Length: 5"), body="hello", pause=PAUSE),
        Exchange(method="HEAD", answer=(LONG, TAG, "Content-Length: 6"), body="hello!"),
        Exchange(answer=(LONG, TAG), body="hello!", body_seen="hello!"),
    ),
    case(
        "head-410", CHECK, HEAD,
        Exchange(answer=(*TAGGED, "Content-Length: 5"), body="hello", pause=PAUSE),
        Exchange(method="HEAD", status=410, statuses=(410,)),
        Exchange(answer=(LONG, TAG), body="hello", statuses=(200,)),
    ),
)  # fmt: skip
