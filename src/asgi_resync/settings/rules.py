"""Rules of the cache as a setting: a list of objects with the arguments of CacheRule, in JSON. Pure."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..cache.rules import CacheRule
from ..errors import RuleError
from .values import parse_duration, parse_size, show_duration, show_size

MOST = 1000
"""Rules in one setting. Each is tried for each new path."""

EXPECTED = """a list of objects with arguments of CacheRule, such as [{"pattern": "/plan/{name}", "ttl": "10s"}]"""
_LONGEST_SHOWN = 100

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong `at` a place in the list, such as `[0].ttl`: its value, and what would be right."""

    at: str
    value: str
    expected: str


class WrongRules(ValueError):
    """A list of rules that cannot be used; `wrongs` is everything that is wrong with it."""

    def __init__(self, wrongs: list[Wrong]) -> None:
        self.wrongs = tuple(wrongs)
        super().__init__("; ".join(f"{wrong.at}={wrong.value}: {wrong.expected}" for wrong in wrongs))


def parse_rules(text: str) -> tuple[CacheRule, ...]:
    """Return the rules that *text* lists. Raises WrongRules with all that is wrong."""
    try:
        parsed: object = json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise WrongRules([Wrong("", _shown(text), "it is nested too deep")]) from None
    except ValueError as error:
        raise WrongRules([Wrong("", _shown(text), f"expected {EXPECTED}; {error}")]) from None
    if not isinstance(parsed, list):
        raise WrongRules([Wrong("", _shown(text), f"expected {EXPECTED}")])
    if len(parsed) > MOST:
        raise WrongRules([Wrong("", f"{len(parsed)} rules", f"expected {MOST} at most")])
    rules: list[CacheRule] = []
    wrongs: list[Wrong] = []
    for number, item in enumerate(parsed):
        try:
            rules.append(_rule(item))
        except _WrongArguments as error:
            wrongs += (
                Wrong(f"[{number}].{wrong.at}" if wrong.at else f"[{number}]", wrong.value, wrong.expected)
                for wrong in error.wrongs
            )
    if wrongs:
        raise WrongRules(wrongs)
    return tuple(rules)


def show_rules(rules: tuple[CacheRule, ...]) -> str:
    """Return *rules* as `parse_rules` reads them; empty for none."""
    return json.dumps([_arguments(rule) for rule in rules]) if rules else ""


class _WrongArguments(WrongRules):
    pass


def _rule(item: object) -> CacheRule:
    if not isinstance(item, Mapping):
        raise _WrongArguments([Wrong("", _shown(item), f"expected an object, as in {EXPECTED}")])
    arguments: dict[str, object] = {}
    wrongs: list[Wrong] = []
    for name, value in item.items():
        reader = _READERS.get(name)
        if reader is None:
            near = difflib.get_close_matches(name, _READERS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(_READERS)}"
            wrongs.append(Wrong(name, _shown(value), f"CacheRule has no such argument; {hint}"))
        elif value is not None:
            try:
                arguments[name] = reader.read(value)
            except ValueError:
                wrongs.append(Wrong(name, _shown(value), f"expected {reader.expected}"))
    if item.get("pattern") is None:
        wrongs.append(Wrong("pattern", "", "expected a path such as /plan/{name}: a rule needs one"))
    if wrongs:
        raise _WrongArguments(wrongs)
    try:
        return CacheRule(**arguments)  # type: ignore[arg-type]  # each has been read as what it is
    except RuleError as error:
        raise _WrongArguments([Wrong(error.argument, _shown(error.value), error.remedy)]) from None


def _arguments(rule: CacheRule) -> dict[str, object]:
    """Return the arguments that make *rule*, the pattern first, and no defaults."""
    found: dict[str, object] = {"pattern": rule.pattern}
    for field in dataclasses.fields(CacheRule):
        value = getattr(rule, field.name)
        if field.init and field.name != "pattern" and value != field.default:
            found[field.name] = _READERS[field.name].show(value)
    return found


def _seconds(value: object) -> float:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError("no duration")
    return float(value)


def _bytes(value: object) -> int:
    if isinstance(value, str):
        return parse_size(value)
    return _kind(int)(value)


def _kind(kind: type[_T]) -> Callable[[object], _T]:
    def read(value: object) -> _T:
        if type(value) is not kind:
            raise ValueError(f"no {kind.__name__}")
        return value

    return read


def _list_of(kind: type[_T]) -> Callable[[object], tuple[_T, ...]]:
    read_one = _kind(kind)

    def read(value: object) -> tuple[_T, ...]:
        return tuple(map(read_one, _kind(list)(value)))

    return read


@dataclass(frozen=True, slots=True)
class _Reader:
    """How one argument is read and shown, and what is expected of it."""

    read: Callable[[object], object]
    expected: str
    show: Callable[..., object] = lambda value: list(value) if isinstance(value, tuple) else value


_DURATION = _Reader(_seconds, "a duration, such as 10, 500ms, 30s or 5m", show_duration)
_TEXT = _Reader(_kind(str), "a text")
_TEXTS = _Reader(_list_of(str), "a list of texts")
_FLAG = _Reader(_kind(bool), "true or false")
_READERS = {
    "pattern": _TEXT,
    "ttl": _DURATION,
    "stale_while_revalidate": _DURATION,
    "stale_if_error": _DURATION,
    "statuses": _Reader(_list_of(int), "a list of statuses, such as [200, 404]"),
    "vary": _TEXTS,
    "tags": _TEXTS,
    "upstreams": _TEXTS,
    "etag": _FLAG,
    "revalidate": _FLAG,
    "set_cookie": _TEXT,
    "methods": _TEXTS,
    "query": _TEXT,
    "query_allow": _TEXTS,
    "query_drop": _TEXTS,
    "body_in_key": _FLAG,
    "max_key_body": _Reader(_bytes, "a size, such as 65536 or 64KiB", show_size),
}
"""By argument of CacheRule, in its order but for the pattern."""


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return *pairs* as an object. Raises ValueError for a name that is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice; say it once")
    return found


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
