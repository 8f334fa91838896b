"""Which accounts to watch, and how to log them in: the watcher's only reads and writes of Postgres."""

from dataclasses import dataclass

from django.db import close_old_connections, connection
from django.db.models import Q
from django.utils import timezone

from accounts.models import MailAccount
from accounts.services import sync_state
from webmail import budget, connections
from webmail.budget import Slot, Use
from webmail.failures import note_refusal
from webmail.jobs import Job, enqueue
from webmail.models import Mailbox
from webmail.protocols.errors import AuthenticationFailed
from webmail.protocols.imap_idle import IdleSocket, idle_socket
from webmail.protocols.net import Credential

_WATCHED = (MailAccount.State.WORKING, MailAccount.State.NEW)
_places: dict[int, Slot | None] = {}  # held in the budget by this process
PATIENCE = 30.0  # seconds for one command of the login


@dataclass(frozen=True, slots=True)
class Target:
    """An account to watch. Whatever changes how to log in changes the ``key``."""

    account_id: int
    host: str
    key: tuple[object, ...]


def targets() -> dict[int, Target]:
    """IMAP accounts in good order whose inbox has been seen, whose server offers IDLE and takes more connections than
    one. Raises DatabaseError."""
    close_old_connections()
    rows = MailAccount.objects.filter(
        protocol=MailAccount.Protocol.IMAP,
        state__in=_WATCHED,
        last_sync_at__isnull=False,
        user__is_active=True,
        organisation__suspended_at=None,
        settings_seen__capabilities__contains="IDLE",
        mailboxes__role=Mailbox.Role.INBOX,
        mailboxes__backfill_low__isnull=False,
    ).values_list(
        "connection_cap",
        "connection_cap_at",
        "incoming__max_connections",
        "pk",
        "incoming__host",
        "incoming_id",
        "incoming__port",
        "username",
        "credential__changed_at",
    )
    now = timezone.now()
    spared = [row[3:] for row in rows if budget.may_idle(*row[:3], now)]
    return {pk: Target(pk, host, tuple(key)) for pk, host, *key in spared}


def log_in(account_id: int) -> IdleSocket:
    """A socket on the account's inbox, or on what carries its labels.

    Raises MailServerError, SealBroken, DatabaseError, DoesNotExist.
    """
    close_old_connections()
    try:
        return _log_in(account_id)
    finally:
        connection.close()  # many threads log in, each now and then


def _log_in(account_id: int) -> IdleSocket:
    account = MailAccount.objects.select_related("incoming", "credential").get(pk=account_id, state__in=_WATCHED)
    inbox = (
        Mailbox.objects.filter(Q(role=Mailbox.Role.INBOX) | Q(labelled=True), account=account)
        .exclude(phase=Mailbox.Phase.GONE)
        .order_by("-labelled")
        .first()
    )
    name = bytes(inbox.wire_name) if inbox is not None else b"INBOX"
    server = connections.endpoint(account.incoming)

    def idling(credential: Credential) -> IdleSocket:
        return idle_socket(server, credential, name, deadline=PATIENCE)

    try:
        with connections.place(account, Use.IDLE) as slot:
            idle = connections.log_in(account, connections.incoming_credential, idling)
    except AuthenticationFailed as error:  # one of the three that a password has, whoever tries it
        note_refusal(account, error)
        raise
    _places[account_id] = slot
    return idle


def stay(account_id: int) -> None:
    """The connection lives on: its place in the budget does too."""
    budget.renew(_places.get(account_id))


def leave(account_id: int) -> None:
    """The connection is over: its place is free."""
    budget.release(_places.pop(account_id, None))


def wake(account_id: int) -> None:
    """Something happened in the inbox: the account is due now. Raises DatabaseError."""
    close_old_connections()
    sync_state.wake(account_id)
    enqueue(Job.SYNC_ACCOUNT, account_id)
