"""The config file: the same names in TOML and JSON, and everything wrong with it in one error that names it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from asgi_resync import Settings, SettingsError
from asgi_resync.cli.settings import main
from asgi_resync.settings import load
from asgi_resync.settings.file import LARGEST, parse_file

Environ = dict[str, str]


def written(folder: Path, text: str, name: str = "resync.toml") -> Environ:
    (folder / name).write_text(text, encoding="utf-8")
    return {"RESYNC_CONFIG_FILE": str(folder / name)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", 'RESYNC_CACHE_L2_TTL = "5m"\nRESYNC_UPSTREAM_PARTNER_API_FAIL_MAX = 7'),
        ("a.toml", "cache_l2_ttl = 300\nupstream_partner_api_fail_max = '7'"),
        ("a.toml", "[cache]\nl2_ttl = 300.0\n[upstream.partner-api]\nfail_max = 7"),
        ("a.conf", "[resync.cache]\nl2_ttl = '300s'\n[resync.upstream]\npartner_api = {fail_max = 7}"),
        ("a.json", '\ufeff{"cache": {"l2_ttl": "5m"}, "RESYNC_UPSTREAM_PARTNER_API": {"FAIL_MAX": 7}}'),
        ("a", '  {"RESYNC_CACHE_L2_TTL": 3e2, "upstream": {"partner_api": {"fail_max": 7, "window": null}}}'),
    ],
)
def test_all_spellings_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    """Names as in the environment, or tables for their words, in TOML and JSON."""
    settings = Settings.from_env(written(tmp_path, text, name))

    assert settings.cache.l2_ttl == 300.0
    assert settings.upstreams["partner_api"].fail_max == 7


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    """Numbers, flags and lists need no quotes; a number that is small has no exponent."""
    environ = written(
        tmp_path,
        "[cache]\netag = false\ntargeted = ['CDN-Cache-Control', 'X-Cache']\nttl_jitter = 0.00001\n"
        "l1_max_bytes = 67108864\n",
    )
    cache = Settings.from_env(environ).cache

    assert (cache.etag, cache.targeted) == (False, ("CDN-Cache-Control", "X-Cache"))
    assert (cache.ttl_jitter, cache.l1_max_bytes) == (0.00001, 67108864)


def test_the_environment_wins_over_the_file_and_the_file_over_its_profile(tmp_path: Path) -> None:
    """Environment, file, profile, defaults: and each value tells where it came from."""
    environ = written(tmp_path, "profile = 'production'\n[cache]\nl1_ttl = 7\nl1_max_entries = 77")
    resolution = load(environ | {"RESYNC_CACHE_L1_TTL": "8"})
    cache = resolution.settings.cache

    assert (cache.l1_ttl, cache.l1_max_entries, cache.num_shards) == (8.0, 77, 12)
    assert resolution.origins["RESYNC_CACHE_L1_TTL"] == "environment RESYNC_CACHE_L1_TTL"
    assert resolution.origins["RESYNC_CACHE_L1_MAX_ENTRIES"].startswith(environ["RESYNC_CONFIG_FILE"])
    assert resolution.origins["RESYNC_CACHE_NUM_SHARDS"] == "profile production"


def test_problems_of_file_and_environment_come_in_one_error(tmp_path: Path) -> None:
    """Who mends them mends all of them, and no value of a misnamed setting is shown."""
    environ = written(
        tmp_path,
        "RESYNC_CONFIG_FILE = 'other.toml'\n[cache]\nl1_ttl = 'soon'\nl1_tll = 'hunter2'\nname = 2001-01-01\n"
        "targeted = ['a,b']\n'num shards' = 1\nETAG = true\netag = false\nsigning_key = 'hunter2'\n",
    )
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ | {"RESYNC_CACHE_KEEP": "soon"})
    names = {problem.name.partition(" in ")[0] for problem in caught.value.problems}
    text = str(caught.value)

    assert names == {
        "RESYNC_CONFIG_FILE",
        "RESYNC_CACHE_L1_TTL",
        "RESYNC_CACHE_L1_TLL",
        "RESYNC_CACHE_NAME",
        "RESYNC_CACHE_TARGETED",
        "RESYNC_CACHE_SIGNING_KEY",
        "cache.num shards",
        "RESYNC_CACHE_ETAG",
        "RESYNC_CACHE_KEEP",
    }
    assert text.count(environ["RESYNC_CONFIG_FILE"]) == 8
    assert "did you mean RESYNC_CACHE_L1_TTL?" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.toml", b"cache = {", "it is no TOML"),
        ("a.json", b"cache = 1", "it is no JSON"),
        ("a.json", b"[1]", "no object"),
        ("a.json", b'{"cache":' * 100_000, "nested too deep"),
        ("a.toml", b"\xff\xfe", "not UTF-8"),
        ("a.toml", b"#" * (LARGEST + 1), "larger than"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(name: str, content: bytes, reason: str) -> None:
    """The problem names the variable, the file and the cause."""
    layer, (problem,) = parse_file(name, content)

    assert not layer.values
    assert (problem.name, problem.value) == ("RESYNC_CONFIG_FILE", name)
    assert reason in problem.expected


def test_a_name_twice_in_json_is_refused() -> None:
    """Of two values one would be lost without a word."""
    _, (problem,) = parse_file("a.json", json.dumps({"cache": {"etag": 1}})[:-1].encode() + b', "cache_etag": 2}')

    assert "twice" in problem.expected


@pytest.mark.parametrize("path", ["/no/such/resync.toml", os.sep, os.devnull, "a\0b"])
def test_what_is_no_file_is_refused_at_the_start(path: str) -> None:
    """A misspelt path must not start an app on the defaults alone."""
    with pytest.raises(SettingsError, match="RESYNC_CONFIG_FILE"):
        Settings.from_env({"RESYNC_CONFIG_FILE": path})


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Opening one would wait for a writer for ever."""
    os.mkfifo(tmp_path / "pipe.toml")

    with pytest.raises(SettingsError, match="no regular file"):
        Settings.from_env({"RESYNC_CONFIG_FILE": str(tmp_path / "pipe.toml")})


def test_the_command_tells_what_comes_from_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m asgi_resync settings` reads it too."""
    environ = written(tmp_path, "[cache]\nl1_ttl = 7")
    status = main([], environ)
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("RESYNC_CACHE_L1_TTL"))

    assert status == 0
    assert line.split() == ["RESYNC_CACHE_L1_TTL", "7s", environ["RESYNC_CONFIG_FILE"], "RESYNC_CACHE_L1_TTL"]
