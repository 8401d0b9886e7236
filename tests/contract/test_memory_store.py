"""The memory store keeps the promises of every store."""

from __future__ import annotations

import pytest
from tests.contract.store_contract import NOW, StoreContract

from asgi_resync.cache.memory import MemoryStore
from asgi_resync.cache.store import Store


class TestMemoryStore(StoreContract):
    @pytest.fixture(params=[1, 8], ids=["1 shard", "8 shards"])
    def store(self, request: pytest.FixtureRequest) -> Store:
        return MemoryStore(shards=request.param, max_record=2**20, clock=lambda: NOW)
