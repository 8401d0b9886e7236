"""`asgi-resync status`: how a running app is, as its console says."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence

from .address import add_address, ended, remote_of
from .command import Status, as_json, parser_of
from .look import look_of
from .progress import progress
from .remote import Remote
from .report import Stamp, report
from .state import State, state_of

STATUS = "api/status"
DAY = 86400.0


def main(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Print how the app is; 0 if it is up or degraded, 1 if it is down, 3 if its console is not reached."""
    environment = os.environ if environ is None else environ
    parser = parser_of(
        "status", "Print how a running app is: one process of it, as its console says.", Status.WRONG, Status.AWAY
    )
    parser.add_argument("--json", action="store_true", help="what the console says, as it says it")
    add_address(parser)
    arguments = parser.parse_args(argv)
    return ended(lambda: _shown(arguments, environment))


def _shown(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    remote = remote_of(arguments, environ)
    with progress(f"asking {remote.url}", environ=environ):
        raw = remote.get(STATUS)
    state = understood(raw, remote)
    if arguments.json:
        print(as_json(json.loads(raw)))
    else:
        look = look_of(sys.stdout, environ)
        for line in report(state, stamps(state.health.at), shutil.get_terminal_size().columns):
            print(look.text(line).rstrip())
    return Status.WRONG if state.health.status == "down" else Status.DONE


def understood(raw: bytes, remote: Remote) -> State:
    """Return what *raw*, which *remote* sent, says. Raises Away if that cannot be understood."""
    try:
        return state_of(raw)
    except ValueError:
        raise remote.not_understood() from None


def stamps(now: float) -> Stamp:
    """Return what makes times of day here; of what is not of the last day before *now*, dates too."""

    def stamp(at: float) -> str:
        try:
            return time.strftime("%H:%M:%S" if now - at < DAY else "%Y-%m-%d %H:%M", time.localtime(at))
        except (ValueError, OverflowError, OSError):
            return "–"

    return stamp
