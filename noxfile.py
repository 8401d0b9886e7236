"""The checks. Plain `nox` runs those that must pass before a change is handed on; `nox -l` lists them all.

Tests run against the built wheel, on every supported Python that is here; a Python that is missing is skipped and
said so. Environments are made by uv where it is installed (the dev extra brings it) and by virtualenv and pip
otherwise, which NOX_DEFAULT_VENV_BACKEND=virtualenv asks for.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import nox

ROOT = Path(__file__).parent
DIST = ROOT / "dist"
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
# The Python that runs this is tested too: on a machine with a newer one only, it is all there is.
SUPPORTED = [*("3.11", "3.12", "3.13"), *([RUNNING] if sys.version_info > (3, 14) else [])]
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")["project"]
WITH_SERVERS = (
    "browser",
    "chaos",
    "differential",
    "examples",
    "servers",
    "transparency/test_server_lifespan.py",
    "transparency/test_servers.py",
)
"""Tests that start databases, proxies and many a server: once is enough."""
WITH_CROWDS = (
    "unit/test_bounded.py",
    "unit/test_eviction.py",
    "unit/test_memory_weight.py",
    "unit/test_outage.py",
)
"""Tests that make many thousands of calls to count what comes of them: the sums are the same on every Python."""
ONCE = (*WITH_CROWDS, *WITH_SERVERS)
"""Tests that run on the newest Python alone."""
UNMEASURED = (
    "browser",
    "chaos",
    "conformance",
    "differential",
    "examples",
    "frameworks",
    "servers/test_config_file.py",
    "servers/test_console_streams.py",
    "servers/test_lifecycle.py",
    "servers/test_workers.py",
    "transparency",
    *WITH_CROWDS,
)
"""Tests that take no branch which others do not take, or whose work is done by processes they start: coverage would
slow them down to half and learn nothing from them."""
IN_PROCESS = ("contract", "property", "unit")
"""Tests that no server takes part in: for the Pythons between the oldest and the newest, these are enough."""
RUNTIME_EXTRAS = ("httpx2", "httpx", "watch", "prometheus", "otel", "fast", "zstd", "demo")


def _candidates(version: str) -> Iterator[Path]:
    """Yield where an interpreter of *version* may be, likeliest first. pyenv's shims may be there and not work."""
    name = f"python{version}.exe" if os.name == "nt" else f"python{version}"
    if version == RUNNING:
        yield Path(sys.base_prefix) / "bin" / name
    yield from (Path(folder) / name for folder in os.get_exec_path())
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (folder / name for folder in sorted(pyenv.glob(f"versions/{version}.*/bin"), reverse=True))


def _interpreter(version: str) -> Path | None:
    """Return an interpreter of *version* that runs and can make environments, or None."""
    probe = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    for path in _candidates(version):
        if not path.is_file():
            continue
        try:
            found = subprocess.run([path, "-c", probe], capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if found.returncode == 0 and found.stdout.strip() == version:
            return path
    return None


def _present() -> list[str]:
    """Return the supported versions that are here, and put their interpreters where nox and uv look first."""
    found = {version: path for version in SUPPORTED if (path := _interpreter(version)) is not None}
    missing = [version for version in SUPPORTED if version not in found]
    if missing:
        print(f"noxfile: skipping Python {', '.join(missing)}: no working interpreter found", file=sys.stderr)
    folders = [str(path.parent) for path in found.values()]
    os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])
    return list(found)


def _let_uv_reach_what_pip_reaches() -> None:
    """Hand uv the index, and the certificates, that pip is configured with: uv reads no pip.conf."""
    pip = [getattr(sys, "_base_executable", sys.executable), "-m", "pip", "config", "list"]
    listed = subprocess.run(pip, capture_output=True, text=True, timeout=60, check=False).stdout
    known = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        variable = known.get(name.rpartition(".")[2])
        if variable is not None:
            os.environ.setdefault(variable, value.strip("'"))
    if ssl.get_default_verify_paths().cafile:
        # As pip does from 24.2 on: trust what the system trusts, a company's own authority for one.
        os.environ.setdefault("UV_SYSTEM_CERTS", "1")


_let_uv_reach_what_pip_reaches()
os.environ["UV_PYTHON_DOWNLOADS"] = "never"
PYTHONS = _present()
OLDEST, NEWEST = PYTHONS[0], PYTHONS[-1]

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "imports", "tests", "coverage"]


def _requirement(name: str, extra: str = "dev") -> str:
    """Return the requirement by which *extra* asks for *name*."""
    requirements: list[str] = PROJECT["optional-dependencies"][extra]
    return next(requirement for requirement in requirements if requirement.startswith(name))


def _present_folders(*names: str) -> list[str]:
    return [name for name in names if (ROOT / name).exists()]


def _without(names: Iterable[str]) -> Iterator[str]:
    """Yield the options by which pytest leaves out *names* below tests."""
    return (f"--ignore=tests/{name}" for name in names)


def _wheel() -> Path:
    """Return the wheel that the session `build` made."""
    return max(DIST.glob("asgi_resync-*.whl"), key=lambda path: path.stat().st_mtime)


def _install_wheel(session: nox.Session, *extras: str, constraints: tuple[str, ...] = ()) -> None:
    """Install the built wheel with *extras*; again even if that version is there, since its contents change."""
    wheel = _wheel()
    session.install(f"asgi-resync[{','.join(extras)}] @ {wheel.as_uri()}", *constraints)
    session.install("--no-deps", "--force-reinstall", str(wheel))


