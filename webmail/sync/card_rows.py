"""What a server says of cards, written into contacts and links.

Invariants: every write begins by holding the server's row (`card_lease.guarded`) and locks the contacts it is about, so
that what a person does at that moment comes before or after as a whole; a contact that was changed here is merged,
never written over; a contact is taken away only when its own card is gone and nobody changed it here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.utils import timezone

from webmail.mime.card_lines import FIELDS, LISTS, Values, is_group, of_fields, read_values, uid_of
from webmail.models import CardBook, CardLink, Contact
from webmail.models.contact import MOST
from webmail.protocols.carddav import Fetched
from webmail.sync.card_lease import CardLease, guarded
from webmail.sync.card_merge import changed, merge, onto

COLUMNS = (*FIELDS, "sort", "search", "changed_at", "removed_at")
_LINK = ("etag", "card", "base", "known_at", "absent", "vanished", "problem", "crossed", "contact")


class Full(Exception):
    """The address book of the person holds no more contacts."""


def values_of(contact: Contact) -> Values:
    return of_fields({name: getattr(contact, name) for name in FIELDS})


def as_json(values: Values) -> dict[str, object]:
    return {name: list(value) if name in LISTS else value for name in FIELDS if (value := getattr(values, name))}


def base_of(link: CardLink) -> Values:
    return of_fields(link.base)


def take_in(lease: CardLease, book: CardBook, fetched: Sequence[Fetched]) -> None:
    """Cards as the server has them now: known ones brought up to date, others made. Raises Full, LeaseLost."""
    with guarded(lease, book.pk):
        hrefs = [one.href for one in fetched]
        links = {one.href: one for one in CardLink.objects.filter(book=book, href__in=hrefs)}
        ids = [one.contact_id for one in links.values() if one.contact_id]
        contacts = {one.pk: one for one in Contact.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
        written: list[Contact] = []
        updated: list[CardLink] = []
        fresh: list[Fetched] = []
        for one in fetched:
            link = links.get(one.href)
            if link is None or link.contact_id is None:
                fresh.append(one)
                continue
            contact = contacts[link.contact_id]
            if _update(link, contact, one):
                written.append(contact)
            updated.append(link)
        Contact.objects.bulk_update(written, COLUMNS)
        CardLink.objects.bulk_update(updated, _LINK)
        _make(book, fresh)


def _update(link: CardLink, contact: Contact, one: Fetched) -> bool:
    """Link and contact as they are to be saved; says whether the contact has changed."""
    old, new, same_card = read_values(link.card), read_values(one.card), link.card == one.card
    here, base = values_of(contact), base_of(link)
    dirty, was_absent = link.absent or contact.changed_at != link.known_at, link.absent
    link.etag, link.card = one.etag, one.card
    link.absent = link.vanished = False
    link.problem = ""
    if contact.removed_at is not None:
        if same_card and not was_absent:
            return False  # it goes from there too
        contact.removed_at = None
        link.crossed = {"kind": "back"}
        link.base = as_json(new)
        return _write(contact, link, new, clean=True)
    if not changed(old, new):
        return False  # only what we do not know was changed; it lies in the card
    if not dirty:
        wanted = onto(here, new, changed(old, new))
        link.base = as_json(wanted)
        return _write(contact, link, wanted, clean=True)
    theirs = changed(old, new)
    merged = merge(base, here, old, new)
    news = [name for name in theirs if getattr(here, name) != getattr(new, name)]
    if news:  # not merely our own change, whose answer was lost
        link.crossed = {"kind": "both", "fields": {name: list(pair) for name, pair in merged.crossed.items()}}
    base = onto(base, new, theirs)
    link.base = as_json(base)
    return _write(contact, link, merged.values, clean=not changed(base, merged.values))


def _write(contact: Contact, link: CardLink, values: Values, *, clean: bool) -> bool:
    """The contact gets the values; ``clean``: the server has them already."""
    for name in FIELDS:
        value = getattr(values, name)
        setattr(contact, name, list(value) if name in LISTS else value)
    contact.index()
    contact.changed_at = timezone.now()
    link.known_at = contact.changed_at if clean else None
    return True


def _make(book: CardBook, fetched: Sequence[Fetched]) -> None:
    """Cards of which nothing was known: a contact for each, unless the person has that contact already."""
    CardLink.objects.filter(book=book, contact=None, href__in=[one.href for one in fetched]).delete()
    people: list[tuple[Fetched, Values]] = []
    links: list[CardLink] = []
    for one in fetched:
        values = read_values(one.card)
        if values.says_something and not is_group(one.card):
            people.append((one, values))
        else:
            links.append(CardLink(book=book, href=one.href, etag=one.etag))
    found = _already_here(book, people)
    made: list[Contact] = []
    adopted: list[Contact] = []
    taken: set[str] = set(found.uids)
    for one, values in people:
        link = CardLink(book=book, href=one.href, etag=one.etag, card=one.card)
        contact = found.take(one, values)
        if contact is not None:
            _adopt(contact, link, values)
            adopted.append(contact)
        else:
            uid = uid_of(one.card)
            contact = Contact(user_id=book.server.user_id, uid=uid if uid and uid not in taken else str(uuid.uuid4()))
            taken.add(contact.uid)
            link.base = as_json(values)
            _write(contact, link, values, clean=True)
            made.append(contact)
        link.contact = contact
        links.append(link)
    if made and Contact.objects.filter(user=book.server.user_id, removed_at=None).count() + len(made) > MOST:
        raise Full
    Contact.objects.bulk_create(made)
    for link in links:
        if link.contact is not None and link.contact in made:
            link.known_at = link.contact.changed_at  # which making them has set
    Contact.objects.bulk_update(adopted, COLUMNS)
    CardLink.objects.filter(contact__in=adopted).delete()  # of servers that are disconnected
    CardLink.objects.bulk_create(links)


def _adopt(contact: Contact, link: CardLink, there: Values) -> None:
    """Somebody who is here already: both sides keep what they know."""
    if contact.removed_at is not None:
        contact.removed_at = None
        link.base = as_json(there)
        _write(contact, link, there, clean=True)
        return
    here = values_of(contact)
    merged = merge(Values(), here, Values(), there)
    if merged.crossed:
        link.crossed = {"kind": "both", "fields": {name: list(pair) for name, pair in merged.crossed.items()}}
    link.base = as_json(there)
    _write(contact, link, merged.values, clean=not changed(there, merged.values))


class _Here:
    """Contacts of the person that some cards may be about: by UID, or by name and addresses. Those that a connected
    server has are nobody else's.
    """

    def __init__(self, contacts: Sequence[Contact], linked: set[int]) -> None:
        self.uids = {one.uid for one in contacts}
        free = [one for one in contacts if one.pk not in linked]
        self._by_uid = {one.uid: one for one in free}
        said = [one for one in free if one.mails and one.removed_at is None]
        self._by_words = {_words(one.name, one.mails): one for one in reversed(said)}
        self._taken: set[int] = set()

    def take(self, one: Fetched, values: Values) -> Contact | None:
        for contact in (self._by_uid.get(uid_of(one.card)), self._by_words.get(_words(values.name, values.mails))):
            if contact is not None and contact.pk not in self._taken:
                self._taken.add(contact.pk)
                return contact
        return None


def _words(name: str, mails: Iterable[str]) -> tuple[str, frozenset[str]]:
    return name, frozenset(mail.lower() for mail in mails)


def _already_here(book: CardBook, people: Sequence[tuple[Fetched, Values]]) -> _Here:
    own = Contact.objects.filter(user=book.server.user_id)
    uids = {uid for one, _ in people if (uid := uid_of(one.card))}
    names = {values.name for _, values in people if values.name and values.mails}
    ids = set(own.filter(uid__in=uids).values_list("pk", flat=True))
    ids |= set(own.filter(name__in=names, link=None, removed_at=None).values_list("pk", flat=True))
    locked = list(own.select_for_update().filter(pk__in=ids).order_by("pk"))
    linked = CardLink.objects.filter(contact__in=locked, book__server__removed_at=None)
    return _Here(locked, {pk for pk in linked.values_list("contact_id", flat=True) if pk})


def take_away(lease: CardLease, book: CardBook, hrefs: Sequence[str]) -> int:
    """These cards are gone from the server. Who was not changed here goes as well, to be found among the removed; who
    was is kept, and made there again. Returns how many went. Raises LeaseLost.
    """
    with guarded(lease, book.pk):
        links = list(CardLink.objects.filter(book=book, href__in=hrefs, absent=False).select_related("contact"))
        ids = [one.contact_id for one in links if one.contact_id]
        contacts = {one.pk: one for one in Contact.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
        now = timezone.now()
        going: list[int] = []
        for link in links:
            contact = contacts.get(link.contact_id or 0)
            if contact is None:
                link.delete()
            elif contact.removed_at is not None:
                _absent(link, {})  # gone on both sides; should its removal be taken back, it is made there again
            elif contact.changed_at != link.known_at:
                _absent(link, {"kind": "gone"})
            else:
                going.append(contact.pk)
                link.delete()
        remove(going, now)
        return len(going)


def _absent(link: CardLink, crossed: dict[str, object]) -> None:
    CardLink.objects.filter(pk=link.pk).update(absent=True, etag="", vanished=False, crossed=crossed)


def remove(ids: Sequence[int], now: datetime) -> None:
    Contact.objects.filter(pk__in=ids).update(removed_at=now, changed_at=now)
