"""What was changed here, brought to the server one card at a time.

Invariants: a card is only ever written over the version we know (If-Match) or where there is none (If-None-Match), so
that a request repeated after a death does nothing twice; what the server has instead is merged first, then tried once
more; a removal is sent when its Undo is past; a card that the server does not take costs itself only.
"""

from __future__ import annotations

import logging
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from webmail.mime.card_lines import Values, edited, read_values
from webmail.mime.vcards import Entry, write_cards
from webmail.models import CardBook, CardLink, Contact
from webmail.protocols.carddav import Client, normal
from webmail.protocols.dav import Changed, NotThere, split
from webmail.protocols.errors import CommandFailed
from webmail.sync import failpoints
from webmail.sync.card_lease import CardLease, guarded
from webmail.sync.card_merge import changed, onto
from webmail.sync.card_rows import as_json, base_of, take_away, take_in, values_of

log = logging.getLogger(__name__)
UNDO_IS_PAST = timedelta(seconds=30)  # a removal is offered to be taken back for ten
AT_ONCE = 200
_SIMPLE = re.compile(r"[A-Za-z0-9-]{8,80}")


@dataclass(frozen=True, slots=True)
class Pushing:
    """``over`` says when others have their turn."""

    client: Client
    lease: CardLease
    book: CardBook

    def fetch(self, href: str) -> bool:
        """The card as the server has it, merged into ours; False when the server has none."""
        cards = self.client.fetch(self.book.url, [href])
        if cards.found:
            take_in(self.lease, self.book, cards.found)
            return True
        if cards.unfit:
            raise CommandFailed("the server's version of this card cannot be read", permanent=True)
        return not (cards.missing or self.client.is_gone(self.book.url, href))


def owed(book: CardBook) -> QuerySet[CardLink]:
    """Links whose contact is not as the server has it, what it refused as it stands left out."""
    edits = Q(contact__removed_at=None) & (Q(absent=True) | Q(known_at=None) | ~Q(contact__changed_at=F("known_at")))
    removals = Q(contact__removed_at__isnull=False, absent=False)
    links = CardLink.objects.filter(edits | removals, book=book, vanished=False)
    return links.exclude(Q(problem_at__isnull=False) & Q(problem_at=F("contact__changed_at")))


def due(book: CardBook, now: datetime) -> QuerySet[CardLink]:
    """Those to be sent now."""
    waiting = Q(contact__removed_at__gt=now - UNDO_IS_PAST)
    return owed(book).exclude(waiting)


def next_due(book: CardBook) -> datetime | None:
    """When the next removal is to be sent; None when nothing waits."""
    first = owed(book).filter(contact__removed_at__isnull=False).order_by("contact__removed_at")
    at = first.values_list("contact__removed_at", flat=True).first()
    return at + UNDO_IS_PAST if at is not None else None


def name_new(lease: CardLease, book: CardBook) -> None:
    """Contacts made here since the book takes new ones get their place in it. Raises LeaseLost."""
    if not book.takes_new:
        return
    path = normal(split(book.url).path)
    with guarded(lease, book.pk):
        new = Contact.objects.filter(user=book.server.user_id, removed_at=None, link=None, pk__gt=book.takes_after)
        made = []
        for contact in new.order_by("pk")[:AT_ONCE]:
            name = contact.uid if _SIMPLE.fullmatch(contact.uid) else str(uuid.uuid4())
            made.append(CardLink(book=book, contact=contact, href=f"{path}{name}.vcf", absent=True))
        CardLink.objects.bulk_create(made, ignore_conflicts=True)


def push(pushing: Pushing, link_id: int) -> None:
    """Brings one change to the server. Raises MailServerError for what is no fault of this card, and LeaseLost."""
    for attempt in range(2):
        link = CardLink.objects.select_related("contact").filter(pk=link_id).first()
        if link is None or link.contact is None:
            return
        contact = link.contact
        if contact.removed_at is None and not link.absent and contact.changed_at == link.known_at:
            return  # what was fetched says the same
        try:
            if contact.removed_at is None:
                _put(pushing, link, contact)
            elif not link.absent:
                _delete(pushing, link)
            return
        except Changed as error:
            if not _resolve(pushing, link, error) or attempt:
                _refused(pushing, link, error)
                return
        except NotThere:
            take_away(pushing.lease, pushing.book, [link.href])
        except CommandFailed as error:
            _refused(pushing, link, error)
            return


def _resolve(pushing: Pushing, link: CardLink, error: Changed) -> bool:
    """The server has another version, or none: ours is merged with that. False where its version is the one we knew."""
    if not pushing.fetch(link.href):
        if link.absent:
            return False  # there is none, yet it refuses to make one
        take_away(pushing.lease, pushing.book, [link.href])
        return True
    now = CardLink.objects.filter(pk=link.pk).values_list("etag", flat=True).first()
    return link.absent or now != link.etag


def _put(pushing: Pushing, link: CardLink, contact: Contact) -> None:
    here, at = values_of(contact), contact.changed_at
    text = card_text(link, contact, here)
    failpoints.reach("before card")
    if text == link.card and not link.absent:  # taken back before it was sent, or no change that a card shows
        with guarded(pushing.lease, pushing.book.pk):
            CardLink.objects.filter(pk=link.pk).update(base=as_json(here), known_at=at)
        return
    etag = pushing.client.put(pushing.book.url, link.href, text, "" if link.absent else link.etag)
    failpoints.reach("card put")
    with guarded(pushing.lease, pushing.book.pk):
        CardLink.objects.filter(pk=link.pk).update(
            etag=etag, card=text, base=as_json(here), known_at=at, absent=False, problem="", problem_at=None
        )
    if not etag:  # the server keeps it in its own words, and says so by naming no version
        pushing.fetch(link.href)


def card_text(link: CardLink, contact: Contact, here: Values) -> str:
    """The card with what was changed here; written anew only where the server never had one."""
    if link.card:
        there = read_values(link.card)
        return edited(link.card, onto(there, here, changed(base_of(link), here)))
    entry = Entry(
        contact.uid, here.name, here.organisation, here.role, here.mails, here.numbers, here.addresses, here.notes
    )
    return b"".join(write_cards([entry])).decode()


def _delete(pushing: Pushing, link: CardLink) -> None:
    failpoints.reach("before card")
    pushing.client.delete(pushing.book.url, link.href, link.etag)
    failpoints.reach("card deleted")
    with guarded(pushing.lease, pushing.book.pk):
        CardLink.objects.filter(pk=link.pk).update(absent=True, etag="", problem="", problem_at=None)


def _refused(pushing: Pushing, link: CardLink, error: CommandFailed) -> None:
    """Not tried again until the contact changes, or its owner says so."""
    assert link.contact is not None
    log.info("card %s: refused by its server: %s", link.pk, type(error).__name__)
    with guarded(pushing.lease, pushing.book.pk):
        CardLink.objects.filter(pk=link.pk).update(
            problem=error.server_line[:500] or "refused", problem_at=link.contact.changed_at
        )
