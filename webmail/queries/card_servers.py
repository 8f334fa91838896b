"""Address book servers as their pages show them: in words, with what went wrong and what helps."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import CardServer, User
from webmail.models import CardBook, CardLink, Contact

from .values import ErrorBlock, Progress

State = CardServer.State
_LEVELS: dict[str, tuple[str, str]] = {
    State.NEW: ("", "refresh"),
    State.CHOOSING: ("warn", "info"),
    State.WORKING: ("ok", "check"),
    State.REFUSED: ("danger", "key"),
    State.UNREACHABLE: ("warn", "globe"),
    State.THROTTLED: ("warn", "clock"),
    State.FAILING: ("danger", "alert"),
}
_FIELDS: dict[str, Promise] = {
    "name": gettext_lazy("Name"),
    "organisation": gettext_lazy("Organisation"),
    "role": gettext_lazy("Role"),
    "notes": gettext_lazy("Notes"),
}
MOST_TOLD = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One server in the list."""

    id: int
    host: str
    username: str
    words: str
    level: str
    icon: str
    last: datetime | None
    contacts: int
    error: ErrorBlock | None
    progress: Progress | None
    refused: bool
    asks: bool  # its owner has to decide something


@dataclass(frozen=True, slots=True)
class Crossed:
    """A contact that was changed on both sides: what happened in words, and fields as (name, here, there)."""

    contact_id: int
    name: str
    words: str
    fields: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Problem:
    contact_id: int
    name: str
    removed: bool
    server_line: str


@dataclass(frozen=True, slots=True)
class BookLine:
    name: str
    count: int
    writable: bool
    gone: bool
    unfit: int


@dataclass(frozen=True, slots=True)
class Details:
    """``vanished`` of ``contacts`` are said to be gone by the server; ``waiting`` are to be sent."""

    line: Line
    books: tuple[BookLine, ...]
    vanished: int
    crossed: tuple[Crossed, ...]
    problems: tuple[Problem, ...]
    waiting: int


def lines(user: User) -> tuple[Line, ...]:
    """Two queries, however many servers there are."""
    here = Count("books__links", filter=Q(books__links__contact__removed_at=None, books__links__contact__isnull=False))
    asks = Count("books__links", filter=Q(books__links__vanished=True))
    found = CardServer.objects.filter(user=user, removed_at=None).annotate(here=here, asks=asks)
    starting = set(_starting(user).values_list("server_id", flat=True))
    return tuple(_line(server, server.here, bool(server.asks), server.pk in starting) for server in found)


def _starting(user: User) -> QuerySet[CardBook]:
    """Address books that are followed and not here yet."""
    return CardBook.objects.filter(server__user=user, chosen=True, compared_at=None, gone_at=None)


def needing(user: User) -> list[ErrorBlock]:
    """Servers that go on only when their owner does something, each as a title and where to go."""
    vanished = CardLink.objects.filter(book__server=OuterRef("pk"), vanished=True)
    stuck = Q(state__in=[State.REFUSED, State.FAILING]) | Q(asks=True)
    found = CardServer.objects.filter(user=user, removed_at=None).annotate(asks=Exists(vanished)).filter(stuck)
    return [_needs(server) for server in found]


def _needs(server: CardServer) -> ErrorBlock:
    place = reverse("mail:address_book", args=[server.pk])
    title = _("%s needs your decision") % host_of(server)
    return _error(server) or ErrorBlock(title, "", "", _("See address book"), place, "warn")


def line(server: CardServer) -> Line:
    starting = _starting(server.user).filter(server=server).exists()
    return _line(server, contacts_of(server), vanished_of(server) > 0, starting)


def contacts_of(server: CardServer) -> int:
    return Contact.objects.filter(link__book__server=server, removed_at=None).count()


def vanished_of(server: CardServer) -> int:
    return CardLink.objects.filter(book__server=server, vanished=True).count()


def only_here(user: User) -> int:
    """Contacts that no server has."""
    return Contact.objects.filter(user=user, removed_at=None, link=None).count()


