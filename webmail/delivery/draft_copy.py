"""The draft's copy on the server: one at a time, following the local row, which is the draft (RFC 9051 section 6.3.12).

Invariants: the new copy is appended and its UID committed before the old one is deleted; an old copy whose deletion was
lost stays listed in ``superseded_uids`` until it is gone; nothing but what we appended is ever deleted. Before APPEND
a mark with the mailbox's UIDNEXT is committed: it keeps a second worker away, and a copy whose answer was lost is found
by it and the draft's Message-ID.
"""

import io
import logging
import os
from datetime import timedelta
from typing import BinaryIO, cast

from django.db import transaction
from django.utils import timezone

from accounts.crypto import SealBroken
from accounts.models import MailAccount
from accounts.services import sync_state
from webmail import connections, storage
from webmail.failures import note_refusal
from webmail.jobs import Job, enqueue
from webmail.mime.addresses import Address, parse_addresses
from webmail.mime.build import Attachment, Composition, new_message_id, write_message
from webmail.models import Draft, Mailbox, Upload
from webmail.protocols import imap
from webmail.protocols.errors import MailServerError
from webmail.protocols.uidset import UidSet
from webmail.protocols.values import LABELS
from webmail.render.compose import clean_outgoing

log = logging.getLogger(__name__)
IDLE = timedelta(seconds=10)  # a copy is written once typing has stopped for this long
CLAIM_LASTS = timedelta(minutes=5)
Mark = list[float]  # [gen, UIDNEXT, begun]: an APPEND that began then, at or above that UID


def follow(draft_id: int) -> None:
    """Brings the server's copy in line with the draft; never raises for what a server does."""
    draft = (
        Draft.objects.select_related("account__incoming", "account__credential", "identity", "original")
        .filter(pk=draft_id, account__protocol=MailAccount.Protocol.IMAP)
        .filter(account__state__in=[MailAccount.State.WORKING, MailAccount.State.NEW])
        .filter(user__is_active=True, account__organisation__suspended_at=None)
        .first()
    )
    if draft is None or not _due(draft) or _busy(draft):
        return
    box = Mailbox.objects.filter(account=draft.account, role=Mailbox.Role.DRAFTS).exclude(phase="gone").first()
    if box is None:
        return
    try:
        with connections.open_imap(draft.account) as session:
            _follow(session, draft, box)
    except (MailServerError, SealBroken, OSError, ValueError) as error:  # ValueError: an address not yet writable
        log.info("draft %s: copy on the server waits: %s", draft_id, type(error).__name__)
        note_refusal(draft.account, error)
        return
    sync_state.wake(draft.account_id)
    enqueue(Job.SYNC_ACCOUNT, draft.account_id)


def _due(draft: Draft) -> bool:
    if draft.closed_at is not None:
        return draft.remote_uid is not None or bool(draft.superseded_uids)
    return draft.remote_revision < draft.revision and draft.updated_at <= timezone.now() - IDLE


def _busy(draft: Draft) -> bool:
    """Whether another worker may be at it; the dispatcher comes back."""
    since = (timezone.now() - CLAIM_LASTS).timestamp()
    return any(begun and begun[0] > since for _gen, _uid, *begun in draft.superseded_uids)


def _follow(session: imap.Session, draft: Draft, box: Mailbox) -> None:
    name = bytes(box.wire_name)
    status = session.status(name)
    if box.uidvalidity not in (None, status.uidvalidity):
        return  # renumbered: the next sync notices, and until then no UID means what we think
    if draft.closed_at is None:
        message_id, data = _build(draft)
        mark = [box.gen, status.uidnext or 1, timezone.now().timestamp()]
        if not _begin(draft, message_id, mark):
            return
        placed = session.append(name, data, flags=["\\Draft", "\\Seen"])
        _note(draft, mark, box.gen, placed.uid or _newest(session, name, message_id, since=int(mark[1])))
    _remove_older(session, draft.pk, box, name)


def _newest(session: imap.Session, name: bytes, message_id: str, *, since: int) -> int | None:
    """The copy that was just made, on a server that does not say where it put it."""
    session.select(name, read_only=True)
    found = session.search_message_id(f"<{message_id}>", since_uid=since)
    session.unselect()
    return found.highest if found else None


