"""What `check` makes of what it meets, without meeting anybody."""

from __future__ import annotations

import asyncio
import errno
import http.client
import json
import socket
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import redis.exceptions

from asgi_resync.cli import check
from asgi_resync.cli.check_redis import facts_of, judge, unusable
from asgi_resync.cli.finding import Finding, Level, lines
from asgi_resync.cli.hindrance import causes, hindrance
from asgi_resync.cli.look import plain


def caused(by: BaseException) -> BaseException:
    """Return what a library raises because of *by*."""
    error = RuntimeError("hunter2")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "it"),
    [
        (ConnectionRefusedError(), "refuses the connection"),
        (caused(ConnectionRefusedError()), "refuses the connection"),
        (caused(ExceptionGroup("all", [ValueError(), ConnectionRefusedError()])), "refuses the connection"),
        (socket.gaierror(-2, "x"), "has a host that is not known"),
        (TimeoutError(), "does not answer within 5 s"),
        (FileNotFoundError(), "has a socket that is not there"),
        (PermissionError(), "may not be connected to by this user"),
        (OSError(errno.EHOSTUNREACH, "x"), "cannot be reached from here"),
        (ConnectionResetError(), "breaks the connection, or speaks another protocol"),
        (http.client.BadStatusLine("hunter2"), "breaks the connection, or speaks another protocol"),
        (ssl.SSLError(1, "hunter2"), "speaks no TLS that is understood"),
        (
            ssl.SSLCertVerificationError(1, "hunter2"),
            "has a certificate that is not trusted (it could not be verified)",
        ),
        (ValueError("hunter2"), "cannot be reached (ValueError)"),
    ],
)
def test_what_hinders_a_connection_is_told_by_its_first_cause(error: BaseException, it: str) -> None:
    """In words of ours: what the exception says is not among them."""
    what = hindrance(error, 5.0)

    assert it == what.it
    assert "hunter2" not in str(what)


def test_causes_end_where_they_go_in_circles() -> None:
    """Each is told once."""
    one, other = ValueError(), KeyError()
    one.__context__, other.__context__ = other, one

    assert [other, one] == list(causes(one))


def test_findings_are_one_line_each() -> None:
    """With what to do after a colon, and a sum at the end."""
    found = [
        Finding(level="well", subject="settings", says="3 set, and usable"),
        Finding(level="notice", subject="redis", says="has no bound\x1b", remedy="set one"),
        Finding(level="wrong", subject="upstream crm", says="refuses", remedy="start it"),
    ]

    assert [
        "✓ settings      3 set, and usable",
        "! redis         has no bound\\x1b: set one",
        "✗ upstream crm  refuses: start it",
        "",
        "1 wrong, 1 to look at",
    ] == [plain(line) for line in lines(found)]
    assert "all well" == plain(lines(found[:1])[-1])


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"redis_version": "7.4.2", "maxmemory": "1024", "maxmemory_policy": "allkeys-lfu"}, []),
        ({"redis_version": "7.2.4", "server_name": "valkey", "maxmemory": "1", "maxmemory_policy": "volatile-ttl"}, []),
        ({"redis_version": "6.2.0", "maxmemory": "1"}, ["is of version 6.2: asgi-resync is tested with 7.0 and later"]),
        (
            {"redis_version": "7.4.2", "maxmemory": "0", "maxmemory_policy": "noeviction"},
            ["has no bound of its memory: set maxmemory, and maxmemory-policy allkeys-lfu, or volatile-ttl"],
        ),
        (
            {"redis_version": "7.4.2", "maxmemory": "1048576", "maxmemory_policy": "noeviction"},
            ["takes nothing more once it holds 1.0 MiB (noeviction): set maxmemory-policy allkeys-lfu, or volatile"],
        ),
        ({"redis_version": "garbage\x1b", "maxmemory": "²"}, ["has no bound of its memory: set maxmemory, and"]),
        ({}, []),
    ],
)
def test_how_redis_is_set_up_is_judged(facts: Mapping[str, str], found: list[str]) -> None:
    """By what it says of itself, of which nothing is shown that is no number."""
    said: list[str] = []
    judge(facts, lambda level, says, remedy: said.append(f"{says}: {remedy}"))

    assert len(found) == len(said)
    assert all(one.startswith(start) for one, start in zip(said, found, strict=True))


