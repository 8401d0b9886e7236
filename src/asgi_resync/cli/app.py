"""Finding the app that a command is about, as servers do: `module:attribute`."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys

from ..resync import Resync, ResyncApp


class AppNotFound(Exception):
    """There is no such app. Its text says what to do."""


def resync_of(name: str) -> Resync:
    """Return the Resync around the app called *name*, such as `shop.main:app`, or the one that has this name itself.

    The module is imported from where Python looks, and from the working directory. Raises AppNotFound; what the module
    raises when it is imported passes through.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute or "/" in module_name or "\\" in module_name:
        raise AppNotFound(f"{name}: give module and app with a colon between them, and no path, such as shop.main:app")
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    try:
        # What it prints is not what the command was asked for.
        with contextlib.redirect_stdout(sys.stderr):
            found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise
        raise AppNotFound(f"{name}: no module {error.name!r} here; change to the directory that has it") from None
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if isinstance(found, Resync):
        return found
    if isinstance(found, ResyncApp):
        return found.resync
    what = "there is no such name in it" if found is None else f"it is {type(found).__name__}"
    raise AppNotFound(f"{name}: {what}; name an app that resync(app) returned, or the Resync itself")
