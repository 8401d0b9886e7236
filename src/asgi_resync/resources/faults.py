"""How a resource may fail by itself, and which failures no waiting mends."""

from __future__ import annotations

from ..errors import RuleError, SettingsError

MISTAKES = (
    AssertionError, AttributeError, ImportError, NameError, NotImplementedError, RuleError, SettingsError, TypeError,
)  # fmt: skip
"""What no waiting mends: a start-up that needs the resource fails at once, and does not use up its time."""


class RunEnded(Exception):
    """A `run` returned, though it was to last as long as the app."""


class Cancelled(Exception):
    """A `start` or `check` raised CancelledError, though nobody cancelled it: something that it waited for was."""


class CheckFailed(Exception):
    """A `check` returned False."""
