"""Three ways to say in FastAPI what may be cached: in the response, on the endpoint, and by a rule.

pip install '.[demo]' fastapi
python examples/fastapi_app.py                            # serves http://127.0.0.1:8000
curl -i http://127.0.0.1:8000/jobs                        # twice: a miss, then a hit with Age and Cache-Status
curl -i http://127.0.0.1:8000/workstations                # the same, and `resync.purge(tags=["model"])` reaches it
curl -i http://127.0.0.1:8000/plan/current                # the same
curl -i -X PUT http://127.0.0.1:8000/plan/current         # a change to a URL invalidates what is stored for it
curl -i http://127.0.0.1:8000/me                          # nobody said so: never cached
"""

from __future__ import annotations

import itertools
import os

import uvicorn
from fastapi import FastAPI, Response

from asgi_resync import CacheRule, Resync, cache_for

app = FastAPI()
calls = itertools.count(1)


@app.get("/jobs")
async def jobs(response: Response) -> dict[str, int]:
    response.headers["Cache-Control"] = "max-age=10, stale-while-revalidate=30"  # 1. the response says it
    return {"jobs": 42, "call": next(calls)}


@app.get("/workstations")
@cache_for(3600, tags=["model"])  # 2. the endpoint says it
def workstations() -> dict[str, int]:
    return {"workstations": 3, "call": next(calls)}


@app.get("/plan/{name}")
async def plan(name: str) -> dict[str, str | int]:  # 3. a rule says it
    return {"plan": name, "call": next(calls)}


@app.put("/plan/{name}", status_code=204)
async def change(name: str) -> None:
    """Change the plan."""


@app.get("/me")
async def me() -> dict[str, int]:
    return {"call": next(calls)}


resync = Resync.from_env(rules=[CacheRule("/plan/{name}", ttl=10, stale_if_error=300, tags=["plan"])])

if __name__ == "__main__":
    uvicorn.run(resync(app), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
