"""One pass over one mailbox: what changed, what is new, what is gone, and only then the cursor.

Invariants: everything is measured against the snapshot of the selection (UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, EXISTS),
and exactly that is stored as the cursor, in the last transaction; another UIDVALIDITY is noticed before any change is
believed; a disappearance counts only with evidence, a mass of them only when a second connection says the same.
RFC 9051 section 6.3.2, RFC 7162 sections 3.1 and 3.2.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from django.utils import timezone

from webmail.models import Mailbox, Placement
from webmail.models.cursors import FRESH_CURSORS
from webmail.protocols.errors import CommandFailed, TooManyConnections
from webmail.protocols.imap import Session
from webmail.protocols.values import (
    Event,
    Exists,
    Expunged,
    FlagRow,
    MailboxStatus,
    Selected,
    UidSet,
    Unidentified,
    Vanished,
)
from webmail.sync import correspondents, failpoints, plan, vanish
from webmail.sync.apply import replayed
from webmail.sync.fetch import fetch, insist, spot_of, take
from webmail.sync.lease import guarded
from webmail.sync.plan import Known, Path
from webmail.sync.run import Run

log = logging.getLogger(__name__)
FLAG_BATCH = 1000
AGAIN = 3  # passes over a mailbox that keeps changing while it is read
RETRY_UNFETCHABLE = timedelta(days=1)
T = TypeVar("T")


def known_of(box: Mailbox) -> Known:
    """The stored cursors as a value."""
    return Known(
        uidvalidity=box.uidvalidity,
        uidnext=box.uidnext,
        highestmodseq=box.highestmodseq,
        verified_high=box.verified_high,
        backfill_low=box.backfill_low,
        exists=box.exists_count,
        unseen=box.server_unseen,
        full_flags_at=box.full_flags_at,
        mailbox_id=box.mailbox_id,
    )


def sync_mailbox(run: Run, box: Mailbox, status: MailboxStatus | None) -> None:
    """Brings one mailbox up to date; its older messages are left to ``backfill``. Raises MailServerError, LeaseLost."""
    for _ in range(AGAIN):
        seen = open_mailbox(run, box)
        if seen is None:
            return
        failpoints.reach("mailbox open")
        if box.backfill_low is None:
            first_page(run, box, seen, status)
        else:
            follow(run, box, seen, status)
        if not news(run.session.unselect(), seen):
            return
        status = None  # what it counted is history


def open_mailbox(run: Run, box: Mailbox) -> Selected | None:
    """Selects; starts a new numbering where UIDVALIDITY says so. None for a mailbox that cannot be opened now.

    A numbering is met for the first time with SELECT: Courier keeps none for a mailbox that is only ever EXAMINEd.
    """
    known = known_of(box)
    name = bytes(box.wire_name)
    try:
        seen = run.session.select(name, read_only=known.uidvalidity is not None, qresync=plan.resync_from(known))
        if plan.renumbered(known, seen):
            seen = run.session.select(name, read_only=False)
    except CommandFailed as error:
        save(run, box, failures=box.failures + 1, server_line=error.server_line)
        return None
    if plan.renumbered(known, seen):
        renumber(run, box, seen)
    elif box.uidvalidity is None:
        save(run, box, uidvalidity=seen.uidvalidity)
    return seen


@contextmanager
def unreadable_set_aside(run: Run, box: Mailbox) -> Iterator[list[CommandFailed]]:
    """What the server refuses to do in this mailbox is the mailbox's trouble: noted there, and told to the caller."""
    trouble: list[CommandFailed] = []
    try:
        yield trouble
    except CommandFailed as error:
        trouble.append(error)
        save(run, box, failures=box.failures + 1, server_line=error.server_line)


