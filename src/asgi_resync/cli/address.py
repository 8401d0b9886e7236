"""Where the console is, and who asks: from the arguments, the environment, and the config file, in this order."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from ..errors import SettingsError
from ..settings.file import CONFIG_FILE
from ..settings.load import load
from ..settings.model import TOP
from ..settings.values import check_url
from .command import Status
from .remote import Away, Refused, Remote

_NAMES = {variable.field: variable.name for variable in TOP}
_URL, _TOKEN = _NAMES["console_url"], _NAMES["console_token"]
LONGEST_TOKEN = 65536


class Unusable(Exception):
    """The arguments do not say where the console is. Its text says what to do."""


def add_address(parser: argparse.ArgumentParser) -> None:
    """Let *parser* take what says where the console is."""
    where = parser.add_argument_group("the console of the app")
    where.add_argument("--console", metavar="URL", help="such as http://127.0.0.1:8000/resync; else RESYNC_CONSOLE_URL")
    where.add_argument("--token-file", metavar="FILE", help="holds its token; else RESYNC_CONSOLE_TOKEN")
    where.add_argument("--timeout", type=seconds, default=10.0, metavar="S", help="seconds to wait for it (10)")


def remote_of(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Remote:
    """Return the console that *arguments* and *environ* name. Raises Unusable, and SettingsError.

    Of the settings only those of the console are read: an app that runs is steered even where the others are wrong.
    """
    named: str | None = arguments.console
    wanted = {name: environ[name] for name in (_URL, _TOKEN) if name in environ}
    if named is not None:
        wanted.pop(_URL, None)
    if arguments.token_file is not None:
        wanted.pop(_TOKEN, None)
    if CONFIG_FILE in environ and not ((named or wanted.get(_URL)) and (wanted.get(_TOKEN) or arguments.token_file)):
        wanted[CONFIG_FILE] = environ[CONFIG_FILE]
    settings = load(wanted).settings
    url = named if named is not None else settings.console_url
    if not url:
        raise Unusable("Say where the console is: --console http://127.0.0.1:8000/resync, or RESYNC_CONSOLE_URL.")
    _check(url)
    token = settings.console_token if arguments.token_file is None else _token(arguments.token_file)
    return Remote(url, token, timeout=arguments.timeout)


def ended(act: Callable[[], int]) -> int:
    """Return the exit status of *act*, or of what it raises, of which stderr is told."""
    try:
        return act()
    except (Unusable, SettingsError) as error:
        print(error, file=sys.stderr)
        return Status.UNUSABLE
    except Refused as error:
        print(error, file=sys.stderr)
        return Status.WRONG
    except Away as error:
        print(error, file=sys.stderr)
        return Status.AWAY


def _check(url: str) -> None:
    try:
        check_url(url)
        url.encode("ascii")  # as it is sent
        parts = urlsplit(url)
    except ValueError:
        raise Unusable("This is no URL; the console has one such as http://127.0.0.1:8000/resync.") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise Unusable("The URL of a console begins with http:// or https://, such as http://127.0.0.1:8000/resync.")
    if parts.username is not None or parts.password is not None:
        raise Unusable("Leave user and password out of the URL; RESYNC_CONSOLE_TOKEN or --token-file say who asks.")
    if parts.query or parts.fragment:
        raise Unusable("The URL of a console ends with its path, such as http://127.0.0.1:8000/resync.")


def _token(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read(LONGEST_TOKEN).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise Unusable(f"The token cannot be read from {path}: {reason}.") from None
    if not token or not token.isascii() or not token.isprintable():
        raise Unusable(f"{path} holds no token: one line of letters, digits and signs is expected.")
    return token


def seconds(text: str) -> float:
    """Return the seconds that *text* names, as argparse wants it."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give seconds above 0, to 3600")
    return value
