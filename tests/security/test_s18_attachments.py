"""S18: whatever an attachment is or says it is, opening it runs nothing: through the real addresses, as a page."""

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories
from tests.support.browser import OpenPage
from tests.support.live import Live
from webmail import storage
from webmail.queries import previews
from webmail.queries.reading import frame_token
from webmail.sync import nested

from .chromium import lend_session, note_dialogs

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

    from accounts.models import MailAccount

RUN = b"alert(1);document.title='ran';fetch('/ran')"
HTML = b'<!doctype html><title>x</title><img src=x onerror="alert(1)"><script>' + RUN + b"</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>' + RUN + b"</script></svg>"
XSL = (
    b'<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="#s"?><x><xsl:stylesheet id="s" version="1.0" '
    b'xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/"><html xmlns="http://www.w3.org/1999/xhtml">'
    b"<script>" + RUN + b"</script></html></xsl:template></xsl:stylesheet>"
    b'<script xmlns="http://www.w3.org/1999/xhtml">' + RUN + b"</script></x>"
)
XML = b'<?xml version="1.0"?><x><script xmlns="http://www.w3.org/1999/xhtml">' + RUN + b"</script></x>"
XHTML = b'<html xmlns="http://www.w3.org/1999/xhtml"><script>' + RUN + b"</script></html>"
MHTML = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    + HTML
)
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>>>endobj\ntrailer<</Root 1 0 R>>"
)
UTF7 = b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-"
PNG = b"\x89PNG\r\n\x1a\n" + HTML

FILES: dict[str, tuple[str, str, bytes]] = {
    "html": ("page.html", "text/html", HTML),
    "svg": ("picture.svg", "image/svg+xml", SVG),
    "xml": ("data.xml", "text/xml", XML),
    "xslt": ("style.xsl", "application/xslt+xml", XSL),
    "xhtml": ("page.xhtml", "application/xhtml+xml", XHTML),
    "mhtml": ("page.mhtml", "multipart/related", MHTML),
    "message": ("mail.eml", "message/rfc822", MHTML),
    "pdf": ("paper.pdf", "application/pdf", PDF),
    "swf": ("movie.swf", "application/x-shockwave-flash", b"FWS\x06" + HTML),
    "no type": ("file", "", HTML),
    "wrong type": ("photo.png", "image/png", HTML),
    "polyglot": ("photo.png.html", "image/png", PNG),
    "plain": ("note.txt", "text/plain", HTML),
    "plain utf-7": ("note.txt", "text/plain; charset=utf-7", UTF7),
    "html utf-7": ("page.html", "text/html; charset=utf-7", UTF7),
    "script": ("code.js", "text/javascript", RUN),
    "film": ("film.mp4", "video/mp4", HTML),
    "sound": ("talk.mp3", "audio/mpeg", SVG),
    "upper case": ("page.HTML", "TEXT/HTML", HTML),
    "two types": ("page.html", "image/png, text/html", HTML),
    "line break": ("x\r\nContent-Type: text/html\r\n\r\nx.png", "image/png\r\nX: y", HTML),
}


def addresses(account: "MailAccount") -> dict[str, str]:
    """One message carrying every file; what it is → where it opens, by each way there is."""
    files = list(enumerate(FILES.items(), 2))
    parts = [
        {
            "path": str(n),
            "type": kind,
            "charset": "",
            "encoding": "",
            "size": len(data),
            "filename": name,
            "disposition": "attachment",
            "cid": "c",
            "digest": storage.put(account.pk, data),
            "role": "attachment",
        }
        for n, (_, (name, kind, data)) in files
    ]
    placement = factories.message(factories.mailbox(account), text="x", parts=parts)
    body, message = placement.message.body, placement.message_id
    body.raw_digest = storage.put(account.pk, b"Content-Type: text/html\r\n\r\n" + HTML)
    body.save()
    token = frame_token(account.user, message)
    found: dict[str, str] = {}
    for n, (what, _) in files:
        url = reverse("mail:attachment", args=[message, n])
        found |= {f"{what}, download": url, f"{what}, inline": f"{url}?inline=1"}
        found |= {f"{what}, picture of the message": reverse("mail:inline_part", args=[token, n])}
        by_token = previews.token(account.user, message, str(n), salt=previews.FILE_SALT)
        found |= {f"{what}, file by token": reverse("mail:file", args=[by_token])}
        found |= {f"{what}, preview": reverse("mail:preview", args=[message, n])}
    nested_message = 2 + list(FILES).index("message")
    nested.read_nested(message, str(nested_message))
    inner = previews.token(account.user, message, str(nested_message), salt=previews.NESTED_SALT)
    found |= {"message, frame": reverse("mail:nested", args=[inner])}
    found |= {"everything, archive": reverse("mail:attachments", args=[message])}
    source = reverse("mail:source", args=[message])
    return found | {"source": source, "source, download": f"{source}?download=1"}


