"""Structured fields (RFC 8941, RFC 9651): dictionaries in, tokens and strings out. What they mean is for others to say.

Parsing follows the algorithm of RFC 9651 §4.2 to the letter: one error anywhere and there is no value at all (§4.2).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias
from urllib.parse import unquote_to_bytes


class Token(str):
    """A token (RFC 9651 §3.3.4), as opposed to a string with the same characters."""

    __slots__ = ()


class DisplayString(str):
    """A display string (RFC 9651 §3.3.8): the Unicode text, decoded."""

    __slots__ = ()


class Date(int):
    """A date (RFC 9651 §3.3.7): whole seconds since the epoch."""

    __slots__ = ()


BareItem: TypeAlias = bool | int | float | str | bytes
"""RFC 9651 §3.3. A `bool` is no number here, nor is a `Token`, `DisplayString` or `Date` a plain string or integer."""

Parameters: TypeAlias = Mapping[str, BareItem]


@dataclass(frozen=True, slots=True)
class Item:
    """A bare item and its parameters (RFC 9651 §3.3)."""

    value: BareItem
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class InnerList:
    """Items in parentheses and the parameters of them all (RFC 9651 §3.1.1)."""

    items: tuple[Item, ...]
    parameters: Parameters


Member: TypeAlias = Item | InnerList


def parse_dictionary(lines: Iterable[bytes]) -> dict[str, Member] | None:
    """The dictionary that the field lines hold together (RFC 9651 §4.2.2), or `None` if any part of it is malformed.

    No lines, or one blank one, are an empty dictionary. Of a repeated key the last value counts, in the first's place.
    """
    try:
        parser = _Parser(b", ".join(lines).decode("ascii").strip(" "))
        return parser.dictionary()
    except (_MalformedError, UnicodeDecodeError):
        return None


class _MalformedError(ValueError):
    """The text is not what the algorithm expects; never leaves this module."""


_key = re.compile(r"[a-z*][a-z0-9_\-.*]*").match
_bare_item = re.compile(
    r"""
      (?P<decimal>-?[0-9]{1,12}\.[0-9]{1,3})
    | (?P<integer>-?[0-9]{1,15})
    | "(?P<string>(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*+)"
    | (?P<token>[A-Za-z*][!\#$%&'*+\-.^_`|~0-9A-Za-z:/]*)
    | :(?P<binary>(?:[A-Za-z0-9+/]+={0,2})?):
    | \?(?P<boolean>[01])
    | @(?P<date>-?[0-9]{1,15})
    | %"(?P<display>(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*+)"
    """,
    re.VERBOSE,
).match
_escaped = re.compile(r"\\(.)").sub


def _binary(text: str) -> bytes:
    # §4.2.7: padding may be missing, and what it hides need not be zero.
    digits = text.rstrip("=")
    try:
        return binascii.a2b_base64(digits + "=" * (-len(digits) % 4))
    except binascii.Error:
        raise _MalformedError from None


def _display(text: str) -> DisplayString:
    try:
        return DisplayString(unquote_to_bytes(text).decode("utf-8"))
    except UnicodeDecodeError:
        raise _MalformedError from None


_READ: Final[Mapping[str, Callable[[str], BareItem]]] = {
    "decimal": float,
    "integer": int,
    "string": lambda text: _escaped(r"\1", text),
    "token": Token,
    "binary": _binary,
    "boolean": lambda text: text == "1",
    "date": Date,
    "display": _display,
}


class _Parser:
    """The functions of RFC 9651 §4.2 over one text; `at` is how much of it is consumed."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def dictionary(self) -> dict[str, Member]:
        """§4.2.2."""
        members: dict[str, Member] = {}
        if not self.text:
            return members
        while True:
            key = self.key()
            members[key] = self.member() if self.took("=") else Item(value=True, parameters=self.parameters())
            self.skip(" \t")
            if self.at == len(self.text):
                return members
            if not self.took(","):
                self.fail()
            self.skip(" \t")

    def member(self) -> Member:
        """§4.2.1.1."""
        return self.inner_list() if self.took("(") else self.item()

    def inner_list(self) -> InnerList:
        """§4.2.1.2, after the opening parenthesis."""
        items: list[Item] = []
        while True:
            self.skip(" ")
            if self.took(")"):
                return InnerList(tuple(items), self.parameters())
            items.append(self.item())
            if not self.text.startswith((" ", ")"), self.at):
                self.fail()

    def item(self) -> Item:
        """§4.2.3."""
        return Item(self.bare_item(), self.parameters())

    def bare_item(self) -> BareItem:
        """§4.2.3.1. What a number has too much of is left over, and no caller accepts it."""
        match = _bare_item(self.text, self.at)
        if match is None or match.lastgroup is None:
            self.fail()
        self.at = match.end()
        return _READ[match.lastgroup](match[match.lastgroup])

    def parameters(self) -> Parameters:
        """§4.2.3.2."""
        parameters: dict[str, BareItem] = {}
        while self.took(";"):
            self.skip(" ")
            key = self.key()
            parameters[key] = self.bare_item() if self.took("=") else True
        return parameters

    def key(self) -> str:
        """§4.2.3.3."""
        match = _key(self.text, self.at)
        if match is None:
            self.fail()
        self.at = match.end()
        return match[0]

    def took(self, character: str) -> bool:
        found = self.text.startswith(character, self.at)
        self.at += found
        return found

    def skip(self, characters: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in characters:
            self.at += 1

    def fail(self) -> NoReturn:
        raise _MalformedError


_token = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*").fullmatch


def serialize_string(text: str) -> bytes:
    """A string (RFC 9651 §4.1.6) of any *text*.

    Characters that a string cannot hold, such as line ends, become their UTF-8 bytes in percent-encoding. So the
    result is printable ASCII, and no text can end the field line or the string.
    """
    characters: list[str] = []
    for byte in text.encode("utf-8", "surrogatepass"):
        if not 0x20 <= byte <= 0x7E:
            characters.append(f"%{byte:02X}")
        elif byte in b'"\\':
            characters.append("\\" + chr(byte))
        else:
            characters.append(chr(byte))
    return f'"{"".join(characters)}"'.encode("ascii")


def serialize_token_or_string(text: str) -> bytes:
    """*text* as a token where it can be one, else as a string: the form of names in `Cache-Status` (RFC 9211 §2)."""
    return text.encode("ascii") if _token(text) else serialize_string(text)
