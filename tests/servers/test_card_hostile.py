"""Address book servers that are broken or hostile: bounded, told in words, and nothing is lost on either side."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import CardServer
from deploy.demo.tls import DemoCertificate
from tests import factories
from tests.servers.card_rig import change, here, keep, named, sync, undo_is_past
from tests.support.dav_script import Answer, Asked, DavScript, dav_script, found, gone, multistatus
from tests.support.loopback import PASSWORD
from webmail.models import CardBook, CardLink, Contact
from webmail.services import card_servers, contacts

pytestmark = pytest.mark.django_db(transaction=True)

BOOK = "<resourcetype><collection/><C:addressbook/></resourcetype><displayname>Contacts</displayname>"
LAUGHS = b'<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><m>&b;</m>'
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]><m>&x;</m>'


def vcard(name: str, *lines: str) -> str:
    return "\n".join(("BEGIN:VCARD", "VERSION:3.0", f"UID:{name}", f"FN:{name}", *lines, "END:VCARD"))


class Book:
    """An address book in memory, answered for as RFC 6352 wants it; tests replace what they are about."""

    def __init__(self) -> None:
        self.cards: dict[str, tuple[str, str]] = {}
        self.ctag = itertools.count(1)
        self.instead: dict[str, Any] = {}
        self.versions = itertools.count(1)

    def put(self, name: str, text: str = "") -> None:
        self.cards[f"/b/{name}.vcf"] = (f'"{next(self.versions)}"', text or vcard(name))

    def __call__(self, asked: Asked) -> Answer:
        kind = self._kind(asked)
        if kind in self.instead:
            answer = self.instead[kind]
            return answer(asked) if callable(answer) else answer  # type: ignore[no-any-return]  # as tests give it
        return getattr(self, f"_{kind}")(asked)  # type: ignore[no-any-return]  # one of the methods below

    @staticmethod
    def _kind(asked: Asked) -> str:
        if asked.method == "PROPFIND":
            if "getctag" in asked.body:
                return "books"
            if "addressbook-home-set" in asked.body:
                return "find"
            return "listing" if asked.fields.get("Depth") == "1" else "one"
        if asked.method == "REPORT":
            return "multiget" if "multiget" in asked.body else "changes"
        return asked.method.lower()

    def _find(self, asked: Asked) -> Answer:
        return multistatus(found("/b/", BOOK))

    def _books(self, asked: Asked) -> Answer:
        return multistatus(found("/b/", f"{BOOK}<S:getctag>{next(self.ctag)}</S:getctag>"))

    def _listing(self, asked: Asked) -> Answer:
        cards = [found(href, f"<getetag>{etag}</getetag>") for href, (etag, _) in self.cards.items()]
        return multistatus(found("/b/", "<resourcetype><collection/></resourcetype>"), *cards)

    def _one(self, asked: Asked) -> Answer:
        return multistatus(found(asked.path, "")) if asked.path in self.cards else (404, {}, b"")

    def _multiget(self, asked: Asked) -> Answer:
        hrefs = [part.partition("</href>")[0] for part in asked.body.split("<href>")[1:]]
        return multistatus(*(self.card(href) if href in self.cards else gone(href) for href in hrefs))

    def card(self, href: str) -> str:
        etag, text = self.cards[href]
        return found(href, f"<getetag>{etag}</getetag><C:address-data>{text}</C:address-data>")

    def _changes(self, asked: Asked) -> Answer:
        return 501, {}, b""

    def _put(self, asked: Asked) -> Answer:
        known = self.cards.get(asked.path)
        if ("If-None-Match" in asked.fields and known) or asked.fields.get("If-Match", known and known[0]) != (
            known and known[0]
        ):
            return 412, {}, b""
        self.cards[asked.path] = (f'"{next(self.versions)}"', asked.body)
        return 204, {"ETag": self.cards[asked.path][0]}, b""

    def _delete(self, asked: Asked) -> Answer:
        if asked.path not in self.cards:
            return 404, {}, b""
        if asked.fields.get("If-Match") != self.cards[asked.path][0]:
            return 412, {}, b""
        del self.cards[asked.path]
        return 204, {}, b""


@pytest.fixture
def book() -> Book:
    made = Book()
    for name in ("Amara", "Bo", "Cy"):
        made.put(name)
    return made


@pytest.fixture
def script(book: Book, certificates: DemoCertificate) -> Iterator[DavScript]:
    with dav_script(certificates, book) as made:
        yield made


@pytest.fixture
def server(script: DavScript, certificates: DemoCertificate) -> CardServer:
    """Followed, in good order, three people here."""
    made = begun(script, certificates)
    sync(made)
    one = CardBook.objects.get()
    card_servers.choose(made, [one.pk], takes_new=one.pk, also_here=False)
    sync(made)
    assert set(here(made)) == {"Amara", "Bo", "Cy"}
    return made


def begun(script: DavScript, certificates: DemoCertificate) -> CardServer:
    named(script.port, certificates.ca_pem)
    return card_servers.connect(factories.user("Maren"), address=script.url, username="maren", password=PASSWORD)


def forever(piece: bytes = b"<response/>" * 1_000) -> Iterator[bytes]:
    yield b'<?xml version="1.0"?><multistatus xmlns="DAV:">'
    while True:
        yield piece


ENDLESS: dict[str, Any] = {
    "entities": lambda _: (207, {}, LAUGHS),
    "outside": lambda _: (207, {}, OUTSIDE),
    "no end": lambda _: (207, {}, forever()),
    "announced": lambda _: (207, {"Content-Length": "99999999999"}, iter([b"<m>"])),
    "deep": lambda _: (207, {}, b"<a>" * 100_000),
    "not XML": lambda _: (207, {}, b"<html><p>Welcome<br>"),
    "a page": lambda _: (200, {"Content-Type": "text/html"}, b"<html></html>"),
    "cut off": lambda _: (207, {"Content-Length": "500"}, iter([b'<multistatus xmlns="DAV:">'])),
    "empty": lambda _: (207, {}, b""),
    "error": lambda _: (500, {}, b"<p>oops</p>"),
    "busy": lambda _: (503, {"Retry-After": "120"}, b""),
    "moved": lambda _: (301, {"Location": "https://elsewhere.example/"}, b""),
    "moved here": lambda _: (302, {"Location": "/b/"}, b""),
    "forbidden": lambda _: (403, {}, b""),
    "no such thing": lambda _: (404, {}, b""),
    "surrogates": lambda _: (207, {}, b'<?xml version="1.0" encoding="utf-7"?><m/>'),
}


@pytest.mark.parametrize("kind", ["books", "listing", "multiget"])
@pytest.mark.parametrize("fault", ENDLESS)
def test_an_answer_that_is_none_changes_nothing_and_is_told(
    book: Book, server: CardServer, kind: str, fault: str
) -> None:
    book.put("Dee")
    book.instead[kind] = ENDLESS[fault]
    sync(server, good=False)
    assert set(here(server)) == {"Amara", "Bo", "Cy"}
    if kind != "multiget" or fault not in ("no end", "announced"):  # which is taken for the card's own size
        assert server.error_code
    assert server.next_run_at > timezone.now()
    book.instead.clear()
    CardServer.objects.update(state="working", next_run_at=timezone.now())
    sync(server)
    assert set(here(server)) == {"Amara", "Bo", "Cy", "Dee"}


@pytest.mark.parametrize("fault", ["entities", "outside", "no end", "deep", "not XML", "no such thing", "forbidden"])
def test_a_server_without_address_books_is_told_so(
    book: Book, script: DavScript, certificates: DemoCertificate, fault: str
) -> None:
    book.instead["find"] = ENDLESS[fault]
    server = sync(begun(script, certificates), good=False)
    assert (server.state, server.error_code) == ("failing", "no-books")


def test_an_empty_list_of_books_is_no_reason_to_forget_any(book: Book, server: CardServer) -> None:
    book.instead["books"] = book.instead["find"] = multistatus()
    sync(server, good=False)
    assert server.error_code == "no-books"
    assert CardBook.objects.get().gone_at is None
    assert len(here(server)) == 3


def test_an_empty_listing_takes_nothing_away(book: Book, server: CardServer) -> None:
    cards, book.cards = book.cards, {}
    sync(server)
    assert len(here(server)) == 3
    assert CardLink.objects.filter(vanished=True).count() == 3
    book.cards = cards
    sync(server)
    assert not CardLink.objects.filter(vanished=True).exists()


def test_a_listing_that_leaves_cards_out_is_asked_about_each(book: Book, server: CardServer) -> None:
    """It names one of three; asked for the others, the server has one."""
    del book.cards["/b/Bo.vcf"]
    full = book._listing

    def short(asked: Asked) -> Answer:
        status, fields, body = full(asked)
        assert isinstance(body, bytes)
        start = body.index(b"<response><href>/b/Cy.vcf")
        return status, fields, body[:start] + body[body.index(b"</response>", start) + 11 :]

    book.instead["listing"] = short
    sync(server)
    assert set(here(server)) == {"Amara", "Cy"}


def test_a_listing_that_says_it_is_cut_short_takes_nothing_away(book: Book, server: CardServer) -> None:
    cut = "<href>/b/</href><status>HTTP/1.1 507 Insufficient Storage</status>"
    book.instead["listing"] = lambda _: multistatus(found("/b/Amara.vcf", '<getetag>"1"</getetag>'), cut)
    book.instead["multiget"] = lambda _: multistatus()
    book.instead["one"] = (404, {}, b"")
    sync(server)
    assert len(here(server)) == 3


@pytest.mark.parametrize(
    "href",
    [
        "/other/x.vcf",
        "/b/",
        "/b/../x.vcf",
        "/b/sub/x.vcf",
        "https://elsewhere.example/b/x.vcf",
        "//x/b/x",
        "/b/%2e%2e",
        ":",
    ],
)
def test_cards_outside_the_book_are_none_of_it(book: Book, server: CardServer, script: DavScript, href: str) -> None:
    """Though the server would give them out; nothing is written there either."""
    book.cards[href] = ('"99"', vcard("Outside"))
    book.cards["https://localhost/x"] = ('"99"', vcard("Outside"))
    sync(server)
    assert set(here(server)) == {"Amara", "Bo", "Cy"}
    assert not any(f"<href>{href}</href>" in one.body for one in script.asked if one.method == "REPORT")


class Telling:
    """Answers for what changed since a token (RFC 6578), which is the newest version then."""

    def __init__(self, book: Book, *, at_once: int = 1_000) -> None:
        self.book, self.at_once = book, at_once
        self.known: dict[str, int] = {}

    def __call__(self, asked: Asked) -> Answer:
        since = int(asked.body.partition("<sync-token>")[2].partition("</sync-token>")[0] or 0)
        versions = {href: int(etag.strip('"')) for href, (etag, _) in self.book.cards.items()}
        new = sorted((at, href) for href, at in versions.items() if at > since)
        rows = [found(href, f"<getetag>{self.book.cards[href][0]}</getetag>") for _, href in new[: self.at_once]]
        rows += [gone(href) for href in self.known if href not in versions] if since else []
        self.known |= versions
        last = new[: self.at_once][-1][0] if new else since
        if len(new) > self.at_once:
            rows.append("<href>/b/</href><status>HTTP/1.1 507 Insufficient Storage</status>")
        return multistatus(*rows, after=f"<sync-token>{last}</sync-token>")


@pytest.fixture
def telling(book: Book, server: CardServer) -> CardServer:
    """The same server, which tells changes."""
    book.instead["changes"] = Telling(book)
    CardBook.objects.update(tells_changes=True, token="")
    sync(server)
    assert CardBook.objects.get().token == "3"
    return server


def test_cards_that_an_answer_leaves_out_are_asked_for_again(book: Book, telling: CardServer) -> None:
    """The cursor stays where it was, or nobody would hear of them any more."""
    book.put("Dee")
    book.put("Eve")
    book.instead["multiget"] = lambda asked: multistatus(book.card("/b/Eve.vcf"))
    sync(telling)
    assert set(here(telling)) == {"Amara", "Bo", "Cy", "Eve"}
    del book.instead["multiget"]
    sync(telling)
    assert set(here(telling)) == {"Amara", "Bo", "Cy", "Dee", "Eve"}
    assert CardBook.objects.get().token == "5"


def test_changes_that_come_in_parts_all_come(book: Book, telling: CardServer) -> None:
    for number in range(25):
        book.put(f"p{number}")
    del book.cards["/b/Bo.vcf"]
    teller = book.instead["changes"]
    teller.at_once = 10
    sync(telling)
    assert len(here(telling)) == 27
    assert "Bo" not in here(telling)


def test_changes_that_never_end_take_nothing_away_and_move_no_cursor(book: Book, telling: CardServer) -> None:
    cut = "<href>/b/</href><status>HTTP/1.1 507 Insufficient Storage</status>"
    book.instead["changes"] = lambda _: multistatus(cut, after="<sync-token>3</sync-token>")
    CardBook.objects.update(token="")
    sync(telling)
    assert len(here(telling)) == 3
    assert CardBook.objects.get().token == ""
    assert not CardLink.objects.filter(vanished=True).exists()


def test_a_token_the_server_forgot_is_no_sign_of_anything(book: Book, telling: CardServer) -> None:
    teller = book.instead["changes"]

    def forgetful(asked: Asked) -> Answer:
        if "<sync-token></sync-token>" in asked.body:
            return teller(asked)  # type: ignore[no-any-return]  # a Telling
        return 403, {}, b'<error xmlns="DAV:"><valid-sync-token/></error>'

    book.instead["changes"] = forgetful
    book.put("Dee")
    del book.cards["/b/Bo.vcf"]
    sync(telling)
    assert set(here(telling)) == {"Amara", "Cy", "Dee"}


def test_a_card_that_is_too_large_costs_itself_only(book: Book, server: CardServer) -> None:
    book.put("Huge", vcard("Huge", "NOTE:" + "x" * 1_100_000))
    book.put("Dee")
    book.put("Bo", vcard("Bo", "PHOTO:" + "x" * 3_000_000))
    sync(server)
    assert set(here(server)) == {"Amara", "Bo", "Cy", "Dee"}
    assert CardBook.objects.get().unfit == 2


def test_cards_whose_answer_would_be_too_large_are_asked_for_in_parts(book: Book, server: CardServer) -> None:
    for number in range(45):
        book.put(f"p{number}", vcard(f"p{number}", "PHOTO:" + "x" * 900_000))
    sync(server)
    assert len(here(server)) == 48


def test_a_card_the_server_does_not_take_holds_up_no_other(book: Book, server: CardServer, script: DavScript) -> None:
    change(here(server)["Amara"], role="Head")
    change(here(server)["Bo"], role="Head")
    book.instead["put"] = lambda asked: (415, {}, b"") if "Amara" in asked.path else book._put(asked)
    sync(server)
    assert "TITLE:Head" in book.cards["/b/Bo.vcf"][1]
    link = CardLink.objects.get(contact__name="Amara")
    assert link.problem.startswith("415")
    asked = len([one for one in script.asked if one.method == "PUT"])
    sync(server)
    assert len([one for one in script.asked if one.method == "PUT"]) == asked, "not tried again by itself"
    del book.instead["put"]
    card_servers.sync_now(server)
    sync(server)
    assert "TITLE:Head" in book.cards["/b/Amara.vcf"][1]


def test_a_server_that_always_finds_another_version_is_not_argued_with(
    book: Book, server: CardServer, script: DavScript
) -> None:
    change(here(server)["Amara"], role="Head")
    book.instead["put"] = (412, {}, b"")
    sync(server)
    assert len([one for one in script.asked if one.method == "PUT"]) <= 2
    assert CardLink.objects.get(contact__name="Amara").problem.startswith("412")
    assert here(server)["Amara"].role == "Head"


def test_a_removal_is_never_sent_without_its_version(book: Book, server: CardServer, script: DavScript) -> None:
    contacts.remove([here(server)["Amara"]])
    undo_is_past()
    sync(server)
    (asked,) = [one for one in script.asked if one.method == "DELETE"]
    assert asked.fields["If-Match"]
    assert "/b/Amara.vcf" not in book.cards


def test_a_server_that_names_no_version_is_asked_what_it_has(book: Book, server: CardServer) -> None:
    def put(asked: Asked) -> Answer:
        status, _, _ = book._put(asked)
        if status == 204:
            etag, text = book.cards[asked.path]
            book.cards[asked.path] = (etag, text.replace("END:VCARD", "X-SERVER:1\r\nEND:VCARD"))
        return status, {}, b""

    book.instead["put"] = put
    change(here(server)["Amara"], role="Head")
    keep(server, "Dee", "dee@x.example")
    sync(server)
    for name in ("Amara", "Dee"):
        link = CardLink.objects.get(contact__name=name)
        assert link.etag
        assert "X-SERVER:1" in link.card
        assert link.contact is not None
        assert link.contact.changed_at == link.known_at


def test_a_password_goes_to_no_other_site(book: Book, script: DavScript, certificates: DemoCertificate) -> None:
    book.instead["find"] = (301, {"Location": "https://dav.elsewhere.example/"}, b"")
    server = sync(begun(script, certificates), good=False)
    assert (server.error_code, server.server_line) == ("elsewhere", "dav.elsewhere.example")


@pytest.mark.parametrize("prop", ["current-user-principal", "C:addressbook-home-set"])
def test_a_password_goes_to_no_other_site_that_an_answer_names(
    book: Book, script: DavScript, certificates: DemoCertificate, prop: str
) -> None:
    other = f"<{prop}><href>https://dav.elsewhere.example/b/</href></{prop}>"
    book.instead["find"] = multistatus(found("/", other))
    server = sync(begun(script, certificates), good=False)
    assert (server.error_code, server.server_line) == ("elsewhere", "dav.elsewhere.example")


@pytest.mark.parametrize("etag", ["\u2028", "\U0001f600", "a&#13;&#10;X-Injected: 1", "", "x" * 400])
def test_a_version_that_no_header_can_name_is_none(
    book: Book, server: CardServer, script: DavScript, etag: str
) -> None:
    book.cards["/b/Dee.vcf"] = (etag, vcard("Dee"))
    sync(server)
    assert set(here(server)) == {"Amara", "Bo", "Cy"}
    change(here(server)["Amara"], role="Head")
    sync(server)
    assert "TITLE:Head" in book.cards["/b/Amara.vcf"][1]
    assert not any("X-Injected" in one.fields for one in script.asked)


def test_what_a_server_echoes_holds_no_password(book: Book, server: CardServer) -> None:
    def echo(asked: Asked) -> Answer:
        pair = asked.fields["Authorization"].removeprefix("Basic ")
        words = f"you said {PASSWORD} and {pair}"
        error = f'<error xmlns="DAV:" xmlns:s="http://sabredav.org/ns"><s:message>{words}</s:message></error>'
        return 403, {}, error.encode()

    book.instead["books"] = echo
    sync(server, good=False)
    assert server.server_line.startswith("403")
    assert "you said *** and ***" in server.server_line


@pytest.mark.parametrize("offers", ['Digest realm="dav", nonce="1"', "Bearer", "Negotiate"])
def test_a_server_that_takes_no_password_is_no_wrong_password(
    book: Book, script: DavScript, certificates: DemoCertificate, offers: str
) -> None:
    book.instead["find"] = (401, {"WWW-Authenticate": offers}, b"")
    server = begun(script, certificates)
    sync(server, good=False)
    assert (server.state, server.error_code, server.refused_logins) == ("failing", "no-basic", 0)
    book.instead["find"] = (401, {"WWW-Authenticate": f'{offers}, Basic realm="dav"'}, b"")
    sync(server, good=False)
    assert server.error_code == "auth"


def test_servers_wish_for_time_is_kept(book: Book, server: CardServer, script: DavScript) -> None:
    book.instead["books"] = ENDLESS["busy"]
    sync(server, good=False)
    assert server.state == "throttled"
    assert (server.next_run_at - timezone.now()).total_seconds() > 100
    asked = len(script.asked)
    assert card_servers.sync_now(server) is False
    sync(server, good=False)
    assert len(script.asked) == asked


def test_the_address_book_of_a_person_has_an_end(
    book: Book, server: CardServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webmail.sync.card_rows.MOST", 4)
    for number in range(3):
        book.put(f"p{number}")
    sync(server, good=False)
    assert server.error_code == "full"
    assert Contact.objects.count() == 3
