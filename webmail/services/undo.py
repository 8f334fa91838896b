"""Taking an action back. What has not left yet is cancelled; what the server already did is done the other way."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import MailAccount, User
from webmail import live
from webmail.jobs import Job, enqueue_on_commit
from webmail.models import Action, BulkJob, Draft, Mailbox, Placement, RemoteOp
from webmail.models.folder_tree import reappear
from webmail.models.numbering import Before, put_back

from . import actions, drafts, keywords, labels, mailboxes, ops, targets


@transaction.atomic
def undo(user: User, action: Action) -> bool:
    """True when something was taken back; a second call finds nothing left to do, nor does one that comes too late.

    Raises mailboxes.NotPossible, with nothing changed, for a folder whose old place is taken or that holds mail by
    now, and for mail whose folder is gone.
    """
    taken = Action.objects.filter(pk=action.pk, undone_at=None).update(undone_at=timezone.now())
    if not taken:
        return False
    done = [_turn_around(action), *[_STEPS[step["do"]](user, action, step) for step in action.inverse]]
    if action.inverse and not any(done):
        Action.objects.filter(pk=action.pk).update(undone_at=None)
        return False
    live.publish_on_commit(user.pk, "action", action=str(action.pk), undone=1)
    return True


def _turn_around(action: Action) -> bool:
    """An action on very many messages: it goes no further, its newest part is taken back now, the rest by its job.
    False for one that is none.
    """
    job = BulkJob.objects.select_for_update().defer("placements").filter(action=action).first()
    if job is None:
        return False
    BulkJob.objects.filter(pk=job.pk).update(state=BulkJob.State.UNDOING, worked_at=timezone.now())
    newest = action.parts.order_by("created_at").first()
    if newest is not None:
        with ops.telling_nobody():
            undo(job.user, newest)
    enqueue_on_commit(Job.BULK, job.pk)
    return True


def newest(user: User) -> Action | None:
    """What Undo without further words means: the last thing the person did within the time for it.

    Not that a message was read: opening it says so by itself.
    """
    since = timezone.now() - actions.UNDO_WINDOW
    done = Action.objects.filter(user=user, undone_at=None, created_at__gte=since, count__gt=0, whole=None)
    return done.exclude(kind__in=["read", "undo"]).order_by("-created_at").first()


def _flags(user: User, action: Action, step: dict[str, Any]) -> bool:
    spots = targets.lock(targets.visible(user).filter(pk__in=step["placements"]))
    actions.change_flags(user, "undo", spots, set_=step["set"], clear=step["clear"])
    return bool(spots)


def _keywords(user: User, action: Action, step: dict[str, Any]) -> bool:
    """As of marks, nothing is cancelled: what undoes each other is never sent."""
    spots = targets.lock(targets.visible(user).filter(pk__in=step["placements"]))
    keywords.change(user, "undo", spots, add=step["add"], remove=step["remove"])
    return bool(spots)


def _move(user: User, action: Action, step: dict[str, Any]) -> bool:
    home = Mailbox.objects.select_related("account").filter(pk=step["to"], account__user=user).first()
    if home is None or home.phase == Mailbox.Phase.GONE:  # with a folder that is being deleted it would be lost
        raise mailboxes.NotPossible(_("This folder is not there any more."))
    ids = set(step["placements"])
    spots = targets.lock(targets.visible(user).filter(pk__in=ids, mailbox=step["from"]))
    cancelled = _cancel(action, RemoteOp.Kind.MOVE, home.pk, {spot.placement for spot in spots})
    back = [spot for spot in spots if spot.placement in cancelled]
    if back:
        cancelled = put_back(home.pk, cancelled)
        _lead_back(cancelled, step["from"], home)
        ops.wake(home.account_id)
    actions.refresh(user, back, also=[home])
    actions.move(user, "undo", [spot for spot in spots if spot.placement not in cancelled], home)
    return bool(spots)


def _labels(user: User, action: Action, step: dict[str, Any]) -> bool:
    """Nothing is cancelled: changes of labels are sent in their order, and the last one counts."""
    spots = targets.lock(targets.visible(user).filter(pk__in=step["placements"], mailbox__labelled=True))
    always = step.get("always", False)
    labels.change(user, "undo", spots, add=step["add"], remove=step["remove"], always=always)
    return bool(spots)


def _restore(user: User, action: Action, step: dict[str, Any]) -> bool:
    """Only what the server has not deleted yet can come back; after the window nothing is promised."""
    ids = set(step["placements"])
    spots = targets.lock(Placement.objects.filter(pk__in=ids, account__user=user))
    if Mailbox.objects.filter(pk__in={spot.mailbox for spot in spots}, phase=Mailbox.Phase.GONE).exists():
        raise mailboxes.NotPossible(_("This folder is not there any more."))
    remote = ops.remote_accounts({spot.account for spot in spots})
    back = [spot for spot in spots if spot.account not in remote]
    for mailbox, members in actions.by_mailbox(spots).items():
        cancelled = _cancel(action, RemoteOp.Kind.EXPUNGE, mailbox, {spot.placement for spot in members})
        back += [spot for spot in members if spot.placement in cancelled]
    for mailbox, members in actions.by_mailbox(back).items():
        put_back(mailbox, {spot.placement: (spot.gen, spot.uid) for spot in members})
    for account in {spot.account for spot in back} & remote:
        ops.wake(account)
    actions.refresh(user, back)
    return bool(back)


def _reopen(user: User, action: Action, step: dict[str, Any]) -> bool:
    """Drafts that were discarded; one that was reopened and sent meanwhile stays sent."""
    del action
    closed = Draft.objects.filter(user=user, pk__in=step["drafts"], closed_at__isnull=False)
    reopened = list(closed.exclude(pk__in=drafts.were_sent(closed).values("pk")))
    for draft in reopened:
        drafts.reopen(draft)
    return bool(reopened)


def _uncopy(user: User, action: Action, step: dict[str, Any]) -> bool:
    """Copies the server has not made are forgotten; those it has made are deleted there."""
    spots = targets.lock(targets.visible(user).filter(pk__in=step["placements"]))
    cancelled = _cancel(action, RemoteOp.Kind.COPY, step["from"], {spot.placement for spot in spots})
    Placement.objects.filter(pk__in=cancelled).update(state=Placement.State.GONE, gone_at=timezone.now())
    actions.refresh(user, [spot for spot in spots if spot.placement in cancelled])
    made = [spot for spot in spots if spot.placement not in cancelled]
    if made:
        _as_undo(actions.expunge(user, made))
    return bool(spots)


def _uncreate(user: User, action: Action, step: dict[str, Any]) -> bool:
    """A folder that is still empty goes again; what no worker has begun is not sent. Raises NotPossible."""
    mailbox = _folder(user, step)
    if mailbox is None:
        return False
    if mailbox.total:
        raise mailboxes.NotPossible(_("There is mail in this folder by now, so it stays."))
    if _cancelled(action, RemoteOp.Kind.CREATE, mailbox):
        Mailbox.objects.filter(pk=mailbox.pk).update(phase=Mailbox.Phase.GONE)
    else:
        _as_undo(mailboxes.remove(user, mailbox))
    return True


def _rename(user: User, action: Action, step: dict[str, Any]) -> bool:
    mailbox = _folder(user, step)
    if mailbox is not None:
        _as_undo(mailboxes.rename(user, mailbox, step["leaf"]))
    return mailbox is not None


def _subscribe(user: User, action: Action, step: dict[str, Any]) -> bool:
    mailbox = _folder(user, step)
    if mailbox is not None:
        _as_undo(mailboxes.subscribe(user, mailbox, wanted=step["wanted"]))
    return mailbox is not None


def _as_undo(action: Action) -> None:
    """What undoing does is not itself offered for undo."""
    Action.objects.filter(pk=action.pk).update(kind="undo")


def _reappear(user: User, action: Action, step: dict[str, Any]) -> bool:
    """Only what the server has not deleted yet can come back; a POP3 account's folders are nowhere else."""
    mailbox = Mailbox.objects.select_related("account").filter(pk=step["mailbox"], account__user=user).first()
    if mailbox is None:
        return False
    here_only = mailbox.account.protocol == MailAccount.Protocol.POP3
    if not _cancelled(action, RemoteOp.Kind.REMOVE, mailbox) and not here_only:
        return False
    reappear(mailbox.pk, step["kept"])
    live.publish_on_commit(user.pk, "account", account=mailbox.account_id)
    return True


