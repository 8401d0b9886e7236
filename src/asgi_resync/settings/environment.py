"""Reading the settings: layer over layer, the first that says something wins, and all problems come at once.

environment > further layers, such as a config file > profile > defaults

Pure but for the mapping it is handed. It opens no file: `load` reads one and hands it over as a `Layer`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from ..cache.memory import FEWEST, HEADROOM, shard_count
from ..errors import SettingProblem, SettingsError
from .cache import CacheSettings
from .model import (
    CACHE,
    REDIS_ROOM,
    TOP,
    RedisSettings,
    Settings,
    variables_of_upstream,
)
from .names import Given, Names, read_names, unknown_problem
from .profiles import PROFILES
from .upstream import REDIS, UpstreamSettings, unset_upstream
from .values import Value, parse_flag, show_size
from .variable import Room, Variable

ENVIRONMENT = "environment"
DEFAULT = "default"
_PROFILE = "profile "

_RoomT = TypeVar("_RoomT", bound=Room)
_REDIS_URL = REDIS_ROOM[0].name


@dataclass(frozen=True, slots=True)
class Layer:
    """Texts by variable (`{"RESYNC_CACHE_L2_TTL": "5m"}`) and where they come from (`resync.toml`)."""

    source: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Settings, where each of them came from, by variable, and what an operator may want to know about that."""

    settings: Settings
    origins: Mapping[str, str]
    notes: tuple[str, ...]


def resolve(environ: Mapping[str, str] | None = None, *, layers: Sequence[Layer] = ()) -> Resolution:
    """The settings that *environ*, then *layers*, then the profile they name, then the defaults make.

    *environ* is by default the process's own.
    Raises SettingsError, which lists every problem of all of them. Does no I/O.
    """
    reader = _Reader()
    reader.add(ENVIRONMENT, read_names(os.environ if environ is None else environ, aliases=True))
    for layer in layers:
        reader.add(layer.source, read_names(layer.values, aliases=False))
    reader.add_profile()
    top = reader.room(Settings(), TOP)
    cache = reader.room(CacheSettings(), CACHE)
    redis = reader.redis()
    names = {name for _, layer in reader.layers for name in layer.upstreams}
    upstreams = {name: reader.upstream(name) for name in (REDIS, *sorted(names - {REDIS}))}
    if reader.problems:
        raise SettingsError(reader.problems)
    largest = cache.max_body + HEADROOM
    if cache.l1_max_bytes < largest:
        reader.notes.append(
            f"RESYNC_CACHE_MAX_BODY is {show_size(cache.max_body)}, and L1 has {show_size(cache.l1_max_bytes)} "
            "(RESYNC_CACHE_L1_MAX_BYTES): bodies for which it has no room are kept "
            + ("in L2 alone" if redis.url else "nowhere, as there is no L2 (RESYNC_REDIS_URL)")
        )
    shards = shard_count(cache.num_shards, cache.l1_max_entries, cache.l1_max_bytes, largest)
    if shards < cache.num_shards:
        reader.notes.append(
            f"RESYNC_CACHE_NUM_SHARDS is {cache.num_shards}, and L1 gets {shards}: each has room for "
            f"{FEWEST} responses, and for one of RESYNC_CACHE_MAX_BODY ({show_size(cache.max_body)})"
        )
    settings = msgspec.structs.replace(top, cache=cache, redis=redis, upstreams=upstreams)
    return Resolution(settings=settings, origins=reader.origins, notes=tuple(reader.notes))


