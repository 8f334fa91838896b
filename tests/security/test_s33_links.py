"""S33: no page of ours leads elsewhere because a form or an address says so, and a link of mail tells nobody whence."""

from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.urls import reverse

from webmail.render.html import sanitize
from webmail.render.text import plain_to_html
from webmail.render.values import Policy

from .ground import World

AWAY = [
    "//evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https:///evil.example",
    "http://evil.example/",
    "///evil.example",
    " //evil.example",
    "\t//evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://testserver@evil.example/",
    "evil.example",
]


def stays_here(location: str) -> bool:
    """As a browser reads it: backslashes are slashes, and edges do not count."""
    read = urlsplit(urljoin("http://testserver/signin/", location.strip().replace("\\", "/")))
    return (read.scheme, read.netloc) == ("http", "testserver")


def forms(of: World) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every form that may say where to go on."""
    message = of.message_id
    place = {"action": "read", "mailbox": of.inbox.pk, "message": message}
    return {
        "act": (reverse("mail:act"), place),
        "download": (reverse("mail:pop_download", args=[message]), {}),
        "images": (reverse("mail:images", args=[message]), {"do": "once"}),
        "receipt": (reverse("mail:receipt", args=[message]), {"do": "ignore"}),
        "invitation": (reverse("mail:invitation", args=[message]), {"do": "accepted"}),
        "unsubscribe": (reverse("mail:unsubscribe", args=[message]), {}),
        "undo": (reverse("mail:undo", args=[of.action.pk]), {}),
        "undo newest": (reverse("mail:undo_newest"), {}),
        "outbox": (reverse("mail:outgoing_do", args=[of.outgoing.pk, "retry"]), {}),
        "folder": (reverse("mail:folder_do", args=[of.folder.pk, "hide"]), {}),
    }


@pytest.mark.parametrize("where", AWAY)
def test_s33_no_form_leads_away(alice: World, where: str) -> None:
    led = 0
    for name, (address, values) in forms(alice).items():
        answer = alice.client.post(address, values | {"next": where}, headers={"Referer": "https://evil.example/"})
        leads = answer.headers.get("Location", "")
        assert stays_here(leads), (name, leads)
        led += bool(leads)
    assert led >= 5, "the forms did lead somewhere"


@pytest.mark.parametrize("where", AWAY)
def test_s33_signing_in_leads_nowhere_else(alice: World, where: str) -> None:
    alice.client.logout()
    alice.user.set_password("a-long-pass-phrase")
    alice.user.save()
    values = {"username": alice.user.email, "password": "a-long-pass-phrase", "next": where}
    for address in (reverse("mail:signin"), f"{reverse('mail:signin')}?next={where}"):
        answer = alice.client.post(address, values)
        assert answer.status_code == 302
        assert stays_here(answer["Location"])
        alice.client.logout()


def test_s33_links_of_mail_open_apart_and_say_nothing_of_where_they_stood() -> None:
    html = '<a href="https://a.example/" rel="opener" target="_top" referrerpolicy="unsafe-url" ping="https://b.example">a</a>'
    for cleaned in (sanitize(html, policy=Policy(cid_url=lambda cid: None)), plain_to_html("see https://a.example/")):
        assert 'rel="noopener noreferrer"' in cleaned.html
        assert "https://a.example/" in cleaned.html, "it leads there itself, not by an address of ours"
        assert not [word for word in ("ping", "unsafe-url", "_top", '"opener"') if word in cleaned.html]