def renumber(run: Run, box: Mailbox, seen: Selected) -> None:
    """A new generation of UIDs. The old rows stay in view until the new ones have taken their messages over."""
    fresh = FRESH_CURSORS | {"renumbered_at": [*box.renumbered_at, run.now][-Mailbox.RENUMBERED_AT_MOST - 1 :]}
    columns = {"uidvalidity": seen.uidvalidity, **_identity(seen), "phase": Mailbox.Phase.REMAP}
    save(run, box, gen=box.gen + 1, **columns, **fresh)


def save(run: Run, box: Mailbox, **columns: Any) -> None:
    """Writes columns of the mailbox in a transaction of their own."""
    with guarded(run.lease):
        _set(box, **columns)


def _set(box: Mailbox, **columns: Any) -> bool:
    """False when the folder is gone from view: its owner may delete it during a look. Only a listing, undo or a refusal
    brings it back.
    """
    for name, value in columns.items():
        setattr(box, name, value)
    row = Mailbox.objects.filter(pk=box.pk)
    if row.exclude(phase=Mailbox.Phase.GONE).update(**columns):
        return True
    columns.pop("phase", None)
    row.update(**columns)
    return False


# --- the first look --------------------------------------------------------------------------------------------------


def first_page(run: Run, box: Mailbox, seen: Selected, status: MailboxStatus | None) -> None:
    """The newest messages by sequence number: what a person sees first. Older ones follow in windows."""
    low = 1
    if seen.exists:
        rows = run.session.fetch_headers(sequence=(max(1, seen.exists - plan.FIRST_PAGE + 1), seen.exists))
        got = take(run, box, rows)
        came = UidSet.collect([*got.uids, *got.bad])
        low = came.lowest if came else seen.uidnext
        present = run.session.search_uids(low, max(seen.uidnext - 1, came.highest if came else 0))
        missing = present - got.seen()
        if missing:
            insist(run, box, missing, got.bad)
        if seen.exists <= plan.FIRST_PAGE and len(present) >= seen.exists:
            low = 1
    top = seen.uidnext - 1
    phase = box.phase if box.phase == Mailbox.Phase.REMAP else Mailbox.Phase.INITIAL
    columns = _cursor(run, seen, status) | {"verified_high": max(top, 0), "backfill_low": low, "phase": phase}
    _end(run, box, columns, low=low)
    run.tell(box.pk)


def finish(box: Mailbox, columns: dict[str, Any], *, low: int) -> bool:
    """Writes the cursor; a mailbox that has come down to its oldest message is live. False when it was deleted here."""
    if low <= 1:
        if box.phase == Mailbox.Phase.REMAP:
            vanish.hide_older_numbering(spot_of(box))
        if box.phase != Mailbox.Phase.LIVE:
            columns = columns | {"resynced_at": timezone.now()}  # all of it was just read
            correspondents.learn(box)
        columns = columns | {"phase": Mailbox.Phase.LIVE, "backfill_low": 1}
    in_view = _set(box, **columns)
    failpoints.reach("cursor moved")
    return in_view


def _end(run: Run, box: Mailbox, columns: dict[str, Any], *, low: int) -> None:
    """The last transactions of a look. Of a folder that was deleted here meanwhile, what it brought into view goes."""
    failpoints.reach("before cursor")
    if not replayed(run.lease, partial(finish, box, columns, low=low)):
        replayed(run.lease, partial(vanish.hide_deleted, box.pk))


def _cursor(run: Run, seen: Selected, status: MailboxStatus | None) -> dict[str, Any]:
    return {
        "uidvalidity": seen.uidvalidity,
        "uidnext": seen.uidnext,
        "highestmodseq": seen.highestmodseq,
        "exists_count": seen.exists,
        "server_unseen": status.unseen if status is not None and status.messages == seen.exists else None,
        **_identity(seen),
        "last_sync_at": run.now,
        "full_flags_at": run.now,
        "failures": 0,
        "server_line": "",
    }


