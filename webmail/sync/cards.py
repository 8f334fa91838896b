"""One pass over an address book server, from lease to next date (RFC 6352, RFC 6578).

Invariants: nobody works a server without its lease, and no transaction is open while it is spoken to; nothing is taken
away because a listing was refused, cut short, or empty where there was much: what a list leaves out is asked for one by
one, and where very many would go at once their owner is asked; a cursor moves last, after what it covers; what goes
wrong ends as a state and a date on the server's row; a password refused three times is not tried again.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F
from django.utils import timezone

from accounts.crypto import SealBroken
from accounts.models import CardServer
from accounts.services import card_state
from webmail import failures, live
from webmail.connections import card_places, open_cards
from webmail.models import CardBook, CardLink
from webmail.protocols.carddav import BATCH, Book, Changes, Client, NoBooks, NotOffered, TokenLost
from webmail.protocols.dav import NotThere
from webmail.protocols.errors import MailServerError
from webmail.sync import card_push, failpoints
from webmail.sync.card_lease import CardLease, guarded, release, take
from webmail.sync.card_rows import Full, take_away, take_in
from webmail.sync.lease import LeaseLost
from webmail.sync.schedule import ACTIVE

log = logging.getLogger(__name__)
State = CardServer.State
MOST_ASKED = 200  # cards whose absence is asked about one by one in a pass
SOON = timedelta(seconds=5)  # what was changed during a pass follows
FEW = 10  # that many may go at once unasked, even if they are most of the book
TELL_SECONDS = 1.0


@dataclass(slots=True)
class _Pass:
    server: CardServer
    lease: CardLease
    client: Client
    ends: float  # time.monotonic()
    told: float = 0.0

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.ends

    def tell(self) -> None:
        """Open pages look again, at most once a second."""
        if time.monotonic() - self.told >= TELL_SECONDS:
            self.told = time.monotonic()
            live.publish(self.server.user_id, "cards", server=self.server.pk)


class _Came(NamedTuple):
    """``left_out`` were asked for and not spoken of: the cursor stays, so that they are asked for again."""

    unfit: int
    left_out: int


def sync_cards(server_id: int) -> bool:
    """Works the server for one time slice; says whether something is left. Never raises for a server's fault."""
    lease = take(server_id)
    if lease is None:
        return False
    again = False
    try:
        server = _load(server_id)
        if server is not None:
            again = _work(server, lease)
    except LeaseLost:
        log.info("address book server %s: another worker has it, or it is gone", server_id)
        return False
    except (OperationalError, InterfaceError) as error:
        log.warning("address book server %s: database away: %s", server_id, type(error).__name__)
        connection.close()
        return False
    finally:
        _let_go(lease)
    return again


def _let_go(lease: CardLease) -> None:
    try:
        release(lease)
    except (OperationalError, InterfaceError):
        connection.close()


def _load(server_id: int) -> CardServer | None:
    """The server if it may be connected to."""
    people = CardServer.objects.select_related("user").filter(
        user__is_active=True, user__organisation__suspended_at=None
    )
    server = people.filter(pk=server_id).first()
    return None if server is None or server.stopped or server.resting else server


def _work(server: CardServer, lease: CardLease) -> bool:
    failpoints.reach("cards leased")
    try:
        with open_cards(server) as client:
            run = _Pass(server, lease, client, time.monotonic() + settings.MAILROOM["SYNC_SLICE_SECONDS"])
            state, left = _look(run)
    except (LeaseLost, OperationalError, InterfaceError):
        raise
    except Exception as error:
        _failed(server, error)
        return False
    with guarded(lease):  # also proves that we may still write
        woken = CardServer.objects.filter(pk=server.pk).exclude(woken_at=lease.woken_at).exists()
        soon = timezone.now() + SOON
        at = _next_run(server)
        card_state.succeed(server.pk, state=state, next_run_at=min(at, soon) if woken else at)
    live.publish(server.user_id, "cards", server=server.pk)
    return left


