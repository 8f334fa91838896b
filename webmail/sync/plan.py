"""What to ask a mailbox for, decided from values alone. No sockets, no rows, no clock of its own.

Invariants: a UID the server did not answer for is not thereby deleted: only a VANISHED response or the absence from a
complete enumeration says so, and a surprisingly large absence is proven twice; cursors never pass a UID that is
neither stored nor proven absent; a range never ends in ``*``. RFC 9051 sections 2.3.1.1 and 6.4.8, RFC 7162.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from webmail.protocols.values import MailboxStatus, Selected, UidSet

FIRST_PAGE = 200  # messages, by sequence number: the first thing a person sees of a mailbox
WINDOW_LEAST, WINDOW_START, WINDOW_MOST = 250, 500, 1000  # messages a window should hold
WIDEST_WINDOW = 2_000_000  # UIDs: a sparse mailbox is crossed in steps of this at most
ENUMERATE_AT_ONCE = 100_000  # messages; above, without ESEARCH, UIDs are listed window by window
RECENT_FLAGS = 2_000  # newest UIDs whose flags are read every time where the server keeps no mod-sequences
FULL_FLAGS_ACTIVE = timedelta(minutes=30)
FULL_FLAGS_IDLE = timedelta(hours=24)
RESYNC_AFTER = timedelta(days=7)  # everything is compared again so often, unasked
RESYNC_LEAST = timedelta(days=1)  # and not more often because counts differ
MASS_LEAST, MASS_SHARE = 100, 0.2


class Path(Enum):
    """How changes to known messages are learnt."""

    NOTHING_KNOWN = "nothing known"  # nothing is stored yet
    QRESYNC = "qresync"  # they came with SELECT
    CONDSTORE = "condstore"  # UID FETCH … (CHANGEDSINCE n)
    PLAIN = "plain"  # flags are read again


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a mailbox: the cursors of models.Mailbox and how many server UIDs they account for."""

    uidvalidity: int | None = None
    uidnext: int | None = None
    highestmodseq: int | None = None
    verified_high: int = 0
    backfill_low: int | None = None
    exists: int = 0
    unseen: int | None = None
    full_flags_at: datetime | None = None
    mailbox_id: str = ""

    @property
    def begun(self) -> bool:
        return self.backfill_low is not None

    @property
    def complete(self) -> bool:
        """Whether the initial sync has come down to the oldest message."""
        return self.backfill_low is not None and self.backfill_low <= 1


def unchanged(known: Known, status: MailboxStatus, *, now: datetime, active: bool) -> bool:
    """The skip test: whether STATUS proves that a SELECT would bring nothing new."""
    if not known.begun or status.uidvalidity == 0 or status.uidnext == 0:
        return False
    if _another(known, status.mailbox_id):
        return False
    same = (known.uidvalidity, known.uidnext, known.exists, known.unseen) == (
        status.uidvalidity,
        status.uidnext,
        status.messages,
        status.unseen,
    )
    if not same:
        return False
    if status.highestmodseq is not None and known.highestmodseq is not None:
        return status.highestmodseq == known.highestmodseq
    return flags_fresh(known, now=now, active=active)


def flags_fresh(known: Known, *, now: datetime, active: bool) -> bool:
    """Whether all flags were read recently enough on a server without mod-sequences."""
    limit = FULL_FLAGS_ACTIVE if active else FULL_FLAGS_IDLE
    return known.full_flags_at is not None and now - known.full_flags_at < limit


def resync_from(known: Known) -> tuple[int, int] | None:
    """The (UIDVALIDITY, HIGHESTMODSEQ) to give a QRESYNC selection, or None when nothing can be resumed."""
    if known.uidvalidity and known.highestmodseq and known.begun:
        return known.uidvalidity, known.highestmodseq
    return None


def renumbered(known: Known, seen: Selected) -> bool:
    """Whether the UIDs we hold are of another numbering. UIDVALIDITY 0 (no stable UIDs) always renumbers.

    So does another MAILBOXID: a mailbox made anew under its old name may be given an old UIDVALIDITY.
    """
    return known.uidvalidity is not None and (seen.uidvalidity == 0 or other(known, seen))


def other(known: Known, seen: Selected) -> bool:
    """Whether what was opened is another mailbox than the one we hold, or numbered anew. Two zeros tell nothing."""
    if known.uidvalidity is None:
        return False
    return seen.uidvalidity != known.uidvalidity or _another(known, seen.mailbox_id)


def _another(known: Known, mailbox_id: str | None) -> bool:
    """Whether both sides have a MAILBOXID and they differ."""
    return bool(known.mailbox_id and mailbox_id and mailbox_id != known.mailbox_id)


