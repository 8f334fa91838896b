"""The special folders an action needs: found by role, or made where the account has none."""

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import MailAccount
from webmail.models import Mailbox, RemoteOp
from webmail.models.cursors import FRESH_CURSORS
from webmail.models.folder_tree import reappear

_UNDONE = (RemoteOp.State.QUEUED, RemoteOp.State.INFLIGHT)

_NAMES = {
    Mailbox.Role.ARCHIVE: "Archive",
    Mailbox.Role.TRASH: "Trash",
    Mailbox.Role.JUNK: "Junk",
    Mailbox.Role.SENT: "Sent",
    Mailbox.Role.DRAFTS: "Drafts",
}


def with_role(account: MailAccount, role: str) -> Mailbox:
    """The account's mailbox for the role; a missing one is created here and, as an intent, on the server."""
    found = _open(account).filter(role=role).first() or _brought_back(account, role)
    if found is not None:
        return found
    wire_name, delimiter = _wire_name(account, Mailbox.Role(role))
    mailbox, made = Mailbox.objects.get_or_create(
        account=account,
        wire_name=wire_name,
        defaults={
            "name": wire_name.decode(),
            "delimiter": delimiter,
            "role": role,
            "role_source": Mailbox.RoleSource.NAME,
        },
    )
    if not made and mailbox.phase == Mailbox.Phase.GONE:  # it was here once, and another program removed it
        columns = {"phase": Mailbox.Phase.NEW, "role": role, "role_source": Mailbox.RoleSource.NAME}
        Mailbox.objects.filter(pk=mailbox.pk).update(**columns, missing_since=None, **FRESH_CURSORS)
        mailbox.refresh_from_db()
        made = True
    if made and account.protocol == MailAccount.Protocol.IMAP:
        RemoteOp.objects.create(account=account, kind=RemoteOp.Kind.CREATE, mailbox=mailbox)
    return mailbox


def _wire_name(account: MailAccount, role: Mailbox.Role) -> tuple[bytes, str]:
    """A plain name, below INBOX where the server keeps every folder there (Courier, old Cyrus)."""
    if account.protocol == MailAccount.Protocol.POP3:
        return f"local:{role.value}".encode(), ""
    prefix, delimiter = top_level(account)
    name = prefix + _NAMES[role].encode()
    leaving = RemoteOp.objects.filter(
        account=account, kind=RemoteOp.Kind.REMOVE, state__in=_UNDONE, mailbox__wire_name=name
    )
    return (name + b" 2" if leaving.exists() else name), delimiter


def _brought_back(account: MailAccount, role: str) -> Mailbox | None:
    """A folder of this role that its owner just deleted, and that the server has not been told about."""
    waiting = RemoteOp.objects.select_for_update(of=("self",)).filter(
        account=account, kind=RemoteOp.Kind.REMOVE, state=RemoteOp.State.QUEUED, attempts=0, args__kept__role=role
    )
    op = waiting.select_related("mailbox").first()
    if op is None or op.mailbox is None:
        return None
    RemoteOp.objects.filter(pk=op.pk).update(state=RemoteOp.State.CANCELLED, finished_at=timezone.now())
    reappear(op.mailbox.pk, op.args["kept"])
    op.mailbox.refresh_from_db()
    return op.mailbox


def top_level(account: MailAccount) -> tuple[bytes, str]:
    """What a folder's wire name at the top begins with (empty on most servers), and the delimiter of levels."""
    rows = list(_open(account).values_list("wire_name", "delimiter", "role"))
    delimiter = next((mark for _, mark, _ in rows if mark), "/")
    prefix = f"INBOX{delimiter}".encode()
    others = [bytes(name) for name, _, role in rows if role != Mailbox.Role.INBOX]
    if not others:  # nothing to go by but what the server says of its names
        return account.settings_seen.get("prefix", "").encode(), delimiter
    return (prefix if all(name.startswith(prefix) for name in others) else b""), delimiter


def _open(account: MailAccount) -> QuerySet[Mailbox]:
    return Mailbox.objects.filter(account=account).exclude(phase__in=[Mailbox.Phase.GONE, Mailbox.Phase.UNSELECTABLE])
