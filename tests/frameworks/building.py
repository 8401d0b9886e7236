"""The apps in this process, each with a lifespan played to it as a server would."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asgi_lifespan import LifespanManager
from tests.frameworks.forms import Form, resync_for

from asgi_resync._asgi import Receive, Scope, Send
from asgi_resync.events import Event
from asgi_resync.resync import ResyncApp


@asynccontextmanager
async def running(framework: str, form: Form, events: list[Event] | None = None) -> AsyncIterator[ResyncApp]:
    """Give the small API in *framework*, built in *form* and started."""
    app: ResyncApp = importlib.import_module(f"tests.frameworks.{framework}_api").build(form, resync_for(form, events))

    async def versioned(scope: Scope, receive: Receive, send: Send) -> None:
        # Falcon starts for none but ASGI 3, which the manager does not say.
        await app({**scope, "asgi": {"version": "3.0", "spec_version": "2.0"}}, receive, send)

    async with LifespanManager(versioned):
        yield app
