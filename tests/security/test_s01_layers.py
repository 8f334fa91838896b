"""S01, S02 and S13: hostile mail runs nothing and calls nobody, whichever of the walls stands alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_frame_security import SANDBOX, Sites, app_policy, show_in_frames, sites, tab
from webmail.render.html import sanitize

from .walls import Watch, bare_pages, bodies, touch

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["sites", "tab"]  # fixtures
COLLECTIONS = pytest.mark.parametrize("collection", ["own", "public"])


@pytest.fixture
def watch(tab: Page, sites: Sites) -> Iterator[Watch]:
    found = Watch(sites)
    found.over(tab.context)
    yield found
    tab.context.unroute_all(behavior="ignoreErrors")


@COLLECTIONS
def test_s01_the_sanitizer_alone(tab: Page, sites: Sites, watch: Watch, collection: str) -> None:
    for url in bare_pages(sites, bodies(sites, collection)):
        tab.goto(url, wait_until="load")
        touch(tab)
        assert tab.evaluate("window.seen") == []
        assert tab.url == url
    assert watch.foreign == []
    assert [path for path in sites.app.asked if not path.startswith(("/bare/", "/favicon"))] == []


@COLLECTIONS
@pytest.mark.parametrize("sandbox", [SANDBOX, None], ids=["frame and header", "header alone"])
def test_s02_nothing_is_sanitised(tab: Page, sites: Sites, watch: Watch, collection: str, sandbox: str | None) -> None:
    hostile = bodies(sites, collection)
    around = app_policy(sites)
    ran = show_in_frames(tab, sites, headers=sites.headers(), sandbox=sandbox, app_policy=around, bodies=hostile)
    assert ran == []
    assert watch.foreign == []
    assert tab.evaluate("window.origin_seen") == "null"


@COLLECTIONS
def test_s02_the_header_is_missing(tab: Page, sites: Sites, watch: Watch, collection: str) -> None:
    cleaned = [sanitize(html, policy=sites.policy()).html for html in bodies(sites, collection)]
    plain = {"Content-Type": "text/html; charset=utf-8"}
    ran = show_in_frames(tab, sites, headers=plain, sandbox=SANDBOX, app_policy=app_policy(sites), bodies=cleaned)
    assert ran == []
    assert watch.foreign == []


@COLLECTIONS
def test_s01_without_any_wall_they_bite(tab: Page, sites: Sites, watch: Watch, collection: str) -> None:
    """What the other tests would say if nothing held: otherwise they might prove nothing."""
    hostile = bodies(sites, collection)
    plain = {"Content-Type": "text/html"}
    ran = show_in_frames(tab, sites, headers=plain, sandbox=None, app_policy="", bodies=hostile)
    assert len(ran) > 20
    assert len(set(watch.foreign)) > 20
