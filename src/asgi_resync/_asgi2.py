"""Apps as ASGI 2 had them, which servers and test clients still run: called with the scope, then with the rest."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

from ._asgi import AnyASGIApp, Receive, Scope, Send

_Instance: TypeAlias = Callable[[Receive, Send], Awaitable[None]]


def single_callable(app: AnyASGIApp) -> AnyASGIApp:
    """Return *app*, or what calls it in two steps, if it takes the scope alone and cannot take all three."""
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return app
    if _takes(signature, 3) or not _takes(signature, 1):
        return app

    async def single(scope: Scope, receive: Receive, send: Send) -> None:
        await cast(Callable[[Scope], _Instance], app)(scope)(receive, send)

    return single


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True
