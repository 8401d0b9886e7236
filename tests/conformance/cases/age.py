"""Age: what is made of it on the way in, and what goes out (RFC 9111 §4.2.3, §5.1)."""

from __future__ import annotations

from tests.conformance.model import (
    CACHED,
    CHECK,
    FRESH,
    NOT_CACHED,
    OPTIMAL,
    PAUSE,
    REQUIRED,
    Case,
    Exchange,
    case,
    reuse,
)

PARSE = "9111 §5.1"
SECONDS = "9111 §1.2.2"


def parse(name: str, *values: str, kind: str = "optimal", section: str = PARSE, fresh: bool = True) -> Case:
    """A response that is fresh if its Age counts for nothing, and stale if it counts."""
    ages = tuple(f"Age: {value}" for value in values)
    rank = REQUIRED if kind == "required" else CHECK if kind == "check" else OPTIMAL
    return reuse(f"age-parse-{name}", rank, section, FRESH, *ages, expect=CACHED if fresh else NOT_CACHED)


CASES = (
    parse("nonnumeric", "abc"),
    parse("negative", "-7200"),
    parse("plus", "+7200"),
    parse("float", "7200.0"),
    parse("empty", ""),
    parse("suffix", "7200a"),
    parse("prefix", "a7200"),
    parse("parameter", "7200;foo=bar"),
    parse("numeric-parameter", "7200;foo=111"),
    parse("quoted", '"7200"'),
    parse("zero", "0"),
    parse("large-minus-one", "2147483647", kind="required", section=SECONDS, fresh=False),
    parse("large", "2147483648", kind="required", section=SECONDS, fresh=False),
    parse("larger", "99999999999", kind="required", section=SECONDS, fresh=False),
    parse("huge", "9" * 40, kind="required", section=SECONDS, fresh=False),
    parse("leading-zero", "007200", kind="required", section=SECONDS, fresh=False),
    parse("dup-old-line", "7200, 0", fresh=False),
    parse("dup-old-lines", "7200", "0", fresh=False),
    parse("dup-0-line", "0, 7200"),
    parse("dup-0-lines", "0", "7200"),
    parse("suffix-lines", "7200a", "0"),
    parse("prefix-lines", "a7200", "0"),
    parse("dup-same", "7200, 7200", fresh=False),
    case(
        "age-gen", REQUIRED, "9111 §4",
        Exchange(answer=(FRESH,), pause=PAUSE),
        Exchange(expect=CACHED, age=(2, 6)),
    ),
    case(
        "age-gen-at-once", REQUIRED, "9111 §4",
        Exchange(answer=(FRESH,)),
        Exchange(expect=CACHED, age=(0, 2)),
    ),
    case(
        "age-update-max-age", REQUIRED, "9111 §4.2.3",
        Exchange(answer=(FRESH, "Age: 30"), pause=PAUSE),
        Exchange(expect=CACHED, age=(32, 36)),
    ),
    case(
        "age-update-expires", REQUIRED, "9111 §4.2.3",
        Exchange(answer=("Expires: @now+3600", "Age: 30"), pause=PAUSE),
        Exchange(expect=CACHED, age=(32, 36)),
    ),
    case(
        "age-date-slow", CHECK, "9111 §4.2.3",
        Exchange(answer=(FRESH, "Date: @now-100"), pause=PAUSE),
        Exchange(expect=CACHED, age=(102, 107)),
    ),
    case(
        "age-date-fast", REQUIRED, "9111 §4.2.3",
        Exchange(answer=(FRESH, "Date: @now+100"), pause=PAUSE),
        Exchange(expect=CACHED, age=(2, 6)),
    ),
    case(
        "age-greater-of-both", CHECK, "9111 §4.2.3",
        Exchange(answer=(FRESH, "Date: @now-100", "Age: 50")),
        Exchange(expect=CACHED, age=(99, 104)),
    ),
    case(
        "age-delay", CHECK, "9111 §4.2.3",
        Exchange(answer=(FRESH,), delay=3.0),
        Exchange(expect=CACHED, age=(2, 6)),
    ),
    case(
        "age-delay-added", REQUIRED, "9111 §4.2.3",
        Exchange(answer=(FRESH, "Age: 30"), delay=3.0),
        Exchange(expect=CACHED, age=(32, 36)),
    ),
    case(
        "age-one-line", REQUIRED, "9111 §5.1",
        Exchange(answer=(FRESH, "Age: 30", "Age: 40")),
        Exchange(expect=CACHED, age=(30, 43)),
    ),
    case(
        "age-replaces-invalid", REQUIRED, "9111 §5.1",
        Exchange(answer=(FRESH, "Age: abc")),
        Exchange(expect=CACHED, age=(0, 2)),
    ),
    case(
        "age-after-validation", REQUIRED, "9111 §4.2.3",
        Exchange(answer=("Cache-Control: max-age=2", 'ETag: "v"'), pause=PAUSE),
        Exchange(answer=("Cache-Control: max-age=3600", 'ETag: "v"'), validates=True, served=1, age=(0, 1)),
    ),
    case(
        "age-none-from-origin", REQUIRED, "9111 §5.1",
        Exchange(answer=(FRESH,), unwanted=("Age: ~[1-9]",)),
    ),
    case(
        "date-update", REQUIRED, "9111 §4.2.3",
        Exchange(answer=(FRESH, "Date: @start"), pause=PAUSE),
        Exchange(expect=CACHED, want=("Date: @start",)),
    ),
    case(
        "date-update-expires", REQUIRED, "9111 §4.2.3",
        Exchange(answer=("Expires: @start+3600", "Date: @start"), pause=PAUSE),
        Exchange(expect=CACHED, want=("Date: @start", "Expires: @start+3600")),
    ),
    case(
        "date-append", OPTIMAL, "9110 §6.6.1",
        Exchange(answer=(FRESH,), has_date=False, pause=PAUSE),
        Exchange(expect=CACHED, want=("Date: ~^[A-Z]",)),
    ),
)  # fmt: skip
