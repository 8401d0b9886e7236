"""Which requests share a stored response (RFC 9111 §2, §4.1), and that no others do."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._asgi import RawHeaders
from asgi_resync.cache.keys import (
    UNKEYED,
    key_of_url,
    primary_key,
    raw_path_of,
    unkeyed_of,
    variant_key,
    variant_of,
    with_body,
)
from asgi_resync.testing import http_scope

HOST = b"example.com"


def key(path: str = "/", host: bytes = HOST, query: bytes = b"", *, scheme: str = "http") -> tuple[object, ...]:
    return primary_key({**http_scope("GET", path), "scheme": scheme}, host, query)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (key("/a"), key("/A")),
        (key("/a"), key("/a/")),
        (key("/a"), key("//a")),
        (key("/a/b"), key("/a%2Fb")),
        (key("/a"), key("/%61")),
        (key("/%2f"), key("/%2F")),
        (key("/a/../b"), key("/b")),
        (key("/a;b"), key("/a")),
        (key("/a", query=b"x=1"), key("/a", query=b"x=2")),
        (key("/a", query=b"x=1&x=2"), key("/a", query=b"x=2&x=1")),
        (key("/a", query=b"X=1"), key("/a", query=b"x=1")),
        (key(scheme="http"), key(scheme="https")),
        (key(host=b"a.example"), key(host=b"b.example")),
        (key(host=b"a.example"), key(host=b"a.example.")),
        (key(host=b"a.example"), key(host=b"a.example:80")),
        (key(host=b"a"), key("/a", host=b"")),
    ],
)
def test_what_a_server_may_tell_apart_has_its_own_key(one: object, other: object) -> None:
    """RFC 9110 §4.2.3: nothing but the host is normalised; path tricks make other keys."""
    assert one != other


def test_the_host_is_case_insensitive() -> None:
    """RFC 9110 §4.2.3."""
    assert key(host=b"Example.COM:8000") == key(host=b"example.com:8000")


def test_the_path_counts_as_sent_and_as_seen() -> None:
    """Middleware in front that rewrites one of both makes another key."""
    scope = http_scope("GET", "/a")

    assert key("/a") != primary_key({**scope, "path": "/b"}, HOST, b"")
    assert key("/a") != primary_key({**scope, "raw_path": b"/b"}, HOST, b"")


@pytest.mark.parametrize(
    ("path", "root_path", "keyed"),
    [
        ("/a", "", "/a"),
        ("/a", "/v1", "/v1/a"),
        ("/v1/a", "/v1", "/v1/a"),
        ("/v1", "/v1", "/v1"),
        ("/v10", "/v1", "/v1/v10"),
        ("/v1/a", "/v1/", "/v1/a"),
        ("/a", "/v1/", "/v1/a"),
        ("/a", None, "/a"),
    ],
)
def test_a_root_path_that_was_taken_off_is_put_back(path: str, root_path: str | None, keyed: str) -> None:
    """ASGI says that the path holds it; some frameworks strip it from what they hand to a mounted app."""
    scope = {**http_scope("GET", path), "root_path": root_path}

    assert keyed == primary_key(scope, HOST, b"")[3]


@pytest.mark.parametrize(
    ("path", "raw_path"),
    [
        ("/v1 ü/a", b"/v1%20%C3%BC/a"),  # as ASGI has it
        ("/a", b"/v1%20%C3%BC/a"),  # the path alone is stripped
        ("/a", b"/a"),
        ("/a", None),
    ],
)
def test_a_url_finds_what_a_mounted_app_has_stored(path: str, raw_path: bytes | None) -> None:
    """By the URL that clients ask for, however much of the path the framework has taken off."""
    scope = {**http_scope("GET", path), "raw_path": raw_path, "root_path": "/v1 ü"}

    assert key_of_url("http://example.com/v1%20%C3%BC/a") == primary_key(scope, b"example.com", b"")


@pytest.mark.parametrize("raw_path", [None, b""])
def test_a_server_that_does_not_tell_the_raw_path_has_it_made(raw_path: bytes | None) -> None:
    """The path is encoded as a client would have sent it."""
    scope = {**http_scope(), "path": "/käse und/ö", "raw_path": raw_path}

    assert b"/k%C3%A4se%20und/%C3%B6" == primary_key(scope, HOST, b"")[2]


def test_a_scope_without_a_scheme_is_http() -> None:
    """ASGI makes the scheme optional."""
    scope = http_scope("GET", "/a")
    del scope["scheme"]

    assert key("/a") == primary_key(scope, HOST, b"")


PATHS = st.text(alphabet="ab/%2Ff;.~é", min_size=1, max_size=8).map(lambda text: "/" + text)
HOSTS = st.text(alphabet="aAb.:8", max_size=6).map(str.encode)
QUERIES = st.text(alphabet="ab=&%2", max_size=6).map(str.encode)
TARGETS = st.tuples(st.sampled_from(["http", "https"]), HOSTS, PATHS, QUERIES)


@given(TARGETS, TARGETS)
def test_different_targets_never_share_a_key(
    one: tuple[str, bytes, str, bytes], other: tuple[str, bytes, str, bytes]
) -> None:
    """§2: at least the target URI tells stored responses apart; only the case of the host is no difference."""

    def keyed(target: tuple[str, bytes, str, bytes]) -> tuple[object, ...]:
        scheme, host, path, query = target
        return key(raw_path_of(path).decode(), host, query, scheme=scheme)

    def known(target: tuple[str, bytes, str, bytes]) -> tuple[object, ...]:
        scheme, host, path, query = target
        return scheme, host.lower(), path, query

    assert (known(one) == known(other)) == (keyed(one) == keyed(other))


# POST and QUERY


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("POST", b"a", b"x"), ("QUERY", b"a", b"x")),
        (("POST", b"a", b"x"), ("POST", b"a", b"y")),
        (("POST", b"a", b"x"), ("POST", b"b", b"x")),
        (("POST", b"a", b""), ("POST", b"", b"a")),
        (("POST", b"a\0b", b"c"), ("POST", b"a", b"b\0c")),
        (("POST", b"1:a", b"c"), ("POST", b"1", b":ac")),
    ],
)
def test_method_type_and_body_enter_the_key(one: tuple[str, bytes, bytes], other: tuple[str, bytes, bytes]) -> None:
    """No body, nor a type that ends in it, can pose as another."""
    base = key()

    assert with_body(base, *one) != with_body(base, *other)
    assert with_body(base, *one) == with_body(base, *one)
    assert with_body(base, *one)[:5] == base


# Variants, §4.1

PLAIN = (b"x-a",)


def variant(*lines: bytes, names: tuple[bytes, ...] = PLAIN, normalize: bool = True) -> tuple[object, ...]:
    return variant_of([(names[0], line) for line in lines], names, normalize=normalize)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        # absent matches only absent
        ((), (), True),
        ((), (b"",), False),
        ((b"",), (b" ",), True),
        ((b"a",), (b"a",), True),
        ((b"a",), (b"A",), False),
        ((b"a",), (b"b",), False),
        # lines may be combined, and their order counts
        ((b"a", b"b"), (b"a, b",), True),
        ((b"a", b"b"), (b"b", b"a"), False),
        ((b"a",), (b"a", b"a"), False),
        ((b"a",), (b"a", b""), False),
        # white space around commas, and nowhere else
        ((b"a,b",), (b"a ,\tb",), True),
        ((b" a",), (b"a\t",), True),
        ((b"a b",), (b"a  b",), False),
        ((b"a b",), (b"ab",), False),
        ((b"a\x0b",), (b"a",), False),
        # never within quotes
        ((b'"a, b"',), (b'"a,b"',), False),
        ((b'"a  b"',), (b'"a b"',), False),
    ],
)
def test_values_match_if_lines_and_list_space_are_all_they_differ_in(
    one: tuple[bytes, ...], other: tuple[bytes, ...], same: bool
) -> None:
    """§4.1: white space where the syntax allows it, and lines combined."""
    assert same == (variant(*one) == variant(*other))


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        (b"accept-encoding", b"gzip, br", b"br;q=1.0,gzip", True),
        (b"accept-encoding", b"gzip", b"gzip;q=0", False),
        (b"accept-language", b"en;q=0.5, de", b"de,en;q=0.5", True),
        (b"accept-language", b"en, de", b"de, en", False),
        (b"accept", b"a/b, c/d", b"c/d, a/b", False),
    ],
)
def test_what_is_known_to_mean_the_same_is_the_same(name: bytes, one: bytes, other: bytes, same: bool) -> None:
    """§4.1: by setting, and only for fields whose meaning is known."""
    assert same == (variant(one, names=(name,)) == variant(other, names=(name,)))
    assert variant(one, names=(name,), normalize=False) != variant(other, names=(name,), normalize=False)


def test_each_name_has_its_place() -> None:
    """A value under one name is none under another."""
    names = (b"x-a", b"x-b")

    assert variant_of([(b"x-a", b"1")], names, normalize=True) != variant_of([(b"x-b", b"1")], names, normalize=True)
    assert (b"1", None) == variant_of([(b"x-a", b"1"), (b"x-c", b"2")], names, normalize=True)


LINES = st.lists(st.text(alphabet='aA, "\t=', max_size=6).map(str.encode), max_size=3)


@given(LINES, LINES)
def test_variants_differ_in_more_than_space_and_lines_or_not_at_all(one: list[bytes], other: list[bytes]) -> None:
    """§4.1: whoever shares a variant sent the same but for space around commas and ends, and lines combined."""

    def skeleton(lines: list[bytes]) -> list[bytes] | None:
        return [part.strip(b" \t") for part in b",".join(lines).split(b",")] if lines else None

    if variant(*one) == variant(*other):
        assert skeleton(one) == skeleton(other)


def test_variant_keys_differ_by_every_part() -> None:
    """A variant is of one primary key, one generation, one list of names and one set of values."""
    keys = {
        variant_key(primary, generation, names, (value,))
        for primary in (key("/a"), key("/b"))
        for generation in ("1", "2")
        for names in ((b"a",), (b"b",))
        for value in (b"", None)
    }

    assert 16 == len(keys)
    assert keys.isdisjoint({key("/a"), with_body(key("/a"), "POST", b"", b"")})


# Fields that apps build answers from though they name them in no Vary


@pytest.mark.parametrize("name", sorted(UNKEYED))
def test_forwarding_fields_make_a_variant_of_their_own(name: bytes) -> None:
    """Nobody's X-Forwarded-Host ends in what is stored for those who sent none."""
    headers = [(b"accept", b"a"), (name, b"evil.example")]
    unkeyed = unkeyed_of(headers)

    assert ((name, b"evil.example"),) == unkeyed
    assert unkeyed == variant_of(headers, (), normalize=True, unkeyed=unkeyed)
    assert (b"a", *unkeyed) == variant_of(headers, (b"accept",), normalize=True, unkeyed=unkeyed)
    assert variant_of(headers, (b"accept",), normalize=True) != (b"a", *unkeyed)


