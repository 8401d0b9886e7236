"""Vary: which of several responses is the one (RFC 9111 §4.1)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    ETAG_VALIDATED,
    FRESH,
    NOT_CACHED,
    OPTIMAL,
    PAUSE,
    REQUIRED,
    Case,
    Exchange,
    Expect,
    Kind,
    Lines,
    case,
)

VARY = "9111 §4.1"


def vary(name: str, kind: Kind, fields: str, first: Lines, second: Lines, expect: Expect, section: str = VARY) -> Case:
    """A response with *fields* in Vary is fetched with the *first* request fields, then asked for with the *second*."""
    answer = (FRESH, *(f"Vary: {line}" for line in fields.split("/")))
    return case(
        f"vary-{name}", kind, section,
        Exchange(send=first, answer=answer),
        Exchange(send=second, answer=answer, expect=expect),
    )  # fmt: skip


def star(name: str, fields: str) -> Case:
    return vary(f"syntax-{name}", REQUIRED, fields, ("Foo: 1",), ("Foo: 1",), NOT_CACHED)


A1, A2, B1, B2, C1, C2 = ("Foo: 1",), ("Foo: 2",), ("Bar: abc",), ("Bar: abcde",), ("Baz: 7",), ("Baz: 8",)
LANG = "Accept-Language"
ABOUT_FOO = (FRESH, "Vary: Foo")

CASES = (
    vary("match", OPTIMAL, "Foo", A1, A1, CACHED),
    vary("no-match", REQUIRED, "Foo", A1, A2, NOT_CACHED),
    vary("omit", REQUIRED, "Foo", A1, (), NOT_CACHED),
    vary("omit-stored", REQUIRED, "Foo", (), A1, NOT_CACHED),
    vary("omit-both", OPTIMAL, "Foo", (), (), CACHED),
    vary("empty-versus-absent", REQUIRED, "Foo", ("Foo:",), (), NOT_CACHED),
    vary("absent-versus-empty", REQUIRED, "Foo", (), ("Foo:",), NOT_CACHED),
    vary("name-case", OPTIMAL, "fOO", A1, A1, CACHED),
    vary("name-case-no-match", REQUIRED, "fOO", A1, A2, NOT_CACHED),
    vary("value-case", REQUIRED, "Foo", ("Foo: a",), ("Foo: A",), NOT_CACHED),
    vary("other-differs", OPTIMAL, "Foo", (*A1, *B1), (*A1, *B2), CACHED),
    vary("2-match", OPTIMAL, "Foo, Bar", (*A1, *B1), (*A1, *B1), CACHED),
    vary("2-no-match", REQUIRED, "Foo, Bar", (*A1, *B1), (*A2, *B1), NOT_CACHED),
    vary("2-no-match-second", REQUIRED, "Foo, Bar", (*A1, *B1), (*A1, *B2), NOT_CACHED),
    vary("2-omit", REQUIRED, "Foo, Bar", (*A1, *B1), A1, NOT_CACHED),
    vary("2-match-omit", OPTIMAL, "Foo, Bar", A1, A1, CACHED),
    vary("2-lines-match", OPTIMAL, "Foo/Bar", (*A1, *B1), (*A1, *B1), CACHED),
    vary("2-lines-no-match", REQUIRED, "Foo/Bar", (*A1, *B1), (*A1, *B2), NOT_CACHED),
    vary("3-match", OPTIMAL, "Foo, Bar, Baz", (*A1, *B1, *C1), (*A1, *B1, *C1), CACHED),
    vary("3-no-match", REQUIRED, "Foo, Bar, Baz", (*A1, *B1, *C1), (*A1, *B1, *C2), NOT_CACHED),
    vary("3-omit", REQUIRED, "Foo, Bar, Baz", (*A1, *B1, *C1), (*A1, *C1), NOT_CACHED),
    vary("3-order", OPTIMAL, "Foo, Bar, Baz", (*A1, *B1, *C1), (*C1, *A1, *B1), CACHED),
    vary("duplicate-name", OPTIMAL, "Foo, foo", A1, A1, CACHED),
    vary("empty-elements", OPTIMAL, ", Foo,, ", A1, A1, CACHED),
    vary("empty-elements-no-match", REQUIRED, ", Foo,, ", A1, A2, NOT_CACHED),
    vary("empty-value", OPTIMAL, "", A1, A2, CACHED),
    vary("cookie", REQUIRED, "Cookie", ("Cookie: a=1",), ("Cookie: a=2",), NOT_CACHED),
    vary("host-of-proxy", REQUIRED, "X-Forwarded-Host", (), ("X-Forwarded-Host: evil.test",), NOT_CACHED),
    # normalisation that §4.1 allows
    vary("normalise-combine", OPTIMAL, "Foo", ("Foo: 1, 2",), ("Foo: 1", "Foo: 2"), CACHED),
    vary("normalise-combine-no-match", REQUIRED, "Foo", ("Foo: 1, 2",), ("Foo: 2", "Foo: 1"), NOT_CACHED),
    vary("normalise-space", OPTIMAL, "Foo", ("Foo: 1,2",), ("Foo: 1, 2",), CACHED),
    vary("normalise-lang-case", OPTIMAL, LANG, (f"{LANG}: en, de",), (f"{LANG}: eN, De",), CACHED),
    vary("normalise-lang-space", OPTIMAL, LANG, (f"{LANG}: en, de",), (f"{LANG}:   en ,   de",), CACHED),
    vary("normalise-lang-order", OPTIMAL, LANG, (f"{LANG}: en;q=0.5, de;q=0.8",), (f"{LANG}: de;q=0.8, en;q=0.5",),
         CACHED),
    vary("normalise-lang-weights-differ", REQUIRED, LANG, (f"{LANG}: en;q=0.5, de;q=0.8",),
         (f"{LANG}: en;q=0.8, de;q=0.5",), NOT_CACHED),
    vary("normalise-lang-order-differs", CHECK, LANG, (f"{LANG}: en, de",), (f"{LANG}: de, en",), NOT_CACHED),
    case(
        "vary-normalise-lang-select", OPTIMAL, VARY,
        Exchange(send=(f"{LANG}: en, de",), answer=(FRESH, f"Vary: {LANG}", "Content-Language: de")),
        Exchange(send=(f"{LANG}: fr;q=0.5, de;q=1.0",), expect=CACHED),
    ),
    vary("normalise-encoding-order", OPTIMAL, "Accept-Encoding", ("Accept-Encoding: gzip, br",),
         ("Accept-Encoding: br, gzip",), CACHED),
    vary("normalise-encoding-no-match", REQUIRED, "Accept-Encoding", ("Accept-Encoding: gzip",),
         ("Accept-Encoding: identity",), NOT_CACHED),
    vary("normalise-encoding-refused", REQUIRED, "Accept-Encoding", ("Accept-Encoding: gzip",),
         ("Accept-Encoding: gzip;q=0",), NOT_CACHED),
    # the star
    vary("star", REQUIRED, "*", A1, A1, NOT_CACHED),
    star("foo-star", "Foo, *"),
    star("star-foo", "*, Foo"),
    star("star-star", "*, *"),
    star("star-star-lines", "*/*"),
    star("empty-star", ", *"),
    star("empty-star-lines", "/*"),
    star("star-space", " * "),
    star("foo-star-lines", "Foo/*"),
    case(
        "vary-star-later", REQUIRED, VARY,
        Exchange(answer=(FRESH, "Vary: Foo"), send=A1),
        Exchange(answer=(FRESH, "Vary: *"), send=A2, expect=NOT_CACHED),
        Exchange(answer=(FRESH, "Vary: *"), send=A2, expect=NOT_CACHED),
    ),
    # several responses
    case(
        "vary-cache-key", OPTIMAL, VARY,
        Exchange(send=A1, answer=ABOUT_FOO),
        Exchange(send=A2, answer=ABOUT_FOO, expect=NOT_CACHED),
        Exchange(send=A1, answer=ABOUT_FOO, served=1),
        Exchange(send=A2, answer=ABOUT_FOO, served=2),
    ),
    case(
        "vary-names-change", REQUIRED, VARY,
        Exchange(send=(*A1, *B1), answer=ABOUT_FOO),
        Exchange(send=(*A2, *B1), answer=(FRESH, "Vary: Foo, Bar"), expect=NOT_CACHED),
        Exchange(send=(*A2, *B2), answer=(FRESH, "Vary: Foo, Bar"), expect=NOT_CACHED),
    ),
    case(
        "vary-names-change-kept", OPTIMAL, VARY,
        Exchange(send=(*A1, *B1), answer=ABOUT_FOO),
        Exchange(send=(*A2, *B1), answer=(FRESH, "Vary: Foo, Bar"), expect=NOT_CACHED),
        Exchange(send=(*A1, *B2), served=1),
        Exchange(send=(*A2, *B1), served=2),
    ),
    case(
        "vary-then-none", CHECK, VARY,
        Exchange(send=A1, answer=ABOUT_FOO, pause=1.0),
        Exchange(send=A2, answer=(FRESH,), expect=NOT_CACHED),
        Exchange(send=("Foo: 3",), expect=CACHED, served=2),
    ),
    case(
        "vary-prefers-one-with-vary", OPTIMAL, VARY,
        Exchange(send=A1, answer=ABOUT_FOO, pause=1.0),
        Exchange(send=A2, answer=(FRESH,), expect=NOT_CACHED),
        Exchange(send=A1, answer=ABOUT_FOO, served=1),
    ),
    case(
        "vary-most-recent", REQUIRED, "9111 §4",
        Exchange(send=(*A1, *B1), answer=ABOUT_FOO, pause=2.0),
        Exchange(send=(*A2, *B1), answer=(FRESH, "Vary: Bar"), expect=NOT_CACHED),
        Exchange(send=(*A1, *B1), served=2),
    ),
    case(
        "vary-invalidate", OPTIMAL, VARY,
        Exchange(send=A1, answer=(FRESH, "Vary: Foo", 'ETag: "1"')),
        Exchange(send=A2, answer=("Cache-Control: no-store", "Vary: Foo"), expect=NOT_CACHED),
        Exchange(send=A1, served=1),
    ),
    case(
        "vary-conditional-own-etag", OPTIMAL, "9111 §4.3.1",
        Exchange(send=A1, answer=("Cache-Control: max-age=1", "Vary: Foo", 'ETag: "one"')),
        Exchange(send=A2, answer=("Cache-Control: max-age=1", "Vary: Foo", 'ETag: "two"'), pause=PAUSE),
        Exchange(send=A1, answer=("Cache-Control: max-age=1", "Vary: Foo", 'ETag: "one"'), expect=ETAG_VALIDATED,
                 served=1),
    ),
    case(
        "vary-validate-other-variant", OPTIMAL, "9111 §4.3.3",
        Exchange(send=A1, answer=(FRESH, "Vary: Foo", 'ETag: "one"')),
        Exchange(
            send=A2, answer=(FRESH, "Vary: Foo", 'ETag: "one"'), validates=True, served=1, statuses=(200,),
            at_origin=('If-None-Match: ~"one"',),
        ),
    ),
    case(
        "vary-validate-other-variant-changed", REQUIRED, "9111 §4.3.3",
        Exchange(send=A1, answer=(FRESH, "Vary: Foo", 'ETag: "one"')),
        Exchange(send=A2, answer=(FRESH, "Vary: Foo", 'ETag: "two"'), served=2, statuses=(200,)),
    ),
    case(
        "vary-invalidated-together", REQUIRED, "9111 §4.4",
        Exchange(send=A1, answer=ABOUT_FOO),
        Exchange(send=A2, answer=ABOUT_FOO),
        Exchange(method="POST", content=b"a"),
        Exchange(send=A1, answer=ABOUT_FOO, expect=NOT_CACHED),
        Exchange(send=A2, answer=ABOUT_FOO, expect=NOT_CACHED),
    ),
)  # fmt: skip
