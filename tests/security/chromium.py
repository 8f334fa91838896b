"""What the criteria ask of a page in Chromium besides the fixtures of tests.support."""

from typing import TYPE_CHECKING

from tests.support.live import Live

if TYPE_CHECKING:
    from django.test import Client
    from playwright.sync_api import Dialog, Page


def lend_session(page: "Page", live: Live, client: "Client") -> None:
    """Signs the page in as the client is."""
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live.url}])


def note_dialogs(page: "Page", dialogs: list[str]) -> None:
    """Writes every dialog down and closes it: only a script that ran opens one."""

    def note(dialog: "Dialog") -> None:
        dialogs.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("dialog", note)
