"""Header lines, lists and entity tags (RFC 9110 §5, §7.6.1, §8.8.3, §12.5.5), and that no parser can be hurt."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._headers import (
    EntityTag,
    Wildcard,
    connection_options,
    delta_seconds,
    entity_tags,
    field_names,
    http_date,
    qualities,
    split_list,
    strong_match,
    values,
    weak_match,
)

NOW = 1_790_000_000.0
FIELDISH = st.text(alphabet=' \t,;="\\*/abqW01.-\x00é', max_size=40).map(lambda text: text.encode("latin-1"))
ANY_BYTES = st.one_of(st.binary(max_size=60), FIELDISH)
TOKENS = st.text(alphabet="abcXYZ019!#-", min_size=1, max_size=6).map(str.encode)


def test_values_are_those_of_the_named_lines_in_order() -> None:
    """Several lines of one name stay several (RFC 9110 §5.3)."""
    headers = [(b"vary", b"a"), (b"age", b"1"), (b"vary", b""), (b"vary", b"b")]

    assert [b"a", b"", b"b"] == values(headers, b"vary")
    assert [] == values(headers, b"date")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        ([b""], []),
        ([b"a"], [b"a"]),
        ([b"a,b", b"c"], [b"a", b"b", b"c"]),
        ([b" , a ,,\tb c\t, "], [b"a", b"b c"]),
        ([b'a="1,2", b'], [b'a="1,2"', b"b"]),
        ([b'a="1\\",2", b'], [b'a="1\\",2"', b"b"]),
        ([b'a="\\\\", b'], [b'a="\\\\"', b"b"]),
        ([b'"x" "y,z" w, b'], [b'"x" "y,z" w', b"b"]),
        ([b'a="1, no-store'], [b'a="1', b"no-store"]),
        ([b'a="x,y" b"1, c'], [b'a="x,y" b"1', b"c"]),
        ([b'a, b="1\\", c'], [b"a", b'b="1\\"', b"c"]),
        ([b'a="1', b'2", b'], [b'a="1', b'2"', b"b"]),
        ([b'a="', b""], [b'a="']),
        ([b'"a"'], [b'"a"']),
        ([b'"a",'], [b'"a"']),
    ],
)
def test_split_list_parts_at_commas_outside_quotes(lines: list[bytes], expected: list[bytes]) -> None:
    """Lists span lines and drop empty members (RFC 9110 §5.6.1.2); an unclosed quote hides nothing."""
    assert expected == split_list(lines)


QUOTED = st.binary(max_size=8).map(lambda raw: b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"')


@given(st.lists(st.one_of(TOKENS, QUOTED, st.tuples(TOKENS, QUOTED).map(b"=".join))), st.sampled_from([b",", b" ,\t,"]))
def test_split_list_undoes_joining(members: list[bytes], comma: bytes) -> None:
    """What was joined with commas comes apart where it was joined."""
    assert members == split_list([comma.join(members)])
    assert members == split_list(members)


def test_connection_options_name_fields_in_lower_case() -> None:
    """Options are case-insensitive (RFC 9110 §7.6.1)."""
    headers = [(b"connection", b"Close, X-Foo"), (b"via", b"x"), (b"connection", b"x-BAR,")]

    assert {b"close", b"x-foo", b"x-bar"} == connection_options(headers)
    assert frozenset() == connection_options([(b"via", b"x")])


@pytest.mark.parametrize(
    "lines",
    [[b"*"], [b"a, *"], [b"*, a"], [b"*, *"], [b"a", b"*"], [b" ,\t* "], [b"*", b"*"], [b'"*"'], [b"accept encoding"]],
)
def test_vary_star_in_every_spelling_is_a_wildcard(lines: list[bytes]) -> None:
    """A list with `*` in it always fails to match (RFC 9111 §4.1), and so does one that cannot be read."""
    assert field_names(lines) is Wildcard.ANY


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ()),
        ([b" , "], ()),
        ([b"Cookie, accept"], (b"accept", b"cookie")),
        ([b"ACCEPT", b"accept,cookie"], (b"accept", b"cookie")),
        ([b"*a"], (b"*a",)),
    ],
)
def test_field_names_are_canonical(lines: list[bytes], expected: tuple[bytes, ...]) -> None:
    """Neither order, case nor repetition matters (RFC 9110 §12.5.5)."""
    assert expected == field_names(lines)


STRONG, WEAK = EntityTag(b'"a"', weak=False), EntityTag(b'"a"', weak=True)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        ([b" , "], []),
        ([b'"a"'], [STRONG]),
        ([b'W/"a"'], [WEAK]),
        ([b'"a", W/"a" ', b'\t"a"'], [STRONG, WEAK, STRONG]),
        ([b'"a, b","c"'], [EntityTag(b'"a, b"', weak=False), EntityTag(b'"c"', weak=False)]),
        ([b'"\xfc\\"'], [EntityTag(b'"\xfc\\"', weak=False)]),
        ([b'""'], [EntityTag(b'""', weak=False)]),
        ([b'abc , w/"a"'], [EntityTag(b"abc", weak=False), EntityTag(b'w/"a"', weak=False)]),
        ([b'W/abc, "a'], [EntityTag(b"W/abc", weak=False), EntityTag(b'"a', weak=False)]),
        ([b'"a"b, "a"'], [EntityTag(b'"a"b', weak=False), STRONG]),
        ([b'"a"' + b" " * 300], [STRONG]),
        ([b'*, "a"'], [EntityTag(b"*", weak=False), STRONG]),
    ],
)
def test_entity_tags_are_read_and_malformed_ones_kept_as_written(lines: list[bytes], expected: list[EntityTag]) -> None:
    """Opaque tags hold any byte but a quote (RFC 9110 §8.8.3)."""
    assert expected == entity_tags(lines)


@pytest.mark.parametrize("lines", [[b"*"], [b" * ,"], [b"*", b"*"]])
def test_a_star_alone_stands_for_any_tag(lines: list[bytes]) -> None:
    """RFC 9110 §13.1.1 and §13.1.2: `*` or a list, not both."""
    assert entity_tags(lines) is Wildcard.ANY


@given(st.lists(st.tuples(st.sampled_from([b"", b"W/"]), st.binary(max_size=6).filter(lambda raw: b'"' not in raw))))
def test_entity_tags_undo_joining(written: list[tuple[bytes, bytes]]) -> None:
    """Well-formed tags come back whole, whatever they hold."""
    joined = b", ".join(b'%s"%s"' % pair for pair in written)

    assert [EntityTag(b'"%s"' % opaque, weak=bool(weak)) for weak, opaque in written] == entity_tags([joined])


@pytest.mark.parametrize(
    ("one", "other", "is_strong", "is_weak"),
    [
        (b'W/"1"', b'W/"1"', False, True),
        (b'W/"1"', b'W/"2"', False, False),
        (b'W/"1"', b'"1"', False, True),
        (b'"1"', b'W/"1"', False, True),
        (b'"1"', b'"1"', True, True),
        (b"abc", b"abc", True, True),
        (b"abc", b'"abc"', False, False),
        (b'w/"1"', b'W/"1"', False, False),
    ],
)
def test_strong_and_weak_comparison(one: bytes, other: bytes, is_strong: bool, is_weak: bool) -> None:
    """The table of RFC 9110 §8.8.3.2, and malformed tags, which equal only themselves."""
    tags = entity_tags([one, other])
    assert not isinstance(tags, Wildcard)

    assert is_strong == strong_match(*tags)
    assert is_weak == weak_match(*tags)


@given(st.lists(ANY_BYTES, max_size=3))
def test_no_bytes_crash_a_parser(lines: list[bytes]) -> None:
    """Every parser is total."""
    split_list(lines)
    field_names(lines)
    entity_tags(lines)
    connection_options([(b"connection", line) for line in lines])
    for line in lines:
        delta_seconds(line)
        http_date(line, NOW)
        qualities(line)


@pytest.mark.parametrize(
    "unit", [b'"', b'\\"', b'"\\', b",", b" ", b'",', b'W/"', b'"" ', b'a"', b";", b"a;q=", b"\\", b"\t,", b'"a" "']
)
def test_hostile_values_take_linear_time(unit: bytes) -> None:
    """A header section of any server's size is parsed at once; the quadratic way would take many seconds."""
    value = unit * (100_000 // len(unit))
    started = perf_counter()
    split_list([value])
    entity_tags([value])
    field_names([value])
    qualities(value)

    assert perf_counter() - started < 10.0
