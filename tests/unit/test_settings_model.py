"""The model: defaults, checks at construction, and what it prints."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from asgi_resync.errors import SettingsError
from asgi_resync.settings import CacheSettings, RedisSettings, Settings, UpstreamSettings
from asgi_resync.settings.model import VARIABLES

KEY = "hunter2-hunter2-hunter2"


def test_settings_without_arguments_are_the_defaults() -> None:
    """The numbers that others rely on."""
    settings = Settings()

    assert (settings.profile, settings.config_file, settings.shutdown_timeout) == (None, None, 10.0)
    assert (
        settings.cache.num_shards,
        settings.cache.l1_max_entries,
        settings.cache.l1_max_bytes,
    ) == (8, 5000, 67108864)
    assert (settings.cache.l1_ttl, settings.cache.l2_ttl, settings.cache.sweep_interval) == (60.0, 600.0, 60.0)
    assert (
        settings.cache.max_body,
        settings.cache.max_variants,
        settings.cache.keep,
        settings.cache.refresh_timeout,
    ) == (4194304, 64, 60.0, 30.0)
    assert (
        settings.cache.client_directives,
        settings.cache.set_cookie,
        settings.cache.targeted,
    ) == ("ignore", "refuse", ())
    assert (settings.redis.url, settings.redis.timeout) == (None, 0.05)


def test_every_default_is_within_its_own_bounds() -> None:
    """A default that its own rule refuses would be a trap."""
    for variable in VARIABLES:
        assert variable.default == variable.check(variable.default)


def test_every_variable_has_a_meaning_and_says_what_it_expects() -> None:
    """The README and the errors are made from these."""
    for variable in VARIABLES:
        assert variable.meta.description, variable.name
        assert variable.expected, variable.name


def test_redis_is_always_an_upstream_with_its_own_defaults() -> None:
    """Its breaker trips sooner and probes sooner than others."""
    redis = Settings().upstreams["redis"]

    assert (3, 30.0, frozenset()) == (redis.fail_max, redis.reset_timeout, redis.given)
    assert redis == Settings(upstreams={"tws": UpstreamSettings()}).upstreams["redis"]


def test_an_upstream_that_nobody_set_has_the_defaults() -> None:
    """Asking needs no guard, and tells that nothing was given."""
    settings = Settings(upstreams={"partner_api": UpstreamSettings(url="https://partner.example")})

    assert UpstreamSettings(given=frozenset()) == settings.upstream("tws")
    assert settings.upstream("Partner-API").url == "https://partner.example"
    assert settings.upstream("redis").fail_max == 3


def test_what_is_made_by_hand_counts_as_given() -> None:
    """Also where it equals the default: nobody compares with defaults to find out."""

    assert "fail_max" in UpstreamSettings(fail_max=5).given


def test_settings_are_frozen_to_the_leaves() -> None:
    """Settings can be shared without fear."""
    settings = Settings(cache=CacheSettings(targeted=["CDN-Cache-Control"]))  # type: ignore[arg-type]  # on purpose

    assert settings.cache.targeted == ("CDN-Cache-Control",)
    with pytest.raises(AttributeError):
        settings.shutdown_timeout = 1.0  # type: ignore[misc]  # on purpose
    with pytest.raises(TypeError):
        settings.upstreams["x"] = UpstreamSettings()  # type: ignore[index]  # on purpose


def test_values_that_cannot_be_used_are_refused_at_construction_all_at_once() -> None:
    """Python code meets the same rules as the environment."""
    with pytest.raises(SettingsError) as caught:
        CacheSettings(num_shards=0, l1_ttl=float("nan"), signing_key=("short",), set_cookie="eat")  # type: ignore[arg-type]  # on purpose

    names = [problem.name.removeprefix("CacheSettings.") for problem in caught.value.problems]
    assert names == ["num_shards", "l1_ttl", "set_cookie", "signing_key"]
    assert "short" not in str(caught.value)


def test_more_shards_than_entries_are_refused() -> None:
    """A shard that may hold nothing is a mistake."""
    with pytest.raises(SettingsError, match=r"num_shards='9': expected at most CacheSettings\.l1_max_entries.* is 8"):
        CacheSettings(num_shards=9, l1_max_entries=8)


def test_replacing_a_field_checks_it() -> None:
    """There is no way around the rules."""
    with pytest.raises(SettingsError):
        msgspec.structs.replace(RedisSettings(), url="http://localhost")
    with pytest.raises(SettingsError):
        RedisSettings(url="redis://")


def test_printing_settings_shows_no_secret() -> None:
    """`repr`, `str` and what rich uses instead."""
    settings = Settings(
        cache=CacheSettings(signing_key=(KEY, KEY)),
        redis=RedisSettings(url=f"redis://:{KEY}@cache.example:6379/0"),
        upstreams={"tws": UpstreamSettings(url=f"https://user:{KEY}@tws.example")},
    )
    rich = [settings.cache.__rich_repr__(), settings.redis.__rich_repr__(), settings.__rich_repr__()]

    for printed in (repr(settings), str(settings), f"{settings}", repr(rich)):
        assert KEY not in printed
        assert "cache.example" in printed
        assert "***, ***" in printed


def test_importing_the_settings_imports_no_dependency_of_other_rooms() -> None:
    """Reading settings is cheap."""
    heavy = "('redis', 'httpx', 'httpx2', 'starlette')"
    code = f"import asgi_resync.settings, sys; print([name for name in {heavy} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"
