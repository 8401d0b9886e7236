"""A service behind the app, by name: its breaker, and what stands in for it. It calls nobody by itself."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any, overload

from ._asgi import Clock
from .breaker.breaker import Breaker
from .breaker.fallback import fallback_app
from .breaker.limits import BreakerLimits
from .breaker.outcome import is_failed_status
from .client.budget import RetryBudget
from .client.bulkhead import Bulkhead
from .client.schedule import RetryPolicy
from .errors import RuleError
from .events import Listener

if TYPE_CHECKING:
    import httpx
    import httpx2
    from purgatory import AsyncCircuitBreakerFactory

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream that rules may name, and what guards it: `async with upstream.breaker: …`.

    `name` is lower-case letters, digits, `-` and `_`. `fallback` is what routes that need it answer while it is open:
    content (sent as JSON, or as it is if text or bytes), a `Fallback` with a status and header lines, a function of
    the scope, or an ASGI app. `url` is its base URL, `limits` are its breaker's; what the environment says of them
    wins, field by field. `is_failure` says of an exception, `is_failed_status` of a status, whether the breaker counts
    it as a failure. `retries` and `bulkhead` are those of its clients, and `budget` is what all of them share.

    Raises RuleError for what cannot work.
    """

    name: str
    _: KW_ONLY
    fallback: object = field(default=None, compare=False)
    url: str | None = field(default=None, compare=False, repr=False)
    limits: BreakerLimits | None = field(default=None, compare=False)
    is_failure: Callable[[BaseException], bool] | None = field(default=None, compare=False, repr=False)
    is_failed_status: Callable[[int], bool] = field(default=is_failed_status, compare=False, repr=False)
    retries: RetryPolicy | None = field(default=None, compare=False)
    budget: RetryBudget = field(default_factory=RetryBudget, compare=False, repr=False)
    bulkhead: Bulkhead | None = field(default=None, compare=False, repr=False)
    breaker: Breaker = field(init=False, compare=False, repr=False)
    _on_event: Listener | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise RuleError("name", name, "give lower-case letters, digits, '-' and '_', such as 'tws'")
        fallback_app(self.fallback)
        self._guard()

    def configured(
        self,
        *,
        limits: BreakerLimits,
        url: str | None = None,
        on_event: Listener | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> Upstream:
        """Return the like of it with a breaker of its own, that has *limits* and tells *on_event*."""
        upstream = replace(self, limits=limits, url=url)
        upstream._guard(on_event, clock, wall)
        return upstream

    @overload
    def client(
        self,
        transport: httpx2.AsyncBaseTransport | None = None,
        **options: Any,  # noqa: ANN401 - those of the library's AsyncClient, as below
    ) -> httpx2.AsyncClient: ...
    @overload
    def client(self, transport: httpx.AsyncBaseTransport, **options: Any) -> httpx.AsyncClient: ...  # noqa: ANN401
    def client(
        self,
        transport: httpx2.AsyncBaseTransport | httpx.AsyncBaseTransport | None = None,
        **options: Any,
    ) -> httpx2.AsyncClient | httpx.AsyncClient:
        """Return an AsyncClient of this upstream: `async with upstream.client() as client: …`.

        It is of the library that *transport* belongs to, httpx2 without one, and *options* are that library's; its
        base URL is `url`. Every call has the breaker, the retries, the budget and the bulkhead, and `deadline` bounds
        it. Proxies that the environment names are not used; give a *transport* that has one.

        Each call of this makes a client with connections of its own, so keep it as long as the app lives. Raises
        MissingExtra if the library is not installed, RuleError for options that only a transport could use beside one.
        """
        from .client.opening import open_client  # which loads tenacity

        if self.url is not None:
            options.setdefault("base_url", self.url)
        return open_client(
            transport,
            options,
            policy=self.retries,
            budget=self.budget,
            breaker=self.breaker,
            bulkhead=self.bulkhead,
            on_event=self._on_event,
        )

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