def choose_path(known: Known, seen: Selected) -> Path:
    """How to learn of changes in this selection. A mod-sequence that went down or away is not trusted."""
    if not known.begun or known.verified_high == 0:
        return Path.NOTHING_KNOWN
    if seen.highestmodseq is None or not known.highestmodseq or seen.highestmodseq < known.highestmodseq:
        return Path.PLAIN
    return Path.QRESYNC if seen.resynced else Path.CONDSTORE


def recent_flags_do(known: Known, seen: Selected, path: Path, *, now: datetime, active: bool) -> bool:
    """Whether the newest flags are enough this time: only on a server without mod-sequences.

    One whose mod-sequence fell, or begins, is followed from that number on: older changes have no other chance.
    """
    return path is Path.PLAIN and seen.highestmodseq is None and flags_fresh(known, now=now, active=active)


def flag_ranges(known: Known, path: Path, *, recent_only: bool) -> UidSet:
    """The known UIDs whose flags to ask for: with CHANGEDSINCE on the CONDSTORE path, outright on the plain one."""
    low = max(known.backfill_low or 1, 1)
    if path is Path.CONDSTORE:
        return UidSet() if known.highestmodseq is None else UidSet.span(low, known.verified_high)
    if path is Path.PLAIN:
        if recent_only:
            low = max(low, known.verified_high - RECENT_FLAGS + 1)
        return UidSet.span(low, known.verified_high)
    return UidSet()


def new_range(known: Known, seen: Selected) -> UidSet:
    """UIDs above the verified ones. A UIDNEXT that went back names nothing new: then only counting tells."""
    return UidSet.span(known.verified_high + 1, seen.uidnext - 1)


def rewound(known: Known, seen: Selected) -> bool:
    """UIDNEXT fell without a change of UIDVALIDITY: the server was put back to an earlier day, or errs."""
    return bool(known.uidnext and seen.uidnext and seen.uidnext < known.uidnext)


def given_anew(known: Known, seen: Selected) -> UidSet:
    """After a fall of UIDNEXT: the newest UIDs, which may stand for other messages than they did."""
    return UidSet.span(max(known.backfill_low or 1, seen.uidnext - FIRST_PAGE), seen.uidnext - 1)


def backfill_spans(top: int, *, exists: int, uidnext: int, rows: int = WINDOW_START) -> Iterator[UidSet]:
    """Spans from ``top`` down to 1, each wide enough to hold about ``rows`` messages at the mailbox's density."""
    width = window_width(exists=exists, uidnext=uidnext, rows=rows)
    high = top
    while high >= 1:
        low = max(1, high - width + 1)
        yield UidSet.span(low, high)
        high = low - 1


def window_width(*, exists: int, uidnext: int, rows: int = WINDOW_START) -> int:
    """How many UIDs hold about ``rows`` messages."""
    if exists <= 0:
        return WIDEST_WINDOW
    return min(max(rows, rows * max(uidnext - 1, 1) // exists), WIDEST_WINDOW)


def next_rows(rows: int, *, seconds: float) -> int:
    """The next window's size: towards half a second of work, between 250 and 1,000 messages."""
    if seconds > 1.0:
        return max(WINDOW_LEAST, rows // 2)
    return min(WINDOW_MOST, rows * 2) if seconds < 0.5 else rows


def newest_first(uids: UidSet, size: int) -> Iterator[UidSet]:
    """The set in pieces of at most ``size`` UIDs, highest first, without ever listing it whole."""
    ranges = list(uids.ranges)
    piece: list[tuple[int, int]] = []
    room = size
    while ranges:
        low, high = ranges.pop()
        start = max(low, high - room + 1)
        piece.append((start, high))
        room -= high - start + 1
        if start > low:
            ranges.append((low, start - 1))
        if room == 0:
            yield UidSet(piece)
            piece, room = [], size
    if piece:
        yield UidSet(piece)


def enumerable(uids: UidSet, *, count: int, exists: int) -> bool:
    """Whether an enumeration may be believed: it must name as many messages as the mailbox holds."""
    return count == exists and len(uids) == exists


def mass(vanished: int, stored: int) -> bool:
    """Whether so many disappearances must be proven on a new connection before anybody's mail is hidden."""
    return vanished > max(MASS_LEAST, int(stored * MASS_SHARE))


@dataclass(frozen=True, slots=True)
class Drift:
    """What a complete enumeration says against what is stored."""

    missing: UidSet  # on the server, not here
    vanished: UidSet  # here, not on the server


def untold(found: Drift, *, told_of_departures: bool) -> bool:
    """Whether the server held back what it should have announced; then its news of flags is not believed either."""
    return bool(found.missing) or (told_of_departures and bool(found.vanished))


def drift(*, server: UidSet, stored: UidSet, low: int) -> Drift:
    """Compares UIDs from ``low`` up; below it the initial sync has not come yet."""
    reach = UidSet.span(low, 0xFFFF_FFFF)
    return Drift(missing=(server & reach) - stored, vanished=stored - server)
