"""Litestar with the cache inside the app: as its middleware, started and stopped by its lifespan.

Wrapping the whole app, `app = resync(app)`, is shorter and answers hits before Litestar runs; this form is for apps
whose own middleware must see every request.

    pip install '.[demo]' litestar
    python examples/litestar_app.py                           # serves http://127.0.0.1:8000
    curl -i http://127.0.0.1:8000/plan/current                # twice: a miss, then a hit with Age and Cache-Status
    curl -i -H 'Accept-Language: de' http://127.0.0.1:8000/plan/current   # another variant, as the rule varies by it
    curl -i -X POST http://127.0.0.1:8000/purge               # throws both away
"""

from __future__ import annotations

import itertools
import os
from typing import Any

import uvicorn
from litestar import Litestar, Request, get, post

from asgi_resync import CacheRule, Resync

resync = Resync.from_env(rules=[CacheRule("/plan/{name}", ttl=10, vary=["accept-language"], tags=["plan"])])
calls = itertools.count(1)


@get("/plan/current")
async def plan(request: Request[Any, Any, Any]) -> dict[str, str | int]:
    """Answer in the language of the client."""
    language = request.headers.get("accept-language", "en")
    return {"plan": "aktuell" if language.startswith("de") else "current", "call": next(calls)}


@post("/purge")
async def purge() -> dict[str, str]:
    """Throw away what is stored of the plan."""
    await resync.purge(tags=["plan"])
    return {"purged": "plan"}


app = Litestar([plan, purge], lifespan=[resync.lifespan], middleware=[resync.middleware])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
