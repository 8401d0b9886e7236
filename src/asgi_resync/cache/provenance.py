"""What an answer was built from, as tags: of the upstreams called for it, and of the kept values it used. Pure.

Nothing bounds their number but the work that calls them; an entry weighs what its tags weigh, and they go when it goes.
"""

from __future__ import annotations

from collections.abc import Mapping

from .._asgi import Scope
from ..noted import Notes
from .rules import upstream_tag

LONGEST_PATH = 256


def built_from(notes: Notes) -> tuple[str, ...]:
    """Return the tags of all that is in *notes* by now."""
    if not notes.called and not notes.tags:
        return ()
    # Copied at once: a thread that the handler has left behind may still add to them.
    called, tags = notes.called.copy(), notes.tags.copy()
    tags.update(map(upstream_tag, called))
    return tuple(sorted(tags))


def route_name(scope: Scope) -> str:
    """Return the pattern by which the framework has found the handler, else the path; "" for one that is too long.

    Litestar and FastAPI say it. Starlette says what the parameters were, and each segment that is the value of one
    stands for it; and where it has found no handler, the path is anybody's invention, and "" too.
    """
    template = scope.get("path_template") or getattr(scope.get("route"), "path", None)
    if isinstance(template, str) and template:
        return template
    if "router" in scope and "endpoint" not in scope:
        return ""
    path, parameters = scope["path"], scope.get("path_params")
    if parameters and isinstance(parameters, Mapping):
        names = {str(value): name for name, value in reversed(list(parameters.items()))}
        path = "/".join(f"{{{names[part]}}}" if part in names else part for part in path.split("/"))
    return path if len(path) <= LONGEST_PATH else ""
