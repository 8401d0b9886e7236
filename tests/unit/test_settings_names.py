"""Names: upstreams, the original's aliases, and names that mean nothing."""

from __future__ import annotations

import pytest

from asgi_resync.errors import SettingsError
from asgi_resync.settings import Settings, resolve


def problem(name: str, text: str = "1") -> str:
    """The one problem of an environment that holds only *name*."""
    with pytest.raises(SettingsError) as caught:
        resolve({name: text})
    (found,) = caught.value.problems
    return str(found)


def test_an_upstream_exists_as_soon_as_it_is_named() -> None:
    """Its name may hold underscores; the longest known suffix is the setting."""
    settings = Settings.from_env(
        {
            "RESYNC_UPSTREAM_PARTNER_API_FAIL_MAX": "9",
            "RESYNC_UPSTREAM_TWS_URL": "https://tws.example:31116",
            "RESYNC_UPSTREAM_TWS_RESET_TIMEOUT": "2m",
        }
    )

    assert list(settings.upstreams) == ["redis", "partner_api", "tws"]
    assert (
        settings.upstreams["partner_api"].url,
        settings.upstreams["partner_api"].fail_max,
        settings.upstreams["partner_api"].reset_timeout,
    ) == (None, 9, 60.0)
    assert (
        settings.upstreams["tws"].url,
        settings.upstreams["tws"].fail_max,
        settings.upstreams["tws"].reset_timeout,
    ) == ("https://tws.example:31116", 5, 120.0)


def test_an_upstream_knows_what_was_given_even_where_it_equals_the_default() -> None:
    """So that code can tell its own arguments from the operator's."""

    assert {"fail_max"} == Settings.from_env({"RESYNC_UPSTREAM_TWS_FAIL_MAX": "5"}).upstreams["tws"].given


def test_the_breaker_of_redis_is_set_like_any_other_but_keeps_its_own_defaults() -> None:
    """One name sets one thing."""
    redis = Settings.from_env({"RESYNC_UPSTREAM_REDIS_FAIL_MAX": "7"}).upstreams["redis"]

    assert (redis.fail_max, redis.reset_timeout) == (7, 30.0)


def test_the_breakers_of_the_original_are_aliases() -> None:
    """Its operations are our upstreams; our name wins."""
    environ = {
        "CIRCUIT_BREAKER_TWS_FAIL_MAX": "4",
        "CIRCUIT_BREAKER_LLM_API_RESET_TIMEOUT": "120",
        "CIRCUIT_BREAKER_REDIS_FAIL_MAX": "2",
        "RESYNC_UPSTREAM_REDIS_FAIL_MAX": "1",
    }
    resolution = resolve(environ)

    upstreams = resolution.settings.upstreams
    assert (
        upstreams["tws"].fail_max,
        upstreams["llm_api"].reset_timeout,
        upstreams["redis"].fail_max,
    ) == (4, 120.0, 1)
    assert resolution.origins["RESYNC_UPSTREAM_TWS_FAIL_MAX"] == "environment CIRCUIT_BREAKER_TWS_FAIL_MAX (alias)"


@pytest.mark.parametrize("name", ["CIRCUIT_BREAKER_TWS_FAIL_MAX", "RESYNC_UPSTREAM_TWS_FAIL_MAX"])
@pytest.mark.parametrize("text", ["0", "101"])
def test_the_bounds_of_a_breaker_hold_under_either_name(name: str, text: str) -> None:
    """The original's: 1 to 100 failures."""

    assert f"{name}='{text}': expected a whole number from 1 to 100" == problem(name, text)


@pytest.mark.parametrize(
    ("environ", "url", "notes"),
    [
        ({"TWS_BASE_URL": "http://localhost:31111"}, "http://localhost:31111", 0),
        ({"TWS_HOST": "tws"}, "http://tws:31111", 1),
        ({"TWS_HOST": "tws", "TWS_PORT": "31116"}, "http://tws:31116", 1),
        ({"TWS_HOST": "https://tws", "TWS_PORT": "31116"}, "https://tws:31116", 0),
        ({"TWS_HOST": "https://tws:9443/twsd"}, "https://tws:9443/twsd", 0),
        ({"TWS_HOST": "https://tws/twsd"}, "https://tws:31111/twsd", 0),
        ({"TWS_HOST": "tws", "TWS_BASE_URL": "http://tws:31111"}, "http://tws:31111", 0),
        ({"TWS_HOST": "tws", "TWS_BASE_URL": "http://other:31111"}, "http://other:31111", 1),
        ({"TWS_HOST": "tws", "RESYNC_UPSTREAM_TWS_URL": "https://ours"}, "https://ours", 0),
    ],
)
def test_the_address_of_the_original_becomes_the_url_of_tws(environ: dict[str, str], url: str, notes: int) -> None:
    """Host and port make a URL; a scheme that had to be assumed is noted."""
    resolution = resolve(environ)

    assert url == resolution.settings.upstreams["tws"].url
    assert notes == len(resolution.notes)


