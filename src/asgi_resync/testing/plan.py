"""The plan that a FakeTWS tells of: workstations, job streams, and jobs that step through their states with time.

It knows no HTTP. Times are seconds since the epoch, of the clock that whoever asks has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

STATUS = {
    "WAIT": "WAITING",
    "READY": "READY",
    "EXEC": "RUNNING",
    "SUCC": "SUCCESSFUL",
    "ABEND": "ERROR",
    "CANCP": "CANCELED",
    "HOLD": "HELD",
}
"""The `status` that belongs to each `internalStatus` in use here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workstation:
    """`type` is `MASTER` or `FTA`; `status` is `LINKED` or `DOWN`."""

    name: str
    type: str = "FTA"
    status: str = "LINKED"


@dataclass(slots=True, kw_only=True)
class Job:
    """One job in the plan: ready at `ready`, executing from `starts` on, for `runs` seconds, and then `ends_as`.

    `forced` is a state that an operator's action put it in, until another one.
    """

    name: str
    stream: str
    workstation: str
    ready: float
    starts: float
    runs: float = 60.0
    ends_as: str = "SUCC"
    log: str = ""
    critical: bool = False
    forced: str | None = None

    @property
    def id(self) -> str:
        """Return its id, with characters that a path must escape, as real ones have."""
        return f"{self.workstation};{self.stream}.{self.name}"

    def state(self, now: float) -> str:
        """Return its `internalStatus` at *now*."""
        if self.forced is not None:
            return self.forced
        if now < self.ready:
            return "WAIT"
        if now < self.starts:
            return "READY"
        return "EXEC" if now < self.starts + self.runs else self.ends_as

    def act(self, action: str, now: float) -> str | None:
        """Do what an operator asks for; return why not, if so."""
        state = self.state(now)
        if action == "rerun":
            if state not in ("SUCC", "ABEND", "CANCP"):
                return f"{self.id} is in state {state} and cannot be rerun."
            self.ready = self.starts = now
            self.ends_as = "SUCC"
            self.forced = None
        elif action == "cancel":
            if state in ("SUCC", "ABEND"):
                return f"{self.id} is in state {state} and cannot be cancelled."
            self.forced = "CANCP"
        elif action == "hold":
            if state not in ("WAIT", "READY"):
                return f"{self.id} is in state {state} and cannot be held."
            self.forced = "HOLD"
        elif action == "release":
            if state != "HOLD":
                return f"{self.id} is in state {state} and is not held."
            self.forced = None
        else:
            return f"{action} is no action."
        return None

    def in_plan(self, now: float) -> dict[str, Any]:
        """Return it as `/plan/current/job/query` lists it."""
        state = self.state(now)
        return {
            "id": self.id,
            "name": self.name,
            "status": {"internalStatus": state, "status": STATUS[state]},
            "jobDefinition": {
                "jobDefinitionInPlanKey": {"name": self.name, "workstationInPlanKey": {"name": self.workstation}}
            },
            "jobStreamInPlan": {
                "name": self.stream,
                "startTime": iso(self.starts),
                "workstationKey": {"name": self.workstation},
            },
        }


@dataclass(slots=True, kw_only=True)
class Plan:
    """What there is. `resources` are as `/model/resource` lists them."""

    created: float
    workstations: Sequence[Workstation] = ()
    jobs: Sequence[Job] = ()
    resources: Sequence[Mapping[str, Any]] = field(default_factory=list)

    def job(self, id_: str) -> Job | None:
        """Return the job of that id, or the first of that name."""
        return next((job for job in self.jobs if id_ in (job.id, job.name)), None)

    def query(self, wanted: Mapping[str, Any], *, critical: bool = False) -> list[Job]:
        """Return the jobs that a `jobInPlanFilter` matches; names may hold `*` and `?`.

        `inputArrivalTime` is the `startTime` of the job stream, to the second; what is no time in ISO 8601 raises
        ValueError. `lastInRerunChain` changes nothing: a rerun takes the place of the run before it.
        """
        arrival = wanted.get("inputArrivalTime")
        second = math.floor(seconds_of(str(arrival))) if arrival is not None else None
        return [
            job
            for job in self.jobs
            if (job.critical or not critical)
            and _matches(wanted, "jobName", job.name)
            and _matches(wanted, "jobStreamName", job.stream)
            and _matches(wanted, "workstationName", job.workstation)
            and second in (None, math.floor(job.starts))
        ]

    def streams(self, wanted: Mapping[str, Any]) -> list[tuple[str, list[Job]]]:
        """Return the job streams that a `jobStreamInPlanFilter` matches, each with its jobs."""
        found: dict[str, list[Job]] = {}
        for job in self.jobs:
            if _matches(wanted, "jobStreamName", job.stream) and _matches(wanted, "workstationName", job.workstation):
                found.setdefault(job.stream, []).append(job)
        return list(found.items())

    def stations(self, wanted: Mapping[str, Any]) -> list[Workstation]:
        """Return the workstations that a `workstationFilter` matches."""
        return [station for station in self.workstations if _matches(wanted, "workstationName", station.name)]


def sample_plan(now: float) -> Plan:
    """Return a small plan of which some is done at *now*, some runs, some waits, and one job has failed."""
    return Plan(
        created=now - 3600,
        workstations=(
            Workstation(name="MASTER1", type="MASTER"),
            Workstation(name="FTA1"),
            Workstation(name="FTA2", status="DOWN"),
        ),
        jobs=(
            Job(
                name="EXTRACT", stream="NIGHTLY", workstation="FTA1", ready=now - 600, starts=now - 500,
                log="extracted 1200 rows\n",
            ),
            Job(
                name="TRANSFORM", stream="NIGHTLY", workstation="FTA1", ready=now - 400, starts=now - 300, runs=120,
                ends_as="ABEND", log="AWSBCU001E out of space\n", critical=True,
            ),
            Job(
                name="LOAD", stream="NIGHTLY", workstation="FTA1", ready=now - 60, starts=now - 10, runs=60,
                critical=True,
            ),
            Job(name="REPORT", stream="MORNING", workstation="MASTER1", ready=now + 60, starts=now + 90, runs=30),
            Job(name="MAIL", stream="MORNING", workstation="FTA2", ready=now - 30, starts=now + 300),
        ),
        resources=[
            {
                "resource_name": "DB_SLOTS",
                "resource_type": "LOGICAL",
                "total_capacity": 10,
                "used_capacity": 4,
                "available_capacity": 6,
                "utilization_percentage": 40.0,
            }
        ],
    )  # fmt: skip


def iso(seconds: float) -> str:
    """Return *seconds* as the REST surface writes times: with milliseconds, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """Return the seconds since the epoch of a time in ISO 8601, in UTC unless it says otherwise. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _matches(wanted: Mapping[str, Any], name: str, value: str) -> bool:
    return fnmatchcase(value, str(wanted.get(name) or "*"))
