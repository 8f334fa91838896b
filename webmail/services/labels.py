"""What moving and archiving mean where folders are labels (Gmail): label changes on the one message there is.

Invariants: a message in All Mail is never moved but to Spam and Trash; one that comes back from there gets the labels
it had; Sent and Drafts are given by the server and never changed; Starred is the star. Call inside a transaction.
"""

from collections.abc import Iterable
from dataclasses import replace

from django.db.models import QuerySet

from accounts.models import User
from webmail.models import Action, Flag, Mailbox, Placement, RemoteOp
from webmail.models.label_views import DRAFT, INBOX, SENT, STARRED, relabel

from . import actions, ops
from .ops import Spot

_REAL = (Mailbox.Role.JUNK, Mailbox.Role.TRASH)
_GIVEN = (SENT, DRAFT)  # by the server
Change = tuple[frozenset[int], frozenset[int]]  # views whose labels come, and those whose labels go


def takes_labels(destination: Mailbox) -> bool:
    """Whether a message gets there by its labels, in an account that has a labelled mailbox."""
    return destination.role not in _REAL


def place(
    user: User, kind: str, spots: list[Spot], destination: Mailbox, home: Mailbox, *, leave: bool = True
) -> list[Action]:
    """Puts messages into a label's folder, or with All Mail as the destination out of the one they were seen in.

    Without ``leave`` they stay in that one too.
    """
    view = _as_view(destination) if destination.pk != home.pk else None
    away = [spot for spot in spots if spot.mailbox != home.pk]
    here = [spot for spot in spots if spot.mailbox == home.pk]
    parts = []
    if away:
        parts.append(actions.carry(user, kind, away, home))
        back = [replace(spot, mailbox=home.pk, gen=home.gen, uid=None, seen_in=0) for spot in away]
        parts.append(_add(user, kind, back, view, leave=False))
    if here:
        parts.append(_add(user, kind, here, view, leave=leave))
    return parts


def archive(user: User, kind: str, spots: list[Spot], home: Mailbox) -> list[Action]:
    """Out of the inbox; what lies in Spam or Trash comes back without it."""
    return place(user, kind, [replace(spot, seen_in=0) for spot in spots], home, home)


def shown_in(spots: Iterable[Spot]) -> dict[frozenset[int], list[int]]:
    """Placements by the views that show them: what to put back when they return. Nothing given by the server."""
    ids = [spot.placement for spot in spots]
    boxes: dict[int, set[int]] = {}
    views = Placement.objects.filter(origin__in=ids).exclude(mailbox__label__in=[*_GIVEN, STARRED])
    for origin, mailbox in views.values_list("origin_id", "mailbox_id"):
        boxes.setdefault(origin or 0, set()).add(mailbox)
    groups: dict[frozenset[int], list[int]] = {}
    for placement, found in boxes.items():
        groups.setdefault(frozenset(found), []).append(placement)
    return groups


def change(
    user: User, kind: str, spots: list[Spot], *, add: Iterable[int], remove: Iterable[int], always: bool = False
) -> Action:
    """Adds and removes the labels of these views; ``always`` tells the server also what looks done already."""
    boxes = {box.pk: box for box in Mailbox.objects.filter(pk__in={*add, *remove}).exclude(label="")}
    groups = _differing(spots, boxes, frozenset(add), frozenset(remove))
    changed = [spot for (coming, going), members in groups.items() if coming or going for spot in members]
    inverse = [
        {
            "do": "labels",
            "placements": [spot.placement for spot in members],
            "add": sorted(going),
            "remove": sorted(coming),
        }
        for (coming, going), members in groups.items()
        if coming or going
    ]
    action = Action.objects.create(user=user, kind=kind, count=len(changed), inverse=inverse)
    for (coming, going), members in groups.items():
        if coming or going:
            add_texts, remove_texts = [boxes[pk].label for pk in coming], [boxes[pk].label for pk in going]
            relabel([spot.placement for spot in members], add=add_texts, remove=remove_texts)
        told = (
            {"add": sorted(add), "remove": sorted(remove)}
            if always
            else {"add": sorted(coming), "remove": sorted(going)}
        )
        if told["add"] or told["remove"]:
            ops.record(action, RemoteOp.Kind.LABELS, members, labels=told)
    actions.refresh(user, changed)
    return action


def _add(user: User, kind: str, spots: list[Spot], view: Mailbox | None, *, leave: bool) -> Action:
    """Adds the view's label; with ``leave`` takes off the one the message was seen under, else the inbox's."""
    if view is not None and view.label == STARRED:
        return actions.change_flags(user, kind, spots, set_=int(Flag.FLAGGED), clear=0)
    if view is not None and view.label in _GIVEN:
        return Action.objects.create(user=user, kind=kind)
    parts = []
    for box, members in _left(spots, leave=leave).items():
        coming = {view.pk} if view is not None else set()
        parts.append(change(user, kind, members, add=coming, remove={box} - coming if box else ()))
    return actions.joined(user, kind, parts)


def _left(spots: list[Spot], *, leave: bool) -> dict[int, list[Spot]]:
    """Spots by the view they leave; 0 for none."""
    if not leave:
        return {0: spots}
    views = {box.pk: box for box in _views({spot.mailbox for spot in spots})}
    inbox = next((pk for pk, box in views.items() if box.label == INBOX), 0)
    groups: dict[int, list[Spot]] = {}
    for spot in spots:
        seen = views.get(spot.seen_in)
        leaves = seen is not None and seen.label not in (*_GIVEN, STARRED)
        groups.setdefault(spot.seen_in if leaves else inbox, []).append(spot)
    return groups


def _views(homes: set[int]) -> QuerySet[Mailbox]:
    accounts = Mailbox.objects.filter(pk__in=homes).values("account")
    return Mailbox.objects.filter(account__in=accounts).exclude(label="").exclude(phase=Mailbox.Phase.GONE)


def _differing(
    spots: list[Spot], boxes: dict[int, Mailbox], add: frozenset[int], remove: frozenset[int]
) -> dict[Change, list[Spot]]:
    """Spots by what really changes about them."""
    rows = Placement.objects.filter(pk__in=[spot.placement for spot in spots])
    labels = {pk: set(found or ()) for pk, found in rows.values_list("pk", "labels")}
    groups: dict[Change, list[Spot]] = {}
    for spot in spots:
        has = labels.get(spot.placement, set())
        coming = frozenset(pk for pk in add if pk in boxes and boxes[pk].label not in has)
        going = frozenset(pk for pk in remove if pk in boxes and boxes[pk].label in has)
        groups.setdefault((coming, going), []).append(spot)
    return groups


def _as_view(destination: Mailbox) -> Mailbox:
    """A folder that was just made here is a label as well; the next listing says the same."""
    if not destination.label:
        destination.label = bytes(destination.wire_name).decode("latin-1")
        Mailbox.objects.filter(pk=destination.pk).update(label=destination.label)
    return destination
