"""Purging what a write has changed: at once by tag, softly where a refresh is slow, and by HTTP itself without a purge.

pip install '.[demo]'
python examples/purge_on_write.py                                 # serves http://127.0.0.1:8000
curl -i http://127.0.0.1:8000/products/lamp                       # twice: a miss, then a hit; so with the others
curl -i http://127.0.0.1:8000/catalogue
curl -i -X PUT 'http://127.0.0.1:8000/products/lamp?price=30'     # then all of them again:
# /products/lamp is asked anew, since a PUT invalidates its own URL (RFC 9111 §4.4), as are others tagged `lamp`;
# /catalogue, slow to make, is served as it was while it is made anew in the background (a soft purge)
"""

from __future__ import annotations

import asyncio
import os

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asgi_resync import CacheRule, Resync

prices = {"lamp": 20, "desk": 90}
resync = Resync.from_env(
    rules=[
        CacheRule("/products/{name}", ttl=3600),  # and each answer names its own tags, below
        CacheRule("/catalogue", ttl=3600, stale_while_revalidate=600, stale_if_error=600, tags=["catalogue"]),
    ]
)


async def product(request: Request) -> Response:
    """Answer with one product, tagged by its name: `Surrogate-Key` is read here, and by many a CDN."""
    name = request.path_params["name"]
    return JSONResponse({"name": name, "price": prices[name]}, headers={"Surrogate-Key": f"product {name}"})


async def catalogue(request: Request) -> Response:
    """Answer with all of them, slowly."""
    await asyncio.sleep(1)
    return JSONResponse(prices)


async def change(request: Request) -> Response:
    """Change a price. When the answer is there, no process serves the old one any more, unless `queued` says so."""
    name = request.path_params["name"]
    prices[name] = int(request.query_params["price"])
    delivery = await resync.purge(tags=[name])
    await resync.purge(tags=["catalogue"], soft=True)
    return JSONResponse({"purge": delivery.state})


routes = [Route("/products/{name}", product), Route("/products/{name}", change, methods=["PUT"])]
app = resync(Starlette(routes=[*routes, Route("/catalogue", catalogue)]))

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