def test_a_port_without_a_host_and_an_empty_host_say_nothing() -> None:
    """Half an address is none."""

    assert Settings() == Settings.from_env({"TWS_HOST": "", "TWS_PORT": "31111"})


def test_an_impossible_port_is_reported_under_the_name_of_the_host() -> None:
    """The address they make together is shown."""
    with pytest.raises(SettingsError, match=r"TWS_HOST='http://tws:99999': expected a URL"):
        resolve({"TWS_HOST": "tws", "TWS_PORT": "99999"})


@pytest.mark.parametrize("switch", ["RESYNC_DISABLE_REDIS", "RESYNC_DISABLE_VALKEY"])
def test_the_switches_of_the_original_turn_l2_off(switch: str) -> None:
    """Whatever URL is there, right or wrong."""
    resolution = resolve({switch: "1", "REDIS_URL": "nonsense"})

    assert resolution.settings.redis.url is None
    assert f"environment {switch} (alias)" == resolution.origins["RESYNC_REDIS_URL"]
    assert (f"{switch} is set: no L2, its URL is ignored",) == resolution.notes


def test_a_switch_alone_or_turned_back_changes_nothing() -> None:
    """Off is off only where it says so."""
    environ = {"RESYNC_DISABLE_REDIS": "0", "RESYNC_REDIS_URL": "redis://h"}

    assert Settings.from_env(environ).redis.url == "redis://h"
    assert resolve({"RESYNC_DISABLE_REDIS": "true"}).notes == ("RESYNC_DISABLE_REDIS is set: no L2",)


def test_a_switch_that_is_neither_on_nor_off_is_a_problem() -> None:
    """Guessing would connect, or not, against somebody's will."""

    assert problem("RESYNC_DISABLE_REDIS", "maybe") == "RESYNC_DISABLE_REDIS='maybe': expected true or false"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RESYNC_CACHE_SHARDS", "RESYNC_CACHE_NUM_SHARDS"),
        ("RESYNC_CACHE_SIGNING_KEYS", "RESYNC_CACHE_SIGNING_KEY"),
        ("RESYNC_REDISURL", "RESYNC_REDIS_URL"),
        ("RESYNC_UPSTREAM_REDIS_URL", "RESYNC_REDIS_URL"),
        ("RESYNC_UPSTREAM_PARTNER_API_FAILMAX", "RESYNC_UPSTREAM_PARTNER_API_FAIL_MAX"),
        ("RESYNC_UPSTREAM_TWS_TIMEOUT", "RESYNC_UPSTREAM_TWS_READ_TIMEOUT"),
        ("RESYNC_UPSTREAM_TWS_RESETTIMEOUT", "RESYNC_UPSTREAM_TWS_RESET_TIMEOUT"),
        ("RESYNC_UPSTREAM_TWS", "RESYNC_UPSTREAM_TWS_URL"),
        ("RESYNC_UPSTREAM_tws_URL", "RESYNC_UPSTREAM_TWS_URL"),
    ],
)
def test_an_unknown_name_is_a_problem_that_names_the_nearest(name: str, meant: str) -> None:
    """A typing error must not pass for a setting; its value may be a secret."""

    assert f"{name}='***': not a setting; did you mean {meant}?" == problem(name, "hunter2")


def test_an_unknown_name_that_is_near_to_none_points_to_the_list() -> None:
    """A far-fetched guess would mislead."""

    assert "`python -m asgi_resync settings` lists" in problem("RESYNC_XYZZY")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CACHE_HIERARCHY_MAX_WORKERS", "4"),
        ("resync_cache_num_shards", "0"),
        ("RESYNC_EAGER_BOOT", "1"),
        ("RESYNC_SERVICE_HOST", "10.0.0.1"),
        ("RESYNC_SERVICE_PORT", "80"),
        ("RESYNC_SERVICE_PORT_HTTP", "80"),
        ("RESYNC_PORT", "tcp://10.0.0.1:80"),
        ("RESYNC_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("RESYNC_REDIS_PORT_6379_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_names_of_others_mean_nothing(name: str, text: str) -> None:
    """The application's own, and those Kubernetes gives every pod beside a Service called `resync`."""
    resolution = resolve({name: text})

    assert Settings() == resolution.settings
    assert resolution.notes == ()
