"""CardDAV (RFC 6352): address books found (RFC 6764, RFC 5397), their changes (RFC 6578), cards read and written.

Invariants: what a listing names outside the book it is of, is passed over, so that no write of ours goes anywhere else;
an answer that is cut short says so and is never taken for the whole; nothing is overwritten or deleted but under the
ETag we knew; hrefs are compared in one form. Values out, errors of `errors` and `dav`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, unquote, urljoin, urlsplit

from webmail.mime.domains import ascii_domain
from webmail.protocols.dav import (
    TOKEN_LOST,
    Answer,
    LeadsElsewhere,
    NotThere,
    Session,
    TooLarge,
    split,
)
from webmail.protocols.dav_xml import Element, card, dav, parse
from webmail.protocols.errors import (
    CommandFailed,
    MailServerError,
    ProtocolViolation,
    Unreachable,
    printable,
)

LARGEST_LISTING = 16 * 2**20  # octets
LARGEST_BATCH = 32 * 2**20
LARGEST_CARD = 2**20
MOST_MEMBERS = 50_000
MOST_BOOKS = 100
MOST_ROUNDS = 200  # parts of one list of changes
BATCH = 50  # cards asked for together
LONGEST_HREF = 1_000
LONGEST_TOKEN = 2_000

_CTAG = "http://calendarserver.org/ns/ getctag"
_SAFE = "@:!$&'()*+,;=~-._"
_ETAG = re.compile(r"[\x21-\x7e]{1,300}")  # what a header can name, RFC 9110 section 8.8.3
_ESCAPED = "%/:?#[]@!$&'()*+,;=~|"
_STATUS = re.compile(r"HTTP/\d(?:\.\d)?\s+(\d{3})")
_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
_FIND = (
    f'{_HEAD}<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><prop><current-user-principal/>'
    "<resourcetype/><displayname/><C:addressbook-home-set/></prop></propfind>"
).encode()
_BOOKS = (
    f'{_HEAD}<propfind xmlns="DAV:" xmlns:S="http://calendarserver.org/ns/"><prop><resourcetype/><displayname/>'
    "<current-user-privilege-set/><supported-report-set/><sync-token/><S:getctag/></prop></propfind>"
).encode()
_MEMBERS = f'{_HEAD}<propfind xmlns="DAV:"><prop><getetag/><resourcetype/></prop></propfind>'.encode()
_CHANGES = (
    f'{_HEAD}<sync-collection xmlns="DAV:"><sync-token>%s</sync-token><sync-level>1</sync-level>'
    "<prop><getetag/></prop></sync-collection>"
)
_FETCH = (
    f'{_HEAD}<C:addressbook-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">'
    "<prop><getetag/><C:address-data/></prop>%s</C:addressbook-multiget>"
)
_XML = {"Content-Type": "application/xml; charset=utf-8"}
_DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[\w-]{1,63}\.)*[\w-]{1,63}(?::\d{1,5})?\Z")
# Providers' published addresses, for domains whose own web server says nothing of them.
_PROVIDERS = {
    **dict.fromkeys(("fastmail.com", "fastmail.fm"), "https://carddav.fastmail.com/"),
    **dict.fromkeys(("icloud.com", "me.com", "mac.com"), "https://contacts.icloud.com/"),
    "mailbox.org": "https://dav.mailbox.org/",
    **dict.fromkeys(("posteo.de", "posteo.net"), "https://posteo.de:8443/"),
    **dict.fromkeys(("gmx.de", "gmx.net", "gmx.at", "gmx.ch"), "https://carddav.gmx.net/"),
    "web.de": "https://carddav.web.de/",
}


class NoBooks(CommandFailed):
    """Nothing at this address is, or leads to, an address book."""

    kind: ClassVar[str] = "no-books"


class TokenLost(CommandFailed):
    """The server does not know the sync token any more: everything has to be compared."""


class NotOffered(CommandFailed):
    """The server does not know this report."""


@dataclass(frozen=True, slots=True)
class Book:
    """An address book as its server describes it; empty strings for what it does not say."""

    url: str
    name: str
    writable: bool
    tells_changes: bool  # sync-collection, RFC 6578
    ctag: str
    token: str


@dataclass(frozen=True, slots=True)
class Member:
    href: str
    etag: str


@dataclass(frozen=True, slots=True)
class Changes:
    """``gone`` are named as gone by the server; ``whole`` says that nothing of the list is missing."""

    members: tuple[Member, ...]
    gone: tuple[str, ...]
    token: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    href: str
    etag: str
    card: str  # lines end in CRLF


@dataclass(frozen=True, slots=True)
class Cards:
    """``missing``: the server says that there is nothing; ``unfit``: too large, or no text."""

    found: tuple[Fetched, ...]
    missing: tuple[str, ...]
    unfit: tuple[str, ...]


def candidates(typed: str) -> tuple[str, ...]:
    """Addresses to look at for what a person typed: a URL, a domain, or a mail address. Empty for anything else."""
    text = typed.strip()
    if "://" in text:
        text = _ascii(text)
        if not text:
            return ()
        found = urljoin(text, "/.well-known/carddav")
        return (text, found) if urlsplit(text).path not in ("", "/") else (found, text)
    domain = text.rpartition("@")[2].lower()
    if "/" in domain and _DOMAIN.match(domain.partition("/")[0]):
        return candidates(f"https://{text}")
    if not _DOMAIN.match(domain):
        return ()
    if domain in _PROVIDERS:
        return (_PROVIDERS[domain],)
    domain = ascii_domain(domain)
    return (f"https://{domain}/.well-known/carddav", f"https://{domain}/")


def _ascii(url: str) -> str:
    """The address as a request names it; "" for none."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    host, path = ascii_domain(parts.hostname or ""), quote(parts.path, safe=_ESCAPED)
    return f"{parts.scheme.lower()}://{f'[{host}]' if ':' in host else host}{port}{path}" if host else ""


