"""The same small API in eight frameworks, asked for caching in four ways, behaves the same under a real server."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.frameworks.forms import FORMS, Form
from tests.frameworks.promises import HIT, PROMISES, once
from tests.frameworks.site import Site


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: str(promise.__name__))
def test_a_promise_is_kept(promise: Callable[[Site], None], site: Site) -> None:
    """Each holds for each framework in each form."""
    promise(site)


@pytest.mark.parametrize("form", FORMS)
def test_hits_are_the_same_bytes_in_every_framework(form: Form, sites: Callable[[Form], dict[str, Site]]) -> None:
    """But for dates, all frameworks serve a hit with the same lines and the same body, byte for byte."""
    target = once("/items/2")
    apps = sites(form).values()
    for app in apps:
        app.ask(target)
    hits = [app.ask(target) for app in apps]

    assert all(re.fullmatch(HIT, hit.values("cache-status")[0]) for hit in hits)
    first, *others = hits
    for other in others:
        # In which order lines of different names stand is the framework's choice, and says nothing (RFC 9110 §5.3).
        assert sorted(first.without("date")) == sorted(other.without("date"))
        assert first.rest == other.rest
