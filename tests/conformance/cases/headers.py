"""Fields that are kept, and fields that are not (RFC 9111 §3.1; RFC 9110 §7.6.1)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    FRESH,
    REQUIRED,
    Case,
    Exchange,
    case,
    settings,
)

STORING = "9111 §3.1"

KEPT = {
    "Test-Header": "a b",
    "X-Test-Header": "a",
    "Content-Foo": "a",
    "X-Content-Foo": "a",
    "Cache-Control": "max-age=3600, foo=bar",
    "Content-Disposition": "attachment",
    "Content-Encoding": "foo",
    "Content-Language": "de",
    "Content-Location": "/foo",
    "Content-MD5": "rL0Y20zC+Fzt72VPzMSk2A==",
    "Content-Security-Policy": "default-src 'self'",
    "Content-Type": "text/plain;charset=utf-8",
    "Clear-Site-Data": '"cookies"',
    "ETag": '"abc"',
    "Expires": "Thu, 18 Aug 2050 02:01:18 GMT",
    "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
    "Link": "</a>; rel=next",
    "Location": "/foo",
    "Public-Key-Pins": "a",
    "Server": "x",
    "Set-Cookie2": "a=b",
    "Strict-Transport-Security": "max-age=1",
    "X-Frame-Options": "deny",
    "X-XSS-Protection": "1",
    "Retry-After": "120",
    "WWW-Authenticate": "Basic",
    "Warning": '214 - "x"',
}
NOT_KEPT = {
    "Proxy-Authenticate": "Basic",
    "Proxy-Authentication-Info": "a=b",
    "Proxy-Authorization": "Basic dTpw",
    "Proxy-Connection": "keep-alive",
    "Keep-Alive": "timeout=5",
    "TE": "trailers",
    "Upgrade": "foo/1",
}
"""§3.1 names Connection, the fields it lists, those of RFC 9110 §7.6.1, and those for the proxy alone."""


def kept(name: str, value: str) -> Case:
    return case(
        f"headers-store-{name}", REQUIRED, STORING,
        Exchange(answer=(FRESH, f"{name}: {value}") if name != "Cache-Control" else (f"{name}: {value}",)),
        Exchange(answer=(FRESH, f"{name}: {value}") if name != "Cache-Control" else (f"{name}: {value}",),
                 want=(f"{name}: {value}",)),
    )  # fmt: skip


def not_kept(name: str, value: str) -> Case:
    return case(
        f"headers-not-store-{name}", REQUIRED, STORING,
        Exchange(answer=(FRESH, f"{name}: {value}")), Exchange(answer=(FRESH,), unwanted=(f"{name}: {value}",)),
    )  # fmt: skip


CASES = (
    *(kept(name, value) for name, value in KEPT.items()),
    case(
        "headers-store-Set-Cookie", REQUIRED, STORING,
        Exchange(answer=(FRESH, "Set-Cookie: a=b")),
        Exchange(answer=(FRESH, "Set-Cookie: a=b"), want=("Set-Cookie: a=b",)),
        env=settings(set_cookie="store"),
    ),
    *(not_kept(name, value) for name, value in NOT_KEPT.items()),
    case(
        "headers-not-store-Connection", REQUIRED, STORING,
        Exchange(answer=(FRESH, "Connection: A-Test")),
        Exchange(answer=(FRESH,), unwanted=("Connection: A-Test",)),
    ),
    case(
        "headers-omit-listed-in-Connection", REQUIRED, STORING,
        Exchange(answer=(FRESH, "Connection: a-test, C-Test", "A-Test: 1", "B-Test: 1", "C-Test: 1")),
        Exchange(answer=(FRESH, "B-Test: 1"), unwanted=("A-Test", "C-Test"), want=("B-Test: 1",)),
    ),
    case(
        "headers-omit-listed-in-Connection-lines", REQUIRED, STORING,
        Exchange(answer=(FRESH, "Connection: A-Test", "Connection: C-Test", "A-Test: 1", "C-Test: 1")),
        Exchange(answer=(FRESH,), unwanted=("A-Test", "C-Test")),
    ),
    case(
        "headers-lines-stay-lines", REQUIRED, "9110 §5.3",
        Exchange(answer=(FRESH, "A-Test: 1", "B-Test: x", "A-Test: 2")),
        Exchange(answer=(FRESH, "A-Test: 1", "A-Test: 2"), want=("A-Test: 1, 2",)),
    ),
    case(
        "trailers-apart-from-headers", REQUIRED, STORING,
        Exchange(answer=(FRESH,), trailers=("A-Test: 1",)),
        Exchange(answer=(FRESH,), unwanted=("A-Test",)),
        on_wire=False,
    ),
    case(
        "headers-empty-value", REQUIRED, STORING,
        Exchange(answer=(FRESH, "A-Test:")), Exchange(answer=(FRESH, "A-Test:"), want=("A-Test",)),
    ),
    case(
        "headers-obs-text", REQUIRED, "9110 §5.5",
        Exchange(answer=(FRESH, "A-Test: äöü")), Exchange(answer=(FRESH, "A-Test: äöü"), want=("A-Test: äöü",)),
    ),
    case(
        "headers-long-value", REQUIRED, STORING,
        Exchange(answer=(FRESH, f"A-Test: {'a' * 3000}")),
        Exchange(answer=(FRESH, f"A-Test: {'a' * 3000}"), want=(f"A-Test: {'a' * 3000}",)),
    ),
    case(
        "headers-no-content-length-stays-whole", REQUIRED, STORING,
        Exchange(answer=(FRESH,), body="x" * 70000),
        Exchange(answer=(FRESH,), body="x" * 70000, expect=CACHED, body_seen="x" * 70000),
    ),
    case(
        "headers-empty-body", REQUIRED, STORING,
        Exchange(answer=(FRESH,), body=""), Exchange(answer=(FRESH,), body="", expect=CACHED, body_seen=""),
    ),
)  # fmt: skip
