"""Which layer wins, what is noted, and what is a problem."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from asgi_resync.cache.memory import MemoryStore
from asgi_resync.errors import SettingsError
from asgi_resync.settings import PROFILES, Layer, Settings, load, resolve
from asgi_resync.settings.parts import memory_sizes


def problems(environ: dict[str, str], *layers: Layer) -> list[str]:
    """The problems of *environ*, as they are printed."""
    with pytest.raises(SettingsError) as caught:
        resolve(environ, layers=layers)
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_environment_gives_the_defaults() -> None:
    """Nothing set is nothing changed, and nothing to say about it."""
    resolution = resolve({"PATH": "/bin", "RESYNC_CACHE_NUM_SHARDS": "  ", "RESYNC_NONSENSE": ""})

    assert Settings() == resolution.settings == Settings.from_env({})
    assert {"default"} == set(resolution.origins.values())
    assert resolution.notes == ()


def test_every_variable_is_read() -> None:
    """Each name of the table reaches its attribute."""
    cache = {
        "NUM_SHARDS": "4",
        "L1_MAX_ENTRIES": "100",
        "L1_MAX_BYTES": "64MB",
        "L1_TTL": "5m",
        "L2_TTL": "1d",
        "SWEEP_INTERVAL": "500ms",
        "TTL_JITTER": "0.2",
        "MAX_BODY": "1MiB",
        "MAX_VARIANTS": "3",
        "STALE_WHILE_REVALIDATE": "30",
        "STALE_IF_ERROR": "300",
        "KEEP": "0",
        "REFRESH_TIMEOUT": "5s",
        "NORMALIZE_VARY": "no",
        "CLIENT_DIRECTIVES": "honour",
        "HEURISTIC": "on",
        "TARGETED": "CDN-Cache-Control, Resync-Cache-Control",
        "SET_COOKIE": "strip",
        "ETAG": "off",
        "STATUS_HEADER": "0",
        "NAME": "edge",
        "KEY_PREFIX": "{app}:",
        "SIGNING_KEY": "aaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbb",
    }
    environ = {f"RESYNC_CACHE_{name}": text for name, text in cache.items()}
    environ |= {"RESYNC_REDIS_URL": "rediss://h", "RESYNC_REDIS_TIMEOUT": "20ms"}
    environ |= {"RESYNC_CONFIG_FILE": "resync.toml", "RESYNC_SHUTDOWN_TIMEOUT": "3", "RESYNC_PROFILE": "Development"}
    settings = resolve(environ).settings

    expected = (4, 100, 64_000_000, 300.0, 86400.0, 0.5, 0.2, 1048576, 3, 30.0, 300.0, 0.0, 5.0, False, "honour", True,
                ("CDN-Cache-Control", "Resync-Cache-Control"), "strip", False, False, "edge", "{app}:",
                ("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"))  # fmt: skip
    assert expected == tuple(getattr(settings.cache, name.lower()) for name in cache)
    assert (settings.redis.url, settings.redis.timeout) == ("rediss://h", 0.02)
    assert (settings.config_file, settings.shutdown_timeout, settings.profile) == ("resync.toml", 3.0, "development")


def test_the_word_false_is_false() -> None:
    """The original asked `bool("false")`, which is True."""

    assert Settings.from_env({"RESYNC_CACHE_ETAG": "false"}).cache.etag is False


@pytest.mark.parametrize("selector", ["RESYNC_PROFILE", "APP_ENV"])
def test_the_environment_overrides_a_profile(selector: str) -> None:
    """The original's profiles re-declared constants, so its environment could not."""
    settings = Settings.from_env({selector: "production", "CACHE_HIERARCHY_L1_MAX_SIZE": "77"})

    assert settings.profile == "production"
    assert (
        settings.cache.l1_max_entries,
        settings.cache.num_shards,
        settings.cache.l2_ttl,
        settings.cache.sweep_interval,
    ) == (77, 12, 900.0, 120.0)


def test_a_value_equal_to_the_default_still_overrides_a_profile() -> None:
    """Given is given; nobody compares with the default to find out."""
    resolution = resolve({"RESYNC_PROFILE": "production", "RESYNC_CACHE_NUM_SHARDS": "8"})

    assert resolution.settings.cache.num_shards == 8
    assert resolution.origins["RESYNC_CACHE_NUM_SHARDS"] == "environment RESYNC_CACHE_NUM_SHARDS"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_holds_values_that_can_be_used_and_gives_nothing_to_note(profile: str) -> None:
    """A profile is known by its values, and says so."""
    resolution = resolve({"RESYNC_PROFILE": profile})

    assert resolution.notes == ()
    for name in PROFILES[profile]:
        assert f"profile {profile}" == resolution.origins[name]


