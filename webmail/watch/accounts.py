"""Which accounts to watch, and how to log them in: the watcher's only reads and writes of Postgres."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib.postgres.aggregates import StringAgg
from django.db import close_old_connections, connection
from django.db.models import Q, QuerySet, TextField, Value
from django.db.models.functions import MD5, Cast, Coalesce, Concat
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
LEARNT_ANEW = timedelta(minutes=1)  # what a server's refusals taught loses its force with time
_COLUMNS = (
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
PATIENCE = 30.0  # seconds for one command of the login


@dataclass(frozen=True, slots=True)
class Target:
    """An account to watch. Whatever changes how to log in changes the ``key``, which is a hash: there are thousands."""

    account_id: int
    host: str
    key: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the digest of Postgres' answer was, what it came to, and until when that holds if it is the same."""

    digest: str
    targets: dict[int, Target]
    until: datetime


_seen = _Seen("", {}, datetime.min.replace(tzinfo=UTC))


def targets() -> dict[int, Target]:
    """IMAP accounts in good order whose inbox has been seen, whose server offers IDLE and takes more connections than
    one. The same object again while nothing has changed, for a minute. Raises DatabaseError."""
    global _seen  # noqa: PLW0603  asked every few seconds by one thread, mostly for nothing
    close_old_connections()
    now, digest = timezone.now(), _digest()
    if digest != _seen.digest or now >= _seen.until:
        made = {
            pk: Target(pk, sys.intern(host), hash(tuple(key)))
            for cap, cap_at, most, pk, host, *key in _watched().values_list(*_COLUMNS).iterator(chunk_size=500)
            if budget.may_idle(cap, cap_at, most, now)
        }
        _seen = _Seen(digest, made, now + LEARNT_ANEW)
    return _seen.targets


def _watched() -> "QuerySet[MailAccount]":
    return MailAccount.objects.filter(
        protocol=MailAccount.Protocol.IMAP,
        state__in=_WATCHED,
        last_sync_at__isnull=False,
        user__is_active=True,
        organisation__suspended_at=None,
        settings_seen__capabilities__contains="IDLE",
        mailboxes__role=Mailbox.Role.INBOX,
        mailboxes__backfill_low__isnull=False,
    )


def _digest() -> str:
    """Of all rows: thousands stay in Postgres that say what they said five seconds ago."""
    nothing, between = Value("", TextField()), Value("\t", TextField())
    columns = [Coalesce(Cast(name, TextField()), nothing) for name in _COLUMNS]
    told = Concat(*[part for column in columns for part in (column, between)], output_field=TextField())
    found: dict[str, str | None] = _watched().aggregate(digest=MD5(StringAgg(told, "\n", order_by="pk")))
    return found["digest"] or ""


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
