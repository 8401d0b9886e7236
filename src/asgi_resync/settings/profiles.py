"""The profiles: named sets of defaults, nothing more; whatever is set anywhere else overrides them.

The values are the original application's, except for the memory of L1 in production: with the default, a twelfth of it,
one shard, could not hold the largest body that is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PROFILES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "development": MappingProxyType(
            {
                "RESYNC_CACHE_L1_MAX_ENTRIES": "1000",
                "RESYNC_CACHE_L2_TTL": "300s",
                "RESYNC_CACHE_SWEEP_INTERVAL": "30s",
            }
        ),
        "production": MappingProxyType(
            {
                "RESYNC_CACHE_NUM_SHARDS": "12",
                "RESYNC_CACHE_L1_MAX_ENTRIES": "10000",
                "RESYNC_CACHE_L1_MAX_BYTES": "128MiB",
                "RESYNC_CACHE_L2_TTL": "900s",
                "RESYNC_CACHE_SWEEP_INTERVAL": "120s",
            }
        ),
    }
)
"""Variables and their text, by the profile's name."""