@nox.session(python=OLDEST)
def lint(session: nox.Session) -> None:
    """Check the style and the format with ruff."""
    session.install(_requirement("ruff"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=OLDEST)
def types(session: nox.Session) -> None:
    """Check the types of src, tests, examples and this file with mypy, strictly."""
    session.install("-e", ".[test]", _requirement("mypy"), _requirement("nox"))
    session.run("mypy", "noxfile.py", *_present_folders("src", "tests", "examples"))


@nox.session(python=OLDEST)
def imports(session: nox.Session) -> None:
    """Check that rooms import downwards only, and that pure modules are pure."""
    session.install("-e", ".", _requirement("import-linter"))
    session.run("lint-imports")


@nox.session(python=OLDEST)
def build(session: nox.Session) -> None:
    """Build the wheel from the sdist, so that both are known to be complete."""
    installer = "uv" if session.venv_backend == "uv" else "pip"
    session.install("build>=1.2", installer)
    for old in DIST.glob("asgi_resync-*"):
        old.unlink()
    session.run("python", "-m", "build", f"--installer={installer}", f"--outdir={DIST}", silent=True)
    session.log(f"built {_wheel().name}")


@nox.session(python=PYTHONS, requires=["build"])
def tests(session: nox.Session) -> None:
    """Run the tests against the built wheel; on the newest Python, note which branches they take."""
    _install_wheel(session, "test")
    # Two at a time, since many tests wait for servers; each file in one process, for what its tests share.
    options = ("-q", "-n", "2", "--dist", "loadfile", "--durations=5", *session.posargs)
    if session.python == NEWEST:
        session.run("coverage", "erase")
        session.run("coverage", "run", "-m", "pytest", *options, *_without(UNMEASURED))
        session.run("pytest", *options, *(f"tests/{name}" for name in UNMEASURED))
    elif session.python == OLDEST:
        session.run("pytest", *options, *_without(ONCE))
    else:
        session.run("pytest", *options, *(f"tests/{name}" for name in IN_PROCESS), *_without(WITH_CROWDS))


@nox.session(python=NEWEST, requires=[f"tests-{NEWEST}"])
def coverage(session: nox.Session) -> None:
    """Hold the branch coverage of src to the bar in pyproject.toml, from the run on the newest Python."""
    session.install(_requirement("coverage", "test"))
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=OLDEST, requires=["build"])
def lowest(session: nox.Session) -> None:
    """Run the unit tests with the lowest versions that pyproject.toml admits, of dependencies and run-time extras."""
    extras = PROJECT["optional-dependencies"]
    bounds = [*PROJECT["dependencies"], *(bound for extra in RUNTIME_EXTRAS for bound in extras[extra])]
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(bound.replace(">=", "==") for bound in bounds) + "\n", encoding="utf-8")
    _install_wheel(session, "test", constraints=("-c", str(constraints)))
    session.run("pytest", "tests/unit", *session.posargs)


@nox.session(python=OLDEST, requires=["build"])
def bench(session: nox.Session) -> None:
    """Measure all that the design has a number for, beside the peers: `nox -s bench -- --quick --only hit`."""
    _install_wheel(session, "test")
    session.install("httpx-retries")  # the one peer that shares an environment with what is measured
    if session.venv_backend == "uv":
        session.install("uv")  # for the peers' environments, which else are made by venv and pip
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session(python=OLDEST, requires=["build"])
def outage(session: nox.Session) -> None:
    """Freeze an upstream for a minute at steady load, and count the calls that reach it: `nox -s outage`."""
    _install_wheel(session, "test")
    session.run("python", "-m", "tests.benchmarks.outage", "--real", *session.posargs)


@nox.session(python=OLDEST, requires=["build"])
def chaos(session: nox.Session) -> None:
    """Maltreat Redis and the config file under load, at length, and look deep for purges that are undone."""
    _install_wheel(session, "test")
    environ = {"RESYNC_CHAOS": "long", "HYPOTHESIS_PROFILE": "deep"}
    table = Path(session.create_tmp()) / "chaos.jsonl"
    table.unlink(missing_ok=True)
    session.run("pytest", "-v", "tests/chaos", *session.posargs, env={**environ, "CHAOS_TABLE": str(table)})
    if table.exists():
        session.run("python", "-m", "tests.benchmarks.results", "chaos", str(table))
    session.run("pytest", "-v", "--timeout=1800", "tests/servers/test_two_nodes.py", *session.posargs, env=environ)


@nox.session(python=OLDEST, requires=["build"])
def browser(session: nox.Session) -> None:
    """Look at the console with a Chromium, which must be here, and keep a picture of each of its states."""
    _install_wheel(session, "test")
    session.run("pytest", "-v", "tests/browser", *session.posargs, env={"RESYNC_BROWSER": "required"})


@nox.session(python=NEWEST, requires=["build"])
def matrix(session: nox.Session) -> None:
    """Hold each framework, oldest and newest, to its promises on each server and Python: `-- --framework quart`."""
    _install_wheel(session, "test")
    session.install("uv")
    pythons = [f"--python={version}" for version in PYTHONS]
    # What is a part of the whole is not to be taken for it.
    output = [] if session.posargs else ["--output=tests/benchmarks/MATRIX.md"]
    session.run("python", "-m", "tests.matrix", f"--wheel={_wheel()}", *pythons, *output, *session.posargs)


@nox.session(python=OLDEST, requires=["build"])
def differential(session: nox.Session) -> None:
    """Compare with nginx and Varnish before one scripted origin; both must be installed (Debian packages)."""
    _install_wheel(session, "test")
    session.run("python", "-m", "tests.differential", *session.posargs)
