"""How soon somebody can write: from the click on Compose or Reply until what is typed arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.data import fill
from tests.bench.reading import give_bodies
from tests.bench.registry import Row, Times, bench
from tests.bench.servers import Servers
from tests.bench.weight import visitor

if TYPE_CHECKING:
    from playwright.sync_api import Page

OPENED = 40

# Clicks, and notes when the composer has the cursor in the field that is written in first, its editor loaded behind it:
# from then on a key that is pressed writes. For an answer that is the editor's own frame.
CLICK = """([selector, inEditor]) => new Promise((done) => {
  const begin = performance.now();
  document.querySelector(selector).click();
  const look = () => {
    const at = document.activeElement;
    const composer = at?.closest?.("[data-composer]");
    const ready = composer && (inEditor ? at.matches(".composer-frame") : at.matches("input, textarea"));
    if (ready) requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin)));
    else requestAnimationFrame(look);
  };
  look();
})"""


@bench("composer-usable", "ms", 200)
def composer_usable(servers: Servers) -> list[Row]:
    """A new message forty times, each closed again; then an answer to the message that is open."""
    servers.django()
    filled = fill(5_000, bodies=0)
    line = give_bodies(filled)[1]
    url = servers.web().url
    with visitor(url, filled.user) as context:
        page = context.new_page()
        page.goto(f"{url}/mail/{filled.account.pk}/{filled.inbox.pk}/{line.thread_id}/", wait_until="load")
        page.wait_for_selector("#rows .row")
        page.wait_for_timeout(2000)  # for what a page loads ahead once it is idle
        first = _open(page, "#nav .compose", in_editor=False)
        new = Times(tuple(_open(page, "#nav .compose", in_editor=False) for _ in range(OPENED)))
        answer = Times(tuple(_open(page, "#reading .quick-words", in_editor=True) for _ in range(OPENED)))
    return [
        Row("composer-usable", new.p95 * 1000, "ms", 200),
        Row("composer-usable p50", new.p50 * 1000, "ms"),
        Row("composer-usable the first time", first * 1000, "ms", 200),
        Row("composer-usable answer", answer.p95 * 1000, "ms", 200),
        Row("composer-usable answer p50", answer.p50 * 1000, "ms"),
    ]


def _open(page: Page, selector: str, *, in_editor: bool) -> float:
    """Opens, proves that a typed letter arrives, closes again; the seconds until it could be typed."""
    taken = page.evaluate(CLICK, [selector, in_editor])
    page.keyboard.type("a")
    if in_editor:
        held = page.frame_locator(".composer-frame").locator("#text").inner_text()
    else:
        held = page.evaluate("document.activeElement.value")
    if "a" not in held:
        raise RuntimeError(f"What was typed did not arrive; there is {held[:40]!r}.")
    page.evaluate("document.querySelector('[data-composer] [data-close]').click()")
    page.wait_for_selector("[data-composer]", state="detached")
    return float(taken) / 1000
