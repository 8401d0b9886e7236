"""What `status`, `purge` and `top` are told, before they ask anybody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from asgi_resync.cli import purge, status
from asgi_resync.cli.purge import Got, said
from asgi_resync.cli.remote import events, is_loopback
from asgi_resync.cli.status import stamps

TOKEN = "not-a-secret-of-yours"


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("web-1", False),
        ("10.0.0.1", False),
        ("notlocalhost", False),
        ("", False),
    ],
)
def test_this_machine_is_known_by_its_names(host: str, here: bool) -> None:
    """No proxy is asked for it."""
    assert here == is_loopback(host)


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        (b"event: status\ndata: 1\n\n", [b"1"]),
        (b"event: status\r\ndata: 1\r\n\r\nevent: status\ndata:2\ndata: 3\n\n", [b"1", b"2\n3"]),
        (b"retry: 500\n\n: ping\n\nevent: other\ndata: 1\n\ndata: 2\n\n", []),
        (b"event: status\ndata: cut off", []),
        (b"event: status\nid: 1\ndata\n\n", [b""]),
    ],
)
def test_server_sent_events_are_read(stream: bytes, found: list[bytes]) -> None:
    """Those of the name, whole ones only."""
    assert found == list(events(iter(stream.splitlines(keepends=True)), "status"))


@pytest.mark.parametrize(
    ("arguments", "environ", "told"),
    [
        ([], {}, "Say where the console is: --console http://"),
        (["--console", "web-1:8000"], {}, "no URL"),
        (["--console", "http://"], {}, "no URL"),
        (["--console", "http://h/ä"], {}, "no URL"),
        (["--console", "ftp://web-1"], {}, "begins with http"),
        (["--console", "http://me:hunter2@web-1"], {}, "Leave user and password out"),
        (["--console", "http://web-1/?a=hunter2"], {}, "ends with its path"),
        (["--console", "http://h", "--token-file", "/nowhere"], {}, "cannot be read from /nowhere: No such file"),
        ([], {"RESYNC_CONSOLE_URL": "web-1"}, "RESYNC_CONSOLE_URL='***': expected a URL such as"),
        (["--console", "http://h"], {"RESYNC_CONSOLE_TOKEN": "hunter2"}, "RESYNC_CONSOLE_TOKEN='***'"),
        (["--console", "http://h"], {"RESYNC_CONFIG_FILE": "/nowhere"}, "there is no such file"),
    ],
)
def test_what_does_not_say_where_the_console_is_cannot_be_used(
    arguments: list[str], environ: Mapping[str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """2, what to do instead, and no secret."""
    ended = status.main(arguments, environ)
    printed = capsys.readouterr()

    assert (2, "") == (ended, printed.out)
    assert told in printed.err
    assert "hunter2" not in printed.err


@pytest.mark.parametrize("content", [b"", b"  \n", b"two\nlines", "ä".encode(), b"\xff"])
def test_a_file_without_a_token_is_none(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line is expected."""
    path = tmp_path / "token"
    path.write_bytes(content)

    assert 2 == status.main(["--console", "http://127.0.0.1:9", "--token-file", str(path)], {})
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["--soft"], ["--everything", "--tag", "a"], ["--yes"], ["--tag"], ["--tag", "a", "--timeout", "0"]],
)
def test_a_purge_is_of_something(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Or of everything, and not both."""
    with pytest.raises(SystemExit, match="2"):
        purge.main([*arguments, "--console", "http://127.0.0.1:9"], {})

    assert "asgi_resync purge" in capsys.readouterr().err


def test_everything_is_not_purged_where_nobody_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--yes`, and before the console is."""
    assert 2 == purge.main(["--everything", "--console", "http://127.0.0.1:9"], {})
    assert "say --yes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("got", "is_soft", "text"),
    [
        (Got(state="local", confirmed=0, unconfirmed=0), False, "Purged in the process that answered; there is no"),
        (Got(state="delivered", confirmed=0, unconfirmed=0), False, "Purged in every process."),
        (
            Got(state="delivered", confirmed=1, unconfirmed=0),
            True,
            "Marked stale in every process: 1 other process con",
        ),
        (Got(state="delivered", confirmed=3, unconfirmed=0), False, "Purged in every process: 3 other processes confi"),
        (
            Got(state="partial", confirmed=2, unconfirmed=1),
            False,
            "Purged here and in Redis, and in 2 other processes; 1",
        ),
        (Got(state="queued", confirmed=0, unconfirmed=0), True, "Marked stale in the process that answered. Redis is"),
    ],
)
def test_it_says_how_far_a_purge_got(got: Got, is_soft: bool, text: str) -> None:
    """In whom it holds by now, and what will be."""
    assert said(got, is_soft=is_soft).startswith(text)


def test_a_time_of_day_has_its_date_where_it_is_not_of_the_last_day() -> None:
    """A time that is none is a dash."""
    stamp = stamps(10 * 86400.0)

    assert [8, 16, 1] == [len(stamp(10 * 86400.0 - 5)), len(stamp(5.0)), len(stamp(1e300))]
