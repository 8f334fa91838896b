"""What a first visit costs the line: bytes of the inbox and everything it loads, as Chromium receives them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.bench.data import fill
from tests.bench.edge import session_cookie
from tests.bench.pages import inbox_url
from tests.bench.registry import Row, bench
from tests.bench.servers import Servers

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from accounts.models import User


@contextmanager
def visitor(url: str, user: User) -> Iterator[BrowserContext]:
    """A fresh Chromium profile, nothing cached, signed in as that person."""
    from playwright.sync_api import sync_playwright

    name, value = session_cookie(user)
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # playwright's loop makes Django think that all is asynchronous
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        raise RuntimeError("Chromium is not installed; deploy/test installs what this needs.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": name, "value": value, "url": url}])
        yield context
        browser.close()


@bench("inbox-weight", "KB", 150)
def inbox_weight(servers: Servers) -> list[Row]:
    """Response heads and compressed bodies of every request until the page has loaded, by kind of resource."""
    servers.django()
    filled = fill(5_000, bodies=0)
    url = servers.web().url
    sizes: dict[str, float] = {}
    kinds: dict[str, str] = {}

    def received(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def finished(event: dict[str, Any]) -> None:
        kind = kinds.get(event["requestId"], "Other")
        sizes[kind] = sizes.get(kind, 0.0) + event["encodedDataLength"]

    with visitor(url, filled.user) as context:
        page = context.new_page()
        wire = context.new_cdp_session(page)
        wire.on("Network.responseReceived", received)
        wire.on("Network.loadingFinished", finished)
        wire.send("Network.enable")
        wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.goto(url + inbox_url(filled), wait_until="load")
        page.wait_for_selector("#rows .row")
        page.wait_for_timeout(1000)  # for what scripts load after the page; the event stream never ends
    if not {"Document", "Stylesheet", "Script"} <= set(sizes):
        raise RuntimeError(f"Only {sorted(sizes)} were loaded.")
    total = sum(sizes.values()) / 1000
    return [
        Row("inbox-weight", total, "KB", 150),
        *(Row(f"inbox-weight {kind}", size / 1000, "KB") for kind, size in sorted(sizes.items())),
    ]
