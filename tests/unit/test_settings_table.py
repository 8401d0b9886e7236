"""The table of the README."""

from __future__ import annotations

from asgi_resync.settings import settings_table
from asgi_resync.settings.model import VARIABLES


def test_the_table_has_every_variable_once_in_five_columns() -> None:
    """One line each, and no cell that breaks the row."""
    lines = settings_table().splitlines()

    assert len(VARIABLES) + 2 == len(lines)
    assert [f"`{variable.name}`" for variable in VARIABLES] == [line.split(" | ")[0][2:] for line in lines[2:]]
    assert {6} == {line.count("|") for line in lines}


def test_a_row_tells_default_profiles_aliases_and_meaning() -> None:
    """Values are in human units."""
    table = settings_table()

    assert (
        "| `RESYNC_CACHE_L2_TTL` | `600s` | development: `300s`, production: `900s` | `CACHE_HIERARCHY_L2_TTL` |"
        in table
    )
    assert "| `RESYNC_UPSTREAM_<NAME>_FAIL_MAX` | `5` (redis: `3`) |" in table
    assert "| `RESYNC_CACHE_L1_MAX_BYTES` | `64MiB` |" in table
    assert "| `RESYNC_REDIS_URL` | \N{EN DASH} | \N{EN DASH} | `REDIS_URL` |" in table
