"""Serves the small API, in each framework and each form, by uvicorn in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import cast

import pytest
from tests.frameworks.forms import FORMS, Form
from tests.transparency.servers import Process, serving

FRAMEWORKS = ("starlette", "fastapi", "litestar")


@pytest.fixture(scope="session", params=FORMS)
def form(request: pytest.FixtureRequest) -> Form:
    """Name a form."""
    return cast(Form, request.param)


@pytest.fixture(scope="session")
def ports(form: Form) -> Iterator[dict[str, int]]:
    """Serve the three apps in one form, and give their ports."""
    with ExitStack() as stack:
        processes: dict[str, Process] = {}
        for framework in FRAMEWORKS:
            target = f"tests.frameworks.{framework}_api:app"
            processes[framework] = stack.enter_context(serving("uvicorn-httptools", target, {"FORM": form}))
        yield {framework: process.port for framework, process in processes.items()}
        for process in processes.values():
            process.stop()
            assert "Traceback" not in process.output()


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    """Name one of the three."""
    return cast(str, request.param)


@pytest.fixture
def port(framework: str, ports: dict[str, int]) -> int:
    """Give the port of one of the three."""
    return ports[framework]
