"""Terms and rules: what cannot work is refused when it is written, what matches, and how a query enters the key."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync import CacheRule, RuleError, cache_for
from asgi_resync.cache.rules import NO_TERMS, Terms, upstream_tag, url_in_key

SECONDS = ("ttl", "stale_while_revalidate", "stale_if_error")
LISTS = ("vary", "tags", "upstreams")


@pytest.mark.parametrize("argument", SECONDS)
@pytest.mark.parametrize("value", [-1, -0.001, math.nan, math.inf, -math.inf, "10", b"10", True, False, [10]], ids=repr)
def test_seconds_are_numbers_of_zero_or_more(argument: str, value: Any) -> None:
    """No text, no flag, nothing negative or endless; the error names argument, value and remedy."""
    with pytest.raises(RuleError, match="give seconds as a number of 0 or more, such as 10") as caught:
        Terms(**{argument: value})

    assert argument == caught.value.argument
    assert caught.value.value is value
    assert str(caught.value).startswith(f"{argument}={value!r} cannot work: ")


@pytest.mark.parametrize("argument", SECONDS)
@pytest.mark.parametrize(("value", "expected"), [(None, None), (0, 0.0), (10, 10.0), (0.5, 0.5), (10**400, 2.0**31)])
def test_seconds_become_floats(argument: str, value: Any, expected: float | None) -> None:
    """More than RFC 9111 §1.2.2 has a number for is as much as that."""
    found = getattr(Terms(**{argument: value}), argument)

    assert expected == found
    assert type(expected) is type(found)


@pytest.mark.parametrize(
    ("arguments", "argument", "value", "remedy"),
    [
        ({"statuses": "200"}, "statuses", "200", "give a list, such as [200]"),
        ({"statuses": 200}, "statuses", 200, "give a list, such as [200]"),
        *(
            ({"statuses": [200, bad]}, "statuses", bad, "give final statuses other than 206, 304, 412 and 416")
            for bad in (100, 199, 206, 304, 412, 416, 600, -1, "200", 200.0, None, True)
        ),
        *(({name: "abc"}, name, "abc", "such as ['abc']") for name in LISTS),
        *(({name: b"abc"}, name, b"abc", "each of them a text") for name in LISTS),
        *(({name: 7}, name, 7, "each of them a text") for name in LISTS),
        *(
            ({name: ["a", bad]}, name, bad, "must be a non-empty text on one line")
            for name in LISTS
            for bad in ("", " ", "a\nb", "a\rb", "a\0b", 7, None, b"a")
        ),
        ({"vary": ["*"]}, "vary", "*", "name the fields"),
        ({"vary": ["accept language"]}, "vary", "accept language", "give names of request fields"),
        ({"vary": ["accept, cookie"]}, "vary", "accept, cookie", "give names of request fields"),
        ({"vary": ["x:y"]}, "vary", "x:y", "give names of request fields"),
        ({"vary": ["ä"]}, "vary", "ä", "give names of request fields"),
        ({"set_cookie": "drop"}, "set_cookie", "drop", "choose 'refuse', 'strip' or 'store'"),
        ({"set_cookie": True}, "set_cookie", True, "choose 'refuse', 'strip' or 'store'"),
        ({"etag": "yes"}, "etag", "yes", "give True or False"),
        ({"revalidate": "no"}, "revalidate", "no", "give True or False"),
    ],
)
def test_terms_that_cannot_work_are_refused(
    arguments: dict[str, Any], argument: str, value: object, remedy: str
) -> None:
    """Rules and markers alike refuse them at once, with argument, value and remedy."""
    makers: list[Callable[..., object]] = [Terms, partial(CacheRule, "/")]
    if "revalidate" not in arguments:
        makers.append(cache_for)

    for make in makers:
        with pytest.raises(RuleError) as caught:
            make(**arguments)
        assert (argument, value) == (caught.value.argument, caught.value.value)
        assert remedy in str(caught.value)
        assert f"{argument}={value!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "arguments", "argument", "value", "remedy"),
    [
        *((bad, {}, "pattern", bad, "starts with '/'") for bad in ("", "plan", "*", "http://h/", None, 7, b"/", ["/"])),
        ("/{id:nope}", {}, "pattern", "/{id:nope}", "Starlette cannot read this path"),
        ("/{a}/{a}", {}, "pattern", "/{a}/{a}", "Starlette cannot read this path"),
        ("/", {"methods": "GET"}, "methods", "GET", "such as ['GET']"),
        ("/", {"methods": 7}, "methods", 7, "each of them a text"),
        ("/", {"methods": []}, "methods", (), "name at least one method"),
        ("/", {"methods": ["PUT"]}, "methods", "PUT", "only GET, HEAD, POST and QUERY"),
        ("/", {"methods": ["GET", "*"]}, "methods", "*", "only GET, HEAD, POST and QUERY"),
        ("/", {"methods": ["HEAD"]}, "methods", ("HEAD",), "name GET"),
        ("/", {"methods": ["POST"]}, "methods", "POST", "add body_in_key=True"),
        ("/", {"methods": ["GET", "query"]}, "methods", "QUERY", "add body_in_key=True"),
        ("/", {"methods": ["POST"], "body_in_key": 1}, "methods", "POST", "add body_in_key=True"),
        ("/", {"body_in_key": True}, "body_in_key", True, "name one of them in methods"),
        ("/", {"query": "drop"}, "query", "drop", "choose 'keep', 'sort' or 'ignore'"),
        ("/", {"query": None}, "query", None, "choose 'keep', 'sort' or 'ignore'"),
        ("/", {"query_allow": "page"}, "query_allow", "page", "such as ['page']"),
        ("/", {"query_allow": ["a", ""]}, "query_allow", "", "non-empty text"),
        ("/", {"query_drop": "utm_*"}, "query_drop", "utm_*", "such as ['utm_*']"),
        ("/", {"query_drop": [None]}, "query_drop", None, "non-empty text"),
        ("/", {"query": "ignore", "query_allow": ["a"]}, "query", "ignore", "drop query_allow and query_drop"),
        ("/", {"query": "ignore", "query_allow": []}, "query", "ignore", "drop query_allow and query_drop"),
        ("/", {"query": "ignore", "query_drop": ["a"]}, "query", "ignore", "drop query_allow and query_drop"),
        ("/", {"query_allow": ["a"], "query_drop": ["b"]}, "query_drop", ("b",), "not both"),
        *(
            ("/", {"max_key_body": bad}, "max_key_body", bad, "give a number of bytes")
            for bad in (-1, 1.5, "64KiB", True, None)
        ),
    ],
)
def test_rules_that_cannot_work_are_refused(
    pattern: Any, arguments: dict[str, Any], argument: str, value: object, remedy: str
) -> None:
    """A rule that exists cannot fail later; the error names argument, value and remedy."""
    with pytest.raises(RuleError) as caught:
        CacheRule(pattern, **arguments)

    assert (argument, value) == (caught.value.argument, caught.value.value)
    assert f"{argument}={value!r} cannot work: " in str(caught.value)
    assert remedy in str(caught.value)


def test_terms_say_nothing_by_default() -> None:
    """Where nobody said anything, settings and responses decide."""
    assert Terms() == NO_TERMS
    assert (None, (), ()) == (NO_TERMS.ttl, NO_TERMS.vary_fields, NO_TERMS.all_tags)


def test_terms_are_worked_out_once() -> None:
    """Names are in the form that requests are compared in, and upstreams are tags no user's tag can be."""
    terms = Terms(vary=["X-B", "x-a", "X-A"], tags=["t"], upstreams=["tws"], statuses=[200, 404])

    assert ((b"x-a", b"x-b"), (200, 404)) == (terms.vary_fields, terms.statuses)
    assert ("t", upstream_tag("tws")) == terms.all_tags
    assert "\0" in upstream_tag("tws")


