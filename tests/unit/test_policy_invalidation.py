"""What unsafe requests make invalid (RFC 9111 §4.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.cache.keys import key_of_url
from asgi_resync.cache.policy.invalidation import SAFE_METHODS, invalidates, same_origin_targets

TARGET = "http://example.com/a/b"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "FROBNICATE", "LOCK", "get", ""])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, True) for status in (200, 204, 299, 301, 304, 399)),
        *((status, False) for status in (199, 400, 404, 500, 599)),
    ],
)
def test_success_of_what_is_not_known_to_be_safe_invalidates(method: str, status: int, expected: bool) -> None:
    """§4.4: a non-error answer, 2xx or 3xx, to an unsafe method, and to one whose safety is unknown."""
    assert expected is invalidates(method, status)


@pytest.mark.parametrize("method", sorted(SAFE_METHODS))
def test_safe_methods_invalidate_nothing(method: str) -> None:
    """RFC 9110 §9.2.1."""
    assert not invalidates(method, 200)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        # relative references (RFC 3986 §5.2)
        (b"/c", "http://example.com/c"),
        (b"c", "http://example.com/a/c"),
        (b"../c", "http://example.com/c"),
        (b"?x=1", "http://example.com/a/b?x=1"),
        (b"", "http://example.com/a/b"),
        (b"/c?x=1&x=2", "http://example.com/c?x=1&x=2"),
        (b"/c#part", "http://example.com/c"),
        (b" /c ", "http://example.com/c"),
        (b"/a%2Fb", "http://example.com/a%2Fb"),
        (b"/a%2Fb;p//c", "http://example.com/a%2Fb;p//c"),
        # the same origin, however spelled (RFC 9110 §4.3.1, §4.2.3)
        (b"http://example.com/c", "http://example.com/c"),
        (b"HTTP://EXAMPLE.com/c", "http://example.com/c"),
        (b"http://example.com:80/c", "http://example.com/c"),
        (b"http://example.com:/c", "http://example.com/c"),
        (b"//example.com/c", "http://example.com/c"),
        (b"http://user:word@example.com/c", "http://example.com/c"),
    ],
)
def test_a_reference_of_the_same_origin_is_followed(reference: bytes, expected: str) -> None:
    """§4.4: Location and Content-Location are resolved, and named as keys name them."""
    assert [expected] == same_origin_targets(TARGET, [reference])


@pytest.mark.parametrize(
    "reference",
    [
        b"https://example.com/c",
        b"http://example.org/c",
        b"http://www.example.com/c",
        b"http://example.com:8080/c",
        b"http://example.com:0/c",
        b"//example.org/c",
        b"http://example.com@example.org/c",
        b"mailto:a@example.com",
        # no URL at all
        b"http://[::1/c",
        b"http://example.com:port/c",
        b"http://example.com:99999/c",
    ],
)
def test_other_origins_and_what_is_no_url_are_left_alone(reference: bytes) -> None:
    """§4.4: a cache must not let one origin invalidate another."""
    assert [] == same_origin_targets(TARGET, [reference])


@pytest.mark.parametrize(
    ("target", "reference", "expected"),
    [
        ("http://Example.com:80/a", b"http://example.com/c", ["http://Example.com:80/c"]),
        ("https://example.com/a", b"https://example.com:443/c", ["https://example.com/c"]),
        ("http://example.com:8080/a", b"http://example.com:8080/c", ["http://example.com:8080/c"]),
        ("http://[::1]:8000/a", b"http://[::1]:8000/c", ["http://[::1]:8000/c"]),
        ("http://a:b/", b"/c", []),
        ("http://[/", b"/c", []),
    ],
)
def test_the_target_spells_the_origin(target: str, reference: bytes, expected: list[str]) -> None:
    """Stored responses are found under the host as requests name it; a host that is none has no others."""
    assert expected == same_origin_targets(target, [reference])


def test_several_references_are_looked_at_one_by_one() -> None:
    """One that is no URL hides none."""
    references = [b"/c", b"http://[", b"https://example.com/d", b"/e"]

    assert ["http://example.com/c", "http://example.com/e"] == same_origin_targets(TARGET, references)


@given(st.one_of(st.binary(max_size=40), st.text(alphabet=":/@?#[]%.aehttpcom0\\", max_size=40).map(str.encode)))
def test_no_reference_reaches_another_origin(reference: bytes) -> None:
    """§4.4: whatever the app's client smuggles into Location, the keys dropped are of this host."""
    for url in same_origin_targets(TARGET, [reference]):
        assert ("http", b"example.com") == key_of_url(url)[:2]
