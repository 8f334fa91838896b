"""The rail: accounts, their folders with counts, and one line saying whether everything is in place."""

from collections import defaultdict
from functools import lru_cache

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext, ngettext

from accounts.models import MailAccount, User
from accounts.queries import account_words
from webmail.models import Mailbox, Outgoing

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
OUTBOX_NEEDS = (Outgoing.State.FAILED, Outgoing.State.UNKNOWN, Outgoing.State.PARTIAL)


def nav(user: User, *, current: str = "", mailbox_id: int = 0) -> Nav:
    """Three queries, however many accounts and folders there are."""
    accounts = list(access.accounts(user))
    by_account: dict[int, list[Mailbox]] = defaultdict(list)
    for mailbox in access.mailboxes(user).only(
        "id", "account_id", "name", "delimiter", "role", "phase", "total", "unread", "subscribed"
    ):
        by_account[mailbox.account_id].append(mailbox)
    outbox = Outgoing.objects.filter(user=user, draft__closed_at__isnull=False, state__in=(*_OPEN, *OUTBOX_NEEDS))
    sending = list(outbox.values_list("state", flat=True))
    needs = sum(state in OUTBOX_NEEDS for state in sending)
    inboxes = [box for boxes in by_account.values() for box in boxes if box.role == Mailbox.Role.INBOX]
    line, bad = _status(accounts, needs)
    return Nav(
        accounts=tuple(_account(account, by_account[account.pk], mailbox_id) for account in accounts),
        unified_unread=sum(box.unread for box in inboxes),
        outbox_count=len(sending),
        outbox_needs_you=bool(needs),
        status_line=line,
        status_bad=bad,
        current=current,
        inbox_url=_url(inboxes[0]) if inboxes else "",
    )


def role_icon(role: str) -> str:
    return _ICONS.get(role, "folder")


def display_name(mailbox: Mailbox) -> str:
    """A special folder by its role in the reader's language, any other by its own last level."""
    return str(_ROLE_NAMES[mailbox.role]) if mailbox.role else mailbox.leaf


def _account(account: MailAccount, mailboxes: list[Mailbox], current: int) -> NavAccount:
    mailboxes.sort(key=lambda box: (_ORDER[box.role], box.name.casefold()))
    return NavAccount(
        id=account.pk,
        label=account.label or account.address,
        address=account.address,
        state_code=account.state,
        state_words=str(account.get_state_display()),
        needs_attention=account.state in _NEEDS,
        folders=tuple(_folder(box, current) for box in mailboxes if box.selectable),
    )


def _folder(box: Mailbox, current: int) -> NavFolder:
    return NavFolder(
        id=box.pk,
        name=display_name(box),
        url=_url(box),
        icon=role_icon(box.role),
        unread=box.total if box.role == Mailbox.Role.DRAFTS else box.unread,
        total=box.total,
        depth=0
        if box.role or not box.delimiter
        else box.name.removeprefix("INBOX" + box.delimiter).count(box.delimiter),
        role=box.role,
        current=box.pk == current,
    )


def _depth(box: Mailbox) -> int:
    """Levels below the top; a prefix that holds every folder (``INBOX.``) is not a level."""
    if box.role or not box.delimiter:
        return 0
    return box.name.removeprefix("INBOX" + box.delimiter).count(box.delimiter)


def _url(box: Mailbox) -> str:
    return _address(box.account_id, box.pk)


@lru_cache(maxsize=10_000)
def _address(account_id: int, mailbox_id: int) -> str:
    return reverse("mail:mailbox", args=[account_id, mailbox_id])


def _status(accounts: list[MailAccount], outbox_needs: int) -> tuple[str, bool]:
    needing = sum(account.state in _NEEDS for account in accounts)
    if any(account.state == MailAccount.State.PASSWORD_REFUSED for account in accounts):
        return gettext("A mail password is needed"), True
    if needing:
        return ngettext("%d account needs you", "%d accounts need you", needing) % needing, True
    if outbox_needs:
        return ngettext("%d message needs you", "%d messages need you", outbox_needs) % outbox_needs, True
    if any(account.state == MailAccount.State.NEW or account_words.fetching(account) for account in accounts):
        return gettext("Fetching your mail"), False
    times = [account.last_sync_at for account in accounts if account.last_sync_at]
    if not times:
        return gettext("No account yet"), False
    at = time_format(timezone.localtime(max(times)), "H:i")
    return gettext("Everything in place · %s") % at, False
