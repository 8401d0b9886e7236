"""What a newcomer gets wrong is refused at once, and what a first answer must say is said."""

from __future__ import annotations

import inspect
import logging
from typing import Any

import pytest
from tests.unit.caching import cached

from asgi_resync import CacheMiddleware, CacheRule, Resync, RuleError, Settings, cache_for
from asgi_resync.events import Event
from asgi_resync.testing import Reply, ScriptedApp


async def listener(event: Event) -> None:
    """Listen in a way that cannot work."""


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda: CacheMiddleware(ScriptedApp(), cache=Resync()), "resync.cache"),  # type: ignore[arg-type]
        (lambda: Resync()(None), "ASGI app"),  # type: ignore[arg-type]
        (lambda: Resync(on_event=3), "not async"),  # type: ignore[arg-type]
        (lambda: Resync(on_event=listener), "not async"),  # type: ignore[arg-type]
        (lambda: Resync(rules=CacheRule("/plan")), "give a list"),  # type: ignore[arg-type]
        (lambda: CacheRule("/plan/*", ttl=1), "{rest:path}"),
        (lambda: CacheRule("/plan/{a", ttl=1), "{rest:path}"),
        (lambda: cache_for(lambda: None), "with parentheses"),  # type: ignore[arg-type]
    ],
    ids=["cache", "app", "number", "async listener", "one rule", "star", "brace", "no parentheses"],
)
def test_misuse_is_refused_where_it_happens(make: Any, remedy: str) -> None:
    """Each error says what to write instead."""
    with pytest.raises(RuleError, match=remedy.replace("{", r"\{")):
        make()


@pytest.mark.parametrize("function", [Resync.from_env, Settings.from_env], ids=["resync", "settings"])
def test_help_shows_no_environment(function: Any) -> None:
    """A signature with the environment as default would print its secrets."""
    assert "environ({" not in str(inspect.signature(function))


async def test_a_rules_vary_is_in_the_first_answer_too() -> None:
    """Caches further down tell apart what the rule tells apart, from the first answer on."""
    site = cached(ScriptedApp(Reply(headers={"cache-control": "max-age=9"})), CacheRule("/", vary=["X"]))

    answers = [await site.get() for _ in range(2)]

    assert [[b"x"], [b"x"]] == [[value for name, value in answer.headers if name == b"vary"] for answer in answers]


async def test_a_precondition_of_the_origin_is_evaluated_on_what_the_app_gives_and_not_on_what_is_stored() -> None:
    """Under a rule the app does not see the conditions. What is stored may not be the latest (RFC 9111 §4.3.2)."""
    site = cached(ScriptedApp(Reply(headers={"etag": '"a"'})), CacheRule("/", ttl=9))

    answers = [await site.get(headers={"if-match": '"b"'}) for _ in range(2)]

    assert [412, 200] == [answer.status for answer in answers]


async def test_what_the_app_raised_is_logged_where_a_stale_answer_hides_it(caplog: pytest.LogCaptureFixture) -> None:
    """The server does not see the exception, so its traceback is ours to tell."""
    site = cached(
        ScriptedApp(Reply(), Reply(body=None, error=RuntimeError("boom"))), CacheRule("/", ttl=1, stale_if_error=60)
    )
    await site.get()
    site.clock.advance(2)
    with caplog.at_level(logging.ERROR, "asgi_resync"):
        answer = await site.get()

    assert 200 == answer.status
    assert ["boom"] == [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
