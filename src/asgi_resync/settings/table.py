"""The table of all settings, for the README. It knows no environment, only the model and the profiles."""

from __future__ import annotations

from .model import UPSTREAM, VARIABLES
from .profiles import PROFILES
from .upstream import REDIS, unset_upstream
from .variable import Variable

_HEAD = ("Variable", "Default", "Profiles", "Aliases", "Meaning")
_NONE = "\N{EN DASH}"


def settings_table() -> str:
    """A Markdown table of every variable: default, profiles where they differ, aliases, meaning."""
    rows = [_HEAD, ("---",) * len(_HEAD), *(_row(variable) for variable in VARIABLES)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(variable: Variable) -> tuple[str, ...]:
    profiles = [
        f"{name}: `{variable.show(variable.parse(texts[variable.name]))}`"
        for name, texts in PROFILES.items()
        if variable.name in texts
    ]
    return (
        f"`{variable.name}`",
        _default(variable),
        ", ".join(profiles) or _NONE,
        ", ".join(f"`{alias}`" for alias in variable.facts.aliases) or _NONE,
        variable.meta.description or "",
    )


def _default(variable: Variable) -> str:
    shown = f"`{variable.show(variable.default)}`" if variable.default not in (None, ()) else _NONE
    if variable in UPSTREAM:
        of_redis = getattr(unset_upstream(REDIS), variable.field)
        if of_redis != variable.default:
            shown += f" ({REDIS}: `{variable.show(of_redis)}`)"
    return shown
