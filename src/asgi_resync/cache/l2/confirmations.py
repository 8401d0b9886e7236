"""Who has applied which purges, as far as they said, and who waits for them to say so. It sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

MAX_NODES = 4096


class Confirmations:
    """What processes said they have applied: for each the newest cluster version."""

    def __init__(self) -> None:
        self._heard: dict[str, int] = {}
        self._waiting: dict[asyncio.Future[None], tuple[int, set[str]]] = {}

    def note(self, node: str, seen: int) -> None:
        """Note that *node* has applied everything up to the version *seen*."""
        if len(self._heard) >= MAX_NODES:
            # Ids of processes long gone. Forgetting one that lives costs a wait.
            self._heard.clear()
        self._heard[node] = max(seen, self._heard.get(node, 0))
        for future, (version, missing) in self._waiting.items():
            if seen >= version:
                missing.discard(node)
                if not missing and not future.done():
                    future.set_result(None)

    def give_up(self) -> None:
        """Let nobody wait any longer: nothing more will be heard."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, nodes: Iterable[str], version: int, patience: float) -> int:
        """Wait up to *patience* seconds until *nodes* have applied *version*; return how many have not."""
        missing = {node for node in nodes if self._heard.get(node, 0) < version}
        if not missing:
            return 0
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = (version, missing)
        try:
            await asyncio.wait({future}, timeout=patience)
        finally:
            del self._waiting[future]
        return len(missing)