def normal(href: str) -> str:
    """A path in the one form that hrefs are compared in: what needs no escape has none."""
    return "/".join(
        quote(unquote(part, errors="surrogateescape"), safe=_SAFE, errors="surrogateescape") for part in href.split("/")
    )


class Client:
    """What can be asked of an address book server over one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def discover(self, places: Sequence[str]) -> str:
        """The URL of the home of the person's address books, or of the one book that was named.

        Raises NoBooks, AuthenticationFailed at the first refusal, and other MailServerErrors where no place answered.
        """
        trouble: MailServerError | None = None
        for place in places:
            try:
                home = self._home(place)
            except (CommandFailed, ProtocolViolation, Unreachable, LeadsElsewhere) as error:
                trouble = trouble if isinstance(trouble, LeadsElsewhere) else error
                continue
            if home:
                return home
        if isinstance(trouble, LeadsElsewhere | Unreachable):
            raise trouble
        raise NoBooks(trouble.server_line if trouble is not None else "")

    def _home(self, place: str) -> str:
        answer = self._find(place)
        root = parse(answer.body)
        props = [found for response in root.all(dav("response")) for found in _props(response)]
        if any(_is_book(one) for one in props):
            return answer.url
        home = _first(props, card("addressbook-home-set"))
        if home:
            return _joined(answer.url, home)
        principal = _first(props, dav("current-user-principal"))
        if not principal:
            return ""
        answer = self._find(_joined(answer.url, principal))
        found = [one for response in parse(answer.body).all(dav("response")) for one in _props(response)]
        home = _first(found, card("addressbook-home-set"))
        return _joined(answer.url, home) if home else ""

    def _find(self, url: str) -> Answer:
        return self._session.follow("PROPFIND", url, body=_FIND, fields=_XML | {"Depth": "0"}, largest=2**20)

    def books(self, home: str) -> tuple[Book, ...]:
        """The address books at the home, or the one that it is itself, in the server's order."""
        fields = _XML | {"Depth": "1"}
        answer = self._session.follow("PROPFIND", home, body=_BOOKS, fields=fields, largest=LARGEST_LISTING)
        root = _multistatus(answer)
        found: dict[str, Book] = {}
        for response in root.all(dav("response")):
            url = _joined(answer.url, response.said(dav("href")))
            if not _same_origin(url, answer.url):
                continue
            for prop in _props(response):
                if _is_book(prop) and len(found) < MOST_BOOKS:
                    url = url if url.endswith("/") else url + "/"
                    found.setdefault(url, _book(url, prop))
        return tuple(found.values())

    def changes(self, book: str, token: str) -> Changes:
        """What changed since the token; everything for "". Raises TokenLost, NotOffered."""
        members: dict[str, str] = {}
        gone: dict[str, None] = {}
        for _ in range(MOST_ROUNDS):
            root = self._report(book, (_CHANGES % html.escape(token)).encode(), LARGEST_LISTING, "0")
            cut = _gather(root, book, members, gone)
            new = root.said(dav("sync-token"))[:LONGEST_TOKEN]
            if not cut:
                return Changes(_members(members), tuple(gone), new, whole=bool(new))
            if not new or new == token:
                break
            token = new
        return Changes(_members(members), tuple(gone), token, whole=False)

    def listing(self, book: str) -> Changes:
        """All members by PROPFIND; ``gone`` is empty."""
        answer = self._session.ask(
            "PROPFIND", book, body=_MEMBERS, fields=_XML | {"Depth": "1"}, largest=LARGEST_LISTING
        )
        members: dict[str, str] = {}
        cut = _gather(_multistatus(answer), book, members, {})
        return Changes(_members(members), (), "", whole=not cut)

    def fetch(self, book: str, hrefs: Sequence[str]) -> Cards:
        """The cards with these hrefs, in as many requests as their size needs."""
        found: list[Fetched] = []
        missing: list[str] = []
        unfit: list[str] = []
        todo = [list(hrefs[at : at + BATCH]) for at in range(0, len(hrefs), BATCH)]
        while todo:
            batch = todo.pop(0)
            asked = "".join(f"<href>{html.escape(href)}</href>" for href in batch)
            try:
                root = self._report(
                    book, (_FETCH % asked).encode(), LARGEST_BATCH if len(batch) > 1 else 2 * LARGEST_CARD
                )
            except TooLarge:
                if len(batch) == 1:
                    unfit += batch
                else:
                    todo[:0] = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
                continue
            _sort_out(root, book, set(batch), found, missing, unfit)
        return Cards(tuple(found), tuple(missing), tuple(unfit))

    def is_gone(self, book: str, href: str) -> bool:
        """Whether the server says, asked for this card alone, that there is none. Raises MailServerError."""
        try:
            self._session.ask(
                "PROPFIND", _joined(book, href), body=_MEMBERS, fields=_XML | {"Depth": "0"}, largest=2**20
            )
        except NotThere:
            return True
        return False

    def put(self, book: str, href: str, text: str, etag: str) -> str:
        """Writes a card over the version with that ETag; "" makes it. Returns the new ETag, "" where none is given.

        Raises Changed when there is another version, NotThere, CommandFailed for a card the server does not take.
        """
        condition = {"If-Match": etag} if etag else {"If-None-Match": "*"}
        fields = {"Content-Type": "text/vcard; charset=utf-8", **condition}
        answer = self._session.ask("PUT", _joined(book, href), body=text.encode(), fields=fields, largest=65_536)
        return answer.etag if _ETAG.fullmatch(answer.etag) else ""

    def delete(self, book: str, href: str, etag: str) -> None:
        """Deletes that version of the card. Raises Changed, NotThere."""
        assert etag, "nothing is deleted without knowing what"
        self._session.ask("DELETE", _joined(book, href), fields={"If-Match": etag}, largest=65_536)

    def _report(self, book: str, body: bytes, largest: int, depth: str = "0") -> Element:
        try:
            answer = self._session.ask("REPORT", book, body=body, fields=_XML | {"Depth": depth}, largest=largest)
        except NotThere:
            raise
        except CommandFailed as error:
            if TOKEN_LOST in error.server_line:
                raise TokenLost(error.server_line) from None
            if error.code in ("400", "405", "415", "501"):
                raise NotOffered(error.server_line, permanent=True) from None
            raise
        return _multistatus(answer)


