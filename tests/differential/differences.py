"""Every difference between this library and nginx 1.22 or Varnish 7.1, and who is right by the paragraph of the case.

A difference is a case that goes as written with one and not with the other. `ours`: they break the paragraph, or miss
what it offers. `theirs`: we do. `both`: the paragraph leaves it open, or they reach its aim in another way. What is
not in this table fails the session; what is in it and no longer seen is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tests.conformance.cases import BY_ID

NGINX, VARNISH = "nginx", "Varnish"
BOTH = (NGINX, VARNISH)


class Right(StrEnum):
    """Who is right."""

    OURS = "ours"
    THEIRS = "theirs"
    EITHER = "both"


OURS, THEIRS, EITHER = Right.OURS, Right.THEIRS, Right.EITHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Why *subject* does otherwise in a case; the section of the case decides."""

    case: str
    subject: str
    right: Right
    why: str

    @property
    def section(self) -> str:
        return BY_ID[self.case].section


def differ(subjects: str | tuple[str, ...], right: Right, why: str, *families: str) -> tuple[Difference, ...]:
    """One reason for all cases of *families*, each of which is `prefix- a b c` or single ids."""
    found = []
    for family in families:
        first, *rest = family.split()
        ids = [first + name for name in rest] if first.endswith("-") else [first, *rest]
        for subject in (subjects,) if isinstance(subjects, str) else subjects:
            found += [Difference(case=name, subject=subject, right=right, why=why) for name in ids]
    return tuple(found)


