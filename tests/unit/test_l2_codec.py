"""Records survive the way to Redis and back, and whatever else stands there is a value that says why not."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.l2 import codec
from asgi_resync.cache.l2.broken import Broken
from asgi_resync.cache.l2.codec import decode_record, encode_record
from asgi_resync.cache.l2.compression import pack
from asgi_resync.cache.l2.names import key_bytes
from asgi_resync.cache.store import Record, Variants
from asgi_resync.events import CacheKey

NOW = 1_700_000_000.0
KEY: CacheKey = ("https", b"example.org", b"/plan", "/plan", b"page=1")
# The size of a text that is not ASCII depends on whether it was ever encoded.
MEMOS = {"age_second", "age_fields", "vouched", "refresh_after", "size"}


def response(**more: object) -> StoredResponse:
    facts = {
        "key": KEY,
        "status": 200,
        "headers": [(b"content-type", b"text/plain")],
        "body": b"ok",
        "stored_at": NOW,
        "date": NOW,
        "born": NOW,
        "lifetime": 60.0,
    }
    return StoredResponse(**{**facts, **more})  # type: ignore[arg-type]  # facts by name


WHOLE = response(
    stale_while_revalidate=1.0,
    stale_if_error=2.0,
    may_serve_stale=False,
    always_validate=True,
    shared_with_authorization=True,
    etag=b'"a"',
    last_modified=NOW - 5,
    app_validator=True,
    vary=(b"accept", b"cookie"),
    variant=(b"*/*", None, (b"x-host", b"a")),
    tags=("plan", "\xe9"),
    learned=1,
    route="/plan",
    hidden=[(b"resync-cache-control", b"max-age=1")],
    keep=3.0,
    seen=2**53,
)
INDEX = Variants(
    key=KEY,
    generation="g1",
    names=((b"accept",), ()),
    listed=((*KEY, "g1", (b"accept",), (b"*/*", (b"x-host", b"a"))), (*KEY, "g1", (), ())),
    keep_until=NOW + 60,
    seen=7,
)


def facts_of(record: Record | Broken) -> dict[str, object]:
    assert not isinstance(record, Broken)
    names = {field.name for field in dataclasses.fields(record)} - MEMOS
    return {name: getattr(record, name) for name in sorted(names)}


def decoded(data: bytes, key: CacheKey = KEY, max_body: int = 2**20) -> Record | Broken:
    return decode_record(data, key, key_bytes(key), max_body=max_body)


def payload(record: Record = WHOLE) -> tuple[bytes, list[object]]:
    data = encode_record(record, key_bytes(KEY))
    return data[:4], msgspec.msgpack.decode(data[4:])


@pytest.mark.parametrize(
    "record", [response(), WHOLE, response(body=b""), INDEX], ids=["bare", "whole", "empty", "index"]
)
def test_every_fact_survives(record: Record) -> None:
    """What was stored comes back equal, with hashable keys and variants, and without what is of one process."""
    found = decoded(encode_record(record, key_bytes(KEY)))

    assert facts_of(record) == facts_of(found)
    if isinstance(found, Variants):
        assert hash(found.listed)
    elif isinstance(found, StoredResponse):
        assert hash(found.variant) is not None
        assert type(found.body) is bytes


def test_what_is_of_one_process_stays_there() -> None:
    """The ledger's epoch and the memos are not written."""
    mine = response(epoch=5)
    mine.vouched = 5
    mine.refresh_after = NOW
    found = decoded(encode_record(mine, key_bytes(KEY)))

    assert isinstance(found, StoredResponse)
    assert (0, -1, 0.0) == (found.epoch, found.vouched, found.refresh_after)


def test_a_packed_body_comes_back() -> None:
    """A body packed on the way out is unpacked on the way in."""
    record = response(body=b"abcd" * 10_000)
    packed = pack(record.body)
    assert packed is not None
    data = encode_record(record, key_bytes(KEY), packed=packed)

    assert len(data) < 1_000
    assert facts_of(record) == facts_of(decoded(data))


def test_another_key_is_never_served() -> None:
    """A value that stands where a digest collides, or was moved, is told apart by its whole key."""
    data = encode_record(response(), key_bytes(KEY))

    assert Broken("other key") == decoded(data, (*KEY[:-1], b"page=2"))
    assert Broken("other key") == decoded(encode_record(INDEX, key_bytes(KEY)), ("k",))


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"rs\x02r", "unknown version"),
        (b"rs\x01x", "not a record"),
        (b"\x80\x04\x95.", "not a record"),
        (b"", "not a record"),
    ],
)
def test_what_is_no_record_of_this_version_says_so(head: bytes, reason: str) -> None:
    """A newer version, another kind and a pickle are told, not read."""
    assert Broken(reason) == decoded(head + encode_record(response(), key_bytes(KEY))[4:])


