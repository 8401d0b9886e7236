"""Preconditions, validation and updates of what is stored (RFC 9110 §8.8, §13; RFC 9111 §3.1, §3.2, §4.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._asgi import RawHeaders
from asgi_resync._headers import format_http_date
from asgi_resync.cache.entry import StoredResponse
from asgi_resync.cache.policy.validation import (
    HOP_BY_HOP,
    NOT_UPDATED,
    PRECONDITIONS,
    conditional_headers,
    describes,
    evaluate,
    evaluate_stored,
    identified,
    if_range_holds,
    matches,
    not_modified_headers,
    stored_headers,
    updated_headers,
)

NOW = 1_700_000_000.0
NONE: frozenset[bytes] = frozenset()


def at(offset: float) -> bytes:
    return format_http_date(NOW + offset)


def stored(
    etag: bytes | None = None,
    modified: float | None = None,
    *,
    app_validator: bool = True,
    body: bytes = b"",
    status: int = 200,
    vary: tuple[bytes, ...] = (),
) -> StoredResponse:
    return StoredResponse(
        key=("k",),
        status=status,
        headers=[],
        body=body,
        stored_at=NOW,
        date=NOW,
        born=NOW,
        lifetime=10,
        etag=etag,
        last_modified=None if modified is None else NOW + modified,
        app_validator=app_validator,
        vary=vary,
    )


# Comparison, RFC 9110 §8.8.3.2 and §13.1


@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    [
        # the table of §8.8.3.2
        (b'W/"1"', b'W/"1"', False, True),
        (b'W/"1"', b'W/"2"', False, False),
        (b'W/"1"', b'"1"', False, True),
        (b'"1"', b'"1"', True, True),
        # case and characters count
        (b'"a"', b'"A"', False, False),
        (b'""', b'""', True, True),
        (b'"a,b"', b'"a,b"', True, True),
        # malformed ones equal themselves
        (b"abc", b"abc", True, True),
        (b"abc", b'"abc"', False, False),
    ],
)
def test_tags_are_compared_strongly_and_weakly(one: bytes, other: bytes, strong: bool, weak: bool) -> None:
    """§8.8.3.2, both ways round."""
    for field, etag in ((one, other), (other, one)):
        assert strong is matches([field], etag, strong=True)
        assert weak is matches([field], etag, strong=False)


@pytest.mark.parametrize(
    ("field", "etag", "expected"),
    [
        ([b"*"], b'"a"', True),
        ([b"*"], None, True),
        ([b' "a" , "b"'], b'"b"', True),
        ([b'"a"', b'"b"'], b'"b"', True),
        ([b'"a", *'], b'"b"', False),
        ([b'"a"'], None, False),
        ([b""], b'"a"', False),
        ([b'"a"'], b"", False),
        # What the app calls a tag and is none, or several, is like nothing.
        ([b'"a"'], b'"a", "b"', False),
        ([b"a,b"], b"a,c", False),
        ([b'"a"'], b"*", False),
    ],
)
def test_a_list_names_a_tag_if_a_member_does(field: list[bytes], etag: bytes | None, expected: bool) -> None:
    """§13.1.1, §13.1.2: any member, over any number of lines; a star alone names whatever exists."""
    assert expected is matches(field, etag, strong=False)


# Precedence, RFC 9110 §13.2.2

SAME, OTHER = b'"a"', b'"b"'
PAST, EQUAL, FUTURE = at(-10), at(0), at(10)
PROCEED, NOT_MODIFIED, FAILED = "proceed", "not-modified", "precondition-failed"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], PROCEED),
        # step 1: If-Match
        ([(b"if-match", SAME)], PROCEED),
        ([(b"if-match", OTHER)], FAILED),
        ([(b"if-match", b"*")], PROCEED),
        ([(b"if-match", b'W/"a"')], FAILED),
        ([(b"if-match", OTHER), (b"if-match", SAME)], PROCEED),
        # step 2: If-Unmodified-Since, only without If-Match
        ([(b"if-unmodified-since", PAST)], FAILED),
        ([(b"if-unmodified-since", EQUAL)], PROCEED),
        ([(b"if-unmodified-since", FUTURE)], PROCEED),
        ([(b"if-match", SAME), (b"if-unmodified-since", PAST)], PROCEED),
        # §13.1.4: ignored if it is no date, or a list
        ([(b"if-unmodified-since", b"0")], PROCEED),
        ([(b"if-unmodified-since", PAST), (b"if-unmodified-since", PAST)], PROCEED),
        # step 3: If-None-Match
        ([(b"if-none-match", SAME)], NOT_MODIFIED),
        ([(b"if-none-match", b'W/"a"')], NOT_MODIFIED),
        ([(b"if-none-match", b"*")], NOT_MODIFIED),
        ([(b"if-none-match", OTHER)], PROCEED),
        ([(b"if-none-match", b"")], PROCEED),
        # step 4: If-Modified-Since, only without If-None-Match
        ([(b"if-modified-since", PAST)], PROCEED),
        ([(b"if-modified-since", EQUAL)], NOT_MODIFIED),
        ([(b"if-modified-since", FUTURE)], NOT_MODIFIED),
        ([(b"if-none-match", OTHER), (b"if-modified-since", FUTURE)], PROCEED),
        ([(b"if-none-match", b""), (b"if-modified-since", FUTURE)], PROCEED),
        ([(b"if-none-match", SAME), (b"if-modified-since", PAST)], NOT_MODIFIED),
        # §13.1.3: ignored if it is no date, or a list
        ([(b"if-modified-since", b"0")], PROCEED),
        ([(b"if-modified-since", FUTURE), (b"if-modified-since", FUTURE)], PROCEED),
        # steps 1 and 2 go before 3 and 4
        ([(b"if-none-match", SAME), (b"if-match", OTHER)], FAILED),
        ([(b"if-none-match", SAME), (b"if-match", SAME)], NOT_MODIFIED),
        ([(b"if-modified-since", FUTURE), (b"if-unmodified-since", PAST)], FAILED),
        ([(b"if-modified-since", EQUAL), (b"if-unmodified-since", EQUAL)], NOT_MODIFIED),
        # step 5 is not for here
        ([(b"if-range", OTHER)], PROCEED),
    ],
)
def test_preconditions_are_evaluated_in_their_order(headers: RawHeaders, expected: str) -> None:
    """RFC 9110 §13.2.2, step by step."""
    assert expected == evaluate(headers, SAME, NOW, NOW)


@pytest.mark.parametrize(
    ("headers", "date", "expected"),
    [
        ([(b"if-modified-since", FUTURE)], None, PROCEED),
        # RFC 9111 §4.3.2: the date of what is stored stands for its modification, but for that only.
        ([(b"if-modified-since", EQUAL)], NOW, NOT_MODIFIED),
        ([(b"if-modified-since", PAST)], NOW, PROCEED),
        ([(b"if-none-match", SAME)], None, PROCEED),
    ],
)
def test_a_response_without_validators_has_its_date(headers: RawHeaders, date: float | None, expected: str) -> None:
    """§13.1.3: without a modification date nothing is known to be modified; RFC 9111 §4.3.2 has Date instead."""
    assert expected == evaluate_stored(headers, None, None, NOW, date=date)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"if-unmodified-since", PAST)], PROCEED),
        ([(b"if-match", SAME)], FAILED),
        ([(b"if-match", b"*")], PROCEED),
    ],
)
def test_what_has_no_validators_matches_nothing_and_is_not_known_to_be_modified(
    headers: RawHeaders, expected: str
) -> None:
    """§13.1.1 and §13.1.4, as the origin has them."""
    assert expected == evaluate(headers, None, None, NOW)


@pytest.mark.parametrize("validator", [(b"if-match", OTHER), (b"if-match", b"x"), (b"if-unmodified-since", PAST)])
@pytest.mark.parametrize(("beside", "expected"), [([], PROCEED), ([(b"if-none-match", SAME)], NOT_MODIFIED)])
def test_what_is_for_the_origin_alone_is_not_evaluated_against_what_is_stored(
    validator: tuple[bytes, bytes], beside: RawHeaders, expected: str
) -> None:
    """RFC 9111 §4.3.2: the origin may have what the client asks for by now; what a cache may evaluate counts."""
    assert expected == evaluate_stored([validator, *beside], SAME, NOW, NOW)


LISTS = st.lists(st.sampled_from([SAME, OTHER, b'W/"a"', b"*", b"", b"x"]), max_size=2)
DATES = st.lists(st.sampled_from([PAST, EQUAL, FUTURE, b"0", b""]), max_size=2)
ETAGS = st.sampled_from([SAME, OTHER, b'W/"a"', b"x", None])
MODIFIED = st.sampled_from([NOW - 10, NOW, None])


@given(LISTS, DATES, LISTS, DATES, ETAGS, MODIFIED)
def test_what_goes_before_settles_it(
    match: list[bytes],
    unmodified: list[bytes],
    none_match: list[bytes],
    modified: list[bytes],
    etag: bytes | None,
    last_modified: float | None,
) -> None:
    """§13.2.2: a date is never looked at beside its list, and a failure is never outweighed by what comes later."""

    def verdict(**fields: list[bytes]) -> str:
        lines = [(name.replace("_", "-").encode(), value) for name, values in fields.items() for value in values]
        return evaluate(lines, etag, last_modified, NOW)

    whole = verdict(
        if_none_match=none_match, if_modified_since=modified, if_match=match, if_unmodified_since=unmodified
    )
    first = verdict(if_match=match) if match else verdict(if_unmodified_since=unmodified)
    then = verdict(if_none_match=none_match) if none_match else verdict(if_modified_since=modified)

    assert whole == (first if first == FAILED else then)


# If-Range, RFC 9110 §13.1.5


@pytest.mark.parametrize(
    ("lines", "etag", "modified", "expected"),
    [
        ([], SAME, None, True),
        ([SAME], SAME, None, True),
        ([OTHER], SAME, None, False),
        # strong comparison
        ([b'W/"a"'], b'W/"a"', None, False),
        ([SAME], b'W/"a"', None, False),
        ([b'W/"a"'], SAME, None, False),
        ([SAME], None, None, False),
        # one tag, no list and no star
        ([b'"a", "b"'], SAME, None, False),
        ([SAME, SAME], SAME, None, False),
        ([b"*"], SAME, None, False),
        ([b""], SAME, None, False),
        # a date: the very same, and strong (§8.8.2.2): at least a second before the response's own
        ([at(-1)], None, -1, True),
        ([at(0)], None, 0, False),
        ([at(-1)], None, -2, False),
        ([at(-1)], None, None, False),
        ([at(10)], None, -1, False),
        ([b"0"], None, -1, False),
    ],
)
def test_if_range_holds_for_the_same_strong_validator_only(
    lines: list[bytes], etag: bytes | None, modified: float | None, expected: bool
) -> None:
    """§13.1.5: what is not surely the same is answered whole."""
    headers = [(b"if-range", line) for line in lines]

    assert expected is if_range_holds(headers, stored(etag, modified), NOW)


# Asking the app, RFC 9111 §4.3.1


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([], []),
        ([stored(SAME)], [(b"if-none-match", SAME)]),
        ([stored(None, -5)], [(b"if-modified-since", at(-5))]),
        ([stored(SAME, -5)], [(b"if-none-match", SAME), (b"if-modified-since", at(-5))]),
        ([stored()], []),
        # several: by their tags, each once, and not by a date
        ([stored(SAME), stored(OTHER), stored(SAME)], [(b"if-none-match", b'"a", "b"')]),
        ([stored(SAME, -5), stored(OTHER, -9)], [(b"if-none-match", b'"a", "b"')]),
        ([stored(SAME), stored(None, -9)], [(b"if-none-match", SAME)]),
        # The date of one variant is not that of another, and the one asked about need not be the one asked for.
        ([stored(SAME, -5, vary=(b"accept",))], [(b"if-none-match", SAME)]),
        ([stored(None, -5, vary=(b"accept",))], [(b"if-modified-since", at(-5))]),
        # The app does not know a tag that is ours.
        ([stored(SAME, app_validator=False)], []),
        ([stored(SAME, app_validator=False), stored(OTHER)], [(b"if-none-match", OTHER)]),
        # A star would ask whether there is anything at all.
        ([stored(b"*")], []),
        ([stored(b'"a", "b"')], []),
        ([stored(b"abc")], [(b"if-none-match", b"abc")]),
        ([stored(b'W/"a"')], [(b"if-none-match", b'W/"a"')]),
    ],
)
def test_the_app_is_asked_with_the_validators_that_it_gave(
    candidates: list[StoredResponse], expected: RawHeaders
) -> None:
    """§4.3.1: If-None-Match with all tags, If-Modified-Since with the date of the only one."""
    assert expected == conditional_headers([], candidates)


def test_the_clients_own_preconditions_give_way() -> None:
    """§4.3.1: the full answer is needed; every other field goes to the app as it came, in its order."""
    headers = [(b"accept", b"a"), *((name, b"x") for name in sorted(PRECONDITIONS)), (b"accept", b"b")]

    assert [(b"accept", b"a"), (b"accept", b"b")] == conditional_headers(headers, [])
    assert [(b"accept", b"a"), (b"accept", b"b"), (b"if-none-match", SAME)] == conditional_headers(
        headers, [stored(SAME)]
    )


# The app's 304, RFC 9111 §4.3.4

WEAK = b'W/"a"'


@pytest.mark.parametrize(
    ("tags", "etag", "expected"),
    [
        # a strong tag selects by strong comparison, all that have it, and by nothing else
        ([SAME, OTHER], OTHER, [1]),
        ([SAME, OTHER, SAME], SAME, [0, 2]),
        ([SAME], OTHER, []),
        ([WEAK], SAME, []),
        ([WEAK, SAME], SAME, [1]),
        # a weak one selects the newest that matches weakly
        ([OTHER, SAME, WEAK], WEAK, [1]),
        ([WEAK], WEAK, [0]),
        ([OTHER], WEAK, []),
        # none speaks of the only one, or nobody knows of which
        ([SAME], None, [0]),
        ([None], None, [0]),
        ([SAME, OTHER], None, []),
        ([], None, []),
        ([], SAME, []),
        ([None], SAME, []),
        # what is no tag selects nothing
        ([SAME], b"*", []),
        ([SAME], b"", []),
        ([SAME], b'"a", "b"', []),
    ],
)
def test_a_304_speaks_of_what_its_tag_selects(
    tags: list[bytes | None], etag: bytes | None, expected: list[int]
) -> None:
    """§4.3.4: of none of the stored responses if none has its tag; then none is updated."""
    candidates = [stored(tag) for tag in tags]
    update = [] if etag is None else [(b"ETag", etag)]

    assert tuple(candidates[place] for place in expected) == identified(candidates, update, NOW)


@pytest.mark.parametrize(
    ("candidate", "modified", "expected"),
    [
        (stored(None, -60), [at(-60)], True),
        (stored(None, -60), [at(-30)], False),
        (stored(SAME, -60), [at(-60)], True),
        (stored(SAME, -60), [at(-30)], False),
        (stored(SAME), [at(-60)], False),
        # what is no date, or more than one, is no validator
        (stored(SAME, -60), [b"yesterday"], True),
        (stored(SAME, -60), [at(-30), at(-60)], True),
    ],
)
def test_a_304_without_a_tag_speaks_of_what_was_modified_then(
    candidate: StoredResponse, modified: list[bytes], expected: bool
) -> None:
    """§4.3.4: Last-Modified is a validator too; one that corresponds to nothing stored updates nothing."""
    update = [(b"Last-Modified", value) for value in modified]

    assert ((candidate,) if expected else ()) == identified([candidate], update, NOW)
    # Of several, nobody knows which: variants are often written at one time.
    assert () == identified([candidate, candidate], update, NOW)


# What is kept and what is updated, RFC 9111 §3.1 and §3.2


def test_fields_of_one_connection_are_not_kept() -> None:
    """§3.1: neither the known ones, nor those that Connection names, nor Age; all others stay, line by line."""
    headers = [
        (b"Content-Type", b"a/b"),
        *((name.title(), b"x") for name in HOP_BY_HOP),
        (b"connection", b'X-One, "x'),
        (b"Connection", b"x-TWO"),
        (b"x-one", b"1"),
        (b"X-Two", b"2"),
        (b"x-three", b"3"),
        (b"age", b"5"),
        (b"x-three", b"4"),
    ]

    assert [(b"content-type", b"a/b"), (b"x-three", b"3"), (b"x-three", b"4")] == stored_headers(headers, NONE)
    assert [(b"content-type", b"a/b")] == stored_headers(headers, frozenset({b"x-three"}))


FIELD_NAMES = st.sampled_from(
    [
        *(b"connection", b"Connection", b"Keep-Alive", b"te", b"upgrade", b"proxy-authenticate", b"age", b"Etag"),
        *(b"x-a", b"X-B", b"x-c", b"set-cookie", b"content-length", b"Content-Encoding", b"content-range", b"vary"),
    ]
)
FIELD_VALUES = st.sampled_from([b"x-a", b"X-A, x-b", b"close", b"vary,", b"", b'"x-c"', b"1", b"x-c, connection"])
SECTIONS = st.lists(st.tuples(FIELD_NAMES, FIELD_VALUES), max_size=8)
STRIPPED = st.frozensets(st.sampled_from([b"set-cookie", b"x-c"]))


def named_by_connection(headers: RawHeaders) -> set[bytes]:
    lines = [value for name, value in headers if name.lower() == b"connection"]
    return {option.strip().lower() for line in lines for option in line.split(b",")}


@given(SECTIONS, STRIPPED)
def test_nothing_of_one_connection_leaks_and_nothing_else_is_lost(
    headers: RawHeaders, stripped: frozenset[bytes]
) -> None:
    """§3.1: exactly what is excepted is missing, and the rest keeps its order."""
    excepted = HOP_BY_HOP | {b"age"} | stripped | named_by_connection(headers)

    expected = [(name.lower(), value) for name, value in headers if name.lower() not in excepted]
    assert expected == stored_headers(headers, stripped)


def test_an_update_replaces_all_lines_of_a_name() -> None:
    """§3.2: the new lines stand in place of all old ones of their name, and what is not named stays."""
    old = [(b"x-a", b"1"), (b"x-a", b"2"), (b"x-b", b"3"), (b"content-length", b"9")]
    new = [(b"X-A", b"4"), (b"x-c", b"5"), (b"content-length", b"0"), (b"content-encoding", b"br"), (b"age", b"7")]

    assert [(b"x-b", b"3"), (b"content-length", b"9"), (b"x-a", b"4"), (b"x-c", b"5")] == updated_headers(
        old, new, NONE
    )


def test_what_an_update_forbids_to_keep_is_taken_from_what_is_stored() -> None:
    """§5.2.2.7: the directives of a 304 are those of the stored response from then on."""
    old = [(b"x-user", b"ann"), (b"x-a", b"1")]

    assert [(b"x-a", b"1")] == updated_headers(old, [], frozenset({b"x-user"}))
    assert [(b"x-a", b"1")] == updated_headers(old, [(b"x-user", b"bob")], frozenset({b"x-user"}))


@given(SECTIONS, SECTIONS, STRIPPED)
def test_an_update_leaves_alone_what_it_may_not_touch(
    old: RawHeaders, new: RawHeaders, stripped: frozenset[bytes]
) -> None:
    """§3.2: what is excepted stays as stored, what is renewed is as the update has it, and the rest is unchanged."""
    kept = stored_headers(old, NONE)
    result = updated_headers(kept, new, stripped)
    update = [pair for pair in stored_headers(new, stripped) if pair[0] not in NOT_UPDATED]
    renewed = {name for name, _ in update}

    for name in {name for name, _ in kept + result} - stripped:
        source = update if name in renewed else kept
        assert [pair for pair in source if pair[0] == name] == [pair for pair in result if pair[0] == name]
    assert stripped.isdisjoint(name for name, _ in result)


def test_a_304_of_ours_carries_what_guides_caches() -> None:
    """RFC 9110 §15.4.5: Content-Location, Date, ETag, Vary, Cache-Control, Expires; nothing about the content."""
    names = [b"content-location", b"date", b"etag", b"vary", b"cache-control", b"expires"]
    headers = [(name, b"x") for name in [*names, b"content-length", b"content-type", b"content-encoding", b"x-a"]]

    assert names == [name for name, _ in not_modified_headers(headers)]


# The app's 200 to HEAD, RFC 9111 §4.3.5


@pytest.mark.parametrize(
    ("entry", "headers", "expected"),
    [
        (stored(SAME, -5, body=b"xy"), [], True),
        (stored(SAME), [(b"etag", SAME)], True),
        (stored(SAME), [(b"etag", WEAK)], True),
        (stored(SAME), [(b"etag", OTHER)], False),
        (stored(SAME), [(b"ETag", OTHER)], False),
        (stored(None, -5), [(b"etag", OTHER)], False),
        (stored(None, -5), [(b"last-modified", at(-5))], True),
        (stored(None, -5), [(b"Last-Modified", at(-4))], False),
        (stored(None, -5), [(b"last-modified", b"0")], False),
        (stored(SAME), [(b"last-modified", at(-5))], False),
        (stored(body=b"xy"), [(b"content-length", b"2")], True),
        (stored(body=b"xy"), [(b"Content-Length", b"3")], False),
        (stored(SAME, -5, body=b"xy"), [(b"etag", SAME), (b"last-modified", at(-5)), (b"content-length", b"2")], True),
        # The app cannot give a tag that is ours.
        (stored(SAME, app_validator=False), [(b"etag", OTHER)], False),
        (stored(SAME, app_validator=False), [(b"etag", SAME)], False),
        # What was not there for GET is there now.
        (stored(status=404), [], False),
    ],
)
def test_a_200_to_head_describes_what_it_agrees_with(
    entry: StoredResponse, headers: RawHeaders, expected: bool
) -> None:
    """§4.3.5: every validator it has, and the length, must be those of the stored response."""
    assert expected is describes(entry, headers, NOW)
