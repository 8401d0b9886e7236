"""One setting: its name, syntax, bounds and documentation, read off the annotation of a field in `model.py`.

It knows a value's rules but no value's origin; the environment is read elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import get_args

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo

from ..cache.rules import CacheRule
from ..errors import SettingProblem, SettingsError
from .rules import EXPECTED, WrongRules, parse_rules, show_rules
from .values import MASK, Kind, Value, check_url, mask_url, parse, show

PLACEHOLDER = "<NAME>"
"""Stands for an upstream's name, in capitals, in the names of the upstreams' variables."""

_LONGEST_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What `msgspec.Meta` has no place for: the way a setting is written, and what else it is called."""

    kind: Kind
    expected: str = ""
    aliases: tuple[str, ...] = ()
    is_secret: bool = False


def setting(
    kind: Kind,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    pattern: str | None = None,
    expected: str = "",
    aliases: Sequence[str] = (),
    secret: bool = False,
) -> Meta:
    """The annotation of a field that is a setting; *low* and *high* are inclusive, in seconds or bytes.

    *expected* says what would be right where *kind* and the bounds do not say it.
    """
    facts = Facts(kind=kind, expected=expected, aliases=tuple(aliases), is_secret=secret)
    extra = {"setting": facts}
    if pattern is not None:
        return Meta(pattern=pattern, description=description, extra=extra)
    return Meta(ge=low, le=high, description=description, extra=extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A setting as the environment knows it."""

    name: str
    field: str
    type: object
    default: Value
    meta: Meta
    facts: Facts

    def named(self, upstream: str) -> Variable:
        """The variable of one upstream; *upstream* is its name in lower case."""
        return replace(self, name=self.name.replace(PLACEHOLDER, upstream.upper()))

    def parse(self, text: str) -> Value:
        """The value that *text* means, within bounds, else ValueError."""
        if self.facts.kind == "rules":
            return parse_rules(text)
        return self.check(parse(self.facts.kind, text))

    def check(self, value: object) -> Value:
        """*value* as the model wants it, else ValueError."""
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("not finite")
        if self.choices and value is not None and value not in self.choices:
            raise ValueError("no choice")
        if self.facts.kind == "rules":
            return _rules(value)
        try:
            checked: Value = msgspec.convert(value, self.type)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        if self.facts.kind == "url" and isinstance(checked, str):
            check_url(checked)
        return checked

    def show(self, value: Value) -> str:
        """*value* in human units, secrets masked; empty for what is not set."""
        if self.facts.is_secret:
            return ", ".join([MASK] * len(value)) if isinstance(value, tuple) else MASK
        if self.facts.kind == "url" and isinstance(value, str):
            return mask_url(value)
        return show_rules(_rules(value)) if self.facts.kind == "rules" else show(self.facts.kind, value)

    def problems(self, name: str, suffix: str, text: str, error: ValueError) -> list[SettingProblem]:
        """That *text*, set under *name* in what *suffix* says, cannot be used, as *error* says."""
        if isinstance(error, WrongRules):
            return [SettingProblem(f"{name}{wrong.at}{suffix}", wrong.value, wrong.expected) for wrong in error.wrongs]
        return [self.problem(f"{name}{suffix}", text)]

    def problem(self, name: str, text: str) -> SettingProblem:
        """That *text*, set under *name*, cannot be used."""
        if self.facts.is_secret:
            text = MASK
        elif self.facts.kind == "url":
            text = mask_url(text)
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
        return SettingProblem(name, shown, f"expected {self.expected}")

    @property
    def choices(self) -> tuple[str, ...]:
        """What a `choice` may be; empty for every other kind."""
        return _choices(self.type) if self.facts.kind == "choice" else ()

    @property
    def expected(self) -> str:
        """What would be right, as the end of a sentence."""
        kind, low, high = self.facts.kind, self.meta.ge, self.meta.le
        bounds = "" if low is None or high is None else f" from {show(kind, low)} to {show(kind, high)}"
        match kind:
            case "count":
                return f"a whole number{bounds}"
            case "duration":
                return f"a duration{bounds}, such as 500ms, 30s, 5m or 2h"
            case "size":
                return f"a size{bounds}, such as 65536, 64KiB or 64MB"
            case "share":
                return f"a number{bounds}"
            case "flag":
                return "true or false (or 1/0, yes/no, on/off)"
            case "choice":
                return " or ".join(self.choices)
            case "rules":
                return EXPECTED
        return self.facts.expected


def _rules(value: object) -> tuple[CacheRule, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("no list of rules")
    rules = tuple(value)
    if not all(isinstance(rule, CacheRule) for rule in rules):
        raise ValueError("no rules")
    return rules


@cache
def variables_of(struct: type[Struct], prefix: str = "") -> tuple[Variable, ...]:
    """The settings among the fields of *struct*, in their order; each name is *prefix* and the field's in capitals."""
    found = []
    for field in msgspec.structs.fields(struct):
        meta = _meta(field.type)
        if meta is not None and meta.extra is not None:
            found.append(_variable(field, meta, meta.extra["setting"], prefix))
    return tuple(found)


def _variable(field: FieldInfo, meta: Meta, facts: Facts, prefix: str) -> Variable:
    return Variable(
        name=prefix + field.name.upper(),
        field=field.name,
        type=field.type,
        default=field.default,
        meta=meta,
        facts=facts,
    )


def _meta(annotation: object) -> Meta | None:
    """The Meta of `Annotated[X, Meta]` or of `Annotated[X, Meta] | None`."""
    for part in get_args(annotation):
        if isinstance(part, Meta):
            return part
        inner = get_args(part)
        if inner and isinstance(inner[-1], Meta):
            return inner[-1]
    return None


def _choices(annotation: object) -> tuple[str, ...]:
    """The strings of the Literal inside *annotation*."""
    if isinstance(annotation, str):
        return (annotation,)
    return tuple(choice for part in get_args(annotation) for choice in _choices(part))


class Room(Struct, frozen=True, kw_only=True):
    """The base of the settings: checks its fields when made, and hides its secrets when printed."""

    def __post_init__(self) -> None:
        problems = []
        for variable in variables_of(type(self)):
            value = getattr(self, variable.field)
            try:
                msgspec.structs.force_setattr(self, variable.field, variable.check(value))
            except ValueError:
                problems.append(variable.problem(f"{type(self).__name__}.{variable.field}", str(value)))
        if problems:
            raise SettingsError(problems)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={shown}' for name, shown in self._shown())})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """As `repr`: msgspec's own would hand rich the secrets."""
        return self._shown()

    def _shown(self) -> list[tuple[str, str]]:
        variables = {variable.field: variable for variable in variables_of(type(self))}
        pairs = []
        for name in self.__struct_fields__:
            value, variable = getattr(self, name), variables.get(name)
            hides = variable is not None and value and (variable.facts.is_secret or variable.facts.kind == "url")
            pairs.append((name, variable.show(value) if variable is not None and hides else repr(value)))
        return pairs
