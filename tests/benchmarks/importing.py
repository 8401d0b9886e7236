"""What importing costs: milliseconds of a processor in a fresh interpreter, of this library and of the peers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from .report import Bar, Row
from .run import Bench

MODULES = {
    None: "asgi_resync",
    "litestar": "litestar",
    "cashews": "cashews",
    "starlette-caches": "starlette_caches.middleware",
    "fastapi-cache2": "fastapi_cache.decorator",
    "hishel": "hishel.asgi",
}
NOT_NEEDED = ("redis", "httpx", "httpx2")
CODE = """
import sys, time
began = time.process_time()
import {module}
print((time.process_time() - began) * 1000, *(name for name in {not_needed} if name in sys.modules))
"""


def rows(bench: Bench) -> Iterator[Row]:
    """Yield a row for this library and for each peer."""
    taken: dict[str, list[float]] = {}
    loaded: dict[str, list[str]] = {}
    for round_ in range(bench.plan.rounds):
        bench.tell(f"imports: round {round_ + 1} of {bench.plan.rounds}")
        for peer, module in MODULES.items():
            if peer not in bench.pythons:
                continue
            code = CODE.format(module=module, not_needed=NOT_NEEDED)
            done = subprocess.run([bench.pythons[peer], "-c", code], capture_output=True, text=True, check=True)
            milliseconds, *more = done.stdout.split()
            taken.setdefault(module, []).append(float(milliseconds))
            loaded[module] = more
    for module, values in taken.items():
        ours = module == "asgi_resync"
        note = f"loads {', '.join(loaded[module]) or 'none of ' + ', '.join(NOT_NEEDED)}" if ours else ""
        yield Row(subject=module, values=values, bar=Bar(at_most=100) if ours else None, note=note)
