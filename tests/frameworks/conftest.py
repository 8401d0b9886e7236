"""Serves the small API in all frameworks by uvicorn: one process for each form, from when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.frameworks.forms import FORMS, Form
from tests.frameworks.promises import the_end_is_in_order
from tests.frameworks.site import Site
from tests.frameworks.traits import FRAMEWORKS, TRAITS
from tests.transparency.servers import Process, free_port, process, until


def built_in(form: Form) -> list[str]:
    """Return the frameworks whose app can be built in *form*."""
    return [name for name in FRAMEWORKS if form != "added" or TRAITS[name].may_hold]


@pytest.fixture(scope="session")
def sites() -> Iterator[Callable[[Form], dict[str, Site]]]:
    """Give a function that serves the apps in one form, and returns them by framework. At the end, all ended well."""
    found: dict[Form, dict[str, Site]] = {}
    started: list[Process] = []
    with ExitStack() as stack:

        def serve(form: Form) -> dict[str, Site]:
            if form not in found:
                ports = {name: free_port() for name in built_in(form)}
                command = ["tests.frameworks.serve", *(f"{name}={port}" for name, port in ports.items())]
                first = next(iter(ports.values()))
                running = stack.enter_context(process(command, first, {"FORM": form}))
                started.append(running)
                for port in ports.values():
                    until(Process(port, running.popen, running.log).answers, f"{form} on {port} answers")
                found[form] = {
                    name: Site(framework=name, form=form, port=port, output=running.output)
                    for name, port in ports.items()
                }
            return found[form]

        yield serve
        for running in started:
            running.stop()
        for apps in found.values():
            for app in apps.values():
                the_end_is_in_order(app)


@pytest.fixture(params=[(form, name) for form in FORMS for name in built_in(form)], ids="-".join)
def site(request: pytest.FixtureRequest, sites: Callable[[Form], dict[str, Site]]) -> Site:
    """Give one of the apps in one of the forms."""
    form, name = request.param
    return sites(form)[name]
