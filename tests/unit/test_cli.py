"""`python -m asgi_resync`."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from asgi_resync import __version__
from asgi_resync.__main__ import COMMANDS, Command
from asgi_resync.__main__ import main as dispatch
from asgi_resync.cli.command import MEANINGS, Status, listed, program
from asgi_resync.cli.settings import main

NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


def test_settings_are_printed_aligned_with_their_origin(capsys: pytest.CaptureFixture[str]) -> None:
    """Name, value in human units, and where it came from; then what was noted."""
    status = main(
        [], {"APP_ENV": "staging", "REDIS_URL": "redis://:hunter2@h:1", "RESYNC_CACHE_L1_MAX_BYTES": "67108864"}
    )
    lines = capsys.readouterr().out.splitlines()

    assert status == 0
    assert lines[0].split() == ["RESYNC_PROFILE", "-", "default"]
    assert "redis://***@h:1  environment REDIS_URL (alias)" in "\n".join(lines)
    (size,) = (line for line in lines if line.startswith("RESYNC_CACHE_L1_MAX_BYTES"))
    assert size.split() == ["RESYNC_CACHE_L1_MAX_BYTES", "64MiB", "environment", "RESYNC_CACHE_L1_MAX_BYTES"]
    (wait,) = (line for line in lines if line.startswith("RESYNC_CACHE_L1_TTL"))
    assert wait.index("60s") == size.index("64MiB")
    assert wait.index("default") == size.index("environment")
    assert lines[-1].startswith("note: APP_ENV='staging'")


def test_settings_are_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Plain numbers for programs, and still no secret."""
    main(["--json"], {"RESYNC_CACHE_SIGNING_KEY": "hunter2-hunter2-hunter2", "RESYNC_UPSTREAM_TWS_FAIL_MAX": "4"})
    printed = capsys.readouterr().out
    settings = json.loads(printed)["settings"]

    assert settings["RESYNC_CACHE_L1_TTL"] == {"value": 60.0, "shown": "60s", "origin": "default"}
    assert settings["RESYNC_CACHE_SIGNING_KEY"]["value"] == "***"
    assert settings["RESYNC_REDIS_URL"]["value"] is None
    assert settings["RESYNC_UPSTREAM_TWS_FAIL_MAX"]["value"] == 4
    assert "RESYNC_UPSTREAM_REDIS_URL" not in settings
    assert json.loads(printed)["notes"] == []
    assert "hunter2" not in printed


def test_settings_that_cannot_be_used_are_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, and nothing on stdout that could pass for settings."""
    status = main([], {"RESYNC_CACHE_NUM_SHARDS": "0", "RESYNC_XYZZY": "1"})
    printed = capsys.readouterr()

    assert (status, printed.out) == (2, "")
    assert printed.err.startswith("2 settings cannot be used:")


def test_the_module_runs_as_a_program_without_a_traceback() -> None:
    """The exit status is that of the command."""
    environ = {**os.environ, "RESYNC_CACHE_NUM_SHARDS": "none"}
    command = [sys.executable, "-m", "asgi_resync", "settings"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert "RESYNC_CACHE_NUM_SHARDS='none': expected a whole number from 1 to 1024" in done.stderr


def test_the_dispatcher_hands_over_every_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """Options after the command belong to the command."""

    assert dispatch(["settings", "--json"]) == 0
    assert "settings" in json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit, match="0"):
        dispatch(["settings", "--help"])
    assert "python -m asgi_resync settings" in capsys.readouterr().out


def test_a_command_that_returns_nothing_succeeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is imported when called, not before."""
    called: list[list[str]] = []
    monkeypatch.setitem(sys.modules, "quiet_command", ModuleType("quiet_command"))
    monkeypatch.setattr("quiet_command.main", called.append, raising=False)

    assert dispatch(["quiet", "-x", "y"], {"quiet": Command("quiet_command", "")}) == 0
    assert called == [["-x", "y"]]


def test_an_unknown_command_is_refused_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """As argparse does."""
    with pytest.raises(SystemExit, match="2"):
        dispatch(["setings"])

    assert "settings" in capsys.readouterr().err


def test_a_command_is_one_entry_of_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Help lists what the table holds."""
    with pytest.raises(SystemExit, match="0"):
        dispatch(["--help"])
    printed = capsys.readouterr().out

    assert "print the effective settings" in printed
    assert "demo" in printed


def test_running_the_package_calls_the_dispatcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m asgi_resync --help` ends well."""
    monkeypatch.setattr(sys, "argv", ["asgi_resync", "--help"])
    monkeypatch.delitem(sys.modules, "asgi_resync.__main__")
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("asgi_resync", run_name="__main__")