def _multistatus(answer: Answer) -> Element:
    root = parse(answer.body)
    if answer.status != 207 or root.name != dav("multistatus"):
        raise ProtocolViolation("the answer is no list")
    return root


def _joined(base: str, href: str) -> str:
    try:
        url = urljoin(base, href)
        split(url)
    except ValueError:  # HostNotAllowed is one
        raise ProtocolViolation("the answer names an address that is none") from None
    return url


def _same_origin(one: str, other: str) -> bool:
    return split(one).origin == split(other).origin


def _member(href: str, book: str) -> str:
    """The path of a card right below the book, in its normal form; "" for anything else."""
    try:
        url = urljoin(book, quote(href, safe=_ESCAPED))
        if len(url) > LONGEST_HREF or not _same_origin(url, book):
            return ""
        path, home = normal(split(url).path), normal(split(book).path)
    except ValueError:
        return ""
    name = path[len(home) :] if path.startswith(home) else ""
    return path if name and "/" not in name and name not in (".", "..") and "?" not in name else ""


def _props(response: Element) -> Iterator[Element]:
    """The properties that were found."""
    for stat in response.all(dav("propstat")):
        prop = stat.find(dav("prop"))
        if prop is not None and _code(stat) in (200, 0):
            yield prop


def _code(element: Element) -> int:
    found = _STATUS.match(element.said(dav("status")))
    return int(found[1]) if found else 0


