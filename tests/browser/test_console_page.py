"""The console's page in a real browser: it updates itself, works by keyboard, on a phone, in the dark, without script.

A picture of each state is kept in `.artefacts/console`. Without a Chromium these tests are skipped, and say so;
`nox -s browser` fails instead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser.chromium import Page, browser, executable
from tests.transparency.servers import ROOT, Process, ask, serving
from websockets.sync.client import ClientConnection

TOKEN = "not-a-secret-at-all"
BEARER = (f"authorization: Bearer {TOKEN}", "content-type: application/json")
SHOTS = Path(os.environ.get("RESYNC_ARTEFACTS") or ROOT / ".artefacts") / "console"
FOUND = executable()
REQUIRED = os.environ.get("RESYNC_BROWSER") == "required"

pytestmark = pytest.mark.skipif(
    FOUND is None and not REQUIRED, reason="no Chromium here: install chromium, or name it in RESYNC_CHROMIUM"
)

CONTRAST = """
(() => {
  const light = (css) => {
    const [r, g, b] = css.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const css = getComputedStyle(one).backgroundColor;
      if (!css.endsWith(", 0)")) return css;
    }
    return "rgb(255, 255, 255)";
  };
  const bad = [];
  for (const one of document.querySelectorAll("main *, header *, footer *")) {
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) || one.closest("svg")) continue;
    if (one.disabled || !one.getClientRects().length) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.push(`${one.tagName} ${one.className} ${one.textContent}`);
  }
  return bad;
})()
"""
"""Texts whose contrast is below what WCAG 2.2 §1.4.3 asks for."""


@pytest.fixture(scope="module")
def shop() -> Iterator[Process]:
    """Give the app, served."""
    with serving("uvicorn-h11", "tests.browser.shop:app") as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[ClientConnection]:
    """Give one browser for all tests."""
    assert FOUND is not None, "no Chromium here: install chromium, or name it in RESYNC_CHROMIUM"
    with browser(FOUND) as socket:
        yield socket


@pytest.fixture
def page(chromium: ClientConnection, shop: Process) -> Iterator[Page]:
    """Give a page that complained of nothing in the end, of an app whose upstream is well."""
    ask(shop.port, "/tws/up", method="POST")
    order(shop, "breakers/tws", {"to": "released"})
    made = Page(chromium)
    made.look()
    yield made
    made.call("Page.close")
    assert made.faults == []


def order(shop: Process, path: str, body: object) -> None:
    """Give an order by the API."""
    sent = json.dumps(body).encode()

    assert 200 == ask(shop.port, f"/resync/api/{path}", method="POST", lines=BEARER, body=sent).status


def fail(shop: Process) -> None:
    """Let the upstream of the shop fail until its breaker is open; what is stored stays."""
    ask(shop.port, "/plan/current")
    ask(shop.port, "/tws/down", method="POST")
    for number in range(3):
        ask(shop.port, f"/plan/{number}")


def url(shop: Process, path: str = "/resync/") -> str:
    return f"http://127.0.0.1:{shop.port}{path}"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360], ids=["desk", "phone"])
@pytest.mark.parametrize("state", ["well", "outage"])
def test_every_state_can_be_read(page: Page, shop: Process, state: str, width: int, dark: bool) -> None:
    """On a desk and on a phone, in light and dark: nothing sticks out, and every text stands out."""
    for path in ("/plan/a", "/plan/a", "/plan/b", "/orders/1", "/orders/1", "/jobs/x"):
        ask(shop.port, path)
    if state == "outage":
        fail(shop)
    page.look(width=width, dark=dark)
    page.open(url(shop), token=TOKEN)
    page.until("document.getElementById('head').textContent.includes('process')")
    page.shoot(SHOTS / f"{state}-{'phone' if width < 600 else 'desk'}-{'dark' if dark else 'light'}.png")

    assert page.ask("document.documentElement.scrollWidth") <= width
    assert page.ask(CONTRAST) == []
    open_ones = page.ask(
        "[...document.querySelectorAll('#breakers .down')].map((one) => one.parentElement.textContent)"
    )
    assert (["tws open"] if state == "outage" else []) == open_ones
    touched = page.ask("[...document.querySelectorAll('.node.touched title')].map((one) => one.textContent)")
    assert (state == "outage") is any("/plan/{name}" in one for one in touched)


def test_it_updates_itself_and_keeps_the_focus(page: Page, shop: Process) -> None:
    """What happens elsewhere is there a second later; what one types meanwhile stays, and so does the focus."""
    page.open(url(shop), token=TOKEN)
    page.tab_to("input[name=name]")
    page.type("pla")
    order(shop, "purge", {"tags": ["from-elsewhere"]})
    page.until("document.getElementById('changes').textContent.includes('from-elsewhere')")
    assert "pla" == page.ask("document.activeElement.value")

    page.ask("document.getElementById('forced-closed-tws').focus()")
    order(shop, "breakers/tws", {"to": "metrics-only"})
    page.until("document.getElementById('breakers').textContent.includes('metrics-only')")
    assert "forced-closed-tws" == page.ask("document.activeElement.id")


def test_all_of_it_works_by_keyboard(page: Page, shop: Process) -> None:
    """The first Tab leads past everything; a purge and a breaker need no mouse."""
    first = ask(shop.port, "/plan/key").values("cache-status")
    page.open(url(shop), token=TOKEN)
    page.press("Tab")
    assert "Skip to the controls" == page.ask("document.activeElement.textContent")
    page.press("Enter")
    page.tab_to("input[name=name]")
    page.type("plan")
    page.press("Enter")
    page.until("document.querySelector('[role=status]')?.textContent === 'Purged.'")
    page.tab_to("#forced-open-tws")
    page.press("Enter")
    page.until("document.querySelector('[role=status]')?.textContent.includes('nobody through')")
    page.shoot(SHOTS / "forced.png")

    assert b"miss" in first[0]
    assert b"miss" in ask(shop.port, "/orders/key").values("cache-status")[0]
    assert 503 == ask(shop.port, "/plan/key").status


def test_what_went_wrong_stands_on_the_page(page: Page, shop: Process) -> None:
    """And nothing was done."""
    page.open(url(shop), token=TOKEN)
    page.ask("document.querySelector('input[value=upstream]').click()")
    page.tab_to("input[name=name]")
    page.type("twx")
    page.press("Enter")
    page.until("document.querySelector('.note.bad')?.textContent.includes('none of erp, redis, tws')")
    page.shoot(SHOTS / "refused.png")
    page.faults.clear()  # of the status 422, which it tells


def test_it_works_without_javascript(page: Page, shop: Process) -> None:
    """The same page, that stands still and says how to look again."""
    page.look(script=False)
    page.open(url(shop), token=TOKEN)
    page.tab_to("input[name=name]")
    page.type("plan")
    page.press("Enter")
    page.until("document.querySelector('[role=status]')?.textContent === 'Purged.'")
    page.shoot(SHOTS / "without-script.png")

    assert "Look again" == page.ask("document.querySelector('noscript a')?.textContent")


def test_without_a_recorder_it_says_how_to_have_one(page: Page, shop: Process) -> None:
    """And shows what can be known without."""
    page.open(url(shop, "/bare/"))
    page.shoot(SHOTS / "without-recorder.png")

    assert page.ask("document.body.textContent.includes('telemetry.Recorder()')")


def test_it_says_when_it_hears_nothing_any_more(chromium: ClientConnection) -> None:
    """What one sees must not be taken for what is; and it goes on when the app is back."""
    with serving("uvicorn-h11", "tests.browser.shop:app") as running:
        page = Page(chromium)
        page.look()
        page.open(url(running, "/bare/"))
        page.until("document.getElementById('live').hidden")
    page.until("!document.getElementById('live').hidden")
    page.shoot(SHOTS / "lost.png")
    page.call("Page.close")
