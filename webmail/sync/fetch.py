"""Header rows from the session into the database, batch after batch, in flat memory.

Invariants: a row that cannot be read costs itself only; the cursor moves in the transaction of the last batch; a UID
that the server lists and does not hand over is asked for again, then stored as unfetchable, never passed over.
RFC 9051 section 6.4.5.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from django.db import DataError

from webmail.models import Mailbox
from webmail.protocols.errors import ProtocolViolation
from webmail.protocols.values import BadRow, HeaderRow, UidSet
from webmail.sync import failpoints
from webmail.sync.apply import BATCH, Outcome, replayed, store
from webmail.sync.placements import Spot
from webmail.sync.rows import Incoming, incoming, stub
from webmail.sync.run import Run

REPLICATION_WAITS = (1.0, 1.7, 2.9)  # seconds; some servers list mail before they can show it
PATIENT = 3  # passes in a row in which a mailbox could not be read
MOST_SINGLE = 200  # UIDs asked for again one by one in a pass; more is a server in trouble


@dataclass(slots=True)
class Got:
    """What came: UIDs stored, UIDs of rows that could not be read (with why), and whether the view changed."""

    uids: list[int] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    lost_rows: int = 0  # unreadable ones that did not even show their UID

    def seen(self) -> UidSet:
        return UidSet.collect(self.uids)


def spot_of(box: Mailbox) -> Spot:
    return Spot(box.account_id, box.pk, box.gen, box.labelled)


def take(
    run: Run, box: Mailbox, rows: Iterable[HeaderRow | BadRow], *, finish: Callable[[], None] | None = None
) -> Got:
    """Stores rows as they arrive. ``finish`` runs in the last batch's transaction: the place for the cursor."""
    got = Got()
    held: list[Incoming] | None = None
    for batch in _batches(run, rows, got):
        if held is not None:
            _write(run, box, held, got, None)
        held = batch
    if held is not None or finish is not None:
        _write(run, box, held or [], got, finish)
    return got


def _batches(run: Run, rows: Iterable[HeaderRow | BadRow], got: Got) -> Iterator[list[Incoming]]:
    batch: list[Incoming] = []
    for row in rows:
        if isinstance(row, BadRow):
            if row.uid is None:
                got.lost_rows += 1
            else:
                got.bad[row.uid] = row.reason
            continue
        batch.append(incoming(run.account.pk, row, now=run.now))
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(run: Run, box: Mailbox, batch: list[Incoming], got: Got, finish: Callable[[], None] | None) -> None:
    failpoints.reach("before batch")

    def work() -> Outcome:
        outcome = store(spot_of(box), batch)
        if finish is not None:
            finish()
        return outcome

    try:
        changed = replayed(run.lease, work).changed
    except DataError:
        changed = store_singly(run, box, batch)
        if finish is not None:
            replayed(run.lease, finish)
    got.uids.extend(row.uid for row in batch)
    failpoints.reach("after batch")
    if changed:
        run.tell(box.pk)


def fetch(run: Run, box: Mailbox, expected: UidSet, *, finish: Callable[[], None] | None = None) -> None:
    """Stores all of these UIDs, each as its message or, after several tries, as unfetchable; then ``finish``.

    Where all are refused the mailbox may be in trouble, so that counts for a message only after a few passes.
    """
    believe = box.failures >= PATIENT
    got = take(run, box, run.session.fetch_headers(expected, believe=believe) if expected else ())
    missing = expected - got.seen()
    if missing:
        insist(run, box, missing, got.bad)
    if finish is not None:
        replayed(run.lease, finish)


def insist(run: Run, box: Mailbox, missing: UidSet, reasons: dict[int, str]) -> None:
    """Asks again for what did not come; what is still listed and never comes is stored as unfetchable."""
    for seconds in REPLICATION_WAITS:
        unread = missing - UidSet.collect(reasons)
        if not unread:
            break
        run.pause(seconds)
        present = run.session.search_uids(missing.lowest, missing.highest)
        missing = missing & present
        got = take(run, box, run.session.fetch_headers(missing & present, believe=True) if missing else ())
        reasons |= got.bad
        missing = missing - got.seen()
    if len(missing) > MOST_SINGLE:
        raise ProtocolViolation("the server lists more messages than it hands over")
    for uid in missing:
        got = take(run, box, run.session.fetch_headers(UidSet.of(uid), believe=True))
        if not got.uids:
            mark_unfetchable(run, box, uid, got.bad.get(uid) or reasons.get(uid) or "not-sent")


def store_singly(run: Run, box: Mailbox, rows: Iterable[Incoming]) -> bool:
    """For a batch that holds something the database does not take: all but that."""
    for row in rows:
        try:
            replayed(run.lease, partial(store, spot_of(box), [row]))
        except DataError:
            mark_unfetchable(run, box, row.uid, "unstorable")
    return True


def mark_unfetchable(run: Run, box: Mailbox, uid: int, problem: str) -> None:
    """A placeholder, so that the message is neither lost nor asked for in every pass."""
    row = stub(run.account.pk, uid, mailbox_id=box.pk, gen=box.gen, problem=problem[:200], now=run.now)
    replayed(run.lease, partial(store, spot_of(box), [row]))
