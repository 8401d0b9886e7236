"""Expires and the forms of a date (RFC 9111 §4.2, §5.3; RFC 9110 §5.6.7)."""

from __future__ import annotations

from tests.conformance.model import CACHED, NOT_CACHED, OPTIMAL, PAUSE, REQUIRED, Case, Exchange, case, reuse

EXPIRES = "9111 §5.3"
DATE = "9110 §5.6.7"
MATCH = "9111 §4.2"


def invalid(name: str, *values: str) -> Case:
    """An Expires that is no HTTP-date is in the past."""
    lines = tuple(f"Expires: {value}" for value in values)
    return reuse(f"expires-invalid-{name}", REQUIRED, EXPIRES, *lines, expect=NOT_CACHED)


CASES = (
    reuse("expires-future", OPTIMAL, EXPIRES, "Expires: @now+3600"),
    reuse("expires-past", REQUIRED, EXPIRES, "Expires: @now-3600", expect=NOT_CACHED),
    reuse("expires-present", REQUIRED, EXPIRES, "Expires: @now", expect=NOT_CACHED),
    reuse("expires-stale", REQUIRED, EXPIRES, "Expires: @now+1", pause=PAUSE, expect=NOT_CACHED),
    reuse("expires-old-date", REQUIRED, "9111 §4.2.1", "Date: @now+60", "Expires: @now+30", expect=NOT_CACHED),
    reuse("expires-no-date", OPTIMAL, "9110 §6.6.1", "Expires: @now+3600", has_date=False),
    reuse("expires-age", REQUIRED, "9111 §4.2.3", "Expires: @now+3600", "Age: 12000", expect=NOT_CACHED),
    reuse("expires-age-slow-date", REQUIRED, "9111 §4.2.3", "Date: @now-10", "Expires: @now+10", "Age: 25",
          expect=NOT_CACHED),
    reuse("expires-age-fast-date", REQUIRED, "9111 §4.2.3", "Date: @now+10", "Expires: @now+20", "Age: 15",
          expect=NOT_CACHED),
    reuse("expires-slow-date-lifetime", OPTIMAL, "9111 §4.2.1", "Date: @now-3600", "Expires: @now+3600"),
    reuse("expires-ansi-c", OPTIMAL, DATE, "Expires: @asctime:now+3600"),
    reuse("expires-rfc850", OPTIMAL, DATE, "Expires: @rfc850:now+3600"),
    reuse("expires-rfc850-past", REQUIRED, DATE, "Expires: Sunday, 06-Nov-94 08:49:37 GMT", expect=NOT_CACHED),
    reuse("expires-date-rfc850", OPTIMAL, DATE, "Date: @rfc850:now", "Expires: @now+3600"),
    reuse("expires-32bit", OPTIMAL, MATCH, "Expires: Thu, 18 Aug 2050 02:01:18 GMT"),
    reuse("expires-far-future", OPTIMAL, MATCH, "Expires: Sun, 21 Nov 2286 04:46:39 GMT"),
    reuse("expires-year-9999", OPTIMAL, MATCH, "Expires: Fri, 31 Dec 9999 23:59:59 GMT"),
    reuse("expires-before-epoch", REQUIRED, MATCH, "Expires: Thu, 01 Jan 1931 00:00:00 GMT", expect=NOT_CACHED),
    reuse("expires-wrong-case-weekday", OPTIMAL, MATCH, "Expires: THU, 18 Aug 2050 02:01:18 GMT"),
    reuse("expires-wrong-case-month", OPTIMAL, MATCH, "Expires: Thu, 18 AUG 2050 02:01:18 GMT"),
    reuse("expires-wrong-case-zone", OPTIMAL, MATCH, "Expires: Thu, 18 Aug 2050 02:01:18 gMT"),
    reuse("expires-same-twice", OPTIMAL, "9111 §4.2.1", "Expires: @now+3600", "Expires: @now+3600"),
    invalid("0", "0"),
    invalid("minus-1", "-1"),
    invalid("empty", ""),
    invalid("seconds", "4102444800"),
    invalid("1-digit-hour", "Thu, 18 Aug 2050 2:01:18 GMT"),
    invalid("1-digit-day", "Thu, 8 Aug 2050 02:01:18 GMT"),
    invalid("2-digit-year", "Thu, 18 Aug 50 02:01:18 GMT"),
    invalid("5-digit-year", "Thu, 18 Aug 12050 02:01:18 GMT"),
    invalid("aest", "Thu, 18 Aug 2050 02:01:18 AEST"),
    invalid("utc", "Thu, 18 Aug 2050 02:01:18 UTC"),
    invalid("offset", "Thu, 18 Aug 2050 02:01:18 +0000"),
    invalid("no-zone", "Thu, 18 Aug 2050 02:01:18"),
    invalid("dashes", "Thu, 18-Aug-2050 02:01:18 GMT"),
    invalid("multiple-spaces", "Thu, 18  Aug  2050  02:01:18  GMT"),
    invalid("no-space", "Thu,18 Aug 2050 02:01:18 GMT"),
    invalid("time-periods", "Thu, 18 Aug 2050 02.01.18 GMT"),
    invalid("no-comma", "Thu 18 Aug 2050 02:01:18 GMT"),
    invalid("no-weekday", "18 Aug 2050 02:01:18 GMT"),
    invalid("no-time", "Thu, 18 Aug 2050"),
    invalid("long-weekday", "Thursday, 18 Aug 2050 02:01:18 GMT"),
    invalid("long-month", "Thu, 18 August 2050 02:01:18 GMT"),
    invalid("hour-24", "Thu, 18 Aug 2050 24:01:18 GMT"),
    invalid("minute-60", "Thu, 18 Aug 2050 02:60:18 GMT"),
    invalid("day-32", "Thu, 32 Aug 2050 02:01:18 GMT"),
    invalid("february-30", "Wed, 30 Feb 2050 02:01:18 GMT"),
    invalid("trailing", "Thu, 18 Aug 2050 02:01:18 GMT now"),
    invalid("iso-8601", "2050-08-18T02:01:18Z"),
    invalid("first-line", "0", "Thu, 18 Aug 2050 02:01:18 GMT"),
    case(
        "expires-forwarded-as-is", REQUIRED, "9111 §4.2.3",
        Exchange(answer=("Cache-Control: max-age=3600", "Expires: 0"), pause=PAUSE),
        Exchange(expect=CACHED, want=("Expires: 0",)),
    ),
)  # fmt: skip
