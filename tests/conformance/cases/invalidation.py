"""Invalidation by unsafe methods, and what tells one URI from another (RFC 9111 §4, §4.4)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    FRESH,
    NOT_CACHED,
    OPTIMAL,
    REQUIRED,
    Case,
    Exchange,
    Expect,
    Kind,
    case,
)

INVALIDATION = "9111 §4.4"
KEYS = "9111 §2"
METHODS = ("POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FROBNICATE")


def by(method: str) -> tuple[Case, ...]:
    def with_status(name: str, kind: Kind, status: int, expect: Expect) -> Case:
        return case(
            f"invalidate-{method}{name}", kind, INVALIDATION,
            Exchange(answer=(FRESH,)),
            Exchange(method=method, content=b"a", status=status),
            Exchange(answer=(FRESH,), expect=expect),
        )  # fmt: skip

    def other(field: str) -> Case:
        return case(
            f"invalidate-{method}-{field.lower()}", CHECK, INVALIDATION,
            Exchange(path="/other", answer=(FRESH,)),
            Exchange(method=method, content=b"a", answer=(f"{field}: {{path}}/other",)),
            Exchange(path="/other", answer=(FRESH,), expect=NOT_CACHED),
        )  # fmt: skip

    cases = (
        with_status("", REQUIRED, 200, NOT_CACHED),
        with_status("-500", OPTIMAL, 500, CACHED),
        other("Location"),
        other("Content-Location"),
    )
    if method != "POST":
        return cases
    return (
        *cases,
        with_status("-204", REQUIRED, 204, NOT_CACHED),
        with_status("-303", REQUIRED, 303, NOT_CACHED),
        with_status("-404", OPTIMAL, 404, CACHED),
    )


def safe(method: str) -> Case:
    return case(
        f"invalidate-not-{method}", OPTIMAL, INVALIDATION,
        Exchange(answer=(FRESH,)),
        Exchange(method=method, status=204),
        Exchange(answer=(FRESH,), served=1),
    )  # fmt: skip


def uri(name: str, first: str, second: str, *, kind: Kind = REQUIRED, hit: bool = False) -> Case:
    """Two paths or queries of the same case: are they one URI?"""
    return case(
        f"uri-{name}", kind, KEYS,
        Exchange(path=first, answer=(FRESH,)),
        Exchange(path=second, answer=(FRESH,), expect=CACHED if hit else NOT_CACHED),
    )  # fmt: skip


CASES = (
    *(item for method in METHODS for item in by(method)),
    safe("OPTIONS"),
    safe("HEAD"),
    case(
        "invalidate-absolute-location", CHECK, INVALIDATION,
        Exchange(path="/other", answer=(FRESH,)),
        Exchange(method="POST", content=b"a", answer=("Location: http://{host}{path}/other",)),
        Exchange(path="/other", answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "invalidate-relative-location", CHECK, INVALIDATION,
        Exchange(path="/a/other?x=1", answer=(FRESH,)),
        Exchange(method="POST", path="/a/b", content=b"a", answer=("Location: other?x=1#frag",)),
        Exchange(path="/a/other?x=1", answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "invalidate-other-origin", REQUIRED, INVALIDATION,
        Exchange(path="/other", answer=(FRESH,)),
        Exchange(method="POST", content=b"a", answer=("Location: http://elsewhere.test{path}/other",)),
        Exchange(path="/other", answer=(FRESH,), served=1),
    ),
    case(
        "invalidate-other-origin-network-path", REQUIRED, INVALIDATION,
        Exchange(path="/other", answer=(FRESH,)),
        Exchange(method="POST", content=b"a", answer=("Content-Location: //elsewhere.test{path}/other",)),
        Exchange(path="/other", answer=(FRESH,), served=1),
    ),
    case(
        "invalidate-other-scheme", REQUIRED, INVALIDATION,
        Exchange(path="/other", answer=(FRESH,)),
        Exchange(method="POST", content=b"a", answer=("Location: https://{host}{path}/other",)),
        Exchange(path="/other", answer=(FRESH,), served=1),
    ),
    case(
        "invalidate-malformed-location", REQUIRED, INVALIDATION,
        Exchange(answer=(FRESH,)),
        Exchange(method="POST", content=b"a", answer=("Location: http://[", "Content-Location: %%%"), statuses=(200,)),
        Exchange(answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "invalidate-get-location", REQUIRED, INVALIDATION,
        Exchange(path="/other", answer=(FRESH,)),
        Exchange(answer=("Location: {path}/other",), status=302),
        Exchange(path="/other", answer=(FRESH,), served=1),
    ),
    case(
        "invalidate-other-query-untouched", OPTIMAL, INVALIDATION,
        Exchange(path="?a=1", answer=(FRESH,)),
        Exchange(method="POST", path="?a=2", content=b"a"),
        Exchange(path="?a=1", answer=(FRESH,), served=1),
    ),
    case(
        "invalidate-then-store", OPTIMAL, INVALIDATION,
        Exchange(answer=(FRESH,)),
        Exchange(method="POST", content=b"a"),
        Exchange(answer=(FRESH,), expect=NOT_CACHED),
        Exchange(answer=(FRESH,), served=3),
    ),
    # what tells one URI from another
    uri("query-same", "?a=1&b=2", "?a=1&b=2", kind=OPTIMAL, hit=True),
    uri("query-differs", "?a=1", "?a=2"),
    uri("query-name-differs", "?a=1", "?b=1"),
    uri("query-absent", "?a=1", ""),
    uri("query-empty", "?", "", kind=CHECK, hit=True),
    uri("query-repeated", "?a=1&a=2", "?a=2"),
    uri("query-repeated-order", "?a=1&a=2", "?a=2&a=1"),
    uri("query-order", "?a=1&b=2", "?b=2&a=1", kind=CHECK),
    uri("query-case", "?a=x", "?a=X"),
    uri("query-plus-and-space", "?a=1+2", "?a=1%202"),
    uri("query-encoded-ampersand", "?a=1%26b=2", "?a=1&b=2"),
    uri("query-blank-value", "?a=", "?a"),
    uri("path-case", "/a", "/A"),
    uri("path-trailing-slash", "/a", "/a/"),
    uri("path-double-slash", "/a/b", "/a//b"),
    uri("path-encoded-slash", "/a/b", "/a%2Fb"),
    uri("path-encoded-question", "/a?b", "/a%3Fb"),
    uri("path-parameter", "/a", "/a;b=c"),
    uri("path-encoded-percent", "/a%2Fb", "/a%252Fb"),
    uri("path-encoded-letter", "/a", "/%61", kind=CHECK),
    uri("path-encoding-case", "/a%2fb", "/a%2Fb", kind=CHECK),
    uri("path-encoded-null", "/a", "/a%00"),
    case(
        "uri-host-differs", REQUIRED, KEYS,
        Exchange(send=("Host: a.test",), answer=(FRESH,)),
        Exchange(send=("Host: b.test",), answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "uri-host-port-differs", REQUIRED, KEYS,
        Exchange(send=("Host: a.test:81",), answer=(FRESH,)),
        Exchange(send=("Host: a.test:82",), answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "uri-host-case", OPTIMAL, "9110 §4.2.3",
        Exchange(send=("Host: A.test",), answer=(FRESH,)),
        Exchange(send=("Host: a.Test",), answer=(FRESH,), expect=CACHED),
    ),
    case(
        "uri-forwarded-host-not-shared", CHECK, KEYS,
        Exchange(send=("X-Forwarded-Host: evil.test", "X-Original-URL: /evil", "X-Rewrite-URL: /evil"),
                 answer=(FRESH,)),
        Exchange(answer=(FRESH,), expect=NOT_CACHED),
    ),
)  # fmt: skip
