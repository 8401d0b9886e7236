"""Whether Redis is there, lets in, does what the cache asks of it, and is fast enough; and how it is set up."""

from __future__ import annotations

import asyncio
import re
import secrets
import statistics
from collections.abc import Callable, Mapping

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from .. import __version__
from ..cache.l2.link import RedisLink
from ..cache.l2.link.connect import Connector, Opener, closed
from ..cache.l2.link.packing import packed
from ..cache.l2.link.place import Place, place_of
from ..cache.l2.link.wire import Wire
from ..cache.l2.ports import Script, Unreachable
from ..settings.model import Settings
from ..telemetry.units import size, took
from .finding import Finding, Level
from .hindrance import causes, hindrance
from .reach import look_up, reach

Say = Callable[[Level, str, str], None]

SUBJECT = "redis"
TESTED = (7, 0)
"""The first version that the library is tested with."""
ROUNDS = 20
"""Reads of which the time is taken."""
EVICTING = "maxmemory-policy allkeys-lfu, or volatile-ttl if other keys live there too"
_READ = Script("return redis.call('GET', KEYS[1])")
_PLAIN = re.compile(r"[\w.+-]{1,40}")


async def check_redis(settings: Settings, timeout: float) -> list[Finding]:
    """Return what was found of the Redis of *settings*, which name one; each step takes at most *timeout* seconds."""
    found: list[Finding] = []

    def say(level: Level, says: str, remedy: str = "") -> None:
        found.append(Finding(level=level, subject=SUBJECT, says=says, remedy=remedy))

    url = settings.redis.url or ""
    try:
        place = place_of(url)
        connector = Connector(place, timeout, __version__)
    except ValueError as error:
        say("wrong", "has a URL that cannot be used", f"{error} (RESYNC_REDIS_URL)")
        return found
    opener = connector.on()
    try:
        wire = await _connected(place, opener, timeout, say)
        if wire is None:
            return found
        try:
            async with asyncio.timeout(timeout):
                facts = await _info(wire, say)
                nodes = await _cluster(wire, facts, say)
        except (OSError, RedisError) as error:
            say("wrong", hindrance(error, timeout).it, "look at its log")
            return found
        finally:
            await closed(wire)
        if _mode(facts) == "sentinel":
            say("wrong", "is a sentinel", "the URL of what it watches is redis+sentinel://host:port/service")
            return found
        judge(facts, say)
        await _use(url, settings, timeout, f"{_product(facts)}{nodes}", say)
    finally:
        await opener.aclose()
    return found


async def _connected(place: Place, opener: Opener, timeout: float, say: Say) -> Wire | None:
    """Return a connection to the first of its hosts that gives one; say what hindered the others."""
    hindered: list[tuple[str, BaseException]] = []
    try:
        async with asyncio.timeout(timeout):
            for host, port in place.seeds:
                try:
                    if place.kind == "sentinel":
                        await reach(host, port, None)
                    else:
                        await look_up(host, port)
                        return await opener.open((host, port))
                except (OSError, RedisError) as error:
                    hindered.append((f"{host}:{port}", error))
            if not place.seeds or (place.kind == "sentinel" and len(hindered) < len(place.seeds)):
                return await opener.open(None)
    except (OSError, RedisError) as error:
        hindered.append(("", error))
    for where, what in hindered:
        it, remedy = refusal(what, place) or hindrance(what, timeout)
        say("wrong", f"{it} ({where})" if len(place.seeds) > 1 and where else it, f"{remedy} (RESYNC_REDIS_URL)")
    return None


def refusal(error: BaseException, place: Place) -> tuple[str, str] | None:
    """Return what a Redis that answers says against us, and what to do."""
    for one in causes(error):
        match one:
            case MasterNotFoundError():
                return (
                    f"has no sentinel that knows the primary of {place.service}",
                    "are they up, and is this its name?",
                )
            case AuthenticationError():
                return "does not take this user and password, or asks for one", "mend what stands before the @"
            case BusyLoadingError():
                return "is reading its data from disk", "wait until it has"
            case ConnectionError() if "max number of clients" in str(one):
                return "has as many clients as it takes", "raise its maxclients"
            case ConnectionError() if "closed" in str(one):
                return "ends the connection at once", "is this its port, with TLS or without as the URL says?"
            case NoPermissionError():
                return "does not let this user connect as the cache does", "give it +hello, +client and +select"
            case ResponseError() if "out of range" in str(one):
                return "has no database of this number", "mend the number at the end"
            case ResponseError():
                return "answers, and not as Redis 6 and later do", "is it one, and is protected-mode off?"
    return None


async def _info(wire: Wire, say: Say) -> Mapping[str, str]:
    try:
        reply = await _asked(wire, "INFO")
    except NoPermissionError:
        say("notice", "does not tell this user of its version and memory", "give it +info to have these checked")
        return {}
    return facts_of(reply)


def _mode(facts: Mapping[str, str]) -> str:
    """Return `standalone`, `sentinel` or `cluster`: Valkey has a name of its own for it."""
    return facts.get("redis_mode") or facts.get("server_mode") or ""


