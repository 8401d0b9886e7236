"""Runs subjects in turns, A B C A B C …, so that what slows the machine slows them all alike."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from . import load, nginx
from .report import Bar, Row
from .subjects import BARE, Subject

ROOT = Path(__file__).parents[2]
KIB = 1024
LARGEST_OF_PEERS = 64 * KIB
NGINX = "nginx proxy_cache: hit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to measure: `rounds` of `call_seconds` in process and `load_seconds` over HTTP, each size apart; of what
    is neither, `work` of a whole run."""

    sizes: Sequence[int]
    sizes_over_http: Sequence[int]
    rounds: int
    call_seconds: float
    load_seconds: float
    work: float


Tell = Callable[[str], None]
Pythons = Mapping[str | None, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What each measure is given: how long, the interpreters of the peers that are here, and whom to tell of it."""

    plan: Plan
    pythons: Pythons
    tell: Tell

    def present(self, subjects: Iterable[Subject]) -> list[Subject]:
        """Return those of *subjects* that can be run."""
        return [subject for subject in subjects if subject.peer in self.pythons]


class SubjectFailed(Exception):
    """A subject could not be run; *report* is what it said last."""

    def __init__(self, subject: str, report: str) -> None:
        self.reason = report.strip().splitlines()[-1][:200] if report.strip() else "it said nothing"
        super().__init__(f"{subject}: {self.reason}")


def pins() -> tuple[list[str], list[str]]:
    """Return what to put before a server's and before a client's command, so that they run on cores of their own."""
    if not hasattr(os, "sched_getaffinity"):
        return [], []
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return [], []
    return _on(cores[0]), _on(cores[1])


def _on(core: int) -> list[str]:
    code = f"import os, sys; os.sched_setaffinity(0, {{{core}}}); os.execvp(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-c", code]


@dataclass(frozen=True, slots=True)
class Process:
    """A subject in a process of its own, that speaks in lines. What it complains of goes to `errors`."""

    subject: Subject
    running: subprocess.Popen[str]
    errors: IO[str]

    def line(self) -> str:
        """Return its next line. Raises SubjectFailed if it has ended."""
        assert self.running.stdout is not None
        line = self.running.stdout.readline()
        if not line:
            self.running.wait(timeout=10)
            self.errors.seek(0)
            raise SubjectFailed(self.subject.name, self.errors.read())
        return line

    def ask(self, **question: float) -> dict[str, float]:
        """Send *question* and return the answer. Raises SubjectFailed."""
        assert self.running.stdin is not None
        self.running.stdin.write(json.dumps(question) + "\n")
        self.running.stdin.flush()
        answer: dict[str, float] = json.loads(self.line())
        return answer


@contextlib.contextmanager
def started(module: str, subject: Subject, size: int, python: Path, pin: list[str]) -> Iterator[Process]:
    """Run `module` for *subject* under *python*, and kill it at the end."""
    # The hash seed decides how dictionaries collide: the same for all.
    environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}
    command = [*pin, str(python), "-m", f"tests.benchmarks.{module}", subject.name, str(size)]
    with tempfile.TemporaryFile("w+") as errors:
        running = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        try:
            yield Process(subject, running, errors)
        finally:
            running.kill()
            running.communicate()


def size_text(size: int) -> str:
    """Return *size* in the unit that fits."""
    return f"{size // KIB} KiB" if size < KIB**2 else f"{size // KIB**2} MiB"


def in_process(
    subjects: Sequence[Subject], bench: Bench, bars: Mapping[str, Bar], *, less: float = 0.0
) -> Iterator[Row]:
    """Yield a row for each subject and size, each call made without a server; its ratios are to the bare app, *less*
    so many."""
    plan = bench.plan
    _, pin = pins()
    for size in plan.sizes:
        where = size_text(size)
        with contextlib.ExitStack() as stack:
            workers: list[Process] = []
            for subject in subjects:
                if size > LARGEST_OF_PEERS and subject.peer is not None:
                    continue  # Some take tens of milliseconds over a MiB.
                worker = stack.enter_context(started("worker", subject, size, bench.pythons[subject.peer], pin))
                try:
                    worker.line()
                except SubjectFailed as error:
                    bench.tell(str(error))
                    yield Row(subject=subject.name, where=where, note=error.reason)
                else:
                    workers.append(worker)
            answers: dict[str, list[dict[str, float]]] = {worker.subject.name: [] for worker in workers}
            for round_ in range(plan.rounds):
                bench.tell(f"in process, {where}: round {round_ + 1} of {plan.rounds}")
                for worker in workers:
                    answers[worker.subject.name].append(worker.ask(seconds=plan.call_seconds))
        for name, samples in answers.items():
            yield Row(
                subject=name,
                where=where,
                values=[sample["subject"] * 1e6 for sample in samples],
                ratios=[sample["subject"] / sample["bare"] - less for sample in samples],
                bar=bars.get(name),
            )


def over_http(
    subjects: Sequence[Subject], bench: Bench, bars: Mapping[str, Bar], *, beside_nginx: bool = False
) -> Iterator[Row]:
    """Yield a row for each subject and size, loaded over HTTP; its ratios are to the bare app, which must be the first
    subject, or to nginx before that."""
    assert subjects[0] is BARE
    plan = bench.plan
    server_pin, client_pin = pins()
    for size in plan.sizes_over_http:
        where = size_text(size)
        with contextlib.ExitStack() as stack:
            targets: dict[str, tuple[int, str]] = {}
            for subject in subjects:
                server = stack.enter_context(started("serve", subject, size, bench.pythons[subject.peer], server_pin))
                try:
                    targets[subject.name] = (int(server.line()), subject.path)
                    load.measure(*targets[subject.name], seconds=0.5, pin=client_pin)
                except (SubjectFailed, load.LoadFailed) as error:
                    bench.tell(str(error))
                    targets.pop(subject.name, None)
                    yield Row(subject=subject.name, where=where, note=str(error)[:100])
            if BARE.name not in targets:
                # Without what the others are compared with there is nothing to tell.
                continue
            to = BARE.name
            if beside_nginx:
                to, upstream = NGINX, targets[BARE.name][0]
                targets[NGINX] = (stack.enter_context(nginx.caching(upstream, server_pin)), "/hit")
                load.measure(*targets[NGINX], seconds=0.5, pin=client_pin)
            rates: dict[str, list[float]] = {name: [] for name in targets}
            for round_ in range(plan.rounds):
                bench.tell(f"over HTTP, {where}: round {round_ + 1} of {plan.rounds}")
                # There and back again, so that what slows the machine for a while slows each as often.
                for name, (port, path) in list(targets.items())[:: -1 if round_ % 2 else 1]:
                    rates[name].append(load.measure(port, path, seconds=plan.load_seconds, pin=client_pin))
        for name, values in rates.items():
            ratios = [value / other for value, other in zip(values, rates[to], strict=True)]
            yield Row(subject=name, where=where, values=values, ratios=ratios, bar=bars.get(name))


def here() -> Path:
    """Return the interpreter that has this library."""
    return Path(sys.executable)
