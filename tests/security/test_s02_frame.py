"""S02 and S13 through the real pages: mail that nobody sanitised stays in its frame, runs nothing and loads nothing."""

from collections.abc import Iterator

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from tests import factories
from tests.browser.test_frame_security import Site, serve
from tests.support.browser import OpenPage
from tests.support.live import Live
from tests.unit.render import vectors
from webmail.models import Thread

from .chromium import lend_session, note_dialogs
from .ground import World

AT_ONCE = 5  # frames that a conversation opens unasked
TRIED = 30


@pytest.fixture
def evil() -> Iterator[Site]:
    site = Site()
    server = serve(site)
    yield site
    server.shutdown()
    server.server_close()


@pytest.mark.allow_console(".")  # what is refused is said there
def test_s02_unsanitised_mail_in_the_real_page(live: Live, open_page: OpenPage, evil: Site) -> None:
    user = factories.user("Alice")
    box = factories.mailbox(factories.account(user))
    client = Client()
    client.force_login(user)
    page = open_page()
    dialogs: list[str] = []
    note_dialogs(page, dialogs)
    lend_session(page, live, client)
    hostile = [vectors.filled(vector, script="alert(1)", origin=evil.origin) for vector in vectors.ALL]
    step = max(1, len(hostile) // TRIED)
    chosen = hostile[::step][:TRIED]
    for start in range(0, len(chosen), AT_ONCE):
        thread = Thread.objects.create(account=box.account)
        for html in chosen[start : start + AT_ONCE]:
            factories.message(
                box, thread=thread, html=html.replace("\0", "")
            )  # as if the sanitizer had let all of it through
        url = live.url + reverse("mail:thread", args=[box.account.pk, box.pk, thread.pk])
        page.goto(url, wait_until="load")
        for frame in page.locator("iframe.mail-frame").all():
            frame.scroll_into_view_if_needed()
        page.wait_for_function("() => [...document.querySelectorAll('.mail-frame')].some((f) => f.style.blockSize)")
        page.wait_for_timeout(100)  # some swallow the reporter of their height, so that their end cannot be seen
        assert page.url == url
    assert dialogs == []
    assert [path for path in evil.asked if path != "/favicon.ico"] == []


@override_settings(CONTENT_ORIGIN="https://content.example")
def test_s02_a_content_host_of_its_own_is_where_mail_is_shown(alice: World) -> None:
    thread = [alice.account.pk, alice.inbox.pk, alice.placement.thread_id]
    page = alice.client.get(reverse("mail:thread", args=thread)).content.decode()
    assert 'src="https://content.example/m/' in page
