"""The address book as pages and files show it."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from accounts.models import User
from webmail.mime.vcards import Entry
from webmail.models import Contact, ContactGroup
from webmail.search import normalise

from . import access

PAGE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """``after`` is the cursor of the next page, "" at the end; ``total`` counts all that match."""

    rows: tuple[Contact, ...]
    total: int
    after: str


def page(user: User, *, typed: str = "", group: ContactGroup | None = None, after: str = "") -> Page:
    """A hundred in the order of their names."""
    found = matching(user, typed=typed, group=group)
    total = found.count()
    sort, _, pk = after.replace("\0", "").rpartition("~")
    if pk.isdecimal():
        found = found.filter(Q(sort__gt=sort) | Q(sort=sort, pk__gt=int(pk[:18])))
    rows = tuple(found.order_by("sort", "pk")[: PAGE + 1])
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return Page(rows[:PAGE], total, f"{last.sort}~{last.pk}" if last else "")


def matching(user: User, *, typed: str = "", group: "ContactGroup | Group | None" = None) -> QuerySet[Contact]:
    """Those of whom every word typed begins a word of name, organisation, address or number."""
    found = access.contacts(user)
    if group is not None:
        found = found.filter(groups=group.pk)
    for word in normalise(typed[:200].replace("\0", "")).split()[:8]:
        found = found.filter(Q(search__startswith=word) | Q(search__contains=f" {word}"))
    return found


@dataclass(frozen=True, slots=True)
class Group:
    """``count``: how many of it are still there."""

    pk: int
    name: str
    count: int

    @property
    def url(self) -> str:
        return f"{reverse('mail:contacts')}?group={self.pk}"


def groups(user: User) -> list[Group]:
    here = Count("contacts", filter=Q(contacts__removed_at=None))
    found = ContactGroup.objects.filter(user=user, removed_at=None).annotate(here=here).order_by("name")
    return [Group(*row) for row in found.values_list("pk", "name", "here")]


def entries(found: QuerySet[Contact]) -> Iterator[Entry]:
    """As a file holds them, in the order of their names."""
    for one in found.order_by("sort", "pk").prefetch_related("groups"):
        yield Entry(
            uid=one.uid,
            name=one.name,
            organisation=one.organisation,
            role=one.role,
            mails=tuple(one.mails),
            numbers=tuple(one.numbers),
            addresses=tuple(one.addresses),
            notes=one.notes,
            groups=tuple(group.name for group in one.groups.all() if group.removed_at is None),
        )