def test_an_unknown_stage_of_the_application_is_no_profile_and_no_problem() -> None:
    """APP_ENV is the application's, which knows `staging`."""
    resolution = resolve({"APP_ENV": "staging"})

    assert Settings() == resolution.settings
    assert resolution.origins["RESYNC_PROFILE"] == "default"
    assert resolution.notes == ("APP_ENV='staging' is no profile of asgi-resync, so it sets nothing",)


def test_an_unknown_profile_is_a_problem() -> None:
    """RESYNC_PROFILE is ours."""

    assert problems({"RESYNC_PROFILE": "staging"}) == ["RESYNC_PROFILE='staging': expected development or production"]


def test_layers_stand_between_environment_and_profile() -> None:
    """A config file beats the profile it may itself name, and is beaten by the environment."""
    file = Layer(
        "resync.toml", {"RESYNC_PROFILE": "production", "RESYNC_CACHE_L2_TTL": "1s", "RESYNC_CACHE_KEEP": "2s"}
    )
    resolution = resolve({"APP_ENV": "test", "RESYNC_CACHE_KEEP": "3s"}, layers=[file])

    cache, origins = resolution.settings.cache, resolution.origins
    assert (cache.keep, cache.l2_ttl, cache.l1_max_entries) == (3.0, 1.0, 10000)
    assert origins["RESYNC_CACHE_KEEP"] == "environment RESYNC_CACHE_KEEP"
    assert origins["RESYNC_CACHE_L2_TTL"] == "resync.toml RESYNC_CACHE_L2_TTL"
    assert origins["RESYNC_PROFILE"] == "resync.toml RESYNC_PROFILE"


def test_a_layer_below_the_environment_knows_no_aliases_and_is_named_in_problems() -> None:
    """What is written for us uses our names."""
    file = Layer("resync.toml", {"RESYNC_CACHE_KEEP": "soon", "REDIS_URL": "redis://h"})

    assert problems({}, file) == [
        "REDIS_URL in resync.toml='***': not a setting; did you mean RESYNC_REDIS_URL?",
        "RESYNC_CACHE_KEEP in resync.toml='soon': expected a duration from 0s to 365d, such as 500ms, 30s, 5m or 2h",
    ]


def test_our_name_beats_an_alias_without_a_word() -> None:
    """Whoever sets our name means it, even if the alias could not be used."""
    resolution = resolve({"RESYNC_CACHE_L1_TTL": "5s", "ASYNC_CACHE_TTL": "nonsense"})

    assert resolution.settings.cache.l1_ttl == 5.0
    assert resolution.notes == ()


def test_of_two_aliases_the_first_wins_and_the_difference_is_noted_once() -> None:
    """The more specific name is listed first."""
    environ = {"CACHE_HIERARCHY_NUM_SHARDS": "4", "ASYNC_CACHE_NUM_SHARDS": "2"}
    resolution = resolve(environ)

    assert resolution.settings.cache.num_shards == 4
    assert resolution.origins["RESYNC_CACHE_NUM_SHARDS"] == "environment CACHE_HIERARCHY_NUM_SHARDS (alias)"
    assert resolution.notes == (
        "CACHE_HIERARCHY_NUM_SHARDS and ASYNC_CACHE_NUM_SHARDS differ; CACHE_HIERARCHY_NUM_SHARDS is used",
    )


@pytest.mark.parametrize(("second", "notes"), [("60s", 0), ("x", 1)])
def test_aliases_are_compared_by_what_they_mean(second: str, notes: int) -> None:
    """`60` and `60s` do not differ."""
    environ = {"CACHE_HIERARCHY_L2_CLEANUP_INTERVAL": "60", "ASYNC_CACHE_CLEANUP_INTERVAL": second}

    assert notes == len(resolve(environ).notes)