def test_fields_of_a_later_release_are_skipped() -> None:
    """A rolling upgrade that appends fields harms no process that does not know them."""
    head, fields = payload()

    assert facts_of(WHOLE) == facts_of(decoded(head + msgspec.msgpack.encode([*fields, "new", 1])))


def test_a_record_of_before_its_last_fields_is_read() -> None:
    """What an earlier release has written, without what was learned, is a response all the same."""
    head, fields = payload()
    found = decoded(head + msgspec.msgpack.encode(fields[:-1]))

    assert isinstance(found, StoredResponse)
    assert (("plan", "\xe9"), ()) == (found.tags, found.built_from)


FIELDS = msgspec.structs.fields(codec._Response)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("status", 1, "senseless"),
        ("status", "200", "unreadable"),
        ("born", float("nan"), "senseless"),
        ("lifetime", float("inf"), "senseless"),
        ("stored_at", 1e308, "senseless"),
        ("last_modified", float("-inf"), "senseless"),
        ("body_size", 3, "senseless"),
        ("body_size", 2**40, "senseless"),
        ("headers", [[b"one"]], "unreadable"),
        ("packing", "lz77", "unknown packing"),
        ("packing", "zstd", "senseless"),
        ("variant", {}, "unreadable"),
        ("seen", -1, "senseless"),
        ("learned", -1, "senseless"),
        ("learned", 3, "senseless"),
    ],
)
def test_fields_that_make_no_sense_are_broken(field: str, value: object, reason: str) -> None:
    """No time that is no number, no size that lies, nothing of another type gets in."""
    head, fields = payload()
    fields[[known.name for known in FIELDS].index(field)] = value
    if field == "stored_at":
        fields[[known.name for known in FIELDS].index("date")] = value

    assert Broken(reason) == decoded(head + msgspec.msgpack.encode(fields))


def test_a_body_above_the_cap_is_broken() -> None:
    """Nobody makes this process hold more than it would store itself."""
    assert Broken("senseless") == decoded(encode_record(response(body=b"12345"), key_bytes(KEY)), max_body=4)


def test_what_cannot_be_written_is_refused() -> None:
    """A text that is no Unicode raises where the record is written, so that the store can say so."""
    with pytest.raises(UnicodeEncodeError):
        encode_record(response(tags=("\ud800",)), key_bytes(KEY))


@given(st.binary(max_size=200), st.sampled_from([b"", b"rs\x01r", b"rs\x01v", b"rs\x07r"]))
def test_no_bytes_make_it_raise(noise: bytes, head: bytes) -> None:
    """Whatever stands in Redis is a record or a reason."""
    assert isinstance(decoded(head + noise), Broken)


@given(st.data())
def test_no_change_of_a_record_makes_it_raise(data: st.DataObject) -> None:
    """Changed, cut and stretched records are records or reasons, whose derived facts can be worked out."""
    packed = pack(b"abcd" * 5_000)
    whole = data.draw(
        st.sampled_from(
            [
                encode_record(WHOLE, key_bytes(KEY)),
                encode_record(INDEX, key_bytes(KEY)),
                encode_record(response(body=b"abcd" * 5_000), key_bytes(KEY), packed=packed),
            ]
        )
    )
    mutated = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(4, len(mutated) - 1))
        mutated[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    found = decoded(bytes(mutated[: data.draw(st.integers(4, len(mutated)))]))

    assert isinstance(found, Broken) or found.size > 0
    if isinstance(found, StoredResponse):
        assert hash(found.variant) is not None


def test_deep_nesting_is_broken() -> None:
    """A variant nested a million deep is no way to end this process."""
    head, fields = payload()
    place = [known.name for known in FIELDS].index("variant")
    raw = [msgspec.Raw(msgspec.msgpack.encode(field)) for field in fields]
    raw[place] = msgspec.Raw(b"\x91" * 1_000_000 + b"\x90")

    assert Broken("unreadable") == decoded(head + msgspec.msgpack.encode(raw))


def test_half_as_deep_as_python_goes_is_broken_too() -> None:
    """Nesting that the decoder takes and our own recursion does not is told as well."""
    head, fields = payload()
    place = [known.name for known in FIELDS].index("variant")
    raw = [msgspec.Raw(msgspec.msgpack.encode(field)) for field in fields]
    for depth in (100, 300, 500, 700, 900):
        raw[place] = msgspec.Raw(b"\x91" * depth + b"\x90")
        assert isinstance(decoded(head + msgspec.msgpack.encode(raw)), Broken | StoredResponse)


@pytest.mark.parametrize("part", [{}, {"a": 1}, [{}]])
def test_a_variant_that_cannot_be_hashed_is_broken(part: object) -> None:
    """Keys are made of variants, so a map in one would raise later."""
    head, fields = payload()
    fields[[known.name for known in FIELDS].index("variant")] = [part]

    assert Broken("senseless") == decoded(head + msgspec.msgpack.encode(fields))