def _cancelled(action: Action, kind: RemoteOp.Kind, mailbox: Mailbox) -> bool:
    """Whether the action's operation on this folder had not begun, and now never will."""
    waiting = RemoteOp.objects.select_for_update().filter(
        action=action, kind=kind, mailbox=mailbox, state=RemoteOp.State.QUEUED, attempts=0
    )
    ids = [op.pk for op in waiting]
    return bool(RemoteOp.objects.filter(pk__in=ids).update(state=RemoteOp.State.CANCELLED, finished_at=timezone.now()))


def _folder(user: User, step: dict[str, Any]) -> Mailbox | None:
    scope = Mailbox.objects.select_related("account").exclude(phase=Mailbox.Phase.GONE)
    return scope.filter(pk=step["mailbox"], account__user=user).first()


def _cancel(action: Action, kind: RemoteOp.Kind, mailbox: int, placements: set[int]) -> dict[int, Before]:
    """Takes these out of operations no worker has begun; gives each one's generation and UID from before.

    What the person has moved on since stays in its operation: the later one builds on it.
    """
    waiting = RemoteOp.objects.select_for_update().filter(
        action=action, kind=kind, mailbox=mailbox, state=RemoteOp.State.QUEUED, attempts=0
    )
    before: dict[int, Before] = {}
    for op in waiting.order_by("id"):  # a worker that only tells it a UID is waited for; one that begins it was faster
        before |= {pk: (op.gen, uid) for pk, uid in _take_out(op, placements).items()}
    return before


