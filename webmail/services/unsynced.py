"""What a person decides about an intent the server refused, or has not carried out for long."""

from collections.abc import Callable

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from webmail import live
from webmail.mime.folder_names import display_name
from webmail.models import Mailbox, RemoteOp
from webmail.queries import unsynced as reading
from webmail.queries.nav import waiting_or_refused

from . import actions, keywords, labels, mailboxes, ops, targets
from .mailboxes import NotPossible
from .ops import Spot

State = RemoteOp.State
Kind = RemoteOp.Kind


@transaction.atomic
def try_again(user: User, op: RemoteOp) -> None:
    """What waits is due now; what was refused is done once more, here and then on the server. Raises NotPossible."""
    members = _members(user, op)
    if op.state != State.FAILED:
        waiting = RemoteOp.objects.filter(pk__in=[one.pk for one in members])
        waiting.filter(state__in=(State.QUEUED, State.INFLIGHT)).update(not_before=None)
        ops.wake(op.account_id)
        return
    for one in members:
        _AGAIN[Kind(one.kind)](user, one)
    _settle(user, members)


@transaction.atomic
def dismiss(user: User, op: RemoteOp) -> bool:
    """Takes what was refused off the page; the rows show what the server has already. False for what still waits."""
    members = [one for one in _members(user, op) if one.state == State.FAILED]
    _settle(user, members)
    return bool(members)


def _members(user: User, op: RemoteOp) -> list[RemoteOp]:
    """The operations that stand on the page as one line, locked."""
    rows = RemoteOp.objects.select_for_update(of=("self",)).select_related(
        "action", "mailbox__account", "destination__account"
    )
    same = rows.filter(waiting_or_refused(user), account=op.account_id, kind=op.kind, mailbox=op.mailbox_id)
    return [one for one in same.order_by("id") if reading.group_of(one) == reading.group_of(op)]


def _settle(user: User, members: list[RemoteOp]) -> None:
    refused = [one.pk for one in members if one.state == State.FAILED]
    again = RemoteOp.objects.filter(pk__in=refused, state=State.FAILED)
    again.update(state=State.CANCELLED, finished_at=timezone.now())
    for account in {one.account_id for one in members}:
        live.publish_on_commit(user.pk, "account", account=account)


def _still(user: User, op: RemoteOp, ids: list[int], *, here: bool = True) -> list[Spot]:
    """Those of the messages that are still where they were."""
    scope = targets.visible(user).filter(pk__in=ids)
    spots = targets.lock(scope.filter(mailbox=op.mailbox_id) if here else scope)
    if not spots:
        raise NotPossible(_("These messages are not there any more."))
    return spots


def _place(box: Mailbox | None) -> Mailbox:
    if box is None or not box.selectable:
        raise NotPossible(_("This folder is not there any more."))
    return box


def _flags(user: User, op: RemoteOp) -> None:
    spots = _still(user, op, op.placements, here=False)
    actions.change_flags(user, "flags", spots, set_=op.set_flags, clear=op.clear_flags)


def _keywords(user: User, op: RemoteOp) -> None:
    spots = _still(user, op, op.placements, here=False)
    keywords.change(user, "label", spots, add=op.args["add"], remove=op.args["remove"])


def _labels(user: User, op: RemoteOp) -> None:
    labels.change(user, "move", _still(user, op, op.placements), add=op.args["add"], remove=op.args["remove"])


def _move(user: User, op: RemoteOp) -> None:
    actions.move(user, "move", _still(user, op, op.placements), _place(op.destination))


def _copy(user: User, op: RemoteOp) -> None:
    actions.copy(user, _still(user, op, op.args.get("sources", [])), _place(op.destination))


def _expunge(user: User, op: RemoteOp) -> None:
    actions.expunge(user, _still(user, op, op.placements))


def _append(user: User, op: RemoteOp) -> None:
    """A stored message has no row to bring back: the same operation is begun anew. What an earlier try of it may have
    brought is looked for first.
    """
    state = State.QUEUED if op.dest_uidnext is None else State.INFLIGHT
    RemoteOp.objects.filter(pk=op.pk).update(state=state, attempts=0, not_before=None, error="", finished_at=None)
    op.state = state
    ops.wake(op.account_id)


def _create(user: User, op: RemoteOp) -> None:
    if op.mailbox is not None:
        mailboxes.make_again(user, op.mailbox)


def _rename(user: User, op: RemoteOp) -> None:
    mailboxes.rename(user, _place(op.mailbox), display_name(op.args["leaf"].encode("ascii")))


def _remove(user: User, op: RemoteOp) -> None:
    if op.mailbox is not None:
        mailboxes.remove(user, op.mailbox)


def _subscribe(user: User, op: RemoteOp) -> None:
    mailboxes.subscribe(user, _place(op.mailbox), wanted=not op.args["was"])


_AGAIN: dict[RemoteOp.Kind, Callable[[User, RemoteOp], None]] = {
    Kind.FLAGS: _flags,
    Kind.KEYWORDS: _keywords,
    Kind.LABELS: _labels,
    Kind.MOVE: _move,
    Kind.COPY: _copy,
    Kind.EXPUNGE: _expunge,
    Kind.APPEND: _append,
    Kind.CREATE: _create,
    Kind.RENAME: _rename,
    Kind.REMOVE: _remove,
    Kind.SUBSCRIBE: _subscribe,
}
