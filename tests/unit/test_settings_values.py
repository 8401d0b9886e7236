"""How values are written and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.settings.values import Kind, check_url, mask_url, parse, show, show_duration, show_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 10.0),
        ("10s", 10.0),
        ("10 s", 10.0),
        ("500ms", 0.5),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1.5s", 1.5),
        ("0", 0.0),
        ("0.1", 0.1),
    ],
)
def test_durations_are_read_as_seconds(text: str, seconds: float) -> None:
    """A number with ms, s, m, h or d, or bare, is a duration."""

    assert seconds == parse("duration", text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024", 1024),
        ("0", 0),
        ("7B", 7),
        ("64KiB", 65536),
        ("64MiB", 64 * 1024**2),
        ("64mib", 64 * 1024**2),
        ("1.5GiB", 3 * 1024**3 // 2),
        ("1TiB", 1024**4),
        ("64kB", 64_000),
        ("64MB", 64_000_000),
        ("1 GB", 1_000_000_000),
    ],
)
def test_sizes_are_read_as_bytes(text: str, size: int) -> None:
    """With an `i` a unit is binary, without it is decimal."""

    assert size == parse("size", text)


@pytest.mark.parametrize(
    ("text", "flag"),
    [(text, True) for text in ("1", "true", "TRUE", "Yes", "on")]
    + [(text, False) for text in ("0", "false", "False", "NO", "off")],
)
def test_flags_are_read_in_any_case(text: str, flag: bool) -> None:
    """The word "false" is False, which it was not in the original."""

    assert flag is parse("flag", text)


_HOSTILE = [
    "inf",
    "-inf",
    "nan",
    "-1",
    "+1",
    "1_000",
    "0x10",
    "1e3",
    "1,5",
    ".5",
    "5.",
    "\u0661",
    "1" * 5000,
    "ten",
    "1 0",
]


@pytest.mark.parametrize("kind", ["count", "duration", "size", "share", "flag"])
@pytest.mark.parametrize("text", _HOSTILE)
def test_numbers_that_could_mean_something_else_are_refused(kind: Kind, text: str) -> None:
    """Python's own spellings of numbers are none of an operator's."""

    with pytest.raises(ValueError, match=r"does not match|neither true nor false"):
        parse(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("size", "64M"), ("size", "1.5"), ("size", "1ms"), ("duration", "10S"), ("duration", "1w"), ("count", "1.0")],
)
def test_ambiguous_units_and_fractions_are_refused(kind: Kind, text: str) -> None:
    """`64M` means two sizes, and half a byte none."""

    with pytest.raises(ValueError, match=r"does not match|whole number"):
        parse(kind, text)


def test_lists_forgive_space_and_empty_items() -> None:
    """Only what stands between the commas counts."""

    assert parse("list", " a ,, b,") == ("a", "b")
    assert parse("list", ",") == ()


def test_choices_are_read_in_any_case_and_texts_as_they_are() -> None:
    """A choice is a word, a text is not."""

    assert parse("choice", "Honour") == "honour"
    assert parse("text", "Honour") == "Honour"


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "https://[::1]:31116/twsd",
        "unix:///run/redis.sock",
        "redis+sentinel://:p@a:26379,b,[::1]:7/service/0",
    ],
)
def test_urls_name_a_host_or_a_socket(url: str) -> None:
    """What can be connected to is a URL."""

    assert url == parse("url", url)


@pytest.mark.parametrize(
    "url",
    ["", "localhost:6379", "http://", "http:///x", "http://h:0", "http://h:99999", "http://h:x", "http://[::1", "unix://",
     "http://h/a b", "http://h/\n", "redis://a:1,b:2", "redis+cluster://a,", "redis+cluster://a:1,b:0"],
)  # fmt: skip
def test_what_cannot_be_connected_to_is_no_url(url: str) -> None:
    """A URL without a host, or with an impossible port, is refused before anything starts."""

    with pytest.raises(ValueError, match=r".*"):
        check_url(url)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("duration", 60.0, "60s"),
        ("duration", 900.0, "900s"),
        ("duration", 7200.0, "2h"),
        ("duration", 172800.0, "2d"),
        ("duration", 0.05, "50ms"),
        ("duration", 0.0005, "0.5ms"),
        ("duration", 0.0, "0s"),
        ("duration", 1.5, "1.5s"),
        ("size", 67108864, "64MiB"),
        ("size", 1500, "1500B"),
        ("size", 0, "0B"),
        ("share", 0.1, "0.1"),
        ("count", 1000, "1000"),
        ("flag", True, "true"),
        ("flag", False, "false"),
        ("text", None, ""),
        ("list", ("a", "b"), "a, b"),
        ("text", "a\x1b[2J", r"'a\x1b[2J'"),
    ],
)
def test_values_are_shown_in_human_units(
    kind: Kind, value: bool | float | str | tuple[str, ...] | None, shown: str
) -> None:
    """What is shown is short, exact, and harmless to a terminal."""

    assert shown == show(kind, value)


@given(st.floats(min_value=0, max_value=365 * 86400).filter(lambda seconds: seconds == 0 or seconds > 1e-9))
def test_a_shown_duration_reads_back_as_the_same_float(seconds: float) -> None:
    """Nothing is lost between the settings and their print."""

    assert seconds == parse("duration", show_duration(seconds))


@given(st.integers(min_value=0, max_value=1024**4))
def test_a_shown_size_reads_back_as_the_same_size(size: int) -> None:
    """Nothing is lost between the settings and their print."""

    assert size == parse("size", show_size(size))


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:hunter2@h:1/0", "redis://***@h:1/0"),
        ("redis://token@h", "redis://***@h"),
        ("redis://:p@ss/w@h/0", "redis://***@h/0"),
        ("redis://:p?hunter2@h", "redis://***"),
        ("redis://:p#hunter2@h", "redis://***"),
        ("redis://h/0?password=hunter2", "redis://h/0?***"),
        ("redis://h/0?password=hunter@2", "redis://***"),
        ("https://h/#hunter2", "https://h/?***"),
        ("hunter2", "***"),
        ("u:hunter2@h", "***"),
    ],
)
def test_a_masked_url_shows_where_but_not_who(url: str, masked: str) -> None:
    """User, password, query and fragment are hidden, however they are written."""

    assert masked == mask_url(url)


@given(st.text(min_size=1))
def test_no_password_survives_masking(password: str) -> None:
    """Whatever characters it is made of."""
    secret = f"sEcReT{password}sEcReT"

    assert "sEcReT" not in mask_url(f"redis://user:{secret}@host:6379/0")
    assert "sEcReT" not in mask_url(f"redis://host:6379/0?password={secret}")
