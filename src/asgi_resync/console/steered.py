"""What the console needs of a Resync, and no more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from ..cache.undelivered import Delivery
from ..events import ConfigApplied, ConfigRefused
from ..resources.graph import Graph
from ..resources.health import Health
from ..settings import Settings
from ..upstream import Upstreams


@runtime_checkable
class Steered(Protocol):
    """A Resync, as the console sees it."""

    upstreams: Upstreams

    @property
    def settings(self) -> Settings: ...

    @property
    def graph(self) -> Graph: ...

    async def health(self) -> Health: ...

    async def reload(self) -> ConfigApplied | ConfigRefused: ...

    async def purge(
        self,
        *,
        tags: Iterable[str] = (),
        urls: Iterable[str] = (),
        upstream: str | None = None,
        everything: bool = False,
        soft: bool = False,
    ) -> Delivery: ...