def _failed(server: CardServer, error: Exception) -> None:
    verdict = failures.judge(error, failures=server.failures, refused_logins=server.refused_logins)
    known = isinstance(error, MailServerError | SealBroken | Full)
    if not known:  # a defect of ours: where, never what, since it may quote a card or a password
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("address book server %s: %s at %s:%s", server.pk, type(error).__name__, place.filename, place.lineno)
    code = "full" if isinstance(error, Full) else verdict.code
    card_state.fail(
        server,
        state=verdict.state,
        code=code,
        server_line=verdict.server_line,
        next_run_at=timezone.now() + verdict.after,
    )
    live.publish(server.user_id, "cards", server=server.pk)


def _next_run(server: CardServer) -> datetime:
    now = timezone.now()
    seen = server.user.last_seen_at
    active = (seen is not None and now - seen < ACTIVE) or live.came_today(server.user_id)
    at = now + timedelta(seconds=settings.MAILROOM["CARDS_ACTIVE_SECONDS" if active else "CARDS_IDLE_SECONDS"])
    owed = [due for book in _books(server) if (due := card_push.next_due(book)) is not None]
    return min([at, *(max(due, now + timedelta(seconds=1)) for due in owed)])


def _books(server: CardServer) -> list[CardBook]:
    """Those that are followed."""
    return list(CardBook.objects.select_related("server").filter(server=server, chosen=True, gone_at=None))


def _look(run: _Pass) -> tuple[str, bool]:
    """The server's state afterwards, and whether something is left to do."""
    described = {book.url: book for book in _describe(run)}
    followed = _books(run.server)
    if not followed:
        return State.CHOOSING, False
    left = False
    for book in followed:
        info = described.get(book.url)
        if info is None:
            continue
        left = not _pull(run, book, info) or left
        if book.writable:
            left = not _push(run, book) or left
    return State.WORKING, left


def _describe(run: _Pass) -> Sequence[Book]:
    """The address books of the server, found anew where their home has moved; written into rows."""
    books: Sequence[Book] = ()
    if run.server.home:
        try:
            books = run.client.books(run.server.home)
        except NotThere:
            books = ()
    if not books:
        home = run.client.discover(card_places(run.server))
        books = run.client.books(home)
        if not books:
            raise NoBooks
        with guarded(run.lease):
            CardServer.objects.filter(pk=run.server.pk).update(home=home)
    failpoints.reach("books listed")
    _write_books(run, books)
    return books


def _write_books(run: _Pass, books: Sequence[Book]) -> None:
    """One that is no longer listed is marked so; its contacts stay."""
    with guarded(run.lease):
        known = {one.url: one for one in CardBook.objects.filter(server=run.server)}
        for book in books:
            columns = {"name": book.name, "writable": book.writable, "gone_at": None}
            row = known.pop(book.url, None)
            if row is None:
                CardBook.objects.create(server=run.server, url=book.url, tells_changes=book.tells_changes, **columns)
            else:
                CardBook.objects.filter(pk=row.pk).update(**columns)
        gone = [one.pk for one in known.values() if one.gone_at is None]
        CardBook.objects.filter(pk__in=gone).update(gone_at=timezone.now())


# --- from the server -------------------------------------------------------------------------------------------------


def _pull(run: _Pass, book: CardBook, info: Book) -> bool:
    """Brings what is new there; False when the time is over before all is here."""
    if _unchanged(book, info):
        return True
    found = _changes(run, book)
    whole = found.whole and not (book.token and book.tells_changes)  # what it does not name is not there
    links = CardLink.objects.filter(book=book, absent=False)
    known: dict[str, str] = dict(links.values_list("href", "etag"))
    back = [one.href for one in found.members if known.get(one.href) == one.etag]
    stale = [one.href for one in found.members if known.get(one.href) != one.etag]
    _reappeared(run, book, back)
    came = _fetch(run, book, stale)
    if came is None:
        return False
    listed = {one.href for one in found.members}
    gone = [href for href in (known if whole else found.gone) if href in known and href not in listed]
    settled = _gone(run, book, gone, total=len(known), empty=whole and not listed)
    failpoints.reach("before card cursor")
    with guarded(run.lease, book.pk):
        rows = CardBook.objects.filter(pk=book.pk)
        rows.filter(compared_at=None).update(compared_at=timezone.now())
        if found.whole and settled and not came.left_out:
            unfit = came.unfit if whole else F("unfit") + came.unfit
            rows.update(token=found.token, ctag=info.ctag, unfit=unfit)
    return True


