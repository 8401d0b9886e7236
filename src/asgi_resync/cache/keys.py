"""Which stored response a request asks for (RFC 9111 §4.1). Pure; it looks nothing up.

The primary key is (scheme, host, raw path, path, query) and, for methods that carry one, method and body digest.
The path stands twice, as sent and as the framework sees it: middleware in front may have rewritten one of them,
and two requests must share an answer only if both agree. Nothing is normalised that a server may tell apart;
the host is case-insensitive (RFC 9110 §4.2.3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from operator import itemgetter
from urllib.parse import quote, unquote, urlsplit

from .._asgi import RawHeaders, Scope
from .._headers import normalize_accept_encoding, normalize_accept_language, values
from ..events import CacheKey
from .rules import BODY_METHODS

UNKEYED = frozenset(
    {
        b"forwarded",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-forwarded-scheme",
        b"x-forwarded-ssl",
        b"x-forwarded-server",
        b"x-host",
        b"x-http-host-override",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-original-host",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-scheme",
        b"x-script-name",
        b"front-end-https",
    }
)
"""Request fields that apps and frameworks build links, redirects and routes from. Present, they make a variant of its
own, so that nobody can have an answer made with them stored for those who did not send them."""


SAFE = "/%:@!$&'()*+,;=~-._"


def raw_path_of(path: str) -> bytes:
    """Return the path as a client would have sent it, for servers that do not tell."""
    return quote(path, safe=SAFE).encode("ascii")


def primary_key(scope: Scope, host: bytes, query: bytes) -> CacheKey:
    """Return the key of a GET or HEAD; *host* is the effective one, *query* as it enters the key.

    A root path that the framework has taken off the path is put back: two apps that one cache stands before, mounted
    at two places, answer each for itself. So it is to the raw path where that has lost it too, so that the URL that a
    client would ask for finds it.
    """
    path: str = scope["path"]
    raw_path = scope.get("raw_path") or raw_path_of(path)
    root: str = (scope.get("root_path") or "").rstrip("/")
    if root and path != root and not path.startswith(root + "/"):
        path = root + path
        prefix = raw_path_of(root)
        if raw_path != prefix and not raw_path.startswith(prefix + b"/"):
            raw_path = prefix + raw_path
    return (scope.get("scheme", "http"), host.lower(), raw_path, path, query)


def unkeyed_of(headers: RawHeaders) -> tuple[object, ...]:
    """Return the lines of UNKEYED that the request carries, as a part of what tells its variant apart."""
    # By name only: which of two lines of one name comes first may decide what the app makes of them.
    return tuple(sorted(((name, value) for name, value in headers if name in UNKEYED), key=itemgetter(0)))


def with_body(key: CacheKey, method: str, content_type: bytes, body: bytes) -> CacheKey:
    """Return *key* extended by *method* and a digest of *body* and its type, for POST and QUERY."""
    digest = hashlib.blake2b(b"%d:%b%b" % (len(content_type), content_type, body), digest_size=16).digest()
    return (*key, method, digest)


def url_tags(key: CacheKey) -> tuple[str, ...]:
    """Return the tag by which a purge of its URL reaches what is stored under *key*, if it has a body in it.

    What has none is found by its key. The query does not count: the rules for GET and for POST may treat it otherwise.
    """
    return (url_tag(key),) if len(key) > 5 and key[5] in BODY_METHODS else ()


def url_tag(key: CacheKey) -> str:
    """Return the tag of all that has a body in its key and the URL of *key*. Tags of users hold no NUL."""
    return f"\0url:{hashlib.blake2b(repr(key[:4]).encode(), digest_size=16).hexdigest()}"


def variant_of(
    headers: RawHeaders, names: Sequence[bytes], *, normalize: bool, unkeyed: tuple[object, ...] = ()
) -> tuple[object, ...]:
    """Return what the request sends in the fields *names*: None for an absent field, else its lines combined.

    Its *unkeyed* lines, of `unkeyed_of`, count whatever the names.

    §4.1: values match if they can be transformed by changing white space, combining lines, or normalising in ways
    known to have the same meaning; absent matches only absent. With *normalize*, that includes what Accept-Encoding
    and Accept-Language mean.
    """
    if not names:
        return unkeyed
    variant: list[object] = []
    for name in names:
        lines = values(headers, name)
        if not lines:
            variant.append(None)
            continue
        value = b", ".join(line.strip(b" \t") for line in lines)
        if normalize and name == b"accept-encoding":
            variant.append(normalize_accept_encoding(value))
        elif normalize and name == b"accept-language":
            variant.append(normalize_accept_language(value))
        else:
            variant.append(_without_list_space(value))
    return (*variant, *unkeyed)


def _without_list_space(value: bytes) -> bytes:
    # §4.1 lets white space be removed where the syntax allows it: around commas, but never inside quotes.
    if b"," not in value or b'"' in value:
        return value
    return b",".join(part.strip(b" \t") for part in value.split(b","))


def variant_key(primary: CacheKey, generation: str, names: Sequence[bytes], variant: tuple[object, ...]) -> CacheKey:
    """Return the key of one variant. *generation* ties it to the record under the primary key."""
    return (*primary, generation, tuple(names), variant)


def key_of_url(url: str, scheme: str = "http", host: str = "") -> CacheKey:
    """Return the primary key that a GET of *url* has; scheme and host may be left to the arguments.

    The path and query are taken as written, since keys hold them as sent; characters that cannot stand in a URL
    are percent-encoded as a client would.
    """
    parts = urlsplit(url)
    raw_path = quote(parts.path or "/", safe=SAFE)
    query = quote(parts.query, safe=SAFE + "?")
    return (
        parts.scheme or scheme,
        (parts.netloc or host).lower().encode("idna" if not (parts.netloc or host).isascii() else "ascii"),
        raw_path.encode("ascii"),
        unquote(raw_path),
        query.encode("ascii"),
    )


_DEFAULT_PORTS = {"http": b":80", "https": b":443"}


def same_urls(key: CacheKey) -> tuple[CacheKey, ...]:
    """Return *key*, and the one without a port where it names the default one: the URLs are equivalent (§4.2.3).

    They are kept apart, since apps write the port of Host into links, which others must not be given; what makes one
    invalid makes both.
    """
    scheme, host, *rest = key
    port = _DEFAULT_PORTS.get(str(scheme), b"")
    if port and isinstance(host, bytes) and host.endswith(port):
        return key, (scheme, host[: -len(port)], *rest)
    return (key,)


def effective_host(scope: Scope) -> bytes:
    """Return the authority that the request is for: its first Host, else the server's own."""
    for name, value in scope["headers"]:
        if name == b"host":
            return bytes(value)
    server = scope.get("server")
    return f"{server[0]}:{server[1]}".encode() if server else b""
