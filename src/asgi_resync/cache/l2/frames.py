"""Messages as they are published: sealed, and where Redis gave them a version, with that in front. Pure.

A frame is an incarnation of the journal, a version and the one before it as decimal numbers, and a sealed message, with
a space between. Scripts put the head before what they publish; it is `- 0 0` where there is no version. The seal holds
for the message and not for the head: whoever can write to Redis can give false versions, and purge or hide purges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .broken import Broken
from .messages import Message, decode_message, encode_message
from .signing import Seal

MAX_VERSION = 2**52
"""In microseconds the year 2112. What claims more is not from us, and would leave no room to grow."""

_HEADLESS = b"- 0 0 "
_UNREADABLE = Broken("unreadable message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What arrived. `version` is 0 without one; `message` is None if it is empty, or of a kind not known here."""

    incarnation: bytes
    version: int
    previous: int
    message: Message | Broken | None


class Frames:
    """Makes and reads frames of *channel*, signed where there are *signing_keys*."""

    __slots__ = ("_channel", "_seal")

    def __init__(self, channel: str, signing_keys: Sequence[str] = ()) -> None:
        self._channel = channel
        self._seal = Seal(signing_keys)

    def body(self, message: Message) -> bytes:
        """Return *message* as what a script puts a head before."""
        return self._seal.seal(self._channel, encode_message(message))

    def whole(self, message: Message) -> bytes:
        """Return *message* as a frame without a version."""
        return _HEADLESS + self.body(message)

    def open(self, data: bytes) -> Frame | Broken:
        """Return the frame in *data*, or Broken. Never raises."""
        head = data.split(b" ", 3)
        # Sixteen digits are all that a version has, and int() of very many would raise.
        if len(head) != 4 or not all(part.isdigit() and len(part) <= 16 for part in head[1:3]):
            return _UNREADABLE
        version, previous = int(head[1]), int(head[2])
        if max(version, previous) > MAX_VERSION:
            return _UNREADABLE
        opened = self._seal.open(self._channel, head[3]) if head[3] else None
        message = decode_message(opened) if isinstance(opened, memoryview) else opened
        return Frame(incarnation=head[0], version=version, previous=previous, message=message)