def test_a_reader_that_goes_away_makes_no_traceback() -> None:
    """`… settings --json | head -1`: what is left is for nobody, and the status is that of SIGPIPE."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "asgi_resync", "settings", "--json"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)

    assert (141, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("arguments", "redirected", "unbuffered"),
    [
        ("settings --json", ">&-", ""),
        pytest.param("settings --json", ">/dev/full", "", marks=NEEDS_FULL),
        pytest.param("settings", ">/dev/full", "1", marks=NEEDS_FULL),
        pytest.param("--help", ">/dev/full", "", marks=NEEDS_FULL),
    ],
)
def test_output_that_cannot_be_written_is_told(arguments: str, redirected: str, unbuffered: str) -> None:
    """By one line on stderr and a status of its own: not that of `check` that found something."""
    command = f'exec "{sys.executable}" -m asgi_resync {arguments} {redirected}'
    environ = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(["sh", "-c", command], env=environ, stderr=subprocess.PIPE, text=True, check=False)
    told = "stdout is closed" if redirected == ">&-" else "No space left on device"

    assert (74, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert told in done.stderr


@pytest.mark.parametrize(("arguments", "status"), [("check --json", 0), ("settings --no-such-option", 2)])
def test_a_closed_stderr_hinders_nothing(arguments: str, status: int) -> None:
    """And what would be told there is not among the output."""
    command = f'exec "{sys.executable}" -m asgi_resync {arguments} 2>&-'
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RESYNC_")}
    done = subprocess.run(["sh", "-c", command], env=environ, stdout=subprocess.PIPE, text=True, check=False)

    assert status == done.returncode
    assert (status == 0) == bool(done.stdout)


def test_what_a_command_raises_is_not_taken_for_output_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault stays one, with its traceback."""

    def broken(arguments: object) -> int:
        raise FileNotFoundError("another file")

    monkeypatch.setitem(sys.modules, "broken_command", ModuleType("broken_command"))
    monkeypatch.setattr("broken_command.main", broken, raising=False)
    with pytest.raises(FileNotFoundError, match="another file"):
        dispatch(["broken"], {"broken": Command("broken_command", "")})


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """That of the package, as `pip` names it."""
    with pytest.raises(SystemExit, match="0"):
        dispatch(["--version"])

    assert f"asgi-resync {__version__}\n" == capsys.readouterr().out


def test_without_a_command_it_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """The command is required, its arguments are not."""
    with pytest.raises(SystemExit, match="2"):
        dispatch([])

    assert capsys.readouterr().err.endswith("the following arguments are required: COMMAND\n")


def test_the_console_script_is_this_program() -> None:
    """`asgi-resync` is installed with the package, and calls itself so in its help."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {"asgi-resync": "asgi_resync.__main__:main"} == project["scripts"]
    assert "asgi-resync" == program("/usr/local/bin/asgi-resync") == program("asgi-resync.exe")
    assert "python -m asgi_resync" == program("/srv/asgi_resync/__main__.py")


def test_the_help_tells_every_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    """That of a command tells those it can end with."""
    with pytest.raises(SystemExit, match="0"):
        dispatch(["--help"])
    printed = capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        dispatch(["graph", "--help"])
    of_graph = capsys.readouterr().out

    assert set(Status) == set(MEANINGS)
    assert all(f"  {status:<4d}{meaning}" in printed for status, meaning in MEANINGS.items())
    assert "  2   arguments or settings that cannot be used" in of_graph
    assert "console" not in of_graph.partition("exit status")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_gives_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As README promises."""
    with pytest.raises(SystemExit, match="0"):
        dispatch([name, "--help"])

    assert "--json" in capsys.readouterr().out


def test_an_interrupted_command_ends_as_one_that_the_signal_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """130, and no traceback."""

    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "slow_command", ModuleType("slow_command"))
    monkeypatch.setattr("slow_command.main", interrupted, raising=False)

    assert 130 == dispatch(["slow"], {"slow": Command("slow_command", "")})


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_listed_as_one_says_them(words: list[str], text: str) -> None:
    """With the last word before the last one."""
    assert text == listed(words)


def test_what_an_app_prints_while_it_is_imported_is_not_among_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON stays JSON."""
    source = "from asgi_resync import Resync\nprint('hello')\nresync = Resync()\n"
    (tmp_path / "chatty_app.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert 0 == dispatch(["graph", "chatty_app:resync", "--json"])
    printed = capsys.readouterr()

    assert "nodes" in json.loads(printed.out)
    assert "hello\n" == printed.err
