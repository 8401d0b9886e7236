"""Gives each test here `wrap`: the bare app, and each way of wrapping it."""

from __future__ import annotations

from typing import cast

import pytest
from tests.transparency.wrappings import WRAPPINGS, Wrap


@pytest.fixture(params=list(WRAPPINGS.values()), ids=list(WRAPPINGS))
def wrap(request: pytest.FixtureRequest) -> Wrap:
    """Wrap an app, or leave it bare."""
    return cast(Wrap, request.param)
