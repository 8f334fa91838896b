"""Chromium for tests: pages that fail a test on any console error, axe, and screenshots kept in test-results/."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

RESULTS = Path(__file__).resolve().parent.parent.parent / "test-results"
# A form with errors answers 422, which Chromium reports as if a resource had failed.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of 422")

RUNS = 5
WATCH_CHANGES = """() => {
  if (window.changesSeen !== undefined) return;
  window.changesSeen = 0;
  const note = () => { window.changesSeen += 1; };
  new MutationObserver(note).observe(document.documentElement, { subtree: true, childList: true, attributes: true });
}"""


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
    contexts = []

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
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: console_errors.append(f"uncaught: {error}"))
        return page

    yield opener
    for context in contexts:
        context.close()
    excused = [EXPECTED, *(re.compile(str(mark.args[0])) for mark in request.node.iter_markers("allow_console"))]
    left = [error for error in console_errors if not any(pattern.search(error) for pattern in excused)]
    assert not left, "The page reported errors:\n" + "\n".join(left)


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
