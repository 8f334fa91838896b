"""Hostile HTML in Chromium behind one wall at a time, and whoever it manages to call.

Beside the project's own vectors the public ones are tried, where MAILROOM_CORPUS names a folder of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.browser.test_frame_security import BATCH, LISTEN, TOUCH, Sites
from webmail.render.html import sanitize
from webmail.render.values import CleanHtml

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

# What payloads call when they run; dialogs do not open inside a sandbox, so they are made to report instead.
CONFESS = """for (const name of ["alert", "confirm", "prompt", "print"])
  window[name] = () => { try { top.postMessage("ran", "*"); } catch { parent.postMessage("ran", "*"); } };"""


@dataclass
class Watch:
    """Requests that would have left for somebody else; none of them is let through."""

    sites: Sites
    foreign: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.add_init_script(CONFESS)
        context.route("**/*", self._decide)

    def _decide(self, route: Route) -> None:
        url = route.request.url
        own = {urlsplit(site.origin).netloc for site in (self.sites.app, self.sites.content)}
        if urlsplit(url).netloc in own or not url.startswith("http"):
            route.continue_()
        else:
            self.foreign.append(url)
            route.abort()


def public() -> list[str]:
    """Payloads of public collections, one body each. Skips the test where they are not at hand."""
    root = os.environ.get("MAILROOM_CORPUS")
    if not root:
        pytest.skip("MAILROOM_CORPUS names no folder of public test data")
    folder = Path(root, "html")
    cases = json.loads((folder / "dompurify-expect.json").read_text(encoding="utf-8"))
    return [case["payload"] for case in cases] + [(folder / "httpleaks.html").read_text(encoding="utf-8")]


def bodies(sites: Sites, collection: str) -> list[str]:
    return public() if collection == "public" else sites.hostile_bodies()


def bare_pages(sites: Sites, hostile: list[str]) -> Iterator[str]:
    """Cleaned and then shown without policy or sandbox, a batch to a page."""
    clean: Callable[[str], CleanHtml] = lambda html: sanitize(html, policy=sites.policy())  # noqa: E731  # one line
    cleaned = [clean(html) for html in hostile]
    style = "\n".join(one.stylesheet for one in cleaned)
    for start in range(0, len(cleaned), BATCH):
        body = "".join(f"<div>{one.html}</div>" for one in cleaned[start : start + BATCH])
        html = sites.document(CleanHtml(html=body, stylesheet=style))
        yield sites.app.page(f"/bare/{start}", html.replace("<head>", f"<head>{LISTEN}", 1))


def touch(tab: Page) -> None:
    """Everything a reader could do, without following links that lead out on purpose."""
    tab.evaluate(TOUCH)
    tab.wait_for_timeout(250)  # what was let run would report within it
