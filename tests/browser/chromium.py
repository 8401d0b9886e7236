"""A headless Chromium, driven by the DevTools protocol over one websocket: what a page shows, by keys and pixels."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " "), "ArrowRight": (39, "")}
PATIENCE = 20.0


def executable() -> str | None:
    """Return the browser of this machine, if it has one; RESYNC_CHROMIUM may name it."""
    named = os.environ.get("RESYNC_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page. `faults` are what it complained of: scripts that failed, and what the security policy kept away."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._session: str | None = None
        self.faults: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call *method* of the protocol, and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            said = json.loads(self._socket.recv(timeout=PATIENCE))
            if said.get("id") == self._number:
                if "error" in said:
                    raise RuntimeError(f"{method}: {said['error']}")
                result: dict[str, Any] = said["result"]
                return result
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        parameters = said.get("params", {})
        if said.get("method") == "Runtime.exceptionThrown":
            self.faults.append(str(parameters["exceptionDetails"].get("exception", parameters)))
        elif said.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.faults.append(parameters["entry"]["text"])

    def open(self, url: str, *, token: str | None = None) -> None:
        """Go to *url* and wait until it is there; *token* is sent as if the browser had asked for it."""
        headers = {"authorization": "Basic " + base64.b64encode(f"me:{token}".encode()).decode()} if token else {}
        self.call("Network.setExtraHTTPHeaders", headers=headers)
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href.startsWith('http')")

    def ask(self, expression: str) -> Any:
        """Return what *expression* is in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until *expression* is true in the page."""
        end = time.monotonic() + PATIENCE
        while not self.ask(expression):
            assert time.monotonic() < end, f"not so within {PATIENCE} s: {expression}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press one key."""
        code, text = KEYS[key]
        told = {"key": key, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        self.call("Input.dispatchKeyEvent", type="keyDown", **told)
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def type(self, text: str) -> None:
        """Type *text* into what has the focus."""
        self.call("Input.insertText", text=text)

    def tab_to(self, selector: str) -> None:
        """Press Tab until what *selector* finds has the focus."""
        for _ in range(60):
            if self.ask(f"document.activeElement?.matches({json.dumps(selector)}) ?? false"):
                return
            self.press("Tab")
        raise AssertionError(f"the key Tab does not lead to {selector}")

    def look(self, *, width: int = 1200, height: int = 900, dark: bool = False, script: bool = True) -> None:
        """Be a window of this size, that prefers dark or not, with JavaScript or without."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)

    def shoot(self, path: Path) -> None:
        """Keep a picture of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(binary: str) -> Iterator[ClientConnection]:
    """Run *binary*, and give the connection by which it is driven."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            binary, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-extensions", "--remote-debugging-port=0",
            f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = Path(profile) / "DevToolsActivePort"
            end = time.monotonic() + PATIENCE
            while not (port.exists() and len(port.read_text().splitlines()) == 2):
                assert running.poll() is None, f"{binary} ended"
                assert time.monotonic() < end, f"{binary} did not come up"
                time.sleep(0.05)
            number, place = port.read_text().splitlines()
            with connect(f"ws://127.0.0.1:{number}{place}", max_size=None, proxy=None) as socket:
                yield socket
        finally:
            running.terminate()
            running.wait(PATIENCE)
