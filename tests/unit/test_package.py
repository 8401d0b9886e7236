"""The package as users meet it first: what importing it costs, what it loads, and what its names are."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

import asgi_resync

IMPORT_LIMIT = 0.1
"""Seconds that `import asgi_resync` may take (the design's number)."""

HEAVY = {
    "asyncio", "fastapi", "hiredis", "httpx", "httpx2", "litestar", "msgspec", "opentelemetry", "prometheus_client",
    "purgatory", "redis", "starlette", "tenacity", "uvicorn", "uvloop", "watchfiles",
}  # fmt: skip
"""What nobody pays for before using it."""

OPTIONAL = {"fastapi", "hiredis", "httpx", "httpx2", "litestar", "opentelemetry", "prometheus_client", "redis",
            "uvicorn", "uvloop", "watchfiles"}  # fmt: skip
"""What `Resync()` from an empty environment does not need."""


def in_a_fresh_interpreter(code: str) -> str:
    """Return what *code* prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.strip()


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that are loaded after *code* and were not before."""
    printed = in_a_fresh_interpreter(
        f"import sys; before = {{*sys.modules}}\n{code}\nprint(*({{*sys.modules}} - before), sep='\\n')"
    )
    return {name.partition(".")[0] for name in printed.splitlines()}


def test_importing_it_is_quick() -> None:
    """`import asgi_resync` takes at most 100 ms of a processor; the best of several, as other work only adds."""
    code = "import time; t = time.process_time(); import asgi_resync; print(time.process_time() - t)"

    best = IMPORT_LIMIT + 1
    for _ in range(7):
        best = min(best, float(in_a_fresh_interpreter(code)))
        if best <= IMPORT_LIMIT:
            break

    assert best <= IMPORT_LIMIT


def test_importing_it_loads_no_dependency() -> None:
    """Nothing but the standard library is loaded, and of that no event loop."""
    assert HEAVY & loaded_by("import asgi_resync") == set()


def test_wrapping_an_app_loads_no_optional_dependency() -> None:
    """Without Redis in the settings, neither redis nor an HTTP client is loaded to wrap an app."""
    code = "import asgi_resync; asgi_resync.Resync(rules=[asgi_resync.CacheRule('/plan', ttl=1)])(lambda *_: None)"

    assert OPTIONAL & loaded_by(code) == set()


@pytest.mark.parametrize("name", asgi_resync.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """What `__all__` promises can be had, and `dir` shows it."""
    assert getattr(asgi_resync, name) is not None
    assert name in dir(asgi_resync)


def test_a_public_name_loads_once() -> None:
    """The second use of a name costs no look-up of its module: it is the package's own."""
    first = asgi_resync.Resync

    assert vars(asgi_resync)["Resync"] is first


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typing slip is told as Python tells it."""
    with pytest.raises(AttributeError, match="no attribute 'Resnyc'"):
        asgi_resync.Resnyc  # noqa: B018 - what is looked up is the test


def test_the_version_is_that_of_the_distribution() -> None:
    """`__version__` is the one place, and the built distribution has read it."""
    assert importlib.metadata.version("asgi-resync") == asgi_resync.__version__


def test_the_package_is_typed() -> None:
    """Type checkers are told that they may look."""
    files = importlib.metadata.files("asgi-resync") or []
    installed = [str(file) for file in files if file.name == "py.typed"]
    editable = any("editable" in file.name for file in files)

    assert installed == ["asgi_resync/py.typed"] or editable