@pytest.mark.parametrize(
    ("pattern", "methods", "path", "method", "expected"),
    [
        ("/plan", ["GET"], "/plan", "GET", True),
        ("/plan", ["GET"], "/plan", "HEAD", True),
        ("/plan", ["get", "head"], "/plan", "HEAD", True),
        ("/plan", ["GET"], "/plan", "POST", False),
        ("/plan", ["POST"], "/plan", "POST", True),
        ("/plan", ["POST"], "/plan", "HEAD", False),
        ("/plan", ["POST", "QUERY"], "/plan", "QUERY", True),
        ("/plan", ["GET"], "/plan/", "GET", False),
        ("/plan", ["GET"], "/Plan", "GET", False),
        ("/plan", ["GET"], "/a/plan", "GET", False),
        ("/plan/{id:int}", ["GET"], "/plan/7", "GET", True),
        ("/plan/{id:int}", ["GET"], "/plan/x", "GET", False),
        ("/plan/{id}", ["GET"], "/plan/a/b", "GET", False),
        ("/plan/{rest:path}", ["GET"], "/plan/a/b", "GET", True),
        ("/{rest:path}", ["GET"], "/", "GET", True),
        ("/a.b", ["GET"], "/axb", "GET", False),
    ],
)
def test_a_rule_matches_method_and_whole_path(
    pattern: str, methods: list[str], path: str, method: str, expected: bool
) -> None:
    """The pattern is Starlette's; HEAD goes with GET."""
    rule = CacheRule(pattern, methods=methods, body_in_key=not {"GET", "get"} & set(methods))

    assert expected is rule.matches(path, method)


# The query in the key