@transaction.atomic
def _begin(draft: Draft, message_id: str, mark: Mark) -> bool:
    """Commits that a copy with this Message-ID may be made from now on; False when another worker was faster."""
    row = Draft.objects.select_for_update().get(pk=draft.pk)
    if row.closed_at is not None or row.remote_revision >= draft.revision or _busy(row):
        return False
    Draft.objects.filter(pk=draft.pk).update(message_id=message_id, superseded_uids=[*row.superseded_uids, mark])
    return True


@transaction.atomic
def _note(draft: Draft, mark: Mark, gen: int, uid: int | None) -> None:
    """The copy is there: the one before it is to go, and whatever the mark stood for is known."""
    row = Draft.objects.select_for_update().get(pk=draft.pk)
    left = [entry for entry in row.superseded_uids if uid is None or entry != mark]
    old = [[row.remote_gen, row.remote_uid]] if row.remote_uid else []
    Draft.objects.filter(pk=draft.pk).update(
        remote_uid=uid, remote_gen=gen, remote_revision=draft.revision, superseded_uids=[*left, *old]
    )


def _remove_older(session: imap.Session, draft_id: int, box: Mailbox, name: bytes) -> None:
    """Deletes older copies: those known by UID, and those a worker made whose answer it did not live to write down."""
    row = Draft.objects.get(pk=draft_id)
    kept = None if row.closed_at else row.remote_uid
    ours = {entry[1] for entry in row.superseded_uids if entry[0] == box.gen and len(entry) == 2}
    if row.closed_at and row.remote_uid and row.remote_gen == box.gen:
        ours.add(row.remote_uid)
    marks = [int(entry[1]) for entry in row.superseded_uids if entry[0] == box.gen and len(entry) > 2]
    if ours or marks:
        session.select(name, read_only=False)
        if marks and row.message_id:
            ours |= set(session.search_message_id(f"<{row.message_id}>", since_uid=min(marks)))
        uids = UidSet.collect(int(uid) for uid in ours if uid != kept)
        if uids:
            _remove(session, box, uids)
    _forget(row)


def _remove(session: imap.Session, box: Mailbox, uids: UidSet) -> None:
    """Expunges; where folders are labels that only takes the label off, so the copies go to Trash there."""
    boxes = Mailbox.objects.filter(account=box.account_id, role=Mailbox.Role.TRASH).exclude(phase="gone")
    trash = boxes.first() if LABELS in session.capabilities else None
    if trash is not None:
        session.move(uids, bytes(trash.wire_name))
        return
    session.store_flags(uids, add=["\\Deleted"])
    session.expunge(uids)


@transaction.atomic
def _forget(seen: Draft) -> None:
    """Strikes out what was removed, unless the draft was opened or written on meanwhile."""
    row = Draft.objects.select_for_update().get(pk=seen.pk)
    left = [entry for entry in row.superseded_uids if entry not in seen.superseded_uids]
    gone = {"remote_uid": None, "remote_revision": 0} if seen.closed_at and row.remote_uid == seen.remote_uid else {}
    Draft.objects.filter(pk=row.pk).update(superseded_uids=left, **gone)


def _build(draft: Draft) -> tuple[str, bytes]:
    """The draft as a message, with what is written so far; what is no address yet is left out."""
    identity = draft.identity
    sender = Address(name=identity.name, addr_spec=identity.address) if identity else Address("", draft.account.address)
    message_id = draft.message_id or new_message_id(sender.addr_spec.rpartition("@")[2], os.urandom(16))
    out = io.BytesIO()
    write_message(
        Composition(
            from_=(sender,),
            to=_people(draft.to),
            cc=_people(draft.cc),
            bcc=_people(draft.bcc),
            subject=" ".join(draft.subject.split()),
            message_id=message_id,
            date=timezone.localtime(),
            boundary_seed=os.urandom(16),
            text=draft.text if draft.plain else None,
            html=None if draft.plain else clean_outgoing(draft.html),
            attachments=tuple(_attachment(upload) for upload in draft.uploads.exclude(digest="")),
        ),
        out,
        keep_bcc=True,
    )
    return message_id, out.getvalue()


def _people(typed: str) -> tuple[Address, ...]:
    found = parse_addresses(" ".join(typed.split()))
    return tuple(person for person in found if "@" in person.addr_spec.strip("@") and not person.warnings)


def _attachment(upload: Upload) -> Attachment:
    return Attachment(
        filename=upload.filename,
        content_type=upload.content_type,
        data=lambda: cast(BinaryIO, storage.open_file(upload.account_id, upload.digest)),
        size=upload.size,
        content_id=upload.content_id or None,
    )
