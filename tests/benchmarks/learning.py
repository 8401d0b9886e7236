"""What learning costs a miss: `python -m tests.benchmarks.learning`. Microseconds, the best of seven rounds.

`nothing` is a request that called no upstream, `known` one that called what it always calls, `news` one of a route that
was not seen before, or not for a minute.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable

from asgi_resync import Resync
from asgi_resync._asgi import Scope
from asgi_resync.cache.learning import learn_route
from asgi_resync.noted import Notes

CALLS = 20_000


def measured(act: Callable[[], object]) -> float:
    """Return the microseconds that *act* takes."""
    return min(timeit.repeat(act, number=CALLS, repeat=7)) / CALLS * 1e6


def main() -> None:
    """Print one line for each case."""
    resync = Resync()
    idle, busy = Notes(), Notes()
    busy.called.add("tws")
    scope: Scope = {"type": "http", "path": "/plan/current", "path_params": {}}
    numbers = iter(range(10**9))

    def news() -> None:
        learn_route(resync.cache, None, {**scope, "path": f"/plan/{next(numbers)}"}, busy)

    print(f"nothing  {measured(lambda: learn_route(resync.cache, None, scope, idle)):6.2f} µs")
    print(f"known    {measured(lambda: learn_route(resync.cache, None, scope, busy)):6.2f} µs")
    print(f"news     {measured(news):6.2f} µs")


if __name__ == "__main__":
    main()
