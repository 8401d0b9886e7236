"""What processes tell each other: it arrives as it was sent, and nothing that arrives does harm."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.cache.l2.broken import Broken
from asgi_resync.cache.l2.messages import (
    KINDS,
    BreakerTold,
    Heard,
    Landed,
    LeaseEnded,
    Message,
    Purged,
    Replaced,
    decode_message,
    encode_message,
    keys_in,
)
from asgi_resync.cache.l2.names import key_bytes, key_of

KEY = key_bytes(("http", b"example.com", b"/a", "/a", b""))

MESSAGES: list[Message] = [
    Purged(origin="n1", sequence=3, hard=("a", "\0all"), soft=(("b", 1.5),), keys=(KEY,)),
    Heard(origin="n1", seen=1_700_000_000_000_000),
    Replaced(origin="n1", key=KEY),
    Landed(origin="n1", key=KEY),
    LeaseEnded(origin="n1", key=KEY, token="t", is_stored=True),
    BreakerTold(origin="n1", upstream="tws", state="open", open_for=9.5),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    """Each kind."""
    assert message == decode_message(encode_message(message))


def test_every_kind_is_known() -> None:
    """A kind that is missing here would be taken for one of a newer version."""
    assert {msgspec.msgpack.decode(encode_message(message))[0] for message in MESSAGES} == KINDS


def test_what_a_newer_version_tells_is_ignored() -> None:
    """Other kinds are nobody's business, more fields are skipped."""
    assert decode_message(msgspec.msgpack.encode(["moved", "n1", 1])) is None
    assert Heard(origin="n1", seen=4) == decode_message(msgspec.msgpack.encode(["heard", "n1", 4, "more"]))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93", b"[]", msgspec.msgpack.encode(["heard", 1, 2])])
def test_broken_bytes_are_a_value(data: bytes) -> None:
    """They raise nothing, and are not taken for another kind."""
    assert isinstance(decode_message(data), Broken)


@given(st.binary(max_size=40))
def test_no_bytes_raise(data: bytes) -> None:
    """Whoever can publish can publish anything."""
    decode_message(data)
    key_of(data)


@pytest.mark.parametrize(
    "key", [("http", b"h", b"/", "/", b""), ("a", (b"x", (None, 1)), 2.5, True), ("/\udcff",), ()], ids=repr
)
def test_keys_come_back_from_their_bytes(key: tuple[object, ...]) -> None:
    """With tuples where there were tuples, also with texts that are no Unicode."""
    assert key == key_of(key_bytes(key))


def test_what_is_no_key_is_left_out() -> None:
    """The others count."""
    assert (("a",),) == keys_in((b"\x01", key_bytes(("a",)), b""))


def test_the_bytes_of_a_message_stay_as_they_are() -> None:
    """Another version may be told: kind, origin, and then the fields in their order."""
    assert ["heard", "n1", 4] == msgspec.msgpack.decode(encode_message(Heard(origin="n1", seen=4)))
