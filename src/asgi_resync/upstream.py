"""A service behind the app, by name: its breaker, and what stands in for it. It calls nobody by itself."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, overload
from urllib.parse import urlsplit, urlunsplit
from weakref import WeakSet

from ._asgi import Clock
from .breaker.breaker import Breaker
from .breaker.fallback import fallback_app
from .breaker.limits import BreakerLimits
from .breaker.outcome import is_failed_status
from .client.budget import RetryBudget
from .client.bulkhead import Bulkhead
from .client.location import check_url, url_of
from .client.options import ClientOptions
from .client.schedule import RetryPolicy
from .errors import RuleError
from .events import Listener
from .resources.degradable import Degradable
from .resources.resource import Resource

if TYPE_CHECKING:
    import httpx
    import httpx2
    from purgatory import AsyncCircuitBreakerFactory

    from .client.core import Adjustable

TWS_ROOT = "/twsd"
TWS_HEALTH = "/engine/info"

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream that rules may name, and what guards it: `async with upstream.breaker: …`.

    `name` is lower-case letters, digits, `-` and `_`. `fallback` is what routes that need it answer while it is open:
    content (sent as JSON, or as it is if text or bytes), a `Fallback` with a status and header lines, a function of
    the scope, or an ASGI app. `url` is its base URL, `limits` are its breaker's; what the environment says of them
    wins, field by field. `is_failure` says of an exception, `is_failed_status` of a status, whether the breaker counts
    it as a failure. `http` and `retries` are those of its clients, and `budget` and `bulkhead` are what all of them
    share; of these too, what the environment says wins, field by field, and credentials as a whole. `root` is the path
    that a URL without any has: `/twsd` for `Upstream.tws()`.

    Raises RuleError for what cannot work.
    """

    name: str
    _: KW_ONLY
    fallback: object = field(default=None, compare=False)
    url: str | None = field(default=None, compare=False, repr=False)
    limits: BreakerLimits | None = field(default=None, compare=False)
    is_failure: Callable[[BaseException], bool] | None = field(default=None, compare=False, repr=False)
    is_failed_status: Callable[[int], bool] = field(default=is_failed_status, compare=False, repr=False)
    http: ClientOptions = field(default=ClientOptions(), compare=False, repr=False)
    root: str = field(default="", compare=False, repr=False)
    retries: RetryPolicy | None = field(default=None, compare=False)
    budget: RetryBudget = field(default_factory=RetryBudget, compare=False, repr=False)
    bulkhead: Bulkhead | None = field(default=None, compare=False, repr=False)
    breaker: Breaker = field(init=False, compare=False, repr=False)
    _on_event: Listener | None = field(init=False, compare=False, repr=False)
    _transports: WeakSet[Adjustable] = field(init=False, compare=False, repr=False)
    _own: WeakSet[Adjustable] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise RuleError("name", name, "give lower-case letters, digits, '-' and '_', such as 'tws'")
        fallback_app(self.fallback)
        if not isinstance(self.http, ClientOptions):
            raise RuleError("http", self.http, "give ClientOptions, such as ClientOptions(read_timeout=30)")
        for name, kind in (
            ("limits", BreakerLimits), ("retries", RetryPolicy), ("budget", RetryBudget), ("bulkhead", Bulkhead)
        ):  # fmt: skip
            given: object = getattr(self, name)
            if given is not None and not isinstance(given, kind):
                raise RuleError(name, given, f"give a {kind.__name__}, with the figures as its arguments")
        for name in ("is_failure", "is_failed_status"):
            if (predicate := getattr(self, name)) is not None and not callable(predicate):
                raise RuleError(name, predicate, "give a function that returns whether it counts as a failure")
        check_url(self.url)
        self._guard()

    @classmethod
    def tws(
        cls,
        host: str | None = None,
        *,
        name: str = "tws",
        scheme: Literal["https", "http"] = "https",
        port: int = 31116,
        root: str = TWS_ROOT,
        http: ClientOptions | None = None,
        retries: RetryPolicy | None = None,
        bulkhead: Bulkhead | None = None,
        limits: BreakerLimits | None = None,
        fallback: object = None,
    ) -> Upstream:
        """Return HCL Workload Automation as an upstream; `asgi_resync.TWS` has its calls, typed.

        *host* may be left to the environment, RESYNC_UPSTREAM_TWS_URL or the original's TWS_HOST and TWS_PORT; its
        path is *root* where that names none. By default it is given 30 s to read, as queries of a large plan take
        long, and `check` asks for `/engine/info`.
        """
        wanted = http if http is not None else ClientOptions(read_timeout=30.0)
        return cls(
            name,
            url=None if host is None else url_of(host, scheme=scheme, port=port),
            root=root,
            http=wanted if wanted.health_path is not None else replace(wanted, health_path=TWS_HEALTH),
            retries=retries,
            bulkhead=bulkhead,
            limits=limits,
            fallback=fallback,
        )

    @property
    def base_url(self) -> str | None:
        """The URL that its clients start from: `url`, with `root` where that has no path."""
        if self.url is None or not self.root:
            return self.url
        parts = urlsplit(self.url)
        return self.url if parts.path else urlunsplit(parts._replace(path=self.root))

    def configured(
        self,
        *,
        limits: BreakerLimits,
        url: str | None = None,
        http: ClientOptions | None = None,
        retries: RetryPolicy | None = None,
        budget: RetryBudget | None = None,
        bulkhead: Bulkhead | None = None,
        on_event: Listener | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> Upstream:
        """Return the like of it with a breaker of its own, that has *limits* and tells *on_event*.

        What is None of what its clients have stays as it is.
        """
        upstream = replace(
            self,
            limits=limits,
            url=url,
            http=http if http is not None else self.http,
            retries=retries if retries is not None else self.retries,
            budget=budget if budget is not None else self.budget,
            bulkhead=bulkhead if bulkhead is not None else self.bulkhead,
        )
        upstream._guard(on_event, clock, wall)
        return upstream

    @overload
    def client(
        self,
        transport: httpx2.AsyncBaseTransport | None = None,
        *,
        library: Literal["httpx2"] | None = None,
        **options: Any,  # noqa: ANN401 - those of the library's AsyncClient, as below
    ) -> httpx2.AsyncClient: ...
    @overload
    def client(self, transport: httpx.AsyncBaseTransport, **options: Any) -> httpx.AsyncClient: ...  # noqa: ANN401
    @overload
    def client(self, transport: None = None, *, library: Literal["httpx"], **options: Any) -> httpx.AsyncClient: ...  # noqa: ANN401
    def client(
        self,
        transport: httpx2.AsyncBaseTransport | httpx.AsyncBaseTransport | None = None,
        *,
        library: Literal["httpx", "httpx2"] | None = None,
        **options: Any,
    ) -> httpx2.AsyncClient | httpx.AsyncClient:
        """Return an AsyncClient of this upstream: `async with upstream.client() as client: …`.

        It is of the library that *transport* belongs to; without one, of *library*, by default httpx2. Its base URL is
        `base_url`, and the rest is as `http` says, but for *options*, which are those of the library. A *transport* has
        its own limits and its own idea of TLS. Every call has the breaker, the retries, the budget and the bulkhead,
        and `deadline` bounds it. Proxies that the environment names are not used; give a *transport* that has one.

        Each call of this makes a client with connections of its own, so keep it as long as the app lives; what it has
        left open then is closed by `Resync.stop`. Raises MissingExtra if the library is not installed, RuleError for
        options that only a transport could use beside one, and for a `ca_file` that cannot be read.
        """
        from .client.opening import open_client  # which loads tenacity

        if self.base_url is not None:
            options.setdefault("base_url", self.base_url)
        return open_client(
            transport,
            options,
            library=library,
            wanted=self.http,
            policy=self.retries,
            budget=self.budget,
            breaker=self.breaker,
            bulkhead=self.bulkhead,
            on_event=self._on_event,
            made=self._made,
        )

    async def check(self, client: httpx2.AsyncClient | httpx.AsyncClient | None = None) -> None:
        """Ask once, with *client* or a new one, whether it is well. The `check` of a Resource may call it.

        Raises what the client raises where it is not, BreakerOpen among that, and the library's HTTPStatusError for an
        answer that is not 2xx to `http.health_path`; RuleError where there is none.
        """
        from .client.opening import ask_health  # which loads tenacity

        if self.http.health_path is None:
            raise RuleError("health_path", None, f"give one, such as /health, for the upstream {self.name!r}")
        if client is not None:
            await ask_health(client, self.http.health_path)
            return
        async with self.client(library="httpx") if find_spec("httpx2") is None else self.client() as own:
            await ask_health(own, self.http.health_path)

    @property
    def has_clients(self) -> bool:
        """Whether there are clients whose connections `release` would close."""
        return bool(self._own)

    async def release(self) -> None:
        """Close the connections that its clients have left open on this loop; not those of transports it was given.

        The clients stay as they are: one that is used again connects again. `Resync.stop` calls this at its end.
        """
        for transport in list(self._own):
            await transport.release()

    def adjust(
        self,
        *,
        limits: BreakerLimits,
        http: ClientOptions,
        retries: RetryPolicy,
        budget: RetryBudget,
        bulkhead: Bulkhead | None,
    ) -> None:
        """Have these from now on, in its clients too. Its breaker stays open, or closed, as it is.

        Of *http* only the times reach clients that are there. A budget, or a bulkhead, of the same figures stays.
        """
        if (budget.share, budget.floor, budget.window) == (self.budget.share, self.budget.floor, self.budget.window):
            budget = self.budget
        own = self.bulkhead
        if bulkhead is not None and own is not None and (bulkhead.limit, bulkhead.queue) == (own.limit, own.queue):
            bulkhead = own
        is_changed = (http, retries) != (self.http, self.retries) or budget is not self.budget or bulkhead is not own
        object.__setattr__(self, "http", http)
        object.__setattr__(self, "retries", retries)
        object.__setattr__(self, "budget", budget)
        object.__setattr__(self, "bulkhead", bulkhead)
        for transport in list(self._transports) if is_changed else ():
            transport.adjust(retries, budget, bulkhead)
            transport.retime(http)
        if limits != self.breaker.limits:
            object.__setattr__(self, "limits", limits)
            self.breaker.adjust(limits)

    def _guard(self, on_event: Listener | None = None, clock: Clock = time.monotonic, wall: Clock = time.time) -> None:
        breaker = Breaker(
            self.name,
            self.limits,
            is_failure=self.is_failure,
            is_failed_status=self.is_failed_status,
            on_event=on_event,
            clock=clock,
            wall=wall,
        )
        object.__setattr__(self, "breaker", breaker)
        object.__setattr__(self, "_on_event", on_event)
        object.__setattr__(self, "_transports", WeakSet())
        object.__setattr__(self, "_own", WeakSet())

    def _made(self, transport: Adjustable, is_own: bool) -> None:
        self._transports.add(transport)
        if is_own:
            self._own.add(transport)


class Upstreams(Mapping[str, Upstream]):
    """Upstreams by name. `partner-api` finds `partner_api`, which is how the environment spells it.

    Raises KeyError for a name that is not there, and says which may be meant.
    """

    def __init__(self, upstreams: Iterable[Upstream] = ()) -> None:
        self._by_name = {upstream.name: upstream for upstream in upstreams}
        self._spelled = {spelled(name): name for name in self._by_name}

    def __getitem__(self, name: str) -> Upstream:
        found = self._by_name.get(name) or self._by_name.get(self._spelled.get(spelled(name), ""))
        if found is None:
            near = difflib.get_close_matches(name, self._by_name, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"add Upstream({name!r}) to upstreams"
            raise KeyError(f"no upstream has the name {name!r}; {hint}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def circuits(self, factory: AsyncCircuitBreakerFactory | None = None) -> AsyncCircuitBreakerFactory:
        """Return purgatory's factory over these breakers: `async with await factory.get_breaker("tws"): …`.

        Names that are not here get breakers of their own. An app's own *factory* is handed in before its first use:
        these breakers are put beneath it, and it is returned.
        """
        from .breaker.circuit import CircuitFactory, adopt  # which loads purgatory

        breakers = {name: upstream.breaker for name, upstream in self.items()}
        if factory is None:
            return CircuitFactory(breakers=breakers)
        adopt(factory, breakers)
        return factory

    def __repr__(self) -> str:
        return f"Upstreams({list(self._by_name.values())!r})"


def spelled(name: str) -> str:
    """Return *name* as the environment spells it, in lower case."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def with_upstreams(
    resources: Iterable[Resource | Degradable[Any]], upstreams: Mapping[str, Upstream]
) -> list[Resource | Degradable[Any]]:
    """Return *resources* and those of *upstreams* that can be asked how they are: that have a URL and a `health_path`.

    None of these is critical. One whose name a resource has already is left out: somebody knows better.
    """
    given = list(resources)
    names = {getattr(one, "name", None) for one in given}  # of what is none, others complain
    return given + [
        Resource(name, check=upstream.check, critical=False)
        for name, upstream in upstreams.items()
        if upstream.base_url is not None and upstream.http.health_path is not None and name not in names
    ]
