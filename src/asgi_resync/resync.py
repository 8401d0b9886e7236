"""Resync wires settings to parts. It is the only module that knows them all, and it decides nothing itself."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ._asgi import AnyASGIApp, Clock, Receive, Scope, Send
from ._asgi2 import single_callable
from .arguments import by_name
from .breaker.guard import BreakerGuard
from .breaker.middleware import BreakerMiddleware
from .breaker.rules import BreakerRule
from .breaker.state import State
from .cache.cache import Cache
from .cache.callables import Decorator
from .cache.memory import MemoryStore
from .cache.middleware import CacheMiddleware
from .cache.options import CacheOptions
from .cache.rulebook import CacheRuleBook
from .cache.rules import CacheRule, url_in_key
from .cache.sweep import sweep_forever
from .cache.undelivered import Delivery
from .cache.value_terms import terms_of
from .client.app_redis import AppRedis
from .closing import closing
from .errors import AlreadyWrapped, RuleError
from .events import ConfigApplied, ConfigRefused, Listener
from .knowledge import Knowledge
from .resources.degradable import Degradable, DegradedAnswers
from .resources.graph import Graph
from .resources.health import Health
from .resources.health_app import HealthApp, HealthRoutes, probe_paths
from .resources.late import LateStart
from .resources.life import Life
from .resources.lifespan import LifespanResponder
from .resources.probes import Probes
from .resources.resource import Resource
from .resources.supervisor import Supervisor
from .ruling import Ruling
from .settings import Settings
from .settings.parts import Parts, cache_options, memory_sizes
from .settings.reload import Reloader, config_resource
from .settings.upstreams import coded, configured
from .shared import share_breakers
from .telemetry.several import listener_of
from .upstream import Upstream, Upstreams, with_upstreams

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from .cache.l2.tier import SecondTier


class Resync:
    """Everything the library does, for one process: `app = resync(app)` wraps any ASGI app, of ASGI 3 or 2.

    *settings* default to those without any environment; `from_env` reads it. *rules* say what is cached where the
    responses do not, and which routes need which upstreams: a CacheRule that names some makes its routes critical,
    unless a BreakerRule says otherwise. *upstreams* are what rules may name. *resources* are started before the app and
    stopped after it, in the order that they need, each a Resource or a Degradable. *on_event* is called with each
    event, on the event loop, or each of a list is; what goes wrong is logged beside that, see `telemetry`. *clock*
    gives seconds since the epoch; breakers go by it too if it is not the system's, and otherwise by a monotonic one.
    Making one does no I/O and binds to no loop, and several do not meet.

    `upstreams` has those given, those of the settings, `redis` and `tws`, each with its breaker. Requests go through
    the breakers where *upstreams* or a rule names one.

    Raises RuleError for arguments of the wrong kind, and for a rule that names an upstream which is neither in
    *upstreams* nor in the settings, `redis` and `tws` aside: these two are always known.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        rules: Iterable[CacheRule | BreakerRule] = (),
        upstreams: Iterable[Upstream] = (),
        resources: Iterable[Resource | Degradable[Any]] = (),
        on_event: Listener | Sequence[Listener] | None = None,
        clock: Clock = time.time,
    ) -> None:
        if settings is not None and not isinstance(settings, Settings):
            raise RuleError("settings", settings, "give Settings, such as Settings.from_env()")
        listener = listener_of(on_event)
        first = settings if settings is not None else Settings()
        given = by_name(upstreams)
        in_code = coded(given, first)
        self.upstreams = Upstreams(configured(in_code, first, on_event=listener, clock=clock))
        self._steady = time.monotonic if clock is time.time else clock
        self._knowledge = Knowledge(clock=self._steady)
        self._knowledge.add_upstreams(self.upstreams)
        self._on_event = listener
        cache = first.cache
        self._memory = MemoryStore(**memory_sizes(first), clock=clock, on_event=listener)
        options = cache_options(first)
        self._tier: SecondTier | None = None
        if first.redis.url is None:
            self.cache = Cache(self._memory, options=options, clock=clock, on_event=listener)
        else:
            self._tier = self._second_tier(first, first.redis.url, options, clock)
            self.cache = self._tier.cache
        self.cache.on_built = self._knowledge.learn
        self._ruling = Ruling(rules, cache.rules, self.cache, self.upstreams, self._knowledge)
        self._has_upstreams = bool(given)
        self._app_redis = AppRedis(first.redis.url, self.upstreams["redis"].breaker)
        self._life = Life(
            self.cache,
            lambda: sweep_forever(self._memory, self.cache.clock, lambda: self.settings.cache.sweep_interval),
            with_upstreams(resources, self.upstreams),
            timeout=first.startup_timeout,
            wait=first.startup_wait,
            shutdown=first.shutdown_timeout,
            tier=self._tier,
            config=config_resource(first, lambda is_whole: self._reloader.reload(is_whole), self.cache.failed),
            close=closing(self._app_redis.aclose, self.upstreams, listener),
            on_event=listener,
            clock=clock,
        )
        for resource in self._life.resources.resources:
            self._knowledge.add_resource(resource.name, resource.depends_on)
        if self._tier is not None:
            share_breakers(self.upstreams, first, self._tier.share)
            # Where nobody starts it, as with `--lifespan off`, the first look into Redis on a loop does.
            self.cache.on_look = self._life.begin_late
        parts = Parts(
            cache=self.cache,
            memory=self._memory,
            tier=self._tier,
            upstreams=self.upstreams,
            coded=in_code,
            life=self._life,
            ruling=self._ruling,
        )
        self._reloader = Reloader(first, parts, None, listener)
        self._probes = Probes(
            self._life,
            breakers=lambda: [upstream.breaker.report() for upstream in self.upstreams.values()],
            memory=self._memory.stats,
            has_l2=self._tier is not None,
            graph=lambda: self.graph,
            interval=first.health_interval,
            clock=clock,
        )
        self._aside = probe_paths(first.health_path)  # The cache lets these alone.
        self.health_app = HealthApp(self._probes)
        """An ASGI app to mount, with `/livez`, `/readyz` and `/healthz`; RESYNC_HEALTH_PATH does it too."""

    @property
    def settings(self) -> Settings:
        """The settings that are in force."""
        return self._reloader.settings

    @property
    def rules(self) -> CacheRuleBook:
        """The rules of the cache in force, a sequence: those of RESYNC_CACHE_RULES, then those of the code."""
        return self._ruling.cached

    @property
    def breaker_rules(self) -> tuple[BreakerRule, ...]:
        """The rules of breakers in force: the code's, then those of the `rules` that name upstreams."""
        return self._ruling.guarding.rules

    async def reload(self) -> ConfigApplied | ConfigRefused:
        """Read environment and config file again, as `from_env` did, and have what they say in force at once.

        What takes a restart is named and stays as it is. Where anything is wrong, nothing changes. Raises nothing.
        """
        return await self._reloader.reload()

    async def health(self) -> Health:
        """Return how everything is. Who asks has it checked at most every RESYNC_HEALTH_INTERVAL, however many ask."""
        return await self._probes.health()

    @property
    def resources(self) -> Supervisor:
        """How each resource stands, by name: `resync.resources["database"].state`."""
        return self._life.resources

    def _second_tier(self, settings: Settings, url: str, options: CacheOptions, clock: Clock) -> SecondTier:
        from .cache.l2.tier import SecondTier  # which loads redis

        cache, breaker = settings.cache, self.upstreams["redis"].breaker

        def on_live() -> None:
            if breaker.state in (State.OPEN, State.HALF_OPEN):
                breaker.reset(cause="connected")

        return SecondTier(
            url,
            self._memory,
            options=options,
            deadline=settings.redis.timeout,
            prefix=cache.key_prefix,
            near_ttl=cache.l1_ttl,
            far_ttl=cache.l2_ttl,
            jitter=cache.ttl_jitter,
            signing_keys=cache.signing_key,
            lease=cache.lease,
            clock=clock,
            on_event=self._on_event,
            guard=BreakerGuard(breaker),
            on_live=on_live,
        )

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        rules: Iterable[CacheRule | BreakerRule] = (),
        upstreams: Iterable[Upstream] = (),
        resources: Iterable[Resource | Degradable[Any]] = (),
        on_event: Listener | Sequence[Listener] | None = None,
        clock: Clock = time.time,
    ) -> Resync:
        """Return a Resync with the settings of *environ*, by default the process's own.

        Raises SettingsError with every problem in it.
        """
        given = dict(os.environ if environ is None else environ)
        made = cls(
            Settings.from_env(given),
            rules=rules,
            upstreams=upstreams,
            resources=resources,
            on_event=on_event,
            clock=clock,
        )
        made._reloader.environ = os.environ if environ is None else given
        return made

    def __call__(self, app: AnyASGIApp) -> ResyncApp:
        """Return *app* wrapped: cached, and with this Resync started and stopped around its lifespan.

        Attributes of *app* are reached through the result, so routes can still be added. Raises AlreadyWrapped if this
        Resync is already around it.
        """
        if not callable(app):
            raise RuleError("app", app, "give an ASGI app, such as FastAPI()")
        inner: object = app
        while isinstance(inner, ResyncApp):
            if inner.resync is self:
                raise AlreadyWrapped
            inner = inner.wrapped
        return ResyncApp(self, app)

    def middleware(self, app: AnyASGIApp) -> AnyASGIApp:
        """Return *app* with breakers and cache around it: for `Litestar(middleware=[resync.middleware])` and its like.

        It serves without being started; combine it with `resync.lifespan`, which sweeps and stops in order.
        """
        inner = self._inside(single_callable(app))
        return CacheMiddleware(inner, cache=self.cache, rules=self.rules, aside=self._aside)

    def guarded(self, app: AnyASGIApp) -> AnyASGIApp:
        """Return *app* with the breakers of its upstreams around it, and nothing else; *app* itself if it has none."""
        only_by_rules = not self._has_upstreams
        if only_by_rules and not self.breaker_rules and self._reloader.environ is None:
            return app  # Nor can settings bring rules later.
        return BreakerMiddleware(
            app,
            upstreams=self.upstreams,
            rules=self._ruling.guarding,
            only_by_rules=only_by_rules,
            on_event=self._on_event,
            clock=self._steady,
        )

    def lifespan(self, app: object = None) -> AbstractAsyncContextManager[None]:
        """Return the context manager to give to a framework: `FastAPI(lifespan=resync.lifespan)`."""
        return self._lifespan()

    @contextlib.asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def purge(
        self,
        *,
        tags: Iterable[str] = (),
        urls: Iterable[str] = (),
        upstream: str | None = None,
        everything: bool = False,
        soft: bool = False,
    ) -> Delivery:
        """Purge by tags, URLs, upstream, or everything; see `Cache.purge`. The rules say how a query enters the key.

        It holds in this process when it returns; the result says how far it has got in the others.
        """
        upstreams = () if upstream is None else (upstream,)
        keyed = urls if isinstance(urls, str) else [self._keyed(url) for url in urls]
        return await self.cache.purge(tags=tags, urls=keyed, upstreams=upstreams, everything=everything, soft=soft)

    def cached(
        self,
        key: str | None = None,
        *,
        ttl: float,
        type: object = None,
        tags: Sequence[str] = (),
        upstreams: Sequence[str] = (),
        stale_while_revalidate: float | None = None,
        stale_if_error: float | None = None,
    ) -> Decorator:
        """Keep what a function returns: `@resync.cached("jobs:{status}", ttl=10, tags=["plan"])`.

        *key* names the parameters that count, between braces; without it all do, and a method needs one. Arguments that
        count are None, texts, bytes, numbers, dates, UUIDs, members of enums, and lists and tuples of these.
        *tags* may name parameters too. *type* is what is returned, by default what the function's annotation says.
        For the rest see `Cache.get_or_set`. A function that is not async becomes so, and runs in a thread.

        Raises RuleError for a template that does not fit the function, and when it is called, for an argument that has
        no stable text.
        """
        for name in upstreams:
            if name not in self.upstreams:
                raise RuleError("upstreams", name, f"add Upstream({name!r}) to upstreams")
        terms = terms_of(ttl, tags, upstreams, stale_while_revalidate, stale_if_error)
        return self.cache.values.cached(key, terms, type, self._knowledge.add_callable)

    def redis(self, *, decode_responses: bool = False) -> Redis:
        """Return redis-py's client of RESYNC_REDIS_URL for the app's own use: `await resync.redis().get("key")`.

        Its commands, pipelines and subscriptions go through the breaker `redis` that the cache has too, raise
        BreakerOpen while it is open, are bounded by `deadline`, and are never sent twice. Each loop has one, which
        `stop` closes. A cluster's URL must say redis+cluster: it is a RedisCluster. Raises RuleError without a URL.
        """
        return self._app_redis.client(decode_responses=decode_responses)

    @property
    def graph(self) -> Graph:
        """What depends on what, as declared and as learned so far: `print(resync.graph.text())`."""
        return self._knowledge.graph()

    def _keyed(self, url: str) -> str:
        try:
            return url_in_key(url, self.rules)
        except ValueError:
            return url  # The cache refuses it, by name.

    async def start(self) -> None:
        """Start the resources, and what runs in the background of this loop. Two lifespans around one app do no harm.

        Raises ResourceFailed if a critical one is not up within RESYNC_STARTUP_TIMEOUT; then nothing is left running.
        """
        await self._life.start()

    async def stop(self) -> None:
        """Stop what `start` started on this loop, within RESYNC_SHUTDOWN_TIMEOUT. What is stored stays."""
        await self._life.stop()

    def _inside(self, app: AnyASGIApp) -> AnyASGIApp:
        """Return *app* with everything around it but the cache."""
        telling = DegradedAnswers(app) if self._life.may_degrade else app
        inner, path = self._late(self.guarded(telling)), self.settings.health_path
        # No breaker and no start may keep a probe from its answer.
        return inner if path is None else HealthRoutes(inner, self.health_app, path)

    def _late(self, app: AnyASGIApp) -> AnyASGIApp:
        """Return *app* with the resources started at the first request that reaches it, if nobody has by then."""
        return LateStart(app, self._life) if self._life.has_own else app


class ResyncApp(CacheMiddleware):
    """An app with a Resync around it. It answers lifespan itself where the app does not."""

    def __init__(self, resync: Resync, app: AnyASGIApp) -> None:
        self._called = called = single_callable(app)
        super().__init__(resync._inside(called), cache=resync.cache, rules=resync.rules, aside=resync._aside)
        self.wrapped, self._late = app, resync._late(called)
        self.resync = resync

    async def other_scope(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run this Resync around the app's lifespan; pass anything else on."""
        if scope["type"] != "lifespan":
            await self._late(scope, receive, send)
            return
        lifespan = LifespanResponder(self._called, start=self.resync.start, stop=self.resync.stop)
        await lifespan(scope, receive, send)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the app has
        if name == "wrapped":
            # Asked before it is set, as by copy and pickle.
            raise AttributeError(name)
        return getattr(self.wrapped, name)
