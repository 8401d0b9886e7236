"""A guard that writes down what it was told."""

from __future__ import annotations

from dataclasses import dataclass, field

from asgi_resync.cache.l2.ports import Permit


@dataclass(slots=True)
class Book:
    """Admits while it `is_closed`; `outcomes` has one entry for each permit that was booked."""

    is_closed: bool = True
    admitted: int = 0
    outcomes: list[str] = field(default_factory=list)

    def admit(self) -> Permit | None:
        if not self.is_closed:
            return None
        self.admitted += 1
        return _Entry(self)


@dataclass(slots=True)
class _Entry:
    book: Book
    is_booked: bool = False

    def _note(self, outcome: str) -> None:
        assert not self.is_booked, f"booked twice: {outcome}"
        self.is_booked = True
        self.book.outcomes.append(outcome)

    def succeeded(self) -> None:
        self._note("succeeded")

    def failed(self, cause: BaseException) -> None:
        self._note(type(cause).__name__)

    def withdrawn(self) -> None:
        self._note("withdrawn")