def books(server: CardServer) -> list[CardBook]:
    """Those its server lists."""
    return list(CardBook.objects.filter(server=server, gone_at=None))


def details(server: CardServer) -> Details:
    links = CardLink.objects.filter(book__server=server)
    here = Count("links", filter=Q(links__contact__removed_at=None, links__contact__isnull=False))
    rows = CardBook.objects.filter(Q(chosen=True) | Q(gone_at=None), server=server).annotate(here=here)
    edits = Q(contact__removed_at=None) & (Q(absent=True) | Q(known_at=None) | ~Q(contact__changed_at=F("known_at")))
    waiting = links.filter(book__chosen=True, problem="", vanished=False, contact__isnull=False).filter(
        edits | Q(contact__removed_at__isnull=False, absent=False)
    )
    told = links.select_related("contact").order_by("contact__sort", "pk")
    return Details(
        line=line(server),
        books=tuple(
            BookLine(book.name or _("Address book"), book.here, book.writable, book.gone_at is not None, book.unfit)
            for book in rows
            if book.chosen
        ),
        vanished=vanished_of(server),
        crossed=tuple(_crossed(link) for link in told.exclude(crossed={}).filter(contact__isnull=False)[:MOST_TOLD]),
        problems=tuple(
            Problem(link.contact.pk, link.contact.shown_name, link.contact.removed_at is not None, link.problem)
            for link in told.exclude(problem="")[:MOST_TOLD]
            if link.contact is not None
        ),
        waiting=waiting.count(),
    )


def crossed_of(contact: Contact) -> Crossed | None:
    """What its page says of a change on both sides."""
    link = CardLink.objects.select_related("contact").filter(contact=contact).exclude(crossed={}).first()
    return _crossed(link) if link is not None else None


def book_of(contact: Contact) -> str:
    """Where the contact is kept besides here, in words; "" for one that is only here."""
    found = CardLink.objects.select_related("book__server").filter(
        contact=contact, book__server__removed_at=None, book__chosen=True
    )
    link = found.first()
    if link is None:
        return ""
    return _("In %(book)s at %(host)s") % {
        "book": link.book.name or _("Address book"),
        "host": host_of(link.book.server),
    }


def host_of(server: CardServer) -> str:
    """The server's name, without the rest of what was typed."""
    text = server.address
    if "://" in text:
        try:
            return (urlsplit(text).hostname or text)[:253]
        except ValueError:
            return text[:253]
    return text.rpartition("@")[2].partition("/")[0][:253]


def _line(server: CardServer, contacts: int, asks: bool, starting: bool) -> Line:
    level, icon = _LEVELS.get(server.state, ("", "info"))
    words = str(server.get_state_display())
    error = _error(server)
    refused = server.state == State.REFUSED or server.error_code == "auth"
    if refused:
        level, icon, words = "danger", "key", str(State.REFUSED.label)
    if starting and server.state == State.WORKING:
        level, icon, words = "", "refresh", _("First sync")
    progress = None
    if server.progress_total and not error:
        counts = {"done": f"{server.progress_done:,}", "total": f"{server.progress_total:,}"}
        told = _("Fetching %(done)s of %(total)s contacts") % counts
        progress = Progress(server.progress_done, server.progress_total, told)
        level, icon, words = "", "refresh", _("Syncing")
    if asks and not error:
        level, icon, words = "warn", "alert", _("Needs your decision")
    return Line(
        id=server.pk,
        host=host_of(server),
        username=server.username,
        words=words,
        level=level,
        icon=icon,
        last=server.last_sync_at,
        contacts=contacts,
        error=error,
        progress=progress,
        refused=refused,
        asks=asks,
    )


