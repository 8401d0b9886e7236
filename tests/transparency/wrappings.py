"""The ways an app may stand behind Resync, the bare app among them. Every test here runs under each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from asgi_resync import BreakerLimits, BreakerRule, CacheRule, Resync, Settings, Upstream
from asgi_resync._asgi import ASGIApp, Message, Receive, Scope, Send

Wrap: TypeAlias = Callable[[ASGIApp], ASGIApp]

OPT_IN = (b"cache-control", b"max-age=10")
"""The line with which an app asks to be stored."""


def bare(app: ASGIApp) -> ASGIApp:
    """Return *app* itself."""
    return app


def without_rules(app: ASGIApp) -> ASGIApp:
    """Wrap *app* where nothing says that it may be stored."""
    return Resync(Settings())(app)


def with_rule(app: ASGIApp) -> ASGIApp:
    """Wrap *app* where a rule says that every path may be stored."""
    return Resync(Settings(), rules=[CacheRule("/{rest:path}", ttl=10, stale_while_revalidate=30, tags=["all"])])(app)


def with_opt_in(app: ASGIApp) -> ASGIApp:
    """Wrap *app* where its responses say that they may be stored."""
    return Resync(Settings())(opting_in(app))


def with_breaker(app: ASGIApp) -> ASGIApp:
    """Wrap *app* where every path needs an upstream, whose breaker no number of failures opens."""
    tws = Upstream("tws", limits=BreakerLimits(fail_max=1_000_000, failure_rate=None))
    return Resync(Settings(), rules=[BreakerRule("/{rest:path}", upstreams=["tws"])], upstreams=[tws])(app)


def opting_in(app: ASGIApp) -> ASGIApp:
    """Return *app* with one more line, `OPT_IN`, at the end of each response's header."""

    async def opted_in(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_opted_in(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), OPT_IN]}
            await send(message)

        await app(scope, receive, send_opted_in if scope["type"] == "http" else send)

    return opted_in


WRAPPINGS: dict[str, Wrap] = {
    "bare": bare,
    "no rules": without_rules,
    "rule": with_rule,
    "opt-in": with_opt_in,
    "breaker": with_breaker,
}
