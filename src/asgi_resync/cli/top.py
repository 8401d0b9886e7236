"""`asgi-resync top`: how a running app is, from second to second; a live view on a terminal, else a line for each."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from typing import TypeAlias

from .address import add_address, ended, remote_of
from .command import Status, as_json, parser_of
from .follow import Follower
from .frame import foot, frame
from .look import look_of
from .progress import progress
from .remote import Away, Remote
from .report import in_a_line
from .screen import USUAL_SIZE, Screen, stop_here, told_of_signals
from .state import State
from .status import STATUS, stamps, understood

Happened: TypeAlias = "tuple[State, bytes] | Away | bytes | int"
"""A state with its JSON, why there is none, what was typed, or a signal."""

ENDING = frozenset(b"qQ\x04")
_SEQUENCES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]?|O.?|.)?", re.DOTALL)
"""What keys of more than one character send (ECMA-48 §5.4)."""
ALL_ROWS = 10_000


def main(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Show how the app is until `q` or Ctrl-C; 0, or 3 if its console is not reached at the beginning."""
    environment = os.environ if environ is None else environ
    parser = parser_of(
        "top",
        "Show how a running app is, from second to second: one process of it, as its console says.\n"
        "q ends it. Where the output is no terminal, there is a line for each second.",
        Status.WRONG,
        Status.AWAY,
        Status.INTERRUPTED,
    )
    parser.add_argument("--once", action="store_true", help="show it once, and end; 1 if the app is down")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each second, as the console says it")
    add_address(parser)
    arguments = parser.parse_args(argv)
    return ended(lambda: _shown(arguments, environment))


def is_end(typed: bytes) -> bool:
    """Return whether one of the keys in *typed* ends the view."""
    return not ENDING.isdisjoint(_SEQUENCES.sub(b"", typed))


def _shown(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    remote = remote_of(arguments, environ)
    with progress(f"asking {remote.url}", environ=environ):
        raw = remote.get(STATUS)
    state = understood(raw, remote)
    if arguments.once:
        if arguments.json:
            print(as_json(json.loads(raw)))
        else:
            screen, look = Screen(sys.stdout, sys.stdin), look_of(sys.stdout, environ)
            columns = screen.size[0] if sys.stdout.isatty() else USUAL_SIZE[0]
            for line in frame(state, columns=columns, rows=ALL_ROWS, stamp=stamps(state.health.at)):
                print(look.text(line).rstrip())
        return Status.WRONG if state.health.status == "down" else Status.DONE
    if arguments.json or not sys.stdout.isatty() or environ.get("TERM") == "dumb":
        return _lines(remote, environ, is_json=arguments.json)
    return _live(remote, state, environ)


def _lines(remote: Remote, environ: Mapping[str, str], *, is_json: bool) -> int:
    """Print a line for each state, until interrupted."""
    look = look_of(sys.stdout, environ)
    happened = SimpleQueue[Happened]()
    trouble = ""
    Follower(remote, happened.put).start()
    while True:
        match happened.get():
            case (state, raw):
                trouble = ""
                line = in_a_line(state, stamps(state.health.at))
                print(as_json(json.loads(raw), indent=None) if is_json else look.text(line), flush=True)
            case Away() as away if str(away) != trouble:
                trouble = str(away)
                print(trouble, file=sys.stderr, flush=True)


def _live(remote: Remote, state: State, environ: Mapping[str, str]) -> int:
    """Draw each state on the terminal, until told to end."""
    look = look_of(sys.stdout, environ)
    happened = SimpleQueue[Happened]()  # which a signal may put into, too
    follower = Follower(remote, happened.put)
    trouble: str | None = None
    with told_of_signals(happened.put), Screen(sys.stdout, sys.stdin) as screen:
        screen.watch_keys(happened.put)
        follower.start()
        while True:
            columns, rows = screen.size
            stamp = stamps(state.health.at)
            last = foot(remote.url, stamp(state.health.at), trouble)
            picture = frame(state, columns=columns, rows=rows, stamp=stamp, foot=last)
            screen.draw([look.text(line) for line in picture])
            match happened.get():
                case (given, _):
                    state, trouble = given, None
                case Away() as away:
                    trouble = str(away)
                case bytes(typed) if is_end(typed):
                    return Status.DONE
                case int(number) if number in _ENDS:
                    return 128 + number
                case int(number) if number == _STOP:
                    with screen.suspended():
                        stop_here()


_ENDS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
_STOP = getattr(signal, "SIGTSTP", None)
