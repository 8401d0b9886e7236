"""`asgi-resync COMMAND` or `python -m asgi_resync COMMAND`: hands the arguments to one command."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from . import __version__
from .cli.command import Status, exit_statuses, program


class Command(NamedTuple):
    """A module with `main(argv) -> int | None`, and what it does."""

    module: str
    summary: str


COMMANDS: Mapping[str, Command] = {
    "settings": Command("asgi_resync.cli.settings", "print the effective settings and where each came from"),
    "check": Command("asgi_resync.cli.check", "try the settings, Redis and every upstream, and say what is wrong"),
    "graph": Command("asgi_resync.cli.graph", "print what depends on what in an app"),
    "status": Command("asgi_resync.cli.status", "print how a running app is, as its console says"),
    "top": Command("asgi_resync.cli.top", "watch a running app, from second to second"),
    "purge": Command("asgi_resync.cli.purge", "drop what a running app has stored"),
    "demo": Command("asgi_resync.demo", "run the demonstration"),
}


def main(argv: Sequence[str] | None = None, commands: Mapping[str, Command] = COMMANDS) -> int:
    """Run one of *commands*; its exit status, see `cli.command.Status`."""
    if _is_closed(sys.stderr):
        # Or what is for it would be printed to stdout, among the output.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the program ends
    if _is_closed(sys.stdout):
        # Before anything is done of which nobody would hear.
        print("stdout is closed; >/dev/null is for output that nobody is to read", file=sys.stderr)
        return Status.UNWRITTEN
    try:
        try:
            return _run(argv, commands)
        finally:
            # Here, and not in the interpreter's last moments, where nobody could catch what it raises.
            sys.stdout.flush()
    except BrokenPipeError:
        _give_up_stdout()
        return Status.UNREAD
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    except OSError:
        why = _why_unwritten()
        if why is None:
            raise
        _give_up_stdout()
        print(f"The output cannot be written: {why}", file=sys.stderr)
        return Status.UNWRITTEN


def _run(argv: Sequence[str] | None, commands: Mapping[str, Command]) -> int:
    parser = argparse.ArgumentParser(
        prog=program(),
        usage="%(prog)s [-h] [--version] COMMAND ...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="commands:\n" + "\n".join(f"  {name:<10}{command.summary}" for name, command in commands.items()),
        epilog=f"{exit_statuses()}\n\nCOMMAND --help explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"asgi-resync {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=tuple(commands), help=argparse.SUPPRESS)
    rest = parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    rest.required = False  # Or argparse names it among what is missing.
    chosen = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show must not end the program.
            stream.reconfigure(errors="backslashreplace")
    run: Callable[[Sequence[str]], int | None] = importlib.import_module(commands[chosen.command].module).main
    return run(chosen.arguments) or Status.DONE


def _is_closed(stream: object) -> bool:
    """Return whether *stream* is what Python has in place of one that was closed when it started."""
    return stream is None


def _why_unwritten() -> str | None:
    """Return why nothing more can be written to stdout; None if it can, so that an OSError was another's."""
    try:
        # An empty line, since with PYTHONUNBUFFERED nothing is left of what could not be written.
        print(flush=True)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _give_up_stdout() -> None:
    """Let what is left in the buffer go nowhere, or the interpreter would try once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