def _unchanged(book: CardBook, info: Book) -> bool:
    """Whether the server says that the book is as it was at the end of the last comparison."""
    if book.compared_at is None:
        return False
    return bool(info.ctag and info.ctag == book.ctag) or bool(not info.ctag and info.token and info.token == book.token)


def _changes(run: _Pass, book: CardBook) -> Changes:
    """What changed since the cursor, or everything where there is none, or the server does not know it any more."""
    if book.tells_changes:
        try:
            return run.client.changes(book.url, book.token)
        except TokenLost:
            book.token = ""
            return run.client.changes(book.url, "")
        except NotOffered:
            book.tells_changes, book.token = False, ""
            with guarded(run.lease, book.pk):
                CardBook.objects.filter(pk=book.pk).update(tells_changes=False, token="")
    return run.client.listing(book.url)


def _fetch(run: _Pass, book: CardBook, hrefs: Sequence[str]) -> _Came | None:
    """Cards in batches, each one transaction; None when the time was over before."""
    unfit, left_out = 0, 0
    for at in range(0, len(hrefs), BATCH):
        if run.over:
            return None
        asked = hrefs[at : at + BATCH]
        cards = run.client.fetch(book.url, asked)
        failpoints.reach("before cards")
        take_in(run.lease, book, cards.found)
        failpoints.reach("cards written")
        unfit += len(cards.unfit)
        left_out += len(asked) - len(cards.found) - len(cards.missing) - len(cards.unfit)
        CardServer.objects.filter(pk=run.server.pk, lease_token=run.lease.token).update(
            progress_done=min(at + BATCH, len(hrefs)), progress_total=len(hrefs)
        )
        run.tell()
    return _Came(unfit, left_out)


def _reappeared(run: _Pass, book: CardBook, hrefs: Sequence[str]) -> None:
    """Cards that were said to be gone are there as they were."""
    if CardLink.objects.filter(book=book, vanished=True).exists():
        with guarded(run.lease, book.pk):
            CardLink.objects.filter(book=book, vanished=True, href__in=hrefs).update(vanished=False)


def _gone(run: _Pass, book: CardBook, hrefs: Sequence[str], *, total: int, empty: bool) -> bool:
    """Takes away what the server says once more is gone, or asks their owner. False when not all could be settled."""
    if not hrefs:
        return True
    if empty or (len(hrefs) > FEW and 2 * len(hrefs) > total):
        with guarded(run.lease, book.pk):
            CardLink.objects.filter(book=book, href__in=hrefs, absent=False).update(vanished=True)
        return True
    cards = run.client.fetch(book.url, hrefs)
    take_in(run.lease, book, cards.found)
    unsure = [href for href in hrefs if href not in {*cards.missing, *(one.href for one in cards.found)}]
    missing = [*cards.missing, *(href for href in unsure[:MOST_ASKED] if run.client.is_gone(book.url, href))]
    take_away(run.lease, book, missing)
    run.tell()
    return len(unsure) <= MOST_ASKED


# --- to the server ---------------------------------------------------------------------------------------------------


def _push(run: _Pass, book: CardBook) -> bool:
    """Sends what was changed here; False when the time is over before all is there."""
    if not CardBook.objects.filter(pk=book.pk, compared_at__isnull=False).exists():
        return True  # what is there has to be known first
    card_push.name_new(run.lease, book)
    pushing = card_push.Pushing(run.client, run.lease, book)
    ids = list(card_push.due(book, timezone.now()).order_by("pk").values_list("pk", flat=True)[: card_push.AT_ONCE])
    if not ids:
        return True
    with guarded(run.lease, book.pk):
        CardBook.objects.filter(pk=book.pk).update(ctag="")
    for link_id in ids:
        if run.over:
            return False
        card_push.push(pushing, link_id)
    # Marks of a server may be made of what it holds: were somebody to undo this there, the mark would be the one that
    # we know. So it is moved past what was done here.
    book.refresh_from_db(fields=["token", "tells_changes", "ctag", "compared_at"])
    looked = not book.tells_changes or _pull(run, book, Book(book.url, "", True, True, "", ""))
    return looked and len(ids) < card_push.AT_ONCE
