"""Where an upstream is: a URL, or the parts of one. It looks nothing up. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from ..errors import RuleError

_WHOLE = "give a URL with scheme and host, such as 'https://tws.example:31116'"


def check_url(url: str | None) -> None:
    """Raise RuleError for what is no URL with a scheme and a host; credentials in it are not shown."""
    if url is None:
        return
    given: object = url
    if not isinstance(given, str):
        raise RuleError("url", given, _WHOLE)
    shown = "***" if "@" in given else given
    try:
        parts = urlsplit(given)
        is_whole = bool(parts.scheme and parts.hostname) and parts.port != 0
    except ValueError as error:
        raise RuleError("url", shown, f"{_WHOLE}: {error}") from error
    if not is_whole:
        raise RuleError("url", shown, _WHOLE)


def url_of(host: str, *, scheme: str, port: int) -> str:
    """Return the URL of *port* of *host*, a name or an address, also of IPv6. Raises RuleError for what is none."""
    wanted = "give the name or address alone; scheme and port have arguments of their own"
    given: object = host
    if not isinstance(given, str) or not given or any(part in given for part in ("/", "@", " ", "?", "#")):
        raise RuleError("host", given, wanted)
    number: object = port
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 65536:
        raise RuleError("port", number, "give a whole number from 1 to 65535")
    if scheme not in ("http", "https"):
        raise RuleError("scheme", scheme, "choose 'https' or 'http'")
    bare = given.removeprefix("[").removesuffix("]")
    if ":" not in bare:
        return f"{scheme}://{bare}:{port}"
    try:
        address = ipaddress.IPv6Address(bare)
    except ValueError as error:
        raise RuleError("host", given, wanted) from error
    return f"{scheme}://[{address}]:{port}"