@pytest.mark.parametrize(
    ("arguments", "query", "expected"),
    [
        ({}, b"", b""),
        ({}, b"b=2&a=1&&x", b"b=2&a=1&&x"),
        ({"query": "ignore"}, b"b=2&a=1", b""),
        ({"query": "sort"}, b"", b""),
        ({"query": "sort"}, b"b=2&a=1", b"a=1&b=2"),
        ({"query": "sort"}, b"b=2&a=1&b=1&a=2", b"a=1&a=2&b=2&b=1"),
        ({"query": "sort"}, b"&b&a=&", b"a=&b"),
        ({"query": "sort"}, b"b=%26a=1&a", b"a&b=%26a=1"),
        # A name is what the app reads, so its spellings are of one order.
        ({"query": "sort"}, b"b=1&%61=2&a=1&%61=0", b"%61=2&a=1&%61=0&b=1"),
        ({"query": "sort"}, b"a+b=2&a%20b=1", b"a+b=2&a%20b=1"),
        ({"query_allow": ["a"]}, b"b=2&a=1", b"a=1"),
        ({"query_allow": []}, b"b=2&a=1", b""),
        ({"query_allow": ["b", "a"]}, b"b=2&a=1&c=3", b"a=1&b=2"),
        ({"query_allow": ["a"]}, b"A=1&%61=2&a", b"%61=2&a"),
        ({"query_allow": ["page*"]}, b"page=1&page_size=2&x", b"page=1&page_size=2"),
        ({"query_drop": ["utm_*"]}, b"utm_source=x&b=2&a=1", b"a=1&b=2"),
        ({"query_drop": ["utm_*"]}, b"%75tm_source=x&UTM_x=1", b"UTM_x=1"),
        ({"query_drop": ["ut?"]}, b"utm=1&utmm=2", b"utmm=2"),
        ({"query_drop": ["a b"]}, b"a+b=1&a%20b=2&c", b"c"),
        ({"query_drop": ["ä"]}, b"%C3%A4=1&b", b"b"),
        ({"query_drop": ["a"]}, b"a", b""),
        # Brackets are of names such as JSON:API's, and no set of characters.
        (
            {"query_allow": ["page[number]"]},
            b"page[number]=1&page%5Bnumber%5D=2&pagen=3",
            b"page[number]=1&page%5Bnumber%5D=2",
        ),
        ({"query_drop": ["f[*]"]}, b"f[a]=1&fa=2", b"fa=2"),
        # What is no UTF-8 is a name all the same.
        ({"query_drop": ["x"]}, b"%FF=1&\xff=2", b"%FF=1&\xff=2"),
    ],
)
def test_the_query_enters_the_key_as_the_rule_says(arguments: dict[str, Any], query: bytes, expected: bytes) -> None:
    """Keep, sort, ignore, allow or drop; names are compared decoded."""
    assert expected == CacheRule("/", **arguments).query_in_key(query)


QUERIES = st.text(alphabet="ab%61=&+", max_size=20).map(str.encode)
RULES = st.sampled_from(
    [CacheRule("/", query="sort"), CacheRule("/", query_allow=["a", "a*"]), CacheRule("/", query_drop=["b", "a?"])]
)


def parameters(query: bytes) -> list[tuple[str, str]]:
    """Return the parameters as frameworks read them."""
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


@given(RULES, QUERIES)
def test_what_shares_a_key_has_the_same_values_in_the_same_order_by_name(rule: CacheRule, query: bytes) -> None:
    """Of each name that is kept, an app would read from the key what it reads from the query."""
    before, after = parameters(query), parameters(rule.query_in_key(query))

    for name, _ in after:
        assert [pair for pair in before if pair[0] == name] == [pair for pair in after if pair[0] == name]
    if rule.query == "sort":
        assert sorted(before) == sorted(after)


@given(RULES, QUERIES)
def test_the_form_in_the_key_is_its_own_form(rule: CacheRule, query: bytes) -> None:
    """Normalising again changes nothing."""
    once = rule.query_in_key(query)

    assert once == rule.query_in_key(once)


@given(QUERIES, QUERIES)
def test_sorting_joins_no_two_queries_that_differ_within_a_name(one: bytes, other: bytes) -> None:
    """Two queries share a key only if they are the same parameters, and in one order by name."""
    rule = CacheRule("/", query="sort")

    if rule.query_in_key(one) == rule.query_in_key(other):
        assert sorted(parameters(one)) == sorted(parameters(other))
        for name in dict(parameters(one)):
            assert [v for n, v in parameters(one) if n == name] == [v for n, v in parameters(other) if n == name]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h/plan?b=2&a=1", "http://h/plan?a=1&b=2"),
        ("http://h/%70lan?b=2&a=1", "http://h/%70lan?a=1&b=2"),
        ("http://h/plan", "http://h/plan"),
        ("http://h/none?x=1&y=2", "http://h/none"),
        ("http://h/other?b=2&a=1", "http://h/other?b=2&a=1"),
        ("http://h/plan?ü=2&a=1", "http://h/plan?a=1&ü=2"),
        ("/plan?b=2&a=1", "/plan?a=1&b=2"),
    ],
)
def test_a_url_has_the_query_of_its_key(url: str, expected: str) -> None:
    """The first rule that matches a GET says how; no rule leaves the URL as it is."""
    rules = [
        CacheRule("/plan", methods=["POST"], body_in_key=True, query="ignore"),
        CacheRule("/plan", query="sort"),
        CacheRule("/none", query="ignore"),
        CacheRule("/{rest:path}", methods=["QUERY"], body_in_key=True, query="ignore"),
    ]

    assert expected == url_in_key(url, rules)
