"""What a person does to mail: each is one transaction that changes the rows and records the intent for the server.

Every function returns the Action, by which ``undo`` takes it back as one.
"""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import MailAccount, User
from webmail import live
from webmail.models import Action, Draft, Flag, Mailbox, Placement, RemoteOp
from webmail.models.label_views import home_of
from webmail.models.summaries import refresh_lines, refresh_threads

from . import drafts as writing
from . import folders, labels, ops
from .ops import Spot

UNDO_WINDOW = timedelta(seconds=12)  # deleting for good waits this long before it reaches the server
POP_UNDO_WINDOW = timedelta(seconds=16)  # beyond sync.pop_ledger.UNDO, until which a POP3 deletion is not planned

FLAG_KINDS = {
    "read": (Flag.SEEN, Flag(0)),
    "unread": (Flag(0), Flag.SEEN),
    "star": (Flag.FLAGGED, Flag(0)),
    "unstar": (Flag(0), Flag.FLAGGED),
}


@transaction.atomic
def change_flags(user: User, kind: str, spots: list[Spot], *, set_: int, clear: int) -> Action:
    """Sets and clears flag bits; messages that already look that way are left alone."""
    changed = [spot for spot in spots if (spot.flags | set_) & ~clear != spot.flags]
    inverse = [
        {"do": "flags", "placements": [spot.placement for spot in members], "set": clear & old, "clear": set_ & ~old}
        for old, members in _by_flags(changed, set_ | clear).items()
    ]
    action = Action.objects.create(user=user, kind=kind, count=len(changed), inverse=inverse)
    remote = ops.remote_accounts({spot.account for spot in changed})
    for owed in (True, False):
        ids = [spot.placement for spot in changed if (spot.account in remote) == owed]
        new = F("flags").bitor(set_).bitand(~clear)
        extra = {"pending_mask": F("pending_mask").bitor(set_ | clear)} if owed else {"server_flags": new}
        if ids:
            Placement.objects.filter(pk__in=ids).update(flags=new, **extra)
    ops.record(action, RemoteOp.Kind.FLAGS, changed, set_flags=set_, clear_flags=clear)
    refresh(user, changed, marks_only=not (set_ | clear) & Flag.DELETED)
    return action


@transaction.atomic
def move(user: User, kind: str, spots: list[Spot], destination: Mailbox) -> Action:
    """Puts messages into another mailbox of their account; here at once, on the server by a RemoteOp."""
    mine = [spot for spot in spots if spot.account == destination.account_id and spot.seen_in != destination.pk]
    home = home_of(destination.account_id)
    if home is not None and labels.takes_labels(destination):
        return joined(user, kind, labels.place(user, kind, mine, destination, home))
    return carry(user, kind, mine, destination)


def carry(user: User, kind: str, spots: list[Spot], destination: Mailbox) -> Action:
    """A move from mailbox to mailbox. Call inside a transaction."""
    moving = [spot for spot in spots if spot.mailbox != destination.pk]
    inverse: list[dict[str, Any]] = [
        {"do": "move", "placements": [spot.placement for spot in members], "to": mailbox, "from": destination.pk}
        for mailbox, members in by_mailbox(moving).items()
    ]
    inverse += [
        {"do": "labels", "placements": placements, "add": sorted(views), "remove": [], "always": True}
        for views, placements in labels.shown_in(moving).items()
    ]
    action = Action.objects.create(user=user, kind=kind, count=len(moving), inverse=inverse)
    Placement.objects.filter(pk__in=[spot.placement for spot in moving]).update(
        mailbox=destination, gen=destination.gen, uid=None, modseq=None
    )
    ops.record(action, RemoteOp.Kind.MOVE, moving, destination=destination)
    refresh(user, moving, also=[destination])
    return action


def to_role(user: User, kind: str, spots: list[Spot], role: str, *, set_: int = 0, clear: int = 0) -> Action:
    """Moves to each account's Archive, Spam, Inbox or Trash; ``set_`` and ``clear`` are marks that go along."""
    with transaction.atomic():
        parts = []
        for account in MailAccount.objects.filter(pk__in={spot.account for spot in spots}):
            mine = [spot for spot in spots if spot.account == account.pk]
            if set_ | clear:
                parts.append(change_flags(user, kind, mine, set_=set_, clear=clear))
            home = home_of(account.pk) if role == Mailbox.Role.ARCHIVE else None
            if home is not None:
                parts += labels.archive(user, kind, mine, home)
            else:
                parts.append(move(user, kind, mine, folders.with_role(account, role)))
        return joined(user, kind, parts)


