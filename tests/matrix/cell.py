"""One cell: the app of a framework, served by a server of its environment, is held to each promise in turn."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.frameworks.forms import Form
from tests.frameworks.promises import PROMISES, the_end_is_in_order
from tests.frameworks.site import Site
from tests.matrix.environments import Environment
from tests.matrix.releases import SERVERS
from tests.transparency.servers import ROOT, serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A promise that was not kept, or a server that did not start; `report` ends with what was printed."""

    promise: str
    report: str


def run(environment: Environment, server: str, form: Form) -> list[Broken]:
    """Return what is broken in the cell: nothing, as it should be."""
    http: Literal["1.1", "2"] = "2" if SERVERS[server] == "2" else "1.1"
    target = f"tests.frameworks.{environment.framework}_api:app"
    # Not what runs the matrix is to be imported, but what is installed.
    environ = {"FORM": form, "PYTHONPATH": str(ROOT)}
    broken: list[Broken] = []
    try:
        with serving(
            server.removesuffix("-h2"), target, environ, python=str(environment.interpreter), patience=120
        ) as process:
            site = Site(framework=environment.framework, form=form, port=process.port, output=process.output, http=http)
            for promise in PROMISES:
                _hold(promise, site, broken)
            process.stop()
            _hold(the_end_is_in_order, site, broken)
    except Exception as error:
        broken.append(Broken(promise="it starts and stops", report=f"{error!r}"[-2000:]))
    return broken


def _hold(promise: Callable[[Site], None], site: Site, broken: list[Broken]) -> None:
    try:
        promise(site)
    except Exception:
        report = traceback.format_exc(limit=-2) + site.output()[-1500:]
        broken.append(Broken(promise=promise.__name__.replace("_", " "), report=report))
