"""What can happen to the process as a whole: its settings, and faults of this library."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """What a setting was and is, in human units: empty where it is not set, masked where it is a secret."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name} {self.before or 'unset'} -> {self.after or 'unset'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigApplied(Event):
    """The settings were read again: `changes` are in force, `at_restart` are wanted, and come with a restart."""

    changes: tuple[SettingChange, ...] = ()
    at_restart: tuple[SettingChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRefused(Event):
    """The settings were read again and cannot be used, for all these `problems`: nothing has changed."""

    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalFailure(Event):
    """The library failed at `where` and stepped aside; the request went on to the app."""

    where: str
    error: BaseException
