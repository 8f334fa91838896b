"""What a person does to folders: make, rename, delete, show or hide them. Here at once, on the server by a RemoteOp.

A folder keeps its wire name until the server has renamed it, so that everything else about it still finds it there;
what people read is ``Mailbox.name``. A folder that is being deleted is gone from view, and comes back by undo or when
the server refuses.
"""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import MailAccount, User
from webmail import live
from webmail.mime.folder_names import LONGEST_PATH, BadName, child_name, encode_name, sibling
from webmail.models import Action, Mailbox, Placement, RemoteOp
from webmail.models.cursors import FRESH_CURSORS
from webmail.models.folder_tree import chosen, hide_mail, take_wire_name, within

from . import folders, ops
from .actions import UNDO_WINDOW

LONGEST_NAME = 1000  # characters of all levels together, as Mailbox.name takes them
LOCAL_PREFIX, LOCAL_DELIMITER = b"folder:", "/"  # folders of POP3 accounts exist here only
_OPEN = (RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT)
_PERSON = Mailbox.RoleSource.PERSON
_GONE = Mailbox.Phase.GONE


class NotPossible(Exception):
    """Why not, in words for the person who asked."""


@transaction.atomic
def create(user: User, account: MailAccount, leaf: str, parent: Mailbox | None = None) -> Action:
    """A new folder, at the top or within another. Raises NotPossible."""
    rows = _locked(account)
    wire_name, delimiter = _wire_name(account, leaf, parent)
    name = _typed(leaf) if parent is None else parent.name + (delimiter or "/") + _typed(leaf)
    _check_free(rows, name, wire_name)
    columns: dict[str, Any] = {
        "name": name,
        "delimiter": delimiter,
        "role": "",
        "role_source": "",
        "subscribed": True,
        "mailbox_id": "",
        "missing_since": None,
        "phase": Mailbox.Phase.LIVE if account.protocol == MailAccount.Protocol.POP3 else Mailbox.Phase.NEW,
    }
    gone = next((row for row in rows if bytes(row.wire_name) == wire_name), None)
    if gone is not None:
        Mailbox.objects.filter(pk=gone.pk).update(**columns, **FRESH_CURSORS)
    mailbox = gone or Mailbox.objects.create(account=account, wire_name=wire_name, **columns)
    action = _done(user, account, "create", [{"do": "uncreate", "mailbox": mailbox.pk}])
    _owe(action, account, RemoteOp.Kind.CREATE, mailbox)  # which also subscribes to it
    _choose_others(action, rows, mailbox)
    return action


@transaction.atomic
def rename(user: User, mailbox: Mailbox, leaf: str) -> Action:
    """Another name at the same place; what lies within comes along. Raises NotPossible."""
    account = mailbox.account
    rows = _locked(account)
    mailbox = _fresh(rows, mailbox)
    _check_changeable(mailbox)
    encoded = _encoded(leaf, mailbox.delimiter)
    old, above = mailbox.name, mailbox.name[: len(mailbox.name) - len(mailbox.leaf)]
    new = above + _typed(leaf)
    action = _done(user, account, "rename", [{"do": "rename", "mailbox": mailbox.pk, "leaf": mailbox.leaf}])
    if new == old:
        return action
    wire_name = sibling(bytes(mailbox.wire_name), encoded, mailbox.delimiter)
    _check_free([row for row in rows if row.pk != mailbox.pk], new, wire_name, fresh=False)
    subtree = [mailbox, *within(rows, mailbox)]
    if max(len(row.name) for row in subtree) + len(new) - len(old) > LONGEST_NAME:
        raise NotPossible(_("This name is too long."))
    for row in subtree:
        Mailbox.objects.filter(pk=row.pk).update(name=new + row.name[len(old) :])
    if mailbox.role:  # no longer to be recognised by its name: that it serves as this is now its owner's choice
        Mailbox.objects.filter(pk=mailbox.pk).update(role_source=_PERSON)
    if account.protocol == MailAccount.Protocol.POP3:
        take_wire_name(account.pk, bytes(mailbox.wire_name), wire_name, mailbox.delimiter)
    else:
        _owe_rename(action, mailbox, encoded.decode("ascii"))
    return action


@transaction.atomic
def make_again(user: User, mailbox: Mailbox) -> Action:
    """Once more a folder that the server refused to make. Raises NotPossible."""
    account = mailbox.account
    _check_free(_locked(account), mailbox.name, bytes(mailbox.wire_name))
    Mailbox.objects.filter(pk=mailbox.pk).update(phase=Mailbox.Phase.NEW, missing_since=None, **FRESH_CURSORS)
    action = _done(user, account, "create", [{"do": "uncreate", "mailbox": mailbox.pk}])
    _owe(action, account, RemoteOp.Kind.CREATE, mailbox)
    return action


