"""`asgi-resync check [MODULE:APP]`: whether what is configured works, before the app is started with it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import traceback
from collections.abc import Coroutine, Mapping, Sequence
from importlib.util import find_spec

from msgspec.structs import replace

from ..errors import RuleError, SettingsError
from ..resync import Resync
from ..settings import Settings
from ..settings.environment import DEFAULT, Resolution
from ..settings.load import load
from ..upstream import Upstream
from .address import seconds
from .app import AppNotFound, resync_of
from .check_upstream import check_upstream
from .command import Status, as_json, listed, parser_of
from .finding import Finding, is_wrong, lines
from .look import look_of
from .progress import progress

SETTINGS, REDIS = "settings", "redis"


def main(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Print what is wrong and what to do, one line each; 0 if nothing is, 1 if something, 2 for settings."""
    environment = os.environ if environ is None else environ
    parser = parser_of(
        "check",
        "Try what is configured: the settings and their file, Redis, and every upstream. One line for each thing,\n"
        "with what to do where it is wrong. Nothing is left behind, and no secret is printed.",
        Status.WRONG,
    )
    parser.add_argument(
        "app",
        nargs="?",
        metavar="MODULE:APP",
        help="as for uvicorn, such as shop.main:app: its upstreams are tried too",
    )
    parser.add_argument("--timeout", type=seconds, default=5.0, metavar="S", help="seconds for each connection (5)")
    parser.add_argument("--json", action="store_true", help="one object: `result` (well or wrong) and `findings`")
    arguments = parser.parse_args(argv)
    try:
        status, findings = _checked(arguments, environment)
    except AppNotFound as error:
        print(error, file=sys.stderr)
        return Status.UNUSABLE
    if arguments.json:
        print(as_json({"result": "wrong" if is_wrong(findings) else "well", "findings": findings}))
    else:
        look = look_of(sys.stdout, environment)
        for line in lines(findings):
            print(look.text(line).rstrip())
    return status


def _checked(arguments: argparse.Namespace, environ: Mapping[str, str]) -> tuple[Status, list[Finding]]:
    found: list[Finding] = []
    try:
        resolution = load(environ)
        found += _of_settings(resolution)
        if arguments.app is None:
            resync, unknown = _alone(resolution.settings)
            found += unknown
        else:
            with progress(f"importing {arguments.app}", environ=environ):
                resync = resync_of(arguments.app)
    except SettingsError as error:
        return Status.UNUSABLE, [
            Finding(level="wrong", subject=SETTINGS, says=f"{problem.name}={problem.value}", remedy=problem.expected)
            for problem in error.problems
        ]
    except AppNotFound:
        raise
    except Exception as error:
        if arguments.app is None:
            raise
        return Status.WRONG, [*found, _not_imported(arguments.app, error)]
    with_url = [upstream for upstream in resync.upstreams.values() if upstream.base_url is not None]
    waiting = [f"upstream {upstream.name}" for upstream in with_url]
    waiting += [REDIS] if resync.settings.redis.url is not None else []
    with progress(lambda: f"trying {listed(list(waiting))}", environ=environ):
        found += asyncio.run(_tried(resync, with_url, waiting, arguments.timeout))
    if resync.settings.redis.url is None:
        found.append(
            Finding(level="notice", subject=REDIS, says="there is none, so each process has a cache of its own",
                    remedy="RESYNC_REDIS_URL names one")
        )  # fmt: skip
    return Status.WRONG if is_wrong(found) else Status.DONE, found


def _alone(settings: Settings) -> tuple[Resync, list[Finding]]:
    """Return a Resync of *settings* and no app, and what only the app's code could make right."""
    try:
        return Resync(settings), []
    except RuleError as error:
        without_rules = replace(settings, cache=replace(settings.cache, rules=()))
        says = f"{error.argument}={error.value!r} is no upstream of the settings; it may be one of the code"
        remedy = f"name the app, as MODULE:APP, to be sure; otherwise {error.remedy}"
        return Resync(without_rules), [Finding(level="notice", subject=SETTINGS, says=says, remedy=remedy)]


def _of_settings(resolution: Resolution) -> list[Finding]:
    """Return what is to be said of settings that can be used."""
    settings = resolution.settings
    count = sum(origin != DEFAULT for origin in resolution.origins.values())
    of_file = f", some in {settings.config_file}" if settings.config_file is not None else ""
    found = [Finding(level="well", subject=SETTINGS, says=f"{count or 'none'} set{of_file}, and usable")]
    found += [Finding(level="notice", subject=SETTINGS, says=note) for note in resolution.notes]
    if settings.config_file is not None and find_spec("watchfiles") is None:
        found.append(
            Finding(level="notice", subject=SETTINGS, says="the config file is looked at once a second only",
                    remedy="pip install 'asgi-resync[watch]' has it watched")
        )  # fmt: skip
    return found


def _not_imported(app: str, error: Exception) -> Finding:
    """Return that *app* cannot be imported: with the place, and without the text, which may hold anything."""
    module = app.partition(":")[0]
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} at {last.filename}, line {last.lineno}"
    return Finding(
        level="wrong", subject=f"app {app}", says=f"raises {where}", remedy=f"see python -c 'import {module}'"
    )


async def _tried(resync: Resync, upstreams: Sequence[Upstream], waiting: list[str], timeout: float) -> list[Finding]:
    """Try all of it side by side; *waiting* has the names of what is not done."""

    async def tried(name: str, trial: Coroutine[object, object, list[Finding]]) -> list[Finding]:
        try:
            return await trial
        finally:
            waiting.remove(name)

    trials = [tried(f"upstream {upstream.name}", check_upstream(upstream, timeout)) for upstream in upstreams]
    if resync.settings.redis.url is not None:
        from .check_redis import check_redis  # which loads redis

        trials.insert(0, tried(REDIS, check_redis(resync.settings, timeout)))
    tried_all = await asyncio.gather(*trials)
    await asyncio.sleep(0.01)  # in which transports that were given up are closed
    return [finding for found in tried_all for finding in found]