@pytest.fixture
def account(db: None) -> "MailAccount":
    return factories.account(factories.user("Alice"))


def test_s18_headers_leave_nothing_to_guess(account: "MailAccount") -> None:
    client = Client()
    client.force_login(account.user)
    for what, url in addresses(account).items():
        response = client.get(url)
        if response.status_code == 404:
            # what is no picture is not embedded as one; downloads and the source are always there
            assert any(way in what for way in ("picture of the message", "file by token", "preview", "inline"))
            continue
        if what.endswith((", preview", ", frame")):  # documents of our own, the attachment inside as text or by address
            assert response.headers["Content-Type"] == "text/html; charset=utf-8"
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            assert b"<script>" + RUN not in response.content, what
            continue
        kind = response.headers["Content-Type"]
        plain = ("application/octet-stream", "application/pdf", "image/png", "text/plain; charset=utf-8")
        assert kind in plain or "file by token" in what, what
        assert response.headers["X-Content-Type-Options"] == "nosniff", what
        assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox", what
        assert not response.cookies
        if "file by token" in what:
            assert kind in ("image/png", "audio/mpeg", "video/mp4"), what
        elif "inline" not in what and what != "source" and "picture" not in what:
            assert response.headers["Content-Disposition"].startswith("attachment;"), what
        if kind == "application/pdf":
            assert response.headers["Content-Disposition"].startswith("attachment;"), what


@pytest.mark.allow_console("Failed to load|Refused|violates|Blocked script|sandboxed")
def test_s18_nothing_runs_when_it_is_opened(live: Live, open_page: OpenPage) -> None:
    account = factories.account(factories.user("Alice"))
    client = Client()
    client.force_login(account.user)
    page = open_page()
    lend_session(page, live, client)
    ran = watch(page)
    shown = 0
    for what, url in addresses(account).items():
        shown += visit(page, live.url + url)
        assert ran == [], what
    assert shown > 8  # the rest were downloads


def watch(page: "Page") -> list[str]:
    """What a script of a file would leave behind."""
    ran: list[str] = []
    note_dialogs(page, ran)

    def note(request: "Request") -> None:
        if request.url.endswith("/ran"):
            ran.append(request.url)

    page.on("request", note)
    return ran


def visit(page: "Page", url: str) -> bool:
    """Goes there as a page of its own; False when the browser made a download of it."""
    from playwright.sync_api import Error

    try:
        page.goto(url, wait_until="load")
    except Error as error:
        if "Download is starting" in str(error) or "ERR_ABORTED" in str(error):
            return False
        raise
    return page.title() != "ran"


@pytest.mark.allow_console(".")
@pytest.mark.parametrize("what", ["html", "svg", "xhtml", "xml"])
def test_s18_the_same_bytes_run_elsewhere(what: str, open_page: OpenPage) -> None:
    """Without our headers they do, so that the test above could fail."""
    _, kind, data = FILES[what]
    page = open_page()
    ran = watch(page)
    page.route("**/*", lambda route: route.fulfill(body=data, headers={"Content-Type": kind}))
    page.goto("http://127.0.0.1:9/x", wait_until="load")
    assert ran
