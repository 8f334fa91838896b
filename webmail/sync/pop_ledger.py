"""The ledger of a POP3 account: what is known of each message on the server, read for a plan and written after it.

Invariants: every write holds the account's lease; a beginning that its owner can still take back counts as being here;
a renumbered server costs header look-ups, not second copies. RFC 1939 section 7 (UIDL, TOP).
"""

import hashlib
import logging
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q
from django.utils import timezone

from accounts.models import MailAccount
from webmail.mime.headers import HeaderSummary, parse_header_block
from webmail.models import Message, Placement, PopUid
from webmail.protocols.errors import CommandFailed, MailServerError
from webmail.protocols.pop3 import PopEntry, Session
from webmail.sync import pop_plan
from webmail.sync.lease import Lease, guarded
from webmail.sync.pop_plan import Listed, Policy, PopPlan

log = logging.getLogger(__name__)
MEGABYTE = 2**20
UNDO = timedelta(seconds=15)  # deleting what is only on the server can be taken back so long
WORTH_SHOWING = 10  # messages to download, from which on their number is shown
SAMPLE = 20  # messages whose headers tell whether a server renumbered
NEITHER = "The server offers neither UIDL nor TOP: mail can be fetched only if it is deleted there once it is here."
State = PopUid.State

Ledger = Mapping[str, pop_plan.Entry]


def keyed(account: MailAccount, session: Session, listing: Sequence[PopEntry]) -> list[Listed]:
    """The listing under lasting keys; where UIDL does not tell messages apart, their headers do.

    Raises CommandFailed when the server offers neither and mail is to stay there: it would come again and again.
    """
    digests = {}
    for entry in pop_plan.doubtful(listing):
        try:
            digests[entry.number] = hashlib.sha256(session.top(entry.number, 0)).hexdigest()
        except CommandFailed:
            if account.pop_policy != MailAccount.PopPolicy.DELETE:
                raise CommandFailed(NEITHER, permanent=True) from None
            digests[entry.number] = uuid.uuid4().hex  # for this session only: it is deleted at its end
    return pop_plan.keyed(listing, digests)


def read(account: MailAccount) -> dict[str, pop_plan.Entry]:
    """What is known of the account's mail, by key."""
    places = Placement.objects.filter(message=OuterRef("message"))
    here = Q(Exists(places.exclude(state=Placement.State.GONE)))
    back = Q(Exists(places.filter(gone_at__gt=timezone.now() - UNDO)))
    begun = Q(state__in=[State.TOO_LARGE, State.WANTED])
    rows = PopUid.objects.filter(account=account.pk).annotate(
        gone_here=ExpressionWrapper(
            (Q(state=State.FETCHED) & ~here) | (begun & ~here & ~back), output_field=BooleanField()
        )
    )
    return {
        uidl: pop_plan.Entry(
            state=state,
            first_seen_at=first_seen_at,
            attempts=attempts,
            gone_here=gone_here,
            listed=gone_at is None,
            size=size,
        )
        for uidl, state, first_seen_at, attempts, gone_here, gone_at, size in rows.values_list(
            "uidl", "state", "first_seen_at", "attempts", "gone_here", "gone_at", "size"
        )
    }


def plan(account: MailAccount, listing: Sequence[Listed], ledger: Ledger, *, matched: bool = False) -> PopPlan:
    """The session's work under the account's choices as they stand."""
    now = timezone.now()
    frozen = account.settings_seen.get("pop_frozen_until", "") > now.isoformat()
    limit = min(account.pop_limit_mb * MEGABYTE, pop_plan.LARGEST)
    policy = Policy(account.pop_policy, account.pop_days, frozen=frozen, limit=limit)
    return pop_plan.plan(listing, ledger, policy, now=now, matched=matched)


def note_listing(account: MailAccount, lease: Lease, plan: PopPlan) -> None:
    """What the server stopped listing and what came back."""
    now = timezone.now()
    mine = PopUid.objects.filter(account=account.pk)
    with guarded(lease):
        gone = mine.filter(uidl__in=plan.vanished)
        gone.filter(state=State.DELETE_DUE).update(state=State.DELETED)
        gone.update(gone_at=now)
        mine.filter(uidl__in=plan.returned).update(gone_at=None)
        fresh = {"state": State.SEEN, "attempts": 0, "first_seen_at": now, "message": None, "problem": ""}
        mine.filter(uidl__in=plan.anew).update(**fresh)
        mine.filter(gone_at__lt=now - pop_plan.REMEMBERED).delete()