@transaction.atomic
def delete(user: User, spots: list[Spot], drafts: Collection[Draft] = ()) -> Action:
    """To Trash; what lies there (or is a draft or spam) is deleted for good, after the time for undo has passed.

    ``drafts`` are those being written here: they are discarded, and their copies on the server follow.
    """
    final_roles = [Mailbox.Role.TRASH, Mailbox.Role.JUNK, Mailbox.Role.DRAFTS]
    final = set(
        Mailbox.objects.filter(pk__in={spot.mailbox for spot in spots}, role__in=final_roles).values_list(
            "pk", flat=True
        )
    )
    gone = [spot for spot in spots if spot.mailbox in final]
    rest = [spot for spot in spots if spot.mailbox not in final]
    parts = []
    if gone:
        parts.append(expunge(user, gone))
    if rest:
        parts.append(to_role(user, "delete", rest, Mailbox.Role.TRASH))
    if drafts:
        parts.append(_discard(user, drafts))
    return joined(user, "delete", parts, count=sum(part.count for part in parts))


@transaction.atomic
def copy(user: User, spots: list[Spot], destination: Mailbox) -> Action:
    """Puts copies into another mailbox of their account; a copy waits there for its UID as a moved message does."""
    mine = [spot for spot in spots if spot.account == destination.account_id]
    home = home_of(destination.account_id)
    if home is not None and labels.takes_labels(destination):  # one more label, no second message
        return joined(user, "copy", labels.place(user, "copy", mine, destination, home, leave=False))
    copying = [spot for spot in mine if spot.mailbox != destination.pk]
    sources = Placement.objects.in_bulk([spot.placement for spot in copying])
    made = Placement.objects.bulk_create(
        Placement(
            account_id=spot.account,
            mailbox=destination,
            gen=destination.gen,
            message_id=sources[spot.placement].message_id,
            thread_id=spot.thread,
            received_at=sources[spot.placement].received_at,
            flags=spot.flags,
            server_flags=spot.flags,
            keywords=sources[spot.placement].keywords,
            server_keywords=sources[spot.placement].keywords,
        )
        for spot in copying
    )
    copies = {spot.placement: row.pk for spot, row in zip(copying, made, strict=True)}
    inverse = [
        {"do": "uncopy", "placements": [copies[spot.placement] for spot in members], "from": mailbox}
        for mailbox, members in by_mailbox(copying).items()
    ]
    action = Action.objects.create(user=user, kind="copy", count=len(copying), inverse=inverse)
    ops.record(action, RemoteOp.Kind.COPY, copying, destination=destination, copies=copies)
    refresh(user, copying, also=[destination])
    return action


def expunge(user: User, spots: list[Spot]) -> Action:
    """Deletes for good; reaches the server once the time for undo has passed."""
    inverse = [{"do": "restore", "placements": [spot.placement for spot in spots]}]
    action = Action.objects.create(user=user, kind="expunge", count=len(spots), inverse=inverse)
    now = timezone.now()
    Placement.objects.filter(pk__in=[spot.placement for spot in spots]).update(state=Placement.State.GONE, gone_at=now)
    ops.record(action, RemoteOp.Kind.EXPUNGE, spots, not_before=now + UNDO_WINDOW)
    refresh(user, spots)
    return action


def _discard(user: User, drafts: Collection[Draft]) -> Action:
    closing = [draft for draft in drafts if draft.closed_at is None]
    for draft in closing:
        writing.discard(draft)
    inverse = [{"do": "reopen", "drafts": [draft.pk for draft in closing]}]
    return Action.objects.create(user=user, kind="delete", count=len(closing), inverse=inverse)


def joined(user: User, kind: str, parts: list[Action], *, count: int | None = None) -> Action:
    """One Action for several, so that one Undo takes all of them back, last first. Without ``count`` all parts are
    about the same messages.
    """
    if len(parts) == 1:
        return parts[0]
    whole = Action.objects.create(
        user=user,
        kind=kind,
        count=max((part.count for part in parts), default=0) if count is None else count,
        inverse=[step for part in reversed(parts) for step in part.inverse],
    )
    RemoteOp.objects.filter(action__in=parts).update(action=whole)
    Action.objects.filter(pk__in=[part.pk for part in parts]).delete()
    return whole


def _by_flags(spots: Iterable[Spot], mask: int) -> dict[int, list[Spot]]:
    groups: dict[int, list[Spot]] = {}
    for spot in spots:
        groups.setdefault(spot.flags & mask, []).append(spot)
    return groups


def by_mailbox(spots: Iterable[Spot]) -> dict[int, list[Spot]]:
    """The spots of each mailbox."""
    groups: dict[int, list[Spot]] = {}
    for spot in spots:
        groups.setdefault(spot.mailbox, []).append(spot)
    return groups


def refresh(user: User, spots: list[Spot], *, also: Iterable[Mailbox] = (), marks_only: bool = False) -> None:
    """Brings the summaries of what was touched up to date and tells the person's other open pages.

    ``marks_only``: no message came, went or hid, so the conversations themselves are as they were.
    """
    if not spots:
        return
    threads = {spot.thread for spot in spots}
    boxes = {spot.mailbox: spot.account for spot in spots} | {box.pk: box.account_id for box in also}
    refresh_lines(list(boxes), list(threads))
    if not marks_only:
        refresh_threads(list(threads))
    for mailbox, account in boxes.items():
        live.publish_on_commit(user.pk, "mailbox", account=account, mailbox=mailbox)
