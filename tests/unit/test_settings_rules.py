"""Rules of the cache as a setting: read strictly, with all that is wrong said at once, and shown as they are read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync import CacheRule, Resync
from asgi_resync.errors import RuleError, SettingsError
from asgi_resync.settings import CacheSettings, Settings, load
from asgi_resync.settings.rules import _READERS, WrongRules, parse_rules, show_rules

RULES = "RESYNC_CACHE_RULES"


def test_every_argument_of_a_rule_can_be_set() -> None:
    """In JSON, with durations and sizes as everywhere in the settings."""
    text = json.dumps(
        [
            {
                "pattern": "/plan/{name}",
                "ttl": "1m",
                "stale_while_revalidate": 5,
                "stale_if_error": "500ms",
                "statuses": [200, 404],
                "vary": ["accept-language"],
                "tags": ["plan"],
                "upstreams": ["tws"],
                "etag": False,
                "revalidate": False,
                "set_cookie": "strip",
                "methods": ["GET", "POST"],
                "query": "sort",
                "body_in_key": True,
                "max_key_body": "1KiB",
            },
            {"pattern": "/all", "query_allow": ["page"], "ttl": None},
            {"pattern": "/some", "query_drop": ["utm_*"]},
        ]
    )

    assert parse_rules(text) == (
        CacheRule(
            "/plan/{name}",
            ttl=60,
            stale_while_revalidate=5,
            stale_if_error=0.5,
            statuses=[200, 404],
            vary=["accept-language"],
            tags=["plan"],
            upstreams=["tws"],
            etag=False,
            revalidate=False,
            set_cookie="strip",
            methods=["GET", "POST"],
            query="sort",
            body_in_key=True,
            max_key_body=1024,
        ),
        CacheRule("/all", query_allow=["page"]),
        CacheRule("/some", query_drop=["utm_*"]),
    )


@given(
    st.lists(
        st.builds(
            CacheRule,
            st.sampled_from(["/", "/a/{b}", "/c/{d:path}", "/é"]),
            ttl=st.none() | st.decimals(0, 10**6, places=4).map(float),
            stale_if_error=st.none() | st.integers(0, 10**6),
            statuses=st.lists(st.sampled_from([200, 301, 404]), max_size=3),
            tags=st.lists(st.text("aé\x7f\\\"' ,", min_size=1).filter(str.strip), max_size=3),
            etag=st.none() | st.booleans(),
            query=st.sampled_from(["keep", "sort", "ignore"]),
            max_key_body=st.integers(0, 2**40),
        ),
        max_size=4,
    )
)
def test_what_is_shown_is_read_as_the_same(rules: list[CacheRule]) -> None:
    """`asgi-resync settings` prints what can be pasted back."""
    shown = show_rules(tuple(rules))

    assert (parse_rules(shown) if shown else ()) == tuple(rules)


@pytest.mark.parametrize(
    ("item", "at", "expected"),
    [
        ("/plan", "", "expected an object"),
        ({"ttl": 1}, ".pattern", "a rule needs one"),
        ({"pattern": "plan"}, ".pattern", "starts with '/'"),
        ({"pattern": 7}, ".pattern", "expected a text"),
        ({"pattern": "/", "tll": 1}, ".tll", "did you mean ttl?"),
        ({"pattern": "/", "matcher": 1}, ".matcher", "no such argument"),
        ({"pattern": "/", "ttl": "soon"}, ".ttl", "expected a duration"),
        ({"pattern": "/", "ttl": True}, ".ttl", "expected a duration"),
        ({"pattern": "/", "ttl": -1}, ".ttl", "expected a duration"),
        ({"pattern": "/", "statuses": 200}, ".statuses", "expected a list of statuses"),
        ({"pattern": "/", "statuses": [True]}, ".statuses", "expected a list of statuses"),
        ({"pattern": "/", "statuses": [304]}, ".statuses", "other than"),
        ({"pattern": "/", "tags": "plan"}, ".tags", "expected a list of texts"),
        ({"pattern": "/", "etag": "yes"}, ".etag", "expected true or false"),
        ({"pattern": "/", "methods": ["POST"]}, ".methods", "body_in_key"),
        ({"pattern": "/", "max_key_body": "1M"}, ".max_key_body", "expected a size"),
        ({"pattern": "/", "max_key_body": True}, ".max_key_body", "expected a size"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(item: object, at: str, expected: str) -> None:
    """The second rule of two is wrong, and is the one that the error names."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({RULES: json.dumps([{"pattern": "/good"}, item])})

    (problem,) = caught.value.problems
    assert problem.name == f"{RULES}[1]{at}"
    assert expected in problem.expected


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Of one rule and of several, beside other settings."""
    rules = [{"ttl": "soon", "tags": 1}, {"pattern": "/", "query": "drop"}]
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({RULES: json.dumps(rules), "RESYNC_CACHE_KEEP": "long"})

    assert {problem.name for problem in caught.value.problems} == {
        f"{RULES}[0].ttl",
        f"{RULES}[0].tags",
        f"{RULES}[0].pattern",
        f"{RULES}[1].query",
        "RESYNC_CACHE_KEEP",
    }


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[",
        "plan",
        "1",
        "[" * 100_000,
        '[{"pattern": "/", "pattern": "/a"}]',
        json.dumps([{"pattern": "/"}] * 1001),
    ],
)
def test_what_is_no_list_of_rules_is_refused_whole(text: str) -> None:
    """One problem, with a value that is no longer than a line."""
    with pytest.raises(WrongRules) as caught:
        parse_rules(text)

    (wrong,) = caught.value.wrongs
    assert wrong.at == ""
    assert len(wrong.value) <= 101
    assert wrong.expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", '[cache]\nkeep = 5\n[[cache.rules]]\npattern = "/plan"\nttl = "10s"\ntags = ["a,b"]\n'),
        ("a.toml", 'cache_rules = [{pattern = "/plan", ttl = 10, tags = ["a,b"]}]'),
        ("a.toml", """RESYNC_CACHE_RULES = '[{"pattern": "/plan", "ttl": 10, "tags": ["a,b"]}]'"""),
        ("a.json", '{"cache": {"rules": [{"pattern": "/plan", "ttl": 10.0, "tags": ["a,b"]}]}}'),
    ],
)
def test_a_file_has_rules_as_tables(tmp_path: Path, name: str, text: str) -> None:
    """In every form that the file may have."""
    path = tmp_path / name
    path.write_text(text)

    found = load({"RESYNC_CONFIG_FILE": str(path)})

    assert found.settings.cache.rules == (CacheRule("/plan", ttl=10, tags=["a,b"]),)
    assert found.origins[RULES] == f"{path} {RULES}"


@pytest.mark.parametrize(
    ("name", "text", "where", "expected"),
    [
        ("a.toml", '[[cache.rules]]\npattern = "/"\nttl = 1979-05-27', RULES, "a date is none"),
        ("a.json", '{"cache_rules": [{"pattern": "/", "pattern": "/a"}]}', RULES, "'pattern' is there twice"),
        ("a.toml", '[[cache.rules]]\npattern = "/"\nttl = inf', f"{RULES}[0].ttl", "expected a duration"),
        ("a.toml", "[[cache.targeted]]\na = 1", "RESYNC_CACHE_TARGETED", "expected a text, a number"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_it(
    tmp_path: Path, name: str, text: str, where: str, expected: str
) -> None:
    """The place in the list, and the file."""
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(SettingsError) as caught:
        load({"RESYNC_CONFIG_FILE": str(path)})

    (problem,) = caught.value.problems
    assert problem.name == f"{where} in {path}"
    assert expected in problem.expected


def test_rules_of_settings_come_before_those_of_the_code() -> None:
    """An operator has the last word without a change of code."""
    ours, theirs = CacheRule("/plan", ttl=1), CacheRule("/plan", ttl=2)

    resync = Resync(Settings(cache=CacheSettings(rules=(ours,))), rules=[theirs])

    assert tuple(resync.rules) == (ours, theirs)
    assert len(resync.rules) == 2
    assert (resync.rules[0], resync.rules[1:]) == (ours, (theirs,))
    assert repr(resync.rules).startswith("CacheRuleBook([CacheRule(")


@pytest.mark.parametrize("rules", [("/plan",), "/plan", CacheRule("/plan"), 7])
def test_settings_in_code_take_rules_and_nothing_else(rules: object) -> None:
    """Said when they are made."""
    with pytest.raises(SettingsError, match=r"CacheSettings\.rules.*a list of objects"):
        CacheSettings(rules=rules)  # type: ignore[arg-type]


def test_an_upstream_that_nobody_knows_is_refused_by_name() -> None:
    """With the place where the rule stands."""
    settings = Settings.from_env({RULES: '[{"pattern": "/plan", "upstreams": ["twx"]}]'})

    with pytest.raises(
        RuleError, match=r"upstreams of /plan in RESYNC_CACHE_RULES='twx'.*did you mean 'tws'"
    ) as caught:
        Resync(settings)
    assert "set RESYNC_UPSTREAM_TWX_URL or add Upstream('twx')" in caught.value.remedy


def test_every_argument_of_a_rule_has_a_reader() -> None:
    """One that CacheRule gets later is no error at the first operator who uses it."""
    assert set(_READERS) == {field.name for field in dataclasses.fields(CacheRule) if field.init}
