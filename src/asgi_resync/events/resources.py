"""What can happen to resources between their start and their stop."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceEvent(Event):
    """Something happened to one resource; `resource` is its name, fit for metric labels."""

    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceUp(ResourceEvent):
    """A resource can be used, after so many `attempts`, of which the last took `seconds`.

    Both are 0 for one that looks after itself, and was up before.
    """

    attempts: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDown(ResourceEvent):
    """A resource cannot be used, and is tried again for ever.

    `cause` is an exception class name or a short word; `critical` if the app is not ready without it.
    """

    cause: str
    critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRetryScheduled(ResourceEvent):
    """A start failed, and is tried again in `wait` seconds; `attempt` is the number of the one that failed, from 1."""

    attempt: int
    wait: float
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStopped(ResourceEvent):
    """A resource was stopped, which took `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceAbandoned(ResourceEvent):
    """A resource was not stopped as it should be: it took too long, or raised `cause`, an exception class name.

    `phase` is the state it was in.
    """

    phase: str
    cause: str