def note_progress(account: MailAccount, lease: Lease, *, to_come: int) -> None:
    """How much there is to download. One that goes on after a pause keeps its beginning; a few are not worth a word."""
    if account.progress_since is not None and account.progress_done < account.progress_total and to_come:
        account.progress_total = max(account.progress_total, to_come)
    else:
        account.progress_total = to_come if to_come >= WORTH_SHOWING else 0
        account.progress_since = timezone.now()
    account.progress_done = max(account.progress_total - to_come, 0)
    with guarded(lease):
        MailAccount.objects.filter(pk=account.pk).update(
            progress_done=account.progress_done,
            progress_total=account.progress_total,
            progress_since=account.progress_since,
        )


def record(account: MailAccount, one: Listed, message: int | None, state: str) -> None:
    """The message is here, whole or its beginning. Call inside ``guarded``."""
    PopUid.objects.update_or_create(
        account=account,
        uidl=one.key,
        defaults={
            "size": one.size,
            "octets": 0,
            "state": state,
            "message_id": message,
            "fetched_at": timezone.now(),
            "gone_at": None,
            "problem": "",
        },
    )


def note_trouble(account: MailAccount, lease: Lease, one: Listed, error: MailServerError) -> None:
    """Counts the tries of a message; after three it is left alone and shown as not loaded.

    One whose beginning is here goes back to that, with the server's words, once the server refused it.
    """
    words = (error.server_line or error.kind)[:200]
    with guarded(lease):
        row, _ = PopUid.objects.get_or_create(account=account, uidl=one.key, defaults={"size": one.size})
        mine = PopUid.objects.filter(pk=row.pk)
        mine.update(attempts=F("attempts") + 1, octets=0, problem=words)
        if row.state not in (State.WANTED, State.TOO_LARGE):
            mine.update(state=State.FAILED)
        elif isinstance(error, CommandFailed) or row.attempts + 1 >= pop_plan.MOST_TRIES:
            mine.update(state=State.TOO_LARGE)


def note_deleted(account_id: int, keys: Sequence[str]) -> None:
    """QUIT was answered +OK; that they are gone the next listing says. Call inside ``guarded``."""
    PopUid.objects.filter(account=account_id, uidl__in=keys).update(state=State.DELETED)


# --- a server that renumbered ----------------------------------------------------------------------------------------


def match_renumbered(account: MailAccount, lease: Lease, session: Session, listing: Sequence[Listed]) -> None:
    """Gives messages that are here already their new UIDL; deletions then rest for a week.

    A listing of strangers can also be the next part of what a server shows in parts: none of a sample is known then.
    """
    try:
        if not any(_known(account, session, one) for one in listing[:: len(listing) // SAMPLE + 1]):
            return
        found = [(one, message) for one in listing if (message := _known(account, session, one))]
    except CommandFailed:
        found = []  # without TOP everything comes again, and is recognised when it is here
    log.warning("account %s: the server renumbered its mail", account.pk)
    _freeze(account, lease, timezone.now() + pop_plan.FROZEN)
    for one, message in found:
        with guarded(lease):
            record(account, one, message.pk, beginning_or_whole(message))


def _known(account: MailAccount, session: Session, one: Listed) -> Message | None:
    return _same_message(account, parse_header_block(session.top(one.number, 0)))


def _freeze(account: MailAccount, lease: Lease, until: datetime) -> None:
    account.settings_seen = account.settings_seen | {"pop_frozen_until": until.isoformat()}
    with guarded(lease):
        MailAccount.objects.filter(pk=account.pk).update(settings_seen=account.settings_seen)


def beginning_or_whole(message: Message) -> str:
    """The ledger's state for a message that is stored."""
    return State.TOO_LARGE if message.extra.get("not_downloaded") else State.FETCHED


def _same_message(account: MailAccount, head: HeaderSummary) -> Message | None:
    """The stored message with this Message-ID (or, without one, subject), author and date."""
    author = head.from_[0].addr_spec if head.from_ else ""
    same = Message.objects.filter(account=account.pk, from_address=author, sent_at=head.date)
    by = {"message_id": head.message_id} if head.message_id else {"subject": head.subject}
    return same.filter(**by).only("pk", "extra").first()
