"""Arguments of upstreams that cannot work: each is told by its name, at once."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_resync import ClientOptions, RetryPolicy, RuleError, Upstream


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("host", {"host": "tws.example:1234"}), ("host", {"host": "https://tws.example"}), ("host", {"host": ""}),
        ("host", {"host": "user@tws"}), ("host", {"host": 5}), ("port", {"host": "tws", "port": 99999}),
        ("port", {"host": "tws", "port": "abc"}), ("scheme", {"host": "tws", "scheme": "ftp"}),
    ],
)  # fmt: skip
def test_where_a_scheduler_is(name: str, arguments: dict[str, Any]) -> None:
    """Host, port and scheme have an argument each."""
    with pytest.raises(RuleError, match=f"{name}="):
        Upstream.tws(**arguments)


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_of_ipv6_is_put_in_brackets_once(host: str) -> None:
    """However it is written."""
    assert "https://[::1]:31116/twsd" == Upstream.tws(host).base_url


@pytest.mark.parametrize("url", ["nonsense", "https://", "https://host:port", "http://[::1", 5])
def test_a_url_that_is_none(url: Any) -> None:
    """Scheme and host must be there, and the port a number."""
    with pytest.raises(RuleError, match="url="):
        Upstream("x", url=url)


def test_credentials_in_a_url_are_not_shown() -> None:
    """Not even where the rest of it is wrong."""
    with pytest.raises(RuleError) as caught:
        Upstream("x", url="https://me:secret@host:port")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments", [{"retries": 5}, {"bulkhead": 5}, {"budget": 0.2}, {"limits": 3}, {"is_failed_status": 5}]
)
def test_figures_without_their_kind(arguments: dict[str, Any]) -> None:
    """A bare number does not say what it is of."""
    with pytest.raises(RuleError, match=f"{next(iter(arguments))}="):
        Upstream("x", **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"token": 5}, {"token": ""}, {"token": "a b"}, {"user": 5, "password": "x"}, {"health_path": 5},
        {"deadline_header": 5}, {"ca_file": 5},
    ],
)  # fmt: skip
def test_client_options(arguments: dict[str, Any]) -> None:
    """Texts are texts, and a token is one as RFC 6750 has it."""
    with pytest.raises(RuleError, match=f"{next(iter(arguments))}="):
        ClientOptions(**arguments)


def test_statuses_may_come_from_anything_that_gives_them() -> None:
    """Once."""
    assert {429, 503} == set(RetryPolicy(statuses=(status for status in (429, 503))).statuses)  # type: ignore[arg-type]  # a generator
