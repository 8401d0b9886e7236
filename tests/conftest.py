"""What every test shares: one event loop backend and the hypothesis profiles. It holds no doubles: those are in
`asgi_resync.testing` if users have a use for them, else beside the tests that do."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# They assert for tests, and are imported by them.
pytest.register_assert_rewrite("tests.chaos.workers", "tests.frameworks.promises")

# A shell that runs the tests in the background has them ignore SIGINT, and so would all that they start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadlines: a machine shared with others is slow at random, and pytest-timeout bounds each test anyway.
settings.register_profile("dev", deadline=None, max_examples=50)
# The same examples at every run: a change is judged by what it changed.
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, print_blob=True)
# New examples at every run, for hunting: HYPOTHESIS_PROFILE=deep nox -s tests
settings.register_profile(
    "deep", deadline=None, max_examples=5000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Return asyncio: the library promises nothing under trio."""
    return "asyncio"