def _take_out(op: RemoteOp, placements: Collection[int]) -> dict[int, int | None]:
    """Takes placements out of a locked operation, cancelled when none is left; returns them with their UIDs."""
    pairs = dict(zip(op.placements, op.uids, strict=True))
    taken = {pk: uid for pk, uid in pairs.items() if pk in placements}
    left = {pk: uid for pk, uid in pairs.items() if pk not in placements}
    if left:
        op.placements, op.uids = list(left), list(left.values())
    else:
        op.state, op.finished_at = RemoteOp.State.CANCELLED, timezone.now()
    op.save(update_fields=["placements", "uids", "state", "finished_at"])
    return taken


def _lead_back(cancelled: Mapping[int, Before], left: int, home: Mailbox) -> None:
    """Marks given where the messages never came to be are given where they are, in the order they were given."""
    marks = RemoteOp.objects.select_for_update().filter(
        kind__in=[RemoteOp.Kind.FLAGS, RemoteOp.Kind.KEYWORDS],
        state=RemoteOp.State.QUEUED,
        mailbox=left,
        placements__overlap=list(cancelled),
    )
    for op in marks.order_by("id"):
        by_gen: dict[int, dict[int, int | None]] = {}
        for pk in _take_out(op, cancelled):
            gen, uid = cancelled[pk]
            by_gen.setdefault(gen, {})[pk] = uid
        for gen, members in by_gen.items():
            RemoteOp.objects.create(
                account_id=op.account_id,
                action_id=op.action_id,
                kind=op.kind,
                mailbox=home,
                gen=gen,
                placements=list(members),
                uids=list(members.values()),
                set_flags=op.set_flags,
                clear_flags=op.clear_flags,
                args=op.args,
            )


_STEPS = {
    "flags": _flags,
    "keywords": _keywords,
    "labels": _labels,
    "move": _move,
    "restore": _restore,
    "uncopy": _uncopy,
    "uncreate": _uncreate,
    "rename": _rename,
    "subscribe": _subscribe,
    "reopen": _reopen,
    "reappear": _reappear,
}
