"""Recording of intents for the server: what the rows already show, a worker still has to do (models.RemoteOp)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from django.db import OperationalError, transaction

from accounts.models import MailAccount
from accounts.services import sync_state
from webmail.jobs import Job, enqueue_on_commit
from webmail.models import Action, Mailbox, RemoteOp

CHUNK = 500  # messages per operation row; the worker sends their UIDs as ranges
T = TypeVar("T")
_TRIES = 4
_DEADLOCK = "40P01"
_telling_nobody: ContextVar[bool] = ContextVar("telling_nobody", default=False)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a placement lay before the person acted; ``seen_in`` is the view over labels it was acted on in, if one."""

    placement: int
    account: int
    mailbox: int
    gen: int
    uid: int | None
    thread: int
    flags: int
    seen_in: int = 0


def record(
    action: Action,
    kind: RemoteOp.Kind,
    spots: Iterable[Spot],
    *,
    set_flags: int = 0,
    clear_flags: int = 0,
    destination: Mailbox | None = None,
    not_before: datetime | None = None,
    copies: Mapping[int, int] | None = None,
    labels: Mapping[str, list[int]] | None = None,
    words: Mapping[str, list[str]] | None = None,
) -> None:
    """One RemoteOp per mailbox and 500 messages; wakes the accounts once the transaction commits.

    ``copies`` maps each placement to the one that stands for its copy: the operation is about that, and only names
    the other as its source. ``labels`` are the views whose labels come ("add") and go ("remove"), ``words`` keywords.

    POP3 accounts have no folders or flags on the server, so nothing is owed to it.
    """
    groups: dict[tuple[int, int, int], list[Spot]] = defaultdict(list)
    for spot in spots:
        groups[spot.account, spot.mailbox, spot.gen].append(spot)
    remote = remote_accounts({account for account, _, _ in groups})
    ops = [
        RemoteOp(
            account_id=account,
            action=action,
            kind=kind,
            mailbox_id=mailbox,
            gen=gen,
            destination=destination,
            placements=[copies[spot.placement] if copies else spot.placement for spot in chunk],
            uids=[spot.uid for spot in chunk],
            set_flags=set_flags,
            clear_flags=clear_flags,
            not_before=not_before,
            args={"sources": [spot.placement for spot in chunk]} if copies else dict(labels or words or {}),
        )
        for (account, mailbox, gen), members in groups.items()
        if account in remote
        for chunk in _chunks(members)
    ]
    RemoteOp.objects.bulk_create(ops)
    for account in {op.account_id for op in ops}:
        wake(account)


def remote_accounts(ids: set[int]) -> set[int]:
    """Those of the accounts whose folders and flags live on a server."""
    imap = MailAccount.Protocol.IMAP
    return set(MailAccount.objects.filter(pk__in=ids, protocol=imap).values_list("pk", flat=True))


def wake(account_id: int) -> None:
    """After the commit: a worker holds the account's row while it writes, and may be after the rows locked here."""
    if _telling_nobody.get():
        return
    transaction.on_commit(partial(sync_state.wake, account_id))
    enqueue_on_commit(Job.SYNC_ACCOUNT, account_id)


@contextmanager
def telling_nobody() -> Iterator[None]:
    """What is recorded inside wakes no worker: more of the same follows, and all of it goes to the server together."""
    mark = _telling_nobody.set(True)
    try:
        yield
    finally:
        _telling_nobody.reset(mark)


def done_again(work: Callable[[], T]) -> T:
    """Runs the work as a transaction, and again when Postgres gave way to another of ours (deadlock)."""
    for left in range(_TRIES - 1, -1, -1):
        try:
            with transaction.atomic():
                return work()
        except OperationalError as error:
            if not left or getattr(error.__cause__, "sqlstate", "") != _DEADLOCK:
                raise
    raise AssertionError("unreachable")


def _chunks(spots: list[Spot]) -> Iterable[list[Spot]]:
    for start in range(0, len(spots), CHUNK):
        yield spots[start : start + CHUNK]
