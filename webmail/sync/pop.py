"""A POP3 account: everything is downloaded once, remembered by UIDL, and deleted only as its owner chose.

Invariants: a deletion is decided and committed before DELE is sent, and counts only when QUIT was answered +OK; a body
that came short is not stored; no login comes sooner than the server allows. RFC 1939, RFC 2449 (LOGIN-DELAY).
"""

import logging
import os
import time
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import MailAccount
from webmail import storage
from webmail.connections import open_pop3
from webmail.models import Mailbox, Message, MessageBody, PopUid
from webmail.protocols.errors import CommandFailed, MailServerError
from webmail.protocols.pop3 import LARGEST_MESSAGE, Session
from webmail.storage import Spool
from webmail.sync import bodies, failpoints, pop_copies, pop_ledger, pop_plan, pop_store
from webmail.sync import lease as leases
from webmail.sync.apply import replayed
from webmail.sync.folders import ensure_local
from webmail.sync.lease import Lease, guarded
from webmail.sync.pop_plan import Listed
from webmail.sync.run import Teller

log = logging.getLogger(__name__)
MOST_UNREAD = 200
PREVIEW_LINES = 60
TELL_OCTETS_SECONDS = 1.0


def collect(account: MailAccount, lease: Lease) -> bool:
    """One session: download what is new, then delete what is due. True when there is more to do.

    Raises MailServerError, LeaseLost.
    """
    with guarded(lease):
        inbox = ensure_local(account)[Mailbox.Role.INBOX]
    _read_stored(account)
    teller = Teller(account.user_id, account.pk)
    session = open_pop3(account)
    try:
        _note_login(account, lease, session)
        listing = pop_ledger.keyed(account, session, session.listing())
        before = pop_ledger.read(account)
        plan = pop_ledger.plan(account, listing, before)
        if plan.renumbered:
            pop_ledger.match_renumbered(account, lease, session, listing)
            before = pop_ledger.read(account)
            plan = pop_ledger.plan(account, listing, before, matched=True)
        pop_ledger.note_listing(account, lease, plan)
        pop_ledger.note_progress(account, lease, to_come=len(plan.fetch))
        left = _download(account, lease, session, plan.fetch, plan.brief, inbox, teller)
        if not left:
            pop_ledger.note_progress(account, lease, to_come=0)
            plan = pop_ledger.plan(account, listing, pop_ledger.read(account), matched=True)
        deleted = _delete(account, lease, session, plan.delete)
    finally:
        session.close()
        teller.tell_rest()
    pop_copies.send(account)
    fetched = sum(one.key not in before for one in listing)
    return left or (deleted and pop_plan.more_likely(listing, before, fetched))


def resting_until(account: MailAccount) -> datetime | None:
    """When the server allows the next login, while that lies ahead."""
    until = datetime.fromisoformat(account.settings_seen.get("pop_login_after") or "1970-01-01T00:00+00:00")
    return until if until > timezone.now() else None


def _note_login(account: MailAccount, lease: Lease, session: Session) -> None:
    delay = session.login_delay
    if not delay and "pop_login_after" not in account.settings_seen:
        return
    until = timezone.now() + timedelta(seconds=min(delay or 0, 24 * 3600))
    account.settings_seen = account.settings_seen | {"pop_login_after": until.isoformat()}
    with guarded(lease):
        MailAccount.objects.filter(pk=account.pk).update(settings_seen=account.settings_seen)


# --- downloading -----------------------------------------------------------------------------------------------------


def _download(
    account: MailAccount,
    lease: Lease,
    session: Session,
    wanted: Iterable[Listed],
    brief: Collection[str],
    inbox: Mailbox,
    teller: Teller,
) -> bool:
    """In the plan's order. True when time ran out."""
    ends = time.monotonic() + settings.MAILROOM["SYNC_SLICE_SECONDS"]
    for one in wanted:
        if time.monotonic() > ends:
            return True
        try:
            if one.key in brief:
                _look_at(account, lease, session, one, inbox)
            else:
                _download_one(account, lease, session, one, inbox)
        except MailServerError as error:
            pop_ledger.note_trouble(account, lease, one, error)
            if not isinstance(error, CommandFailed):
                raise
            continue
        teller.tell(inbox.pk)
    return False


