"""S05: what strangers put into headers, names and answers of servers stays text on every page, the panel's included."""

import json
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from webmail.mime.headers import parse_header_block
from webmail.templatetags.row_shapes import _cut

from .ground import World, addresses, routes, world

PAYLOAD = "q\"'><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}{%now 'Y'%}${7*7}`q"
pytestmark = pytest.mark.django_db


@pytest.fixture
def hostile(db: None) -> World:
    return world("Mallory", PAYLOAD)


class Markup(HTMLParser):
    """Collects what of a page came from the payload as markup instead of text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name.startswith("on") or (tag == "img" and value == "x"):
                self.found.append(f"<{tag} {name}={value}>")
            if name in ("href", "src", "action", "formaction") and re.match(
                r"\s*(?:javascript|data:text)", value or ""
            ):
                self.found.append(f"<{tag} {name}={value}>")

    def handle_data(self, data: str) -> None:
        if self.rawdata and getattr(self, "cdata_elem", None) == "script" and "alert(" in data:
            self.found.append(f"script: {data[:60]}")


def markup(page: str) -> list[str]:
    reader = Markup()
    reader.feed(page)
    reader.close()
    without_tokens = re.sub(r"\w{32,}", "", page)  # a CSRF token can hold any three characters
    computed = [text for text in ("49`q", "49{", "q49") if text in without_tokens]
    return reader.found + computed + re.findall(r"<(?:img src=x|script>alert)[^>]*>", page)


def test_s05_the_reader_of_this_test_sees_what_it_looks_for() -> None:
    assert len(markup(f'<p title="{PAYLOAD}">{PAYLOAD}</p>')) > 3
    assert markup("<script>alert(2)</script>")
    assert markup("<p>{{7*7}}</p><script src='/a.js'></script>") == []


def test_s05_every_page_keeps_the_payload_as_text(hostile: World, root: tuple[User, Client]) -> None:
    shown = []
    for route in routes():
        client = root[1] if route.of_panel else hostile.client
        for url in [url for url in addresses(route, hostile) if route.name not in ("live", "source", "attachment")]:
            for headers in ({}, {"HX-Request": "true"}):
                response = client.get(url, headers=headers)
                if response.streaming or not response.headers.get("Content-Type", "").startswith("text/html"):
                    continue
                page = response.content.decode()
                assert markup(page) == [], url
                if "onerror=alert(1)" in unescape(page):
                    shown.append(route.name)
    expected = {"mailbox", "thread", "unified", "frame", "account", "settings", "identities", "outbox", "outgoing"}
    assert expected | {"account_remove", "compose"} <= set(shown)
    assert {"accounts_user_changelist", "accounts_mailaccount_change", "accounts_auditevent_changelist"} <= set(shown)


@pytest.mark.parametrize(
    "query",
    [
        "draft={draft}",
        "reply={message}",
        "reply={message}&mode=forward",
        "draft={draft}&window=1",
        "to={x}&subject={x}&body={x}",
    ],
)
def test_s05_the_composer_keeps_it_as_text(query: str, hostile: World) -> None:
    asked = query.format(draft=hostile.draft.pk, message=hostile.message_id, x=PAYLOAD.replace("#", "%23"))
    response = hostile.client.get(f"{reverse('mail:compose')}?{asked}")
    assert response.status_code == 200
    assert markup(response.content.decode()) == []
    assert "{{7*7}}" in unescape(response.content.decode())


@pytest.mark.parametrize(
    "q", [PAYLOAD, f"from:{PAYLOAD}", f'subject:"{PAYLOAD}"', f"before:{PAYLOAD}", "q", f"has:{PAYLOAD}"]
)
def test_s05_search_echoes_text(q: str, hostile: World) -> None:
    for url in (reverse("mail:search"), reverse("mail:unified"), reverse("mail:home")):
        page = hostile.client.get(url, {"q": q, "after": q, "filter": q}, follow=True).content.decode()
        assert markup(page) == []


def test_s05_the_panels_own_searches_echo_text(hostile: World, root: tuple[User, Client]) -> None:
    for route in routes():
        if route.of_panel and not route.parameters:
            for query in ({"q": PAYLOAD}, {"e": PAYLOAD}, {"p": PAYLOAD}, {PAYLOAD: PAYLOAD}, {"o": PAYLOAD}):
                page = root[1].get(addresses(route, hostile)[0], query, follow=True).content.decode()
                assert markup(page) == [], (route.path, query)


FORMS: dict[str, dict[str, str]] = {
    "signin": {"username": PAYLOAD, "password": PAYLOAD, "next": PAYLOAD},
    "account_add": {"address": PAYLOAD, "password": PAYLOAD, "incoming_host": PAYLOAD, "username": PAYLOAD},
    "compose": {"to": PAYLOAD, "cc": PAYLOAD, "bcc": PAYLOAD, "subject": PAYLOAD, "text": PAYLOAD, "do": "send"},
    "identities": {"name": PAYLOAD, "reply_to": PAYLOAD, "signature": PAYLOAD},
    "appearance": {"theme": PAYLOAD, "time_zone": PAYLOAD, "undo_send_seconds": PAYLOAD},
    "password": {"old_password": PAYLOAD, "new_password1": PAYLOAD, "new_password2": PAYLOAD},
}


@pytest.mark.parametrize("form", FORMS)
def test_s05_refused_forms_show_text(form: str, hostile: World) -> None:
    client = Client() if form == "signin" else hostile.client
    data = FORMS[form] | {"identity": str(hostile.identity.pk)}
    response = client.post(reverse(f"mail:{form}"), data)
    assert response.status_code == 422
    assert markup(response.content.decode()) == []


def test_s05_toasts_are_data(hostile: World) -> None:
    """What is done is told in a header as JSON, or on the next page as text."""
    do = reverse("mail:account_do", args=[hostile.account.pk, "sync"])
    page = hostile.client.post(do, follow=True).content.decode()
    assert markup(page) == []
    move = {"action": "move", "message": hostile.message_id, "to": hostile.folder.pk}
    response = hostile.client.post(reverse("mail:act"), move, headers={"HX-Request": "true"})
    assert "toast" in json.loads(response.headers["HX-Trigger"])
    assert response.headers["HX-Trigger"].isascii()
    data = {"draft": hostile.draft.pk, "identity": hostile.identity.pk, "do": "discard"}
    page = hostile.client.post(reverse("mail:compose"), data, follow=True).content.decode()
    assert markup(page) == []


def test_s05_what_scripts_ask_for_is_never_taken_for_a_page(hostile: World) -> None:
    found = hostile.client.get(reverse("mail:people"), {"q": "q"})
    assert found.headers["Content-Type"] == "application/json"
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    saved = hostile.client.post(
        reverse("mail:compose"),
        {"identity": hostile.identity.pk, "subject": PAYLOAD, "draft": hostile.draft.pk, "revision": 1},
        headers={"Accept": "application/json"},
    )
    assert saved.headers["Content-Type"] == "application/json"


def test_s05_the_panels_buttons_tell_text(hostile: World, root: tuple[User, Client]) -> None:
    for route in routes():
        if route.of_panel and route.parameters == {"pk", "name"}:
            for url in addresses(route, hostile):
                page = root[1].post(url, {"sure": "1", "next": PAYLOAD}, follow=True).content.decode()
                assert markup(page) == [], url


def test_s05_raw_headers_come_out_as_they_are_said() -> None:
    """The parser hands on what was written, so that nothing escaped once is shown escaped twice."""
    encoded = "=?utf-8?q?=22=3E=3Cimg_src=3Dx_onerror=3Dalert=281=29=3E?="
    found = parse_header_block(f"Subject: {encoded}\r\nFrom: {encoded} <a@x.example>\r\n\r\n".encode())
    assert found.subject == '"><img src=x onerror=alert(1)>'


def test_s05_a_rows_values_cannot_name_each_other() -> None:
    """A list row is literal pieces with values between: a value that looks like a mark stays where it is."""
    shape = _cut("<b>\ue000subject_html\ue001</b><i>\ue000url\ue001</i>")
    assert shape.fill({"subject_html": "\ue000url\ue001", "url": "u"}) == "<b>\ue000url\ue001</b><i>u</i>"
