"""The browser itself: what the other tests here rely on."""

import pytest
from playwright.sync_api import Page

from tests.support.browser import CheckAxe, OpenPage, Screenshot
from tests.support.live import Live


@pytest.mark.allow_console("planned")
def test_console_errors_are_noticed(page: Page, console_errors: list[str]) -> None:
    page.goto("data:text/html,<!doctype html><script>console.error('planned'); throw Error('planned too')</script>")
    assert len(console_errors) == 2


def test_a_page_without_scripting_runs_none(open_page: OpenPage) -> None:
    page = open_page(scripting=False, width=390)
    page.set_content("<p>before</p><script>document.body.textContent = 'after'</script>")
    assert page.locator("p").inner_text() == "before"


def test_axe_finds_a_missing_name(page: Page, axe: CheckAxe, screenshot: Screenshot) -> None:
    page.set_content("<!doctype html><html lang=en><title>t</title><main><h1>x</h1><button></button></main></html>")
    with pytest.raises(AssertionError, match="button-name"):
        axe(page)
    assert screenshot(page, "stack-page").stat().st_size > 1000


def test_the_running_application_comes_back_on_the_same_address(live: Live, page: Page) -> None:
    live.stop("web")
    live.start("web")
    page.goto(live.url)
    assert page.locator("form").count() == 1
