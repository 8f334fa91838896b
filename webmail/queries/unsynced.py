"""What people did that a mail server has not done: refused, or waiting for longer than it should take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import MailAccount, User
from webmail.mime.folder_names import display_name as readable
from webmail.models import Flag, RemoteOp

from .nav import display_name, waiting_or_refused

MOST = 200
State, Kind = RemoteOp.State, RemoteOp.Kind


@dataclass(frozen=True, slots=True)
class Unsynced:
    """One line of the page: what was wanted, and what became of it."""

    id: int
    title: str
    account: str
    host: str
    refused: bool
    when: datetime
    next_try: datetime | None
    server_line: str


def lines(user: User) -> tuple[Unsynced, ...]:
    """One query; the chunks of one action on one mailbox are one line, the newest first."""
    ops = RemoteOp.objects.filter(waiting_or_refused(user)).select_related(
        "account__incoming", "action", "mailbox", "destination"
    )
    groups: dict[object, list[RemoteOp]] = {}
    for op in ops.order_by("-id")[: MOST * 10]:
        groups.setdefault(group_of(op), []).append(op)
    return tuple(_line(members) for members in list(groups.values())[:MOST])


def count(user: User, account: MailAccount) -> int:
    """How many operations of one account stand on the page."""
    return RemoteOp.objects.filter(waiting_or_refused(user), account=account).count()


def group_of(op: RemoteOp) -> tuple[object, ...]:
    """What is shown and decided as one."""
    action = (op.action.whole_id or op.action_id) if op.action else op.pk
    return (action, op.kind, op.mailbox_id, op.destination_id, op.state, op.set_flags, op.clear_flags)


def _line(members: Sequence[RemoteOp]) -> Unsynced:
    op = members[-1]
    return Unsynced(
        id=op.pk,
        title=what(op, sum(len(member.placements) for member in members)),
        account=str(op.account),
        host=op.account.incoming.host,
        refused=op.state == State.FAILED,
        when=op.finished_at or op.created_at,
        next_try=op.not_before,
        server_line=op.error,
    )


def what(op: RemoteOp, count: int) -> str:
    """The intent in words: "Moving 3 messages to Archive"."""
    source = display_name(op.mailbox) if op.mailbox else ""
    to = display_name(op.destination) if op.destination else ""
    if op.kind == Kind.FLAGS:
        return _marking(op.set_flags, op.clear_flags, count)
    if op.kind in (Kind.LABELS, Kind.KEYWORDS):
        return ngettext("Changing the labels of %d message", "Changing the labels of %d messages", count) % count
    if op.kind in (Kind.MOVE, Kind.COPY, Kind.EXPUNGE):
        words = {
            Kind.MOVE: ngettext("Moving %(n)d message to %(to)s", "Moving %(n)d messages to %(to)s", count),
            Kind.COPY: ngettext("Copying %(n)d message to %(to)s", "Copying %(n)d messages to %(to)s", count),
            Kind.EXPUNGE: ngettext(
                "Deleting %(n)d message in %(source)s for good",
                "Deleting %(n)d messages in %(source)s for good",
                count,
            ),
        }
        return words[Kind(op.kind)] % {"n": count, "to": to, "source": source}
    return _about_a_folder(op, to or source)


def _about_a_folder(op: RemoteOp, name: str) -> str:
    if op.kind == Kind.RENAME:
        leaf = readable(str(op.args.get("leaf", "")).encode("ascii", "replace"))
        return _("Renaming a folder to “%(new)s”") % {"new": leaf}
    words = {
        Kind.APPEND: _("Filing a message in %s"),
        Kind.CREATE: _("Making the folder “%s”"),
        Kind.REMOVE: _("Deleting the folder “%s”"),
        Kind.SUBSCRIBE: _("Showing or hiding the folder “%s”"),
    }
    return words[Kind(op.kind)] % name


def _marking(set_: int, clear: int, count: int) -> str:
    texts = (
        (set_ & Flag.SEEN, ngettext("Marking %d message read", "Marking %d messages read", count)),
        (clear & Flag.SEEN, ngettext("Marking %d message unread", "Marking %d messages unread", count)),
        (set_ & Flag.FLAGGED, ngettext("Starring %d message", "Starring %d messages", count)),
        (clear & Flag.FLAGGED, ngettext("Unstarring %d message", "Unstarring %d messages", count)),
        (set_ & Flag.JUNK, ngettext("Marking %d message as spam", "Marking %d messages as spam", count)),
    )
    words = next((text for bit, text in texts if bit), None)
    return (words or ngettext("Changing the marks of %d message", "Changing the marks of %d messages", count)) % count
