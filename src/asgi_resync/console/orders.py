"""What the console is told to do, however it is told: by JSON, by a form, or as one tells Fastly and Varnish. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias
from urllib.parse import parse_qs

import msgspec
from starlette.datastructures import Headers

from .problem import Refused

ForcedTo: TypeAlias = Literal["forced-open", "forced-closed", "metrics-only", "released"]
LARGEST = 65536
"""Bytes of a body that are read."""


class PurgeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to purge; a URL that is a path means the host that is asked. See `Resync.purge`."""

    tags: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    upstream: str | None = None
    everything: bool = False
    soft: bool = False


class BreakerOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to force a breaker to; `released` lets it go by what calls show."""

    to: ForcedTo


def purge_of_json(body: bytes) -> PurgeOrder:
    """Return the purge that *body* asks for, else raise Refused."""
    try:
        return msgspec.json.decode(body or b"{}", type=PurgeOrder)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(422, "Not a purge", f'{error}; expected such as {{"tags": ["plan"], "soft": true}}') from None


def breaker_of_json(body: bytes) -> BreakerOrder:
    """Return what *body* says of a breaker, else raise Refused."""
    try:
        return msgspec.json.decode(body or b"{}", type=BreakerOrder)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(422, "Not an order", f'{error}; expected such as {{"to": "forced-open"}}') from None


def purge_of_form(body: bytes) -> PurgeOrder:
    """Return the purge that a form asks for: `what` and `name`, and `soft`, as the console's page has them.

    Several tags have spaces between them. Raises Refused.
    """
    form = fields_of(body)
    what, name, soft = form.get("what", ""), form.get("name", "").strip(), form.get("how") == "soft"
    if what == "everything":
        if "sure" not in form:
            raise Refused(422, "Nothing was purged", "Tick the box, so that everything does not go by a slip.")
        return PurgeOrder(everything=True, soft=soft)
    if not name:
        raise Refused(422, "Nothing was purged", "Name what to purge.")
    match what:
        case "tag":
            return PurgeOrder(tags=tuple(name.split()), soft=soft)
        case "url":
            return PurgeOrder(urls=(name,), soft=soft)
        case "upstream":
            return PurgeOrder(upstream=name, soft=soft)
        case _:
            raise Refused(422, "Nothing was purged", "Say whether it is a tag, a URL or an upstream.")


def breaker_of_form(body: bytes) -> BreakerOrder:
    """Return what a form says of a breaker. Raises Refused."""
    return breaker_of_json(msgspec.json.encode({"to": fields_of(body).get("to", "")}))


def fields_of(body: bytes) -> Mapping[str, str]:
    """Return the fields of a form, of each the first."""
    try:
        return {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=20).items()}
    except (ValueError, UnicodeDecodeError):
        return {}


def surrogate_keys(headers: Headers) -> Sequence[str]:
    """Return the tags that `Surrogate-Key` (Fastly) or `Cache-Tag` (others) name."""
    keys = " ".join(headers.getlist("surrogate-key")).split()
    return [*keys, *(tag for line in headers.getlist("cache-tag") for tag in line.replace(",", " ").split())]


def is_soft(headers: Headers) -> bool:
    """Return whether `Fastly-Soft-Purge` asks for a soft purge."""
    return headers.get("fastly-soft-purge", "").strip() in ("1", "true")
