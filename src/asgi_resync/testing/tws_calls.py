"""The calls that a FakeTWS answers, by method and path below the context root. It knows no ASGI and no faults."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol, TypeAlias

from .._asgi import Clock
from .plan import Job, Plan, iso, seconds_of


class Engine(Protocol):
    """What is told of: a plan, and what time it is there."""

    plan: Plan
    clock: Clock


class Problem(Exception):
    """An answer that carries `messages`, as failures of the engine do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Call:
    """One request: the parts of its path that were captured, its query and its body."""

    def __init__(self, captured: tuple[str, ...], query: Mapping[str, list[str]], body: bytes, most: int) -> None:
        self.captured = captured
        self.query = query
        self.body = body
        self.most = most
        """How many items a list may have."""

    def filters(self, name: str) -> Mapping[str, Any]:
        """Return the filter *name* of a query. Raises Problem if the body is none."""
        try:
            document = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            raise Problem(400, "AWSJCO084E The body is not valid JSON.") from None
        filters = document.get("filters", {}) if isinstance(document, dict) else None
        found = filters.get(name, {}) if isinstance(filters, dict) else None
        if not isinstance(found, dict):
            raise Problem(400, f"AWSJCO084E The filter {name} is not an object.")
        return found


Handler: TypeAlias = Callable[[Engine, Call], object]

ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def route(method: str, template: str) -> Callable[[Handler], Handler]:
    """Make a function answer *method* on *template*, in which `{}` stands for one segment."""
    pattern = re.compile(re.escape(template).replace(r"\{\}", "([^/]+)") + "/?")

    def add(handler: Handler) -> Handler:
        ROUTES.append((method, pattern, handler))
        return handler

    return add


def _job(fake: Engine, id_: str) -> Job:
    job = fake.plan.job(id_)
    if job is None:
        raise Problem(404, f"AWSJPL018E The job {id_} was not found.")
    return job


@route("HEAD", "")
@route("GET", "/engine/info")
def _engine(fake: Engine, call: Call) -> object:
    return {
        "engineName": "tws-engine",
        "engineOwner": "tws-owner",
        "version": "10.2.3",
        "startTime": iso(fake.plan.created),
    }


@route("GET", "/plan/current")
def _current(fake: Engine, call: Call) -> object:
    created = iso(fake.plan.created)
    return {
        "planId": "Symphony",
        "plan_id": "Symphony",
        "creation_date": created,
        "estimated_completion": iso(fake.plan.created + 86400),
        "jobs_count": len(fake.plan.jobs),
        "status": "ACTIVE",
    }


@route("POST", "/plan/current/job/query")
def _job_query(fake: Engine, call: Call) -> object:
    now = fake.clock()
    return [job.in_plan(now) for job in _found(fake, call.filters("jobInPlanFilter"))][: call.most]


@route("POST", "/plan/current/criticaljob/query")
def _critical_query(fake: Engine, call: Call) -> object:
    now = fake.clock()
    found = _found(fake, call.filters("criticalJobInPlanFilter"), critical=True)
    return [job.in_plan(now) for job in found][: call.most]


def _found(fake: Engine, wanted: Mapping[str, Any], *, critical: bool = False) -> list[Job]:
    try:
        return fake.plan.query(wanted, critical=critical)
    except ValueError:
        raise Problem(400, "AWSJCO084E inputArrivalTime must be a time in ISO 8601.") from None


@route("POST", "/plan/current/jobstream/query")
def _stream_query(fake: Engine, call: Call) -> object:
    now = fake.clock()
    return [
        {
            "id": f"{jobs[0].workstation};{name}",
            "name": name,
            "status": {"internalStatus": "STUCK" if any(job.state(now) == "ABEND" for job in jobs) else "EXEC"},
            "startTime": iso(min(job.starts for job in jobs)),
            "workstationKey": {"name": jobs[0].workstation},
        }
        for name, jobs in fake.plan.streams(call.filters("jobStreamInPlanFilter"))
    ][: call.most]


@route("POST", "/model/workstation/query")
def _station_query(fake: Engine, call: Call) -> object:
    return [asdict(station) for station in fake.plan.stations(call.filters("workstationFilter"))][: call.most]


@route("GET", "/plan/current/job/{}/joblog")
def _joblog(fake: Engine, call: Call) -> object:
    job = _job(fake, call.captured[0])
    if job.state(fake.clock()) in ("WAIT", "READY", "HOLD"):
        raise Problem(404, f"AWSJPL505E {job.id} has no log yet.")
    return {"log": job.log}


@route("PUT", "/plan/current/job/{}/action/{}")
def _action(fake: Engine, call: Call) -> object:
    job = _job(fake, call.captured[0])
    refusal = job.act(call.captured[1], fake.clock())
    if refusal is not None:
        raise Problem(400, f"AWSJPL706E {refusal}")
    return {}


@route("GET", "/model/workstation")
def _stations(fake: Engine, call: Call) -> object:
    return [asdict(station) for station in fake.plan.workstations]


