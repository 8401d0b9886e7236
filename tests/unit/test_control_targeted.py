"""Targeted fields such as CDN-Cache-Control (RFC 9213)."""

from __future__ import annotations

import pytest

from asgi_resync._headers import DELTA_SECONDS_MAX
from asgi_resync.cache.policy.control import Control, parse_targeted

COOKIE = frozenset({b"set-cookie"})


def response(*, present: bool = True, **stated: object) -> Control:
    """Return a `Control` of what is *stated*."""
    return Control(present=present, **stated)  # type: ignore[arg-type]  # the tables spell field names


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((b"no-store",), response(no_store=True)),
        ((b"max-age=60, s-maxage=10", b"must-revalidate"), response(max_age=60, s_maxage=10, must_revalidate=True)),
        ((b"max-age=60;foo=bar, public;a",), response(max_age=60, public=True)),
        ((b"max-age=1, max-age=60",), response(max_age=60)),
        ((b"max-age=999999999999999",), response(max_age=DELTA_SECONDS_MAX)),
        ((b'no-cache="Set-Cookie"',), response(no_cache_fields=COOKIE)),
        ((b"private=Set-Cookie",), response(private_fields=COOKIE)),
        ((b"unknown=(1 2)",), response()),
        ((b"no-store=?0, public=?0, private=?0",), response()),
        ((b"no-store=1, must-revalidate=x",), response(no_store=True, must_revalidate=True)),
        ((b"no-cache=?1, private=5",), response(no_cache=True, private=True)),
        ((b'no-cache=("set-cookie"), private=%"x"',), response(no_cache=True, private=True)),
        ((b"public=1, immutable=x, must-understand=()",), response()),
        *(
            ((b"max-age" + bad,), response(max_age=0))
            for bad in (b"", b'="60"', b"=a", b"=1.5", b"=-1", b"=@60", b"=(60)", b"=:NjA=:")
        ),
    ],
)
def test_directives_of_a_targeted_field(lines: tuple[bytes, ...], expected: Control) -> None:
    """RFC 9213 §2.1: a structured dictionary of response directives, parameters ignored."""
    assert expected == parse_targeted(lines)


@pytest.mark.parametrize(
    "lines",
    [
        *((), (b"",), (b"  ",), (b"", b"")),
        *((b"Max-Age=60",), (b"max-age =60",), (b"max-age= 60",), (b"max-age=60,",), (b"max-age=60; Foo",)),
        *((b"max-age=60 no-store",), (b"max-age=9999999999999999",), (b"no-store, &&&",), ("max-age=60, é".encode(),)),
    ],
)
def test_a_targeted_field_that_is_empty_or_malformed_is_ignored(lines: tuple[bytes, ...]) -> None:
    """RFC 9213 §2.1: it MUST be, as if it were not there."""
    assert parse_targeted(lines) is None
