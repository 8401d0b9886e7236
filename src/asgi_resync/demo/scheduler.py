"""The scheduler of the demo: a FakeTWS with a plan of its own, and the process that it runs in.

It is a process so that signals can do to it what happens to real ones: SIGSTOP freezes it, as a machine that swaps or a
lost network would. `python -m asgi_resync.demo.scheduler` is that process; it ends with the one that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time
from types import TracebackType

from ..testing.__main__ import serve_fake
from ..testing.plan import Job, Plan, Workstation
from ..testing.tws import FakeTWS

JOBS = (
    ("EXTRACT-ORDERS", "MASTER", 0, 20),
    ("EXTRACT-STOCK", "MASTER", 4, 22),
    ("LOAD-WAREHOUSE", "FTA1", 26, 30),
    ("PAYROLL-CALC", "FTA2", 10, 45),
    ("PAYROLL-PRINT", "FTA2", 55, 15),
    ("REPORT-DAILY", "FTA1", 56, 25),
    ("REPORT-WEEKLY", "FTA1", 81, 30),
    ("BACKUP-NIGHT", "MASTER", 111, 40),
)
"""Name, workstation, when it begins, and for how long it runs: in seconds since the plan was started."""


def plan_at(now: float) -> Plan:
    """Return the plan as it is when it is started at *now*."""
    return Plan(
        created=now,
        workstations=tuple(Workstation(name=name) for name in dict.fromkeys(job[1] for job in JOBS)),
        jobs=tuple(
            Job(name=name, stream="NIGHT", workstation=workstation, ready=now, starts=now + begins, runs=lasts,
                log=f"{name} began as planned.\n")
            for name, workstation, begins, lasts in JOBS
        ),
    )  # fmt: skip


class Scheduler:
    """The process, from `__enter__` to `__exit__`. Each of its answers takes *latency* seconds.

    Where there is no SIGSTOP, as on Windows, `can_freeze` is False, and freezing does nothing.
    """

    can_freeze = hasattr(signal, "SIGSTOP")

    def __init__(self, latency: float = 1.5) -> None:
        self._latency = latency
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.pid = 0

    def __enter__(self) -> Scheduler:
        """Start it, and wait until it listens. Raises RuntimeError if it does not come to that."""
        command = [sys.executable, "-m", __name__, "--latency", str(self._latency)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        url = self._process.stdout.readline().decode().strip()
        self.pid = self._process.pid
        if url:
            self.port = int(url.rpartition(":")[2])
        else:
            self.__exit__(None, None, None)
            raise RuntimeError("The scheduler of the demo could not be started; see what it printed above.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it, also if it is frozen."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()

    def freeze(self) -> None:
        """Stop it where it stands: connections are kept and made, and nothing is answered."""
        self._signal("SIGSTOP")

    def thaw(self) -> None:
        """Let it go on."""
        self._signal("SIGCONT")

    def _signal(self, name: str) -> None:
        if self.can_freeze and self._process is not None and self._process.poll() is None:
            os.kill(self.pid, getattr(signal, name))


def main() -> None:
    """Be the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    latency = parser.parse_args().latency
    fake = FakeTWS(plan=plan_at(time.time()))
    fake.fail(latency=latency)
    asyncio.run(serve_fake(fake, until_eof=True))


if __name__ == "__main__":
    main()
