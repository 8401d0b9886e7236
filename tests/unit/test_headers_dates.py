"""Seconds and dates in fields (RFC 9111 §1.2.2, RFC 9110 §5.6.7)."""

from __future__ import annotations

import math
from email.utils import formatdate, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync._headers import DELTA_SECONDS_MAX, delta_seconds, format_http_date, http_date

NOW = 1_790_000_000.0  # Monday, 21 September 2026
RFC_DATE = 784111777.0  # the example of RFC 9110 §5.6.7, in its three forms


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"0", 0),
        (b"60", 60),
        (b" 60\t", 60),
        (b"0000000000000060", 60),
        (b"2147483647", 2147483647),
        (b"2147483648", DELTA_SECONDS_MAX),
        (b"2147483649", DELTA_SECONDS_MAX),
        (b"99999999999", DELTA_SECONDS_MAX),
        (b"9" * 10_000, DELTA_SECONDS_MAX),
        *((bad, None) for bad in (b"", b" ", b"-1", b"+1", b"1.0", b"1e3", b'"1"', b"'1'", b"1 2", b"0x1", b"1_0")),
        ("٣".encode(), None),
        (b"\xb2", None),
    ],
)
def test_delta_seconds_are_digits_only_and_clamped(value: bytes, expected: int | None) -> None:
    """A non-negative integer; what overflows is 2^31 (RFC 9111 §1.2.2)."""
    assert expected == delta_seconds(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Sun, 06 Nov 1994 08:49:37 GMT", RFC_DATE),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", RFC_DATE),
        (b"Sun Nov  6 08:49:37 1994", RFC_DATE),
        (b"Sun Nov 06 08:49:37 1994", RFC_DATE),
        (b"Sun Nov 16 08:49:37 1994", RFC_DATE + 10 * 86400),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        (b"Wed, 31 Dec 1969 23:59:59 GMT", -1.0),
        (b"Thu, 29 Feb 2024 00:00:00 GMT", 1709164800.0),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799.0),
        (b"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800.0),
        (b"  Sun, 06 Nov 1994 08:49:37 GMT\t", RFC_DATE),
        (b"sun, 06 nov 1994 08:49:37 gmt", RFC_DATE),
        (b"SUNDAY, 06-NOV-94 08:49:37 GMT", RFC_DATE),
        (b"Mon, 06 Nov 1994 08:49:37 GMT", RFC_DATE),
    ],
)
def test_three_date_forms_are_understood(value: bytes, expected: float) -> None:
    """IMF-fixdate, RFC 850 and asctime (RFC 9110 §5.6.7), in any case, with any weekday."""
    assert expected == http_date(value, NOW)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"0",
        b"-1",
        b"Sun, 06 Nov 94 08:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:37 UTC",
        b"Sun, 06 Nov 1994 08:49:37 AEST",
        b"Sun, 06 Nov 1994 08:49:37 +0000",
        b"Sun, 06 Nov 1994 08:49:37",
        b"Sun, 06 Nov 1994 8:49:37 GMT",
        b"Sun, 6 Nov 1994 08:49:37 GMT",
        b"Sun, 06-Nov-1994 08:49:37 GMT",
        b"Sun, 06-Nov-94 08:49:37 GMT",
        b"Sunday, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-1994 08:49:37 GMT",
        b"Sun 06 Nov 1994 08:49:37 GMT",
        b"Sun,  06 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994  08:49:37 GMT",
        b"Sun,06 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 08.49.37 GMT",
        b"Sun, 06 Nov 1994 08:49 GMT",
        b"Xyz, 06 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Xyz 1994 08:49:37 GMT",
        b"06 Nov 1994 08:49:37 GMT",
        b"Sun, 00 Nov 1994 08:49:37 GMT",
        b"Sun, 31 Nov 1994 08:49:37 GMT",
        b"Sun, 29 Feb 2023 08:49:37 GMT",
        b"Sun, 06 Nov 0000 08:49:37 GMT",
        b"Sun, 06 Nov 1994 24:00:00 GMT",
        b"Sun, 06 Nov 1994 08:60:37 GMT",
        b"Sun, 06 Nov 1994 08:49:60 GMT",
        b"Sun, 06 Nov 1994 23:59:61 GMT",
        b"Sun Nov 6 08:49:37 1994",
        b"Sun Nov  6 08:49:37 94",
        b"Sun Nov  6 08:49:37 1994 GMT",
        b"Sunday Nov  6 08:49:37 1994",
        b"1994-11-06T08:49:37Z",
        b"784111777",
        b"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, 0٦ Nov 1994 08:49:37 GMT".encode(),
    ],
)
def test_no_other_date_form_is_understood(value: bytes) -> None:
    """Two-digit years, other zones, missing zeros, dashes, periods and more spaces are no HTTP-date (§5.6.7)."""
    assert http_date(value, NOW) is None


@pytest.mark.parametrize(
    ("value", "year"),
    [
        (b"Monday, 21-Sep-26 00:00:00 GMT", 2026),
        (b"Monday, 01-Jan-76 00:00:00 GMT", 2076),
        (b"Monday, 21-Sep-76 00:00:00 GMT", 2076),
        (b"Monday, 22-Sep-76 00:00:00 GMT", 1976),
        (b"Monday, 31-Dec-76 00:00:00 GMT", 1976),
        (b"Monday, 01-Jan-77 00:00:00 GMT", 1977),
        (b"Monday, 01-Jan-99 00:00:00 GMT", 1999),
        (b"Monday, 29-Feb-00 00:00:00 GMT", 2000),
    ],
)
def test_two_digits_of_a_year_are_never_over_fifty_years_ahead(value: bytes, year: int) -> None:
    """§5.6.7: what appears to be more than 50 years in the future is the most recent such year in the past."""
    seconds = http_date(value, NOW)

    assert seconds is not None
    assert b" %d " % year in format_http_date(seconds)


@given(st.integers(min_value=-62135596800, max_value=253402300799))
def test_dates_survive_a_round_trip(seconds: int) -> None:
    """What is written is read back to the second."""
    assert float(seconds) == http_date(format_http_date(seconds), NOW)


@given(st.floats(min_value=0, max_value=4e9))
def test_dates_are_written_as_the_standard_library_writes_them(seconds: float) -> None:
    """IMF-fixdate, rounded down."""
    written = format_http_date(seconds)

    assert formatdate(math.floor(seconds), usegmt=True).encode() == written
    assert math.floor(seconds) == parsedate_to_datetime(written.decode()).timestamp()


def test_dates_beyond_the_calendar_are_written_as_its_ends() -> None:
    """No clock makes the writer fail."""
    assert b"Mon, 01 Jan 0001 00:00:00 GMT" == format_http_date(-math.inf)
    assert b"Fri, 31 Dec 9999 23:59:59 GMT" == format_http_date(math.inf)
