"""The rail: accounts, their folders with counts, and one line saying whether everything is in place."""

from datetime import timedelta
from functools import lru_cache

from django.db import connection
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext, ngettext

from accounts.models import MailAccount, User
from accounts.queries import account_words
from webmail.models import Mailbox, Outgoing, RemoteOp
from webmail.models.folder_tree import chosen

from . import access
from .values import Nav, NavAccount, NavFolder

_ORDER = {"inbox": 0, "drafts": 1, "sent": 2, "archive": 3, "all": 4, "flagged": 5, "junk": 6, "trash": 7, "": 8}
_ICONS = {
    "inbox": "inbox",
    "drafts": "draft",
    "sent": "sent",
    "archive": "archive",
    "junk": "spam",
    "trash": "trash",
    "all": "all-inboxes",
    "flagged": "star",
    "": "folder",
}
_ROLE_NAMES = dict(Mailbox.Role.choices)
_NEEDS = (MailAccount.State.PASSWORD_REFUSED, MailAccount.State.UNREACHABLE, MailAccount.State.FAILING)
_OPEN = (Outgoing.State.QUEUED, Outgoing.State.SENDING, Outgoing.State.DEFERRED)
_UNDONE = (RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT)
PATIENCE = timedelta(seconds=60)  # what the server was not told for longer than this is worth a word
_WORK = """
SELECT true, outgoing.state
  FROM webmail_outgoing AS outgoing JOIN webmail_draft AS draft ON draft.id = outgoing.draft_id
 WHERE outgoing.user_id = %s AND draft.closed_at IS NOT NULL AND outgoing.state = ANY(%s)
 UNION ALL
SELECT true, 'unanswered' FROM webmail_outgoing AS asking WHERE asking.user_id = %s AND asking.unanswered
   AND (asking.draft_id IS NULL OR asking.state <> ALL(%s))
 UNION ALL
(SELECT false, op.state FROM webmail_remoteop AS op JOIN accounts_mailaccount AS account ON account.id = op.account_id
  WHERE account.user_id = %s
    AND (op.state = 'failed' OR (op.state = ANY(%s) AND op.created_at < %s))
  LIMIT 1000)
"""  # as `waiting_or_refused` says it
OUTBOX_NEEDS = (Outgoing.State.FAILED, Outgoing.State.UNKNOWN, Outgoing.State.PARTIAL)


def nav(user: User, *, current: str = "", mailbox_id: int = 0) -> Nav:
    """Two queries, however many accounts and folders there are."""
    rail = access.rail(user)
    accounts = [account for account, _ in rail]
    sending, refused, late = _open_work(user)
    needs = sum(state in OUTBOX_NEEDS for state in sending)
    inboxes = [box for _, boxes in rail for box in boxes if box.role == Mailbox.Role.INBOX]
    line, place, icon = _status(accounts, needs, refused)
    return Nav(
        accounts=tuple(_account(account, boxes, mailbox_id) for account, boxes in rail),
        unified_unread=sum(box.unread for box in inboxes),
        outbox_count=len(sending),
        outbox_needs_you=bool(needs),
        unsynced_count=refused + late,
        unsynced_needs_you=bool(refused),
        status_line=line,
        status_url=place,
        status_icon=icon,
        current=current,
        inbox_url=mailbox_url(inboxes[0]) if inboxes else "",
    )


def role_icon(role: str) -> str:
    return _ICONS.get(role, "folder")


def display_name(mailbox: Mailbox) -> str:
    """A special folder by its role in the reader's language, any other by its own last level."""
    return str(_ROLE_NAMES[mailbox.role]) if mailbox.role else mailbox.leaf


def _account(account: MailAccount, mailboxes: list[Mailbox], current: int) -> NavAccount:
    mailboxes.sort(key=lambda box: (_ORDER[box.role], box.name.casefold()))
    shown = _shown(mailboxes, current)
    return NavAccount(
        id=account.pk,
        label=account.label or account.address,
        address=account.address,
        state_code=account.state,
        state_words=str(account.get_state_display()),
        needs_attention=account.state in _NEEDS,
        folders=tuple(_folder(box, current) for box in mailboxes if box.selectable and box.pk in shown),
    )


