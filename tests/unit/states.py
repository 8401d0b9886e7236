"""States of an app as its console tells them, for tests of what shows them."""

from __future__ import annotations

from typing import Any

import msgspec

from asgi_resync.cli.state import Process, State
from asgi_resync.resources.health import BreakerHealth, CacheHealth, Health, MemoryHealth, ResourceHealth
from asgi_resync.telemetry.recorder import Answers, BreakerState, Change, Latency, Recording

NOW = 1_000_000.0
MIB = 2**20


def resource(state: str = "up", **more: Any) -> ResourceHealth:
    fields = {"critical": False, "since": NOW - 7200, "attempts": 0, "cause": None, "latency": 0.0012, "depends_on": ()}
    return ResourceHealth(**{"state": state, **fields, **more})


def breaker(state: str = "closed", *, calls: int = 0, failures: int = 0, retry_after: float = 0.0) -> BreakerHealth:
    return BreakerHealth(state=state, calls=calls, failures=failures, retry_after=retry_after)


def health(status: Any = "up", **more: Any) -> Health:
    memory = MemoryHealth(entries=1204, bytes=12 * MIB, max_entries=5000, max_bytes=64 * MIB)
    fields = {"resources": {}, "breakers": {}, "cache": CacheHealth(l1=memory, l2=None)}
    return Health(status=status, ready=status != "down", at=NOW, **{**fields, **more})


def recording(**more: Any) -> Recording:
    fields = {
        "at": NOW,
        "seconds": 300.0,
        "slot": 5.0,
        "answers": Answers(l1=90, l2=3, stale=2, collapsed=1, misses=4, rescued=0, hit_ratio=0.96),
        "hit_ratios": [None] * 57 + [0.0, 0.5, 1.0],
        "latency": {},
        "upstreams": {},
        "changes": [],
        "breakers": {},
    }
    return Recording(**{**fields, **more})


def state(told: Health | None = None, of_late: Recording | None = None) -> State:
    process = Process(pid=4242, host="web-1", since=NOW - 10_800)
    return State(version="0.1.0", process=process, health=told or health(), recording=of_late)


def outage() -> State:
    """An app whose upstream tws is out, and whose Redis is away."""
    told = health(
        "degraded",
        resources={
            "database": resource(critical=True),
            "redis": resource("down", cause="ConnectionError", attempts=4, since=NOW - 12, latency=None),
        },
        breakers={
            "crm": breaker(calls=1200),
            "tws": breaker("open", calls=12, failures=5, retry_after=4.2),
            "redis": breaker(),
        },
        impact={"tws": {"route": ("/plan/{name}", "/jobs"), "callable": ("jobs",)}, "redis": {}},
    )
    of_late = recording(
        latency={"get": Latency(count=1000, p50=0.0005, p99=0.025)},
        upstreams={"tws": Latency(count=33, p50=0.1, p99=None)},
        changes=[
            Change(at=NOW - 3, level="warning", text="tws is not called any more: its breaker is open (failures)."),
            Change(at=NOW - 60, level="info", text="Tag plan\x1b[2J was purged."),
        ],
        breakers={"tws": [BreakerState(at=NOW - 3, state="open", cause="failures")]},
    )
    return state(told, of_late)


def told(of: State) -> bytes:
    """Return what the console of such an app says."""
    return msgspec.json.encode({**msgspec.to_builtins(of), "graph": {"nodes": [], "edges": []}, "added": 1})
