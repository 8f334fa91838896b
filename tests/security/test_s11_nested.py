"""S11: an attached message goes through the same parser, sanitizer and frame as any other."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.browser.test_frame_security import Site, serve
from tests.support.browser import OpenPage
from tests.support.live import Live
from tests.unit.render import vectors
from webmail import storage
from webmail.queries.frames import nested_body
from webmail.sync.nested import read_nested

from .chromium import lend_session, note_dialogs

TRIED = 12


@pytest.fixture
def evil() -> Iterator[Site]:
    site = Site()
    server = serve(site)
    yield site
    server.shutdown()
    server.server_close()


def attached(account: Any, path: str, html: str) -> dict[str, Any]:
    raw = b"From: x@evil.example\r\nSubject: <img src=x onerror=alert(1)>\r\n"
    raw += b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode("utf-8", "replace")
    row = {"path": path, "type": "message/rfc822", "charset": "", "encoding": "", "size": len(raw), "filename": "a.eml"}
    return row | {"disposition": "", "cid": "", "digest": storage.put(account.pk, raw), "role": "attachment"}


@pytest.mark.allow_console(".")  # what is refused is said there
def test_s11_hostile_messages_inside_messages_run_and_load_nothing(live: Live, open_page: OpenPage, evil: Site) -> None:
    user = factories.user("Alice")
    account = factories.account(user)
    box = factories.mailbox(account)
    hostile = [vectors.filled(vector, script="alert(1)", origin=evil.origin) for vector in vectors.ALL]
    chosen = hostile[:: max(1, len(hostile) // TRIED)][:TRIED]
    parts = [attached(account, str(n), html) for n, html in enumerate(chosen, 2)]
    message = factories.message(box, text="x", parts=parts).message_id
    client = Client()
    client.force_login(user)
    page = open_page()
    dialogs: list[str] = []
    note_dialogs(page, dialogs)
    lend_session(page, live, client)
    for part in parts:
        read_nested(message, part["path"])
        url = live.url + reverse("mail:preview", args=[message, part["path"]])
        page.goto(url, wait_until="load")
        assert page.locator(".preview-paper").count() == 1
        page.wait_for_timeout(50)
        assert page.url == url
    assert dialogs == []
    assert [path for path in evil.asked if path != "/favicon.ico"] == []


@pytest.mark.django_db
def test_s11_what_is_shown_is_what_the_sanitizer_gave() -> None:
    account = factories.account(factories.user("Alice"))
    html = "<p onclick=alert(1)>Words</p><svg><script>1</script></svg><img src='https://evil.example/a.png'>"
    part = attached(account, "2", html)
    message = factories.message(factories.mailbox(account), text="x", parts=[part]).message_id
    read_nested(message, "2")
    found = nested_body(account.user_id, message, "2")
    assert found is not None
    assert "Words" in found.clean.html
    for word in ("onclick", "svg", "script", "evil.example"):
        assert word not in found.clean.html
