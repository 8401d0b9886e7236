"""`asgi-resync purge`: tells a running app, by its console, to drop what it stored or to mark it stale."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from .address import Unusable, add_address, ended, remote_of
from .command import Status, as_json, parser_of
from .progress import progress
from .remote import Refused

PURGE = "api/purge"


class Got(msgspec.Struct, frozen=True, kw_only=True):
    """How far a purge got; see `asgi_resync.Delivery`."""

    state: Literal["local", "delivered", "partial", "queued"]
    confirmed: int
    unconfirmed: int


def main(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Purge; 0 if that was done, 1 if the console refused it, 3 if the console is not reached."""
    environment = os.environ if environ is None else environ
    parser = parser_of(
        "purge",
        "Drop what an app has stored, in all its processes. What is given of tags, URLs and upstream, all goes.",
        Status.WRONG,
        Status.AWAY,
        usage="%(prog)s [-h] [--tag T]... [--url U]... [--upstream NAME] [--soft] [--json] | --everything [--yes]",
    )
    parser.add_argument("--tag", action="append", default=[], metavar="T", help="what has this tag; may be repeated")
    parser.add_argument("--url", action="append", default=[], metavar="U", help="this page; may be repeated")
    parser.add_argument("--upstream", metavar="NAME", help="what was built from this upstream")
    parser.add_argument("--everything", action="store_true", help="all there is; asks first")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--soft", action="store_true", help="mark it stale: it may still be served while it is renewed")
    parser.add_argument("--json", action="store_true", help="what the console says, as it says it")
    add_address(parser)
    arguments = parser.parse_args(argv)
    named = bool(arguments.tag or arguments.url or arguments.upstream)
    if named == arguments.everything:
        parser.error("give what to purge: --tag, --url or --upstream, or else --everything")
    return ended(lambda: _purged(arguments, environment))


def _purged(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    remote = remote_of(arguments, environ)
    if arguments.everything and not arguments.yes:
        if not sys.stdin.isatty():
            raise Unusable("Nothing was purged: where nobody can be asked, say --yes to purge everything.")
        if not _is_sure(remote.url):
            raise Refused("Nothing was purged.")
    order = {
        "tags": arguments.tag,
        "urls": arguments.url,
        "upstream": arguments.upstream,
        "everything": arguments.everything,
        "soft": arguments.soft,
    }
    with progress(f"waiting for {remote.url}", environ=environ):
        raw = remote.post(PURGE, order)
    try:
        got = msgspec.json.decode(raw, type=Got)
    except (ValueError, RecursionError):
        raise remote.not_understood() from None
    print(as_json(json.loads(raw)) if arguments.json else said(got, is_soft=arguments.soft))
    return Status.DONE


def said(got: Got, *, is_soft: bool) -> str:
    """Return how far the purge got, in a sentence or two."""
    done = "Marked stale" if is_soft else "Purged"
    others = f"{got.confirmed} other process{'' if got.confirmed == 1 else 'es'}"
    match got.state:
        case "local":
            return f"{done} in the process that answered; there is no Redis by which others would hear of it."
        case "delivered":
            return f"{done} in every process{f': {others} confirmed it' if got.confirmed else ''}."
        case "partial":
            return (
                f"{done} here and in Redis, and in {others}; {got.unconfirmed} did not confirm it yet, and will before "
                "they trust their memory again."
            )
        case "queued":
            return f"{done} in the process that answered. Redis is away, and is told as soon as it is back."


def _is_sure(url: str) -> bool:
    """Return whether who sits at the terminal wants to purge all there is at *url*."""
    print(f"Purge everything that the app at {url} has stored? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