def _owe_rename(action: Action, mailbox: Mailbox, leaf: str) -> None:
    """One RENAME; the last that waits, if it is this folder's, is led to the new name or not needed any more."""
    renames = RemoteOp.objects.select_for_update().filter(
        account=mailbox.account_id, kind=RemoteOp.Kind.RENAME, state__in=_OPEN
    )
    last = renames.order_by("-id").first()
    mine = last is not None and last.mailbox_id == mailbox.pk
    if last is None or not mine or last.state != RemoteOp.State.QUEUED or last.attempts:
        _owe(action, mailbox.account, RemoteOp.Kind.RENAME, mailbox, args={"leaf": leaf})
        return
    last.args = last.args | {"leaf": leaf}
    if sibling(bytes(mailbox.wire_name), leaf.encode(), mailbox.delimiter) == bytes(mailbox.wire_name):
        last.state, last.finished_at = RemoteOp.State.CANCELLED, timezone.now()
    last.save(update_fields=["args", "state", "finished_at"])


@transaction.atomic
def remove(user: User, mailbox: Mailbox) -> Action:
    """Deletes the folder, what lies within, and their mail, once the time for undo has passed. Raises NotPossible."""
    account = mailbox.account
    rows = _locked(account)
    mailbox = _fresh(rows, mailbox)
    _check_changeable(mailbox)
    doomed = [row for row in [mailbox, *within(rows, mailbox)] if row.phase != _GONE]
    now = timezone.now()
    kept = {row.pk: _kept(row, now) for row in doomed}
    inverse = [{"do": "reappear", "mailbox": row.pk, "kept": kept[row.pk]} for row in doomed]
    action = _done(user, account, "remove", inverse, count=sum(row.total for row in doomed) or 1)
    for row in sorted(doomed, key=lambda row: -len(bytes(row.wire_name))):  # the innermost first
        args = {"kept": kept[row.pk], "known": _known(row)}
        hide_mail(row.pk, now)
        Mailbox.objects.filter(pk=row.pk).update(phase=_GONE, role="", role_source="")
        _owe(action, account, RemoteOp.Kind.REMOVE, row, args=args, not_before=now + UNDO_WINDOW)
    return action


@transaction.atomic
def subscribe(user: User, mailbox: Mailbox, *, wanted: bool) -> Action:
    """Shows the folder in the rail, or hides it. Where nobody has chosen folders yet, hiding one chooses the others."""
    account = mailbox.account
    rows = _locked(account)
    mailbox = _fresh(rows, mailbox)
    inverse = [{"do": "subscribe", "mailbox": mailbox.pk, "wanted": mailbox.subscribed}]
    action = _done(user, account, "show" if wanted else "hide", inverse)
    if not wanted:
        _choose_others(action, rows, mailbox)
    _subscribe(action, mailbox, wanted=wanted)
    return action


def _choose_others(action: Action, rows: Sequence[Mailbox], mailbox: Mailbox) -> None:
    """Where nobody ever chose folders all are shown: the first choice must not hide the rest."""
    if not chosen(rows):
        for row in rows:
            if row.pk != mailbox.pk and row.selectable and not row.subscribed:
                _subscribe(action, row, wanted=True)


def _subscribe(action: Action, mailbox: Mailbox, *, wanted: bool) -> None:
    """What the worker sends is what the row says then; an earlier one that waits is enough."""
    if mailbox.subscribed == wanted:
        return
    Mailbox.objects.filter(pk=mailbox.pk).update(subscribed=wanted)
    waiting = RemoteOp.objects.select_for_update().filter(
        mailbox=mailbox.pk, kind=RemoteOp.Kind.SUBSCRIBE, state=RemoteOp.State.QUEUED, attempts=0
    )
    known = waiting.first()
    if known is None:
        _owe(action, mailbox.account, RemoteOp.Kind.SUBSCRIBE, mailbox, args={"was": mailbox.subscribed})
    elif known.args["was"] == wanted:
        waiting.filter(pk=known.pk).update(state=RemoteOp.State.CANCELLED, finished_at=timezone.now())


def _locked(account: MailAccount) -> list[Mailbox]:
    rows = Mailbox.objects.select_for_update(of=("self",)).select_related("account")
    return list(rows.filter(account=account).order_by("pk"))


def _fresh(rows: Sequence[Mailbox], mailbox: Mailbox) -> Mailbox:
    found = next((row for row in rows if row.pk == mailbox.pk and row.phase != _GONE), None)
    if found is None:
        raise NotPossible(_("This folder is not there any more."))
    return found


