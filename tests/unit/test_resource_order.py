"""Which resource starts before which, what the app cannot do without, and how long each may take to stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync import Backoff, Resource, RuleError
from asgi_resync.resources.order import in_order, required, stop_times


def optional(name: str, *needs: str) -> Resource:
    return Resource(name, depends_on=needs, critical=False)


@st.composite
def houses(draw: st.DrawFn) -> list[Resource]:
    """Any resources without a circle, in any order."""
    count = draw(st.integers(0, 8))
    made = []
    for number in range(count):
        needs = draw(st.lists(st.integers(0, number - 1), unique=True)) if number else []
        made.append(Resource(f"r{number}", depends_on=[f"r{other}" for other in needs], critical=draw(st.booleans())))
    return draw(st.permutations(made))


@given(houses())
def test_each_comes_after_what_it_needs(resources: list[Resource]) -> None:
    """Whatever the order they were given in."""
    names = [resource.name for resource in in_order(resources)]

    assert sorted(names) == sorted(resource.name for resource in resources)
    for resource in resources:
        assert all(names.index(needed) < names.index(resource.name) for needed in resource.depends_on)


@given(houses())
def test_what_a_critical_one_needs_is_required(resources: list[Resource]) -> None:
    """However far below it, and nothing else is."""
    by_name = {resource.name: resource for resource in resources}
    needed = {resource.name for resource in resources if resource.critical}
    while more := {name for one in needed for name in by_name[one].depends_on} - needed:
        needed |= more

    assert needed == required(in_order(resources))


@given(houses(), st.floats(0.1, 100))
def test_everything_has_some_time_to_stop(resources: list[Resource], seconds: float) -> None:
    """However long those above take: nothing is stopped before what needs it is stopped or given up."""
    ordered = in_order(resources)
    times = stop_times(ordered, seconds)

    for resource in ordered:
        begin, done = times[resource.name]
        assert 0 <= begin < done <= seconds * 1.000001
        assert all(done <= times[needed][0] for needed in resource.depends_on)


def test_what_stands_alone_has_all_the_time() -> None:
    """A long chain takes nothing from its neighbours."""
    ordered = in_order([optional("a"), optional("b", "a"), optional("c", "b"), optional("alone")])

    assert {"a": (6, 9), "b": (3, 6), "c": (0, 3), "alone": (0, 9)} == stop_times(ordered, 9)


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ([optional("a", "b"), optional("b", "c"), optional("c", "a")], "each of these waits for the next"),
        ([optional("a", "a")], "a → a"),
        ([optional("graph", "databse"), optional("database")], "did you mean 'database'"),
        ([optional("graph", "x")], "add Resource('x') to resources"),
        ([optional("a"), optional("a")], "it is there twice"),
        (["a"], "give a list of Resource"),
    ],
)
def test_what_cannot_be_ordered_is_refused(resources: list[Resource], words: str) -> None:
    """By name, when it is made and not when the app starts."""
    with pytest.raises(RuleError, match=words.replace("(", r"\(").replace(")", r"\)")):
        in_order(resources)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": ""}, "such as 'database'"),
        ({"name": "a b"}, "such as 'database'"),
        ({"name": "a", "start": print()}, None),
        ({"name": "a", "start": "open"}, "hand over the function"),
        ({"name": "a", "depends_on": "database"}, "give a list of names"),
        ({"name": "a", "timeout": 0}, "give seconds above 0"),
        ({"name": "a", "timeout": True}, "give seconds above 0"),
        ({"name": "a", "retry": 3}, "give Backoff"),
    ],
)
def test_a_resource_that_cannot_work_is_refused(arguments: dict[str, object], words: str | None) -> None:
    """With what to write instead."""
    if words is None:
        Resource(**arguments)  # type: ignore[arg-type]  # any arguments
        return
    with pytest.raises(RuleError, match=words):
        Resource(**arguments)  # type: ignore[arg-type]  # any arguments


def test_a_backoff_that_cannot_work_is_refused() -> None:
    """Its cap is no less than its beginning."""
    with pytest.raises(RuleError, match="at least as much as first"):
        Backoff(first=2, most=1)
    with pytest.raises(RuleError, match="first=0"):
        Backoff(first=0)
