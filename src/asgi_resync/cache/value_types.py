"""What a value is as bytes, and as what type it is read back. Nothing here waits or stores."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from ..errors import RuleError
from ..events import CacheKey
from .entry import StoredResponse

_encode = msgspec.msgpack.Encoder().encode

UNREADABLE = object()


@dataclass(frozen=True, slots=True)
class Misfit:
    """What a function returned that *decoder* cannot read back: for those who wait for it, and for nobody else."""

    value: object
    decoder: object


def landed_value(remark: object, result: StoredResponse, decoder: msgspec.msgpack.Decoder[Any]) -> object:
    """Return what a call, landed with *result* and *remark*, brought those who read with *decoder*, or UNREADABLE."""
    if isinstance(remark, Misfit) and remark.decoder is decoder:
        return remark.value
    return read_value(decoder, result)


def returned_by(function: Callable[..., object]) -> object:
    """Return what the annotation says; those of parameters are not looked at, and may name what is not there."""
    bare = inspect.unwrap(function)
    holder = type("Returned", (), {"__annotations__": {"it": getattr(bare, "__annotations__", {}).get("return", Any)}})
    return typing.get_type_hints(holder, globalns=getattr(bare, "__globals__", {}))["it"]


def written(value: object, key: CacheKey) -> bytes:
    try:
        return _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        remedy = f"return what msgspec can write ({error})"
        raise RuleError(f"the value of {key[1]}", type(value).__name__, remedy) from error


def decoder_of(type: object) -> msgspec.msgpack.Decoder[Any]:
    try:
        return _decoder_for(type)
    except TypeError as error:
        raise RuleError("type", type, f"name a type that msgspec can read ({error})") from error


@functools.lru_cache(maxsize=1024)
def _decoder_for(type: object) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(type)


def read_value(decoder: msgspec.msgpack.Decoder[Any], entry: StoredResponse) -> object:
    """Return the value, or UNREADABLE for one of another type: an older version of the app may have stored it."""
    try:
        return decoder.decode(entry.body)
    except Exception:
        # Not msgspec's alone: a type has checks of its own, which raise what they like.
        return UNREADABLE
