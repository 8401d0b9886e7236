"""What a connection of redis-py is used for: to connect, with TLS, a password and RESP3, and to read replies."""

from __future__ import annotations

from typing import Protocol


class Wire(Protocol):
    """One connection of redis-py. Whatever fails closes it."""

    async def connect(self) -> None:
        """Connect, authenticate and select the database."""

    async def disconnect(self, nowait: bool = ...) -> None:
        """Close it."""

    async def send_packed_command(self, command: bytes, check_health: bool = ...) -> None:
        """Write *command*; return when there is room for more."""

    async def read_response(
        self,
        disable_decoding: bool = ...,
        timeout: float | None = ...,
        *,
        disconnect_on_error: bool = ...,
        push_request: bool | None = ...,
    ) -> object:
        """Return the next reply, or None after *timeout* seconds; raise ResponseError for one that is an error."""