def _look_at(account: MailAccount, lease: Lease, session: Session, listed: Listed, inbox: Mailbox) -> None:
    """Brings a message's beginning; of a server without TOP, its size."""
    try:
        raw = session.top(listed.number, PREVIEW_LINES)
        one = pop_store.brought(account, listed, raw, size=listed.size)
    except CommandFailed:
        one = pop_store.unnamed(account, listed)
    replayed(lease, partial(pop_store.store_beginning, account, inbox, one))
    failpoints.reach("pop looked at")


def _download_one(account: MailAccount, lease: Lease, session: Session, listed: Listed, inbox: Mailbox) -> None:
    with storage.spool() as spool:
        writer = _Told(spool, lease, PopUid.objects.filter(account=account.pk, uidl=listed.key))
        size = session.retrieve(listed.number, writer, max_bytes=LARGEST_MESSAGE, expected_size=listed.size)
        digest = spool.keep(account.pk)
    _make_durable(account.pk, digest)
    failpoints.reach("pop spooled")
    with storage.mapped(account.pk, digest) as raw:
        one = pop_store.brought(account, listed, raw, size=size)
        message_id, new = replayed(lease, partial(pop_store.store_whole, account, inbox, one, digest))
        failpoints.reach("pop stored")
        if new:
            message = Message.objects.select_related("account").get(pk=message_id)
            bodies.keep(message, one.parsed, raw, raw_digest=digest)
            bodies.tell(message)


class _Told:
    """A spool whose growth is told to the ledger; a long download also keeps the lease alive."""

    def __init__(self, spool: Spool, lease: Lease, rows: QuerySet[PopUid]) -> None:
        self._spool, self._lease, self._rows = spool, lease, rows
        self._told = time.monotonic()

    def write(self, data: bytes) -> int:
        """Raises LeaseLost."""
        now = time.monotonic()
        if now - self._told > TELL_OCTETS_SECONDS:
            self._told = now
            self._rows.update(octets=self._spool.size)
            if self._lease.renewal_due:
                leases.renew(self._lease)
        return self._spool.write(data)


def _read_stored(account: MailAccount) -> None:
    """Messages that an earlier worker stored and did not come to read."""
    unread = MessageBody.objects.filter(account=account.pk, state=MessageBody.State.WANTED).exclude(raw_digest="")
    for pk in unread.values_list("pk", flat=True)[:MOST_UNREAD]:
        bodies.fetch_body(pk)


def _make_durable(account_id: int, digest: str) -> None:
    """On disk before the server may be told to delete; a storage without files keeps its own promises."""
    try:
        descriptor = os.open(default_storage.path(storage.path(account_id, digest)), os.O_RDONLY)
    except NotImplementedError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- deleting --------------------------------------------------------------------------------------------------------


def _delete(account: MailAccount, lease: Lease, session: Session, due: Sequence[Listed]) -> bool:
    """DELE what was decided; QUIT makes it so. Without its +OK the ledger still says due, as the next listing shows.

    False when the server kept some of it.
    """
    keys = [one.key for one in due]
    if keys:
        with guarded(lease):
            PopUid.objects.filter(account=account.pk, uidl__in=keys).update(state=PopUid.State.DELETE_DUE)
        failpoints.reach("pop delete due")
    marked: list[str] = []
    for one in due:
        try:
            session.delete(one.number)
            marked.append(one.key)
        except CommandFailed as error:
            log.info("account %s: DELE refused: %s", account.pk, error.kind)
    session.quit()
    failpoints.reach("pop quit")
    if marked:
        replayed(lease, partial(pop_ledger.note_deleted, account.pk, marked))
    return len(marked) == len(due)
