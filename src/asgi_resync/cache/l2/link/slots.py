"""Which node of a cluster has which slot. Pure."""

from __future__ import annotations

from .place import Address

COUNT = 16384


class Slots:
    """Begins with nothing known, and learns from redirections until it is replaced by what a node says."""

    __slots__ = ("_owners",)

    def __init__(self) -> None:
        self._owners: list[Address | None] = [None] * COUNT

    def owner(self, slot: int) -> Address | None:
        """Return the master that has *slot*, or None if that is not known."""
        return self._owners[slot]

    def learn(self, slot: int, owner: Address) -> None:
        """Note that *slot* is with *owner* now."""
        self._owners[slot] = owner

    def owners(self) -> set[Address]:
        """Return all masters that have slots."""
        return {owner for owner in self._owners if owner is not None}


def slots_of(reply: object, asked: str) -> Slots | None:
    """Return what the reply to CLUSTER SLOTS says, or None if it says nothing that can be used.

    A node that does not know its own host means the host that was *asked*.
    """
    slots = Slots()
    if not isinstance(reply, list):
        return None
    try:
        for first, last, master, *_ in reply:
            address = resolved(_text(master[0]), int(master[1]), asked)
            if address is not None:
                slots._owners[first : last + 1] = [address] * (last + 1 - first)
    except (TypeError, ValueError, IndexError):
        return None
    if len(slots._owners) != COUNT or not slots.owners():
        return None
    return slots


def resolved(host: str, port: int, asked: str) -> Address | None:
    """Return the address that a node of a cluster means by *host* and *port*, or None if it does not know it."""
    if host == "?" or not port:
        return None
    return host or asked, port


def _text(host: object) -> str:
    return host.decode() if isinstance(host, bytes) else str(host or "")
