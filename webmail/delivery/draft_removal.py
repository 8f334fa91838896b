"""Takes copies of a draft that are not its newest one off the server.

Invariants: only copies that Mailroom wrote go: what lies under a UID must have the draft's Message-ID, and what was not
found by its UID also the field that no other program writes, with a revision that is not newer; so numbers that mean
other messages by now, and what another program made of the draft, are left alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import BytesHeaderParser

from django.db import transaction

from accounts.models import MailAccount
from webmail.models import Draft, Mailbox
from webmail.protocols import imap
from webmail.protocols.imap_fetch import message_ids
from webmail.protocols.uidset import UidSet
from webmail.protocols.values import LABELS

REVISION_FIELD = "X-Mailroom-Draft"  # in every copy: the revision it holds
_HEAD_BYTES = 64 * 1024
Copies = dict[int, int | None]  # UID to revision; None where the server did not keep the field


def leaves(draft: Draft) -> bool:
    """Whether no copy is to stay: sent, discarded, or now of an account whose server keeps no drafts."""
    return draft.closed_at is not None or draft.account.protocol != MailAccount.Protocol.IMAP


def boxes(draft: Draft) -> list[Mailbox]:
    """The folders in which copies are to be removed."""
    ids = {int(entry[0]) for entry in draft.superseded_uids}
    if leaves(draft) and draft.remote_uid is not None and draft.remote_box is not None:
        ids.add(draft.remote_box)
    return list(Mailbox.objects.filter(pk__in=ids).exclude(phase=Mailbox.Phase.GONE))


def remove_older(session: imap.Session, draft_id: int, account: MailAccount) -> None:
    """Removes what is to be removed in this account's folders. Raises MailServerError."""
    row = Draft.objects.select_related("account").get(pk=draft_id)
    for box in boxes(row):
        if box.account_id == account.pk:
            _clear(session, row, box)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is recorded of the copies in one folder. UIDs and marks are those of its present numbering."""

    uids: frozenset[int]
    since: int | None  # from here on there may be copies whose UID is not known

    @classmethod
    def of(cls, row: Draft, box: Mailbox, *, same_numbers: bool) -> "_Known":
        entries = [entry[1:] for entry in row.superseded_uids if entry[0] == box.pk]
        if row.remote_box == box.pk and row.remote_uid is not None:
            entries.append([row.remote_gen, row.remote_uid])
        here = [entry for entry in entries if same_numbers and entry[0] == box.gen]
        marks = [int(entry[1]) for entry in here if len(entry) > 2]
        since = 1 if len(here) < len(entries) else min(marks, default=None)
        return cls(frozenset(int(entry[1]) for entry in here if len(entry) == 2), since)


def _clear(session: imap.Session, row: Draft, box: Mailbox) -> None:
    seen = session.select(bytes(box.wire_name), read_only=False)
    known = _Known.of(row, box, same_numbers=box.uidvalidity in (None, seen.uidvalidity))
    copies = _read(session, row, known.uids)
    found_all = copies.keys() == known.uids
    since = known.since if found_all else 1
    if since is not None and row.message_id:
        others = session.search_message_id(f"<{row.message_id}>", since_uid=since)
        marked = _read(session, row, set(others) - copies.keys())
        copies |= {uid: revision for uid, revision in marked.items() if revision is not None}
    kept = _newest(row, box, copies)
    newest = row.revision if leaves(row) else row.remote_revision  # a copy may be there that nobody heard of
    going = UidSet.collect(uid for uid, revision in copies.items() if uid != kept and (revision or 0) <= newest)
    if going:
        _remove(session, box, going)
    _forget(row, box, kept)


def _newest(row: Draft, box: Mailbox, copies: Copies) -> int | None:
    """The copy that stays."""
    if leaves(row) or row.remote_box != box.pk:
        return None
    current = [uid for uid, revision in copies.items() if revision == row.remote_revision]
    if row.remote_uid in copies and copies[row.remote_uid] in (None, row.remote_revision):
        return row.remote_uid
    return max(current, default=None)


def _read(session: imap.Session, row: Draft, uids: Iterable[int]) -> Copies:
    """Those of these UIDs under which there is a message with the draft's Message-ID."""
    wanted = f"<{row.message_id}>".encode()
    copies: Copies = {}
    for uid, head in session.fetch_sections(dict.fromkeys(uids, "HEADER"), first_bytes=_HEAD_BYTES):
        if wanted in message_ids(head):
            copies[uid] = _revision(head)
    return copies


def _revision(head: bytes) -> int | None:
    value = str(BytesHeaderParser().parsebytes(head).get(REVISION_FIELD, "")).strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _remove(session: imap.Session, box: Mailbox, uids: UidSet) -> None:
    """Expunges; where folders are labels that only takes the label off, so the copies go to Trash there."""
    found = Mailbox.objects.filter(account=box.account_id, role=Mailbox.Role.TRASH).exclude(phase=Mailbox.Phase.GONE)
    trash = found.first() if LABELS in session.capabilities else None
    if trash is not None:
        session.move(uids, bytes(trash.wire_name))
        return
    session.store_flags(uids, add=["\\Deleted"])
    session.expunge(uids)


@transaction.atomic
def _forget(seen: Draft, box: Mailbox, kept: int | None) -> None:
    """Strikes out what was removed, unless the draft was opened or written on meanwhile."""
    row = Draft.objects.select_for_update().get(pk=seen.pk)
    done = [entry for entry in seen.superseded_uids if entry[0] == box.pk]
    Draft.objects.filter(pk=row.pk).update(
        superseded_uids=[entry for entry in row.superseded_uids if entry not in done]
    )
    if row.remote_box != box.pk or row.remote_uid != seen.remote_uid or row.remote_revision != seen.remote_revision:
        return
    if leaves(seen):
        Draft.objects.filter(pk=row.pk).update(remote_uid=None, remote_box=None, remote_revision=0)
    elif kept is not None:
        Draft.objects.filter(pk=row.pk).update(remote_uid=kept, remote_gen=box.gen)


@transaction.atomic
def forget_lost_folders(draft_id: int) -> None:
    """Copies in folders that are gone are gone with them."""
    row = Draft.objects.select_for_update().get(pk=draft_id)
    there = set(Mailbox.objects.exclude(phase=Mailbox.Phase.GONE).values_list("pk", flat=True).filter(pk__in=_all(row)))
    lost = {"remote_uid": None, "remote_box": None, "remote_revision": 0} if row.remote_box not in there else {}
    left = [entry for entry in row.superseded_uids if entry[0] in there]
    Draft.objects.filter(pk=row.pk).update(superseded_uids=left, **lost)


def _all(row: Draft) -> set[int]:
    return {int(box) for box in (row.remote_box, *(entry[0] for entry in row.superseded_uids)) if box is not None}
