"""What the link decides without I/O: where Redis is, how commands are written, which node has which slot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Connection

from asgi_resync.cache.l2.link.packing import packed, packed_get
from asgi_resync.cache.l2.link.place import Place, masked, place_of
from asgi_resync.cache.l2.link.slots import Slots, resolved, slots_of

WORDS = st.one_of(st.text(max_size=20), st.binary(max_size=20), st.integers(), st.floats(allow_nan=False))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://host", Place(kind="server", base="redis://host:6379/", seeds=(("host", 6379),))),
        ("REDIS://host:1/2", Place(kind="server", base="redis://host:1/2", seeds=(("host", 1),))),
        ("valkey://u:p@host/", Place(kind="server", base="redis://u:p@host:6379/", seeds=(("host", 6379),))),
        ("valkeys://host?a=b", Place(kind="server", base="rediss://host:6379/?a=b", seeds=(("host", 6379),))),
        ("redis://[::1]:7", Place(kind="server", base="redis://[::1]:7/", seeds=(("::1", 7),))),
        ("unix:///run/redis.sock?db=2", Place(kind="server", base="unix:///run/redis.sock?db=2")),
        (
            "rediss+cluster://:p@a:1,b/0",
            Place(kind="cluster", base="rediss://:p@a:1/0", seeds=(("a", 1), ("b", 6379))),
        ),
        (
            "redis+sentinel://:p@a,b:2/my%20master/3?x=y",
            Place(
                kind="sentinel",
                base="redis://:p@a:26379/3?x=y",
                seeds=(("a", 26379), ("b", 2)),
                service="my master",
            ),
        ),
    ],
)
def test_a_url_names_a_place(url: str, place: Place) -> None:
    """Each form that the module's docstring shows."""
    assert place == place_of(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("host:6379", "the scheme must be"),
        ("http://host", "the scheme must be"),
        ("redis+ring://host", "only"),
        ("unix+cluster:///x", "only"),
        ("unix://", "a socket has a path"),
        ("redis://a,b", "several hosts"),
        ("redis://", "a host is missing"),
        ("redis://host:0", "port"),
        ("redis://host:65536", "port"),
        ("redis://host:x", "port"),
        ("redis://host/name", "number of a database"),
        ("redis://host/1/2", "number of a database"),
        ("redis+cluster://host/1", "database 0 only"),
        ("redis+sentinel://host", "must name the service"),
        ("redis+sentinel://host/service/x", "number of a database"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(url: str, reason: str) -> None:
    """Before anything is asked of a network."""
    with pytest.raises(ValueError, match=reason):
        place_of(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://user:pass@host:6379/0", "redis://***@host:6379/0"),
        ("redis://user:p@ss@host", "redis://***@host"),
        ("redis://host?password=pass", "redis://host"),
        ("redis://u?p#@host", "***"),
        ("redis+sentinel://:p@a:1,b/s/0", "redis+sentinel://***@a:1,b/s/0"),
        ("pass", "***"),
    ],
)
def test_what_is_shown_of_a_url_has_no_secret(url: str, shown: str) -> None:
    """Rather too little than too much."""
    assert shown == masked(url)


@given(st.lists(WORDS, min_size=1))
def test_commands_are_written_as_redis_py_writes_them(words: list[str | bytes | int | float]) -> None:
    """All but the first word, which redis-py splits at spaces."""
    words = [
        b"COMMAND",
        *[word.encode("utf-8", "surrogateescape") if isinstance(word, str) else word for word in words],
    ]

    assert b"".join(Connection().pack_command(*words)) == packed(words)


def test_a_get_is_a_command() -> None:
    """The fast form writes the same."""
    assert packed(["GET", "nämé"]) == packed_get("nämé")


@pytest.mark.parametrize("word", [True, None, 1j, ["x"]])
def test_what_is_no_word_is_refused(word: object) -> None:
    """Redis knows no True and no None."""
    with pytest.raises(TypeError, match=type(word).__name__):
        packed(["SET", "name", word])  # type: ignore[list-item]


def test_slots_are_what_a_node_says() -> None:
    """A node that does not know its own host means the one that was asked."""
    reply = [[0, 99, [b"a", 1, b"id"], [b"replica", 9]], [100, 100, [None, 2, b"id"]], [200, 300, ["?", 3, b"id"]]]
    slots = slots_of(reply, "asked")

    assert slots is not None
    assert ("a", 1) == slots.owner(0) == slots.owner(99)
    assert ("asked", 2) == slots.owner(100)
    assert slots.owner(101) is None
    assert slots.owner(200) is None
    assert {("a", 1), ("asked", 2)} == slots.owners()


@pytest.mark.parametrize(
    "reply",
    [None, b"x", [], [[0]], [[0, 1, []]], [[0, 1, [b"a", b"x"]]], [[0, 99999, [b"a", 1]]], [[b"x", 1, [b"a", 1]]], [7]],
)
def test_what_says_nothing_of_slots_is_none(reply: object) -> None:
    """Whatever came over the wire."""
    assert slots_of(reply, "asked") is None


def test_a_redirection_is_learnt() -> None:
    """One slot at a time."""
    slots = Slots()
    slots.learn(7, ("a", 1))

    assert ("a", 1) == slots.owner(7)
    assert slots.owner(8) is None
    assert resolved("", 1, "asked") == ("asked", 1)
    assert resolved("?", 1, "asked") is None
    assert resolved("a", 0, "asked") is None