def _error(server: CardServer) -> ErrorBlock | None:
    if not server.error_code:
        return None
    title, sentence = _TROUBLE.get(server.error_code, _TROUBLE[""])
    values = {"host": host_of(server), "line": server.server_line}
    warn = server.state in (State.UNREACHABLE, State.THROTTLED)
    return ErrorBlock(
        title=str(title) % values,
        sentence=str(sentence) % values,
        server_line="" if server.error_code == "elsewhere" else server.server_line,
        action_label="",
        action_url=reverse("mail:address_book", args=[server.pk]),
        level="warn" if warn else "danger",
    )


def _crossed(link: CardLink) -> Crossed:
    assert link.contact is not None
    told = link.crossed.get("fields", {})
    fields = tuple((str(_FIELDS.get(name, name)), str(pair[0]), str(pair[1])) for name, pair in told.items())
    kind = str(link.crossed.get("kind", ""))
    if kind == "gone":
        words = _("Deleted on the server while it was changed here. It is kept, and made there again.")
    elif kind == "back":
        words = _("Removed here while it was changed on the server. The server's version is back.")
    elif fields:
        words = ngettext(
            "Changed here and on the server. One field could not hold both; the server's is kept.",
            "Changed here and on the server. %d fields could not hold both; the server's are kept.",
            len(fields),
        )
        words = words % len(fields) if "%d" in words else words
    else:
        words = _("Changed here and on the server. Both changes are kept.")
    return Crossed(link.contact.pk, link.contact.shown_name, words, fields)


_TROUBLE: dict[str, tuple[Promise, Promise]] = {
    "auth": (
        gettext_lazy("%(host)s refused the password"),
        gettext_lazy(
            "Sign in again. Many providers need an app password, and a user name that is not the e-mail address. "
            "After three refusals Mailroom stops, so that the server does not lock you out."
        ),
    ),
    "no-basic": (
        gettext_lazy("%(host)s does not sign in by password"),
        gettext_lazy(
            "It asks for another way (Digest, or a sign-in page of its own), which Mailroom does not know for address "
            "books. Whoever runs it can allow Basic over TLS."
        ),
    ),
    "unreachable": (
        gettext_lazy("%(host)s cannot be reached"),
        gettext_lazy("Your contacts stay here, and Mailroom tries again by itself. If it lasts, check the address."),
    ),
    "lost": (
        gettext_lazy("The connection to %(host)s broke"),
        gettext_lazy("Nothing is lost: Mailroom tries again by itself and goes on where it was."),
    ),
    "tls": (
        gettext_lazy("The connection to %(host)s is not safe"),
        gettext_lazy("Its certificate could not be verified, so no password was sent. Tell whoever runs the server."),
    ),
    "host-not-allowed": (
        gettext_lazy("%(host)s may not be used"),
        gettext_lazy(
            "It lies on a private address or an unusual port. Your administrator can allow it in the admin panel, "
            "as a CardDAV server."
        ),
    ),
    "elsewhere": (
        gettext_lazy("%(host)s leads to another server"),
        gettext_lazy("It names %(line)s. If that is right, disconnect this one and connect %(line)s instead."),
    ),
    "no-books": (
        gettext_lazy("No address book was found at %(host)s"),
        gettext_lazy("Type the address that its provider gives for CardDAV, or for synchronising contacts."),
    ),
    "throttled": (
        gettext_lazy("%(host)s asks for patience"),
        gettext_lazy("Mailroom waits as long as the server wishes, and goes on by itself."),
    ),
    "full": (
        gettext_lazy("Your address book is full"),
        gettext_lazy("Mailroom holds 20,000 contacts of one person. Remove some, or follow fewer address books."),
    ),
    "seal": (
        gettext_lazy("The stored password for %(host)s does not open"),
        gettext_lazy("Sign in again, or ask your administrator: the key that sealed it is not loaded."),
    ),
    "refused": (
        gettext_lazy("%(host)s refused what was asked for"),
        gettext_lazy("Nothing is lost. Its own words are below; Mailroom tries again later."),
    ),
    "": (
        gettext_lazy("%(host)s gave an answer that was not understood"),
        gettext_lazy("Nothing was changed. Mailroom tries again later; if it lasts, tell whoever runs the server."),
    ),
}
