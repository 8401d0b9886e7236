"""Public aids for testing apps behind the cache, and clients of upstreams.

A clock to turn by hand, an app that plays a script, requests, and a workload scheduler that breaks on command. None
of it sleeps or patches of itself, and it knows no test framework. Only `serve` opens a socket, on 127.0.0.1.
"""

from __future__ import annotations

from .faults import Dropped, Fault, Faults
from .plan import Job, Plan, Workstation, sample_plan
from .scripted import (
    Headers,
    ManualClock,
    Reply,
    Request,
    Response,
    ScriptedApp,
    Step,
    Text,
    http_scope,
    raw_headers,
    request,
    response_of,
)
from .serve import Server, serve
from .tws import FakeTWS

__all__ = [
    "Dropped",
    "FakeTWS",
    "Fault",
    "Faults",
    "Headers",
    "Job",
    "ManualClock",
    "Plan",
    "Reply",
    "Request",
    "Response",
    "ScriptedApp",
    "Server",
    "Step",
    "Text",
    "Workstation",
    "http_scope",
    "raw_headers",
    "request",
    "response_of",
    "sample_plan",
    "serve",
]
