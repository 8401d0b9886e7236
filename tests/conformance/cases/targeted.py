"""Targeted fields (RFC 9213) and what the cache says of itself (RFC 9211)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    ETAG_VALIDATED,
    FRESH,
    HONOUR,
    NO_SETTINGS,
    NOT_CACHED,
    OPTIMAL,
    PAUSE,
    REQUIRED,
    SHORT,
    TARGETED,
    Case,
    Exchange,
    Fault,
    Kind,
    case,
    reuse,
)

BEHAVIOUR = "9213 §2.2"
SYNTAX = "9213 §2.1"
CDN_FIELD = "9213 §3.1"
STATUS = "9211 §2"

NOT = "Cache-Control: no-store"


def cdn(name: str, kind: Kind, *answer: str, hit: bool, pause: float = 0.0, section: str = BEHAVIOUR) -> Case:
    lines = tuple(line if ":" in line else f"CDN-Cache-Control: {line}" for line in answer)
    first = Exchange(answer=lines, pause=pause)
    second = Exchange(answer=lines, expect=CACHED if hit else NOT_CACHED)
    return case(f"cdn-{name}", kind, section, first, second, env=TARGETED, is_ours=True)


def own(name: str, *answer: str, hit: bool, pause: float = 0.0) -> Case:
    first = Exchange(answer=answer, pause=pause, unwanted=("Resync-Cache-Control",))
    second = Exchange(answer=answer, unwanted=("Resync-Cache-Control",), expect=CACHED if hit else NOT_CACHED)
    return case(f"own-target-{name}", REQUIRED, BEHAVIOUR, first, second, is_ours=True)


def status(name: str, *exchanges: Exchange, section: str = STATUS) -> Case:
    return case(f"cache-status-{name}", REQUIRED, section, *exchanges, is_ours=True)


CASES = (
    cdn("max-age", OPTIMAL, "max-age=3600", hit=True),
    cdn("max-age-over-no-store", OPTIMAL, "max-age=3600", NOT, hit=True),
    cdn("max-age-over-private", OPTIMAL, "max-age=3600", "Cache-Control: private", hit=True),
    cdn("max-age-over-expires", OPTIMAL, "max-age=3600", "Expires: @now-3600", hit=True),
    cdn("max-age-longer", OPTIMAL, "max-age=3600", SHORT, hit=True, pause=PAUSE),
    cdn("max-age-shorter", REQUIRED, "max-age=1", FRESH, hit=False, pause=PAUSE),
    cdn("max-age-0", REQUIRED, "max-age=0", FRESH, hit=False),
    cdn("max-age-0-over-expires", REQUIRED, "max-age=0", "Expires: @now+3600", hit=False),
    cdn("no-store-over-fresh", REQUIRED, "no-store", FRESH, hit=False),
    cdn("private-over-fresh", REQUIRED, "private", FRESH, hit=False),
    cdn("no-cache-over-fresh", REQUIRED, "max-age=3600, no-cache", FRESH, hit=False),
    cdn("no-lifetime-over-fresh", REQUIRED, "must-revalidate", FRESH, hit=False),
    cdn("max-age-stale", REQUIRED, "max-age=1", hit=False, pause=PAUSE),
    cdn("max-age-age", REQUIRED, "max-age=3600", "Age: 7200", hit=False),
    cdn("max-age-max", OPTIMAL, "max-age=2147483647", hit=True),
    cdn("max-age-max-plus", OPTIMAL, "max-age=99999999999", hit=True),
    cdn("max-age-beyond-structured", CHECK, f"max-age={'9' * 16}", FRESH, hit=True, section=SYNTAX),
    cdn("extension", OPTIMAL, "foobar, max-age=3600", NOT, hit=True),
    cdn("parameters-ignored", OPTIMAL, "max-age=3600;foo=bar, x;y", NOT, hit=True, section=SYNTAX),
    cdn("lines", OPTIMAL, "foo", "max-age=3600", NOT, hit=True, section=SYNTAX),
    cdn("last-duplicate-wins", REQUIRED, "max-age=3600, max-age=1", hit=False, pause=PAUSE, section="8941 §4.2.2"),
    cdn("case-sensitive", CHECK, "MaX-aGe=3600", NOT, hit=False, section=SYNTAX),
    cdn("invalid-is-ignored", REQUIRED, "max-age=3600, &", NOT, hit=False, section=SYNTAX),
    cdn("invalid-falls-back", OPTIMAL, "no-store, &", FRESH, hit=True, section=SYNTAX),
    cdn("space-before-equals", REQUIRED, "max-age =3600", NOT, hit=False, section=SYNTAX),
    cdn("space-after-equals", REQUIRED, "max-age= 3600", NOT, hit=False, section=SYNTAX),
    cdn("trailing-comma", REQUIRED, "max-age=3600,", NOT, hit=False, section=SYNTAX),
    cdn("empty-falls-back", OPTIMAL, "", FRESH, hit=True, section=SYNTAX),
    cdn("empty-falls-back-no-store", REQUIRED, "", NOT, hit=False, section=SYNTAX),
    cdn("wrong-type-string", CHECK, 'max-age="3600"', NOT, hit=False, section=SYNTAX),
    cdn("wrong-type-decimal", CHECK, "max-age=3600.0", NOT, hit=False, section=SYNTAX),
    cdn("wrong-type-negative", REQUIRED, "max-age=-3600", NOT, hit=False, section=SYNTAX),
    cdn("quoted-lookalike", REQUIRED, 'foo="max-age=3600", max-age=1', hit=False, pause=PAUSE, section=SYNTAX),
    cdn("no-store-false", CHECK, "no-store=?0, max-age=3600", hit=True, section=SYNTAX),
    case(
        "cdn-validates", OPTIMAL, BEHAVIOUR,
        Exchange(answer=("CDN-Cache-Control: max-age=1", FRESH, 'ETag: "a"'), pause=PAUSE),
        Exchange(answer=("CDN-Cache-Control: max-age=1", FRESH, 'ETag: "a"'), expect=ETAG_VALIDATED),
        env=TARGETED,
        is_ours=True,
    ),
    case(
        "cdn-must-revalidate", REQUIRED, BEHAVIOUR,
        Exchange(answer=("CDN-Cache-Control: max-age=1, must-revalidate",
                         "Cache-Control: max-age=1, stale-if-error=60"), pause=PAUSE),
        Exchange(fault=Fault.CLOSE, expect=NOT_CACHED),
        env=TARGETED,
        is_ours=True,
    ),
    case(
        "cdn-cache-control-forwarded", REQUIRED, BEHAVIOUR,
        Exchange(answer=("CDN-Cache-Control: max-age=3600", "Cache-Control: max-age=5")),
        Exchange(
            answer=("CDN-Cache-Control: max-age=3600", "Cache-Control: max-age=5"), want=("Cache-Control: max-age=5",)
        ),
        env=TARGETED,
        is_ours=True,
    ),
    case(
        "cdn-field-forwarded", CHECK, CDN_FIELD,
        Exchange(answer=("CDN-Cache-Control: max-age=3600",)),
        Exchange(expect=CACHED, want=("CDN-Cache-Control: max-age=3600",)),
        env=TARGETED,
        is_ours=True,
    ),
    reuse("cdn-not-on-target-list", CHECK, BEHAVIOUR, "CDN-Cache-Control: no-store", FRESH, env=NO_SETTINGS),
    reuse("surrogate-control-max-age", CHECK, BEHAVIOUR, "Surrogate-Control: max-age=3600", expect=NOT_CACHED),
    reuse("surrogate-control-over-fresh", CHECK, BEHAVIOUR, "Surrogate-Control: max-age=0", FRESH),
    # our own target
    own("max-age", "Resync-Cache-Control: max-age=3600", NOT, hit=True),
    own("no-store", "Resync-Cache-Control: no-store", FRESH, hit=False),
    own("shorter", "Resync-Cache-Control: max-age=1", FRESH, hit=False, pause=PAUSE),
    own("invalid", "Resync-Cache-Control: max-age", FRESH, hit=False),
    own("unparsable", "Resync-Cache-Control: ,", FRESH, hit=True),
    case(
        "own-target-before-cdn", REQUIRED, BEHAVIOUR,
        Exchange(answer=("Resync-Cache-Control: max-age=3600", "CDN-Cache-Control: no-store")),
        Exchange(expect=CACHED, unwanted=("Resync-Cache-Control",)),
        env=TARGETED,
        is_ours=True,
    ),
    # Cache-Status
    status("miss", Exchange(answer=(FRESH,), want=("Cache-Status: ~; ?fwd=uri-miss",),
                            unwanted=("Cache-Status: ~; ?hit",)), section="9211 §2.2"),
    status("miss-stored", Exchange(answer=(FRESH,), want=("Cache-Status: ~; ?stored",)), section="9211 §2.5"),
    status("miss-not-stored", Exchange(answer=(NOT,), unwanted=("Cache-Status: ~; ?stored(;|$)",)),
           section="9211 §2.5"),
    status("hit", Exchange(answer=(FRESH,)),
           Exchange(expect=CACHED, want=("Cache-Status: ~; ?hit",), unwanted=("Cache-Status: ~; ?fwd=",)),
           section="9211 §2.1"),
    status("ttl", Exchange(answer=("Cache-Control: max-age=100",), pause=PAUSE),
           Exchange(expect=CACHED, want=("Cache-Status: ~; ?ttl=9[5-8]",)), section="9211 §2.4"),
    status("ttl-stale", Exchange(answer=("Cache-Control: max-age=1, stale-while-revalidate=60",), pause=PAUSE),
           Exchange(served=1, want=("Cache-Status: ~; ?ttl=-[1-5]",)), section="9211 §2.4"),
    status("stale", Exchange(answer=(SHORT,), pause=PAUSE),
           Exchange(answer=(SHORT,), want=("Cache-Status: ~; ?fwd=stale",)), section="9211 §2.2"),
    status("vary-miss", Exchange(send=("Foo: 1",), answer=(FRESH, "Vary: Foo")),
           Exchange(send=("Foo: 2",), answer=(FRESH, "Vary: Foo"), want=("Cache-Status: ~; ?fwd=vary-miss",)),
           section="9211 §2.2"),
    case(
        "cache-status-none-where-uninvolved", CHECK, "9211 §2.2",
        Exchange(method="POST", content=b"a", unwanted=("Cache-Status",)),
        is_ours=True,
    ),
    case(
        "cache-status-request", REQUIRED, "9211 §2.2",
        Exchange(answer=(FRESH,)),
        Exchange(send=("Cache-Control: no-cache",), answer=(FRESH,), want=("Cache-Status: ~; ?fwd=request",)),
        env=HONOUR,
        is_ours=True,
    ),
    status("fwd-status", Exchange(answer=(SHORT, 'ETag: "a"'), pause=PAUSE),
           Exchange(answer=(FRESH, 'ETag: "a"'), validates=True, served=1,
                    want=("Cache-Status: ~; ?fwd-status=304",)),
           section="9211 §2.3"),
    status("appended", Exchange(answer=(FRESH, "Cache-Status: Other; hit; ttl=5"),
                                want=("Cache-Status: ~^Other; hit; ttl=5, .*fwd=uri-miss",)),
           Exchange(expect=CACHED, want=("Cache-Status: ~^Other; hit; ttl=5, [^,]*; ?hit",),
                    unwanted=("Cache-Status: ~fwd=uri-miss",))),
    status("only-if-cached", Exchange(send=("Cache-Control: only-if-cached",), statuses=(504,), want=("Cache-Status",),
                                      unwanted=("Cache-Status: ~; ?hit",))),
)  # fmt: skip