def _etag(props: Sequence[Element]) -> str:
    """The version, "" where none is named that a condition could name again."""
    found = next((tag for prop in props if (tag := prop.said(dav("getetag")))), "")
    return found if _ETAG.fullmatch(found) else ""


def _first(props: Sequence[Element], name: str) -> str:
    return next((href for one in props if (href := one.said(name, dav("href")))), "")


def _is_book(prop: Element) -> bool:
    return prop.find(dav("resourcetype"), card("addressbook")) is not None


def _book(url: str, prop: Element) -> Book:
    rights = prop.find(dav("current-user-privilege-set"))
    names = {one.name for right in (rights.children if rights else ()) for one in right.children}
    writes = {dav("write"), dav("write-content"), dav("all"), dav("bind")}
    reports = prop.find(dav("supported-report-set"))
    known = [one.find(dav("report"), dav("sync-collection")) for one in (reports.children if reports else ())]
    return Book(
        url=url,
        name=printable(prop.said(dav("displayname")), limit=200),
        writable=rights is None or bool(names & writes),
        tells_changes=any(one is not None for one in known) or bool(prop.said(dav("sync-token"))),
        ctag=prop.said(_CTAG)[:LONGEST_TOKEN],
        token=prop.said(dav("sync-token"))[:LONGEST_TOKEN],
    )


def _gather(root: Element, book: str, members: dict[str, str], gone: dict[str, None]) -> bool:
    """Sorts a listing into members and what is gone; says whether it was cut short (RFC 6578 section 3.6)."""
    cut = False
    for response in root.all(dav("response")):
        hrefs = [one.text.strip() for one in response.all(dav("href"))]
        status = _code(response)
        if status == 507:
            cut = True
            continue
        for href in filter(None, (_member(one, book) for one in hrefs)):
            if status in (404, 410):
                gone[href] = None
                members.pop(href, None)
                continue
            etag = _etag(list(_props(response)))
            folder = any(prop.find(dav("resourcetype"), dav("collection")) is not None for prop in _props(response))
            if folder:
                continue
            if not etag or status >= 400:
                cut = True  # there is something whose version we were not told
                continue
            members[href] = etag
            gone.pop(href, None)
            if len(members) > MOST_MEMBERS:
                raise ProtocolViolation("the address book has too many cards")
    return cut


def _members(found: dict[str, str]) -> tuple[Member, ...]:
    return tuple(Member(href, etag) for href, etag in found.items())


def _sort_out(
    root: Element, book: str, asked: set[str], found: list[Fetched], missing: list[str], unfit: list[str]
) -> None:
    for response in root.all(dav("response")):
        href = _member(response.said(dav("href")), book)
        if href not in asked:
            continue
        asked.discard(href)
        if _code(response) in (404, 410):
            missing.append(href)
            continue
        props = list(_props(response))
        etag = _etag(props)
        data = next((one.text for prop in props if (one := prop.find(card("address-data"))) is not None), "")
        if not etag or not data.strip() or len(data.encode("utf-8", "replace")) > LARGEST_CARD:
            unfit.append(href)
        else:
            text = data.replace("\r\n", "\n").replace("\r", "\n").strip("\n").replace("\n", "\r\n") + "\r\n"
            found.append(Fetched(href, etag, text))
