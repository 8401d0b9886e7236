"""Listeners for what happens: `Resync(on_event=[telemetry.to_prometheus(), ...])`. What needs an extra loads when used.

Every listener declares which events it wants, so that nobody pays for others.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ..errors import MissingExtra
from .log import to_logging
from .several import all_of
from .threaded import aside

if TYPE_CHECKING:
    from .opentelemetry import to_opentelemetry
    from .prometheus import to_prometheus
    from .recorder import Recorder

__all__ = ["Recorder", "all_of", "aside", "to_logging", "to_opentelemetry", "to_prometheus"]

_EXTRAS = {
    "to_opentelemetry": ("opentelemetry", "opentelemetry-api", "otel"),
    "to_prometheus": ("prometheus", "prometheus-client", "prometheus"),
}
"""The module of each, the package that it needs, and the extra that has it."""


def __getattr__(name: str) -> object:
    if name == "Recorder":
        # Loaded when used, too: a process that has none should not wait for it.
        return importlib.import_module(".recorder", __name__).Recorder
    if name not in _EXTRAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, package, extra = _EXTRAS[name]
    try:
        value = getattr(importlib.import_module(f".{module}", __name__), name)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"telemetry.{name}", package, extra) from error
    globals()[name] = value
    return value
