"""Seals: what changed, moved or came from others is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.cache.l2.broken import Broken
from asgi_resync.cache.l2.signing import Seal

OLD, NEW = "o" * 16, "n" * 100


def opened(seal: Seal, name: str, value: bytes) -> bytes | str:
    found = seal.open(name, value)
    return found.reason if isinstance(found, Broken) else bytes(found)


@pytest.mark.parametrize("keys", [(), (OLD,), (NEW, OLD)])
@given(st.binary(max_size=50), st.data())
def test_one_changed_bit_breaks_a_seal(keys: tuple[str, ...], data: bytes, draw: st.DataObject) -> None:
    """What was sealed opens; with any bit changed, or cut anywhere, it does not."""
    seal = Seal(keys)
    value = seal.seal("name", data)
    place = draw.draw(st.integers(0, len(value) - 1))
    changed = bytearray(value)
    changed[place] ^= 1 << draw.draw(st.integers(0, 7))

    assert data == opened(seal, "name", value)
    assert isinstance(seal.open("name", bytes(changed)), Broken)
    assert isinstance(seal.open("name", value[:place]), Broken)


@pytest.mark.parametrize(("keys", "reason"), [((), "damaged"), ((OLD,), "wrong signature")])
def test_a_moved_value_is_broken(keys: tuple[str, ...], reason: str) -> None:
    """A value copied to another name is not served there."""
    seal = Seal(keys)

    assert reason == opened(seal, "other", seal.seal("name", b"data"))


def test_a_name_cannot_pass_for_data() -> None:
    """The border between name and data is signed too."""
    seal = Seal((OLD,))
    value = seal.seal("name", b"data")

    assert "wrong signature" == opened(seal, "named", value[:17] + b"ata")


def test_keys_rotate() -> None:
    """The first key signs and all verify, so values of either side of a rotation are read by those in its midst."""
    before, during, after = Seal((OLD,)), Seal((NEW, OLD)), Seal((NEW,))

    assert b"data" == opened(during, "name", before.seal("name", b"data"))
    assert b"data" == opened(after, "name", during.seal("name", b"data"))
    assert "wrong signature" == opened(after, "name", before.seal("name", b"data"))


def test_signed_and_unsigned_do_not_mix() -> None:
    """With keys nothing unsigned counts; without, nothing that cannot be checked."""
    plain, signing = Seal(), Seal((OLD,))

    assert "unsigned" == opened(signing, "name", plain.seal("name", b"data"))
    assert "no key" == opened(plain, "name", signing.seal("name", b"data"))
    assert "unsealed" == opened(plain, "name", b"data")
    assert "unsealed" == opened(plain, "name", b"")