def test_a_request_without_them_is_of_the_common_variant() -> None:
    """Other fields count only where Vary or a rule names them."""
    assert () == unkeyed_of([(b"accept", b"a"), (b"host", HOST)])
    assert () == variant_of([(b"accept", b"a")], (), normalize=True)


@given(st.lists(st.tuples(st.sampled_from([b"x-forwarded-host", b"x-forwarded-proto"]), st.sampled_from([b"a", b"b"]))))
def test_the_order_of_lines_of_one_name_counts(headers: RawHeaders) -> None:
    """An app may take the first or the last, so only the order of different names is no difference."""
    unkeyed = unkeyed_of(headers)

    for name in (b"x-forwarded-host", b"x-forwarded-proto"):
        assert [pair for pair in headers if pair[0] == name] == [pair for pair in unkeyed if pair[0] == name]  # type: ignore[index]  # parts of variants are opaque
    assert unkeyed == unkeyed_of(sorted(headers, key=lambda pair: pair[0]))


# Keys of URLs, for purges


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/a", key("/a")),
        ("HTTP://EXAMPLE.com/a", key("/a")),
        ("http://example.com", key("/")),
        ("http://example.com/a?x=1&x=2", key("/a", query=b"x=1&x=2")),
        ("http://example.com/a?", key("/a")),
        ("http://example.com/a#part", key("/a")),
        ("https://example.com:8443/a", key("/a", host=b"example.com:8443", scheme="https")),
        ("http://example.com/a%2Fb/%7e", key("/a%2Fb/%7e")),
        ("http://example.com/käse?ö=ü", key("/k%C3%A4se", query=b"%C3%B6=%C3%BC")),
        ("http://example.com/a b", key("/a%20b")),
        ("http://example.com//a;b/.", key("//a;b/.")),
        ("http://bücher.example/", key("/", host=b"xn--bcher-kva.example")),
        ("http://bücher.example:81/", key("/", host=b"xn--bcher-kva.example:81")),
        ("http://[::1]:8000/", key("/", host=b"[::1]:8000")),
    ],
)
def test_a_url_has_the_key_of_its_request(url: str, expected: object) -> None:
    """A purge by URL finds what a GET of it has stored."""
    assert expected == key_of_url(url)


def test_scheme_and_host_may_be_given_apart() -> None:
    """A path alone names a resource if the rest is known."""
    assert key("/a", query=b"x", scheme="https") == key_of_url("/a?x", "https", "Example.com")


@given(st.text(alphabet="ab/%2Ff;:@.~é ", max_size=10), st.text(alphabet="ab=&%2+é/", max_size=10))
def test_a_url_and_a_request_agree(path: str, query: str) -> None:
    """Whatever a client sends for a URL, encoded as clients do, the key of the URL is that of the request."""
    raw = raw_path_of("/x" + path)

    expected = ("http", HOST, raw, unquote(raw.decode()), raw_path_of(query))
    assert expected == key_of_url(f"http://example.com/x{path}?{query}")
