"""Structured fields (RFC 9651, RFC 8941): what the strict algorithm takes, and what serialising can never let out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._structured import (
    BareItem,
    Date,
    DisplayString,
    InnerList,
    Item,
    Token,
    parse_dictionary,
    serialize_string,
    serialize_token_or_string,
)


def only(text: bytes) -> Item:
    """Return the item that *text* is the value of."""
    members = parse_dictionary([b"a=" + text])
    assert members is not None
    (member,) = members.values()
    assert isinstance(member, Item)
    return member


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"42", 42),
        (b"-0", 0),
        (b"-999999999999999", -999999999999999),
        (b"007", 7),
        (b"4.5", 4.5),
        (b"-123456789012.125", -123456789012.125),
        (b'""', ""),
        (b'"hello \\"\\\\ world"', 'hello "\\ world'),
        (b"foo123/456:a!", Token("foo123/456:a!")),
        (b"*", Token("*")),
        (b":cHJldGVuZA==:", b"pretend"),
        (b":cHJldGVuZA:", b"pretend"),
        (b":iZ==:", b"\x89"),
        (b"::", b""),
        (b"?1", True),
        (b"?0", False),
        (b"@1659578233", Date(1659578233)),
        (b"@-1", Date(-1)),
        (b'%"f%c3%bcu %22"', DisplayString('füu "')),
    ],
)
def test_bare_items_of_every_type(text: bytes, expected: BareItem) -> None:
    """RFC 9651 §3.3 and §4.2.3.1, with RFC 8941's examples."""
    item = only(text)

    assert Item(expected, {}) == item
    assert type(expected) is type(item.value)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], {}),
        ([b""], {}),
        ([b"  "], {}),
        ([b"a"], {"a": Item(value=True, parameters={})}),
        ([b" a=1 ,\tb; x;y=?0;x=2 "], {"a": Item(1, {}), "b": Item(value=True, parameters={"x": 2, "y": False})}),
        ([b"a=1", b"b=2"], {"a": Item(1, {}), "b": Item(2, {})}),
        ([b"*k-_.9=1"], {"*k-_.9": Item(1, {})}),
        ([b"a=()"], {"a": InnerList((), {})}),
        ([b'a=( 1   "x";p );q'], {"a": InnerList((Item(1, {}), Item("x", {"p": True})), {"q": True})}),
    ],
)
def test_dictionaries_span_lines_and_hold_items_or_inner_lists(
    lines: list[bytes], expected: dict[str, Item | InnerList]
) -> None:
    """RFC 9651 §3.2 and §4.2.2."""
    assert expected == parse_dictionary(lines)


def test_the_last_value_of_a_repeated_key_counts_in_the_first_place() -> None:
    """§4.2.2: its value is overwritten."""
    members = parse_dictionary([b"a=1, b=2, a=3"])

    assert members is not None
    assert [("a", Item(3, {})), ("b", Item(2, {}))] == list(members.items())


@pytest.mark.parametrize(
    "text",
    [
        *(
            b",",
            b"a,",
            b"a, ",
            b",a",
            b"a,,b",
            b"a b",
            b"a;",
            b"a; ",
            b"A=1",
            b"1",
            b"=1",
            b"a =1",
            b"a= 1",
            b"a=",
            b"a;B",
        ),
        *(b"\ta", b"a ;b=", b"a;b= 1", b"a;b=()", b"a\x00"),
        *(
            b"a=1.",
            b"a=.5",
            b"a=1.1234",
            b"a=1234567890123.1",
            b"a=1234567890123456",
            b"a=-",
            b"a=--1",
            b"a=+1",
            b"a=1e3",
        ),
        *(b'a="', b'a="b', b'a="\\', b'a="\\n"', b'a="\t"', b'a="\x7f"', b"a='b'", 'a="é"'.encode(), b'a="b"c'),
        *(b"a=:", b"a=:YQ", b"a=:a:", b"a=:=:", b"a=:YQ=Y:", b"a=:Y Q:", b"a=:_-8=:", b"a=:YQ===:"),
        *(b"a=?", b"a=?2", b"a=?true", b"a=@", b"a=@1.5", b"a=@x"),
        *(b'a=%"%C3%BC"', b'a=%"%ff"', b'a=%"%c"', b'a=%"b', b"a=%b"),
        *(b"a=(", b"a=(1", b"a=(1,2)", b'a=("b""c")', b"a=((1))", b"a=(1\t2)", b"a=(1);", b"a=1)"),
        *(b"a=1, b={}", b"a=@1 b"),
    ],
)
def test_one_error_anywhere_leaves_no_value(text: bytes) -> None:
    """§4.2: when parsing fails the entire field is ignored."""
    assert parse_dictionary([text]) is None


SF_ISH = st.text(alphabet=' \t,;=()"\\:?@%*abA019.-/é\x00', max_size=40).map(lambda text: text.encode("latin-1"))


@given(st.lists(st.one_of(st.binary(max_size=60), SF_ISH, SF_ISH.map(lambda raw: b"a=" + raw)), max_size=3))
def test_no_bytes_crash_the_parser(lines: list[bytes]) -> None:
    """Any input is a dictionary or nothing."""
    parse_dictionary(lines)


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_strings_survive_a_round_trip(text: str) -> None:
    """§4.1.6 and §4.2.5 are inverse, and so is a token where the text can be one."""
    assert Item(text, {}) == only(serialize_string(text))

    read = only(serialize_token_or_string(text)).value
    assert text == read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Resync", b"Resync"),
        ("*a/b:c", b"*a/b:c"),
        ("", b'""'),
        ("1a", b'"1a"'),
        ("two words", b'"two words"'),
        ('say "\\"', b'"say \\"\\\\\\""'),
        ("a\r\nSet-Cookie: b=c\x00\x7f", b'"a%0D%0ASet-Cookie: b=c%00%7F"'),
        ("ü€", b'"%C3%BC%E2%82%AC"'),
        ("\ud800", b'"%ED%A0%80"'),
        ("a\n", b'"a%0A"'),
    ],
)
def test_text_becomes_a_token_where_it_can_and_never_ends_the_line(text: str, expected: bytes) -> None:
    """Names in Cache-Status are tokens or strings (RFC 9211 §2); what neither can hold is percent-encoded."""
    assert expected == serialize_token_or_string(text)


@given(st.text())
def test_whatever_is_serialised_can_be_parsed_and_is_printable(text: str) -> None:
    """No text injects a header."""
    for written in (serialize_string(text), serialize_token_or_string(text)):
        assert all(0x20 <= byte <= 0x7E for byte in written)
        assert isinstance(only(written).value, str)