def test_what_redis_says_of_itself_is_read() -> None:
    """Whatever it is."""
    assert {"redis_version": "7.4.2", "a": "b:c"} == facts_of(
        b"# Server\r\nredis_version:7.4.2\r\na:b:c\r\nnothing\r\n"
    )
    assert {} == facts_of(None) == facts_of([]) == facts_of(b"\xff")


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("OutOfMemoryError", "is full, and takes nothing"),
        ("NoPermissionError", "does not let this user SET"),
        ("ReadOnlyError", "is a replica, to which nothing is written"),
        ("ClusterDownError", "is a cluster that is not whole: it does not SET"),
        ("TimeoutError", "does not SET within 5 s"),
        ("DataError", "does not SET (DataError)"),
    ],
)
def test_what_redis_refuses_is_told_with_what_to_do(cause: str, says: str) -> None:
    """By the class of the error."""
    said, remedy = unusable("SET", cause, "resync:", 5.0)

    assert says == said
    assert remedy


def test_every_problem_of_the_settings_is_a_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of the environment and of the file, and then nothing else is tried; 2."""
    path = tmp_path / "resync.toml"
    path.write_text('cache_l1_ttl = "never"\n')
    environ = {
        "RESYNC_CONFIG_FILE": str(path),
        "RESYNC_CACHE_NUM_SHARDS": "0",
        "RESYNC_CACHE_SIGNING_KEY": "hunter2",
        "RESYNC_REDIS_URL": "nonsense://:hunter2@nowhere",
    }
    ended = check.main([], environ)
    printed = capsys.readouterr().out

    assert 2 == ended
    assert 4 == printed.count("✗ settings")
    assert f"RESYNC_CACHE_L1_TTL in {path}=never: expected a duration" in printed
    assert "hunter2" not in printed


def test_without_anything_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """And it says what there is not."""
    assert 0 == check.main(["--json"], {})
    found = json.loads(capsys.readouterr().out)

    assert "well" == found["result"]
    assert ["well", "notice"] == [one["level"] for one in found["findings"]]


def test_notes_of_the_settings_are_to_be_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """They are no fault."""
    assert 0 == check.main([], {"APP_ENV": "staging"})
    assert "! settings  APP_ENV='staging' is no profile" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "ends", "says"),
    [
        ("import nothing_of_this_name", 1, "raises ModuleNotFoundError at "),
        ("password = 'hunter2'\nraise ValueError(password)", 1, "raises ValueError at "),
        ("from asgi_resync import Settings, Resync\napp = Resync(Settings(health_interval=-1))", 2, "health_interval"),
        ("app = 1", 2, "it is int"),
    ],
)
def test_an_app_that_cannot_be_imported_is_wrong(
    source: str,
    ends: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The place is told, and not the text; what is no app is a wrong argument."""
    (tmp_path / "checked_app.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "checked_app", raising=False)
    ended = check.main(["checked_app:app"], {})
    sys.modules.pop("checked_app", None)
    printed = capsys.readouterr()

    assert ends == ended
    assert says in printed.out + printed.err
    assert "hunter2" not in printed.out + printed.err


def test_a_level_is_one_of_three() -> None:
    """Programs may rely on them."""
    assert {"well", "notice", "wrong"} == {*Level.__args__}  # type: ignore[attr-defined]


def test_what_redis_answers_is_told_apart_from_what_hinders_a_connection() -> None:
    """By the class of the error reply."""
    from asgi_resync.cache.l2.link.place import place_of
    from asgi_resync.cli.check_redis import refusal

    place = place_of("redis://h")
    replies: Mapping[BaseException, str | None] = {
        redis.exceptions.AuthenticationError("hunter2"): "does not take this user and password, or asks for one",
        redis.exceptions.BusyLoadingError(): "is reading its data from disk",
        redis.exceptions.ConnectionError("max number of clients reached"): "has as many clients as it takes",
        redis.exceptions.ConnectionError("Connection closed by server."): "ends the connection at once",
        redis.exceptions.NoPermissionError(): "does not let this user connect as the cache does",
        redis.exceptions.ResponseError("DB index is out of range"): "has no database of this number",
        redis.exceptions.ResponseError("unknown command HELLO"): "answers, and not as Redis 6 and later do",
        ConnectionRefusedError(): None,
        asyncio.CancelledError(): None,
    }

    assert list(replies.values()) == [(refusal(one, place) or (None,))[0] for one in replies]


def test_a_rule_for_an_upstream_of_the_code_is_a_notice_without_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What only the app can tell is no error, and the rest is tried all the same."""
    monkeypatch.setenv("RESYNC_CACHE_RULES", '[{"pattern": "/stock", "upstreams": ["partner"]}]')

    assert check.main([]) == 0
    told = capsys.readouterr().out
    assert "upstreams of /stock in RESYNC_CACHE_RULES='partner'" in told
    assert "MODULE:APP" in told
    assert "redis" in told