def _shown(mailboxes: list[Mailbox], current: int) -> set[int]:
    """What the rail holds: special folders, the one that is open, those chosen, and what these lie within."""
    if not chosen(mailboxes):
        return {box.pk for box in mailboxes}
    shown = [box for box in mailboxes if box.role or box.subscribed or box.pk == current]
    paths = {box.name for box in shown}
    for box in shown:
        parts = box.name.split(box.delimiter) if box.delimiter else []
        paths.update(box.delimiter.join(parts[:depth]) for depth in range(1, len(parts)))
    return {box.pk for box in mailboxes if box.name in paths}


def _open_work(user: User) -> tuple[list[str], int, int]:
    """States of what is on its way out, how many intents servers refused, how many wait for long. One query."""
    leaving, undone = [*_OPEN, *OUTBOX_NEEDS], [*_UNDONE]
    with connection.cursor() as cursor:
        cursor.execute(_WORK, [user.pk, leaving, user.pk, leaving, user.pk, undone, timezone.now() - PATIENCE])
        rows = cursor.fetchall()
    states = [state for outgoing, state in rows if not outgoing]
    refused = sum(state == RemoteOp.State.FAILED for state in states)
    return [state for outgoing, state in rows if outgoing], refused, len(states) - refused


def waiting_or_refused(user: User) -> Q:
    """The operations that stand on the page of what is not synced."""
    late = Q(state__in=_UNDONE, created_at__lt=timezone.now() - PATIENCE)
    return Q(account__user=user) & (Q(state=RemoteOp.State.FAILED) | late)


def _folder(box: Mailbox, current: int) -> NavFolder:
    return NavFolder(
        id=box.pk,
        name=display_name(box),
        url=mailbox_url(box),
        icon=role_icon(box.role),
        unread=box.total if box.role == Mailbox.Role.DRAFTS else box.unread,
        total=box.total,
        depth=_depth(box),
        role=box.role,
        current=box.pk == current,
    )


def _depth(box: Mailbox) -> int:
    """Levels below the top; a prefix that holds every folder (``INBOX.``) is not a level."""
    if box.role or not box.delimiter:
        return 0
    return box.name.removeprefix("INBOX" + box.delimiter).count(box.delimiter)


def mailbox_url(box: Mailbox) -> str:
    return _address(box.account_id, box.pk)


@lru_cache(maxsize=10_000)
def _address(account_id: int, mailbox_id: int) -> str:
    return reverse("mail:mailbox", args=[account_id, mailbox_id])


def _status(accounts: list[MailAccount], outbox_needs: int, refused: int) -> tuple[str, str, str]:
    """The line under the rail, where it leads when something is wrong, and its icon: "alert" when it is."""
    settings = reverse("mail:settings")
    needing = sum(account.state in _NEEDS for account in accounts)
    if any(account.state == MailAccount.State.PASSWORD_REFUSED for account in accounts):
        return gettext("A mail password is needed"), settings, "alert"
    if needing:
        return ngettext("%d account needs you", "%d accounts need you", needing) % needing, settings, "alert"
    if outbox_needs:
        words = ngettext("%d message needs you", "%d messages need you", outbox_needs) % outbox_needs
        return words, reverse("mail:outbox"), "alert"
    if refused:
        words = ngettext("%d change was refused", "%d changes were refused", refused) % refused
        return words, reverse("mail:unsynced"), "alert"
    if any(account.state == MailAccount.State.THROTTLED for account in accounts):
        return gettext("A server asks for patience"), settings, "info"
    if any(account.state == MailAccount.State.NEW or account_words.fetching(account) for account in accounts):
        return gettext("Fetching your mail"), settings, "info"
    times = [account.last_sync_at for account in accounts if account.last_sync_at]
    if not times:
        return gettext("No account yet"), settings, "info"
    paused = sum(account.state == MailAccount.State.PAUSED for account in accounts)
    if paused:
        return ngettext("%d account is paused", "%d accounts are paused", paused) % paused, settings, "info"
    at = time_format(timezone.localtime(max(times)), "H:i")
    return gettext("Everything in place · %s") % at, settings, "check"
