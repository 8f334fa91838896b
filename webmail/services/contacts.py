"""The address book: kept, merged, taken apart again, brought in from files. Every change can be taken back."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from webmail.mime.contact_cards import Card, is_address
from webmail.models import Contact, ContactGroup
from webmail.models import contact as rows

from . import card_servers

MOST = rows.MOST
_LONGEST_NOTES = 9_000  # to which an import still adds
VALUES = ("name", "organisation", "role", "mails", "numbers", "addresses", "notes")
LISTS = ("mails", "numbers", "addresses")


class TooMany(Exception):
    """The address book is full."""


@dataclass(frozen=True, slots=True)
class Details:
    """What a form or a card says of somebody."""

    name: str = ""
    organisation: str = ""
    role: str = ""
    mails: Sequence[str] = ()
    numbers: Sequence[str] = ()
    addresses: Sequence[str] = ()
    notes: str = ""
    groups: Sequence[ContactGroup] | None = None  # None: as they are


@dataclass(slots=True)
class Brought:
    """What an import did: how many are new, how many gained something, how many were here already."""

    new: int = 0
    changed: int = 0
    same: int = 0
    made: list[int] = field(default_factory=list)


@transaction.atomic
def save(user: User, details: Details, contact: Contact | None = None) -> Contact:
    """Raises TooMany."""
    if contact is None:
        _room(user, 1)
        contact = Contact(user=user, uid=str(uuid.uuid4()))
    for name in VALUES:
        value = getattr(details, name)
        setattr(contact, name, list(value) if name in LISTS else value)
    contact.index()
    contact.save()
    if details.groups is not None:
        contact.groups.set(details.groups)
    card_servers.changed(user.pk)
    return contact


def remove(contacts: Iterable[Contact]) -> int:
    """All of one person."""
    chosen, now = list(contacts), timezone.now()
    for user_id in {one.user_id for one in chosen}:
        card_servers.changed(user_id, removed=True)
    return Contact.objects.filter(pk__in=[one.pk for one in chosen]).update(removed_at=now, changed_at=now)


def restore(user: User, ids: Iterable[int]) -> int:
    card_servers.changed(user.pk)
    return Contact.objects.filter(user=user, pk__in=list(ids)).update(removed_at=None, changed_at=timezone.now())


@transaction.atomic
def merge(contacts: Sequence[Contact]) -> Contact | None:
    """The first, with what the others know: empty words filled, lists joined, notes one below the other.

    None where fewer than two are left, since another window was faster.
    """
    here = _still_here(contacts)
    if len(here) < 2:
        return None
    first, *others = here
    before = {name: getattr(first, name) for name in VALUES}
    had = set(first.groups.values_list("pk", flat=True))
    for other in others:
        for name in ("name", "organisation", "role"):
            setattr(first, name, getattr(first, name) or getattr(other, name))
        for name in LISTS:
            setattr(first, name, _joined(getattr(first, name), getattr(other, name)))
        first.notes = "\n\n".join(filter(None, (first.notes, other.notes if other.notes != first.notes else "")))
        first.groups.add(*other.groups.all())
    gained = [pk for pk in first.groups.values_list("pk", flat=True) if pk not in had]
    first.merged = {"before": before, "ids": [other.pk for other in others], "groups": gained}
    first.index()
    first.save()
    remove(others)
    card_servers.changed(first.user_id)
    return first


def _still_here(contacts: Iterable[Contact]) -> list[Contact]:
    """Each once and as it is now, in the order given; locked, so that two merges come one after the other."""
    ids = dict.fromkeys(one.pk for one in contacts)
    rows = Contact.objects.select_for_update().filter(pk__in=ids, removed_at=None).order_by("pk")
    found = {one.pk: one for one in rows}
    return [found[pk] for pk in ids if pk in found]


@transaction.atomic
def take_apart(contact: Contact) -> bool:
    """The newest merge taken back; False when there is none."""
    if not contact.merged:
        return False
    for name, value in contact.merged["before"].items():
        setattr(contact, name, value)
    restore(contact.user, contact.merged["ids"])
    contact.groups.remove(*contact.merged.get("groups", ()))
    contact.merged = {}
    contact.index()
    contact.save()
    return True


@transaction.atomic
def bring_in(user: User, cards: Iterable[Card]) -> Brought:
    """Cards into the address book: who is known by an address gains what is new, others are added. Raises TooMany."""
    known = {mail.lower(): one for one in Contact.objects.filter(user=user, removed_at=None) for mail in one.mails}
    brought = Brought()
    fresh: list[Contact] = []
    gained: dict[int, Contact] = {}
    for card in cards:
        contact = next((known[mail.lower()] for mail in card.mails if mail.lower() in known), None)
        if contact is None:
            contact = Contact(user=user, uid=str(uuid.uuid4()))
            fresh.append(contact)
            changed = _take(contact, card)
            brought.new += 1
        else:
            changed = _take(contact, card)
            brought.changed += int(changed and contact.pk is not None)
            brought.same += int(not changed)
        known.update({mail.lower(): contact for mail in contact.mails})
        contact.index()
        if changed and contact.pk is not None:
            contact.changed_at = timezone.now()
            gained[contact.pk] = contact
    _room(user, len(fresh))
    Contact.objects.bulk_update(gained.values(), [*VALUES, "sort", "search", "changed_at"], batch_size=500)
    card_servers.changed(user.pk)
    brought.made = [one.pk for one in Contact.objects.bulk_create(fresh)]
    return brought


def name_group(user: User, name: str, group: ContactGroup | None = None) -> ContactGroup:
    """Made, or renamed. Raises IntegrityError for a name that another group has."""
    if group is None:
        return ContactGroup.objects.get_or_create(user=user, name=name, removed_at=None)[0]
    group.name = name
    with transaction.atomic():
        group.save(update_fields=["name"])
    return group


def drop_group(group: ContactGroup) -> None:
    ContactGroup.objects.filter(pk=group.pk).update(removed_at=timezone.now())


def restore_group(user: User, group_id: int) -> bool:
    """False where another has taken its name meanwhile, or there is none."""
    try:
        with transaction.atomic():
            return bool(ContactGroup.objects.filter(user=user, pk=group_id).update(removed_at=None))
    except IntegrityError:
        return False


def _take(contact: Contact, card: Card) -> bool:
    """Adds what the card knows more; says whether that was anything."""
    before = [getattr(contact, name) for name in VALUES]
    for name in ("name", "organisation", "role"):
        setattr(contact, name, (getattr(contact, name) or getattr(card, name))[:200])
    for name, longest in (("mails", 320), ("numbers", 60), ("addresses", 300)):
        more = [value[:longest] for value in getattr(card, name) if name != "mails" or is_address(value)]
        setattr(contact, name, _joined(getattr(contact, name), more)[:20])
    for value in card.mails:  # what is none is kept, but never written to: it could name other people
        if not is_address(value) and value not in contact.notes and len(contact.notes) < _LONGEST_NOTES:
            contact.notes = "\n".join(filter(None, (contact.notes, value)))
    return before != [getattr(contact, name) for name in VALUES]


def _joined(one: Sequence[str], other: Sequence[str]) -> list[str]:
    found = {value.lower(): value for value in reversed([*one, *other])}
    return list(reversed(found.values())) if len(found) < len(one) + len(other) else [*one, *other]


def _room(user: User, more: int) -> None:
    if Contact.objects.filter(user=user, removed_at=None).count() + more > MOST:
        raise TooMany
