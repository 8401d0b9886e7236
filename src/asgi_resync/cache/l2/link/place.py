"""Where Redis is, by its URL. Pure: whether anything answers there is not asked.

    redis://user:password@host:6379/0?option=…      one server, or any node of a cluster: it tells which
    redis+cluster://host1:6379,host2:6379           a cluster, of whose nodes these are some
    redis+sentinel://host1:26379,host2:26379/service/0      what these sentinels say is the primary of the service
    unix:///run/redis.sock?db=0

`rediss` is with TLS; `valkey` and `valkeys` mean the same as `redis` and `rediss`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import unquote, urlsplit

Address: TypeAlias = tuple[str, int]
"""Host and port."""

_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}
_PORTS = {"server": 6379, "cluster": 6379, "sentinel": 26379}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`base` is a URL of the kind redis-py reads, with the first host; `seeds` are all hosts, none for a socket."""

    kind: Literal["server", "cluster", "sentinel"]
    base: str
    seeds: tuple[Address, ...] = ()
    service: str = ""


def place_of(url: str) -> Place:
    """Return what *url* names. Raises ValueError with the reason, which holds nothing of the URL but its scheme."""
    scheme, separator, rest = url.partition("://")
    transport, plus, topology = scheme.lower().partition("+")
    if not separator or transport not in _SCHEMES:
        raise ValueError("the scheme must be redis, rediss, valkey, valkeys or unix")
    if plus and (topology not in ("cluster", "sentinel") or transport == "unix"):
        raise ValueError("of a scheme with +, only redis, rediss, valkey, valkeys with +cluster or +sentinel are known")
    transport = _SCHEMES[transport]
    if transport == "unix":
        if not urlsplit(url).path:
            raise ValueError("a socket has a path, as in unix:///run/redis.sock")
        return Place(kind="server", base=url)
    kind: Literal["server", "cluster", "sentinel"] = (
        "cluster" if topology == "cluster" else "sentinel" if topology else "server"
    )
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path, query = urlsplit(f"//{rest[len(authority) :]}".replace("//", "//-", 1))[2:4]
    user, at, hosts = authority.rpartition("@")
    seeds = tuple(_address(host, _PORTS[kind]) for host in hosts.split(","))
    if len(seeds) > 1 and kind == "server":
        raise ValueError("several hosts need +cluster or +sentinel after the scheme")
    words = [unquote(word) for word in path.split("/") if word]
    service = ""
    if kind == "sentinel":
        if not words:
            raise ValueError("the path must name the service that the sentinels watch, as in /mymaster or /mymaster/0")
        service, *words = words
    if len(words) > 1 or not all(word.isdecimal() for word in words):
        raise ValueError("the path must be the number of a database")
    if kind == "cluster" and words not in ([], ["0"]):
        raise ValueError("a cluster has database 0 only")
    host, port = seeds[0]
    shown = f"[{host}]" if ":" in host else host
    base = f"{transport}://{user}{at}{shown}:{port}/{''.join(words)}{query and '?'}{query}"
    return Place(kind=kind, base=base, seeds=seeds, service=service)


def _address(text: str, default: int) -> Address:
    parts = urlsplit(f"//{text}")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("a port is a number below 65536") from None
    if not parts.hostname or port == 0:
        raise ValueError("a host is missing, or its port is 0")
    return unquote(parts.hostname), port or default


def masked(url: str) -> str:
    """Return *url* with nothing in it that may be secret: no user, no password, no query."""
    scheme, separator, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    host = re.split(r"[?#]", host, maxsplit=1)[0]
    if not separator or "?" in user or not re.fullmatch(r"[\w.:,/\[\]-]*", host, re.ASCII):
        return "***"
    return f"{scheme}://{'***@' if at else ''}{host}"
