"""One pass over one account, from lease to next date.

Invariants: nobody works an account without its lease; a held or suspended account, or one whose server asked
for time, is not connected to; whatever goes
wrong ends as a state and a date on the account, and the worker lives on; an account that is deleted meanwhile ends
the pass quietly; a wake-up that came during the pass is answered before the account rests.
"""

import logging
import time
import traceback
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from accounts.crypto import SealBroken
from accounts.models import MailAccount
from accounts.services import provisioning, sync_state
from webmail import budget, failures, live
from webmail.budget import Busy
from webmail.connections import open_imap
from webmail.models import Mailbox
from webmail.protocols.errors import CommandFailed, HostNotAllowed, MailServerError, TlsFailed, Unreachable
from webmail.protocols.imap import Session
from webmail.protocols.values import LABELS, MailboxStatus
from webmail.sync import failpoints, label_folders, plan, pop, remote_ops, schedule
from webmail.sync import lease as leases
from webmail.sync.backfill import backfill, unfinished
from webmail.sync.folders import Folder, counted, reconcile
from webmail.sync.lease import Lease, LeaseLost
from webmail.sync.mailbox import known_of, sync_mailbox, unreadable_set_aside
from webmail.sync.prefetch import prefetch
from webmail.sync.resync import resync, wanted
from webmail.sync.run import Run, Teller

log = logging.getLogger(__name__)
ROUNDS = 3  # looks at an account that is woken again and again, before others have their turn
_ORDER: dict[str, int] = {"inbox": 0, "sent": 2, "drafts": 2}


@dataclass(frozen=True, slots=True)
class Result:
    """``again``: the account was woken during the pass or has mailboxes left; ``older``: older mail is to come."""

    again: bool = False
    older: bool = False


def sync_account(account_id: int, *, older: bool = False) -> Result:
    """Works the account for one time slice; with ``older`` on its older mail. Never raises for a server's fault."""
    lease = leases.take(account_id)
    if lease is None:
        return Result()
    failpoints.reach("lease taken")
    before = lease.woken_at
    result = Result()
    try:
        account = _load(account_id)
        if account is not None:
            result = _work(account, lease, older=older)
    except LeaseLost:
        log.info("account %s: another worker has it, or it is gone", account_id)
        return Result()
    except (OperationalError, InterfaceError) as error:
        log.warning("account %s: database away: %s", account_id, type(error).__name__)
        connection.close()
        return Result()
    finally:
        _let_go(lease)
    if _woken_after(account_id, lease.woken_at or before):
        result = Result(again=True, older=result.older)
    return result


def _let_go(lease: Lease) -> None:
    """Frees the account; should the database be away, the lease runs out by itself."""
    try:
        leases.release(lease)
    except (OperationalError, InterfaceError):
        connection.close()


def _load(account_id: int) -> MailAccount | None:
    """The account if it may be connected to."""
    account = (
        MailAccount.objects.select_related("user", "organisation", "incoming", "credential")
        .filter(pk=account_id, user__is_active=True, organisation__suspended_at=None)
        .first()
    )
    return None if account is None or account.stopped or account.resting else account


def _work(account: MailAccount, lease: Lease, *, older: bool) -> Result:
    now = timezone.now()
    try:
        if account.protocol == MailAccount.Protocol.POP3:
            if (until := pop.resting_until(account)) is not None:
                MailAccount.objects.filter(pk=account.pk).update(next_run_at=until)
                return Result()
            result = Result(again=pop.collect(account, lease))
        else:
            result = _imap_pass(account, lease, older=older)
    except (LeaseLost, OperationalError, InterfaceError):
        raise
    except Busy:
        sync_state.postpone(account.pk, next_run_at=now + timedelta(seconds=budget.BUSY_SECONDS))
        return Result()
    except Exception as error:
        _failed(account, error)
        return Result()
    failpoints.reach("before rest")
    leases.renew(lease)  # also proves that we may still write
    at, why = schedule.next_run(account, timezone.now(), owed=remote_ops.next_due(account.pk))
    sync_state.succeed(account.pk, next_run_at=at, why=why)
    if account.state != MailAccount.State.WORKING or account.last_sync_at is None:
        live.publish(account.user_id, "account", account=account.pk)
    log.info("account %s: pass of %.1f s", account.pk, (timezone.now() - now).total_seconds())
    return result


def _imap_pass(account: MailAccount, lease: Lease, *, older: bool) -> Result:
    with open_imap(account) as session:
        run = Run(
            account=account,
            lease=lease,
            session=session,
            teller=Teller(account.user_id, account.pk),
            reopen=partial(open_imap, account),
            now=timezone.now(),
            active=schedule.is_active(account, timezone.now()),
            slice_ends=time.monotonic() + settings.MAILROOM["SYNC_SLICE_SECONDS"],
            woken_at=lease.woken_at,
        )
        failpoints.reach("connected")
        _learn(account, session)
        try:
            left = True
            for _ in range(ROUNDS):
                run.woken_at, run.now = lease.woken_at, timezone.now()
                left = look(run)
                leases.renew(lease)
                if not run.woken or run.over:
                    break
            more = _older(run) if older and not left else _has_older(run)
            if not run.over and not run.woken:
                failpoints.reach("before prefetch")
                prefetch(run)
        finally:
            run.teller.tell_rest()
            if run.session is not session:
                run.session.logout()  # a proof took the first one's place
        return Result(again=left or run.woken, older=more)