def _identity(seen: Selected) -> dict[str, str]:
    """MAILBOXID where the server gives one. Only a selection is believed: Cyrus 3.6 garbles some in STATUS."""
    return {"mailbox_id": seen.mailbox_id} if seen.mailbox_id else {}


# --- following changes -----------------------------------------------------------------------------------------------


def follow(run: Run, box: Mailbox, seen: Selected, status: MailboxStatus | None) -> None:
    """Changes, arrivals and departures since the stored cursor."""
    known = known_of(box)
    path = plan.choose_path(known, seen)
    recent_only = plan.recent_flags_do(known, seen, path, now=run.now, active=run.active)
    rewound = plan.rewound(known, seen)
    changed, unknown = _changes(run, box, seen, known, path, recent_only=recent_only)
    arrivals = _arrivals(run, seen, known, path, changed)
    fetch(run, box, arrivals | unknown)
    if rewound:
        take(run, box, run.session.fetch_headers(plan.given_anew(known, seen)))
    failpoints.reach("before vanish")
    gone = _proven(run, box, seen.vanished) if path is Path.QRESYNC else UidSet()
    if gone:
        hide_proven(run, box, gone)
    proven = count_again(run, box, seen, by_list=path is not Path.QRESYNC or rewound, by_count=not rewound)
    retry_unfetchable(run, box)
    top = seen.uidnext - 1
    columns = _cursor(run, seen, status) | {"verified_high": top if rewound else max(known.verified_high, top)}
    if recent_only:
        columns["full_flags_at"] = box.full_flags_at
    if not proven:  # what changed and went is asked for again, from the same place; only named arrivals count
        listed = arrivals.highest if arrivals and path is not Path.QRESYNC else 0
        columns = {"last_sync_at": run.now, "verified_high": max(known.verified_high, listed)}
        columns |= {"failures": 0, "server_line": ""}
    elif (box.backfill_low or 1) <= 1 and replayed(run.lease, partial(vanish.hide_stranded, spot_of(box))):
        run.tell(box.pk)
    _end(run, box, columns, low=box.backfill_low or 1)


def _changes(
    run: Run, box: Mailbox, seen: Selected, known: Known, path: Path, *, recent_only: bool
) -> tuple[set[int], UidSet]:
    """Applies changed flags. Returns UIDs that came with them, and those that should be stored and are not."""
    rows: Iterable[object] = seen.changed
    if path is not Path.QRESYNC:
        asked = plan.flag_ranges(known, path, recent_only=recent_only)
        since = known.highestmodseq if path is Path.CONDSTORE else None
        rows = run.session.fetch_flags(asked, changed_since=since) if asked else ()
    if path is Path.CONDSTORE and seen.highestmodseq == known.highestmodseq:
        rows = ()
    came: set[int] = set()
    unknown: set[int] = set()
    for batch in _chunks((row for row in rows if isinstance(row, FlagRow)), FLAG_BATCH):
        came |= {row.uid for row in batch if row.uid > known.verified_high}
        old = [row for row in batch if (known.backfill_low or 1) <= row.uid <= known.verified_high]
        changed, missing = replayed(run.lease, partial(vanish.change_flags, spot_of(box), old))
        unknown |= missing
        for pk in changed:
            run.tell(pk)
    return came, UidSet.collect(unknown)


def _arrivals(run: Run, seen: Selected, known: Known, path: Path, came: set[int]) -> UidSet:
    """Which UIDs above the verified ones exist."""
    span = plan.new_range(known, seen)
    if not span:
        return UidSet()
    if path is Path.QRESYNC:
        return UidSet.collect(came) & span
    return run.session.search_uids(span.lowest, span.highest)


