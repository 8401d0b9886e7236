"""Names in Redis: short, of one slot, and of one key only."""

from __future__ import annotations

import datetime
import subprocess
import sys
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.cache.l2.names import Names, digest_of, key_bytes
from asgi_resync.events import CacheKey

KEY: CacheKey = ("https", b"example.org", b"/plan", "/plan", b"", "g1", (b"accept",), (None, 1, 1.5, True))

parts = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=4) | st.characters(),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(st.lists(parts, max_size=4).map(tuple), st.lists(parts, max_size=4).map(tuple))
def test_different_keys_have_different_bytes(one: CacheKey, other: CacheKey) -> None:
    """Whatever two keys differ in, type or nesting, their bytes differ; surrogates included."""
    if one == other:
        assert repr(one) != repr(other) or key_bytes(one) == key_bytes(other)
    else:
        assert key_bytes(one) != key_bytes(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a",), (b"a",)),
        (("a", "b"), (("a", "b"),)),
        (("\ud800",), ("?",)),
        (("\ud800",), ("\ud801",)),
        (("\ud800",), ("\ud800".encode("utf-8", "surrogatepass"),)),
        ((1,), ("1",)),
    ],
)
def test_keys_that_look_alike_are_told_apart(one: CacheKey, other: CacheKey) -> None:
    """Text and bytes, flat and nested, escaped and not are different keys."""
    assert key_bytes(one) != key_bytes(other)


@pytest.mark.parametrize(
    "part", [uuid.uuid4(), datetime.date(2020, 1, 1), frozenset({1}), object(), ("a", uuid.uuid4())]
)
def test_parts_that_pass_for_others_are_refused(part: object) -> None:
    """What would be written as a text or in no order of its own is refused."""
    with pytest.raises(TypeError, match="A key holds texts"):
        key_bytes(("a", part))


def test_a_key_is_named_alike_in_every_process() -> None:
    """Names depend on no salt of this process."""
    code = f"from asgi_resync.cache.l2.names import *; print(digest_of(key_bytes({KEY!r})), end='')"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert digest_of(key_bytes(KEY)) == other


def test_the_names_of_one_key_are_of_one_slot() -> None:
    """Braces hold the digest, and the prefix has none: a cluster puts all three into one slot, and keys into many."""
    names = Names("re{x}sync:")

    assert names.record("00ff") == "re(x)sync:r:{00ff}"
    assert names.tombstone("00ff") == "re(x)sync:d:{00ff}"
    assert names.lease("00ff") == "re(x)sync:l:{00ff}"
    assert names.channel == "re(x)sync:backplane"


def test_databases_of_one_server_do_not_hear_each_other() -> None:
    """SELECT does not tell channels apart."""
    assert Names("resync:").channel == Names("resync:", 0).channel == "resync:backplane"
    assert "resync:backplane/3" == Names("resync:", 3).channel
