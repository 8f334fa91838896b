"""Which placements a person means: ticked conversations, single messages, or everything in a mailbox."""

from collections.abc import Collection
from dataclasses import replace

from django.db.models import F, Q, QuerySet
from django.http import Http404

from accounts.models import User
from webmail.models import Flag, Mailbox, Placement

from .ops import Spot

_ASIDE = (Mailbox.Role.TRASH, Mailbox.Role.JUNK)
_OWN = (Mailbox.Role.SENT, Mailbox.Role.DRAFTS)


def visible(user: User) -> QuerySet[Placement]:
    return (
        Placement.objects.filter(account__user=user, state=Placement.State.LIVE)
        .alias(deleted=F("flags").bitand(int(Flag.DELETED)))
        .filter(deleted=0)
    )


def in_mailbox(user: User, mailbox: Mailbox) -> QuerySet[Placement]:
    return visible(user).filter(mailbox=mailbox)


def of_threads(user: User, threads: Collection[int], mailbox: Mailbox | None) -> QuerySet[Placement]:
    """The conversations' messages in the mailbox; without one, wherever they lie outside Spam and Trash."""
    scope = visible(user).filter(thread__in=threads)
    return _here_or_anywhere(scope, mailbox)


def of_places(user: User, places: Collection[tuple[int, int]]) -> QuerySet[Placement]:
    """The messages of each (mailbox, thread) pair: lines of a list that spans several mailboxes."""
    wanted = Q(pk__in=[])
    by_mailbox: dict[int, list[int]] = {}
    for mailbox, thread in places:
        by_mailbox.setdefault(mailbox, []).append(thread)
    for mailbox, threads in by_mailbox.items():
        wanted |= Q(mailbox=mailbox, thread__in=threads)
    return visible(user).filter(wanted)


def of_lines(user: User, lines: Collection[tuple[int, int]]) -> QuerySet[Placement]:
    """Single messages, each as (mailbox, message): lines of a list of messages. Without a mailbox it is 0."""
    wanted = Q(pk__in=[])
    for mailbox, message in lines:
        here = Q(mailbox=mailbox) if mailbox else ~Q(mailbox__role__in=_ASIDE)
        wanted |= here & Q(message=message)
    return visible(user).filter(wanted)


def onwards(user: User, message: int, mailbox: Mailbox | None) -> QuerySet[Placement]:
    """The message and what others wrote after it in its conversation, wherever that lies outside Spam and Trash."""
    aside = mailbox if mailbox is not None and mailbox.role in _ASIDE else None
    scope = _here_or_anywhere(visible(user), aside)
    first = scope.filter(message=message).order_by("received_at", "pk").values_list("thread", "received_at")
    found = first.first()
    if found is None:
        return scope.none()
    thread, at = found
    theirs = ~Q(mailbox__role__in=_OWN) & Q(received_at__gte=at)
    return scope.filter(thread=thread).filter(theirs | Q(message=message))


def of_messages(user: User, messages: Collection[int], mailbox: Mailbox | None) -> QuerySet[Placement]:
    scope = visible(user).filter(message__in=messages)
    return _here_or_anywhere(scope, mailbox)


def lock(placements: QuerySet[Placement]) -> list[Spot]:
    """The placements' present spots, locked until the transaction ends, in an order that cannot deadlock.

    A view over labels stands for the message it shows: that one is locked and acted on.
    """
    chosen = _locked(placements.filter(origin=None))
    views = list(placements.filter(origin__isnull=False).values_list("origin_id", "mailbox_id"))
    if not views:
        return chosen
    plain = {spot.placement for spot in chosen}
    seen: dict[int, int] = {}
    for origin, mailbox in views:
        assert origin is not None
        seen[origin] = 0 if origin in plain or origin in seen else mailbox  # in several places: in none of them
    shown = _locked(Placement.objects.filter(pk__in=seen.keys() - plain, state=Placement.State.LIVE))
    return [*chosen, *(replace(spot, seen_in=seen[spot.placement]) for spot in shown)]


def _locked(placements: QuerySet[Placement]) -> list[Spot]:
    rows = (
        placements.order_by("pk")
        .select_for_update(of=("self",))
        .values_list("pk", "account_id", "mailbox_id", "gen", "uid", "thread_id", "flags")
    )
    return [Spot(*row) for row in rows]


def newest_of_each_thread(spots: list[Spot]) -> list[Spot]:
    """A star on a conversation sits on its newest message."""
    ids = [spot.placement for spot in spots]
    newest = set(
        Placement.objects.filter(pk__in=ids)
        .order_by("thread", "-received_at", "-pk")
        .distinct("thread")
        .values_list("pk", flat=True)
    )
    return [spot for spot in spots if spot.placement in newest]


def _here_or_anywhere(scope: QuerySet[Placement], mailbox: Mailbox | None) -> QuerySet[Placement]:
    if mailbox is not None:
        return scope.filter(mailbox=mailbox)
    return scope.exclude(mailbox__role__in=_ASIDE)


def require(spots: list[Spot]) -> list[Spot]:
    """Nothing of what was named is the person's, or it has gone: 404, as for any foreign object."""
    if not spots:
        raise Http404
    return spots
