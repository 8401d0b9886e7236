"""The copy of a response while it passes: its parts, and the entry they make in the end. It decides nothing. Pure."""

from __future__ import annotations

from .._asgi import RawHeaders
from ..events import CacheKey
from .build import Call, build_entry, ruled_vary, strong_etag
from .entry import StoredResponse
from .opening import makes_etag, verdict_on, without_own_target
from .policy.fields import ResponseFields
from .policy.storability import Storable
from .policy.validation import Verdict


class Copy:
    """A response that will be kept if it comes to its end: what its start says, and its body so far."""

    __slots__ = ("_chunks", "_made", "_size", "call", "fields", "plan", "wants_etag")

    def __init__(self, fields: ResponseFields, plan: Storable, call: Call) -> None:
        self.fields = fields
        self.plan = plan
        self.call = call
        self.wants_etag = makes_etag(fields, call)
        """Whether it gets an ETag of ours, which takes the whole body."""
        self._chunks: list[bytes] = []
        self._size = 0
        self._made: bytes | None = None
        """The ETag of what was copied so far, where it was asked for."""

    def takes(self, chunk: bytes | bytearray | memoryview) -> bool:
        """Add *chunk*; False, and all is forgotten, if it is more than may be kept."""
        self._size += len(chunk)
        if self._size > self.call.options.max_body:
            self._chunks = []
            return False
        if chunk or not self._chunks:
            # The app may use its buffer again as soon as it goes on.
            self._chunks.append(bytes(chunk))
            self._made = None
        return True

    def lines(self, headers: RawHeaders) -> RawHeaders:
        """Return the *headers* of the start as they go out to its own client."""
        given = without_own_target(headers) if self.fields.has_own_target else headers
        return given + ruled_vary(self.fields, self.call.terms)

    def verdict(self, request: RawHeaders, etag: bytes | None) -> Verdict:
        """Return what the preconditions of *request* make of the response, of which *etag* is the tag."""
        return verdict_on(self.fields, request, etag, self.call.response_time)

    @property
    def is_whole(self) -> bool:
        """Whether the body is as long as the start said (RFC 9111 §3: neither less is kept, nor more)."""
        return self.fields.content_length is None or self.fields.content_length == self._size

    @property
    def etag_by_length(self) -> bytes | None:
        """The ETag of a body that has come to the length it was to have, though its end was not said yet."""
        if self.fields.content_length is None or not self.is_whole:
            return None
        self._made = strong_etag(self._body())
        return self._made

    def entry(self, now: float, *, key: CacheKey, variant: tuple[object, ...]) -> tuple[StoredResponse, bytes | None]:
        """Return the entry for what was copied, complete at *now*, and the ETag that was made for it, if one was."""
        call, fields, body, made = self.call, self.fields, self._body(), self._made
        if made is None and self.wants_etag:
            made = strong_etag(body)
        if call.lifetime is not None and call.lifetime.source == "rule":
            # A rule's lifetime counts from the moment the response is complete.
            call.response_time = now
            call.read(fields)
        lines = [(name, value) for name, found in fields.lines.items() for value in found]
        entry = build_entry(fields, lines, body, call, key=key, vary=self.plan.vary, variant=variant, etag=made)
        return entry, made

    def _body(self) -> bytes:
        chunks = self._chunks
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)