@route("GET", "/model/jobstream")
def _streams(fake: Engine, call: Call) -> object:
    wanted = {"jobStreamName": call.query.get("key", ["*"])[0]}
    return [
        {"id": f"{jobs[0].workstation};{name}", "name": name, "jobs": [job.name for job in jobs]}
        for name, jobs in fake.plan.streams(wanted)
    ]


@route("GET", "/model/jobstream/{}/rc-evaluation")
def _run_cycles(fake: Engine, call: Call) -> object:
    """Every stream runs once a day, at the hour of its first job. The shape of a real answer is not known."""
    station, _, name = call.captured[0].rpartition(";")
    found = fake.plan.streams({"jobStreamName": name, "workstationName": station or "*"})
    if not found:
        raise Problem(404, f"AWSJPL018E The job stream {call.captured[0]} was not found.")
    try:
        start, end = (seconds_of(call.query[bound][0]) for bound in ("from", "to"))
    except (KeyError, ValueError):
        raise Problem(400, "AWSJCO084E From and to must be times in ISO 8601.") from None
    first = min(job.starts for job in found[0][1])
    day = 86_400
    runs = range(math.ceil((start - first) / day), math.floor((end - first) / day) + 1)
    return [{"startTime": iso(first + day * run)} for run in runs[: call.most]]


@route("GET", "/model/jobdefinition")
def _definitions(fake: Engine, call: Call) -> object:
    now = fake.clock()
    return [_definition(job, now) for job in fake.plan.jobs]


@route("GET", "/model/jobdefinition/{}")
def _one_definition(fake: Engine, call: Call) -> object:
    return _definition(_job(fake, call.captured[0]), fake.clock())


@route("GET", "/model/jobdefinition/{}/log")
def _definition_log(fake: Engine, call: Call) -> object:
    return {"log_content": _job(fake, call.captured[0]).log}


@route("GET", "/model/jobdefinition/{}/history")
def _history(fake: Engine, call: Call) -> object:
    job, now = _job(fake, call.captured[0]), fake.clock()
    if job.state(now) not in ("SUCC", "ABEND"):
        return []
    return [
        {
            "job_id": job.id,
            "status": job.state(now),
            "start_time": iso(job.starts),
            "end_time": iso(job.starts + job.runs),
            "duration": job.runs,
            "error_message": job.log if job.ends_as == "ABEND" else None,
        }
    ]


@route("GET", "/model/jobdefinition/{}/dependencies")
def _dependencies(fake: Engine, call: Call) -> object:
    """Each job of a stream depends on the one before it."""
    job = _job(fake, call.captured[0])
    names = [other.id for other in fake.plan.jobs if other.stream == job.stream]
    place = names.index(job.id)
    before, after = names[max(0, place - 1) : place], names[place + 1 : place + 2]
    return {"dependencies": before, "dependents": after, "dependency_graph": {job.id: before}}


@route("GET", "/events")
def _events(fake: Engine, call: Call) -> object:
    now = fake.clock()
    return [
        {
            "event_id": str(number),
            "timestamp": iso(job.starts + job.runs),
            "event_type": "JOB_FAILED",
            "severity": "ERROR",
            "source": "tws-engine",
            "message": job.log,
            "job_id": job.id,
            "workstation": job.workstation,
        }
        for number, job in enumerate(fake.plan.jobs, 1)
        if job.state(now) == "ABEND"
    ]


@route("GET", "/metrics")
def _metrics(fake: Engine, call: Call) -> object:
    return {
        "timestamp": iso(fake.clock()),
        "api_response_times": {},
        "cache_hit_rate": 0.0,
        "memory_usage_mb": 512.0,
        "cpu_usage_percentage": 5.0,
        "active_connections": 1,
        "jobs_per_minute": 1.0,
    }


@route("GET", "/plan/current/criticalpath")
def _critical_path(fake: Engine, call: Call) -> object:
    now = fake.clock()
    return {
        "jobs": [
            {"job_id": number, "job_name": job.name, "status": job.state(now), "start_time": iso(job.starts)}
            for number, job in enumerate(fake.plan.query({}, critical=True), 1)
        ]
    }


@route("GET", "/model/resource")
def _resources(fake: Engine, call: Call) -> object:
    return list(fake.plan.resources)


@route("GET", "/plan/job")
def _v2_jobs(fake: Engine, call: Call) -> object:
    now, most = fake.clock(), call.query.get("limit", ["50"])[0]
    return [job.in_plan(now) for job in fake.plan.jobs][: int(most) if most.isdecimal() and most.isascii() else 50]


@route("GET", "/plan/job/count")
def _v2_count(fake: Engine, call: Call) -> object:
    return {"count": len(fake.plan.jobs)}


@route("GET", "/plan/job/{}")
def _v2_job(fake: Engine, call: Call) -> object:
    return _job(fake, call.captured[0]).in_plan(fake.clock())


def _definition(job: Job, now: float) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "workstation": job.workstation,
        "status": job.state(now),
        "job_stream": job.stream,
    }
