"""Chromium for tests: pages that fail a test on any console error, axe, and screenshots kept in test-results/."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

RESULTS = Path(__file__).resolve().parent.parent.parent / "test-results"
# A form with errors answers 422, which Chromium reports as if a resource had failed.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of 422")

FAILED = pytest.StashKey[bool]()  # set on a test whose own part failed
RUNS = 5
WATCH_CHANGES = """() => {
  if (window.changesSeen !== undefined) return;
  window.changesSeen = 0;
  const note = () => { window.changesSeen += 1; };
  new MutationObserver(note).observe(document.documentElement, { subtree: true, childList: true, attributes: true });
}"""


# The last things that happened in a page, told when its test fails: what depends on timing is seldom seen twice.
KEEP_DIARY = """(() => {
  const diary = (window.testDiary = []);
  const note = (...words) => {
    diary.push([Math.round(performance.now()), ...words].join(" "));
    if (diary.length > 80) diary.shift();
  };
  const name = (node) => !node?.tagName ? String(node) : node.tagName.toLowerCase() + (node.id ? `#${node.id}` : "")
    + [...(node.classList ?? [])].map((one) => `.${one}`).join("") + (node.dataset?.key ? `[${node.dataset.key}]` : "");
  const listen = (kinds, words) => kinds.forEach((kind) =>
    document.addEventListener(kind, (event) => note(kind, words(event)), true));
  listen(["pointerdown", "pointerup", "click", "submit"], (event) => name(event.target));
  listen(["keydown"], (event) => `${event.key.length > 1 ? event.key : "a character"} in ${name(event.target)}`);
  listen(["toggle"], (event) => `${name(event.target)} ${event.target.open ? "opened" : "closed"}`);
  listen(["htmx:beforeRequest", "htmx:afterSwap"], ({ detail }) => `${name(detail.elt)} -> ${name(detail.target)}`);
  addEventListener("popstate", () => note("popstate"));
})();"""


class CheckAxe(Protocol):
    """Fails the test with axe's findings when it finds anything in the page as it stands."""

    def __call__(self, page: Page) -> None: ...


class Screenshot(Protocol):
    """Saves what the page shows as test-results/NAME.png and returns the path."""

    def __call__(self, page: Page, name: str) -> Path: ...


class OpenPage(Protocol):
    """Opens a page in a context of its own: `width` in CSS pixels, `dark` scheme, `scripting` on or off."""

    def __call__(
        self, *, width: int = 1280, dark: bool = False, scripting: bool = True, touch: bool = False
    ) -> Page: ...


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, headless, one for the session."""
    from playwright.sync_api import sync_playwright

    # playwright's loop makes Django think that every test is asynchronous
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        raise RuntimeError("Chromium is not installed; deploy/test installs what the tests need.")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable)
        yield running
        running.close()


@pytest.fixture
def console_errors() -> list[str]:
    """What the pages of this test wrote to the console as errors, uncaught exceptions included, so far."""
    return []


@pytest.fixture
def open_page(browser: Browser, console_errors: list[str], request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """A function opening pages; at the end the test fails if any of them reported an error.

    `@pytest.mark.allow_console(regex)` excuses what the test provokes.
    """
    contexts: list[BrowserContext] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            console_errors.append(f"{message.text} ({message.location.get('url', '')})")

    def opener(*, width: int = 1280, dark: bool = False, scripting: bool = True, touch: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripting,
            has_touch=touch,
            reduced_motion="reduce",
            locale="en-GB",
        )
        contexts.append(context)
        if scripting:
            context.add_init_script(KEEP_DIARY)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: console_errors.append(f"uncaught: {error}"))
        return page

    yield opener
    if request.node.stash.get(FAILED, False):
        print(*diaries(contexts), sep="\n")
    for context in contexts:
        context.close()
    excused = [EXPECTED, *(re.compile(str(mark.args[0])) for mark in request.node.iter_markers("allow_console"))]
    left = [error for error in console_errors if not any(pattern.search(error) for pattern in excused)]
    assert not left, "The page reported errors:\n" + "\n".join(left)


def diaries(contexts: list[BrowserContext]) -> Iterator[str]:
    """What the pages that are still open say of themselves; words of mail and what was typed are not in it."""
    from playwright.sync_api import Error

    for page in (page for context in contexts for page in context.pages):
        yield f"{page.url} went through:"
        try:
            yield from page.evaluate("window.testDiary ?? []")
        except Error as error:
            yield f"(it does not answer: {error})"


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A page 1280 pixels wide, light, with scripting."""
    return open_page()


@pytest.fixture(scope="session")
def axe() -> CheckAxe:
    """A check that axe finds nothing wrong in the page as it stands."""
    from axe_playwright_python.sync_playwright import Axe

    checker = Axe()

    def check(page: Page) -> None:
        # axe notes the tree, waits for frames, then applies its rules: a live event in between takes the words from
        # a link that has them, so findings only count when the page stood still, or keep coming
        page.evaluate(WATCH_CHANGES)
        for _ in range(RUNS):
            before = page.evaluate("window.changesSeen")
            found = checker.run(page).response["violations"]
            if not found or page.evaluate("window.changesSeen") == before:
                break
        lines = [
            f"{one['id']} ({one['impact']}): {one['help']}\n    "
            + "\n    ".join(node["html"] for node in one["nodes"][:5])
            for one in found
        ]
        assert not lines, f"axe on {page.url}:\n" + "\n".join(lines)

    return check


@pytest.fixture(scope="session")
def screenshot() -> Screenshot:
    """Saves what the page shows as test-results/NAME.png and returns the path."""

    def save(page: Page, name: str) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}.png"
        page.screenshot(path=path)
        return path

    return save
