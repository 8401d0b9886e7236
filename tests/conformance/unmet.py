"""Optimal cases this library does not reach and checks it decides otherwise, each with the reason.

A case that is met must not be here, and a case that is lost must not be added without a reason a user would accept.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_NO_PARTS = "Only complete responses are stored: parts would need bookkeeping that app responses do not repay."

UNMET: Mapping[str, str] = MappingProxyType(
    {
        "partial-reuse-same": _NO_PARTS,
        "partial-reuse-within": _NO_PARTS,
        "partial-reuse-suffix": _NO_PARTS,
        "partial-complete": _NO_PARTS,
        "date-append": "ASGI servers add Date themselves, so a second line would go out; the age is kept all the same.",
        "method-post-content-location": "No response to POST is stored: apps that mean it for GET can be asked by GET.",
        "vary-normalise-lang-select": "Choosing a language for the app needs to know which ones it has.",
        "conditional-etag-comma-within": "A malformed list of entity tags is searched for those that are well-formed.",
    }
)
