"""The special folders an action needs: found by role, or made where the account has none."""

from django.db.models import QuerySet

from accounts.models import MailAccount
from webmail.models import Mailbox, RemoteOp
from webmail.models.cursors import FRESH_CURSORS

_NAMES = {
    Mailbox.Role.ARCHIVE: "Archive",
    Mailbox.Role.TRASH: "Trash",
    Mailbox.Role.JUNK: "Junk",
    Mailbox.Role.SENT: "Sent",
    Mailbox.Role.DRAFTS: "Drafts",
}


def with_role(account: MailAccount, role: str) -> Mailbox:
    """The account's mailbox for the role; a missing one is created here and, as an intent, on the server."""
    found = _open(account).filter(role=role).first()
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
    others = list(_open(account).exclude(role=Mailbox.Role.INBOX).values_list("wire_name", "delimiter"))
    delimiter = others[0][1] if others else "/"
    prefix = f"INBOX{delimiter}"
    below = bool(others) and all(bytes(name).startswith(prefix.encode()) for name, _ in others)
    return ((prefix if below else "") + _NAMES[role]).encode(), delimiter


def _open(account: MailAccount) -> QuerySet[Mailbox]:
    return Mailbox.objects.filter(account=account).exclude(phase__in=[Mailbox.Phase.GONE, Mailbox.Phase.UNSELECTABLE])