@dataclass(slots=True)
class _Reader:
    """One reading of all layers; collects what it finds wrong or notable on the way."""

    layers: list[tuple[str, Names]] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[SettingProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, source: str, names: Names) -> None:
        """One more layer, below those there are."""
        self.layers.append((source, names))
        self.notes += names.notes
        self.problems += (unknown_problem(name, _suffix(source)) for name in names.unknown)

    def add_profile(self) -> None:
        """The texts of the profile in force, as the lowest layer. Which one it is, is a setting like any other."""
        variable = TOP[0]
        found = self._first(variable)
        if found is None:
            return
        _, given = found
        name = given.text.lower()
        if name in PROFILES:
            self.layers.append((f"{_PROFILE}{name}", read_names(PROFILES[name], aliases=False)))
        elif given.is_alias:
            # APP_ENV is the application's, and it may know more stages than there are profiles.
            self.notes.append(f"{given.name}={given.text!r} is no profile of asgi-resync, so it sets nothing")
            del self.layers[0][1].givens[variable.name]
            self.add_profile()

    def room(self, base: _RoomT, variables: Sequence[Variable]) -> _RoomT:
        """*base* with what the layers give for *variables*; *base* itself if that cannot be used."""
        before = len(self.problems)
        values = {variable.field: self._value(variable, base) for variable in variables}
        if len(self.problems) > before:
            return base
        try:
            return msgspec.structs.replace(base, **values)
        except SettingsError as error:  # each value is right, but not together
            for problem in error.problems:
                name, expected = problem.name, problem.expected
                for variable in variables:
                    in_model, set_as = f"{type(base).__name__}.{variable.field}", self._called(variable)
                    name, expected = name.replace(in_model, set_as), expected.replace(in_model, set_as)
                self.problems.append(SettingProblem(name, problem.value, expected))
            return base

    def redis(self) -> RedisSettings:
        """The settings of L2, which the original's switches turn off whatever the URL says."""
        switches = [switch for _, layer in self.layers for switch in layer.switches if self._is_on(switch)]
        if switches:
            ignored = [layer.givens.pop(_REDIS_URL, None) for _, layer in self.layers]
            self.notes.append(f"{switches[0].name} is set: no L2{', its URL is ignored' if any(ignored) else ''}")
        room = self.room(RedisSettings(), REDIS_ROOM)
        if switches:
            self.origins[_REDIS_URL] = _origin(ENVIRONMENT, switches[0])
        return room

    def upstream(self, name: str) -> UpstreamSettings:
        """The settings of one upstream."""
        variables = variables_of_upstream(name)
        given = frozenset(variable.field for variable in variables if self._first(variable) is not None)
        room = self.room(msgspec.structs.replace(unset_upstream(name), given=given), variables)
        called = {variable.field: self._called(variable) for variable in variables}
        if "max_waiting" in given and "max_calls" not in given:
            self.notes.append(
                f"{called['max_waiting']} is set and {called['max_calls'].removesuffix(f' ({DEFAULT})')} is not: "
                f"calls of {name} wait only where the code gives it a bulkhead"
            )
        if not room.verify:
            self.notes.append(
                f"{called['verify']} is off: whoever is between here and {name} can read and change what is sent"
            )
        return room

    def _value(self, variable: Variable, base: Room) -> Value:
        found = self._first(variable)
        if found is None:
            self.origins[variable.name] = DEFAULT
            default: Value = getattr(base, variable.field)
            return default
        source, given = found
        self.origins[variable.name] = _origin(source, given)
        try:
            return variable.parse(given.text)
        except ValueError as error:
            self.problems += variable.problems(given.name, _suffix(source), given.text, error)
            return None

    def _first(self, variable: Variable) -> tuple[str, Given] | None:
        """The topmost given for *variable*; notes, once, an alias that says otherwise."""
        for source, layer in self.layers:
            givens = layer.givens.get(variable.name)
            if givens:
                best, *others = givens
                for other in others if best.is_alias else ():
                    note = f"{best.name} and {other.name} differ; {best.name} is used"
                    if note not in self.notes and _meaning(variable, best) != _meaning(variable, other):
                        self.notes.append(note)
                return source, best
        return None

    def _called(self, variable: Variable) -> str:
        """The name under which *variable* was set."""
        found = self._first(variable)
        return f"{variable.name} ({DEFAULT})" if found is None else f"{found[1].name}{_suffix(found[0])}"

    def _is_on(self, switch: Given) -> bool:
        try:
            return parse_flag(switch.text)
        except ValueError:
            self.problems.append(SettingProblem(switch.name, switch.text, "expected true or false"))
            return False


def _origin(source: str, given: Given) -> str:
    if source.startswith(_PROFILE):
        return source
    return f"{source} {given.name}{' (alias)' if given.is_alias else ''}"


def _suffix(source: str) -> str:
    """What tells a name in another layer from one in the environment."""
    return "" if source == ENVIRONMENT else f" in {source}"


def _meaning(variable: Variable, given: Given) -> Value:
    """What *given* is worth, or its bare text if that is nothing."""
    try:
        return variable.parse(given.text)
    except ValueError:
        return given.text