def test_every_problem_comes_at_once_under_the_name_that_was_set() -> None:
    """One start shows all that is to be mended."""
    environ = {
        "RESYNC_CACHE_L1_TTL": "inf",
        "ASYNC_CACHE_NUM_SHARDS": "1_000",
        "REDIS_URL": "http://:hunter2@h",
        "RESYNC_CACHE_SIGNING_KEY": "hunter2",
        "RESYNC_CACHE_NAME": "two words " + "x" * 200,
        "RESYNC_UPSTREAM_TWS_FAIL_MAX": "0",
    }
    found = problems(environ)

    assert sorted(environ) == sorted(problem.partition("=")[0] for problem in found)
    assert "hunter2" not in "".join(found)
    assert "x" * 200 not in "".join(found)
    assert "REDIS_URL='http://***@h': expected a URL such as redis://localhost:6379/0" in found


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"CACHE_HIERARCHY_L1_MAX_SIZE": "4"},
            "RESYNC_CACHE_NUM_SHARDS (default)='8': expected at most CACHE_HIERARCHY_L1_MAX_SIZE, which is 4",
        ),
        (
            {"RESYNC_CACHE_NUM_SHARDS": "1024", "RESYNC_CACHE_L1_MAX_ENTRIES": "9"},
            "RESYNC_CACHE_NUM_SHARDS='1024': expected at most RESYNC_CACHE_L1_MAX_ENTRIES, which is 9",
        ),
        (
            {"RESYNC_PROFILE": "production", "RESYNC_CACHE_L1_MAX_ENTRIES": "9"},
            "RESYNC_CACHE_NUM_SHARDS in profile production='12': "
            "expected at most RESYNC_CACHE_L1_MAX_ENTRIES, which is 9",
        ),
    ],
)
def test_values_that_contradict_each_other_are_both_named(environ: dict[str, str], expected: str) -> None:
    """Whichever of the two was set."""

    assert [expected] == problems(environ)


def test_bodies_too_large_for_memory_are_noted() -> None:
    """It works as far as there is an L2, so it is no problem but worth a word."""
    small = {"RESYNC_CACHE_MAX_BODY": "16MiB", "RESYNC_CACHE_L1_MAX_BYTES": "16MiB", "RESYNC_CACHE_NUM_SHARDS": "1"}
    (note,) = resolve(small).notes
    (other,) = resolve({**small, "RESYNC_REDIS_URL": "redis://h"}).notes

    assert "RESYNC_CACHE_MAX_BODY is 16MiB, and L1 has 16MiB" in note
    assert note.endswith("are kept nowhere, as there is no L2 (RESYNC_REDIS_URL)")
    assert other.endswith("are kept in L2 alone")


def test_fewer_shards_than_asked_for_are_noted() -> None:
    """As many as there are: what health and the settings say is the same."""
    found = resolve({"RESYNC_CACHE_MAX_BODY": "16MiB"})
    (note,) = found.notes
    store = MemoryStore(**memory_sizes(found.settings))

    assert note.startswith(f"RESYNC_CACHE_NUM_SHARDS is 8, and L1 gets {store.stats().shards}: ")
    assert store.stats().shards == 3


def test_calls_that_may_wait_for_nothing_are_noted() -> None:
    """A queue needs something to queue for."""
    waiting = {"RESYNC_UPSTREAM_TWS_MAX_WAITING": "5"}

    assert resolve(waiting).notes == (
        "RESYNC_UPSTREAM_TWS_MAX_WAITING is set and RESYNC_UPSTREAM_TWS_MAX_CALLS is not: "
        "calls of tws wait only where the code gives it a bulkhead",
    )
    assert resolve({**waiting, "RESYNC_UPSTREAM_TWS_MAX_CALLS": "5"}).notes == ()


def test_a_file_of_certificates_that_is_not_there_is_noted(tmp_path: Path) -> None:
    """At the start, not at the first call."""
    environ = {"RESYNC_UPSTREAM_TWS_CA_FILE": str(tmp_path / "ca.pem")}
    (note,) = load(environ).notes
    (tmp_path / "ca.pem").write_text("")

    assert note.startswith(f"RESYNC_UPSTREAM_TWS_CA_FILE is {str(tmp_path / 'ca.pem')!r}, which is no file")
    assert load(environ).notes == ()


def test_notes_are_logged_when_nobody_asks_for_them(caplog: pytest.LogCaptureFixture) -> None:
    """`from_env` returns no notes, so the log has them."""
    with caplog.at_level(logging.WARNING, logger="asgi_resync"):
        Settings.from_env({"APP_ENV": "staging"})

    assert caplog.messages == ["APP_ENV='staging' is no profile of asgi-resync, so it sets nothing"]


def test_the_process_environment_is_read_when_none_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is at the call, not at the import."""
    monkeypatch.setenv("RESYNC_CACHE_NUM_SHARDS", "3")

    assert 3 == Settings.from_env().cache.num_shards == resolve().settings.cache.num_shards
