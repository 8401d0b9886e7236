"""The order of resources: what starts before what, which ones the app cannot do without, how long each may stop. Pure.

1. A resource starts when all that it depends on is up. Those that do not depend on each other start side by side.
2. What a critical resource depends on is as critical.
3. Stopping goes the other way. The time that there is, is shared among the storeys of the house: what nothing depends
   on has the first share, and what stands below it begins no later than the next, so that it has some time in any case.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from ..errors import RuleError
from .resource import Resource


def in_order(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return *resources* so that each comes after all that it depends on.

    Raises RuleError for one that is there twice, that depends on what is not there, or on itself by any way.
    """
    by_name: dict[str, Resource] = {}
    for resource in resources:
        if not isinstance(resource, Resource):
            raise RuleError(
                "resources", resource, "give a list of Resource, such as [Resource('database', start=open)]"
            )
        if resource.name in by_name:
            raise RuleError("resources", resource.name, "it is there twice; give each resource a name of its own")
        by_name[resource.name] = resource
    for resource in by_name.values():
        for needed in resource.depends_on:
            if needed not in by_name:
                near = difflib.get_close_matches(needed, by_name, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"add Resource({needed!r}) to resources"
                raise RuleError(
                    "depends_on", needed, f"{resource.name} needs it, and there is none of the name; {hint}"
                )
    try:
        order = tuple(TopologicalSorter({name: one.depends_on for name, one in by_name.items()}).static_order())
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise RuleError("depends_on", circle, "each of these waits for the next; take one of these edges out") from None
    return tuple(by_name[name] for name in order)


def required(ordered: Sequence[Resource]) -> frozenset[str]:
    """Return the names of those without which the app does not start: the critical, and what they depend on."""
    names: set[str] = set()
    for resource in reversed(ordered):
        if resource.critical or resource.name in names:
            names.add(resource.name)
            names.update(resource.depends_on)
    return frozenset(names)


def storeys(ordered: Sequence[Resource]) -> Mapping[str, int]:
    """Return how many storeys stand above each: 0 for what nothing depends on."""
    above = {resource.name: 0 for resource in ordered}
    for resource in reversed(ordered):
        for needed in resource.depends_on:
            above[needed] = max(above[needed], above[resource.name] + 1)
    return above


def stop_times(ordered: Sequence[Resource], seconds: float) -> Mapping[str, tuple[float, float]]:
    """Return for each resource when its stop begins at the latest, and when it has to be over, within *seconds*.

    It begins as soon as all that depends on it has stopped, or is given up.
    """
    above = storeys(ordered)
    share = seconds / (max(above.values(), default=0) + 1)
    begin = {name: share * storey for name, storey in above.items()}
    return {
        resource.name: (begin[resource.name], min((begin[needed] for needed in resource.depends_on), default=seconds))
        for resource in ordered
    }
