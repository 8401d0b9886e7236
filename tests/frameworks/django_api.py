"""The small API in Django, which has no websockets, no lifespan and no background work of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from tests.frameworks.forms import ITEMS, Form, counts, headers, marked, served, text_of

from asgi_resync import Resync
from asgi_resync._asgi import ASGIApp

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="for tests",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=(),
)
django.setup()


def answer(value: object, status: int = 200, more: dict[str, str] | None = None) -> HttpResponse:
    """Return *value* as a response."""
    return HttpResponse(text_of(value), status=status, headers=more, content_type="application/json")


def build(form: Form, resync: Resync) -> ASGIApp:
    """Return the API, built in *form* and wrapped by *resync*. There is one in a process: the last one built."""
    calls = counts()
    mark = marked(form)

    @mark
    async def plan(request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            try:
                json.loads(request.body)
            except ValueError:
                return answer({"error": "that is no JSON"}, 400)
            return answer({"changed": True}, 201)
        calls["plan"] += 1
        return answer({"jobs": ["JOB7"], "call": calls["plan"]}, more=headers(form))

    @mark
    def item(request: HttpRequest, number: int) -> HttpResponse:
        calls["item"] += 1
        if number not in ITEMS:
            raise Http404
        return answer({"id": number, "name": ITEMS[number]}, more=headers(form))

    async def purge(request: HttpRequest) -> HttpResponse:
        await resync.purge(tags=["plan"])
        return answer({"purged": True}, 201)

    @mark
    async def stream(request: HttpRequest) -> StreamingHttpResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d," % number

        return StreamingHttpResponse(pieces(), headers=headers(form), content_type="application/octet-stream")

    @mark
    async def slow(request: HttpRequest) -> HttpResponse:
        calls["slow"] += 1
        await asyncio.sleep(0.05)
        return answer({"call": calls["slow"]}, more=headers(form))

    @mark
    async def broken(request: HttpRequest) -> HttpResponse:
        calls["broken"] += 1
        raise RuntimeError("broken on purpose")

    async def count(request: HttpRequest) -> HttpResponse:
        return answer(calls, more={"cache-control": "no-store"})

    settings.ROOT_URLCONF = (
        path("plan", plan),
        path("items/<int:number>", item),
        path("purge", purge),
        path("stream", stream),
        path("slow", slow),
        path("broken", broken),
        path("count", count),
    )
    return resync(get_asgi_application())


app = build(*served("django"))