def _older(run: Run) -> bool:
    """Older mail, then what is to be compared again. True when more is left."""
    return backfill(run) or (_has_older(run) if run.over or run.woken else resync(run))


def _has_older(run: Run) -> bool:
    return bool(run.account.resync_asked_at or unfinished(run.account.pk) or wanted(run.account.pk, run.now))


def look(run: Run) -> bool:
    """Sends what is owed, then looks at every mailbox that changed. True when the time slice ended before the end.

    A mailbox in which the server refuses to do anything keeps none behind it waiting. Raises MailServerError.
    """
    remote_ops.replay(run)
    listed = counted(run, run.session.list_mailboxes())
    extension = LABELS in run.session.capabilities
    serious: list[CommandFailed] = []
    folders, changed = reconcile(run.lease, listed, extension=extension)
    failpoints.reach("folders listed")
    _note(run.account, all_mail_hidden=extension and label_folders.hidden(listed))
    if changed:
        live.publish(run.account.user_id, "account", account=run.account.pk)
    for folder in _in_order(run, folders):
        if run.over:
            return True
        if folder.row.label:
            continue
        status = folder.status or _status(run, folder)
        known = known_of(folder.row)
        same = status is not None and plan.unchanged(known, status, now=run.now, active=run.active)
        if same and not folder.row.failures:
            continue
        with unreadable_set_aside(run, folder.row) as trouble:
            sync_mailbox(run, folder.row, status)
        if folder.row.failures and (folder.row.role == Mailbox.Role.INBOX or folder.row.labelled):
            serious += trouble or [CommandFailed(folder.row.server_line)]
    home = next((folder.row for folder in folders if folder.row.labelled), None)
    if home is not None:
        label_folders.follow(run, home, [(folder.row, folder.status) for folder in folders if folder.row.label])
    remote_ops.replay(run)
    if serious:
        raise serious[0]  # without its inbox an account is not well
    return False


def _status(run: Run, folder: Folder) -> MailboxStatus | None:
    """STATUS of a mailbox whose counters did not come with the listing; only worth asking where it can save a look."""
    return None if folder.row.backfill_low is None else run.status(bytes(folder.row.wire_name))


def _in_order(run: Run, folders: list[Folder]) -> list[Folder]:
    """INBOX or what carries it, mailboxes with open operations, Sent and Drafts, then the longest not looked at."""
    owed = remote_ops.open_mailboxes(run.account.pk)

    def place(folder: Folder) -> tuple[int, float]:
        row = folder.row
        seen = row.last_sync_at.timestamp() if row.last_sync_at else 0.0
        return 0 if row.labelled else _ORDER.get(row.role, 1 if row.pk in owed else 3), seen

    return sorted(folders, key=place)


def _learn(account: MailAccount, session: Session) -> None:
    """Keeps what the server can do, for the account's page, and what names of a person's folders begin with."""
    found = sorted(session.capabilities)
    if account.settings_seen.get("capabilities") != found or "prefix" not in account.settings_seen:
        _note(account, capabilities=found, prefix=session.namespace().prefix.decode("ascii", "replace"))


def _note(account: MailAccount, **learnt: object) -> None:
    """Keeps what was learnt of the server, if it is news; what was never true needs no row."""
    news = {name: value for name, value in learnt.items() if account.settings_seen.get(name, False) != value}
    if news:
        account.settings_seen = account.settings_seen | news
        MailAccount.objects.filter(pk=account.pk).update(settings_seen=account.settings_seen)


def _failed(account: MailAccount, error: Exception) -> None:
    """Writes the verdict. Of what is no server's fault only the kind and the place are logged: its text may be mail."""
    if not isinstance(error, MailServerError | SealBroken):
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("account %s: %s at %s:%s", account.pk, type(error).__name__, place.filename, place.lineno)
    if isinstance(error, Unreachable | TlsFailed | HostNotAllowed) and provisioning.next_guess(account):
        log.info("account %s: the guessed server does not answer, the next one is tried", account.pk)
        return  # still due, and nothing to tell yet
    verdict = failures.note(account, error)
    log.info("account %s: %s", account.pk, verdict.code)
    if verdict.state != account.state or verdict.code != account.error_code:
        live.publish(account.user_id, "account", account=account.pk)


def _woken_after(account_id: int, seen: object) -> bool:
    """Whether a wake-up came that no look has answered; it makes the account due at once."""
    waiting = MailAccount.objects.filter(pk=account_id, woken_at__isnull=False)
    if seen is not None:
        waiting = waiting.filter(woken_at__gt=seen)
    return bool(
        waiting.exclude(
            state__in=[
                MailAccount.State.PAUSED,
                MailAccount.State.SUSPENDED,
                MailAccount.State.PASSWORD_REFUSED,
                MailAccount.State.THROTTLED,
            ]
        ).update(next_run_at=timezone.now())
    )