TABLE: tuple[Difference, ...] = (
    # freshness and age
    *differ(NGINX, OURS, "Age of the origin counts for nothing.", "freshness- max-age-age max-age-age-equal",
            "freshness- max-age-pause-age s-maxage-age", "expires- age age-slow-date age-fast-date",
            "age-parse- large-minus-one large larger huge leading-zero dup-old-line dup-old-lines dup-same"),
    *differ(NGINX, OURS, "No Age is made, so the next cache takes the response for new.",
            "age- gen gen-at-once update-max-age update-expires date-fast delay-added one-line replaces-invalid",
            "age- after-validation", "stale-while-revalidate-age stale-while-revalidate-validates",
            "304-etag-update-freshness"),
    *differ(BOTH, EITHER, "Only Age, never Date, tells how old a response is; §4.2.3 lets a cache do so.",
            "freshness-max-age-date age-date-slow age-greater-of-both"),
    *differ(NGINX, OURS, "The time the origin took is not part of the age.", "freshness-delay"),
    *differ(NGINX, OURS, "No Age, so not that of the delay either.", "age-delay"),
    *differ(VARNISH, OURS, "The time the origin took is not part of the age.",
            "freshness-delay age-delay age-delay-added"),
    *differ(VARNISH, OURS, "A Date ahead of our clock lengthens the lifetime.", "expires-age-fast-date"),
    *differ(NGINX, OURS, "Expires is measured by the local clock, not by Date.", "expires-old-date expires-present"),
    *differ(NGINX, OURS, "Forms of a date that RFC 9110 does not have are read as dates.",
            "expires-invalid- aest utc offset no-zone no-space long-weekday trailing"),
    *differ(VARNISH, OURS, "A SHOULD: a date is matched without regard to case.",
            "expires-wrong-case- weekday month zone"),
    *differ(VARNISH, OURS, "A SHOULD: an Age that is no number is ignored.", "age-parse- plus float"),
    *differ(BOTH, OURS, "A directive is found within a quoted string.",
            "freshness-max-age- ignore-quoted-list ignore-quoted-escape ignore-quoted-no-store"),
    *differ(NGINX, OURS, "max-age is found within the name of another directive.", "freshness-max-age-prefix"),
    *differ(BOTH, OURS, "The quoted form of an argument, which a recipient ought to accept, is not read.",
            "freshness-max-age-quoted"),
    *differ(NGINX, OURS, "A lifetime too great for an integer is none, not the greatest.", "freshness-max-age-huge"),
    *differ(VARNISH, EITHER, "What begins with a number counts as one; §4.2 only encourages to take it for stale.",
            "freshness-max-age- plus-sign decimal-zero decimal-five"),
    *differ(VARNISH, EITHER, "White space around = is accepted.",
            "freshness-max-age- space-before-equals space-after-equals"),
    *differ(NGINX, OURS, "Of duplicates on several lines the last counts, be it the longer.",
            "freshness-two- stale-fresh-lines"),
    *differ(BOTH, EITHER, "Of duplicates on one line the first counts; with us the least.",
            "freshness-two-fresh-stale-line"),
    *differ(VARNISH, EITHER, "Of duplicates on several lines the first counts; with us the least.",
            "freshness-two-fresh-stale-lines"),
    # directives of responses
    *differ(BOTH, OURS, "A response with no-cache or no lifetime is not kept for validation.",
            "cc-resp- no-cache-validate no-cache-validate-fresh no-cache-validate-lm max-age-0-validate"),
    *differ(BOTH, EITHER, "no-cache and private with field names are taken as those without: stricter.",
            "cc-resp- no-cache-fields-reuse private-fields-reuse"),
    *differ(BOTH, OURS, "must-understand is not known, so a response it allows is not kept.",
            "cc-resp-must-understand-200"),
    *differ(NGINX, OURS, "A status that is not understood is kept in spite of must-understand.",
            "cc-resp-must-understand-alone-599"),
    *differ(BOTH, OURS, "stale-while-revalidate is obeyed against a directive that forbids it.",
            "cc-resp- must-revalidate-swr proxy-revalidate-stale s-maxage-swr"),
    *differ(NGINX, OURS, "stale-if-error is obeyed against a directive that forbids it.",
            "stale-close- must-revalidate-sie proxy-revalidate-sie s-maxage-sie"),
    *differ(BOTH, EITHER, "Set-Cookie is never kept; here a setting asks for it.", "set-cookie-store"),
    *differ(VARNISH, EITHER, "A request with Cookie passes by.", "cookie-request"),
    # directives of requests: all but no-store are advice
    *differ(BOTH, EITHER, "A client's max-age, min-fresh and no-cache are ignored, as by us unless a setting says so.",
            "ccreq- ma0 ma1 ma-less-than-age min-fresh min-fresh-age no-cache no-cache-case no-cache-etag no-cache-lm",
            "ccreq-no-cache-replaces cc-resp-no-store-old-new pragma-request-no-cache"),
    *differ(BOTH, EITHER, "A client's max-stale is ignored.", "ccreq- max-stale max-stale-any"),
    *differ(VARNISH, EITHER, "A client's max-stale is ignored.", "ccreq-max-stale-age"),
    *differ(BOTH, OURS, "no-store of a request does not keep its response from being stored.",
            "ccreq-no-store-stores-nothing"),
    *differ(BOTH, OURS, "A SHOULD: only-if-cached is answered with 504.",
            "ccreq- only-if-cached only-if-cached-stale"),
    *differ(VARNISH, OURS, "Cache-Control of a request is not forwarded.", "ccreq-forwarded"),
    # stale
    *differ(BOTH, OURS, "stale-if-error does not cover error responses, only failures to respond.",
            "stale-sie- 500 502 503 504 recovers keeps-age"),
    *differ(VARNISH, OURS, "stale-if-error is not known.", "stale-sie-close"),
    *differ(VARNISH, EITHER, "An error in the background ends the window.", "stale-while-revalidate-500"),
    # status, method, authorization
    *differ(VARNISH, OURS, "An explicit lifetime makes only some statuses storable.",
            "status- 299-fresh 303-fresh 308-fresh 400-fresh 405-fresh 418-fresh 451-fresh 499-fresh 500-fresh",
            "status- 501-fresh 502-fresh 503-fresh 504-fresh 599-fresh"),
    *differ(NGINX, OURS, "A 206 or 304 that nobody asked for is replayed.",
            "status- 206-not-asked-for 304-not-asked-for"),
    *differ(BOTH, EITHER, "Heuristic freshness is not used; with us a setting asks for it.",
            "heuristic- 200-cached 203-cached 204-cached 300-cached 301-cached 308-cached 404-cached 405-cached",
            "heuristic- 410-cached 414-cached 501-cached 599-public 201-public content-disposition pragma-response",
            "heuristic-delta- 60 600 3600 86400"),
    *differ(BOTH, EITHER, "The content of a GET is ignored; we let such a request pass by.",
            "method-get- with-content with-content-reuse"),
    *differ(NGINX, OURS, "Authorization does not keep a response from being shared.",
            "authorization- plain expires proxy-revalidate public-quoted-lookalike other-user 401"),
    *differ(NGINX, EITHER, "A response fetched without Authorization answers requests with it.",
            "authorization-from-anonymous"),
    *differ(VARNISH, OURS, "No directive lets a response to Authorization be shared.",
            "authorization- public must-revalidate s-maxage public-to-anonymous"),
    # Vary
    *differ(NGINX, OURS, "An absent field matches an empty one.", "vary- empty-versus-absent absent-versus-empty"),
    *differ(BOTH, OURS, "The star is seen only if it stands alone.",
            "vary-syntax- foo-star star-foo star-star empty-star"),
    *differ(VARNISH, OURS, "The star is seen only if it stands alone.",
            "vary-syntax- star-star-lines empty-star-lines foo-star-lines"),
    *differ(BOTH, OURS, "Values that mean the same are different variants.",
            "vary-normalise- combine space lang-case lang-order"),
    *differ(VARNISH, OURS, "Values that mean the same are different variants.", "vary-normalise-lang-space"),
    *differ(NGINX, OURS, "Values that mean the same are different variants.", "vary-normalise-encoding-order"),
    *differ(VARNISH, EITHER, "It asks for gzip itself, whatever the client accepts, and unpacks.",
            "vary-normalise-encoding- no-match refused"),
    *differ(NGINX, OURS, "A response with other names in Vary makes earlier ones unreachable.",
            "vary-names-change-kept"),
    *differ(BOTH, OURS, "A SHOULD: a response that has Vary goes before a newer one that lacks it.",
            "vary-prefers-one-with-vary"),
    *differ(BOTH, OURS, "The tags of other variants are not offered for validation.", "vary-validate-other-variant"),
    # conditional requests
    *differ(VARNISH, OURS, "Of a list of entity tags only the whole is compared, and * is no wildcard.",
            "conditional-etag-strong-respond- first second last no-space empty-elements",
            "conditional-etag- comma-within-match star lines"),
    *differ(VARNISH, EITHER, "A malformed list names nothing.", "conditional-etag-comma-within"),
    *differ(NGINX, EITHER, "Several lines of the field are refused.",
            "conditional-etag-lines conditional-lm-fresh-lines"),
    *differ(VARNISH, EITHER, "Of several lines one counts.", "conditional-lm-fresh-lines"),
    *differ(BOTH, EITHER, "Conditions of the client do not reach the origin: it is asked for the whole.",
            "conditional-etag- forward forward-unquoted"),
    *differ(NGINX, OURS, "If-Modified-Since is compared for equality.",
            "conditional-lm-fresh-later conditional-precedence-etag-yes"),
    *differ(NGINX, OURS, "A SHOULD: Date stands in for Last-Modified.", "conditional-lm-fresh-none"),
    *differ(VARNISH, OURS, "Last-Modified is sent back in its obsolete form.", "conditional-lm-generate-fixdate"),
    # validation
    *differ(NGINX, OURS, "A 304 prolongs the stored response and updates none of its fields.",
            "304-etag-update- Test-Header X-Test-Header Content-Foo X-Content-Foo Content-Language Content-Disposition",
            "304-etag-update- Content-Security-Policy X-Frame-Options X-XSS-Protection Access-Control-Allow-Origin",
            "304-etag-update- Link Location Public-Key-Pins Clear-Site-Data Content-Type Content-MD5 Cache-Control",
            "304-etag-update- Expires Date", "304-lm-update-Test-Header 304-lm-update-no-validator",
            "304-etag-adds 304-etag-replaces-lines"),
    *differ(NGINX, OURS, "A 304 that forbids storing prolongs the stored response.",
            "304-etag-then- no-store private"),
    *differ(BOTH, OURS, "A 304 with another entity tag counts as one for the stored response.", "304-mismatched-etag"),
    *differ(NGINX, OURS, "A 304 with another entity tag counts as one for the stored response.",
            "conditional-etag-stale-client-has-new"),
    *differ(VARNISH, EITHER, "A 200 with Content-Range is refused.", "304-etag-keep-Content-Range"),
    *differ(BOTH, EITHER, "A HEAD is sent on as GET and its response kept.", "head-for-head head-200-retain"),
    # invalidation and URIs
    *differ(BOTH, OURS, "Unsafe methods invalidate nothing.",
            "invalidate- POST POST-204 POST-303 PUT DELETE PATCH M-SEARCH FROBNICATE malformed-location then-store",
            "vary-invalidated-together"),
    *differ(BOTH, EITHER, "What Location and Content-Location name may be invalidated, and is by us.",
            "invalidate- POST-location PUT-location DELETE-location PATCH-location M-SEARCH-location",
            "invalidate- FROBNICATE-location POST-content-location PUT-content-location DELETE-content-location",
            "invalidate- PATCH-content-location M-SEARCH-content-location FROBNICATE-content-location",
            "invalidate- absolute-location relative-location"),
    *differ(BOTH, THEIRS, "An empty query is told from none; ASGI does not carry the difference.", "uri-query-empty"),
    *differ(NGINX, OURS, "The key holds Host as sent.", "uri-host-case"),
    *differ(BOTH, EITHER, "Fields that some apps take for the URI are nothing to the cache; with us they pass by.",
            "uri-forwarded-host-not-shared"),
    # ranges
    *differ(NGINX, EITHER, "Ranges are answered with all of the stored response.",
            "partial-from-complete- first-last middle one-byte no-last suffix suffix-longer beyond-end unit-case",
            "partial-if-range-match partial-unsatisfiable"),
    *differ(BOTH, EITHER, "Asked for a part, it fetches the whole.", "partial-forwarded"),
    *differ(BOTH, THEIRS, "The whole that answers a request for a part is kept.", "partial-ignored-by-origin-stored"),
    *differ(VARNISH, THEIRS, "Having fetched the whole, it answers later requests for parts.",
            "partial-reuse- same within suffix"),
    *differ(VARNISH, OURS, "A unit that is not understood is to be ignored, not refused.", "partial-unknown-unit"),
    *differ(VARNISH, OURS, "Several ranges that could be answered are refused.", "partial-many"),
    *differ(VARNISH, OURS, "Range means something with GET only.", "partial-head"),
    *differ(VARNISH, EITHER, "Of two Range lines the first is answered.", "partial-two-lines"),
    *differ(VARNISH, THEIRS, "Date is appended where the origin gives none; ASGI leaves that to the server.",
            "date-append"),
    # fields
    *differ(NGINX, OURS, "Fields for the proxy, or for one connection, are kept.",
            "headers-not-store- Proxy-Authenticate Proxy-Authentication-Info Proxy-Authorization Proxy-Connection TE",
            "headers-not-store-Upgrade", "headers-omit-listed-in-Connection headers-omit-listed-in-Connection-lines"),
    *differ(VARNISH, OURS, "Fields for the proxy, or for one connection, are kept.",
            "headers-not-store- Proxy-Authentication-Info Proxy-Connection"),
)  # fmt: skip

BY_CASE = {(difference.case, difference.subject): difference for difference in TABLE}
