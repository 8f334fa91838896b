"""What to download and what may be deleted in one POP3 session, decided from values alone (RFC 1939).

Invariants: message numbers live for one session and are never kept; a message is remembered by its UIDL; a listing of
strangers only, where many were known, means that the server renumbered, and then nothing is deleted for a week;
nothing is deleted that is not stored here, unless its owner deleted its beginning for good; a UIDL that comes
back after it was gone may name another message.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from webmail.protocols.pop3 import PopEntry

RENUMBERED_LEAST = 50  # known UIDLs that must vanish together before a listing counts as renumbered
FROZEN = timedelta(days=7)
REMEMBERED = timedelta(days=60)  # a UIDL the server stopped listing: some forget and remember
MOST_TRIES = 3
LARGEST = 150 * 2**20  # octets of a message that is downloaded without being asked for
BATCH = 100  # as many new messages in one session may be a part of what is there: some servers list a few hundred only

KEEP, DELETE, AFTER, MIRROR = "keep", "delete", "after", "mirror"
SEEN, FETCHED, DELETE_DUE, DELETED, TOO_LARGE, WANTED, FAILED = (
    "seen",
    "fetched",
    "delete_due",
    "deleted",
    "too_large",  # its beginning is here
    "wanted",  # its beginning is here, and its owner asked for the rest
    "failed",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger (models.PopUid). ``gone_here``: its owner deleted the message here for good."""

    state: str
    first_seen_at: datetime
    attempts: int = 0
    gone_here: bool = False
    listed: bool = True  # the server named it when last asked
    size: int = 0  # in octets, as the server counted them then

    def stands_for_another(self, now: "Listed") -> bool:
        """Whether the server has given the UIDL to another message, as far as can be told.

        What was deleted and comes back may be; mail that the server keeps in spite of it was never gone. Sizes alone
        prove nothing while it was listed all the time: some servers write into messages.
        """
        if self.state == DELETED:
            return not self.listed or self.size != now.size
        return self.state in (FETCHED, FAILED) and not self.listed and self.size != now.size


@dataclass(frozen=True, slots=True)
class Listed:
    """A message of this session under the key it is remembered by."""

    number: int
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class PopPlan:
    """``fetch`` is what was asked for, then newest first; of ``brief`` keys only the beginning is brought.

    ``vanished`` keys are no longer listed; ``returned`` are listed again; ``anew`` may name other mail than they did.
    """

    fetch: tuple[Listed, ...] = ()
    brief: frozenset[str] = frozenset()
    delete: tuple[Listed, ...] = ()
    vanished: frozenset[str] = frozenset()
    returned: frozenset[str] = frozenset()
    anew: frozenset[str] = frozenset()
    renumbered: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """What the owner wants of mail on the server; ``frozen``: deletions are suspended.

    Of messages larger than ``limit`` octets only the beginning is brought.
    """

    kind: str = KEEP
    days: int = 14
    frozen: bool = False
    limit: int = LARGEST


def doubtful(listing: Sequence[PopEntry]) -> list[PopEntry]:
    """Entries whose UIDL does not name one message: it is missing, or stands twice in the listing."""
    counts: dict[str, int] = {}
    for entry in listing:
        if entry.uidl is not None:
            counts[entry.uidl] = counts.get(entry.uidl, 0) + 1
    return [entry for entry in listing if entry.uidl is None or counts[entry.uidl] > 1]


def keyed(listing: Sequence[PopEntry], digests: Mapping[int, str]) -> list[Listed]:
    """The listing under lasting keys; ``digests`` gives the header's hash of each doubtful entry, by number."""
    found: dict[str, Listed] = {}
    for entry in listing:
        digest = digests.get(entry.number)
        key = entry.uidl if digest is None else f"{(entry.uidl or 'h')[:120]}#{digest[:32]}"
        if key is not None:
            found.setdefault(key[:200], Listed(entry.number, key[:200], entry.size))
    return list(found.values())


def plan(
    listing: Sequence[Listed], ledger: Mapping[str, Entry], policy: Policy, *, now: datetime, matched: bool = False
) -> PopPlan:
    """The session's work. ``matched``: a renumbered listing has been compared with what is stored already."""
    keys = {listed.key for listed in listing}
    vanished = frozenset(key for key, entry in ledger.items() if entry.listed and key not in keys)
    if not matched and renumbered(keys, ledger):
        return PopPlan(renumbered=True)
    wanted: list[Listed] = []
    fetch: list[Listed] = []
    delete: list[Listed] = []
    brief: set[str] = set()
    anew: set[str] = set()
    for listed in sorted(listing, key=lambda listed: -listed.number):
        entry = ledger.get(listed.key)
        other = entry is not None and entry.stands_for_another(listed)
        if other:
            anew.add(listed.key)
        if entry is None or other or (entry.state in (SEEN, FAILED) and entry.attempts < MOST_TRIES):
            fetch.append(listed)
            if listed.size > policy.limit:
                brief.add(listed.key)
        elif deletable(entry, policy, now):
            delete.append(listed)
        elif entry.state == WANTED:
            wanted.append(listed)
        elif entry.state == TOO_LARGE and listed.size <= policy.limit and not entry.attempts:
            fetch.append(listed)  # the owner chose a larger size since
    returned = frozenset(key for key in keys if key in ledger and not ledger[key].listed)
    return PopPlan((*wanted, *fetch), frozenset(brief), tuple(delete), vanished, returned, frozenset(anew))


def more_likely(listing: Sequence[Listed], ledger: Mapping[str, Entry], fetched: int) -> bool:
    """Whether another session would list more: the server shows mail in batches and hides what was fetched.

    ``ledger`` is from before the session, in which so many messages were ``fetched``.
    """
    if fetched >= BATCH:
        return True
    hidden = any(entry.listed and entry.state == FETCHED for entry in ledger.values())
    return bool(fetched) and hidden and not any(listed.key in ledger for listed in listing)


def deletable(entry: Entry, policy: Policy, now: datetime) -> bool:
    """Whether a message is to leave the server: by the policy, or looked at and not wanted."""
    if policy.frozen or entry.state not in (FETCHED, DELETE_DUE, DELETED, TOO_LARGE, WANTED):
        return False
    if entry.state in (DELETE_DUE, DELETED):
        return True  # decided before; the server still has it
    if entry.state in (TOO_LARGE, WANTED):
        return entry.gone_here
    if policy.kind == DELETE:
        return True
    if policy.kind == AFTER:
        return now - entry.first_seen_at >= timedelta(days=policy.days)
    return policy.kind == MIRROR and entry.gone_here


def renumbered(keys: Collection[str], ledger: Mapping[str, Entry]) -> bool:
    """Whether the server gave all its mail new UIDLs."""
    known = [key for key, entry in ledger.items() if entry.listed and entry.state in (FETCHED, DELETE_DUE)]
    return bool(keys) and len(known) > RENUMBERED_LEAST and not any(key in ledger for key in keys)
