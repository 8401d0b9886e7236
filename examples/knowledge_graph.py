"""A knowledge graph that the app uses while it has it: RDF that says which job runs after which, read from a file.

pip install '.[demo]' rdflib
python examples/knowledge_graph.py                    # serves http://127.0.0.1:8000; there is no file yet
curl -i http://127.0.0.1:8000/jobs/REPORT             # "after": [], and Resync-Degraded: graph
curl http://127.0.0.1:8000/-/healthz                  # degraded, ready, and what the outage touches
curl -i -X POST http://127.0.0.1:8000/jobs/REPORT/after/BACKUP    # 503: a write says so
echo '<urn:job:REPORT> <urn:after> <urn:job:PAYROLL> .' > jobs.ttl
curl -i http://127.0.0.1:8000/jobs/REPORT             # seconds later: "after": ["PAYROLL"], and it is kept
"""

from __future__ import annotations

import asyncio
import os

import uvicorn
from rdflib import Graph, URIRef
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi_resync import Backoff, CacheRule, Degradable, ResourceUnavailable, Resync, Settings

JOB, AFTER = "urn:job:", URIRef("urn:after")


async def load() -> Graph:
    """Read the graph; raises OSError while there is none."""
    return await asyncio.to_thread(Graph().parse, os.environ.get("JOBS", "jobs.ttl"))


graph = Degradable("graph", start=load, retry=Backoff(first=0.5, most=2))


async def job(request: Request) -> JSONResponse:
    """Say after which jobs it runs, as far as is known."""
    name = URIRef(JOB + request.path_params["name"])
    after: list[str] = await graph.read(lambda known: sorted(map(str, known.objects(name, AFTER))), [])
    return JSONResponse({"after": [other.removeprefix(JOB) for other in after]})


async def follow(request: Request) -> JSONResponse:
    """Let a job run after another."""
    edge = URIRef(JOB + request.path_params["name"]), AFTER, URIRef(JOB + request.path_params["other"])
    await graph.write(lambda known: known.add(edge))
    await resync.purge(upstream="graph")
    return JSONResponse({}, status_code=201)


routes = [Route("/jobs/{name}", job), Route("/jobs/{name}/after/{other}", follow, methods=["POST"])]
resync = Resync(Settings(health_path="/-"), rules=[CacheRule("/jobs/{name}", ttl=60)], resources=[graph])
app = resync(
    Starlette(routes=routes, exception_handlers={ResourceUnavailable: lambda _, error: JSONResponse(str(error), 503)})
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