def count_again(run: Run, box: Mailbox, seen: Selected, *, by_list: bool, by_count: bool = True) -> bool:
    """Makes what is stored and what the server holds the same set of UIDs; False when that could not be proven.

    Equal counts prove it (``by_count``): departures only ever leave too many stored, since every arrival was stored by
    name. While older mail is still to come nothing can be counted, so UIDs are listed if departures did not come with
    SELECT.
    """
    low = box.backfill_low or 1
    if by_count and low <= 1 and vanish.stored_count(spot_of(box)) == seen.exists:
        return True
    if low > 1 and not by_list:
        return True
    server = run.session.search_uids(low, max(seen.uidnext - 1, low))
    if low <= 1 and not plan.enumerable(server, count=len(server), exists=seen.exists):
        return False
    if not server and seen.exists:
        return False
    found = plan.drift(server=server, stored=vanish.stored_uids(spot_of(box)), low=low)
    if found.missing:
        fetch(run, box, found.missing)
    if low <= 1 and plan.untold(found, told_of_departures=not by_list):
        _ask_for_resync(run, box)
    gone = _proven(run, box, found.vanished)
    if gone:
        hide_proven(run, box, gone)
    return len(gone) == len(found.vanished)


def _ask_for_resync(run: Run, box: Mailbox) -> None:
    """The server kept something from us, so all of it is compared again; once a day at most."""
    recent = box.resynced_at is not None and run.now - box.resynced_at < plan.RESYNC_LEAST
    if box.resync_asked_at is None and not recent:
        save(run, box, resync_asked_at=run.now)


def hide_proven(run: Run, box: Mailbox, gone: UidSet) -> None:
    """Hides what a proof said is gone."""
    if replayed(run.lease, partial(vanish.hide, spot_of(box), gone)):
        run.tell(box.pk)


def _proven(run: Run, box: Mailbox, gone: UidSet) -> UidSet:
    """The disappearances to believe: all, unless they are so many that a new connection must confirm them."""
    if not gone:
        return gone
    spot = spot_of(box)
    if not plan.mass(vanish.stored_in(spot, gone), max(vanish.stored_count(spot), 1)):
        return gone
    return witnessed(run, box, gone)


def witnessed(run: Run, box: Mailbox, gone: UidSet) -> UidSet:
    """Those that a new connection does not find either, in a complete listing; none when it gives no such listing."""
    with _witness(run) as witness:
        seen = witness.select(bytes(box.wire_name), read_only=True)
        if seen.uidvalidity != box.uidvalidity:
            return UidSet()
        server = witness.search_uids(1, max(seen.uidnext - 1, 1)) if seen.exists else UidSet()
        if not plan.enumerable(server, count=len(server), exists=seen.exists):
            return UidSet()
    if there := len(gone & server):
        log.warning("account %s: mailbox %s: %d messages said to be gone are there", run.account.pk, box.pk, there)
    return gone - server


@contextmanager
def _witness(run: Run) -> Iterator[Session]:
    """A fresh session. Where one connection is all there is it takes the place of the old one, and keeps it."""
    try:
        fresh = run.reopen()
    except TooManyConnections:
        run.session.logout()
        run.session = run.reopen()
        yield run.session
        return
    with fresh:
        yield fresh


def retry_unfetchable(run: Run, box: Mailbox) -> None:
    """Once a day what could not be loaded is asked for again."""
    if box.full_enum_at is not None and run.now - box.full_enum_at < RETRY_UNFETCHABLE:
        return
    waiting = Placement.objects.filter(mailbox=box.pk, gen=box.gen, state=Placement.State.UNFETCHABLE)
    uids = UidSet.collect(uid for uid in waiting.values_list("uid", flat=True)[:500] if uid)
    if uids:
        take(run, box, run.session.fetch_headers(uids, believe=True))
    save(run, box, full_enum_at=run.now)


def news(events: Iterable[Event], seen: Selected) -> bool:
    """Whether the mailbox changed while it was read."""
    for event in events:
        if isinstance(event, Exists) and event.count != seen.exists:
            return True
        if isinstance(event, Expunged | FlagRow | Unidentified) or (isinstance(event, Vanished) and not event.earlier):
            return True
    return False


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk
