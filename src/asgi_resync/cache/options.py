"""How a cache behaves where neither response nor rule says so. It reads no environment: settings do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..events import CacheKey
from .policy.storability import StorageLimits
from .status import name_with_key


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOptions:
    """How the cache behaves where neither response nor rule says so. Times in seconds, sizes in bytes.

    `targets` are the targeted fields obeyed (RFC 9213), lower-case. `honours_client`: obey a client's max-age,
    no-cache and the like; off by default, since otherwise any client can aim traffic at a weak upstream, and
    RFC 9111 §5.2.1 makes them advisory. `tag_fields` are response fields whose members are tags.
    """

    name: str = "resync"
    max_body: int = 4 * 2**20
    max_variants: int = 64
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    keep: float = 60.0
    refresh_timeout: float = 30.0
    normalize_vary: bool = True
    status_field: bool = True
    status_key: bool = False
    etag: bool = True
    honours_client: bool = False
    heuristic: bool = False
    targets: tuple[bytes, ...] = ()
    tag_fields: tuple[bytes, ...] = (b"surrogate-key", b"cache-tag")
    set_cookie: Literal["refuse", "strip", "store"] = "refuse"

    limits: StorageLimits = field(init=False, repr=False, compare=False)
    """The part that storability needs."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", StorageLimits(max_body=self.max_body, set_cookie=self.set_cookie))

    def status_name(self, key: CacheKey) -> bytes | None:
        """Return our name for a Cache-Status member about *key*; None if there is to be none."""
        if not self.status_field:
            return None
        return name_with_key(self.name, key) if self.status_key else self.name.encode("ascii")