def _kept(row: Mailbox, at: datetime) -> dict[str, str]:
    """What undo or a refusal needs to bring the folder back."""
    return {
        "phase": row.phase,
        "role": row.role,
        "role_source": row.role_source,
        "gone_at": at.isoformat(),
        "gen": str(row.gen),
    }


def _known(row: Mailbox) -> dict[str, int]:
    """What its owner deletes with the folder: mail below this UID. Rows are ahead of the cursor during a sync."""
    stored = Placement.objects.filter(mailbox=row.pk, gen=row.gen).aggregate(highest=Max("uid"))["highest"] or 0
    return {"uidnext": max(row.uidnext or 1, stored + 1), "exists": row.exists_count, "gen": row.gen}


def _typed(leaf: str) -> str:
    return unicodedata.normalize("NFC", leaf)


def _encoded(leaf: str, delimiter: str) -> bytes:
    if delimiter and delimiter in leaf:
        raise NotPossible(_("A name cannot contain “%s” here: it separates levels.") % delimiter)
    try:
        return encode_name(leaf)
    except BadName as error:
        raise NotPossible(_words(error)) from None


def _words(error: BadName) -> str:
    return {
        "empty": _("Type a name, without spaces around it."),
        "character": _("A name cannot contain * or % or characters that cannot be seen."),
        "long": _("This name is too long."),
        "flat": _("This server keeps no folders within folders."),
    }.get(error.why, _("This name is not possible."))


def _wire_name(account: MailAccount, leaf: str, parent: Mailbox | None) -> tuple[bytes, str]:
    """The new folder's identity and its delimiter."""
    if account.protocol == MailAccount.Protocol.POP3:
        encoded = _encoded(leaf, LOCAL_DELIMITER)
        above = LOCAL_PREFIX if parent is None else bytes(parent.wire_name) + LOCAL_DELIMITER.encode()
        return above + encoded, LOCAL_DELIMITER
    if parent is None:
        prefix, delimiter = folders.top_level(account)
        return prefix + _encoded(leaf, delimiter), delimiter
    if "\\noinferiors" in parent.attributes:
        raise NotPossible(_("%s cannot hold other folders.") % parent.leaf)
    _encoded(leaf, parent.delimiter)  # says which character stands in the way
    try:
        return child_name(bytes(parent.wire_name), leaf, delimiter=parent.delimiter), parent.delimiter
    except BadName as error:
        raise NotPossible(_words(error)) from None


def _check_free(rows: Sequence[Mailbox], name: str, wire_name: bytes, *, fresh: bool = True) -> None:
    """Whether nothing has the name here or on the server; a folder that is gone for good may come back under it."""
    if len(wire_name) > LONGEST_PATH or len(name) > LONGEST_NAME:
        raise NotPossible(_("This name is too long."))
    if wire_name.upper() == b"INBOX" or name.casefold() == "inbox":
        raise NotPossible(_("There is an inbox already; it has this name in any spelling."))
    for row in rows:
        if row.phase != _GONE and unicodedata.normalize("NFC", row.name) == name:
            raise NotPossible(_("There is a folder of this name already."))
        # a folder that is being renamed still has its old wire name, one being deleted is still on the server
        if bytes(row.wire_name) == wire_name and ((fresh and row.phase != _GONE) or _busy(row)):
            raise NotPossible(_("A folder of this name is just being changed. Try again in a moment."))


def _busy(row: Mailbox) -> bool:
    return RemoteOp.objects.filter(mailbox=row.pk, kind=RemoteOp.Kind.REMOVE, state__in=_OPEN).exists()


def _check_changeable(mailbox: Mailbox) -> None:
    if mailbox.role == Mailbox.Role.INBOX or bytes(mailbox.wire_name).upper() == b"INBOX":
        raise NotPossible(_("The inbox can be neither renamed nor deleted."))
    if mailbox.role and mailbox.account.protocol == MailAccount.Protocol.POP3:
        raise NotPossible(_("%s belongs to every POP3 account and stays.") % mailbox.leaf)


def _done(user: User, account: MailAccount, kind: str, inverse: list[dict[str, Any]], *, count: int = 1) -> Action:
    live.publish_on_commit(user.pk, "account", account=account.pk)
    return Action.objects.create(user=user, kind=kind, count=count, inverse=inverse)


def _owe(
    action: Action,
    account: MailAccount,
    kind: RemoteOp.Kind,
    mailbox: Mailbox,
    *,
    args: dict[str, Any] | None = None,
    not_before: datetime | None = None,
) -> None:
    """Records the intent; a POP3 account's folders are on no server."""
    if account.protocol == MailAccount.Protocol.IMAP:
        RemoteOp.objects.create(
            account=account, action=action, kind=kind, mailbox=mailbox, args=args or {}, not_before=not_before
        )
        ops.wake(account.pk)
