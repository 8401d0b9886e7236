"""What differs between two settings, and what of it can be changed while the app serves. It changes nothing.

What cannot is what is bound to connections, names or stored bytes, or is over once the app has started.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from ..events import SettingChange
from ..upstream import spelled
from .breaker import OF_BREAKERS
from .model import CACHE, REDIS_ROOM, TOP, UPSTREAM, Settings, variables_of_upstream
from .upstream import UpstreamSettings
from .variable import Room, Variable

OF_CLIENTS = frozenset(
    {
        "connect_timeout", "read_timeout", "write_timeout", "pool_timeout", "total_timeout", "retry_attempts",
        "retry_backoff", "retry_backoff_max", "retry_after_max", "retry_share", "retry_floor", "max_calls",
        "max_waiting",
    }
)  # fmt: skip
"""What clients that are there already can be given."""

OF_THE_START = {
    Settings: frozenset(
        {"config_file", "reload_on_sighup", "startup_timeout", "startup_wait", "health_path", "health_interval"}
    ),
    "cache": frozenset({"key_prefix", "signing_key"}),
    "redis": frozenset({"url"}),
    "upstream": frozenset(variable.field for variable in UPSTREAM) - OF_BREAKERS - OF_CLIENTS,
}
"""By room, the fields that are read when the app starts, and not again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change of settings: `settings` are those to have in force, `live` what that changes.

    `at_restart` is what else is wanted, which takes a restart.
    """

    settings: Settings
    live: tuple[SettingChange, ...]
    at_restart: tuple[SettingChange, ...]


def plan(old: Settings, new: Settings, known: Collection[str]) -> Plan:
    """Return how to get from *old* to *new*. *known* are the upstreams there are.

    An upstream that only *new* has takes a restart: rules and clients are made with those there are.
    """
    live: list[SettingChange] = []
    at_restart: list[SettingChange] = []
    names = {spelled(name) for name in known}

    def sort(before: Room, after: Room, variables: Collection[Variable], fixed: Collection[str]) -> None:
        for variable in variables:
            was, wanted = getattr(before, variable.field), getattr(after, variable.field)
            if was != wanted:
                change = SettingChange(
                    name=variable.name,
                    before=variable.show(was) if was not in (None, ()) and says(before, variable) else "",
                    after=variable.show(wanted) if wanted not in (None, ()) and says(after, variable) else "",
                )
                (at_restart if variable.field in fixed else live).append(change)

    def says(room: Room, variable: Variable) -> bool:
        """Whether *room* decides: of an upstream it may be the code that does, where nothing is set."""
        return not isinstance(room, UpstreamSettings) or variable.field in room.given

    sort(old, new, TOP, OF_THE_START[Settings])
    sort(old.cache, new.cache, CACHE, OF_THE_START["cache"])
    sort(old.redis, new.redis, REDIS_ROOM, OF_THE_START["redis"])
    upstreams: dict[str, UpstreamSettings] = {}
    for name in sorted({*old.upstreams, *new.upstreams}):
        before, after, variables = old.upstream(name), new.upstream(name), variables_of_upstream(name)
        is_known = spelled(name) in names
        sort(before, after, variables, OF_THE_START["upstream"] if is_known else {v.field for v in variables})
        if is_known:
            upstreams[name] = _kept(after, before)
            live += _regiven(before, after, variables)
    settings = msgspec.structs.replace(
        new,
        **{field: getattr(old, field) for field in OF_THE_START[Settings]},
        cache=msgspec.structs.replace(
            new.cache, **{field: getattr(old.cache, field) for field in OF_THE_START["cache"]}
        ),
        redis=msgspec.structs.replace(new.redis, url=old.redis.url),
        upstreams=upstreams,
    )
    return Plan(settings=settings, live=tuple(live), at_restart=tuple(at_restart))


def _kept(after: UpstreamSettings, before: UpstreamSettings) -> UpstreamSettings:
    """Return *after* with what is fixed as it was *before*, and as much chosen by somebody."""
    fixed = OF_THE_START["upstream"]
    values: Mapping[str, object] = {field: getattr(before, field) for field in fixed}
    return msgspec.structs.replace(after, given=(after.given - fixed) | (before.given & fixed), **values)


def _regiven(
    before: UpstreamSettings, after: UpstreamSettings, variables: Collection[Variable]
) -> Iterator[SettingChange]:
    """Yield what is set to the default or unset from it: where the code has another value, that matters too."""
    for variable in variables:
        field, value = variable.field, getattr(after, variable.field)
        if (
            field in before.given ^ after.given
            and getattr(before, field) == value
            and field in OF_BREAKERS | OF_CLIENTS
        ):
            shown = variable.show(value) if value is not None else ""
            was, wanted = (shown, "") if field in before.given else ("", shown)
            yield SettingChange(name=variable.name, before=was, after=wanted)
