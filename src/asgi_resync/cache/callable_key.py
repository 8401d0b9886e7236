"""Which kept value a call asks for: a name, and the arguments that count. Pure; it calls nothing.

Two calls share a key only if the arguments that count are equal and of the same types: each is written with its type,
so that `1`, `1.0`, `True` and `"1"` are four keys.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from string import Formatter
from typing import Any
from uuid import UUID

from ..errors import RuleError
from ..events import CacheKey

KIND = "callable"
"""Stands first in the keys of values; those of responses begin with a scheme."""

_OWNERS = ("self", "cls")


class KeyTemplate:
    """Makes keys for calls of *function*: by *template*, such as `"jobs:{status}"`, or by all arguments.

    The parameters that *template* names are those that count; without one, all do. *tags* may name parameters too. Two
    functions never share a key. Raises RuleError for a template that does not fit the function, and for a method
    without one: what tells its owners apart is not known, and they must not get each other's values.
    """

    __slots__ = ("_function", "_name", "_named", "_signature", "_tags")

    def __init__(self, function: Callable[..., object], template: str | None, tags: Sequence[str]) -> None:
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters
        qualified = f"{function.__module__}.{function.__qualname__}"
        self._function = qualified
        self._name = qualified if template is None else template
        if template is None:
            self._named = tuple(parameters)
            if self._named and self._named[0] in _OWNERS:
                remedy = f"{qualified} is a method: name the arguments that count, such as 'jobs:{{status}}'"
                raise RuleError("key", template, remedy)
        else:
            self._named = _named_in(template, "key", parameters, qualified)
        for tag in tags:
            _named_in(tag, "tags", parameters, qualified)
        self._tags = tuple(tags)

    @property
    def name(self) -> str:
        """The template, or the function's name."""
        return self._name

    def of(self, args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[CacheKey, tuple[str, ...]]:
        """Return the key of a call and its tags. Raises TypeError where the call does not fit the function.

        Raises RuleError for an argument that has no stable text, such as an object of a class of one's own.
        """
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given: dict[str, Any] = bound.arguments
        parts = tuple((name, _stable(given[name], name)) for name in self._named)
        return (KIND, self._name, self._function, *parts), tuple(
            tag.format(**given) if "{" in tag else tag for tag in self._tags
        )


def _named_in(template: str, argument: str, parameters: Collection[str], function: str) -> tuple[str, ...]:
    try:
        fields = [field for _, field, _, _ in Formatter().parse(template) if field is not None]
    except ValueError as error:
        raise RuleError(argument, template, f"it is no template: {error}") from error
    for field in fields:
        if field not in parameters:
            names = ", ".join(parameters) or "none"
            raise RuleError(argument, template, f"{function} has no parameter {field!r}; it has {names}")
    return tuple(dict.fromkeys(fields))


def _stable(value: object, name: str) -> object:
    """Return *value* as a part of a key. Raises RuleError if nothing stands for it in every process."""
    if value is None or isinstance(value, Enum):
        # Its value too: bits of a flag that have no name of their own are all called None.
        return (
            None if value is None else (type(value).__module__, type(value).__qualname__, value.name, repr(value.value))
        )
    if type(value) is int and not -(2**63) <= value < 2**64:
        return ("int", hex(value))  # More than a key holds as a number.
    if type(value) in (bool, int, float, str, bytes):
        return (type(value).__name__, repr(value) if isinstance(value, float) else value)
    if isinstance(value, (UUID, Decimal, date, datetime, time)):
        return (type(value).__name__, repr(value))  # Which has the fold and the zone that texts leave out.
    if type(value) in (tuple, list):
        assert isinstance(value, (tuple, list))
        return (type(value).__name__, *(_stable(part, name) for part in value))
    remedy = "it has no text that is the same everywhere; name the arguments that count, such as 'jobs:{status}'"
    raise RuleError(name, value, remedy)
