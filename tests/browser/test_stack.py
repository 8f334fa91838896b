"""The browser itself: what the other tests here rely on."""

import os
import threading

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
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


def test_the_tables_are_emptied_beside_a_process_that_reads_them(live: Live) -> None:
    reading, read = threading.Event(), list[str]()

    def process() -> None:  # a request that begins as the emptying does, and reads tables in an order of its own
        with psycopg.connect(os.environ["MAILROOM_DATABASE_URL"], dbname=database) as other:
            other.execute("SELECT 1 FROM accounts_user")
            reading.set()
            other.execute("SELECT pg_sleep(0.2)")
            for table in ("webmail_thread", "webmail_draft", "webmail_placement", "django_admin_log"):
                other.execute(f"SELECT 1 FROM {table}")
                read.append(table)

    database = str(connection.settings_dict["NAME"])
    beside = threading.Thread(target=process)
    beside.start()
    assert reading.wait(10)
    call_command("flush", interactive=False, verbosity=0)
    beside.join(10)
    assert len(read) == 4, "the process was ended, not the emptying"
