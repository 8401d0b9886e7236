"""Status codes, heuristic freshness, methods and Authorization (RFC 9111 §3, §3.5, §4.2.2)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    FRESH,
    HEURISTIC,
    NOT_CACHED,
    OPTIMAL,
    PAUSE,
    REQUIRED,
    SHORT,
    Case,
    Exchange,
    Kind,
    case,
    reuse,
)

STORING = "9111 §3"
HEURISTICS = "9111 §4.2.2"
AUTHORIZATION = "9111 §3.5"

OLD = "Last-Modified: @start-864000"
"""Ten days old: a tenth of it is a day."""
BASIC = ("Authorization: Basic dTpw",)

KNOWN = (200, 203, 204, 299, 300, 301, 302, 303, 307, 308, 400, 404, 405, 410, 414, 418, 451, 499, 500, 501, 502, 503,
         504, 599)  # fmt: skip
HEURISTICALLY = (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501)
"""RFC 9110 §15.1, without 206."""
NOT_HEURISTICALLY = (201, 202, 302, 303, 307, 400, 403, 429, 500, 502, 503, 504, 599)


def lm_age(seconds: int, *, hit: bool = True) -> Case:
    """A tenth of the time since the last change is a usual lifetime: is it reached after the pause?"""
    return reuse(f"heuristic-delta-{seconds}", CHECK, HEURISTICS, f"Last-Modified: @start-{seconds}", env=HEURISTIC,
                 pause=PAUSE, expect=CACHED if hit else NOT_CACHED)  # fmt: skip


def auth(name: str, kind: Kind, control: str, *more: str, hit: bool = True, section: str = AUTHORIZATION) -> Case:
    return reuse(f"authorization-{name}", kind, section, control, *more, send=BASIC,
                 expect=CACHED if hit else NOT_CACHED)  # fmt: skip


CASES = (
    *(reuse(f"status-{status}-fresh", OPTIMAL, STORING, FRESH, status=status) for status in KNOWN),
    *(
        reuse(f"status-{status}-stale", REQUIRED, "9111 §4.2", SHORT, status=status, pause=PAUSE, expect=NOT_CACHED)
        for status in KNOWN
    ),
    reuse("status-206-not-asked-for", CHECK, "9111 §3.3", FRESH, "Content-Range: bytes 0-4/1000", status=206,
          expect=NOT_CACHED),
    reuse("status-304-not-asked-for", CHECK, STORING, FRESH, status=304, expect=NOT_CACHED),
    # heuristics: off unless set, and never where an explicit lifetime is there
    *(
        reuse(f"heuristic-{status}-cached", OPTIMAL, HEURISTICS, OLD, status=status, env=HEURISTIC)
        for status in HEURISTICALLY
    ),
    *(
        reuse(f"heuristic-{status}-not-cached", REQUIRED, HEURISTICS, OLD, status=status, env=HEURISTIC,
              expect=NOT_CACHED)
        for status in NOT_HEURISTICALLY
    ),
    reuse("heuristic-599-public", OPTIMAL, "9111 §5.2.2.9", OLD, "Cache-Control: public", status=599, env=HEURISTIC),
    reuse("heuristic-201-public", OPTIMAL, "9111 §5.2.2.9", OLD, "Cache-Control: public", status=201, env=HEURISTIC),
    reuse("heuristic-no-last-modified", CHECK, HEURISTICS, env=HEURISTIC, expect=NOT_CACHED),
    reuse("heuristic-explicit-wins", REQUIRED, HEURISTICS, OLD, SHORT, env=HEURISTIC, pause=PAUSE,
          expect=NOT_CACHED),
    reuse("heuristic-expires-invalid", REQUIRED, HEURISTICS, OLD, "Expires: 0", env=HEURISTIC, expect=NOT_CACHED),
    reuse("heuristic-last-modified-future", CHECK, HEURISTICS, "Last-Modified: @start+3600", env=HEURISTIC,
          expect=NOT_CACHED),
    reuse("heuristic-last-modified-invalid", CHECK, HEURISTICS, "Last-Modified: yesterday", env=HEURISTIC,
          expect=NOT_CACHED),
    reuse("heuristic-content-disposition", CHECK, HEURISTICS, OLD, "Content-Disposition: attachment",
          env=HEURISTIC),
    reuse("heuristic-pragma-response", CHECK, "9111 §5.4", OLD, "Pragma: no-cache", env=HEURISTIC),
    lm_age(5, hit=False),
    lm_age(10, hit=False),
    lm_age(60),
    lm_age(600),
    lm_age(3600),
    lm_age(86400),
    reuse("heuristic-off", CHECK, HEURISTICS, OLD, expect=NOT_CACHED),
    # methods
    case(
        "method-post-unstorable", REQUIRED, STORING,
        Exchange(method="POST", content=b"a"),
        Exchange(method="POST", content=b"a", expect=NOT_CACHED),
    ),
    case(
        "method-post-fresh-to-post", REQUIRED, "9110 §9.3.3",
        Exchange(method="POST", content=b"a", answer=(FRESH,)),
        Exchange(method="POST", content=b"a", answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "method-post-fresh-to-get", REQUIRED, "9110 §9.3.3",
        Exchange(method="POST", content=b"a", answer=(FRESH,)),
        Exchange(answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "method-post-content-location", OPTIMAL, "9110 §9.3.3",
        Exchange(method="POST", content=b"a", answer=(FRESH, "Content-Location: {path}")),
        Exchange(answer=(FRESH,), expect=CACHED),
    ),
    *(
        case(
            f"method-{method.lower()}-written-through", REQUIRED, "9111 §4",
            Exchange(answer=(FRESH,)),
            Exchange(method=method, status=405, expect=NOT_CACHED, statuses=(405,)),
        )
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FROBNICATE")
    ),
    *(
        case(
            f"method-{method.lower()}-not-stored", REQUIRED, STORING,
            Exchange(method=method, answer=(FRESH,)),
            Exchange(answer=(FRESH,), expect=NOT_CACHED),
        )
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "FROBNICATE")
    ),
    case(
        "method-get-with-content", CHECK, "9110 §9.3.1",
        Exchange(content=b"poison", answer=(FRESH,)),
        Exchange(answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "method-get-with-content-reuse", CHECK, "9110 §9.3.1",
        Exchange(answer=(FRESH,)),
        Exchange(content=b"other", answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "method-case-sensitive", REQUIRED, "9110 §9.1",
        Exchange(answer=(FRESH,)),
        Exchange(method="get", answer=(FRESH,), expect=NOT_CACHED),
        on_wire=False,
    ),
    # Authorization
    auth("plain", REQUIRED, FRESH, hit=False),
    auth("expires", REQUIRED, "Expires: @now+3600", hit=False),
    auth("public", OPTIMAL, "Cache-Control: max-age=3600, public"),
    auth("must-revalidate", OPTIMAL, "Cache-Control: max-age=3600, must-revalidate"),
    auth("s-maxage", OPTIMAL, "Cache-Control: s-maxage=3600"),
    auth("proxy-revalidate", REQUIRED, "Cache-Control: max-age=3600, proxy-revalidate", hit=False),
    auth("must-revalidate-stale", REQUIRED, "Cache-Control: max-age=0, must-revalidate", hit=False),
    auth("s-maxage-stale", REQUIRED, "Cache-Control: max-age=3600, s-maxage=0", hit=False),
    auth("public-no-store", REQUIRED, "Cache-Control: max-age=3600, public, no-store", hit=False),
    auth("public-private", REQUIRED, "Cache-Control: max-age=3600, public, private", hit=False),
    auth("public-quoted-lookalike", REQUIRED, 'Cache-Control: max-age=3600, foo="public"', hit=False),
    case(
        "authorization-other-user", REQUIRED, AUTHORIZATION,
        Exchange(send=BASIC, answer=(FRESH,)),
        Exchange(send=("Authorization: Basic b3RoZXI6cA==",), answer=(FRESH,), expect=NOT_CACHED),
        Exchange(answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "authorization-public-to-anonymous", OPTIMAL, AUTHORIZATION,
        Exchange(send=BASIC, answer=("Cache-Control: max-age=3600, public",)),
        Exchange(answer=(FRESH,), expect=CACHED),
    ),
    case(
        "authorization-from-anonymous", CHECK, AUTHORIZATION,
        Exchange(answer=(FRESH,)),
        Exchange(send=BASIC, answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "authorization-401", REQUIRED, AUTHORIZATION,
        Exchange(send=BASIC, answer=(FRESH,), status=401),
        Exchange(answer=(FRESH,), expect=NOT_CACHED),
    ),
    case(
        "authorization-empty", REQUIRED, AUTHORIZATION,
        Exchange(send=("Authorization:",), answer=(FRESH,)),
        Exchange(answer=(FRESH,), expect=NOT_CACHED),
        on_wire=False,
    ),
)  # fmt: skip