async def _cluster(wire: Wire, facts: Mapping[str, str], say: Say) -> str:
    """Return what of a cluster it is, and say whether that is well."""
    if _mode(facts) != "cluster":
        return ""
    try:
        cluster = facts_of(await _asked(wire, "CLUSTER", "INFO"))
    except ResponseError:
        return ", a cluster"
    if cluster.get("cluster_state") != "ok":
        say("wrong", "is a cluster that is not whole", "see CLUSTER INFO and CLUSTER NODES of its nodes")
    return f", a cluster of {_number(cluster, 'cluster_size')} primaries"


async def _asked(wire: Wire, *command: str) -> object:
    await wire.send_packed_command(packed(command))
    return await wire.read_response(disable_decoding=True)


def facts_of(reply: object) -> Mapping[str, str]:
    """Return what INFO, or CLUSTER INFO, says by name."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else ""
    pairs = (line.strip().partition(":") for line in text.splitlines())
    return {name: value for name, colon, value in pairs if colon and not name.startswith("#")}


def judge(facts: Mapping[str, str], say: Say) -> None:
    """Say what of its set-up is worth a word."""
    if not facts:
        return
    version = _version(facts)
    if facts.get("server_name") != "valkey" and version is not None and version < TESTED:
        say("notice", f"is of version {'.'.join(map(str, version))}", "asgi-resync is tested with 7.0 and later")
    bound, policy = _number(facts, "maxmemory"), facts.get("maxmemory_policy", "")
    if not bound and "maxmemory" in facts:
        say("notice", "has no bound of its memory", f"set maxmemory, and {EVICTING}")
    elif bound and policy == "noeviction":
        say("notice", f"takes nothing more once it holds {size(bound)} (noeviction)", f"set {EVICTING}")


async def _use(url: str, settings: Settings, timeout: float, product: str, say: Say) -> None:
    """Do with it what the cache does, with a key of its own, which is gone afterwards."""
    prefix, deadline = settings.cache.key_prefix, settings.redis.timeout
    name, value = f"{prefix}check:{secrets.token_hex(8)}", secrets.token_bytes(64)
    link = RedisLink(url, deadline=timeout, connect_timeout=timeout, version=__version__)
    loop = asyncio.get_running_loop()
    step = "SET"
    try:
        await link.execute("SET", name, value, "PX", 10_000)
        step = "GET"
        times = []
        for _ in range(ROUNDS):
            began = loop.time()
            if await link.get(name) != value:
                say("wrong", "does not give back what was stored", "is it what it says it is?")
                return
            times.append(loop.time() - began)
        step = "EVAL"
        await link.script(_READ, [name], [])
        step = "SUBSCRIBE"
        async with asyncio.timeout(timeout), link.listen(f"{prefix}check"):
            pass
        step = "DEL"
        await link.execute("DEL", name)
    except (Unreachable, TimeoutError) as error:
        cause = error.cause if isinstance(error, Unreachable) else "TimeoutError"
        say("wrong", *unusable(step, cause, prefix, timeout))
        return
    finally:
        await link.aclose()
    usual = statistics.median(times)
    if usual >= deadline:
        remedy = "move it nearer, or raise RESYNC_REDIS_TIMEOUT: each operation would be a miss"
        say("wrong", f"{product} takes {took(usual)}, and has {took(deadline)}", remedy)
    elif usual * 2 > deadline:
        remedy = "move it nearer, or raise RESYNC_REDIS_TIMEOUT: many an operation may be a miss"
        say("notice", f"{product} takes {took(usual)} of the {took(deadline)} it has", remedy)
    else:
        say("well", f"{product}: reads, writes and deletes in {took(usual)} of the {took(deadline)} it has", "")


def unusable(step: str, cause: str, prefix: str, timeout: float) -> tuple[str, str]:
    """Return that it does not do *step*, by the class name of the *cause*, and what to do about it."""
    match cause:
        case "OutOfMemoryError":
            return "is full, and takes nothing", f"raise its maxmemory, or set {EVICTING}"
        case "NoPermissionError" | "ChannelPermissionError":
            return (
                f"does not let this user {step}",
                f"give it ~{prefix}* &{prefix}* +@read +@write +@scripting +@pubsub",
            )
        case "ReadOnlyError":
            return "is a replica, to which nothing is written", "name its primary, or redis+sentinel://"
        case "ClusterDownError" | "MasterDownError":
            return f"is a cluster that is not whole: it does not {step}", "see CLUSTER INFO of its nodes"
        case "TimeoutError":
            return f"does not {step} within {timeout:g} s", "is it busy, or stopped?"
    return f"does not {step} ({cause})", "look at its log"


def _product(facts: Mapping[str, str]) -> str:
    if facts.get("server_name") == "valkey" and _PLAIN.fullmatch(facts.get("valkey_version", "")):
        return f"Valkey {facts['valkey_version']}"
    version = facts.get("redis_version", "")
    return f"Redis {version}" if _PLAIN.fullmatch(version) else "Redis"


def _version(facts: Mapping[str, str]) -> tuple[int, int] | None:
    found = re.match(r"(\d{1,4})\.(\d{1,4})", facts.get("redis_version", ""))
    return None if found is None else (int(found[1]), int(found[2]))


def _number(facts: Mapping[str, str], name: str) -> int:
    text = facts.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
