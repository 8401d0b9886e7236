"""The frameworks, and what each of them has; those without something are not asked for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """`raises`: an exception of a handler reaches the server. `may_hold`: middleware stands inside the app."""

    websockets: bool = True
    lifespan: bool = True
    background: bool = True
    raises: bool = False
    may_hold: bool = False


TRAITS = {
    "starlette": Traits(raises=True, may_hold=True),
    "fastapi": Traits(raises=True, may_hold=True),
    "litestar": Traits(may_hold=True),
    "quart": Traits(),
    "django": Traits(websockets=False, lifespan=False, background=False),
    "falcon": Traits(),
    "blacksheep": Traits(background=False),
    "bare": Traits(raises=True),
}

FRAMEWORKS = tuple(TRAITS)
