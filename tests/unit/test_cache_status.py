"""Our member of Cache-Status (RFC 9211), which is always one that can be parsed (RFC 8941)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._structured import Item, Token, parse_dictionary
from asgi_resync.cache.keys import primary_key, with_body
from asgi_resync.cache.status import forward_member, hit_member, name_with_key
from asgi_resync.testing import http_scope


def parameters(member: bytes) -> dict[str, object]:
    """Return the parameters of *member*, read as the only member of a list whose item is a token."""
    # A list's member `name; a=1` is a dictionary's `k=name; a=1`.
    parsed = parse_dictionary([b"k=" + member])
    assert parsed is not None
    item = parsed["k"]
    assert isinstance(item, Item)
    assert Token("resync") == item.value
    return dict(item.parameters)


@pytest.mark.parametrize(
    ("ttl", "expected"),
    [
        (53, b"resync; hit; ttl=53; detail=l1"),
        (0, b"resync; hit; ttl=0; detail=l1"),
        (-7, b"resync; hit; ttl=-7; detail=l1"),
    ],
)
def test_a_hit_tells_what_is_left_of_the_lifetime(ttl: int, expected: bytes) -> None:
    """§2.1, §2.4: negative when stale."""
    assert expected == hit_member(b"resync", ttl, b"l1")
    assert {"hit": True, "ttl": ttl, "detail": "l1"} == parameters(expected)


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (forward_member(b"resync", "uri-miss"), b"resync; fwd=uri-miss"),
        (forward_member(b"resync", "uri-miss", stored=True), b"resync; fwd=uri-miss; stored"),
        (forward_member(b"resync", "stale", status=304, stored=True), b"resync; fwd=stale; fwd-status=304; stored"),
        (forward_member(b"resync", "vary-miss", collapsed=True), b"resync; fwd=vary-miss; collapsed"),
        (forward_member(b"resync", "miss", ttl=-3), b"resync; fwd=miss; ttl=-3"),
        (forward_member(b"resync", "uri-miss", detail="no-store"), b"resync; fwd=uri-miss; detail=no-store"),
        (forward_member(b"resync", "stale", detail='it\'s "x"'), b'resync; fwd=stale; detail="it\'s \\"x\\""'),
        (forward_member(b"resync", "stale", detail="ä\r\n"), b'resync; fwd=stale; detail="%C3%A4%0D%0A"'),
    ],
)
def test_a_forwarded_request_tells_why_and_what_came_of_it(member: bytes, expected: bytes) -> None:
    """§2.2 to §2.6 and §2.8, in this order."""
    assert expected == member
    assert parameters(member)["fwd"]


@given(
    forward=st.sampled_from(["bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"]),
    status=st.one_of(st.none(), st.integers(min_value=100, max_value=599)),
    ttl=st.one_of(st.none(), st.integers(min_value=-(10**9), max_value=10**9)),
    detail=st.one_of(st.none(), st.text(max_size=20)),
    stored=st.booleans(),
    collapsed=st.booleans(),
)
def test_every_member_can_be_read_back(
    forward: str, status: int | None, ttl: int | None, detail: str | None, *, stored: bool, collapsed: bool
) -> None:
    """Whatever is told, it is one member of printable ASCII with the parameters of RFC 9211."""
    member = forward_member(
        b"resync", forward, status=status, ttl=ttl, detail=detail, stored=stored, collapsed=collapsed
    )
    expected = {"fwd": forward, "fwd-status": status, "ttl": ttl, "stored": stored, "collapsed": collapsed}
    found = parameters(member)

    assert (detail is not None) == ("detail" in found)
    found.pop("detail", None)
    assert {name: value for name, value in expected.items() if value is not None and value is not False} == found
    assert all(0x20 <= byte <= 0x7E for byte in member)


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/a", b"", b'resync; key="example.com/a"'),
        ("/a%2Fb", b"x=1&y=2", b'resync; key="example.com/a%2Fb?x=1&y=2"'),
        ('/"\\', b"", b'resync; key="example.com/\\"\\\\"'),
        ("/\xe9", b"\xff\r\n", b'resync; key="example.com/%C3%A9?%C3%BF%0D%0A"'),
    ],
)
def test_the_key_is_a_string_that_ends_where_it_ends(path: str, query: bytes, expected: bytes) -> None:
    """§2.7: what clients put into paths and queries cannot end the string, the member or the line."""
    key = primary_key(http_scope("GET", path), b"Example.com", query)

    assert expected == name_with_key("resync", key)
    assert expected == name_with_key("resync", with_body(key, "POST", b"a/b", b"secret"))
    assert {"key", "hit", "ttl", "detail"} == set(parameters(hit_member(expected, 1, b"l1")))


@given(st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=20))
def test_any_key_can_be_told(host: bytes, raw_path: bytes, query: bytes) -> None:
    """Whatever bytes clients send as host, path and query."""
    member = name_with_key("resync", ("http", host, raw_path, "/", query))

    assert {"key"} == set(parameters(member))
