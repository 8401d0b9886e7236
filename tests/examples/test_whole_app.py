"""README's app in one file does what README says of it, with the environment that README gives it.

NEWCOMER.md, beside this, tells what it took to get there with README alone.
"""

from __future__ import annotations

import base64
import re
import signal
from pathlib import Path

from tests.transparency.servers import ROOT, ask, free_port, process, until

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_whole_app_is_cached_guarded_measured_and_steered(tmp_path: Path) -> None:
    """A miss and a hit, figures, a console behind its token, and stale answers while the upstream is frozen."""
    found = re.search(r"<!-- whole -->\n```python\n(.*?)```\n.*?```sh\n(.*?)```", README, flags=re.DOTALL)
    assert found is not None
    (tmp_path / "main.py").write_text(found[1].replace("ttl=10", "ttl=1"), encoding="utf-8")
    environ = dict(re.findall(r"([A-Z_]+)=(\S+)", found[2]))
    token = environ["RESYNC_CONSOLE_TOKEN"]
    port, behind = free_port(), free_port()
    environ |= {"TWS_HOST": f"http://127.0.0.1:{behind}"}
    command = ["uvicorn", "main:app", "--port", str(port), "--app-dir", str(tmp_path)]
    with (
        process(["asgi_resync.testing", "--port", str(behind)], behind) as scheduler,
        process(command, port, environ) as app,
    ):
        until(scheduler.answers, "the scheduler answers")
        until(app.answers, "the app answers")
        miss, hit = ask(port, "/plan"), ask(port, "/plan")
        figures = ask(port, "/metrics/").body
        refused = ask(port, "/resync/")
        known = base64.b64encode(f"anybody:{token}".encode()).decode()
        console = ask(port, "/resync/", lines=(f"authorization: Basic {known}",))
        scheduler.popen.send_signal(signal.SIGSTOP)
        try:
            until(lambda: b"stale" in ask(port, "/plan").values("cache-status")[0], "the plan is served stale")
        finally:
            scheduler.popen.send_signal(signal.SIGCONT)

    assert [b"resync; fwd=uri-miss; stored"] == miss.values("cache-status")
    assert b"TRANSFORM: ABEND" in hit.body
    assert hit.values("cache-status")[0].startswith(b"resync; hit")
    assert b'asgi_resync_cache_hits_total{route="/plan",tier="l1"} 1.0' in figures
    assert (401, 200) == (refused.status, console.status)
    assert b"<!doctype html>" in console.body
